//! How is a checkpoint written while the log goes on?
//!
//! Partitions are encoded a few at a time, with a pause for others in between, and written in pieces: nothing waits for
//! a checkpoint, and it takes up little memory. It gets its name only when all that it reflects is durable in the log.

use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use model::limits::{CHECKPOINT_SLICE_BYTES, CHECKPOINTS_KEPT, IO_BYTES_MAX};
use model::{Error, PartitionId, Position, Result};
use runtime::Driver;

use crate::checkpoint::contents::{Base, Known, encode_notes};
use crate::checkpoint::files::{Name, UNFINISHED, index_path};
use crate::checkpoint::pages;
use crate::checkpoint::parts::{Part, Parts};
use crate::log::Shared;
use crate::segment::Segment;
use crate::spares::remove_if_there;

/// A log must have grown by this many times the size of a checkpoint before the next one: with very many partitions
/// they would be most of what is written.
const LOG_PER_CHECKPOINT: u64 = 8;

/// The checkpoints and indexes that there are.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// The newest first.
    pub kept: Vec<Name>,
    /// Where the tail behind the newest one begins, and how large that is.
    pub position: Position,
    pub bytes: u64,
    /// Segments that end at or below this position have their index, or need none.
    pub indexed: Position,
    /// The ids of the indexes, by the number of the segment.
    pub indexes: BTreeMap<u64, u64>,
    /// Where the last attempt began that failed.
    pub tried: Position,
}

impl Marks {
    /// True if a log whose groups are durable up to `end` has grown enough for the next one.
    pub fn due(&self, end: Position, every_bytes: u64) -> bool {
        let since = self.position.max(self.tried);
        end.0.saturating_sub(since.0) >= every_bytes.max(LOG_PER_CHECKPOINT * self.bytes)
    }
}

impl<D: Driver> Shared<D> {
    /// Writes a checkpoint of the log as it is. `clean`: nothing will be written to the log any more.
    pub async fn checkpoint(self: &Rc<Self>, clean: bool) -> Result<()> {
        let complete = self.state.borrow().commit.complete();
        let written = self.write_checkpoint(clean).await;
        if written.is_err() {
            self.marks.borrow_mut().tried = complete.map_or(Position(0), |(position, ..)| position);
        }
        written
    }

    async fn write_checkpoint(&self, clean: bool) -> Result<()> {
        self.index_segments().await?;
        let dir = self.store.dir();
        let unfinished = dir.join(UNFINISHED);
        self.remove_if_there(&unfinished).await?;
        // Base and notes are of one moment.
        let Some(base) = self.base() else { return Ok(()) };
        let mut parts = Parts::new(self.file_id());
        let mut pieces = Pieces { shared: self, path: &unfinished, bytes: 0 };
        let (position, indexed) = (base.position, base.indexed);
        parts.push(Part::Base, |bytes| base.encode(bytes));
        parts.push(Part::Notes, |bytes| encode_notes(&self.state.borrow().notes, &self.damage, position, bytes));
        let ids: Vec<PartitionId> = self.state.borrow().partitions.iter().map(|(id, _)| id).collect();
        let mut ids = ids.into_iter().peekable();
        while ids.peek().is_some() {
            parts.push(Part::Partitions, |bytes| self.encode_some(&mut ids, indexed, bytes));
            pieces.put(&mut parts, IO_BYTES_MAX).await?;
            self.driver.yield_now().await;
        }
        parts.push(Part::End, |_| {});
        pieces.put(&mut parts, 0).await?;
        let bytes = pieces.bytes;
        // What it reflects of frames, starts and deletions must not be forgotten by a crash.
        let reflected = self.state.borrow().sequence.saturating_sub(1);
        self.acks.wait(reflected).await?;
        let number = self.marks.borrow().kept.first().map_or(1, |name| name.number + 1);
        let name = Name { number, clean };
        self.driver.rename(&unfinished, &name.path(dir)).await.map_err(unwritten)?;
        {
            let mut marks = self.marks.borrow_mut();
            marks.kept.insert(0, name);
            (marks.position, marks.bytes) = (position, bytes);
        }
        tracing::debug!(number, %position, bytes, clean, "a checkpoint of the log is written");
        self.remove_old().await
    }

    /// The log as a whole, at this moment; `None` before its first frame is durable.
    fn base(&self) -> Option<Base> {
        let (state, marks) = (self.state.borrow(), self.marks.borrow());
        let (position, last, session) = state.commit.complete()?;
        let known = self.store.segments().into_iter().map(|segment| Known {
            segment,
            before: state.notes.before(&segment),
            index: marks.indexes.get(&segment.number).copied().unwrap_or(0),
        });
        let segments: Vec<Known> = known.collect();
        let shard = segments.first()?.segment.shard;
        Some(Base { shard, closed: state.closed, position, last, session, indexed: marks.indexed, segments })
    }

