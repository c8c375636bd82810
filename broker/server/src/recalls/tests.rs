//! Is each place read once, shared, bounded, and told to all that wait?

use model::Error;

use super::*;

const P: PartitionId = PartitionId(1);

fn batch(bytes: usize) -> Result<Vec<Bytes>> {
    Ok(vec![Bytes::from(vec![7; bytes])])
}

#[test]
fn a_place_is_read_once_for_all_that_want_it() {
    let mut recalls = Recalls::default();
    assert_eq!(recalls.ask(P, Offset(5)), Asked::Begin);
    assert_eq!(recalls.ask(P, Offset(5)), Asked::UnderWay);
    assert!(!recalls.is_settled(P, Offset(5)) && !recalls.begin_ahead(P, Offset(5)));
    assert_eq!(recalls.ended(P, Offset(5), batch(9)), [P]);
    assert!(recalls.is_settled(P, Offset(5)));
    assert_eq!(recalls.ask(P, Offset(5)), Asked::Here(batch(9)));
    assert_eq!(recalls.ask(P, Offset(5)), Asked::Here(batch(9)), "a follower finds it as well");
    assert!(recalls.begin_ahead(P, Offset(6)));
    assert_eq!(recalls.ask(P, Offset(6)), Asked::UnderWay);
}

#[test]
fn failures_are_told_once_and_tried_again() {
    let mut recalls = Recalls::default();
    assert_eq!(recalls.ask(P, Offset(5)), Asked::Begin);
    recalls.ended(P, Offset(5), Err(Error::busy("later")));
    assert_eq!(recalls.ask(P, Offset(5)), Asked::Here(Err(Error::busy("later"))));
    assert_eq!(recalls.ask(P, Offset(5)), Asked::Begin);
}

#[test]
fn what_was_not_used_for_longest_makes_room() {
    let mut recalls = Recalls::default();
    for from in 0..3 {
        assert_eq!(recalls.ask(P, Offset(from)), Asked::Begin);
    }
    recalls.ended(P, Offset(0), batch(RECALLED_BYTES_MAX / 2));
    recalls.ended(P, Offset(1), batch(RECALLED_BYTES_MAX / 2));
    assert!(matches!(recalls.ask(P, Offset(0)), Asked::Here(_)));
    recalls.ended(P, Offset(2), batch(1));
    assert!(matches!(recalls.ask(P, Offset(0)), Asked::Here(_)));
    assert_eq!(recalls.ask(P, Offset(1)), Asked::Begin);
    recalls.ended(P, Offset(1), batch(RECALLED_BYTES_MAX * 2));
    assert!(matches!(recalls.ask(P, Offset(1)), Asked::Here(_)), "the largest is kept alone");
    assert_eq!((recalls.bytes, recalls.by_use.len()), (RECALLED_BYTES_MAX * 2, 1));
}

#[test]
fn those_that_were_turned_away_are_woken_when_one_has_ended() {
    let mut recalls = Recalls::default();
    for from in 0..RECALLS_UNDER_WAY_MAX as i64 {
        assert_eq!(recalls.ask(P, Offset(from)), Asked::Begin);
    }
    let late = PartitionId(2);
    assert!(!recalls.begin_ahead(late, Offset(0)));
    assert_eq!(recalls.ask(late, Offset(0)), Asked::UnderWay);
    assert!(!recalls.is_settled(late, Offset(0)), "it has to wait");
    let mut woken = recalls.ended(P, Offset(0), batch(1));
    woken.sort();
    assert_eq!(woken, [P, late]);
    assert!(recalls.is_settled(late, Offset(0)));
    assert_eq!(recalls.ask(late, Offset(0)), Asked::Begin);
}

#[test]
fn nothing_is_kept_of_partitions_that_are_gone() {
    let mut recalls = Recalls::default();
    assert_eq!(recalls.ask(P, Offset(0)), Asked::Begin);
    assert_eq!(recalls.ask(P, Offset(1)), Asked::Begin);
    recalls.ended(P, Offset(0), batch(1));
    recalls.forget(&HashSet::from([P]));
    recalls.ended(P, Offset(1), batch(1));
    assert_eq!((recalls.recalls.len(), recalls.bytes, recalls.under_way), (0, 0, 0));
}
