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

fn frontiers(partitions: &Partitions) -> (i64, i64, i64) {
    let frontiers = partitions.frontiers(P);
    (frontiers.log_start().0, frontiers.high_watermark().0, frontiers.log_end().0)
}

#[test]
fn the_log_end_moves_with_the_append_and_the_high_watermark_when_it_is_durable() {
    let mut partitions = Partitions::default();
    assert_eq!(partitions.append(P, 3, 10), Offset(0));
    assert_eq!(partitions.append(P, 2, 11), Offset(3));
    assert_eq!(frontiers(&partitions), (0, 0, 5));
    assert_eq!(partitions.durable(10, &entry(0, 3), Position(8), 1), Some(Offset(3)));
    assert_eq!(frontiers(&partitions), (0, 3, 5));
}

#[test]
fn frames_of_a_forgotten_partition_do_not_come_back_in_a_new_one_of_its_id() {
    let mut partitions = Partitions::default();
    partitions.append(P, 3, 10);
    assert!(partitions.forget(P) && !partitions.forget(P));
    assert_eq!(partitions.durable(10, &entry(0, 3), Position(8), 1), None);
    assert_eq!(partitions.append(P, 1, 12), Offset(0));
    assert_eq!(partitions.durable(10, &entry(0, 3), Position(8), 1), None);
    assert_eq!(frontiers(&partitions), (0, 0, 1));
}

#[test]
fn a_gap_is_lost_until_it_lies_below_the_log_start() {
    let mut partitions = Partitions::default();
    partitions.recovered(&entry(2, 1), Position(8), 1).expect("in order");
    partitions.recovered_damaged(&entry(5, 2)).expect("in order");
    let partition = partitions.get(P).expect("it has frames");
    assert_eq!(partition.lost, [Offset(0)..Offset(2), Offset(3)..Offset(5), Offset(5)..Offset(7)]);
    let error = partition.damage_at(P, Offset(6)).expect("it is lost");
    assert_eq!(error.kind, Kind::Damaged);
    assert!(error.message.contains("offsets 5 to 6 of partition 1"), "{error}");
    assert!(partition.damage_at(P, Offset(2)).is_none() && partition.damage_at(P, Offset(7)).is_none());
    let start = Entry { kind: FrameKind::LogStart, ..entry(5, 1) };
    partitions.recovered_start(&start, start.base, Position(16));
    assert_eq!(partitions.get(P).expect("it has frames").lost, [Offset(5)..Offset(7)]);
    assert_eq!(frontiers(&partitions), (5, 7, 7));
}

#[test]
fn offsets_seen_twice_are_damage() {
    let mut partitions = Partitions::default();
    partitions.recovered(&entry(0, 3), Position(8), 1).expect("in order");
    assert_eq!(partitions.recovered(&entry(2, 1), Position(16), 1).expect_err("twice").kind, Kind::Damaged);
}

#[test]
fn a_log_start_is_the_least_end() {
    let mut partitions = Partitions::default();
    let start = Entry { kind: FrameKind::LogStart, ..entry(40, 1) };
    partitions.recovered_start(&start, start.base, Position(16));
    assert_eq!(frontiers(&partitions), (40, 40, 40));
    partitions.recovered(&entry(40, 1), Position(24), 1).expect("in order");
    let older = Entry { kind: FrameKind::LogStart, ..entry(30, 1) };
    partitions.recovered_start(&older, older.base, Position(32));
    assert_eq!(frontiers(&partitions), (40, 41, 41), "it never goes back");
}

#[test]
fn the_log_may_begin_behind_what_consumers_may_read() {
    let mut partitions = Partitions::default();
    partitions.recovered(&entry(40, 10), Position(8), 1).expect("in order");
    let start = Entry { kind: FrameKind::LogStart, ..entry(45, 1) };
    partitions.recovered_start(&start, Offset(7), Position(16));
    let at = partitions.frontiers(P);
    assert_eq!((at.log_start(), at.local_start(), at.log_end()), (Offset(7), Offset(45), Offset(50)));
    assert!(partitions.get(P).expect("it is there").lost.is_empty(), "what lies before is no damage");
    let trimmed = Entry { kind: FrameKind::LogStart, ..entry(48, 1) };
    partitions.recovered_start(&trimmed, Offset(99), Position(24));
    let at = partitions.frontiers(P);
    assert_eq!((at.log_start(), at.local_start()), (Offset(48), Offset(48)), "a start behind the base is none");
}
