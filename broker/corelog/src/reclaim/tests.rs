//! Does a segment go when nothing in it is needed, and never before?

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
        partitions.found(0, &entry, false).expect("in order");
        partitions.list(0, &entry, Some(Position(segment * SEGMENT + 10_000 + p.0 * 8)), 1);
    }
}

fn trim(partitions: &mut Partitions, p: PartitionId, start: i64, note: u64) {
    let entry = Entry::note(Kind::LogStart, p, Offset(start));
    partitions.found_start(0, &entry, entry.base, Position(note * SEGMENT + 50_000));
}

fn ends(segment: u64) -> Notes {
    let end = GroupEnd { group: LogGroup(0), term: Term(1), index: LogIndex(9) };
    let at = Position(segment * SEGMENT + 90_000);
    let mut notes = Notes::default();
    notes.ends.insert(LogGroup(0), (end, at));
    notes
}

const ALL: Position = Position(3 * SEGMENT + 100_000);

#[test]
fn a_live_batch_keeps_its_segment() {
    let mut partitions = Partitions::default();
    add(&mut partitions, PartitionId(1), &[0, 2]);
    add(&mut partitions, PartitionId(2), &[1, 3]);
    assert_eq!(plan(&segments(), 4, ALL, &partitions, &ends(3)), Reclaim::Nothing);
    trim(&mut partitions, PartitionId(1), 1, 3);
    assert_eq!(plan(&segments(), 4, ALL, &partitions, &ends(3)), Reclaim::Remove(1));
    assert_eq!(plan(&segments()[1..], 4, ALL, &partitions, &ends(3)), Reclaim::Nothing, "partition 2 is in the second");
    partitions.forget(PartitionId(2));
    assert_eq!(plan(&segments()[1..], 4, ALL, &partitions, &ends(3)), Reclaim::Remove(2));
    assert_eq!(plan(&segments()[2..], 4, ALL, &partitions, &ends(3)), Reclaim::Nothing);
}

#[test]
fn the_segment_that_is_written_stays_and_so_does_what_is_not_durable() {
    let partitions = Partitions::default();
    assert_eq!(plan(&segments()[3..], 4, ALL, &partitions, &ends(3)), Reclaim::Nothing);
    let within_third = Position(2 * SEGMENT + 20_000);
    assert_eq!(plan(&segments()[2..], 4, within_third, &partitions, &ends(3)), Reclaim::Nothing);
    assert_eq!(plan(&segments()[1..], 4, within_third, &partitions, &ends(3)), Reclaim::Remove(2));
}

#[test]
fn what_must_outlive_a_segment_is_noted_again_first() {
    let mut partitions = Partitions::default();
    add(&mut partitions, PartitionId(1), &[0, 1]);
    trim(&mut partitions, PartitionId(1), 2, 1);
    let renew = Reclaim::Renew(Renew { starts: vec![PartitionId(1)], groups: true, ..Renew::default() });
    assert_eq!(plan(&segments(), 4, ALL, &partitions, &ends(0)), renew);
    trim(&mut partitions, PartitionId(1), 2, 3);
    assert_eq!(plan(&segments(), 4, ALL, &partitions, &ends(3)), Reclaim::Remove(1));
}

/// The notes of a log in which the last frame before each segment is known.
fn known(ends_in: u64) -> Notes {
    let mut notes = ends(ends_in);
    segments().iter().for_each(|segment| notes.entered(segment, Position(segment.base.0.saturating_sub(8))));
    notes
}

#[test]
fn a_segment_of_the_middle_goes_once_its_gap_is_noted() {
    let mut partitions = Partitions::default();
    add(&mut partitions, PartitionId(1), &[0]);
    add(&mut partitions, PartitionId(2), &[1, 3]);
    assert_eq!(plan(&segments(), 4, ALL, &partitions, &ends(3)), Reclaim::Nothing, "what came before is not known");
    let mut notes = known(3);
    let mut gaps = Gaps::default();
    gaps.add(&segments()[2], Position(2 * SEGMENT - 8));
    let renew = Renew { gaps: Some(gaps.clone()), ..Renew::default() };
    assert_eq!(plan(&segments(), 4, ALL, &partitions, &notes), Reclaim::Renew(renew));
    (notes.gaps, notes.gaps_at) = (gaps.clone(), Some(Position(3 * SEGMENT + 60_000)));
    assert_eq!(plan(&segments(), 4, ALL, &partitions, &notes), Reclaim::Remove(3));
    trim(&mut partitions, PartitionId(2), 1, 3);
    gaps.add(&segments()[1], Position(SEGMENT - 8));
    let renew = Renew { gaps: Some(gaps), ..Renew::default() };
    assert_eq!(plan(&segments(), 4, ALL, &partitions, &notes), Reclaim::Renew(renew), "the gap has grown");
    trim(&mut partitions, PartitionId(1), 1, 3);
    assert_eq!(plan(&segments(), 4, ALL, &partitions, &notes), Reclaim::Remove(1), "now it is the front");
}

#[test]
fn the_table_of_gaps_outlives_its_segment() {
    let mut partitions = Partitions::default();
    add(&mut partitions, PartitionId(1), &[0, 3]);
    let mut notes = known(3);
    notes.gaps.add(&segments()[1], Position(SEGMENT - 8));
    notes.gaps_at = Some(Position(2 * SEGMENT + 60_000));
    let left: Vec<Segment> = segments().into_iter().filter(|segment| segment.number != 2).collect();
    let mut gaps = notes.gaps.clone();
    gaps.add(&segments()[2], Position(2 * SEGMENT - 8));
    notes.gaps = gaps.clone();
    let renew = Renew { gaps: Some(gaps), ..Renew::default() };
    assert_eq!(plan(&left, 4, ALL, &partitions, &notes), Reclaim::Renew(renew));
    notes.gaps_at = Some(Position(3 * SEGMENT + 60_000));
    assert_eq!(plan(&left, 4, ALL, &partitions, &notes), Reclaim::Remove(3));
}

#[test]
fn what_is_forgotten_stays_so_when_the_note_goes_from_the_middle() {
    let (mut partitions, gone) = (Partitions::default(), PartitionId(9));
    add(&mut partitions, PartitionId(1), &[0]);
    let mut notes = known(3);
    notes.gaps.add(&segments()[1], Position(SEGMENT - 8));
    notes.gaps.add(&segments()[2], Position(2 * SEGMENT - 8));
    notes.tombs.insert(gone, Position(SEGMENT + 60_000));
    let renew = Renew { tombs: vec![gone], ..Renew::default() };
    assert_eq!(plan(&segments(), 4, ALL, &partitions, &notes), Reclaim::Renew(renew));
    add(&mut partitions, gone, &[3]);
    assert_eq!(plan(&segments(), 4, ALL, &partitions, &notes), Reclaim::Remove(3), "it lives again: the note stays");
    trim(&mut partitions, PartitionId(1), 1, 3);
    assert_eq!(plan(&segments(), 4, ALL, &partitions, &notes), Reclaim::Remove(1), "no older frames are left then");
}
