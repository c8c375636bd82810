//! Do Raft groups that share one log keep their votes, entries and cuts?

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use model::{Kind, LogGroup, LogIndex, Offset, PartitionId, Term};
use runtime::Driver;

use super::fake::{Fake, Image};
use super::tools::{batch, body, config, open, read_all};
use crate::log::{CoreLog, LogConfig};
use crate::raft::{Content, EntryId, GroupEntry, Vote};

const P: PartitionId = PartitionId(7);
const Q: PartitionId = PartitionId(8);
const G: LogGroup = LogGroup(0);
const H: LogGroup = LogGroup(5);

fn id(term: u64, index: u64) -> EntryId {
    EntryId { term: Term(term), index: LogIndex(index) }
}

fn own(term: u64, index: u64, bytes: &'static [u8]) -> GroupEntry {
    GroupEntry { id: id(term, index), content: Content::Own(Bytes::from_static(bytes)) }
}

fn of_batch<D: Driver>(log: &CoreLog<D>, p: PartitionId, at: EntryId, salt: u64, count: u64) -> GroupEntry {
    let batch = batch(salt, count, 100);
    let spot = log.reserve(p, &batch).expect("there is room");
    GroupEntry { id: at, content: Content::Batch(spot, batch) }
}

/// Appends, and returns once all is durable and its callback has run.
async fn write(log: &CoreLog<Fake>, group: LogGroup, entries: Vec<GroupEntry>) {
    let called = Rc::new(RefCell::new(Vec::new()));
    let told = called.clone();
    let flushed = Box::new(move |result| told.borrow_mut().push(result));
    log.append_entries(group, entries, flushed).expect("they follow");
    assert!(called.borrow().is_empty(), "nothing is durable yet");
    log.flushed().await.expect("the disk works");
    let called = called.take();
    assert!(called.len() == 1 && called[0].is_ok(), "{called:?}");
}

fn on_fake<T: 'static>(fake: &Fake, main: impl AsyncFnOnce(CoreLog<Fake>) -> T + 'static) -> T {
    let driver = fake.clone();
    fake.run(async move { main(open(driver, config()).await).await })
}

fn indexes(entries: &[GroupEntry]) -> Vec<(u64, u64)> {
    entries.iter().map(|entry| (entry.id.term.0, entry.id.index.0)).collect()
}

async fn all(log: &CoreLog<Fake>, group: LogGroup) -> Vec<GroupEntry> {
    log.entries(group, LogIndex(0), LogIndex(u64::MAX)).await.expect("nothing is damaged")
}

#[test]
fn a_batch_is_shown_when_it_is_durable_and_committed() {
    let fake = Fake::new(Image::new(), 1);
    on_fake(&fake, async |log| {
        log.open_group(G);
        let first = of_batch(&log, P, id(1, 1), 1, 3);
        let second = of_batch(&log, P, id(1, 2), 2, 2);
        assert_eq!(log.frontiers(P).log_end(), Offset(5), "offsets are given at once");
        write(&log, G, vec![first.clone(), second]).await;
        assert_eq!(log.frontiers(P).high_watermark(), Offset(0), "not committed");
        assert!(read_all(&log, P).await.expect("in range").is_empty());
        let advanced = Rc::new(RefCell::new(Vec::new()));
        let seen = advanced.clone();
        log.on_advance(move |p, end| seen.borrow_mut().push((p, end)));
        log.commit_group(G, LogIndex(1));
        assert_eq!(advanced.take(), [(P, Offset(3))]);
        assert_eq!(read_all(&log, P).await.expect("in range").len(), 1);
        let third = of_batch(&log, P, id(1, 3), 3, 1);
        log.append_entries(G, vec![third], Box::new(|_| {})).expect("it follows");
        log.commit_group(G, LogIndex(3));
        assert_eq!(log.frontiers(P).high_watermark(), Offset(5), "committed, and not durable here");
        log.flushed().await.expect("the disk works");
        assert_eq!(log.frontiers(P).high_watermark(), Offset(6));
        let entries = all(&log, G).await;
        assert_eq!(indexes(&entries), [(1, 1), (1, 2), (1, 3)]);
        let (Content::Batch(spot, bytes), Content::Batch(sent_spot, sent)) = (&entries[0].content, &first.content)
        else {
            panic!("it is a batch")
        };
        assert!(spot == sent_spot && body(bytes) == body(sent));
    });
}

