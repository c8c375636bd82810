//! Do the partitions of a log keep their offsets apart?

use model::{Kind, LogGroup, LogIndex, Term, Timestamp};

use super::*;
use crate::frame::Kind as FrameKind;

const P: PartitionId = PartitionId(1);

fn entry(base: i64, count: i32) -> Entry {
    Entry {
        kind: FrameKind::Batch,
        group: LogGroup(0),
        term: Term(1),
        index: LogIndex(1),
        partition: P,
        base: Offset(base),
        last_delta: count - 1,
        max_timestamp: Timestamp(base),
    }
}

fn found(partitions: &mut Partitions, entry: &Entry, at: u64) -> Result<()> {
    partitions.found(0, entry, false)?;
    partitions.list(0, entry, Some(Position(at)), 1);
    Ok(())
}

fn frontiers(partitions: &Partitions) -> (i64, i64, i64) {
    let frontiers = partitions.frontiers(P);
    (frontiers.log_start().0, frontiers.high_watermark().0, frontiers.log_end().0)
}

#[test]
fn the_log_end_moves_with_the_append_and_the_high_watermark_when_it_is_durable() {
    let mut partitions = Partitions::default();
    assert_eq!(partitions.reserve(P, 3, 10), Offset(0));
    assert_eq!(partitions.reserve(P, 2, 11), Offset(3));
    assert_eq!(frontiers(&partitions), (0, 0, 5));
    assert_eq!(partitions.list(10, &entry(0, 3), Some(Position(8)), 1), Some(Offset(3)));
    assert_eq!(frontiers(&partitions), (0, 3, 5));
}

#[test]
fn frames_of_a_forgotten_partition_do_not_come_back_in_a_new_one_of_its_id() {
    let mut partitions = Partitions::default();
    partitions.reserve(P, 3, 10);
    assert!(partitions.forget(P) && !partitions.forget(P));
    assert_eq!(partitions.list(10, &entry(0, 3), Some(Position(8)), 1), None);
    assert_eq!(partitions.reserve(P, 1, 12), Offset(0));
    assert_eq!(partitions.list(10, &entry(0, 3), Some(Position(8)), 1), None);
    assert_eq!(frontiers(&partitions), (0, 0, 1));
}

#[test]
fn a_gap_is_lost_until_it_lies_below_the_log_start() {
    let mut partitions = Partitions::default();
    found(&mut partitions, &entry(2, 1), 8).expect("in order");
    partitions.found(0, &entry(5, 2), true).expect("in order");
    partitions.list(0, &entry(5, 2), None, 1);
    let partition = partitions.get(P).expect("it has frames");
    assert_eq!(partition.lost, [Offset(0)..Offset(2), Offset(3)..Offset(5), Offset(5)..Offset(7)]);
    let error = partition.damage_at(P, Offset(6)).expect("it is lost");
    assert_eq!(error.kind, Kind::Damaged);
    assert!(error.message.contains("offsets 5 to 6 of partition 1"), "{error}");
    assert!(partition.damage_at(P, Offset(2)).is_none() && partition.damage_at(P, Offset(7)).is_none());
    let start = Entry { kind: FrameKind::LogStart, ..entry(5, 1) };
    partitions.found_start(0, &start, start.base, Position(16));
    assert_eq!(partitions.get(P).expect("it has frames").lost, [Offset(5)..Offset(7)]);
    assert_eq!(frontiers(&partitions), (5, 7, 7));
}

#[test]
fn offsets_seen_twice_are_damage() {
    let mut partitions = Partitions::default();
    found(&mut partitions, &entry(0, 3), 8).expect("in order");
    assert_eq!(found(&mut partitions, &entry(2, 1), 16).expect_err("twice").kind, Kind::Damaged);
}

#[test]
fn a_log_start_is_the_least_end() {
    let mut partitions = Partitions::default();
    let start = Entry { kind: FrameKind::LogStart, ..entry(40, 1) };
    partitions.found_start(0, &start, start.base, Position(16));
    assert_eq!(frontiers(&partitions), (40, 40, 40));
    found(&mut partitions, &entry(40, 1), 24).expect("in order");
    let older = Entry { kind: FrameKind::LogStart, ..entry(30, 1) };
    partitions.found_start(0, &older, older.base, Position(32));
    assert_eq!(frontiers(&partitions), (40, 41, 41), "it never goes back");
}

#[test]
fn batches_take_their_place_in_the_order_of_their_offsets() {
    let mut partitions = Partitions::default();
    let spot = |base, count| Spot::of(&entry(base, count));
    partitions.reserve(P, 3, 0);
    partitions.reserve(P, 2, 0);
    assert_eq!(partitions.place(&spot(3, 2), 1).expect_err("0 comes first").kind, Kind::Conflict);
    assert_eq!(partitions.place(&spot(0, 3), 1).expect("it is next"), Placing::Reserved);
    assert_eq!(partitions.place(&spot(3, 2), 1).expect("it is next"), Placing::Reserved);
    assert_eq!(partitions.place(&spot(5, 1), 1).expect("it is next"), Placing::Fresh, "of another leader");
    assert_eq!(frontiers(&partitions), (0, 0, 6));
    partitions.forget(P);
    assert_eq!(partitions.place(&spot(6, 1), 2).expect("it is next"), Placing::Forgotten);
}

#[test]
fn what_is_cut_gives_its_offsets_back() {
    let mut partitions = Partitions::default();
    found(&mut partitions, &entry(0, 3), 8).expect("in order");
    let slot = |sequence, entry, before| Slot {
        entry,
        sequence,
        before,
        at: None,
        payload_bytes: 1,
        payload: None,
        lost: false,
    };
    let before = partitions.found(1, &entry(3, 2), false).expect("in order");
    let last = slot(2, entry(6, 2), partitions.found(2, &entry(6, 2), true).expect("a gap is no error"));
    assert_eq!((before, last.before), (Offset(3), Offset(5)));
    partitions.cut(&last);
    assert_eq!(frontiers(&partitions), (0, 3, 5), "what was missing before it is given out");
    partitions.cut(&slot(1, entry(3, 2), before));
    assert_eq!(frontiers(&partitions), (0, 3, 3));
    assert!(partitions.get(P).expect("it has frames").lost.is_empty());
    assert_eq!(partitions.reserve(P, 1, 3), Offset(3));
}

#[test]
fn the_log_may_begin_behind_what_consumers_may_read() {
    let mut partitions = Partitions::default();
    found(&mut partitions, &entry(40, 10), 8).expect("in order");
    let start = Entry { kind: FrameKind::LogStart, ..entry(45, 1) };
    partitions.found_start(0, &start, Offset(7), Position(16));
    let at = partitions.frontiers(P);
    assert_eq!((at.log_start(), at.local_start(), at.log_end()), (Offset(7), Offset(45), Offset(50)));
    assert!(partitions.get(P).expect("it is there").lost.is_empty(), "what lies before is no damage");
    let trimmed = Entry { kind: FrameKind::LogStart, ..entry(48, 1) };
    partitions.found_start(0, &trimmed, Offset(99), Position(24));
    let at = partitions.frontiers(P);
    assert_eq!((at.log_start(), at.local_start()), (Offset(48), Offset(48)), "a start behind the base is none");
}
