use model::{LogGroup, LogIndex, Offset, ShardId, Term, Timestamp};

use super::*;
use crate::frame::{Entry, GroupEnd, Kind};

const SEGMENT: u64 = 1 << 20;

fn segments() -> Vec<Segment> {
    let segment = |n: u64| Segment {
        shard: ShardId(0),
        number: n + 1,
        base: Position(n * SEGMENT),
        bytes: SEGMENT,
        generation: n,
        created_ms: 0,
    };
    (0..4).map(segment).collect()
}

/// A partition with one batch of one record in each of these segments.
fn add(partitions: &mut Partitions, p: PartitionId, in_segments: &[u64]) {
    for (n, segment) in in_segments.iter().enumerate() {
        let entry = Entry {
            kind: Kind::Batch,
            group: LogGroup(0),
            term: Term(1),
            index: LogIndex(1),
            partition: p,
            base: Offset(n as i64),
            last_delta: 0,
            max_timestamp: Timestamp(0),
        };
        partitions.recovered(&entry, Position(segment * SEGMENT + 10_000 + p.0 * 8), 1).expect("in order");
    }
}

fn trim(partitions: &mut Partitions, p: PartitionId, start: i64, note: u64) {
    let entry = Entry::note(Kind::LogStart, p, Offset(start));
    partitions.recovered_start(&entry, Position(note * SEGMENT + 50_000));
}

fn ends(segment: u64) -> GroupEnds {
    let end = GroupEnd { group: LogGroup(0), term: Term(1), index: LogIndex(9) };
    GroupEnds::from([(LogGroup(0), (end, Position(segment * SEGMENT + 90_000)))])
}

const ALL: Position = Position(3 * SEGMENT + 100_000);

#[test]
fn a_live_batch_keeps_its_segment_and_all_after_it() {
    let mut partitions = Partitions::default();
    add(&mut partitions, PartitionId(1), &[0, 2]);
    add(&mut partitions, PartitionId(2), &[1, 3]);
    assert_eq!(plan(&segments(), 4, ALL, &partitions, &ends(3)), Reclaim::Nothing);
    trim(&mut partitions, PartitionId(1), 1, 3);
    assert_eq!(plan(&segments(), 4, ALL, &partitions, &ends(3)), Reclaim::RemoveFirst);
    assert_eq!(plan(&segments()[1..], 4, ALL, &partitions, &ends(3)), Reclaim::Nothing, "partition 2 is in the second");
    partitions.forget(PartitionId(2));
    assert_eq!(plan(&segments()[1..], 4, ALL, &partitions, &ends(3)), Reclaim::RemoveFirst);
    assert_eq!(plan(&segments()[2..], 4, ALL, &partitions, &ends(3)), Reclaim::Nothing);
}

#[test]
fn the_segment_that_is_written_stays_and_so_does_what_is_not_durable() {
    let partitions = Partitions::default();
    assert_eq!(plan(&segments()[3..], 4, ALL, &partitions, &ends(3)), Reclaim::Nothing);
    let within_third = Position(2 * SEGMENT + 20_000);
    assert_eq!(plan(&segments()[2..], 4, within_third, &partitions, &ends(3)), Reclaim::Nothing);
    assert_eq!(plan(&segments()[1..], 4, within_third, &partitions, &ends(3)), Reclaim::RemoveFirst);
}

#[test]
fn what_must_outlive_a_segment_is_noted_again_first() {
    let mut partitions = Partitions::default();
    add(&mut partitions, PartitionId(1), &[0, 1]);
    trim(&mut partitions, PartitionId(1), 2, 1);
    let renew = Reclaim::Renew { starts: vec![PartitionId(1)], groups: true };
    assert_eq!(plan(&segments(), 4, ALL, &partitions, &ends(0)), renew);
    trim(&mut partitions, PartitionId(1), 2, 3);
    assert_eq!(plan(&segments(), 4, ALL, &partitions, &ends(3)), Reclaim::RemoveFirst);
}
