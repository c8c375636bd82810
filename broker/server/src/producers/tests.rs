//! Are repeated, missing and outdated batches told apart?

use super::*;

const P: PartitionId = PartitionId(7);

fn claim(epoch: i16, first: i32, count: i32) -> Claim {
    Claim { producer: 1000, epoch, first, count }
}

/// Appends batches of ten at the offsets 0, 10, …
fn with(batches: i32) -> Producers {
    let mut producers = Producers::default();
    for index in 0..batches {
        let claim = claim(0, index * 10, 10);
        assert_eq!(producers.check(P, claim), Ok(Verdict::Append));
        producers.appended(P, claim, Offset(i64::from(index) * 10), 1);
    }
    producers
}

#[test]
fn the_last_five_batches_are_recognised() {
    let producers = with(7);
    for index in 2..7 {
        let verdict = producers.check(P, claim(0, index * 10, 10)).unwrap();
        assert_eq!(verdict, Verdict::Duplicate(Offset(i64::from(index) * 10)));
    }
    let error = producers.check(P, claim(0, 10, 10)).unwrap_err();
    assert_eq!(error.error, ResponseError::OutOfOrderSequenceNumber);
}

#[test]
fn a_gap_is_refused_and_changes_nothing() {
    let producers = with(1);
    assert_eq!(producers.check(P, claim(0, 20, 1)).unwrap_err().error, ResponseError::OutOfOrderSequenceNumber);
    assert_eq!(producers.check(P, claim(0, 10, 1)), Ok(Verdict::Append));
}

#[test]
fn a_batch_that_only_overlaps_is_no_duplicate() {
    let producers = with(1);
    assert_eq!(producers.check(P, claim(0, 0, 5)).unwrap_err().error, ResponseError::OutOfOrderSequenceNumber);
}

#[test]
fn a_new_epoch_begins_at_zero_and_fences_the_old_one() {
    let mut producers = with(2);
    assert!(producers.check(P, claim(1, 20, 1)).is_err());
    assert_eq!(producers.check(P, claim(1, 0, 1)), Ok(Verdict::Append));
    producers.appended(P, claim(1, 0, 1), Offset(20), 2);
    assert_eq!(producers.check(P, claim(0, 20, 1)).unwrap_err().error, ResponseError::InvalidProducerEpoch);
    assert_eq!(producers.check(P, claim(1, 1, 1)), Ok(Verdict::Append));
}

#[test]
fn sequences_wrap_to_zero() {
    let mut producers = Producers::default();
    producers.appended(P, claim(0, i32::MAX - 1, 4), Offset(0), 1);
    assert_eq!(producers.check(P, claim(0, 2, 1)), Ok(Verdict::Append));
    assert_eq!(producers.check(P, claim(0, i32::MAX - 1, 4)), Ok(Verdict::Duplicate(Offset(0))));
}

#[test]
fn unknown_producers_may_begin_anywhere_but_not_below_zero() {
    let producers = Producers::default();
    assert_eq!(producers.check(P, claim(3, 77, 1)), Ok(Verdict::Append));
    assert_eq!(producers.check(P, claim(0, -1, 1)).unwrap_err().error, ResponseError::InvalidRecord);
    assert_eq!(producers.check(P, claim(-1, 0, 1)).unwrap_err().error, ResponseError::InvalidRecord);
}

#[test]
fn silent_producers_and_deleted_partitions_are_forgotten() {
    let mut producers = with(1);
    producers.appended(PartitionId(8), claim(0, 0, 1), Offset(0), PRODUCER_EXPIRY_MS);
    producers.expire(PRODUCER_EXPIRY_MS + 1);
    assert_eq!(producers.count, 1);
    producers.forget(|partition| partition == PartitionId(8));
    assert!(producers.states.is_empty());
}

#[test]
fn their_number_is_bounded_and_the_latest_stay() {
    let mut producers = Producers::default();
    let many = i64::try_from(PRODUCERS_PER_SHARD_MAX).unwrap() + 1;
    for producer in 0..many {
        producers.appended(P, Claim { producer, epoch: 0, first: 0, count: 1 }, Offset(producer), producer);
    }
    assert!(producers.count <= PRODUCERS_PER_SHARD_MAX && producers.count > PRODUCERS_PER_SHARD_MAX / 2);
    let latest = Claim { producer: many - 1, epoch: 0, first: 0, count: 1 };
    assert_eq!(producers.check(P, latest), Ok(Verdict::Duplicate(Offset(many - 1))));
}

#[test]
fn what_follows_a_refused_beginning_is_not_the_beginning() {
    let mut producers = Producers::default();
    producers.refused(P, claim(0, 0, 3), 1);
    let behind = producers.check(P, claim(0, 3, 2)).unwrap_err();
    assert_eq!(behind.error, ResponseError::OutOfOrderSequenceNumber);
    assert_eq!(producers.check(P, claim(0, 0, 2)), Ok(Verdict::Append), "numbered anew");
    producers.appended(P, claim(0, 0, 2), Offset(0), 2);
    assert_eq!(producers.check(P, claim(0, 0, 2)), Ok(Verdict::Duplicate(Offset(0))));
    assert_eq!(producers.check(P, claim(0, 2, 1)), Ok(Verdict::Append));
    producers.refused(P, claim(0, 2, 1), 3);
    assert_eq!(producers.check(P, claim(0, 2, 1)), Ok(Verdict::Append), "a known producer only loses the batch");
    assert_eq!(producers.check(P, claim(1, 0, 1)), Ok(Verdict::Append), "a new epoch begins at 0");
}

#[test]
fn producers_come_back_as_they_were_saved() {
    let mut producers = with(7);
    producers.refused(P, Claim { producer: 2000, ..claim(3, 5, 1) }, 9);
    let mut saved = Vec::new();
    producers.save(P, &mut saved);
    let mut restored = Producers::default();
    restored.restore(P, &saved).expect("it was just saved");
    let (mut again, mut none) = (Vec::new(), Vec::new());
    restored.save(P, &mut again);
    assert_eq!(saved.len(), again.len());
    assert_eq!(restored.count, 2);
    for index in 2..7 {
        assert_eq!(restored.check(P, claim(0, index * 10, 10)), Ok(Verdict::Duplicate(Offset(i64::from(index) * 10))));
    }
    assert_eq!(restored.check(P, claim(0, 70, 1)), Ok(Verdict::Append));
    assert!(restored.check(P, Claim { producer: 2000, ..claim(3, 6, 1) }).is_err(), "5 must come first");
    // What the log shows again changes nothing, what it shows beyond that does.
    restored.found(P, claim(0, 30, 10), Offset(30), 5);
    assert_eq!(restored.check(P, claim(0, 70, 1)), Ok(Verdict::Append));
    restored.found(P, claim(0, 70, 10), Offset(70), 5);
    assert_eq!(restored.check(P, claim(0, 80, 1)), Ok(Verdict::Append));
    restored.save(PartitionId(99), &mut none);
    assert!(none.is_empty() && Producers::default().restore(P, &none).is_some());
}

#[test]
fn what_is_not_saved_producers_is_refused() {
    let mut saved = Vec::new();
    with(3).save(P, &mut saved);
    for len in 2..saved.len() {
        assert!(Producers::default().restore(P, &saved[..len]).is_none(), "{len} bytes");
    }
    saved[0] += 1;
    assert!(Producers::default().restore(P, &saved).is_none(), "another version");
}
