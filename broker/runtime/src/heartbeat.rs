//! Does a shard still turn?

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use model::ShardId;

/// How often a driver beats. The timer behind it also bounds how long glommio can park with runnable tasks.
pub(crate) const BEAT_MS: u64 = 50;

/// A counter that a shard's executor moves every 50 ms, read by the watchdog.
#[derive(Debug)]
pub struct Heartbeat {
    shard: ShardId,
    beats: AtomicU64,
    finished: AtomicBool,
}

impl Heartbeat {
    pub fn new(shard: ShardId) -> Heartbeat {
        Heartbeat { shard, beats: AtomicU64::new(0), finished: AtomicBool::new(false) }
    }

    pub fn shard(&self) -> ShardId {
        self.shard
    }

    pub fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    /// True when the shard ended as it should.
    pub fn is_finished(&self) -> bool {
        self.finished.load(Ordering::Relaxed)
    }

    pub fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    pub fn finish(&self) {
        self.finished.store(true, Ordering::Relaxed);
    }
}
