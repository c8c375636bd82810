//! How far has each projection of a partition come?

use crate::Offset;

/// All frontiers of a partition; each is the first offset that is *not yet* so.
///
/// Their order is asserted after every change:
/// `log_start ≤ lake_committed ≤ lake_projected ≤ last_stable ≤ high_watermark ≤ log_end` and
/// `log_start ≤ archived ≤ high_watermark`.
/// The lake's two are absent while the topic is no table, the archive's until the archive has told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frontiers {
    log_start: Offset,
    lake: Option<(Offset, Offset)>,
    archived: Option<Offset>,
    last_stable: Offset,
    high_watermark: Offset,
    log_end: Offset,
}

impl Frontiers {
    /// A partition whose log holds `log_start..log_end`, all of it durable.
    pub fn recovered(log_start: Offset, log_end: Offset) -> Frontiers {
        let (last_stable, high_watermark) = (log_end, log_end);
        Frontiers { log_start, lake: None, archived: None, last_stable, high_watermark, log_end }.check()
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
        self.lake = self.lake.map(|(committed, projected)| (committed.max(start), projected.max(start)));
        self.archived = self.archived.map(|archived| archived.max(start));
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
        let archive = self.archived.is_none_or(|end| self.log_start <= end && end <= self.high_watermark);
        assert!(stable && lake && archive, "frontiers out of order: {self:?}");
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