#[test]
fn votes_entries_and_purge_marks_come_back_after_a_crash() {
    let fake = Fake::new(Image::new(), 2);
    let vote = Vote { term: Term(4), node: 9, committed: true };
    on_fake(&fake, async move |log| {
        log.open_group(G);
        log.open_group(H);
        log.save_vote(G, Vote { term: Term(3), node: 1, committed: false }).expect("the first");
        log.save_vote(G, vote).expect("a later one").await.expect("the disk works");
        assert_eq!(log.save_vote(G, Vote { term: Term(3), ..vote }).expect_err("over").kind, Kind::Conflict);
        let batches = (1..=3).map(|n| of_batch(&log, P, id(4, n), n, 2)).collect();
        write(&log, G, batches).await;
        write(&log, H, vec![own(1, 1, b"a"), own(1, 2, b""), of_batch(&log, Q, id(2, 3), 9, 1)]).await;
        log.purge_group(G, id(4, 2), Bytes::from_static(b"members")).expect("durable").await.expect("the disk works");
    });
    for image in [fake.image(), fake.crash_image()] {
        let fake = Fake::new(image, 3);
        on_fake(&fake, async move |log| {
            let facts = log.open_group(G);
            assert_eq!((facts.vote, facts.purged, facts.last), (Some(vote), id(4, 2), id(4, 3)));
            assert_eq!((&facts.state[..], facts.committed), (&b"members"[..], LogIndex(2)));
            assert_eq!(log.group_facts(H).vote, None);
            assert_eq!(log.frontiers(P).high_watermark(), Offset(4), "what is purged is committed");
            assert_eq!(log.frontiers(P).log_end(), Offset(6));
            assert_eq!(indexes(&all(&log, G).await), [(4, 3)]);
            let entries = all(&log, H).await;
            assert_eq!(indexes(&entries), [(1, 1), (1, 2), (2, 3)]);
            assert_eq!(entries[0], own(1, 1, b"a"), "from the disk");
            log.commit_group(G, LogIndex(3));
            log.commit_group(H, LogIndex(3));
            assert_eq!(read_all(&log, P).await.expect("nothing is damaged").len(), 3);
            assert_eq!(log.frontiers(Q).high_watermark(), Offset(1));
        });
    }
}

#[test]
fn a_cut_tail_stays_away_and_its_offsets_are_given_again() {
    let fake = Fake::new(Image::new(), 4);
    on_fake(&fake, async |log| {
        log.open_group(G);
        log.open_group(H);
        write(&log, G, (1..=4).map(|n| of_batch(&log, P, id(1, n), n, 2)).collect()).await;
        write(&log, H, vec![of_batch(&log, Q, id(1, 1), 50, 1)]).await;
        log.commit_group(G, LogIndex(1));
        assert_eq!(log.truncate_group(G, id(0, 0)).expect_err("committed").kind, Kind::Conflict);
        drop(log.truncate_group(G, id(1, 2)).expect("not committed"));
        assert_eq!(log.frontiers(P).log_end(), Offset(4));
        write(&log, G, vec![of_batch(&log, P, id(2, 3), 30, 1)]).await;
    });
    for image in [fake.image(), fake.crash_image()] {
        let fake = Fake::new(image, 5);
        on_fake(&fake, async |log| {
            assert_eq!(log.damage(), []);
            assert_eq!(indexes(&all(&log, G).await), [(1, 1), (1, 2), (2, 3)]);
            assert_eq!(log.frontiers(P).log_end(), Offset(5));
            log.commit_group(G, LogIndex(3));
            let batches = read_all(&log, P).await.expect("nothing is damaged");
            let expected = [batch(1, 2, 100), batch(2, 2, 100), batch(30, 1, 100)];
            assert_eq!(batches.iter().map(body).collect::<Vec<_>>(), expected.map(|sent| body(&sent)));
            assert_eq!(indexes(&all(&log, H).await), [(1, 1)], "the other group is whole");
        });
    }
}

