//! How do batches come back, from memory or from the disk?

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use futures_util::future::{self, FutureExt, LocalBoxFuture};
use futures_util::{StreamExt, stream};
use model::limits::{COLD_READS_IN_FLIGHT_MAX, IO_ALIGN, IO_BYTES_MAX};
use model::{Error, Offset, PartitionId, Position, Result};
use runtime::Driver;

use crate::cold::{Cold, Followed};
use crate::frame::{HEAD_BYTES, Head, Kind};
use crate::index::FrameAt;
use crate::log::{CoreLog, Shared};
use crate::partitions::damaged;
use crate::share::Share;

/// Reads of one call that are under way at once.
const READS_MAX: usize = 4;
/// Bytes between two frames of a partition that are read with them rather than skipped.
const GAP_BYTES_MAX: u64 = 64 * 1024;

/// A batch of a read.
enum Piece {
    Memory(Bytes),
    /// In a piece of the log that was read before, which begins at this position.
    Kept(Position, Bytes, FrameAt),
    Disk(FrameAt),
}

/// What one disk read, or one look into memory, brings.
enum Run {
    Memory(Bytes),
    Kept(Position, Bytes, Vec<FrameAt>),
    Disk(Vec<FrameAt>),
}

/// A read that is under way, for all who want its bytes.
type Reading = future::Shared<LocalBoxFuture<'static, Result<Bytes>>>;

/// All that is known about reads of old frames.
pub(crate) struct Reads {
    share: Rc<Share>,
    cold: RefCell<Cold>,
    followed: RefCell<Followed>,
    /// By the position of the first byte, with the one behind the last.
    under_way: RefCell<BTreeMap<Position, (Position, Reading)>>,
}

impl Reads {
    pub fn new(bytes_max: usize) -> Reads {
        Reads {
            share: Share::new(COLD_READS_IN_FLIGHT_MAX),
            cold: RefCell::new(Cold::new(bytes_max)),
            followed: RefCell::default(),
            under_way: RefCell::default(),
        }
    }

    pub fn bytes(&self) -> usize {
        self.cold.borrow().bytes()
    }
}

impl<D: Driver> CoreLog<D> {
    /// Whole batches from the one that holds `from`, those that end below `below` and the high watermark: at least one
    /// if there is one, else at most `bytes_max` bytes. Records before `from` in the first batch are the caller's to
    /// skip.
    ///
    /// `Invalid`: `from` lies outside `local_start..=high_watermark`; `Damaged`: the batch with `from` is damaged. Damage
    /// further on ends the list before it.
    pub async fn read(&self, p: PartitionId, from: Offset, below: Offset, bytes_max: usize) -> Result<Vec<Bytes>> {
        let (runs, end) = self.shared.plan_read(p, from, below, bytes_max)?;
        let is_old = runs.iter().any(|run| !matches!(run, Run::Memory(_)));
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
            if self.shared.driver.should_yield() {
                self.shared.driver.yield_now().await;
            }
        }
        if is_old {
            self.shared.read_ahead(p, from, end, below);
        }
        Ok(batches)
    }
}