    /// A slice of the partitions, as they are at this moment.
    fn encode_some(&self, ids: &mut impl Iterator<Item = PartitionId>, indexed: Position, bytes: &mut Vec<u8>) {
        let (start, state) = (bytes.len(), self.state.borrow());
        let at = state.commit.complete().map_or(Position(0), |(position, ..)| position);
        bytes.extend_from_slice(&at.0.to_le_bytes());
        let mut owned = Vec::new();
        while bytes.len() - start < CHECKPOINT_SLICE_BYTES {
            let Some(id) = ids.next() else { return };
            // Forgotten meanwhile.
            let Some(partition) = state.partitions.get(id) else { continue };
            owned.clear();
            if let Some(owner) = &self.owner {
                owner.save(id, &mut owned);
            }
            pages::encode(id, partition, indexed, &owned, bytes);
        }
    }

    /// Writes the indexes of segments that are full, in their order.
    async fn index_segments(&self) -> Result<()> {
        loop {
            let (indexed, durable) = (self.marks.borrow().indexed, self.state.borrow().commit.durable());
            let next = self.store.segments().into_iter().find(|segment| segment.end() > indexed);
            // The active one is full when the log goes on behind it.
            let Some(segment) = next.filter(|segment| segment.end() < durable) else { return Ok(()) };
            let id = self.index_segment(&segment).await?;
            let mut marks = self.marks.borrow_mut();
            marks.indexed = segment.end();
            if let Some(id) = id {
                marks.indexes.insert(segment.number, id);
            }
        }
    }

    /// Lists the full chunks that end in a segment; returns the id of the file, `None` if there is nothing to list.
    async fn index_segment(&self, segment: &Segment) -> Result<Option<u64>> {
        let path = index_path(self.store.dir(), segment.number);
        self.remove_if_there(&path).await?;
        let mut parts = Parts::new(self.file_id());
        let id = parts.id();
        parts.push(Part::Index, |bytes| {
            bytes.extend_from_slice(&segment.number.to_le_bytes());
            bytes.extend_from_slice(&segment.generation.to_le_bytes());
        });
        let mut pieces = Pieces { shared: self, path: &path, bytes: 0 };
        let ids: Vec<PartitionId> = self.state.borrow().partitions.iter().map(|(id, _)| id).collect();
        let (mut ids, mut chunks) = (ids.into_iter().peekable(), 0);
        while ids.peek().is_some() {
            parts.push(Part::Chunks, |bytes| chunks += self.encode_chunks(&mut ids, segment, bytes));
            pieces.put(&mut parts, IO_BYTES_MAX).await?;
            self.driver.yield_now().await;
        }
        if chunks == 0 {
            self.remove_if_there(&path).await?;
            return Ok(None);
        }
        parts.push(Part::End, |_| {});
        pieces.put(&mut parts, 0).await?;
        Ok(Some(id))
    }

    fn encode_chunks(&self, ids: &mut impl Iterator<Item = PartitionId>, of: &Segment, bytes: &mut Vec<u8>) -> usize {
        /// A look at as many partitions takes about as long as the encoding of a slice.
        const PARTITIONS_MAX: usize = 4_000;
        let (start, state, mut chunks) = (bytes.len(), self.state.borrow(), 0);
        for id in ids.take(PARTITIONS_MAX) {
            let Some(partition) = state.partitions.get(id) else { continue };
            for chunk in partition.frames.full_within(of.base, of.end()) {
                bytes.extend_from_slice(&id.0.to_le_bytes());
                chunk.encode(bytes);
                chunks += 1;
            }
            if bytes.len() - start >= CHECKPOINT_SLICE_BYTES {
                break;
            }
        }
        chunks
    }

    /// Checkpoints beyond the newest few go, and indexes of segments that are gone.
    async fn remove_old(&self) -> Result<()> {
        let old: Vec<Name> = self.marks.borrow().kept.iter().skip(CHECKPOINTS_KEPT).copied().collect();
        for name in old {
            self.remove_if_there(&name.path(self.store.dir())).await?;
            self.marks.borrow_mut().kept.retain(|kept| *kept != name);
        }
        let there: Vec<u64> = self.store.segments().iter().map(|segment| segment.number).collect();
        let gone: Vec<u64> =
            self.marks.borrow().indexes.keys().filter(|number| !there.contains(number)).copied().collect();
        for number in gone {
            self.remove_if_there(&index_path(self.store.dir(), number)).await?;
            self.marks.borrow_mut().indexes.remove(&number);
        }
        Ok(())
    }

    async fn remove_if_there(&self, path: &std::path::Path) -> Result<()> {
        remove_if_there(&self.driver, path).await.map_err(unwritten)
    }

    fn file_id(&self) -> u64 {
        self.driver.random().max(1)
    }
}

/// A file that is written a piece at a time.
struct Pieces<'a, D: Driver> {
    shared: &'a Shared<D>,
    path: &'a std::path::Path,
    bytes: u64,
}

impl<D: Driver> Pieces<'_, D> {
    /// Writes what was put together, once it has `least` bytes.
    async fn put(&mut self, parts: &mut Parts, least: usize) -> Result<()> {
        if parts.len() < least {
            return Ok(());
        }
        let piece = parts.take();
        self.bytes += piece.len() as u64;
        self.shared.driver.append_file(self.path, piece).await.map_err(unwritten)
    }
}

fn unwritten(error: io::Error) -> Error {
    Error::storage(format!(
        "a checkpoint could not be written: {error}; free some space, the next start reads more meanwhile"
    ))
}
