//! How does a shard reach clock, disk, network and other shards?
//!
//! `driver` is the door; `portable` and `uring` are what stands behind it, and in tests `fake`.

mod buffer;
mod clock;
mod common;
mod cores;
mod disk;
mod driver;
#[cfg(any(test, feature = "fake"))]
pub mod fake;
mod heartbeat;
mod mailbox;
mod net;
pub mod portable;
mod shard;
mod tasks;
pub mod uring;
mod watchdog;

pub use buffer::IoBuf;
pub use driver::{DirEntry, Driver, Instant, Listener, LogFile, ReadFile, Stream, StreamRead, StreamWrite, TaskHandle};
pub use heartbeat::Heartbeat;
pub use mailbox::{MailReceiver, MailSender, Undelivered, mailbox};
pub use portable::start_shard_portable;
pub use shard::{ShardOptions, ShardThread};
pub use tasks::Task;
pub use uring::{probe_uring, start_shard_uring};
pub use watchdog::Watchdog;

/// Which driver shards run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Io {
    Uring,
    Portable,
}

#[cfg(test)]
mod conformance;
