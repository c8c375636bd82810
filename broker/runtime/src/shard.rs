//! How does a shard start, and how does it end?

use std::any::Any;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use model::ShardId;

use crate::clock;
use crate::cores::{self, CoreSet};
use crate::driver::Instant;
use crate::heartbeat::Heartbeat;

/// A shard that is not ready after so long will not come.
const READY_WAIT: Duration = Duration::from_secs(10);
/// How long the tasks of an ending shard have.
pub(crate) const END_WAIT_MS: u64 = 5_000;
/// What a ring may register, whatever the limit: more only pins memory.
const IO_MEMORY_MAX: usize = 4 * 1024 * 1024;
/// The least that a ring works with.
const IO_MEMORY_MIN: usize = 64 * 1024;

/// What a shard's executor is made of.
#[derive(Debug, Clone)]
pub struct ShardOptions {
    pub shard: ShardId,
    /// The core to pin the shard to; a failure to pin is only logged.
    pub core: Option<usize>,
    /// Operations of one io_uring; more wait in memory.
    pub ring_depth: usize,
    /// Memory registered with io_uring, at least 64 KiB.
    pub io_memory_bytes: usize,
}

impl ShardOptions {
    /// Defaults for one of `shards` shards of this process.
    pub fn new(shard: ShardId, core: Option<usize>, shards: usize) -> ShardOptions {
        ShardOptions { shard, core, ring_depth: 128, io_memory_bytes: io_memory_bytes(memlock_bytes(), shards) }
    }
}

/// Each executor registers its memory with three rings. All of them together may have half of the limit: the rings
/// themselves count as well, and without room for them no executor starts.
fn io_memory_bytes(memlock_bytes: u64, shards: usize) -> usize {
    let share = memlock_bytes / (2 * 3 * shards.max(1) as u64);
    let share = usize::try_from(share).unwrap_or(usize::MAX) & !(model::limits::IO_ALIGN - 1);
    share.clamp(IO_MEMORY_MIN, IO_MEMORY_MAX)
}

/// The process's limit of locked memory.
pub(crate) fn memlock_bytes() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid for writes.
    match unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &mut limit) } {
        0 => limit.rlim_cur,
        _ => 0,
    }
}

/// A running shard.
pub struct ShardThread {
    thread: JoinHandle<io::Result<()>>,
    pub heartbeat: Arc<Heartbeat>,
}

impl ShardThread {
    /// Waits until the shard's main task has ended and all others are cancelled. An error if one of them panicked.
    pub fn join(self) -> io::Result<()> {
        let shard = self.heartbeat.shard();
        match self.thread.join() {
            Ok(result) => result,
            Err(panic) => Err(io::Error::other(format!("shard {shard} panicked: {}", panic_text(&*panic)))),
        }
    }
}

/// What the thread of a shard gets from its parent.
pub(crate) struct Birth {
    pub(crate) options: ShardOptions,
    pub(crate) cores: Arc<CoreSet>,
    pub(crate) heartbeat: Arc<Heartbeat>,
    ready: flume::Sender<io::Result<()>>,
}

impl Birth {
    /// To be called from a task of the executor, so that it is known to turn.
    pub(crate) fn is_ready(&self) {
        // The parent has given up waiting: it has reported that.
        let _ = self.ready.try_send(Ok(()));
    }
}

/// Runs `run` on a thread of its own and waits until it says that it is ready.
pub(crate) fn start_thread(
    options: ShardOptions,
    run: impl FnOnce(&Birth) -> io::Result<()> + Send + 'static,
) -> io::Result<ShardThread> {
    let shard = options.shard;
    let heartbeat = Arc::new(Heartbeat::new(shard));
    let (ready, readiness) = flume::bounded(1);
    let birth = Birth { options, cores: Arc::new(CoreSet::current()), heartbeat: heartbeat.clone(), ready };
    let thread = thread::Builder::new().name(format!("frazil-shard-{shard}")).spawn(move || {
        if let Some(core) = birth.options.core {
            cores::pin(core);
        }
        let result = run(&birth);
        match &result {
            Ok(()) => birth.heartbeat.finish(),
            // Only of use if the shard was not ready before; otherwise `join` reports it.
            Err(error) => drop(birth.ready.try_send(Err(io::Error::new(error.kind(), error.to_string())))),
        }
        result
    })?;
    match readiness.recv_timeout(READY_WAIT) {
        Ok(Ok(())) => Ok(ShardThread { thread, heartbeat }),
        Ok(Err(error)) => Err(io::Error::new(error.kind(), format!("shard {shard} did not start: {error}"))),
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("shard {shard} was not ready after {} seconds; restart the process", READY_WAIT.as_secs()),
        )),
    }
}

/// When the tasks of a shard that ends now must have ended.
pub(crate) fn end_by() -> Instant {
    clock::now().plus_ms(END_WAIT_MS)
}

/// Turns a task's panic into the end of its shard.
pub(crate) fn outcome(result: Result<(), Box<dyn Any + Send>>) -> io::Result<()> {
    result.map_err(|panic| io::Error::other(format!("a task panicked: {}", panic_text(&*panic))))
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("for an unknown cause")
}

#[cfg(test)]
mod tests;
