//! How do batches come back, from memory or from the disk?

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use model::limits::{IO_ALIGN, IO_BYTES_MAX};
use model::{Error, Offset, PartitionId, Position, Result};
use runtime::Driver;

use crate::frame::{HEAD_BYTES, Head, Kind};
use crate::index::FrameAt;
use crate::log::{CoreLog, Shared};
use crate::partitions::damaged;

/// Reads of one call that are under way at once.
const READS_MAX: usize = 4;
/// Bytes between two frames of a partition that are read with them rather than skipped.
const GAP_BYTES_MAX: u64 = 64 * 1024;

/// A batch of a read.
enum Piece {
    Memory(Bytes),
    Disk(FrameAt),
}

/// What one disk read, or one copy from memory, brings.
enum Run {
    Memory(Bytes),
    Disk(Vec<FrameAt>),
}

impl<D: Driver> CoreLog<D> {
    /// Whole batches from the one that holds `from`, those that end below `below` and the high watermark: at least one
    /// if there is one, else at most `bytes_max` bytes. Records before `from` in the first batch are the caller's to
    /// skip.
    ///
    /// `Invalid`: `from` lies outside `local_start..=high_watermark`; `Damaged`: the batch with `from` is damaged. Damage
    /// further on ends the list before it.
    pub async fn read(&self, p: PartitionId, from: Offset, below: Offset, bytes_max: usize) -> Result<Vec<Bytes>> {
        let runs = self.shared.plan_read(p, from, below, bytes_max)?;
        let mut reads = stream::iter(runs.into_iter().map(|run| self.shared.fetch(p, run))).buffered(READS_MAX);
        let mut batches = Vec::new();
        while let Some((read, error)) = reads.next().await {
            batches.extend(read);
            match error {
                Some(error) if batches.is_empty() => {
                    // The segment may have gone meanwhile, because nobody may read there any more.
                    self.shared.plan_read(p, from, below, bytes_max)?;
                    return Err(error);
                }
                Some(_) => break,
                None => {}
            }
        }
        Ok(batches)
    }
}

impl<D: Driver> Shared<D> {
    /// Chooses the batches of a read, and takes from memory what is there.
    fn plan_read(&self, p: PartitionId, from: Offset, below: Offset, bytes_max: usize) -> Result<Vec<Run>> {
        let state = self.state.borrow();
        let frontiers = state.partitions.frontiers(p);
        let (start, end) = (frontiers.local_start(), frontiers.high_watermark());
        if from < start || from > end {
            return Err(Error::invalid(format!(
                "offset {from} of partition {p} is out of range: it has {start} to {end}"
            )));
        }
        let Some(partition) = state.partitions.get(p) else { return Ok(Vec::new()) };
        if let Some(error) = partition.damage_at(p, from) {
            return Err(error);
        }
        let (mut pieces, mut bytes, mut next) = (Vec::new(), 0, from);
        for frame in partition.frames.from(from) {
            let more = frame.payload_bytes as usize;
            let full = !pieces.is_empty() && bytes + more > bytes_max;
            if frame.last >= below.min(end) || frame.base > next || full {
                break;
            }
            let kept = state.tail.get(frame.position, HEAD_BYTES + more).map(|bytes| bytes.slice(HEAD_BYTES..));
            pieces.push(kept.map_or(Piece::Disk(frame), Piece::Memory));
            bytes += more;
            next = frame.last.plus(1);
        }
        drop(state);
        Ok(self.join(pieces))
    }

