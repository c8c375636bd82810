//! What happens when a shard hangs?
//!
//! The process ends with a message: a restart recovers from the log, a hung shard never answers its clients again.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use model::ShardId;

use crate::heartbeat::Heartbeat;

/// Looks at each shard once a second.
const CHECK: Duration = Duration::from_secs(1);
/// So many looks in a row without a beat are a hang. Counted in looks, not by the clock: a machine that was paused
/// for a minute gave its shards no chance to beat.
const STILL_MAX: u32 = 10;

/// A thread that watches all shards of the process. Dropping it ends the watch.
pub struct Watchdog {
    stop: Option<flume::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Aborts the process when one of `heartbeats` stands still for ten seconds.
    pub fn start(heartbeats: Vec<Arc<Heartbeat>>) -> std::io::Result<Watchdog> {
        Watchdog::start_with(heartbeats, CHECK, |shard| {
            let message = hang_message(shard);
            tracing::error!("{message}");
            eprintln!("{message}");
            std::process::abort();
        })
    }

    fn start_with(
        heartbeats: Vec<Arc<Heartbeat>>,
        check: Duration,
        hung: impl Fn(ShardId) + Send + 'static,
    ) -> std::io::Result<Watchdog> {
        let (stop, stopped) = flume::bounded::<()>(0);
        let thread = thread::Builder::new().name("frazil-watchdog".to_owned()).spawn(move || {
            let mut watched: Vec<Still> = vec![Still::default(); heartbeats.len()];
            while let Err(flume::RecvTimeoutError::Timeout) = stopped.recv_timeout(check) {
                for (still, heartbeat) in watched.iter_mut().zip(&heartbeats) {
                    *still = still.look(heartbeat.beats(), heartbeat.is_finished());
                    if still.is_hang() {
                        hung(heartbeat.shard());
                    }
                }
            }
        })?;
        Ok(Watchdog { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the watchdog panicked");
        }
    }
}

/// How many looks in a row one counter has stood still.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Still {
    beats: u64,
    looks: u32,
}

impl Still {
    /// The next state, given what the counter shows now.
    fn look(self, beats: u64, finished: bool) -> Still {
        let moves = finished || beats != self.beats;
        Still { beats, looks: if moves { 0 } else { self.looks.saturating_add(1) } }
    }

    fn is_hang(self) -> bool {
        self.looks >= STILL_MAX
    }
}

fn hang_message(shard: ShardId) -> String {
    format!(
        "shard {shard} has not turned for {STILL_MAX} seconds: the process ends now, so that a restart can recover from \
         the log. If this comes again, start with --io portable and report it with the last lines of the log."
    )
}

#[cfg(test)]
mod tests;
