//! How does Raft write, cut and read the entries of a group in this log?

use std::collections::BTreeMap;

use bytes::Bytes;
use model::{Error, LogGroup, LogIndex, Offset, PartitionId, Position, Result};
use runtime::Driver;
use wire::batch::BatchHeader;

use crate::durable::Durable;
use crate::found::list_ready;
use crate::frame::{Entry, HEAD_BYTES, Head, Kind, frame_bytes};
use crate::log::{CoreLog, Shared, State};
use crate::partitions::Placing;
use crate::raft::{Content, EntryId, GroupEntry, GroupFacts, RaftGroup, Slot, Spot, Vote};

/// What an entry without a batch, or a purge mark, may carry.
const OWN_BYTES_MAX: usize = 1024 * 1024;

/// Called once: when the entries of one call are durable, or when they never will be.
pub type Flushed = Box<dyn FnOnce(Result<()>)>;

/// An entry as it waits for its place.
struct Bound {
    entry: Entry,
    payload: Bytes,
}

impl<D: Driver> CoreLog<D> {
    /// From now on Raft commits the entries of this group. What it has so far is committed.
    pub fn open_group(&self, group: LogGroup) -> GroupFacts {
        let is_new = {
            let mut state = self.shared.state.borrow_mut();
            let last = state.notes.last(group);
            let known = state.notes.groups.entry(group).or_default();
            let is_new = !known.led;
            if is_new {
                known.lead(last);
            }
            is_new
        };
        if is_new {
            self.shared.note_purged(group);
        }
        self.group_facts(group)
    }

    /// A group that never had an entry begins behind `before`; otherwise nothing happens.
    pub fn begin_group(&self, group: LogGroup, before: EntryId) {
        let mut state = self.shared.state.borrow_mut();
        let known = state.notes.groups.entry(group).or_default();
        if known.is_bare() && before.index.0 > 0 {
            known.assume(before);
            state.commit.stands(group, before.index);
        }
    }

    pub fn group_facts(&self, group: LogGroup) -> GroupFacts {
        let state = self.shared.state.borrow();
        let Some(known) = state.notes.groups.get(&group) else { return GroupFacts::default() };
        let (last, committed) = (known.last(), known.committed());
        GroupFacts { vote: known.vote, last, purged: known.purged(), state: known.state.clone(), committed }
    }

    /// Gives a checked batch the next offsets of its partition. It must come back in an entry, in this order.
    ///
    /// `Busy`: too much waits for the disk, see [`CoreLog::room`]; `Storage`: the disk is full; `Fenced`: a write has
    /// failed, or the log is closed; `Invalid`: no batch, or too large.
    pub fn reserve(&self, partition: PartitionId, batch: &Bytes) -> Result<Spot> {
        self.reserve_beside(partition, batch, self.shared.reserve_bytes)
    }

    /// As [`CoreLog::reserve`], for what the node itself has to write down: it may take half of what is kept back.
    pub fn reserve_own(&self, partition: PartitionId, batch: &Bytes) -> Result<Spot> {
        self.reserve_beside(partition, batch, self.shared.reserve_bytes / 2)
    }

    fn reserve_beside(&self, partition: PartitionId, batch: &Bytes, reserve: usize) -> Result<Spot> {
        let header = self.shared.admit(batch, reserve)?;
        let mut state = self.shared.state.borrow_mut();
        let sequence = state.sequence;
        let base = state.partitions.reserve(partition, i64::from(header.last_offset_delta) + 1, sequence);
        state.reserved_bytes += frame_bytes(batch.len());
        Ok(Spot::new(partition, base, &header))
    }

    /// Adds entries to the end of a group, each with the index after the one before; `flushed` is called once, when all
    /// are durable. They can be read at once.
    ///
    /// `Conflict`: an index or an offset is not the next one; `Fenced`: a write has failed, or the log is closed. After
    /// an error `flushed` is not called; entries before one with a wrong offset stay.
    pub fn append_entries(&self, group: LogGroup, entries: Vec<GroupEntry>, flushed: Flushed) -> Result<()> {
        self.shared.writable()?;
        let mut state = self.shared.state.borrow_mut();
        state.check_next(group, &entries)?;
        for GroupEntry { id, content } in entries {
            let Bound { entry, payload } = state.bind(group, id, content)?;
            state.push_entry(entry, payload);
        }
        let sequence = state.sequence.saturating_sub(1);
        state.flushed.push_back((sequence, flushed));
        drop(state);
        self.shared.work.notify();
        Ok(())
    }

