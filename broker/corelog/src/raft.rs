//! What does the log know about a Raft group whose entries it holds?
//!
//! Pure. Entries are held back from their partitions until they are both durable and committed; those that are not
//! purged can be read again, and cut off at the end.

use std::collections::VecDeque;

use bytes::Bytes;
use model::{LogGroup, LogIndex, Offset, PartitionId, Position, Term, Timestamp};

use crate::commit::Retired;
use crate::frame::{Entry, Kind};

const VOTE_BYTES: usize = 16;

/// Which entry of a group is meant; index 0 of term 0 stands before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct EntryId {
    pub term: Term,
    pub index: LogIndex,
}

/// Whom this node has voted for in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vote {
    pub term: Term,
    pub node: u64,
    /// The node was elected with it.
    pub committed: bool,
}

/// Where a batch stands in its partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    pub partition: PartitionId,
    pub base: Offset,
    pub last_delta: i32,
    pub max_timestamp: Timestamp,
}

/// What an entry carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Base offset and leader epoch in the bytes are right only when they come from the disk; the spot always is.
    Batch(Spot, Bytes),
    /// Nothing for a partition: the group's own.
    Own(Bytes),
}

/// An entry of a log group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupEntry {
    pub id: EntryId,
    pub content: Content,
}

/// What is known about a group after a start, and later.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupFacts {
    pub vote: Option<Vote>,
    pub last: EntryId,
    /// The last entry that is gone as an entry.
    pub purged: EntryId,
    /// What was handed over with `purged`.
    pub state: Bytes,
    pub committed: LogIndex,
}

impl Spot {
    pub fn last(&self) -> Offset {
        self.base.plus(i64::from(self.last_delta))
    }

    pub(crate) fn of(entry: &Entry) -> Spot {
        let Entry { partition, base, last_delta, max_timestamp, .. } = *entry;
        Spot { partition, base, last_delta, max_timestamp }
    }
}

impl Vote {
    pub(crate) fn encode(self) -> Bytes {
        let mut bytes = [0; VOTE_BYTES];
        bytes[..8].copy_from_slice(&self.node.to_le_bytes());
        bytes[8] = u8::from(self.committed);
        Bytes::copy_from_slice(&bytes)
    }

    /// `None`: no vote of this version.
    pub(crate) fn parse(term: Term, payload: &[u8]) -> Option<Vote> {
        let bytes: &[u8; VOTE_BYTES] = payload.try_into().ok()?;
        let node = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"));
        Some(Vote { term, node, committed: bytes[8] == 1 })
    }
}

/// An entry that is not purged.
#[derive(Debug)]
pub(crate) struct Slot {
    pub entry: Entry,
    pub sequence: u64,
    /// Where its partition ended without it.
    pub before: Offset,
    /// Where it is durable.
    pub at: Option<Position>,
    pub payload_bytes: u32,
    /// Kept until the entry is listed.
    pub payload: Option<Bytes>,
    /// Its payload is damaged on the disk.
    pub lost: bool,
}

/// A log group.
#[derive(Debug, Default)]
pub(crate) struct RaftGroup {
    /// Raft commits its entries; otherwise they are committed when they are durable.
    pub led: bool,
    pub vote: Option<Vote>,
    /// Where the newest durable vote and purge mark stand.
    pub vote_at: Option<Position>,
    pub purged_at: Option<Position>,
    pub purged: EntryId,
    pub state: Bytes,
    committed: LogIndex,
    /// Entries up to here are known to their partitions.
    listed: LogIndex,
    /// What is purged was only concluded from the first entry that was found.
    assumed: bool,
    slots: VecDeque<Slot>,
}

impl RaftGroup {
    /// Raft commits the entries behind `last`.
    pub fn lead(&mut self, last: EntryId) {
        assert!(!self.led && self.slots.is_empty(), "a group becomes led once");
        self.led = true;
        self.purged = last;
        (self.committed, self.listed) = (last.index, last.index);
    }

    /// True if the group has no entry, and never had one.
    pub fn is_bare(&self) -> bool {
        self.slots.is_empty() && self.purged == EntryId::default()
    }

    /// The last entry that is gone as one, for sure.
    pub fn purged(&self) -> EntryId {
        if self.assumed { EntryId::default() } else { self.purged }
    }

    pub fn is_assumed(&self) -> bool {
        self.assumed && self.listed == self.purged.index
    }

    /// The entries up to `last`, none of which was found, were purged.
    pub fn assume(&mut self, last: EntryId) {
        assert!(self.slots.is_empty(), "what was found is not assumed");
        self.assumed = true;
        self.purged = last;
        (self.committed, self.listed) = (last.index, last.index);
    }

    /// The entries up to `last` were not found.
    pub fn miss(&mut self, last: EntryId) {
        while self.last().index < last.index {
            let index = LogIndex(self.last().index.0 + 1);
            self.slots.push_back(Slot::missing(EntryId { term: last.term, index }));
        }
    }

