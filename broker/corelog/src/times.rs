//! Which record was the first at a time, and which has the largest timestamp?

use bytes::Bytes;
use model::limits::UNPACKED_BATCH_BYTES_MAX;
use model::{Offset, PartitionId, Result, Timestamp};
use runtime::Driver;
use wire::batch::records;

use crate::index::FrameAt;
use crate::log::{CoreLog, Shared};

/// Batches whose largest timestamp is not that of a record, before a lookup by time is content with the next one.
const UNTRUE_BATCHES_MAX: usize = 16;

impl<D: Driver> CoreLog<D> {
    /// The first record of this log with a timestamp of at least `at`: its offset and timestamp. Where a batch cannot be unpacked,
    /// or its largest timestamp is not that of a record, the answer is as exact as its header.
    pub async fn offset_for_time(&self, p: PartitionId, at: Timestamp) -> Result<Option<(Offset, Timestamp)>> {
        let mut from = self.frontiers(p).local_start();
        for _ in 0..UNTRUE_BATCHES_MAX {
            let Some(frame) = self.shared.frame_reaching(p, from, at) else { return Ok(None) };
            let batch = self.shared.fetch_one(p, frame).await?;
            match first_reaching(&batch, from, at) {
                Ok(Some(found)) => return Ok(Some(found)),
                Ok(None) => from = frame.last.plus(1),
                Err(()) => return Ok(Some((frame.base.max(from), frame.max_timestamp))),
            }
        }
        let frame = self.shared.frame_reaching(p, from, at);
        Ok(frame.map(|frame| (frame.base.max(from), frame.max_timestamp)))
    }

    /// The record of this log with the largest timestamp, the first of them if there are several: its offset and
    /// timestamp. Where its batch cannot be unpacked, the answer is as exact as the batch's header.
    pub async fn newest(&self, p: PartitionId) -> Result<Option<(Offset, Timestamp)>> {
        let start = self.frontiers(p).local_start();
        let Some(frame) = self.shared.newest_frame(p, start) else { return Ok(None) };
        let found = self.newest_in(p, frame, start).await?;
        let cut = frame.base < start && found.1 < frame.max_timestamp;
        // The record that the first batch's header speaks of is deleted.
        let Some(next) = self.shared.newest_frame(p, frame.last.plus(1)).filter(|_| cut) else {
            return Ok(Some(found));
        };
        let later = self.newest_in(p, next, start).await?;
        Ok(Some(if later.1 > found.1 { later } else { found }))
    }

    async fn newest_in(&self, p: PartitionId, frame: FrameAt, from: Offset) -> Result<(Offset, Timestamp)> {
        let batch = self.shared.fetch_one(p, frame).await?;
        Ok(newest_of(&batch, from).unwrap_or((frame.last, frame.max_timestamp)))
    }
}

/// `Err`: the records cannot be read.
fn first_reaching(batch: &Bytes, from: Offset, at: Timestamp) -> Result<Option<(Offset, Timestamp)>, ()> {
    for record in &records(batch, UNPACKED_BATCH_BYTES_MAX).map_err(|_| ())? {
        let record = record.map_err(|_| ())?;
        if record.offset >= from.0 && record.timestamp >= at.0 {
            return Ok(Some((Offset(record.offset), Timestamp(record.timestamp))));
        }
    }
    Ok(None)
}

/// The first of the records from `from` on with the largest timestamp; `None` if they cannot be read.
fn newest_of(batch: &Bytes, from: Offset) -> Option<(Offset, Timestamp)> {
    let mut newest: Option<(Offset, Timestamp)> = None;
    for record in &records(batch, UNPACKED_BATCH_BYTES_MAX).ok()? {
        let record = record.ok()?;
        let found = (Offset(record.offset), Timestamp(record.timestamp));
        if found.0 >= from && newest.is_none_or(|(_, time)| found.1 > time) {
            newest = Some(found);
        }
    }
    newest
}

impl<D: Driver> Shared<D> {
    pub fn frame_reaching(&self, p: PartitionId, from: Offset, at: Timestamp) -> Option<FrameAt> {
        self.state.borrow().partitions.get(p)?.frames.reaching(from, at).next()
    }

    /// The first frame with the largest timestamp.
    fn newest_frame(&self, p: PartitionId, from: Offset) -> Option<FrameAt> {
        self.state.borrow().partitions.get(p)?.frames.newest(from)
    }
}

#[cfg(test)]
mod tests;
