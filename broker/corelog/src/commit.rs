//! In which order do frames go to the disk, and when is one acknowledged?
//!
//! Pure: the driver asks for groups, performs their writes and reports which have ended. Writes may end in any order;
//! frames are retired strictly in the order of the log.

use std::collections::{HashMap, VecDeque};

use model::limits::{IO_ALIGN, IO_BYTES_MAX, WRITES_IN_FLIGHT_MAX};
use model::{LogGroup, LogIndex, Position};

use crate::frame::{Entry, Kind, frame_bytes};
use crate::group::{Group, Pending, Placed, padded_bytes};

/// Numbers the writes of a process, in the order of their positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct WriteId(u64);

/// What the driver should do next.
#[derive(Debug)]
pub(crate) enum Next {
    /// Nothing waits, or all slots are taken.
    Wait,
    /// The next group does not fit: call [`Commit::enter`] with the segment that follows.
    Segment,
    /// Write these; the ids of the writes follow one another from the first.
    Group(Group, WriteId),
}

/// A frame that is durable, as is all before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Retired {
    pub sequence: u64,
    pub entry: Entry,
    pub position: Position,
    pub payload_bytes: u32,
}

/// A write that has not been retired.
#[derive(Debug)]
struct Write {
    end: Position,
    bytes: usize,
    ended: bool,
    /// Frames that are complete with this write.
    frames: Vec<Retired>,
}

/// The group commit of one log.
#[derive(Debug)]
pub(crate) struct Commit {
    waiting: VecDeque<Pending>,
    waiting_bytes: usize,
    /// Last entries that were pushed.
    groups: HashMap<LogGroup, LogIndex>,
    /// Where the next group goes, and where its segment ends.
    next: Position,
    segment_end: Position,
    previous: Position,
    /// The sequence of the last frame that has a place.
    placed: u64,
    /// Where the first group of this process lies.
    session: Option<Position>,
    durable: Position,
    /// The end of the last group that is durable as a whole, and its last frame.
    complete: Option<(Position, Position)>,
    /// In the order of the log; the first is the oldest that has not ended.
    writes: VecDeque<Write>,
    first_write: WriteId,
    in_flight_bytes: usize,
}

impl Commit {
    /// Everything below `next` is durable; the last frame there is `previous`. The first group begins a session.
    pub fn new(next: Position, segment_end: Position, previous: Position) -> Commit {
        Commit {
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            groups: HashMap::new(),
            next,
            segment_end,
            previous,
            placed: 0,
            session: None,
            durable: next,
            complete: None,
            writes: VecDeque::new(),
            first_write: WriteId(0),
            in_flight_bytes: 0,
        }
    }

    /// The last entry of a log group that stands in the log.
    pub fn stands(&mut self, group: LogGroup, last: LogIndex) {
        self.groups.insert(group, last);
    }

    /// Frames and padding that are not durable yet.
    pub fn backlog_bytes(&self) -> usize {
        self.waiting_bytes + self.in_flight_bytes
    }

    /// Frames that have no place yet.
    pub fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// What is left of the segment that is written.
    pub fn room_bytes(&self) -> u64 {
        self.segment_end.0.saturating_sub(self.next.0)
    }

