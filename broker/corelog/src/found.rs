//! What does the log take over from the frames that recovery finds?

use std::collections::HashMap;

use model::{Error, LogGroup, LogIndex, Offset, PartitionId, Position, Result};
use wire::batch::BatchHeader;

use crate::checkpoint::Owner;
use crate::frame::{Entry, GroupEnd, Head, Kind, parse_start};
use crate::notes::Notes;
use crate::partitions::Partitions;
use crate::raft::{EntryId, RaftGroup, Slot, Vote};
use crate::recovery::Found;
use crate::segment::Segment;

/// Entries that may be missing between two of a group, before it is taken to begin anew.
const MISSING_MAX: u64 = 1 << 20;

/// What is known of the log so far.
#[derive(Debug, Default)]
pub(crate) struct Takeover {
    pub partitions: Partitions,
    pub notes: Notes,
    /// The sequence of the next frame: those that were found count as well.
    pub sequence: u64,
    /// Partitions that a checkpoint knew up to here.
    covered: HashMap<PartitionId, Position>,
}

impl Takeover {
    /// Behind what a checkpoint says: `covered` are partitions of which it knows more than the frames before it.
    pub fn behind(partitions: Partitions, notes: Notes, covered: HashMap<PartitionId, Position>) -> Result<Takeover> {
        let mut takeover = Takeover { partitions, notes, sequence: 0, covered };
        for (id, group) in &mut takeover.notes.groups {
            for slot in group.slots_mut() {
                slot.sequence = takeover.sequence;
                takeover.sequence += 1;
                let end = takeover.partitions.frontiers(slot.entry.partition).high_watermark();
                let is_there = takeover.partitions.get(slot.entry.partition).is_some();
                if slot.is_batch() && is_there && slot.entry.base >= end {
                    slot.before = takeover.partitions.found(slot.sequence, &slot.entry, slot.lost)?;
                }
            }
            let (last, at) = (group.last(), takeover.notes.ends.get(id).map_or(Position(0), |(_, at)| *at));
            let end = GroupEnd { group: *id, term: last.term, index: last.index };
            takeover.notes.ends.insert(*id, (end, at));
        }
        Ok(takeover)
    }

    /// The next frame of the log. The owner sees the batches.
    pub fn take(&mut self, found: &Found<'_>, segments: &[Segment], owner: &dyn Owner) -> Result<()> {
        let (Found::Live(head, _) | Found::Lost(head)) = *found;
        self.notes.found(head, segments);
        match found {
            Found::Lost(head) => self.entry(head, true),
            Found::Live(head, payload) if head.entry.kind.is_entry() => {
                self.entry(head, false)?;
                if head.entry.kind == Kind::Batch {
                    let header = BatchHeader::parse(payload).map_err(|error| {
                        Error::damaged(format!("the log's frame at {} holds no batch: {error}", head.place.position))
                    })?;
                    owner.seen(head.entry.partition, &header);
                }
                Ok(())
            }
            Found::Live(head, payload) => self.note(head, payload),
        }
    }

    /// All frames have been taken. Whether Raft leads a group may stand far behind its first frame here, so what no
    /// frame said to be led was not. What a led group had behind its last frame here is not there any more.
    pub fn finish(&mut self) {
        let ids: Vec<LogGroup> = self.notes.groups.keys().copied().collect();
        for id in ids {
            let last = self.notes.last(id);
            let Some(group) = self.notes.groups.get_mut(&id) else { continue };
            if !group.led {
                group.commit(last.index);
                list_ready(group, &mut self.partitions);
                self.notes.groups.remove(&id);
            } else if last.index > group.last().index {
                give_up(group, &mut self.partitions, last);
            }
        }
    }

    fn entry(&mut self, head: &Head, lost: bool) -> Result<()> {
        let (entry, at) = (head.entry, head.place.position);
        let (sequence, payload_bytes) = (self.next_sequence(), head.payload_bytes);
        let id = entry.id();
        let group = self.notes.groups.entry(entry.group).or_default();
        // A checkpoint may be ahead of the frames behind it.
        let is_purged = group.is_purged(entry.index);
        if !is_purged {
            make_fit(group, &mut self.partitions, id)?;
        }
        let mut before = Offset::ZERO;
        let is_covered = covers(&self.covered, entry.partition, at);
        let is_listed = is_covered && entry.base < self.partitions.frontiers(entry.partition).high_watermark();
        if entry.kind == Kind::Batch && !is_listed {
            before = self.partitions.found(sequence, &entry, lost)?;
        }
        if is_purged {
            if entry.kind == Kind::Batch && !is_listed {
                self.partitions.list(sequence, &entry, (!lost).then_some(at), payload_bytes);
            }
            return Ok(());
        }
        group.append(Slot { entry, sequence, before, at: Some(at), payload_bytes, payload: None, lost });
        self.notes.end_at(entry.group, id, at);
        Ok(())
    }