    /// Joins neighbours on the disk to one read each.
    fn join(&self, pieces: Vec<Piece>) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for piece in pieces {
            let frame = match piece {
                Piece::Memory(batch) => {
                    runs.push(Run::Memory(batch));
                    continue;
                }
                Piece::Disk(frame) => frame,
            };
            match runs.last_mut() {
                Some(Run::Disk(frames)) if self.are_near(frames, &frame) => frames.push(frame),
                _ => runs.push(Run::Disk(vec![frame])),
            }
        }
        runs
    }

    fn are_near(&self, frames: &[FrameAt], next: &FrameAt) -> bool {
        let (first, last) = (frames[0], frames[frames.len() - 1]);
        let together = block_below(first.position).0 + IO_BYTES_MAX as u64 >= end_of(next).0;
        let segment = self.store.segment(first.position).is_some_and(|segment| segment.holds(next.position));
        together && segment && next.position.0 - end_of(&last).0 <= GAP_BYTES_MAX
    }

    pub async fn fetch_one(&self, p: PartitionId, frame: FrameAt) -> Result<Bytes> {
        let kept = self.state.borrow().tail.get(frame.position, HEAD_BYTES + frame.payload_bytes as usize);
        if let Some(bytes) = kept {
            return Ok(bytes.slice(HEAD_BYTES..));
        }
        match self.fetch(p, Run::Disk(vec![frame])).await {
            (_, Some(error)) => Err(error),
            (batches, None) => Ok(batches.into_iter().next().expect("one was asked for")),
        }
    }

    /// The batches of a run, up to the first that cannot be read, and why.
    async fn fetch(&self, p: PartitionId, run: Run) -> (Vec<Bytes>, Option<Error>) {
        let frames = match run {
            Run::Memory(batch) => return (vec![batch], None),
            Run::Disk(frames) => frames,
        };
        let (start, end) = (frames[0].position, end_of(&frames[frames.len() - 1]));
        let bytes = match self.read_range(start, end).await {
            Ok(bytes) => bytes,
            Err(error) => return (Vec::new(), Some(error)),
        };
        let useful: usize = frames.iter().map(|frame| frame.payload_bytes as usize).sum();
        let Some(generation) = self.store.segment(start).map(|segment| segment.generation) else {
            return (Vec::new(), Some(gone(start)));
        };
        let mut batches = Vec::with_capacity(frames.len());
        for frame in &frames {
            let at = usize::try_from(frame.position.0 - start.0).expect("a run is small");
            let frame_bytes = bytes.slice(at..at + HEAD_BYTES + frame.payload_bytes as usize);
            let Some(batch) = verified(&frame_bytes, p, frame, generation) else {
                tracing::error!(partition = %p, offset = %frame.base, position = %frame.position, "a frame is damaged");
                return (batches, Some(damaged(p, frame.base, frame.last.plus(1))));
            };
            // A slice would keep all that was read, most of it of other partitions, in memory.
            let sparse = useful < bytes.len() / 2;
            batches.push(if sparse { Bytes::copy_from_slice(&batch) } else { batch });
        }
        (batches, None)
    }

    /// The bytes `start..end`, which lie in one segment, and perhaps some behind them.
    pub(crate) async fn read_range(&self, start: Position, end: Position) -> Result<Bytes> {
        let segment = self.store.segment(start).ok_or_else(|| gone(start))?;
        let from = block_below(start);
        let skip = usize::try_from(start.0 - from.0).expect("less than a block");
        let len = usize::try_from(end.0 - from.0).expect("a run is small").next_multiple_of(IO_ALIGN);
        if len <= IO_BYTES_MAX {
            return Ok(self.store.read(&segment, from.0 - segment.base.0, len).await?.slice(skip..));
        }
        let mut bytes = BytesMut::with_capacity(len);
        while bytes.len() < len {
            let at = from.0 - segment.base.0 + bytes.len() as u64;
            let part = self.store.read(&segment, at, IO_BYTES_MAX.min(len - bytes.len())).await?;
            bytes.extend_from_slice(&part);
        }
        Ok(bytes.freeze().slice(skip..))
    }
}

fn gone(position: Position) -> Error {
    Error::missing(format!("the log no longer has position {position}; look up the log start again"))
}

/// The batch of a frame, if the frame is what the index says and its CRCs are right.
fn verified(bytes: &Bytes, p: PartitionId, frame: &FrameAt, generation: u64) -> Option<Bytes> {
    let head = bytes[..HEAD_BYTES].try_into().expect("a slice of that length");
    let head = Head::parse(head, generation, frame.position).ok()?;
    let entry = &head.entry;
    let same = entry.kind == Kind::Batch && entry.partition == p && entry.base == frame.base;
    let batch = bytes.slice(HEAD_BYTES..);
    let crc = crc32c::crc32c(&batch);
    #[cfg(test)]
    let crc = crate::tests::planted::payload_crc(crc, &head);
    let intact = head.payload_bytes == frame.payload_bytes && crc == head.payload_crc;
    (same && intact).then_some(batch)
}

fn block_below(position: Position) -> Position {
    Position(position.0 / IO_ALIGN as u64 * IO_ALIGN as u64)
}

fn end_of(frame: &FrameAt) -> Position {
    Position(frame.position.0 + (HEAD_BYTES as u64) + u64::from(frame.payload_bytes))
}

#[cfg(test)]
mod tests;
