//! Which old segments are no longer needed?

use model::{PartitionId, Position};

use crate::log::GroupEnds;
use crate::partitions::Partitions;
use crate::segment::Segment;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reclaim {
    Nothing,
    /// Note these log starts and the ends of the groups again: their last note stands in a segment that could go.
    Renew {
        starts: Vec<PartitionId>,
        groups: bool,
    },
    /// The oldest segment can go.
    RemoveFirst,
}

/// Looks at the oldest segments before the `active` one, as far as the log is durable.
pub(crate) fn plan(
    segments: &[Segment],
    active: u64,
    durable: Position,
    partitions: &Partitions,
    ends: &GroupEnds,
) -> Reclaim {
    let live = partitions.iter().filter_map(|(_, partition)| partition.first_live()).min();
    let done = |segment: &Segment| segment.number < active && segment.end() <= durable;
    let dead = |segment: &&Segment| done(segment) && live.is_none_or(|live| live >= segment.end());
    let Some(boundary) = segments.iter().take_while(dead).last().map(Segment::end) else { return Reclaim::Nothing };
    let below = |position: Position| position < boundary;
    let starts: Vec<PartitionId> =
        partitions.iter().filter(|(_, partition)| partition.start_note.is_some_and(below)).map(|(id, _)| id).collect();
    let groups = ends.values().any(|(_, at)| below(*at));
    match starts.is_empty() && !groups {
        true => Reclaim::RemoveFirst,
        false => Reclaim::Renew { starts, groups },
    }
}

#[cfg(test)]
mod tests;
