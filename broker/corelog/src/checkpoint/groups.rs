//! What does a checkpoint say about Raft groups?

use model::{LogGroup, LogIndex, Offset, PartitionId, Position, Term, Timestamp};

use crate::fields::Fields;
use crate::frame::{Entry, Kind};
use crate::notes::Notes;
use crate::raft::{EntryId, RaftGroup, Slot, Vote};

const VOTED: u64 = 1;
const ELECTED: u64 = 2;
const LOST: u64 = 1;
const BATCH: u64 = 2;

/// The groups as they are, with their entries below `position`.
pub(crate) fn encode(notes: &Notes, position: Position, bytes: &mut Vec<u8>) {
    put(bytes, &[notes.groups.len() as u64]);
    for (id, group) in &notes.groups {
        let vote = group.vote.unwrap_or(Vote { term: Term(0), node: 0, committed: false });
        let flags = if group.vote.is_some() { VOTED } else { 0 } | if vote.committed { ELECTED } else { 0 };
        let at = |at: Option<Position>| at.map_or(0, |at| at.0);
        put(bytes, &[u64::from(id.0), flags, vote.term.0, vote.node, at(group.vote_at)]);
        let (purged, listed) = (group.purged, group.listed());
        put(bytes, &[purged.term.0, purged.index.0, at(group.purged_at), listed.0, group.state.len() as u64]);
        bytes.extend_from_slice(&group.state);
        let durable = || group.slots().take_while(|slot| slot.at.is_some_and(|at| at < position));
        put(bytes, &[durable().count() as u64]);
        for Slot { entry, at, payload_bytes, lost, .. } in durable() {
            let flags = if *lost { LOST } else { 0 } | if entry.kind == Kind::Batch { BATCH } else { 0 };
            let at = at.map_or(0, |at| at.0);
            put(bytes, &[flags, entry.term.0, entry.index.0, at, u64::from(*payload_bytes), entry.partition.0]);
            let (base, last, time) = (entry.base.0, i64::from(entry.last_delta), entry.max_timestamp.0);
            put(bytes, &[base, last, time].map(i64::cast_unsigned));
        }
    }
    put(bytes, &[notes.cuts.len() as u64]);
    notes.cuts.iter().for_each(|at| put(bytes, &[at.0]));
}

/// Takes what [`encode`] wrote.
pub(crate) fn decode(fields: &mut Fields<'_>, notes: &mut Notes) -> Option<()> {
    for _ in 0..fields.u64()? {
        let (id, group) = decode_group(fields)?;
        notes.groups.insert(id, group);
    }
    for _ in 0..fields.u64()? {
        notes.cuts.push(Position(fields.u64()?));
    }
    Some(())
}

fn decode_group(fields: &mut Fields<'_>) -> Option<(LogGroup, RaftGroup)> {
    let id = LogGroup(u32::try_from(fields.u64()?).ok()?);
    let (flags, term, node, vote_at) = (fields.u64()?, Term(fields.u64()?), fields.u64()?, fields.u64()?);
    let purged = EntryId { term: Term(fields.u64()?), index: LogIndex(fields.u64()?) };
    let (purged_at, listed, state_bytes) = (fields.u64()?, LogIndex(fields.u64()?), fields.u64()?);
    let mut group = RaftGroup::default();
    group.state = bytes::Bytes::copy_from_slice(fields.bytes(usize::try_from(state_bytes).ok()?)?);
    group.vote = (flags & VOTED != 0).then_some(Vote { term, node, committed: flags & ELECTED != 0 });
    let at = |at: u64| Some(at).filter(|at| *at > 0).map(Position);
    (group.vote_at, group.purged_at) = (at(vote_at), at(purged_at));
    let (mut slots, mut last) = (Vec::new(), purged.index.0);
    for _ in 0..fields.u64()? {
        let slot = decode_slot(fields, id)?;
        last = last.checked_add(1).filter(|next| *next == slot.entry.index.0)?;
        slots.push(slot);
    }
    group.restore(purged, listed, slots);
    Some((id, group))
}

fn decode_slot(fields: &mut Fields<'_>, group: LogGroup) -> Option<Slot> {
    let (flags, term, index) = (fields.u64()?, Term(fields.u64()?), LogIndex(fields.u64()?));
    let (at, payload_bytes) = (Position(fields.u64()?), u32::try_from(fields.u64()?).ok()?);
    let partition = PartitionId(fields.u64()?);
    let (base, last_delta) = (Offset(fields.i64()?), i32::try_from(fields.i64()?).ok()?);
    let max_timestamp = Timestamp(fields.i64()?);
    if base.0 < 0 || last_delta < 0 || base.0.checked_add(i64::from(last_delta) + 1).is_none() {
        return None;
    }
    let kind = if flags & BATCH != 0 { Kind::Batch } else { Kind::Entry };
    let entry = Entry { kind, group, term, index, partition, base, last_delta, max_timestamp };
    let lost = flags & LOST != 0;
    Some(Slot { entry, sequence: 0, before: base, at: Some(at), payload_bytes, payload: None, lost })
}

fn put(bytes: &mut Vec<u8>, numbers: &[u64]) {
    numbers.iter().for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
}
