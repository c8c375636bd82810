//! What does the owner of a log keep per partition, that checkpoints carry for it?

use std::cell::RefCell;

use model::{PartitionId, Result};
use wire::batch::BatchHeader;

/// Follows what a log holds. Checkpoints carry what it keeps, so it is shown only the batches behind them.
pub trait Owner {
    /// Recovery begins, perhaps once more: forget everything.
    fn reset(&self);

    /// What was saved for a partition. `Damaged`: it cannot be understood.
    fn restore(&self, partition: PartitionId, saved: &[u8]) -> Result<()>;

    /// Recovery has come to a live batch. What was restored may include it: partitions are saved while the log goes
    /// on. A partition that is forgotten further on is shown as well, so ask [`crate::CoreLog::partitions`] afterwards.
    fn seen(&self, partition: PartitionId, header: &BatchHeader);

    /// Appends what is to be kept for a partition, as it is after all that was appended so far.
    fn save(&self, partition: PartitionId, saved: &mut Vec<u8>);
}

/// Sees batches and keeps nothing.
pub(crate) struct Seeing<F>(pub RefCell<F>);

impl<F: FnMut(PartitionId, &BatchHeader)> Owner for Seeing<F> {
    fn reset(&self) {}

    fn restore(&self, _: PartitionId, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn seen(&self, partition: PartitionId, header: &BatchHeader) {
        (self.0.borrow_mut())(partition, header);
    }

    fn save(&self, _: PartitionId, _: &mut Vec<u8>) {}
}
