//! Which old segments are no longer needed?

use model::{LogGroup, PartitionId, Position};

use crate::gaps::Gaps;
use crate::notes::Notes;
use crate::partitions::Partitions;
use crate::raft::RaftGroup;
use crate::segment::Segment;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reclaim {
    Nothing,
    /// Note these again: their last note stands in a segment that could go.
    Renew(Renew),
    /// The segment with this number can go.
    Remove(u64),
}

/// What must outlive the segments that could go.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Renew {
    /// Log starts of these partitions.
    pub starts: Vec<PartitionId>,
    /// That these partitions are forgotten.
    pub tombs: Vec<PartitionId>,
    /// The ends of the groups.
    pub groups: bool,
    /// The votes of these groups, and how far these are purged.
    pub votes: Vec<LogGroup>,
    pub purged: Vec<LogGroup>,
    /// Where segments are missing, those that could go among them.
    pub gaps: Option<Gaps>,
}

/// Looks at all segments before the `active` one, as far as the log is durable.
pub(crate) fn plan(
    segments: &[Segment],
    active: u64,
    durable: Position,
    partitions: &Partitions,
    notes: &Notes,
) -> Reclaim {
    let live = live(segments, partitions, notes);
    #[cfg(test)]
    let live = crate::tests::planted::live(live);
    let done = |segment: &Segment| segment.number < active && segment.end() <= durable;
    let mut dead: Vec<&Segment> = Vec::new();
    let (mut front, mut gaps) = (true, notes.gaps.clone());
    let mut middle: Vec<&Segment> = Vec::new();
    for (segment, live) in segments.iter().zip(live) {
        let could_go = !live && done(segment);
        front &= could_go;
        if front {
            dead.push(segment);
        } else if could_go
            && let Some(before) = notes.before(segment)
            && !notes.holds_back(segment, partitions)
        {
            gaps.add(segment, before);
            middle.push(segment);
            dead.push(segment);
        }
    }
    let Some(first) = dead.first() else { return Reclaim::Nothing };
    let within = |list: &[&Segment], at: Position| {
        let after = list.partition_point(|segment| segment.base <= at);
        after > 0 && list[after - 1].holds(at)
    };
    let stands = |partition: &crate::partitions::Partition| partition.start_note.is_some_and(|at| within(&dead, at));
    let gaps_due = notes.gaps_at.is_some_and(|at| within(&dead, at)) || gaps != notes.gaps;
    let mut starts: Vec<PartitionId> =
        partitions.iter().filter(|(_, partition)| stands(partition)).map(|(id, _)| id).collect();
    // The same log always does the same.
    starts.sort();
    let groups = |stands_at: fn(&RaftGroup) -> Option<Position>| -> Vec<LogGroup> {
        let due = notes.groups.iter().filter(|(_, group)| stands_at(group).is_some_and(|at| within(&dead, at)));
        due.map(|(id, _)| *id).collect()
    };
    let renew = Renew {
        starts,
        tombs: notes.tombs.iter().filter(|(_, at)| within(&middle, **at)).map(|(id, _)| *id).collect(),
        groups: notes.ends.values().any(|(_, at)| within(&dead, *at)),
        votes: groups(|group| group.vote_at),
        purged: groups(|group| group.purged_at),
        gaps: gaps_due.then_some(gaps),
    };
    #[cfg(test)]
    let renew = crate::tests::planted::renew(renew);
    if renew == Renew::default() { Reclaim::Remove(first.number) } else { Reclaim::Renew(renew) }
}

/// For each segment, whether a live batch lies in it, or an entry that is not purged.
fn live(segments: &[Segment], partitions: &Partitions, notes: &Notes) -> Vec<bool> {
    let mut live = vec![false; segments.len()];
    let of = |at: Position| segments.partition_point(|segment| segment.base <= at).saturating_sub(1);
    for at in notes.groups.values().flat_map(RaftGroup::slots).filter_map(|slot| slot.at) {
        if let Some(live) = live.get_mut(of(at)) {
            *live = true;
        }
    }
    for (_, partition) in partitions.iter() {
        let near = |first: Position, last: Position| of(last) <= of(first) + 1;
        partition.frames.positions(partition.frontiers.local_start(), near, |at| {
            if let Some(live) = live.get_mut(of(at)) {
                *live = true;
            }
        });
    }
    live
}

#[cfg(test)]
mod tests;