    fn note(&mut self, head: &Head, payload: &[u8]) -> Result<()> {
        let (entry, at) = (&head.entry, head.place.position);
        let sequence = self.next_sequence();
        let is_covered = covers(&self.covered, entry.partition, at);
        match entry.kind {
            Kind::Forgotten | Kind::LogStart if is_covered => {}
            Kind::Forgotten => drop(self.partitions.forget(entry.partition)),
            Kind::LogStart => {
                let start = parse_start(payload, entry.base);
                self.partitions.found_start(sequence, entry, start, at);
            }
            Kind::Vote => {
                let group = self.notes.groups.entry(entry.group).or_default();
                group.led = true;
                if let Some(vote) = Vote::parse(entry.term, payload) {
                    (group.vote, group.vote_at) = (Some(vote), Some(at));
                }
            }
            Kind::Purged => self.purged(head, payload),
            Kind::Truncated => self.truncated(head)?,
            _ => {}
        }
        self.notes.found_note(head, payload);
        Ok(())
    }

    fn purged(&mut self, head: &Head, payload: &[u8]) {
        let Entry { group: id, term, index, .. } = head.entry;
        let (purged, last) = (EntryId { term, index }, self.notes.last(id));
        let group = self.notes.groups.entry(id).or_default();
        group.led = true;
        group.commit(index);
        list_ready(group, &mut self.partitions);
        group.purge(purged, bytes::Bytes::copy_from_slice(payload));
        group.purged_at = Some(head.place.position);
        if index > last.index {
            self.notes.end_at(id, purged, head.place.position);
        }
    }

    fn truncated(&mut self, head: &Head) -> Result<()> {
        let Entry { group: id, term, index, .. } = head.entry;
        let group = self.notes.groups.entry(id).or_default();
        group.led = true;
        let kept = EntryId { term, index };
        // A checkpoint may be ahead of the frames behind it.
        let kept = if group.is_purged(index) { group.purged } else { kept };
        cut(group, &mut self.partitions, kept)?;
        self.notes.cuts.push(head.place.position);
        self.notes.end_at(id, kept, head.place.position);
        Ok(())
    }

    fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence - 1
    }
}

/// True if a checkpoint knew the partition further than this place.
fn covers(covered: &HashMap<PartitionId, Position>, partition: PartitionId, at: Position) -> bool {
    covered.get(&partition).is_some_and(|covered| at < *covered)
}

/// Makes `id` the next entry of the group. Entries may be missing before it: they were purged, or cut off further on,
/// and their segment is gone; or they are damaged.
fn make_fit(group: &mut RaftGroup, partitions: &mut Partitions, id: EntryId) -> Result<()> {
    let before = EntryId { term: id.term, index: LogIndex(id.index.0.saturating_sub(1)) };
    let last = group.last();
    match before.index.0.checked_sub(last.index.0) {
        Some(0) => {}
        None => cut(group, partitions, before)?,
        Some(_) if group.is_bare() => group.assume(before),
        Some(missing) if missing > MISSING_MAX => give_up(group, partitions, before),
        Some(_) => group.miss(before),
    }
    Ok(())
}

/// Entries up to `last` are missing; those before them are taken as committed.
fn give_up(group: &mut RaftGroup, partitions: &mut Partitions, last: EntryId) {
    group.commit(last.index);
    list_ready(group, partitions);
    let state = group.state.clone();
    group.purge(last, state);
}

fn cut(group: &mut RaftGroup, partitions: &mut Partitions, kept: EntryId) -> Result<()> {
    let assumed = !group.may_cut(kept.index) && group.is_assumed();
    if !assumed && !group.may_cut(kept.index) {
        return Err(Error::damaged(format!(
            "the log cuts off entry {} of a log group, which was committed; restore the log from a copy",
            kept.index.0 + 1
        )));
    }
    group.cut(kept.index.max(group.purged.index), |slot| {
        if slot.is_batch() {
            partitions.cut(slot);
        }
    });
    if assumed {
        group.assume(kept);
    }
    Ok(())
}

/// Tells the partitions of entries that are durable and committed.
pub(crate) fn list_ready(group: &mut RaftGroup, partitions: &mut Partitions) -> Vec<(PartitionId, Offset)> {
    let mut advanced = Vec::new();
    group.take_ready(|slot| {
        let at = slot.at.filter(|_| !slot.lost);
        if slot.is_batch()
            && let Some(end) = partitions.list(slot.sequence, &slot.entry, at, slot.payload_bytes)
        {
            advanced.push((slot.entry.partition, end));
        }
    });
    advanced
}
