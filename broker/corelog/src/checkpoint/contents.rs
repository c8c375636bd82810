//! What does a checkpoint say about the log as a whole?

use model::{LogGroup, LogIndex, Offset, PartitionId, Position, ShardId, Term};

use crate::checkpoint::groups;
use crate::fields::Fields;
use crate::frame::GroupEnd;
use crate::gaps::{Gap, Gaps};
use crate::notes::Notes;
use crate::recovery::Damage;
use crate::segment::Segment;

const CLOSED: u16 = 1;
const UNKNOWN: u64 = u64::MAX;

/// The part that begins a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Base {
    pub shard: ShardId,
    /// The last frame is Closed.
    pub closed: bool,
    /// Everything below was durable; what is to be read begins here.
    pub position: Position,
    /// The last frame before.
    pub last: Position,
    pub session: Position,
    /// Full chunks that end in segments below are in the indexes of those.
    pub indexed: Position,
    pub segments: Vec<Known>,
}

/// A segment that a checkpoint knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    pub segment: Segment,
    /// The last frame before it.
    pub before: Option<Position>,
    /// The id of its index, 0 if it has none.
    pub index: u64,
}

impl Base {
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.shard.0.to_le_bytes());
        bytes.extend_from_slice(&(if self.closed { CLOSED } else { 0 }).to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        [self.position, self.last, self.session, self.indexed].iter().for_each(|at| put(bytes, at.0));
        for Known { segment, before, index } in &self.segments {
            let (base, created) = (segment.base.0, segment.created_ms.cast_unsigned());
            let before = before.map_or(UNKNOWN, |before| before.0);
            let numbers = [segment.number, base, segment.bytes, segment.generation, created, before, *index];
            numbers.iter().for_each(|number| put(bytes, *number));
        }
    }

    pub fn decode(payload: &[u8]) -> Option<Base> {
        let mut fields = Fields(payload);
        let (shard, flags, _) = (ShardId(fields.u16()?), fields.u16()?, fields.u32()?);
        let mut position = || fields.u64().map(Position);
        let (position, last, session, indexed) = (position()?, position()?, position()?, position()?);
        let mut segments = Vec::new();
        while !fields.is_empty() {
            let (number, base, bytes) = (fields.u64()?, Position(fields.u64()?), fields.u64()?);
            let (generation, created_ms) = (fields.u64()?, fields.i64()?);
            base.0.checked_add(bytes)?;
            let segment = Segment { shard, number, base, bytes, generation, created_ms };
            let before = Some(fields.u64()?).filter(|before| *before != UNKNOWN).map(Position);
            segments.push(Known { segment, before, index: fields.u64()? });
        }
        Some(Base { shard, closed: flags & CLOSED != 0, position, last, session, indexed, segments })
    }

    /// The segment in which the last bytes before the position lie.
    pub fn newest(&self) -> Option<&Segment> {
        let holds = |segment: &Segment| segment.base < self.position && self.position <= segment.end();
        self.segments.iter().map(|known| &known.segment).find(|segment| holds(segment))
    }
}

/// Notes that count, as far as they are not in [`Base`], and what was damaged.
pub(crate) fn encode_notes(notes: &Notes, damage: &[Damage], position: Position, bytes: &mut Vec<u8>) {
    let count = |bytes: &mut Vec<u8>, count: usize| put(bytes, count as u64);
    count(bytes, notes.ends.len());
    for (GroupEnd { group, term, index }, at) in notes.ends.values() {
        [u64::from(group.0), term.0, index.0, at.0].iter().for_each(|number| put(bytes, *number));
    }
    count(bytes, notes.tombs.len());
    for (partition, at) in &notes.tombs {
        [partition.0, at.0].iter().for_each(|number| put(bytes, *number));
    }
    count(bytes, notes.gaps.iter().count());
    for Gap { from, to, before } in notes.gaps.iter() {
        [from.0, to.0, before.0].iter().for_each(|number| put(bytes, *number));
    }
    put(bytes, notes.gaps_at.map_or(0, |at| at.0));
    count(bytes, damage.len());
    for Damage { from, to, batch } in damage {
        let (partition, first, last) = batch.unwrap_or((PartitionId(0), Offset(-1), Offset(-1)));
        let (first, last) = (first.0.cast_unsigned(), last.0.cast_unsigned());
        [from.0, to.0, partition.0, first, last].iter().for_each(|number| put(bytes, *number));
    }
    groups::encode(notes, position, bytes);
}

pub(crate) fn decode_notes(payload: &[u8]) -> Option<(Notes, Vec<Damage>)> {
    let (mut fields, mut notes) = (Fields(payload), Notes::default());
    for _ in 0..fields.u64()? {
        let group = LogGroup(u32::try_from(fields.u64()?).ok()?);
        let end = GroupEnd { group, term: Term(fields.u64()?), index: LogIndex(fields.u64()?) };
        notes.ends.insert(group, (end, Position(fields.u64()?)));
    }
    for _ in 0..fields.u64()? {
        notes.tombs.insert(PartitionId(fields.u64()?), Position(fields.u64()?));
    }
    let mut gaps = Vec::new();
    for _ in 0..fields.u64()? {
        let (from, to, before) = (Position(fields.u64()?), Position(fields.u64()?), Position(fields.u64()?));
        gaps.push(Gap { from, to, before });
    }
    notes.gaps = Gaps::of(gaps);
    notes.gaps_at = Some(fields.u64()?).filter(|at| *at > 0).map(Position);
    let mut damage = Vec::new();
    for _ in 0..fields.u64()? {
        let (from, to) = (Position(fields.u64()?), Position(fields.u64()?));
        let (partition, first, last) = (PartitionId(fields.u64()?), Offset(fields.i64()?), Offset(fields.i64()?));
        damage.push(Damage { from, to, batch: (first.0 >= 0).then_some((partition, first, last)) });
    }
    groups::decode(&mut fields, &mut notes)?;
    fields.is_empty().then_some((notes, damage))
}

fn put(bytes: &mut Vec<u8>, number: u64) {
    bytes.extend_from_slice(&number.to_le_bytes());
}