    /// The entries with indexes `from..to`, all that there are, in order.
    pub async fn entries(&self, group: LogGroup, from: LogIndex, to: LogIndex) -> Result<Vec<GroupEntry>> {
        enum Piece {
            Here(Content),
            Disk(Entry, Position, u32),
        }
        let pieces: Vec<(EntryId, Piece)> = {
            let state = self.shared.state.borrow();
            let Some(known) = state.notes.groups.get(&group) else { return Ok(Vec::new()) };
            let piece = |slot: &Slot| {
                let id = slot.entry.id();
                let content = |payload: &Bytes| content_of(&slot.entry, payload.clone());
                match (&slot.payload, slot.at) {
                    (Some(payload), _) => Ok((id, Piece::Here(content(payload)))),
                    (None, Some(at)) if !slot.lost => Ok((id, Piece::Disk(slot.entry, at, slot.payload_bytes))),
                    (None, _) => Err(damaged(&slot.entry)),
                }
            };
            known.range(from, to).map(piece).collect::<Result<_>>()?
        };
        let mut entries = Vec::with_capacity(pieces.len());
        for (id, piece) in pieces {
            let content = match piece {
                Piece::Here(content) => content,
                Piece::Disk(entry, at, bytes) => self.shared.read_entry(&entry, at, bytes).await?,
            };
            entries.push(GroupEntry { id, content });
        }
        Ok(entries)
    }

    /// The id of one entry that is not purged.
    pub fn entry_id(&self, group: LogGroup, index: LogIndex) -> Option<EntryId> {
        let state = self.shared.state.borrow();
        let slot = state.notes.groups.get(&group)?.range(index, LogIndex(index.0 + 1)).next()?;
        Some(slot.entry.id())
    }

    /// Raft has committed the group's entries up to `index`: those that are durable are shown to consumers now, the
    /// others when they are.
    pub fn commit_group(&self, group: LogGroup, index: LogIndex) {
        let advanced = self.shared.state.borrow_mut().commit_group(group, index);
        self.shared.tell(advanced);
    }

    /// Cuts off the entries behind `kept`; offsets that their batches had are given out again. `Conflict`: some of them
    /// are committed.
    pub fn truncate_group(&self, group: LogGroup, kept: EntryId) -> Result<Durable> {
        self.shared.writable()?;
        let mut state = self.shared.state.borrow_mut();
        let State { partitions, notes, .. } = &mut *state;
        let known = notes.led(group)?;
        if !known.may_cut(kept.index) {
            return Err(Error::conflict(format!(
                "entries of log group {group} behind {} are committed and cannot be cut off",
                kept.index
            )));
        }
        known.cut(kept.index, |slot| {
            if slot.is_batch() {
                partitions.cut(slot);
            }
        });
        let at = notes.ends.get(&group).map_or(Position(0), |(_, at)| *at);
        notes.end_at(group, kept, at);
        drop(state);
        self.shared.note(Entry::of_group(Kind::Truncated, group, kept), Bytes::new());
        Ok(self.flushed())
    }

    /// The group's entries up to `id` are committed and nobody reads them as entries any more; `handed` is given back
    /// after a start. `Conflict`: some of them are not durable yet.
    pub fn purge_group(&self, group: LogGroup, id: EntryId, handed: Bytes) -> Result<Durable> {
        self.shared.writable()?;
        check_own(&handed)?;
        let mut state = self.shared.state.borrow_mut();
        let advanced = state.commit_group(group, id.index);
        let known = state.notes.led(group)?;
        if !known.is_listed(id.index) {
            return Err(Error::conflict(format!(
                "entries of log group {group} up to {} are not durable yet; purge them later",
                id.index
            )));
        }
        known.purge(id, handed);
        if id.index > state.notes.last(group).index {
            state.notes.end_at(group, id, Position(0));
        }
        state.reclaim_due = true;
        drop(state);
        self.shared.tell(advanced);
        self.shared.note_purged(group);
        Ok(self.flushed())
    }

    /// Keeps the group's vote. `Conflict`: it has voted in a later term.
    pub fn save_vote(&self, group: LogGroup, vote: Vote) -> Result<Durable> {
        self.shared.writable()?;
        {
            let mut state = self.shared.state.borrow_mut();
            let known = state.notes.led(group)?;
            if let Some(voted) = known.vote.filter(|voted| voted.term > vote.term) {
                return Err(Error::conflict(format!(
                    "log group {group} has voted in term {}, term {} is over",
                    voted.term, vote.term
                )));
            }
            known.vote = Some(vote);
        }
        self.shared.note_vote(group);
        Ok(self.flushed())
    }
}

impl Spot {
    pub fn new(partition: PartitionId, base: Offset, header: &BatchHeader) -> Spot {
        let max_timestamp = model::Timestamp(header.max_timestamp);
        Spot { partition, base, last_delta: header.last_offset_delta, max_timestamp }
    }
}