impl<D: Driver> Shared<D> {
    /// Chooses the batches of a read, takes from memory what is there, and tells the offset behind them.
    fn plan_read(&self, p: PartitionId, from: Offset, below: Offset, bytes_max: usize) -> Result<(Vec<Run>, Offset)> {
        let state = self.state.borrow();
        let frontiers = state.partitions.frontiers(p);
        let (start, end) = (frontiers.local_start(), frontiers.high_watermark());
        if from < start || from > end {
            return Err(Error::invalid(format!(
                "offset {from} of partition {p} is out of range: it has {start} to {end}"
            )));
        }
        let Some(partition) = state.partitions.get(p) else { return Ok((Vec::new(), from)) };
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
            pieces.push(match state.tail.get(frame.position, HEAD_BYTES + more) {
                Some(bytes) => Piece::Memory(bytes.slice(HEAD_BYTES..)),
                None => match self.reads.cold.borrow_mut().get(frame.position, HEAD_BYTES + more) {
                    Some((start, bytes)) => Piece::Kept(start, bytes, frame),
                    None => Piece::Disk(frame),
                },
            });
            bytes += more;
            next = frame.last.plus(1);
        }
        drop(state);
        Ok((self.join(pieces), next))
    }

    /// Joins neighbours on the disk to one read each.
    fn join(&self, pieces: Vec<Piece>) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for piece in pieces {
            match (piece, runs.last_mut()) {
                (Piece::Memory(batch), _) => runs.push(Run::Memory(batch)),
                (Piece::Kept(start, _, frame), Some(Run::Kept(at, _, frames))) if start == *at => frames.push(frame),
                (Piece::Kept(start, bytes, frame), _) => runs.push(Run::Kept(start, bytes, vec![frame])),
                (Piece::Disk(frame), Some(Run::Disk(frames))) if self.are_near(frames, &frame) => frames.push(frame),
                (Piece::Disk(frame), _) => runs.push(Run::Disk(vec![frame])),
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

    pub async fn fetch_one(self: &Rc<Self>, p: PartitionId, frame: FrameAt) -> Result<Bytes> {
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
    async fn fetch(self: &Rc<Self>, p: PartitionId, run: Run) -> (Vec<Bytes>, Option<Error>) {
        let frames = match run {
            Run::Memory(batch) => return (vec![batch], None),
            Run::Kept(start, bytes, frames) => match self.cut(p, start, &bytes, &frames) {
                (batches, None) => return (batches, None),
                // The disk may have it right.
                _ => {
                    self.reads.cold.borrow_mut().forget(start);
                    frames
                }
            },
            Run::Disk(frames) => frames,
        };
        match self.read_run(&frames).await {
            Ok(bytes) => self.cut(p, block_below(frames[0].position), &bytes, &frames),
            Err(error) => (Vec::new(), Some(error)),
        }
    }

    /// Takes the batches out of a piece of the log that begins at `start`.
    fn cut(&self, p: PartitionId, start: Position, bytes: &Bytes, frames: &[FrameAt]) -> (Vec<Bytes>, Option<Error>) {
        let useful: usize = frames.iter().map(|frame| frame.payload_bytes as usize).sum();
        let Some(generation) = self.store.segment(frames[0].position).map(|segment| segment.generation) else {
            return (Vec::new(), Some(gone(frames[0].position)));
        };
        let mut batches = Vec::with_capacity(frames.len());
        for frame in frames {
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

    /// The blocks in which the frames lie, read once for all who want them at the same time, and kept for a while.
    fn read_run(self: &Rc<Self>, frames: &[FrameAt]) -> Reading {
        let (start, end) = (block_below(frames[0].position), end_of(&frames[frames.len() - 1]));
        if let Some((until, reading)) = self.reads.under_way.borrow().get(&start)
            && *until >= end
        {
            return reading.clone();
        }
        let shared = self.clone();
        let reading = async move {
            let read = shared.read_share(start, end).await;
            // A longer read from the same place may have taken this one's.
            shared.reads.under_way.borrow_mut().retain(|at, (until, _)| *at != start || *until != end);
            if let Ok(bytes) = &read {
                shared.reads.cold.borrow_mut().keep(start, bytes.clone());
            }
            read
        };
        let reading = reading.boxed_local().shared();
        self.reads.under_way.borrow_mut().insert(start, (end, reading.clone()));
        // A task of its own: whoever waits may give up, and others wait as well.
        drop(self.driver.spawn("read old frames", reading.clone().map(drop)));
        reading
    }

    /// Reads within the share of old frames.
    async fn read_share(&self, start: Position, end: Position) -> Result<Bytes> {
        let slot = self.reads.share.slot().await;
        let read = self.read_range(start, end).await;
        drop(slot);
        read
    }

    /// Fetches what a reader will want next, if it read on where it had stopped, and nobody else waits for the disk.
    fn read_ahead(self: &Rc<Self>, p: PartitionId, from: Offset, end: Offset, below: Offset) {
        let window = self.reads.followed.borrow_mut().read(p, from, end);
        if window == 0 || !self.reads.share.is_free() {
            return;
        }
        // It may have been deleted meanwhile.
        let Ok((runs, _)) = self.plan_read(p, end, below, window) else { return };
        for run in runs {
            if let Run::Disk(frames) = run {
                drop(self.read_run(&frames));
            }
        }
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
