//! Does each driver keep the promises of the trait?
//!
//! Each property is a function over the driver; the table at the end makes a test of it for every driver.

mod files;
mod log;
mod outside;
mod shards;
mod tasks;
mod tcp;
mod time;

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use model::ShardId;

use crate::driver::Driver;
use crate::portable::{Portable, start_shard_portable};
use crate::shard::{ShardOptions, ShardThread};
use crate::uring::{Uring, start_shard_uring};
use outside::Peer;

/// A driver that tests can start, and what they find outside of it.
trait Tested: Driver {
    type Peer: Peer;

    fn start<F, Fut>(options: ShardOptions, main: F) -> io::Result<ShardThread>
    where
        F: FnOnce(Self) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + 'static;

    fn scratch() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn write_file(path: &Path, bytes: &[u8]) {
        std::fs::write(path, bytes).unwrap();
    }

    fn read_file(path: &Path) -> Vec<u8> {
        std::fs::read(path).unwrap()
    }

    /// A file of so many zeros, perhaps sparse.
    fn make_file(path: &Path, len: u64) {
        std::fs::File::create(path).unwrap().set_len(len).unwrap();
    }

    /// Makes writes beyond `bytes` fail.
    fn limit_file_size(bytes: Option<u64>) {
        log::limit_file_size(bytes);
    }

    /// What the open log at `path` was told to write is durable.
    fn expect_durable_writes(path: &Path) {
        log::expect_direct_and_durable(path);
    }

    /// An address that nobody else gets while the socket lives.
    fn reserve_port() -> (Option<socket2::Socket>, SocketAddr) {
        shards::reserve_port()
    }
}

impl Tested for Portable {
    type Peer = TcpStream;

    fn start<F, Fut>(options: ShardOptions, main: F) -> io::Result<ShardThread>
    where
        F: FnOnce(Self) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + 'static,
    {
        start_shard_portable(options, main)
    }
}

impl Tested for Uring {
    type Peer = TcpStream;

    fn start<F, Fut>(options: ShardOptions, main: F) -> io::Result<ShardThread>
    where
        F: FnOnce(Self) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + 'static,
    {
        start_shard_uring(options, main)
    }
}

/// Starts a shard with little memory; it is not pinned, as tests run side by side.
fn start<D, F, Fut>(shard: u16, main: F) -> ShardThread
where
    D: Tested,
    F: FnOnce(D) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + 'static,
{
    let options = ShardOptions { shard: ShardId(shard), core: None, ring_depth: 128, io_memory_bytes: 64 * 1024 };
    D::start(options, main).unwrap()
}

/// Runs one shard to its end.
fn run<D, F, Fut>(main: F)
where
    D: Tested,
    F: FnOnce(D) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + 'static,
{
    start(0, main).join().unwrap();
}

macro_rules! on_every_driver {
    ($($module:ident: $($property:ident),+ ;)+) => {
        mod portable {
            $($(
                #[test]
                fn $property() {
                    super::$module::$property::<crate::portable::Portable>();
                }
            )+)+
        }
        mod fake {
            $($(
                #[test]
                fn $property() {
                    super::$module::$property::<crate::fake::Fake>();
                }
            )+)+
        }
        mod uring {
            $($(
                #[test]
                fn $property() {
                    match crate::probe_uring() {
                        Ok(()) => super::$module::$property::<crate::uring::Uring>(),
                        Err(reason) => println!("Skipped: {reason}"),
                    }
                }
            )+)+
        }
    };
}

on_every_driver! {
    log: what_is_written_is_read,
        writes_are_direct_and_durable,
        several_writes_are_in_flight,
        nothing_is_written_past_the_end,
        a_failed_write_ends_all_writes,
        an_abandoned_write_ends_all_writes,
        a_closed_log_refuses;
    files: replacing_is_atomic,
        folders_are_listed,
        files_grow_and_change_their_names,
        any_range_of_a_file_is_read,
        errors_name_the_file;
    time: timers_fire_in_order_and_never_early,
        a_task_that_runs_long_is_told_to_yield,
        busy_tasks_starve_neither_timers_nor_disk;
    tasks: shutdown_runs_every_destructor,
        the_end_of_main_is_the_end_of_all,
        a_cancelled_task_gives_none,
        nothing_runs_inside_spawn,
        a_panic_ends_the_shard;
    tcp: many_connections_echo_large_frames,
        the_end_of_the_peer_is_seen,
        closing_ends_the_other_half,
        a_cancelled_read_loses_nothing,
        a_read_fills_the_room_it_is_given;
    shards: two_shards_share_a_port,
        shards_send_each_other_messages,
        a_full_mailbox_makes_the_sender_wait;
}
