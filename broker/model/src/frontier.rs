//! How far has each projection of a partition come?

use crate::Offset;

/// All frontiers of a partition; each is the first offset that is *not yet* so.
///
/// Their order is asserted after every change:
/// `log_start ≤ lake_committed ≤ lake_projected ≤ last_stable ≤ high_watermark ≤ log_end` and
/// `log_start ≤ local_start ≤ last_stable`.
/// The lake's two are absent while the topic is no table.
///
/// There are two starts: consumers may read from `log_start` on, and the log of the core still holds what lies from
/// `local_start` on. What lies between is read from the archive; without one the two are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frontiers {
    log_start: Offset,
    local_start: Offset,
    lake: Option<(Offset, Offset)>,
    last_stable: Offset,
    high_watermark: Offset,
    log_end: Offset,
}

impl Frontiers {
    /// A partition whose log holds `log_start..log_end`, all of it durable.
    pub fn recovered(log_start: Offset, log_end: Offset) -> Frontiers {
        let (local_start, lake) = (log_start, None);
        Frontiers { log_start, local_start, lake, last_stable: log_end, high_watermark: log_end, log_end }.check()
    }

    /// The first offset that consumers may read.
    pub fn log_start(&self) -> Offset {
        self.log_start
    }

    /// The first offset that the log of the core still holds.
    pub fn local_start(&self) -> Offset {
        self.local_start
    }

    pub fn lake_committed(&self) -> Option<Offset> {
        self.lake.map(|(committed, _)| committed)
    }

    pub fn lake_projected(&self) -> Option<Offset> {
        self.lake.map(|(_, projected)| projected)
    }

    pub fn last_stable(&self) -> Offset {
        self.last_stable
    }

    pub fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    pub fn log_end(&self) -> Offset {
        self.log_end
    }

    /// Records up to `end` are in the log's buffer, not yet durable.
    pub fn appended(&mut self, end: Offset) {
        assert!(end >= self.log_end, "the log end never goes back: {end} < {}", self.log_end);
        self.log_end = end;
        *self = self.check();
    }

    /// Records below `end` are durable on enough replicas. Without open transactions they are stable as well.
    pub fn committed(&mut self, end: Offset) {
        assert!(end >= self.high_watermark, "the high watermark never goes back: {end} < {}", self.high_watermark);
        self.high_watermark = end;
        self.last_stable = end;
        *self = self.check();
    }

    /// The table holds all records below `committed`; files hold those below `projected`.
    pub fn lake(&mut self, committed: Offset, projected: Offset) {
        self.lake = Some((committed, projected));
        *self = self.check();
    }

    /// Records below `start` are deleted. What the lake has not seen of them it never will.
    pub fn trimmed(&mut self, start: Offset) {
        assert!(start >= self.log_start, "the log start never goes back: {start} < {}", self.log_start);
        self.log_start = start;
        self.local_start = self.local_start.max(start);
        self.lake = self.lake.map(|(committed, projected)| (committed.max(start), projected.max(start)));
        *self = self.check();
    }

    /// The log of the core holds records below `start` no longer; consumers read them elsewhere.
    pub fn dropped_locally(&mut self, start: Offset) {
        assert!(start >= self.local_start, "the local start never goes back: {start} < {}", self.local_start);
        self.local_start = start;
        *self = self.check();
    }

    fn check(self) -> Frontiers {
        let stable = self.last_stable <= self.high_watermark && self.high_watermark <= self.log_end;
        let lake = match self.lake {
            Some((committed, projected)) => {
                self.log_start <= committed && committed <= projected && projected <= self.last_stable
            }
            None => self.log_start <= self.last_stable,
        };
        let starts = self.log_start <= self.local_start && self.local_start <= self.last_stable;
        assert!(stable && lake && starts, "frontiers out of order: {self:?}");
        self
    }
}