#[test]
fn entries_that_do_not_follow_are_refused() {
    let fake = Fake::new(Image::new(), 6);
    on_fake(&fake, async |log| {
        let refused = |group, entries| {
            log.append_entries(group, entries, Box::new(|_| panic!("not called"))).expect_err("refused").kind
        };
        assert_eq!(refused(G, vec![own(1, 1, b"")]), Kind::Invalid, "the group is not open");
        log.open_group(G);
        assert_eq!(refused(G, vec![own(1, 2, b"")]), Kind::Conflict, "the first has index 1");
        assert_eq!(refused(G, vec![own(1, 1, b""), own(1, 3, b"")]), Kind::Conflict, "a hole");
        assert_eq!(refused(G, vec![own(2, 1, b""), own(1, 2, b"")]), Kind::Conflict, "terms never fall");
        assert!(all(&log, G).await.is_empty(), "nothing of them was taken");
        write(&log, G, vec![own(1, 1, b""), own(1, 2, b"")]).await;
        assert_eq!(refused(G, vec![own(1, 2, b"")]), Kind::Conflict, "it is there already");
        let late = of_batch(&log, P, id(1, 3), 1, 1);
        let later = of_batch(&log, P, id(1, 3), 2, 1);
        assert_eq!(refused(G, vec![later]), Kind::Conflict, "an earlier offset is missing");
        write(&log, G, vec![late]).await;
        assert_eq!(log.append(P, batch(1, 1, 1), Term(1)).expect_err("Raft appends").kind, Kind::Conflict);
    });
}

#[test]
fn a_failed_write_is_told_once_and_with_its_error() {
    let fake = Fake::new(Image::new(), 7);
    let driver = fake.clone();
    on_fake(&fake, async move |log| {
        log.open_group(G);
        log.flushed().await.expect("the disk works");
        driver.faults().writes_left.set(Some(0));
        let told = Rc::new(RefCell::new(Vec::new()));
        let seen = told.clone();
        let flushed = Box::new(move |result: model::Result<()>| seen.borrow_mut().push(result));
        log.append_entries(G, vec![own(1, 1, b"")], flushed).expect("nobody knows yet");
        log.flushed().await.expect_err("the write failed");
        let told = told.take();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].clone().expect_err("it failed").kind, Kind::Fenced);
        let refused = log.append_entries(G, vec![own(1, 2, b"")], Box::new(|_| panic!("not called")));
        assert_eq!(refused.expect_err("for good").kind, Kind::Fenced);
    });
}

#[test]
fn a_deleted_partition_leaves_an_entry_without_a_batch() {
    let fake = Fake::new(Image::new(), 8);
    on_fake(&fake, async |log| {
        log.open_group(G);
        write(&log, G, vec![of_batch(&log, P, id(1, 1), 1, 2)]).await;
        let late = of_batch(&log, P, id(1, 2), 2, 2);
        log.forget(P);
        write(&log, G, vec![late, of_batch(&log, Q, id(1, 3), 3, 1)]).await;
        log.commit_group(G, LogIndex(3));
        assert_eq!((log.partitions(), log.backlog_bytes()), (vec![Q], 0));
    });
    let fake = Fake::new(fake.crash_image(), 9);
    on_fake(&fake, async |log| assert_eq!(log.partitions(), [Q]));
}

#[test]
fn a_log_of_the_first_format_opens_and_goes_on_in_a_group() {
    let file = include_bytes!("../../fixtures/format-1/core-0000000001.log");
    let config = || LogConfig { segment_bytes: 32 * 1024, ..config() };
    let mut image = Image::new();
    image.insert(config().dir.join("core-0000000001.log"), file.to_vec());
    for life in 0..2 {
        let fake = Fake::new(image, life);
        let driver = fake.clone();
        fake.run(async move {
            let log = open(driver, config()).await;
            assert_eq!(log.damage(), []);
            let facts = log.open_group(G);
            assert_eq!((facts.purged, facts.vote), (id(1, 5), None), "what was there is committed");
            assert_eq!(facts.last, id(1, 5 + life));
            log.commit_group(G, facts.last.index);
            let mut partitions = log.partitions();
            partitions.sort();
            assert_eq!(partitions, [PartitionId(0), P]);
            let expected = [batch(4, 1, 100), batch(5, 2, 50), batch(6, 1, 100)].map(|sent| body(&sent));
            let batches = read_all(&log, P).await.expect("nothing is damaged");
            assert!(batches.iter().map(body).eq(expected[..2 + life as usize].iter().cloned()));
            assert_eq!(log.frontiers(P).log_start(), Offset(3));
            write(&log, G, vec![of_batch(&log, P, id(1, 6 + life), 6 + life, 1)]).await;
        });
        image = fake.crash_image();
    }
}
