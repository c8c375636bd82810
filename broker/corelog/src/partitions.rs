//! What does a shard know about each of its partitions?

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::mem::size_of;
use std::ops::Range;

use model::{Error, Frontiers, Offset, PartitionId, Position, Result};

use crate::frame::Entry;
use crate::index::{FrameAt, Frames};
use crate::raft::{Slot, Spot};

/// One partition of the log.
#[derive(Debug)]
pub(crate) struct Partition {
    pub frontiers: Frontiers,
    pub frames: Frames,
    /// Offsets whose frames are damaged.
    pub lost: Vec<Range<Offset>>,
    /// Its newest LogStart note.
    pub start_note: Option<Position>,
    /// Batches below have their frame in the log, or in its buffer.
    placed: Offset,
    /// Frames with a smaller sequence belong to a partition of this id that was forgotten.
    since: u64,
}

impl Partition {
    fn new(since: u64) -> Partition {
        Partition {
            frontiers: Frontiers::recovered(Offset::ZERO, Offset::ZERO),
            frames: Frames::default(),
            lost: Vec::new(),
            start_note: None,
            placed: Offset::ZERO,
            since,
        }
    }

    /// A partition of an earlier process, without its frames.
    pub fn saved(frontiers: Frontiers, start_note: Option<Position>, lost: Vec<Range<Offset>>) -> Partition {
        Partition { frontiers, start_note, lost, placed: frontiers.log_end(), ..Partition::new(0) }
    }

    /// A committed batch, already appended.
    fn list(&mut self, entry: &Entry, position: Position, payload_bytes: u32) {
        let (base, last, max_timestamp) = (entry.base, entry.last(), entry.max_timestamp);
        // A checkpoint may have listed it before.
        let is_listed = self.frames.end().is_some_and(|end| base < end);
        if is_listed || last < self.frontiers.local_start() {
            return;
        }
        self.frames.push(FrameAt { base, last, position, payload_bytes, max_timestamp });
        self.committed(last.plus(1));
    }

    /// A log start that was found further on may have said so before.
    fn committed(&mut self, end: Offset) {
        self.frontiers.committed(end.max(self.frontiers.high_watermark()));
    }

    pub fn trim(&mut self, start: Offset) {
        self.frontiers.trimmed(start);
        self.frames.drop_below(start);
        self.lost.retain(|lost| lost.end > start);
    }

    /// Drops the frames of records below `start`, which the archive keeps.
    pub fn drop_locally(&mut self, start: Offset) {
        self.frontiers.dropped_locally(start);
        self.frames.drop_below(start);
        self.lost.retain(|lost| lost.end > start);
    }

    /// The error for reading at `offset`, if that is lost.
    pub fn damage_at(&self, partition: PartitionId, offset: Offset) -> Option<Error> {
        let lost = self.lost.iter().find(|lost| lost.contains(&offset))?;
        Some(damaged(partition, lost.start, lost.end))
    }

    fn memory_bytes(&self) -> usize {
        let lost = self.lost.capacity() * size_of::<Range<Offset>>();
        // The map keeps key, value and a control byte per slot, and up to half of the slots free.
        let slot = size_of::<(PartitionId, Partition)>() + 1;
        2 * slot + lost + self.frames.memory_bytes() - size_of::<Frames>()
    }
}

/// The error for offsets `start..end` of a partition.
pub(crate) fn damaged(partition: PartitionId, start: Offset, end: Offset) -> Error {
    Error::damaged(format!(
        "the log's frames with offsets {start} to {} of partition {partition} are damaged on disk; restore them from a \
         copy, or delete records below offset {end} to go on behind them",
        end.0 - 1
    ))
}

/// What became of a batch that joins the log's buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placing {
    /// It had its offsets already.
    Reserved,
    Fresh,
    /// Its partition is gone.
    Forgotten,
}

/// All partitions of a shard.
#[derive(Debug, Default)]
pub(crate) struct Partitions {
    /// With a fixed order, whatever it is: the same log always does the same.
    map: HashMap<PartitionId, Partition, BuildHasherDefault<DefaultHasher>>,
}

impl Partitions {
    pub fn get(&self, partition: PartitionId) -> Option<&Partition> {
        self.map.get(&partition)
    }

    pub fn get_mut(&mut self, partition: PartitionId) -> Option<&mut Partition> {
        self.map.get_mut(&partition)
    }

    pub fn iter(&self) -> impl Iterator<Item = (PartitionId, &Partition)> {
        self.map.iter().map(|(id, partition)| (*id, partition))
    }

    pub fn frontiers(&self, partition: PartitionId) -> Frontiers {
        let empty = Frontiers::recovered(Offset::ZERO, Offset::ZERO);
        self.get(partition).map_or(empty, |partition| partition.frontiers)
    }

    /// Gives the next offsets of a partition to `count` records; returns the first.
    pub fn reserve(&mut self, partition: PartitionId, count: i64, sequence: u64) -> Offset {
        let partition = self.map.entry(partition).or_insert_with(|| Partition::new(sequence));
        let base = partition.frontiers.log_end();
        partition.frontiers.appended(base.plus(count));
        base
    }

