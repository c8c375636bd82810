//! Which notes of the log still count, and where do they stand?

use std::collections::BTreeMap;

use model::{Error, LogGroup, LogIndex, Offset, PartitionId, Position, Result};

use crate::frame::{Entry, GroupEnd, Head, Kind, encode_groups, parse_groups};
use crate::gaps::Gaps;
use crate::log::Shared;
use crate::partitions::Partitions;
use crate::raft::{EntryId, RaftGroup};
use crate::reclaim::Renew;
use crate::segment::Segment;
use runtime::Driver;

/// The last entry of each log group, and where it stands as far as it is durable.
pub(crate) type GroupEnds = BTreeMap<LogGroup, (GroupEnd, Position)>;

/// All that frames say besides the batches of partitions.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub ends: GroupEnds,
    /// The newest Forgotten note of each partition of which older frames may lie in the log.
    pub tombs: BTreeMap<PartitionId, Position>,
    /// The newest table of gaps, perhaps not durable yet, and where a durable one stands.
    pub gaps: Gaps,
    pub gaps_at: Option<Position>,
    /// Raft groups that lie in this log.
    pub groups: BTreeMap<LogGroup, RaftGroup>,
    /// Where frames stand that cut off the ends of groups.
    pub cuts: Vec<Position>,
    /// The last frame before each segment, by the segment's base.
    befores: BTreeMap<Position, Position>,
}

impl Notes {
    /// A frame was found in the log.
    pub fn found(&mut self, head: &Head, segments: &[Segment]) {
        let after = segments.partition_point(|segment| segment.base <= head.place.position);
        let segment = segments[after.checked_sub(1).expect("frames lie in segments")];
        self.befores.entry(segment.base).or_insert(head.place.previous);
    }

    /// A note was found in the log that says something for later.
    pub fn found_note(&mut self, head: &Head, payload: &[u8]) {
        let at = head.place.position;
        match head.entry.kind {
            Kind::Forgotten => drop(self.tombs.insert(head.entry.partition, at)),
            Kind::Gaps => (self.gaps, self.gaps_at) = (Gaps::parse(payload), Some(at)),
            Kind::Opened | Kind::Groups => {
                self.ends.extend(parse_groups(payload).map(|end| (end.group, (end, at))));
            }
            _ => {}
        }
    }

    /// A group that Raft leads.
    pub fn led(&mut self, group: LogGroup) -> Result<&mut RaftGroup> {
        let known = self.groups.get_mut(&group).filter(|known| known.led);
        known.ok_or_else(|| Error::invalid(format!("log group {group} is not open; open it first")))
    }

    /// The last entry of a group stands here, or will when the frame is durable.
    pub fn end_at(&mut self, group: LogGroup, id: EntryId, at: Position) {
        let EntryId { term, index } = id;
        self.ends.insert(group, (GroupEnd { group, term, index }, at));
    }

    /// The last entry of a group.
    pub fn last(&self, group: LogGroup) -> EntryId {
        self.ends.get(&group).map_or(EntryId::default(), |(end, _)| EntryId { term: end.term, index: end.index })
    }

    /// A note is durable.
    pub fn durable(&mut self, entry: &Entry, at: Position) {
        match entry.kind {
            Kind::Forgotten => drop(self.tombs.insert(entry.partition, at)),
            Kind::Gaps => self.gaps_at = Some(at),
            Kind::Opened | Kind::Groups => self.ends.values_mut().for_each(|(_, last)| *last = (*last).max(at)),
            Kind::Vote => self.groups.entry(entry.group).or_default().vote_at = Some(at),
            Kind::Purged => self.groups.entry(entry.group).or_default().purged_at = Some(at),
            Kind::Truncated => {
                self.cuts.push(at);
                self.ends.entry(entry.group).and_modify(|(_, last)| *last = (*last).max(at));
            }
            Kind::Batch | Kind::Entry | Kind::LogStart | Kind::Closed => {}
        }
    }

    /// Writing goes on in a segment, after this frame.
    pub fn entered(&mut self, segment: &Segment, before: Position) {
        self.befores.insert(segment.base, before);
    }

    /// The last frame before a segment, if that is known.
    pub fn before(&self, segment: &Segment) -> Option<Position> {
        self.befores.get(&segment.base).copied()
    }

    /// The last frame before a segment, as it was saved.
    pub fn restore_before(&mut self, segment: &Segment, before: Option<Position>) {
        if let Some(before) = before {
            self.befores.insert(segment.base, before);
        }
    }

    /// True if what stands in this segment of the middle must stay: frames before it are dead only because of it.
    pub fn holds_back(&self, segment: &Segment, partitions: &Partitions) -> bool {
        self.tombs.iter().any(|(partition, at)| segment.holds(*at) && partitions.get(*partition).is_some())
            || self.cuts.iter().any(|at| segment.holds(*at))
    }

    /// The log begins here now.
    pub fn begin_at(&mut self, first: Position) {
        self.befores.retain(|base, _| *base >= first);
        self.tombs.retain(|_, at| *at >= first);
        self.cuts.retain(|at| *at >= first);
        self.gaps.forget_below(first);
        if self.gaps.is_empty() {
            self.gaps_at = None;
        }
    }
}

impl<D: Driver> Shared<D> {
    /// Writes again what would go with the segments that can be removed.
    pub fn renew(&self, renew: Renew) {
        let Renew { starts, tombs, groups, votes, purged, gaps } = renew;
        starts.into_iter().for_each(|partition| self.note_log_start(partition));
        for partition in tombs {
            self.note(Entry::note(Kind::Forgotten, partition, Offset::ZERO), bytes::Bytes::new());
        }
        if groups {
            self.note_groups(Kind::Groups);
        }
        votes.into_iter().for_each(|group| self.note_vote(group));
        purged.into_iter().for_each(|group| self.note_purged(group));
        if let Some(gaps) = gaps {
            self.note(Entry::note(Kind::Gaps, PartitionId(0), Offset::ZERO), gaps.encode());
            self.state.borrow_mut().notes.gaps = gaps;
        }
    }

    /// Notes the vote of a group as it is.
    pub fn note_vote(&self, group: LogGroup) {
        let vote = self.state.borrow().notes.groups.get(&group).and_then(|group| group.vote);
        if let Some(vote) = vote {
            let id = EntryId { term: vote.term, index: LogIndex(0) };
            self.note(Entry::of_group(Kind::Vote, group, id), vote.encode());
        }
    }

    /// Notes how far a group is purged.
    pub fn note_purged(&self, group: LogGroup) {
        let purged = self.state.borrow().notes.groups.get(&group).map(|group| (group.purged, group.state.clone()));
        if let Some((purged, state)) = purged {
            self.note(Entry::of_group(Kind::Purged, group, purged), state);
        }
    }

    /// Notes the last entries of all groups.
    pub fn note_groups(&self, kind: Kind) {
        let table = encode_groups(self.state.borrow().notes.ends.values().map(|(end, _)| *end));
        self.note(Entry::note(kind, PartitionId(0), Offset::ZERO), table);
    }
}
