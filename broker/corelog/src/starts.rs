//! From where on does a partition have records, for consumers and in this log?

use model::{Error, Offset, PartitionId, Result};
use runtime::Driver;

use crate::frame::{Entry, Kind, encode_start};
use crate::log::{CoreLog, Shared};

impl<D: Driver> CoreLog<D> {
    /// A partition that this log has never seen goes on at `start`: records from `log_start` up to there are in the
    /// archive. Durable after [`CoreLog::flushed`]. `Conflict`: the log has seen it; `Fenced`: nothing can
    /// be written any more.
    pub fn begin_at(&self, partition: PartitionId, log_start: Offset, start: Offset) -> Result<()> {
        assert!(Offset::ZERO <= log_start && log_start <= start, "{log_start} lies behind {start}");
        self.shared.writable()?;
        {
            let mut state = self.shared.state.borrow_mut();
            let sequence = state.sequence;
            if !state.partitions.begin(partition, sequence, log_start, start) {
                return Err(Error::conflict(format!("partition {partition} is in this log already")));
            }
        }
        self.shared.note_log_start(partition);
        Ok(())
    }

    /// Records below `start`, at most the high watermark, are dead at once, durably so after [`CoreLog::flushed`]. A
    /// log that closes stays as it is.
    pub fn set_log_start(&self, partition: PartitionId, start: Offset) {
        if self.shared.is_closing() {
            return;
        }
        {
            let mut state = self.shared.state.borrow_mut();
            let Some(partition) = state.partitions.get_mut(partition) else { return };
            let start = start.min(partition.frontiers.last_stable());
            if start <= partition.frontiers.log_start() {
                return;
            }
            partition.trim(start);
        }
        self.shared.note_log_start(partition);
    }

    /// Records below `start`, as far as they are archived, leave this log at once, durably so after
    /// [`CoreLog::flushed`]; consumers read them from the archive.
    pub fn set_local_start(&self, partition: PartitionId, start: Offset) {
        if self.shared.is_closing() {
            return;
        }
        {
            let mut state = self.shared.state.borrow_mut();
            let Some(partition) = state.partitions.get_mut(partition) else { return };
            let Some(archived) = partition.frontiers.archived() else { return };
            let start = start.min(archived).min(partition.frontiers.last_stable());
            if start <= partition.frontiers.local_start() {
                return;
            }
            partition.drop_locally(start);
        }
        self.shared.note_log_start(partition);
    }
}

impl<D: Driver> Shared<D> {
    /// Notes the two starts of a partition as they are.
    pub fn note_log_start(&self, partition: PartitionId) {
        let at = self.state.borrow().partitions.frontiers(partition);
        let entry = Entry::note(Kind::LogStart, partition, at.local_start());
        self.note(entry, encode_start(at.log_start(), at.local_start()));
    }
}

#[cfg(test)]
mod tests;
