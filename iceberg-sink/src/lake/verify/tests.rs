//! Are duplicates, gaps and strays told apart?

use model::Offset;

use super::*;

fn report(next: i64, skipped: i64, rows: &[(i64, i64)], dead: &[(i64, i64)]) -> PartitionReport {
    let mut ledger = Ledger::default();
    ledger.advance(0, Offset(next), skipped);
    judge(0, &ledger, rows.to_vec(), dead.to_vec())
}

#[test]
fn whole_partitions_are_whole() {
    assert!(report(0, 0, &[], &[]).ok);
    assert!(report(10, 0, &[(4, 10), (0, 4)], &[]).ok);
    assert!(report(10, 3, &[(0, 4), (6, 9)], &[]).ok);
    let mixed = report(10, 0, &[(0, 3), (4, 10)], &[(3, 4)]);
    assert!(mixed.ok);
    assert_eq!((mixed.rows, mixed.dead_letters, mixed.min, mixed.max), (9, 1, Some(0), Some(9)));
    assert!(report(10, 0, &[(0, 10)], &[(12, 13)]).ok, "dead letters come first");
}

#[test]
fn what_is_wrong_is_counted() {
    assert_eq!(report(10, 0, &[(0, 6), (4, 10)], &[]).duplicates, 2);
    assert_eq!(report(10, 0, &[(0, 10)], &[(2, 3)]).duplicates, 1);
    assert_eq!(report(10, 0, &[(0, 4), (5, 8)], &[]).missing, 3);
    assert_eq!(report(10, 0, &[(0, 12)], &[]).beyond, 2);
    for bad in [
        report(10, 0, &[(0, 10), (0, 10)], &[]),
        report(10, 1, &[(0, 10)], &[]),
        report(10, 1, &[(0, 8)], &[]),
        report(10, 0, &[(0, 10), (11, 12)], &[]),
    ] {
        assert!(!bad.ok, "{bad:?}");
    }
}