    /// What waits first does not fit in what is left of the segment.
    pub fn needs_segment(&self) -> bool {
        self.waiting.front().is_some_and(|first| padded_bytes(first.payload.len()) as u64 > self.room_bytes())
    }

    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.writes.is_empty()
    }

    pub fn in_flight(&self) -> usize {
        self.writes.len()
    }

    /// Everything below is durable.
    pub fn durable(&self) -> Position {
        self.durable
    }

    /// The end of the groups that are durable as a whole, the last frame there, and its session; `None` before the
    /// first one of this process is.
    pub fn complete(&self) -> Option<(Position, Position, Position)> {
        let (end, last) = self.complete?;
        Some((end, last, self.session?))
    }

    /// The last frame that was put in a group, or stood in the log before.
    pub fn last(&self) -> Position {
        self.previous
    }

    /// The sequence of the last frame that was put in a group.
    pub fn placed(&self) -> u64 {
        self.placed
    }

    /// Joins one of the next groups. Entries of a log group come without gaps.
    pub fn push(&mut self, pending: Pending) {
        let entry = &pending.entry;
        match entry.kind {
            kind if kind.is_entry() => {
                let last = self.groups.insert(entry.group, entry.index);
                let follows = last.is_none_or(|last| entry.index.0 == last.0 + 1);
                assert!(follows, "log group {} would have a gap: {last:?}, then {}", entry.group, entry.index);
            }
            Kind::Truncated => drop(self.groups.insert(entry.group, entry.index)),
            Kind::Purged => {
                let last = self.groups.entry(entry.group).or_insert(entry.index);
                *last = (*last).max(entry.index);
            }
            _ => {}
        }
        self.waiting_bytes += frame_bytes(pending.payload.len());
        self.waiting.push_back(pending);
    }

    /// The next group, made of all that waits, up to the size of one write.
    pub fn next(&mut self) -> Next {
        if self.waiting.is_empty() || self.writes.len() >= WRITES_IN_FLIGHT_MAX {
            return Next::Wait;
        }
        if self.needs_segment() {
            return Next::Segment;
        }
        let room = usize::try_from(self.room_bytes()).unwrap_or(usize::MAX).min(IO_BYTES_MAX);
        let (mut bytes, mut frames) = (0, Vec::new());
        while let Some(pending) = self.waiting.front() {
            let more = frame_bytes(pending.payload.len());
            if !frames.is_empty() && bytes + more > room {
                break;
            }
            let pending = self.waiting.pop_front().expect("just seen");
            self.waiting_bytes -= more;
            frames.push(Placed { pending, position: Position(self.next.0 + bytes as u64) });
            bytes += more;
        }
        self.place(frames, bytes.next_multiple_of(IO_ALIGN))
    }

    fn place(&mut self, frames: Vec<Placed>, bytes: usize) -> Next {
        let (start, previous, durable) = (self.next, self.previous, self.durable);
        #[cfg(test)]
        let durable = crate::tests::planted::proof(durable);
        let session = *self.session.get_or_insert(start);
        let retired = frames.iter().map(Retired::from).collect();
        let group = Group { start, bytes, previous, session, durable, frames };
        let first = WriteId(self.first_write.0 + self.writes.len() as u64);
        let last = group.frames.last().expect("a group is not empty");
        (self.previous, self.placed) = (last.position, last.pending.sequence);
        self.next = Position(start.0 + bytes as u64);
        self.in_flight_bytes += bytes;
        for (at, bytes) in group.writes() {
            let end = Position(at.0 + bytes as u64);
            self.writes.push_back(Write { end, bytes, ended: false, frames: Vec::new() });
        }
        self.writes.back_mut().expect("a group has a write").frames = retired;
        Next::Group(group, first)
    }

    /// The next group goes to the segment whose frames lie in `start..end`. What is left of the one before it is
    /// never written.
    pub fn enter(&mut self, start: Position, end: Position) {
        assert!(start >= self.segment_end, "segments follow one another: {start} lies before {}", self.segment_end);
        (self.next, self.segment_end) = (start, end);
    }

    /// True if this write belongs to the oldest few: the others are held back.
    pub fn may_issue(&self, id: WriteId) -> bool {
        id.0 < self.first_write.0 + WRITES_IN_FLIGHT_MAX as u64
    }

    /// A write has ended well. Returns the frames that are durable with it, in order; none if an earlier write has
    /// not ended.
    pub fn ended(&mut self, id: WriteId) -> Vec<Retired> {
        #[cfg(test)]
        let Some(id) = self.planted(id) else { return Vec::new() };
        let at = usize::try_from(id.0 - self.first_write.0).expect("few writes are in flight");
        let write = self.writes.get_mut(at).expect("it was issued and has not been retired");
        assert!(!write.ended, "a write ends once");
        write.ended = true;
        let mut retired = Vec::new();
        while self.writes.front().is_some_and(|write| write.ended) {
            let write = self.writes.pop_front().expect("just seen");
            self.first_write.0 += 1;
            self.in_flight_bytes -= write.bytes;
            self.durable = write.end;
            if let Some(last) = write.frames.last() {
                self.complete = Some((write.end, last.position));
            }
            retired.extend(write.frames);
        }
        retired
    }

    /// Nothing more will be written: drops all that waits.
    pub fn clear(&mut self) {
        self.waiting.clear();
        self.waiting_bytes = 0;
    }
}

impl WriteId {
    /// The write after this one.
    pub fn next(self) -> WriteId {
        WriteId(self.0 + 1)
    }
}

impl From<&Placed> for Retired {
    fn from(Placed { pending, position }: &Placed) -> Retired {
        let payload_bytes = u32::try_from(pending.payload.len()).expect("checked when it was appended");
        Retired { sequence: pending.sequence, entry: pending.entry, position: *position, payload_bytes }
    }
}

#[cfg(test)]
mod tests;
