//! What do the bytes of one frame mean?

use bytes::Bytes;
use model::limits::{BATCH_BYTES_MAX, IO_ALIGN};
use model::{LogGroup, LogIndex, Offset, PartitionId, Position, Term, Timestamp};
use wire::batch::BatchHeader;

use crate::raft::{EntryId, Spot};

pub(crate) const HEAD_BYTES: usize = 112;
pub(crate) const FRAME_ALIGN: usize = 8;
pub(crate) const MAGIC: [u8; 4] = *b"FRZF";

const VERSION: u8 = 1;
const ENDS_GROUP: u8 = 1;
const GROUP_ENTRY_BYTES: usize = 24;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// One record batch: an entry of the log group.
    Batch = 1,
    /// All earlier frames of the partition are dead.
    Forgotten = 2,
    /// Frames of the partition below `base` are dead; consumers may read from there on, or from an earlier offset on
    /// that the payload names.
    LogStart = 3,
    /// A process begins to write.
    Opened = 4,
    /// A process ended in order.
    Closed = 5,
    /// The last entries of groups, written again before their segment goes.
    Groups = 6,
    /// Segments that are missing from the middle of the log.
    Gaps = 7,
    /// Whom the group has voted for.
    Vote = 8,
    /// Entries of the group behind this index are dead.
    Truncated = 9,
    /// Entries of the group up to this index are committed and not needed as entries.
    Purged = 10,
    /// An entry of the group that carries no batch.
    Entry = 11,
}

impl Kind {
    fn of(code: u8) -> Option<Kind> {
        use Kind::{Batch, Closed, Entry, Forgotten, Gaps, Groups, LogStart, Opened, Purged, Truncated, Vote};
        let all = [Batch, Forgotten, LogStart, Opened, Closed, Groups, Gaps, Vote, Truncated, Purged, Entry];
        all.into_iter().find(|kind| *kind as u8 == code)
    }

    /// True for what has an index of its own in the group.
    pub fn is_entry(self) -> bool {
        matches!(self, Kind::Batch | Kind::Entry)
    }
}

/// What a frame says, wherever it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub kind: Kind,
    pub group: LogGroup,
    pub term: Term,
    pub index: LogIndex,
    pub partition: PartitionId,
    pub base: Offset,
    pub last_delta: i32,
    pub max_timestamp: Timestamp,
}

impl Entry {
    /// A note: no entry of a group.
    pub fn note(kind: Kind, partition: PartitionId, base: Offset) -> Entry {
        let (term, index, max_timestamp) = (Term(0), LogIndex(0), Timestamp::NONE);
        Entry { kind, group: LogGroup(0), term, index, partition, base, last_delta: 0, max_timestamp }
    }

    /// What a log says about one of its groups, or an entry that carries no batch.
    pub fn of_group(kind: Kind, group: LogGroup, id: EntryId) -> Entry {
        let EntryId { term, index } = id;
        Entry { group, term, index, ..Entry::note(kind, PartitionId(0), Offset::ZERO) }
    }

    /// The entry of a batch that has its spot.
    pub fn spotted(group: LogGroup, id: EntryId, spot: &Spot) -> Entry {
        let EntryId { term, index } = id;
        let Spot { partition, base, last_delta, max_timestamp } = *spot;
        Entry { kind: Kind::Batch, group, term, index, partition, base, last_delta, max_timestamp }
    }

    /// A checked batch that is to begin at `base`.
    pub fn batch(group: LogGroup, term: Term, index: LogIndex, p: PartitionId, base: Offset, b: &BatchHeader) -> Entry {
        let max_timestamp = Timestamp(b.max_timestamp);
        Entry {
            kind: Kind::Batch,
            group,
            term,
            index,
            partition: p,
            base,
            last_delta: b.last_offset_delta,
            max_timestamp,
        }
    }

    pub fn id(&self) -> EntryId {
        EntryId { term: self.term, index: self.index }
    }

    pub fn last(&self) -> Offset {
        self.base.plus(i64::from(self.last_delta))
    }
}

/// Where a frame lies, and what was known when it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub generation: u64,
    pub position: Position,
    pub previous: Position,
    pub session: Position,
    /// Everything below was durable.
    pub durable: Position,
    /// The next frame begins in a new block.
    pub ends_group: bool,
}

/// The head of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub entry: Entry,
    pub place: Place,
    pub payload_bytes: u32,
    pub payload_crc: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoHead {
    /// No frame begins here, or its head is damaged.
    Nothing,
    /// Intact, and not ours to understand.
    Newer { version: u8, kind: u8 },
}

impl Head {
    /// Where the frame ends, with its zeros.
    pub fn end(&self) -> Position {
        Position(self.place.position.0 + frame_bytes(self.payload_bytes as usize) as u64)
    }

    /// Where the next frame begins, unless that is in another segment.
    pub fn next(&self) -> Position {
        match self.place.ends_group {
            true => Position(self.end().0.next_multiple_of(IO_ALIGN as u64)),
            false => self.end(),
        }
    }