    pub fn committed(&self) -> LogIndex {
        self.committed
    }

    pub fn last(&self) -> EntryId {
        self.slots.back().map_or(self.purged, |slot| slot.entry.id())
    }

    pub fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter()
    }

    pub fn slots_mut(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.slots.iter_mut()
    }

    /// True if the entry is gone as one, for sure.
    pub fn is_purged(&self, index: LogIndex) -> bool {
        !self.assumed && index.0 > 0 && index <= self.purged.index
    }

    /// A group as a checkpoint has it: led, with entries that are durable.
    pub fn restore(&mut self, purged: EntryId, listed: LogIndex, slots: Vec<Slot>) {
        (self.led, self.purged) = (true, purged);
        self.slots = slots.into();
        let listed = listed.max(purged.index).min(self.last().index);
        (self.listed, self.committed) = (listed, listed);
    }

    pub fn listed(&self) -> LogIndex {
        self.listed
    }

    /// The entries with indexes `from..to`, as far as there are some.
    pub fn range(&self, from: LogIndex, to: LogIndex) -> impl Iterator<Item = &Slot> {
        self.slots.range(self.place_of(from)..self.place_of(to).max(self.place_of(from)))
    }

    /// How many entries stand before this index.
    fn place_of(&self, index: LogIndex) -> usize {
        let first = self.purged.index.0 + 1;
        usize::try_from(index.0.saturating_sub(first)).unwrap_or(usize::MAX).min(self.slots.len())
    }

    pub fn append(&mut self, slot: Slot) {
        let last = self.last();
        assert_eq!(slot.entry.index.0, last.index.0 + 1, "a group's indexes are contiguous");
        self.slots.push_back(slot);
    }

    /// A frame of the group is durable.
    pub fn durable(&mut self, retired: &Retired) {
        let place = self.place_of(retired.entry.index);
        if let Some(slot) = self.slots.get_mut(place).filter(|slot| slot.sequence == retired.sequence) {
            (slot.at, slot.payload_bytes) = (Some(retired.position), retired.payload_bytes);
        }
    }

    /// Raft has committed the entries up to `index`.
    pub fn commit(&mut self, index: LogIndex) {
        self.committed = self.committed.max(index.min(self.last().index));
    }

    /// Calls `list` with the entries that are durable and committed now, in order, once each.
    pub fn take_ready(&mut self, mut list: impl FnMut(&Slot)) {
        let (from, to) = (self.place_of(LogIndex(self.listed.0 + 1)), self.place_of(LogIndex(self.committed.0 + 1)));
        for slot in self.slots.range_mut(from..to) {
            if slot.at.is_none() && !slot.lost {
                return;
            }
            list(slot);
            slot.payload = None;
            self.listed = slot.entry.index;
        }
    }

    /// True if nothing behind `kept` is committed.
    pub fn may_cut(&self, kept: LogIndex) -> bool {
        kept >= self.listed && kept >= self.purged.index
    }

    /// Drops the entries behind `kept`, the last one first.
    pub fn cut(&mut self, kept: LogIndex, mut dropped: impl FnMut(&Slot)) {
        assert!(self.may_cut(kept), "an entry that is committed is never cut: {kept} is below {}", self.listed);
        while self.last().index > kept {
            let slot = self.slots.pop_back().expect("entries that are purged are committed");
            dropped(&slot);
        }
        self.committed = self.committed.min(kept);
    }

    /// Entries up to `id` are no longer needed; they have been listed.
    pub fn purge(&mut self, id: EntryId, state: Bytes) {
        self.state = state;
        if id.index < self.purged.index {
            if self.is_assumed() {
                for index in (id.index.0 + 1..=self.purged.index.0).rev() {
                    self.slots.push_front(Slot::missing(EntryId { term: id.term, index: LogIndex(index) }));
                }
                self.purged = id;
                (self.committed, self.listed, self.assumed) = (id.index, id.index, false);
            }
            return;
        }
        self.assumed = false;
        while self.slots.front().is_some_and(|slot| slot.entry.index <= id.index) {
            self.slots.pop_front();
        }
        self.purged = id;
        self.listed = self.listed.max(id.index);
        self.committed = self.committed.max(id.index);
    }

    /// True if all entries up to `index` that there are have been listed.
    pub fn is_listed(&self, index: LogIndex) -> bool {
        self.listed >= index.min(self.last().index)
    }
}

impl Slot {
    fn missing(id: EntryId) -> Slot {
        let entry = Entry::of_group(Kind::Entry, LogGroup(0), id);
        let before = Offset::ZERO;
        Slot { entry, sequence: 0, before, at: None, payload_bytes: 0, payload: None, lost: true }
    }

    pub fn is_batch(&self) -> bool {
        self.entry.kind == Kind::Batch
    }
}