    /// The frame of a batch joins the log's buffer. `Err`: it is not the partition's next.
    pub fn place(&mut self, spot: &Spot, sequence: u64) -> Result<Placing> {
        let Spot { partition: id, base, .. } = *spot;
        if base > Offset::ZERO && !self.map.contains_key(&id) {
            return Ok(Placing::Forgotten);
        }
        let partition = self.map.entry(id).or_insert_with(|| Partition::new(sequence));
        if base != partition.placed {
            let next = partition.placed;
            return Err(Error::conflict(format!(
                "a batch of partition {id} begins at offset {base}, the next one is {next}; send what is missing first"
            )));
        }
        partition.placed = spot.last().plus(1);
        if partition.placed <= partition.frontiers.log_end() {
            return Ok(Placing::Reserved);
        }
        partition.frontiers.appended(partition.placed);
        Ok(Placing::Fresh)
    }

    /// A batch is durable and committed; `position` is `None` if its payload is damaged. Returns the new high
    /// watermark, `None` if the partition was forgotten meanwhile.
    pub fn list(&mut self, sequence: u64, entry: &Entry, at: Option<Position>, bytes: u32) -> Option<Offset> {
        let partition = self.map.get_mut(&entry.partition).filter(|partition| partition.since <= sequence)?;
        match at {
            Some(position) => partition.list(entry, position, bytes),
            None => partition.committed(entry.last().plus(1)),
        }
        Some(partition.frontiers.high_watermark())
    }

    /// A batch that was not committed is cut off, and all behind it.
    pub fn cut(&mut self, slot: &Slot) {
        let partition = self.map.get_mut(&slot.entry.partition);
        if let Some(partition) = partition.filter(|partition| partition.since <= slot.sequence) {
            let end = slot.before.max(partition.frontiers.high_watermark());
            partition.frontiers.cut(end);
            partition.placed = end;
            let start = partition.frontiers.local_start();
            partition.lost.iter_mut().for_each(|lost| lost.end = lost.end.min(end));
            partition.lost.retain(|lost| lost.start.max(start) < lost.end);
        }
    }

    /// A LogStart note is durable.
    pub fn start_noted(&mut self, sequence: u64, entry: &Entry, at: Position) {
        if let Some(partition) = self.map.get_mut(&entry.partition).filter(|partition| partition.since <= sequence) {
            partition.start_note = Some(at);
        }
    }

    /// A partition of which nothing is here yet; false if there is one already.
    pub fn begin(&mut self, id: PartitionId, sequence: u64, log_start: Offset, start: Offset) -> bool {
        if self.map.contains_key(&id) {
            return false;
        }
        let mut partition = Partition::new(sequence);
        partition.frontiers = Frontiers::recovered(log_start, start);
        partition.frontiers.dropped_locally(start);
        partition.placed = start;
        self.map.insert(id, partition);
        true
    }

    pub fn forget(&mut self, partition: PartitionId) -> bool {
        self.map.remove(&partition).is_some()
    }

    /// A partition that was saved; false if there is one already.
    pub fn restore(&mut self, id: PartitionId, partition: Partition) -> bool {
        self.map.insert(id, partition).is_none()
    }

    /// What lies in `from..to` is gone. Returns what was still wanted of it: partition, first and last offset.
    pub fn lose(&mut self, from: Position, to: Position) -> Vec<(PartitionId, Offset, Offset)> {
        let mut lost = Vec::new();
        for (id, partition) in &mut self.map {
            let Some((first, last)) = partition.frames.offsets_within(from, to) else { continue };
            let first = first.max(partition.frontiers.local_start());
            if first <= last {
                partition.lost.push(first..last.plus(1));
                lost.push((*id, first, last));
            }
        }
        lost
    }

    /// A batch was found in the log. What is missing before it is lost, and so is the batch itself if its payload is
    /// damaged. Returns where the partition ended without it. `Err`: its offsets were seen before.
    pub fn found(&mut self, sequence: u64, entry: &Entry, damaged: bool) -> Result<Offset> {
        let partition = self.map.entry(entry.partition).or_insert_with(|| Partition::new(sequence));
        let end = partition.frontiers.log_end();
        if entry.base < end {
            return Err(Error::damaged(format!(
                "the log holds offset {} of partition {} twice, at the second time after offset {}; restore the log from \
                 a copy",
                entry.base,
                entry.partition,
                end.0 - 1
            )));
        }
        if entry.base > end {
            partition.lost.push(end..entry.base);
        }
        partition.placed = entry.last().plus(1);
        if damaged {
            partition.lost.push(entry.base..partition.placed);
        }
        partition.frontiers.appended(partition.placed);
        Ok(end)
    }

    /// A LogStart note was found in the log: frames below its base are dead, consumers may read from `start` on.
    pub fn found_start(&mut self, sequence: u64, entry: &Entry, start: Offset, at: Position) {
        let partition = self.map.entry(entry.partition).or_insert_with(|| Partition::new(sequence));
        if entry.base > partition.frontiers.log_end() {
            partition.frontiers.appended(entry.base);
            partition.placed = entry.base;
        }
        partition.committed(entry.base);
        let start = start.min(entry.base);
        if start > partition.frontiers.log_start() {
            partition.trim(start);
        }
        if entry.base > partition.frontiers.local_start() {
            partition.drop_locally(entry.base);
        }
        partition.start_note = Some(at);
    }

    pub fn memory_bytes(&self) -> usize {
        self.map.values().map(Partition::memory_bytes).sum()
    }
}

#[cfg(test)]
mod tests;