    pub fn encode(&self) -> [u8; HEAD_BYTES] {
        let (entry, place) = (&self.entry, &self.place);
        let mut bytes = [0; HEAD_BYTES];
        let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
        put(0, &MAGIC);
        put(4, &[VERSION, entry.kind as u8, if place.ends_group { ENDS_GROUP } else { 0 }]);
        put(12, &self.payload_crc.to_le_bytes());
        put(16, &self.payload_bytes.to_le_bytes());
        put(20, &entry.group.0.to_le_bytes());
        put(24, &place.generation.to_le_bytes());
        put(32, &place.position.0.to_le_bytes());
        put(40, &place.previous.0.to_le_bytes());
        put(48, &place.session.0.to_le_bytes());
        put(56, &place.durable.0.to_le_bytes());
        put(64, &entry.term.0.to_le_bytes());
        put(72, &entry.index.0.to_le_bytes());
        put(80, &entry.partition.0.to_le_bytes());
        put(88, &entry.base.0.to_le_bytes());
        put(96, &entry.last_delta.to_le_bytes());
        put(104, &entry.max_timestamp.0.to_le_bytes());
        let crc = head_crc(&bytes);
        bytes[8..12].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The head of a frame of `generation` that lies at `position`.
    pub fn parse(bytes: &[u8; HEAD_BYTES], generation: u64, position: Position) -> Result<Head, NoHead> {
        let i32_at = |at: usize| i32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let u32_at = |at: usize| i32_at(at).cast_unsigned();
        let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        let i64_at = |at: usize| u64_at(at).cast_signed();
        let here = bytes[..4] == MAGIC && u64_at(24) == generation && u64_at(32) == position.0;
        if !here || u32_at(8) != head_crc(bytes) {
            return Err(NoHead::Nothing);
        }
        let kind = Kind::of(bytes[5]).filter(|_| bytes[4] == VERSION);
        let kind = kind.ok_or(NoHead::Newer { version: bytes[4], kind: bytes[5] })?;
        let entry = Entry {
            kind,
            group: LogGroup(u32_at(20)),
            term: Term(u64_at(64)),
            index: LogIndex(u64_at(72)),
            partition: PartitionId(u64_at(80)),
            base: Offset(i64_at(88)),
            last_delta: i32_at(96),
            max_timestamp: Timestamp(i64_at(104)),
        };
        let place = Place {
            generation,
            position,
            previous: Position(u64_at(40)),
            session: Position(u64_at(48)),
            durable: Position(u64_at(56)),
            ends_group: bytes[6] & ENDS_GROUP != 0,
        };
        let head = Head { entry, place, payload_bytes: u32_at(16), payload_crc: u32_at(12) };
        if head.makes_sense() { Ok(head) } else { Err(NoHead::Nothing) }
    }

    fn makes_sense(&self) -> bool {
        let (entry, place) = (&self.entry, &self.place);
        let offsets = entry.base.0 >= 0
            && entry.last_delta >= 0
            && entry.base.0.checked_add(i64::from(entry.last_delta) + 1).is_some();
        let places = place.previous < place.position && place.session <= place.position;
        offsets && places && place.durable <= place.position && self.payload_bytes as usize <= BATCH_BYTES_MAX
    }
}

fn head_crc(bytes: &[u8; HEAD_BYTES]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&bytes[..8]), &bytes[12..])
}

/// What a frame with such a payload takes up.
pub(crate) fn frame_bytes(payload_bytes: usize) -> usize {
    (HEAD_BYTES + payload_bytes).next_multiple_of(FRAME_ALIGN)
}

/// The last entry of a log group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GroupEnd {
    pub group: LogGroup,
    pub term: Term,
    pub index: LogIndex,
}

/// The payload of Opened and Groups.
pub(crate) fn encode_groups(groups: impl IntoIterator<Item = GroupEnd>) -> Bytes {
    let mut bytes = Vec::new();
    for GroupEnd { group, term, index } in groups {
        bytes.extend_from_slice(&group.0.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&term.0.to_le_bytes());
        bytes.extend_from_slice(&index.0.to_le_bytes());
    }
    bytes.into()
}

/// Reads what [`encode_groups`] wrote; bytes that make no whole entry are passed over.
pub(crate) fn parse_groups(payload: &[u8]) -> impl Iterator<Item = GroupEnd> {
    payload.chunks_exact(GROUP_ENTRY_BYTES).map(|bytes| {
        let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        let group = LogGroup(u32::from_le_bytes(bytes[..4].try_into().expect("four bytes")));
        GroupEnd { group, term: Term(u64_at(8)), index: LogIndex(u64_at(16)) }
    })
}

/// The payload of LogStart: none where consumers, too, begin at the local start.
pub(crate) fn encode_start(log_start: Offset, local_start: Offset) -> Bytes {
    match log_start < local_start {
        true => Bytes::copy_from_slice(&log_start.0.to_le_bytes()),
        false => Bytes::new(),
    }
}

/// The first offset for consumers that a LogStart note with this base names.
pub(crate) fn parse_start(payload: &[u8], local_start: Offset) -> Offset {
    let named = payload.first_chunk().map(|bytes| Offset(i64::from_le_bytes(*bytes)));
    named.map_or(local_start, |start| start.clamp(Offset::ZERO, local_start))
}

#[cfg(test)]
mod tests;
