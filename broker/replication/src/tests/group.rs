//! Does a group of one commit what is proposed, and go on after a restart?

use model::{Kind, LogGroup, Offset, PartitionId, Term};
use runtime::Driver;
use runtime::fake::{Fake, Image};

use super::tools::{Scene, batch, on_portable, on_uring, open};
use crate::Group;

const G: LogGroup = LogGroup(0);
const P: PartitionId = PartitionId(7);
const NODE: u64 = 1;

/// Several lives on real files.
struct Lives;

impl Scene for Lives {
    async fn play<D: Driver>(self, driver: D) {
        let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).expect("a scratch folder");
        for life in 0..3 {
            let log = open(driver.clone(), dir.path().to_owned()).await;
            let group = Group::open(driver.clone(), log.clone(), G, NODE).await.expect("it leads");
            assert_eq!(group.term(), Term(1), "a group of one keeps its term");
            assert_eq!(log.frontiers(P).high_watermark(), Offset(life * 2_000), "all is committed");
            let proposed: Vec<_> =
                (0..1_000).map(|n| group.propose(P, batch(n, 2)).expect("there is room").committed).collect();
            assert_eq!(log.frontiers(P).log_end(), Offset((life + 1) * 2_000), "offsets are given at once");
            for committed in proposed {
                committed.await.expect("the disk works");
            }
            assert_eq!(log.frontiers(P).high_watermark(), Offset((life + 1) * 2_000));
            // What is applied is purged, a moment later.
            while log.group_facts(G).purged.index.0 < (life.unsigned_abs() + 1) * 1_000 - 600 {
                driver.sleep_until(driver.now().plus_ms(1)).await;
            }
            assert_eq!(log.group_facts(G).last.term, Term(1));
            group.close().await;
            assert_eq!(group.propose(P, batch(1, 1)).expect_err("it is closed").kind, Kind::Fenced);
            log.close().await.expect("the disk works");
        }
    }
}

#[test]
fn a_group_of_one_lives_on_the_portable_driver() {
    on_portable(Lives);
}

#[test]
fn a_group_of_one_lives_on_io_uring() {
    on_uring(Lives);
}

#[test]
fn crashes_keep_what_was_committed_and_the_term() {
    for seed in 0..6 {
        let (mut image, mut committed) = (Image::new(), 0);
        for round in 0..5 {
            let fake = Fake::new(image, seed * 100 + round);
            let steps = 100 + fake.below(1_500);
            let (driver, told) = (fake.clone(), std::rc::Rc::new(std::cell::Cell::new(committed)));
            let seen = told.clone();
            fake.run_for(steps, async move {
                let log = open(driver.clone(), "/log".into()).await;
                let group = Group::open(driver.clone(), log.clone(), G, NODE).await.expect("it leads");
                assert_eq!(group.term(), Term(1));
                let end = log.frontiers(P).high_watermark();
                assert!(end.0 >= seen.get() && end == log.frontiers(P).log_end(), "{end} of {}", seen.get());
                loop {
                    let burst = 1 + driver.below(20);
                    let proposed: Vec<_> =
                        (0..burst).map(|n| group.propose(P, batch(n, 1)).expect("there is room")).collect();
                    for proposed in proposed {
                        proposed.committed.await.expect("the disk works");
                        assert!(log.frontiers(P).high_watermark() > proposed.spot.last());
                        seen.set(proposed.spot.last().0 + 1);
                    }
                }
            });
            committed = told.get();
            image = fake.crash_image();
        }
        assert!(committed > 0, "the runs are long enough");
    }
}

#[test]
fn a_failed_write_fails_what_was_proposed() {
    let fake = Fake::new(Image::new(), 1);
    let driver = fake.clone();
    fake.run(async move {
        let log = open(driver.clone(), "/log".into()).await;
        let group = Group::open(driver.clone(), log.clone(), G, NODE).await.expect("it leads");
        group.propose(P, batch(1, 1)).expect("there is room").committed.await.expect("the disk works");
        driver.faults().writes_left.set(Some(0));
        let lost = group.propose(P, batch(2, 1)).expect("nobody knows yet");
        assert_eq!(lost.committed.await.expect_err("the write failed").kind, Kind::Fenced);
        assert_eq!(group.propose(P, batch(3, 1)).expect_err("for good").kind, Kind::Fenced);
        assert_eq!(log.frontiers(P).high_watermark(), Offset(1));
        group.close().await;
    });
}

#[test]
fn a_log_that_led_itself_goes_on_as_a_group() {
    let fake = Fake::new(Image::new(), 2);
    let driver = fake.clone();
    fake.run(async move {
        let log = open(driver.clone(), "/log".into()).await;
        for n in 0..3 {
            log.append(P, batch(n, 2), Term(1)).expect("there is room").durable.await.expect("the disk works");
        }
    });
    let mut image = fake.crash_image();
    for life in 0..2 {
        let fake = Fake::new(image, 3 + life);
        let driver = fake.clone();
        fake.run(async move {
            let log = open(driver.clone(), "/log".into()).await;
            let group = Group::open(driver.clone(), log.clone(), G, NODE).await.expect("it leads");
            assert_eq!((group.term(), log.frontiers(P).high_watermark().0), (Term(1), 6 + life.cast_signed()));
            group.propose(P, batch(9, 1)).expect("there is room").committed.await.expect("the disk works");
            let other = Group::open(driver, log, G, 2).await.err().expect("it belongs to node 1");
            assert_eq!(other.kind, Kind::Invalid);
        });
        image = fake.crash_image();
    }
}
