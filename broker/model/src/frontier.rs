//! How far has each projection of a partition come?

use crate::Offset;

/// All frontiers of a partition; each is the first offset that is *not yet* so.
///
/// Their order is asserted after every change:
/// `log_start ≤ lake_committed ≤ lake_projected ≤ last_stable ≤ high_watermark ≤ log_end` and
/// `log_start ≤ local_start ≤ last_stable` and `log_start ≤ archived ≤ high_watermark`.
/// The lake's two are absent while the topic is no table, the archive's until the archive has told it.
///
/// There are two starts: consumers may read from `log_start` on, and the log of the core still holds what lies from
/// `local_start` on. What lies between is read from the archive; without one the two are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frontiers {
    log_start: Offset,
    local_start: Offset,
    lake: Option<(Offset, Offset)>,
    archived: Option<Offset>,
    last_stable: Offset,
    high_watermark: Offset,
    log_end: Offset,
}

impl Frontiers {
    /// A partition whose log holds `log_start..log_end`, all of it durable.
    pub fn recovered(log_start: Offset, log_end: Offset) -> Frontiers {
        let (local_start, last_stable, high_watermark) = (log_start, log_end, log_end);
        Frontiers { log_start, local_start, lake: None, archived: None, last_stable, high_watermark, log_end }.check()
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

    pub fn archived(&self) -> Option<Offset> {
        self.archived
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

    /// The object store holds all records below `end`, checked after they were written there.
    pub fn archive(&mut self, end: Offset) {
        self.archived = Some(end);
        *self = self.check();
    }

    /// Records below `start` are deleted. What lake and archive have not seen of them they never will.
    pub fn trimmed(&mut self, start: Offset) {
        assert!(start >= self.log_start, "the log start never goes back: {start} < {}", self.log_start);
        self.log_start = start;
        self.local_start = self.local_start.max(start);
        self.lake = self.lake.map(|(committed, projected)| (committed.max(start), projected.max(start)));
        self.archived = self.archived.map(|archived| archived.max(start));
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
        let archive = self.archived.is_none_or(|end| self.log_start <= end && end <= self.high_watermark);
        assert!(stable && lake && starts && archive, "frontiers out of order: {self:?}");
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_deleted_counts_as_seen_by_lake_and_archive() {
        let mut frontiers = Frontiers::recovered(Offset(10), Offset(20));
        frontiers.lake(Offset(11), Offset(15));
        frontiers.archive(Offset(12));
        frontiers.trimmed(Offset(14));
        assert_eq!((frontiers.lake_committed(), frontiers.lake_projected()), (Some(Offset(14)), Some(Offset(15))));
        assert_eq!(frontiers.archived(), Some(Offset(14)));
    }

    #[test]
    #[should_panic(expected = "frontiers out of order")]
    fn nothing_is_archived_that_is_not_durable() {
        let mut frontiers = Frontiers::recovered(Offset(10), Offset(20));
        frontiers.appended(Offset(30));
        frontiers.archive(Offset(21));
    }
}
