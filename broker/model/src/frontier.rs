//! How far has each projection of a partition come?

use crate::Offset;

/// All frontiers of a partition; each is the first offset that is *not yet* so.
///
/// Their order is asserted after every change:
/// `log_start ≤ lake_committed ≤ lake_projected ≤ last_stable ≤ high_watermark ≤ log_end`.
/// The lake's two are absent while the topic is no table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frontiers {
    log_start: Offset,
    lake: Option<(Offset, Offset)>,
    last_stable: Offset,
    high_watermark: Offset,
    log_end: Offset,
}

impl Frontiers {
    /// A partition whose log holds `log_start..log_end`, all of it durable.
    pub fn recovered(log_start: Offset, log_end: Offset) -> Frontiers {
        let at = Frontiers { log_start, lake: None, last_stable: log_end, high_watermark: log_end, log_end };
        at.check()
    }

    pub fn log_start(&self) -> Offset {
        self.log_start
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

    /// Records from `end` on were never committed, and are gone.
    pub fn cut(&mut self, end: Offset) {
        assert!(end <= self.log_end, "cutting takes away: {end} > {}", self.log_end);
        self.log_end = end;
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
        self.lake = self.lake.map(|(committed, projected)| (committed.max(start), projected.max(start)));
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
        assert!(stable && lake, "frontiers out of order: {self:?}");
        self
    }
}
