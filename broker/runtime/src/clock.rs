//! What time is it, and what is a random number?

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::driver::Instant;

/// The moment that [`Instant`] 0 stands for; the same for all shards of the process.
pub(crate) fn start() -> std::time::Instant {
    static START: OnceLock<std::time::Instant> = OnceLock::new();
    *START.get_or_init(std::time::Instant::now)
}

pub(crate) fn now() -> Instant {
    Instant(u64::try_from(start().elapsed().as_nanos()).unwrap_or(u64::MAX))
}

/// How long it is until `at`, at most a century: executors add this to their own clock, which must not overflow.
pub(crate) fn until(at: Instant) -> Duration {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    Duration::from_nanos(at.0.saturating_sub(now().0)).min(CENTURY)
}

pub(crate) fn wall_ms() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)
}

/// SplitMix64, seeded by the operating system: good for spreading load, not for secrets.
pub(crate) struct Random(Cell<u64>);

impl Random {
    pub(crate) fn seeded() -> Random {
        Random(Cell::new(RandomState::new().hash_one(now())))
    }

    /// The same numbers for the same seed.
    #[cfg(any(test, feature = "fake"))]
    pub(crate) fn of(seed: u64) -> Random {
        Random(Cell::new(seed))
    }

    pub(crate) fn next(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}