impl State {
    /// `Err`: the entries do not follow the group's last one without a gap.
    fn check_next(&mut self, group: LogGroup, entries: &[GroupEntry]) -> Result<()> {
        let mut last = self.notes.led(group)?.last();
        for GroupEntry { id, content } in entries {
            if id.index.0 != last.index.0 + 1 || id.term < last.term {
                return Err(Error::conflict(format!(
                    "entry {} of term {} does not follow entry {} of term {} in log group {group}; send what is missing \
                     first",
                    id.index, id.term, last.index, last.term
                )));
            }
            if let Content::Own(bytes) = content {
                check_own(bytes)?;
            }
            last = *id;
        }
        Ok(())
    }

    /// Gives an entry its frame's fields.
    fn bind(&mut self, group: LogGroup, id: EntryId, content: Content) -> Result<Bound> {
        let (spot, batch) = match content {
            Content::Batch(spot, batch) => (spot, batch),
            Content::Own(payload) => return Ok(Bound { entry: Entry::of_group(Kind::Entry, group, id), payload }),
        };
        let placing = self.partitions.place(&spot, self.sequence)?;
        if placing != Placing::Fresh {
            self.reserved_bytes = self.reserved_bytes.saturating_sub(frame_bytes(batch.len()));
        }
        if placing == Placing::Forgotten {
            // The entry has its index, whatever became of the partition.
            return Ok(Bound { entry: Entry::of_group(Kind::Entry, group, id), payload: Bytes::new() });
        }
        self.stats.appended_batches += 1;
        self.stats.appended_bytes += batch.len() as u64;
        Ok(Bound { entry: Entry::spotted(group, id, &spot), payload: batch })
    }

    fn push_entry(&mut self, entry: Entry, payload: Bytes) {
        let (sequence, kept) = (self.sequence, Some(payload.clone()));
        let before = entry.base;
        let slot = Slot { entry, sequence, before, at: None, payload_bytes: 0, payload: kept, lost: false };
        self.notes.groups.get_mut(&entry.group).expect("checked before").append(slot);
        let id = entry.id();
        let at = self.notes.ends.get(&entry.group).map_or(Position(0), |(_, at)| *at);
        self.notes.end_at(entry.group, id, at);
        self.push(entry, payload);
    }

    fn commit_group(&mut self, group: LogGroup, index: LogIndex) -> BTreeMap<PartitionId, Offset> {
        let Some(known) = self.notes.groups.get_mut(&group) else { return BTreeMap::new() };
        known.commit(index);
        list_ready(known, &mut self.partitions).into_iter().collect()
    }

    /// Entries of these groups are durable. Adds the partitions whose high watermark moved.
    pub fn list_groups(&mut self, groups: &[LogGroup], advanced: &mut BTreeMap<PartitionId, Offset>) {
        for group in groups {
            let known: Option<&mut RaftGroup> = self.notes.groups.get_mut(group);
            advanced.extend(known.into_iter().flat_map(|known| list_ready(known, &mut self.partitions)));
        }
    }
}

impl<D: Driver> Shared<D> {
    /// An entry from the disk, checked.
    async fn read_entry(&self, entry: &Entry, at: Position, payload_bytes: u32) -> Result<Content> {
        let len = HEAD_BYTES + payload_bytes as usize;
        let kept = self.state.borrow().tail.get(at, len);
        let bytes = match kept {
            Some(bytes) => bytes,
            None => self.read_range(at, Position(at.0 + len as u64)).await?.slice(..len),
        };
        let generation = self.store.segment(at).map_or(0, |segment| segment.generation);
        let head = bytes[..HEAD_BYTES].try_into().expect("a slice of that length");
        let payload = bytes.slice(HEAD_BYTES..);
        match Head::parse(head, generation, at) {
            Ok(head) if head.entry == *entry && head.payload_crc == crc32c::crc32c(&payload) => {
                Ok(content_of(entry, payload))
            }
            _ => Err(damaged(entry)),
        }
    }
}

fn content_of(entry: &Entry, payload: Bytes) -> Content {
    match entry.kind {
        Kind::Batch => Content::Batch(Spot::of(entry), payload),
        _ => Content::Own(payload),
    }
}

fn check_own(bytes: &Bytes) -> Result<()> {
    match bytes.len() <= OWN_BYTES_MAX {
        true => Ok(()),
        false => Err(Error::invalid(format!(
            "an entry without a batch has {} bytes, the log takes {OWN_BYTES_MAX}",
            bytes.len()
        ))),
    }
}

fn damaged(entry: &Entry) -> Error {
    Error::damaged(format!(
        "entry {} of log group {} is damaged on disk; restore the log from a copy",
        entry.index, entry.group
    ))
}
