//! Do acknowledgements keep the order of the log, whatever order writes end in?

use bytes::Bytes;
use model::limits::IO_BYTES_MAX;
use model::{LogGroup, Offset, PartitionId, Term, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::tests::planted::{Bug, is_planted};

const START: Position = Position(8192);

fn commit(segment_bytes: u64) -> Commit {
    Commit::new(START, Position(START.0 + segment_bytes), Position(0))
}

fn pending(sequence: u64, payload_bytes: usize) -> Pending {
    let (group, index) = (LogGroup(1), LogIndex(sequence + 1));
    let entry = Entry {
        kind: Kind::Batch,
        group,
        term: Term(1),
        index,
        partition: PartitionId(1),
        base: Offset(sequence.cast_signed()),
        last_delta: 0,
        max_timestamp: Timestamp(0),
    };
    Pending { sequence, entry, payload: Bytes::from(vec![0; payload_bytes]) }
}

fn group(commit: &mut Commit) -> (Group, WriteId) {
    match commit.next() {
        Next::Group(group, first) => (group, first),
        other => panic!("no group, but {other:?}"),
    }
}

#[test]
fn all_that_waits_goes_together_and_blocks_are_never_shared() {
    let mut commit = commit(1 << 20);
    (0..3).for_each(|n| commit.push(pending(n, 100)));
    let (first, id) = group(&mut commit);
    assert_eq!((first.start, first.bytes, first.frames.len()), (START, 4096, 3));
    assert_eq!(first.frames[1].position, Position(START.0 + 216));
    commit.push(pending(3, 100));
    let (second, _) = group(&mut commit);
    assert_eq!((second.start, second.bytes), (Position(START.0 + 4096), 4096));
    assert_eq!(second.previous, first.frames[2].position);
    assert_eq!((second.session, second.durable), (START, START), "the first has not ended");
    assert_eq!(commit.ended(id).len(), 3);
    commit.push(pending(4, 100));
    assert_eq!(group(&mut commit).0.durable, Position(START.0 + 4096));
}

#[test]
fn frames_are_retired_in_order_only() {
    let mut commit = commit(1 << 20);
    let ids: Vec<WriteId> = (0..3)
        .map(|n| {
            commit.push(pending(n, 10));
            group(&mut commit).1
        })
        .collect();
    assert!(commit.ended(ids[2]).is_empty() && commit.ended(ids[1]).is_empty());
    assert_eq!(commit.durable(), START);
    let retired: Vec<u64> = commit.ended(ids[0]).iter().map(|retired| retired.sequence).collect();
    assert_eq!(retired, [0, 1, 2]);
    assert!(commit.is_idle() && commit.backlog_bytes() == 0);
}

#[test]
fn a_large_frame_is_durable_with_its_last_write() {
    let mut commit = commit(16 << 20);
    commit.push(pending(0, 5 * IO_BYTES_MAX));
    commit.push(pending(1, 10));
    let (large, first) = group(&mut commit);
    assert_eq!(large.frames.len(), 1);
    assert_eq!(large.writes().map(|(_, bytes)| bytes).collect::<Vec<_>>(), [&[IO_BYTES_MAX; 5][..], &[4096]].concat());
    assert!(matches!(commit.next(), Next::Wait), "all slots are taken");
    let ids: Vec<WriteId> = std::iter::successors(Some(first), |id| Some(id.next())).take(6).collect();
    assert_eq!(ids.iter().filter(|id| commit.may_issue(**id)).count(), WRITES_IN_FLIGHT_MAX);
    for id in &ids[..5] {
        assert!(commit.ended(*id).is_empty());
    }
    assert_eq!(commit.ended(ids[5]).len(), 1);
    assert_eq!(group(&mut commit).0.start, Position(START.0 + 5 * IO_BYTES_MAX as u64 + 4096));
}

#[test]
fn a_group_does_not_span_segments() {
    let mut commit = commit(8192);
    (0..3).for_each(|n| commit.push(pending(n, 3900)));
    assert_eq!(group(&mut commit).0.frames.len(), 2);
    assert!(matches!(commit.next(), Next::Segment));
    assert!(matches!(commit.next(), Next::Segment), "asking changes nothing");
    let next = Position(START.0 + 8192 + 8192);
    commit.enter(next, Position(next.0 + 8192));
    assert_eq!(group(&mut commit).0.start, next);
}

#[test]
#[should_panic(expected = "would have a gap")]
fn a_gap_in_a_log_group_is_refused() {
    let mut commit = commit(1 << 20);
    commit.push(pending(0, 1));
    commit.push(pending(2, 1));
}

proptest! {
    /// Whatever is pushed and however writes end: positions follow one another, nothing is lost, nothing is early.
    #[test]
    fn every_frame_is_retired_once_and_in_order(
        sizes in prop::collection::vec(prop_oneof![1..3000usize, Just(70_000), Just(2_500_000)], 1..80),
        dice in prop::collection::vec(any::<u8>(), 1..200),
    ) {
        let mut commit = commit(4 << 20);
        let mut dice = dice.into_iter().cycle();
        let mut roll = move |below: usize| dice.next().expect("it cycles") as usize % below;
        let (mut sizes, mut pushed) = (sizes.into_iter(), 0);
        let (mut unissued, mut in_flight): (Vec<WriteId>, Vec<WriteId>) = (Vec::new(), Vec::new());
        let (mut end, mut retired) = (START, Vec::new());
        loop {
            for size in sizes.by_ref().take(1 + roll(5)) {
                commit.push(pending(pushed, size));
                pushed += 1;
            }
            if unissued.is_empty() {
                match commit.next() {
                    Next::Wait => {}
                    Next::Segment => {
                        end = Position((end.0 / (4 << 20) + 1) * (4 << 20) + 8192);
                        commit.enter(end, Position(end.0 + (4 << 20) - 8192));
                    }
                    Next::Group(group, first) => {
                        prop_assert!(group.start >= end && group.bytes % 4096 == 0);
                        prop_assert!(group.frames.len() == 1 || group.bytes <= IO_BYTES_MAX);
                        end = Position(group.start.0 + group.bytes as u64);
                        unissued.extend(std::iter::successors(Some(first), |id| Some(id.next())).take(group.writes().count()));
                    }
                }
            }
            while unissued.first().is_some_and(|id| commit.may_issue(*id)) {
                in_flight.push(unissued.remove(0));
            }
            prop_assert!(in_flight.len() <= WRITES_IN_FLIGHT_MAX);
            if !in_flight.is_empty() {
                let id = in_flight.remove(roll(in_flight.len()));
                retired.extend(commit.ended(id).into_iter().map(|retired| retired.sequence));
            } else if commit.is_idle() && sizes.len() == 0 {
                break;
            }
        }
        prop_assert_eq!(retired, (0..pushed).collect::<Vec<_>>());
        prop_assert_eq!(commit.backlog_bytes(), 0);
    }
}

impl Commit {
    /// As the simulator wants it wrong: writes before one that has ended count as ended, or their frames do.
    pub(super) fn planted(&mut self, id: WriteId) -> Option<WriteId> {
        if is_planted(Bug::OutOfOrder) {
            // What really ends later has been counted already.
            let at = usize::try_from(id.0.checked_sub(self.first_write.0)?).expect("few writes are in flight");
            self.writes.iter_mut().take(at).for_each(|write| write.ended = true);
        }
        if is_planted(Bug::AckedEarly) && !self.writes.iter().any(|write| write.ended) {
            // The frames of the write behind the oldest are told with it.
            if let [first, second, ..] = self.writes.make_contiguous() {
                first.frames.append(&mut second.frames);
            }
        }
        Some(id)
    }
}
