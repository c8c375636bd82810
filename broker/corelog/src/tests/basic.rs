//! Append, read, restart, full disk, broken disk.

use std::cell::RefCell;
use std::rc::Rc;

use model::{Kind, Offset, PartitionId, Term, Timestamp};
use runtime::Driver;
use wire::batch::{BatchHeader, check};

use super::fake::{Fake, Image};
use super::tools::{TERM, batch, body, config, open, read_all};
use crate::log::{CoreLog, LogConfig};

const P: PartitionId = PartitionId(7);
const Q: PartitionId = PartitionId(8);

#[test]
fn batches_come_back_with_their_place_before_and_after_a_restart() {
    let fake = Fake::new(Image::new(), 1);
    fake.run(write_some(fake.clone()));
    for image in [fake.image(), fake.crash_image()] {
        let fake = Fake::new(image, 2);
        fake.run(expect_some(fake.clone()));
    }
}

async fn write_some(fake: Fake) {
    let log = open(fake.clone(), config()).await;
    let advanced = Rc::new(RefCell::new(Vec::new()));
    let seen = advanced.clone();
    log.on_advance(move |p, end| seen.borrow_mut().push((p, end)));
    let first = log.append(P, batch(1, 3, 10), TERM).expect("there is room");
    let second = log.append(P, batch(2, 2, 10), TERM).expect("there is room");
    let other = log.append(Q, batch(3, 1, 10), TERM).expect("there is room");
    assert_eq!((first.base, first.last), (Offset(0), Offset(2)));
    assert_eq!((second.base, second.last, other.base), (Offset(3), Offset(4), Offset(0)));
    assert_eq!(log.frontiers(P).log_end(), Offset(5));
    assert_eq!(log.frontiers(P).high_watermark(), Offset(0), "nothing is durable yet");
    assert_eq!(log.read(P, Offset(0), Offset(5), 1000).await.expect("in range"), Vec::<bytes::Bytes>::new());
    other.durable.await.expect("the disk works");
    assert_eq!(log.frontiers(P).high_watermark(), Offset(5));
    let mut advanced = advanced.take();
    advanced.sort();
    assert_eq!(advanced, [(P, Offset(5)), (Q, Offset(1))], "once per partition and group commit");
    check_some(&log).await;
    let stats = log.stats();
    assert_eq!((stats.appended_batches, stats.flushes, stats.backlog_bytes), (3, 2, 0));
    log.close().await.expect("the disk works");
}

async fn expect_some(fake: Fake) {
    let log = open(fake, config()).await;
    assert_eq!(log.damage(), []);
    check_some(&log).await;
    let more = log.append(P, batch(9, 1, 1), TERM).expect("there is room");
    assert_eq!(more.base, Offset(5), "offsets go on");
    more.durable.await.expect("the disk works");
}

async fn check_some<D: Driver>(log: &CoreLog<D>) {
    let batches = read_all(log, P).await.expect("nothing is damaged");
    assert_eq!(batches.iter().map(body).collect::<Vec<_>>(), [batch(1, 3, 10), batch(2, 2, 10)].map(|b| body(&b)));
    let headers: Vec<BatchHeader> = batches.iter().map(|batch| check(batch).expect("intact")).collect();
    assert_eq!(headers.iter().map(|h| (h.base_offset, h.leader_epoch)).collect::<Vec<_>>(), [(0, 3), (3, 3)]);
    let within = log.read(P, Offset(4), Offset(5), 1).await.expect("in range");
    assert_eq!(within.len(), 1, "at least the batch that holds the offset");
    assert_eq!(log.read(P, Offset(0), Offset(3), 9999).await.expect("in range").len(), 1, "below the bound");
    assert_eq!(log.read(P, Offset(6), Offset(9), 1).await.expect_err("beyond the end").kind, Kind::Invalid);
    assert_eq!(log.bytes_of(P), batches.iter().map(|batch| batch.len() as u64).sum::<u64>());
    let at = log.offset_for_time(P, Timestamp(2)).await.expect("readable");
    assert_eq!(at, Some((Offset(1), Timestamp(2))));
    assert_eq!(log.offset_for_time(P, Timestamp(4)).await.expect("readable"), None);
    assert_eq!(log.newest(P).await.expect("readable"), Some((Offset(2), Timestamp(3))));
    assert_eq!(log.partitions().len(), 2);
}

#[test]
fn frames_fill_many_segments_and_large_ones_several_writes() {
    let fake = Fake::new(Image::new(), 3);
    let config = || LogConfig { segment_bytes: 4 * 1024 * 1024, ..config() };
    let sizes = [100, 3_000_000, 5, 1_048_576, 2_000_000, 900_000, 200, 4_000_000];
    let check_all = async move |log: &CoreLog<Fake>| {
        let batches = read_all(log, P).await.expect("nothing is damaged");
        let expected: Vec<_> = sizes.iter().enumerate().map(|(n, size)| body(&batch(n as u64, 1, *size))).collect();
        assert!(batches.iter().map(body).collect::<Vec<_>>() == expected);
        assert!(batches.iter().all(|batch| check(batch).is_ok()));
    };
    let driver = fake.clone();
    fake.run(async move {
        let log = open(driver, config()).await;
        for (n, size) in sizes.iter().enumerate() {
            log.append(P, batch(n as u64, 1, *size), TERM).expect("there is room");
        }
        log.flushed().await.expect("the disk works");
        check_all(&log).await;
        let too_large = log.append(P, batch(1, 1, 4 * 1024 * 1024), TERM);
        assert_eq!(too_large.expect_err("no segment takes it").kind, Kind::Invalid);
        assert!(log.stats().segments >= 3);
    });
    assert!(fake.in_flight_most() > 1 && fake.in_flight_most() <= 4, "{}", fake.in_flight_most());
    let fake = Fake::new(fake.image(), 4);
    let driver = fake.clone();
    fake.run(async move {
        let log = open(driver, config()).await;
        assert_eq!(log.damage(), []);
        check_all(&log).await;
    });
}

#[test]
fn a_failed_write_fences_the_log_and_reads_go_on() {
    let fake = Fake::new(Image::new(), 5);
    let driver = fake.clone();
    fake.run(async move {
        let log = open(driver.clone(), config()).await;
        log.append(P, batch(1, 1, 10), TERM).expect("there is room").durable.await.expect("the disk works");
        driver.faults().writes_left.set(Some(0));
        let lost = log.append(P, batch(2, 1, 10), TERM).expect("nobody knows yet");
        assert_eq!(lost.durable.await.expect_err("the write failed").kind, Kind::Fenced);
        driver.faults().writes_left.set(None);
        assert_eq!(log.append(P, batch(3, 1, 10), TERM).expect_err("for good").kind, Kind::Fenced);
        assert_eq!(log.fenced().expect("the reason").kind, Kind::Fenced);
        assert_eq!(read_all(&log, P).await.expect("reads go on").len(), 1);
        assert_eq!(log.frontiers(P).high_watermark(), Offset(1));
        assert_eq!(log.flushed().await.expect_err("never").kind, Kind::Fenced);
        assert_eq!(log.close().await.expect_err("not in order").kind, Kind::Fenced);
    });
}

#[test]
fn a_full_disk_refuses_appends_until_there_is_room() {
    let fake = Fake::new(Image::new(), 6);
    let driver = fake.clone();
    fake.run(async move {
        let log = open(driver.clone(), config()).await;
        driver.faults().full.set(true);
        let mut waiting = Vec::new();
        let refused = loop {
            match log.append(P, batch(waiting.len() as u64, 1, 10_000), TERM) {
                Ok(appended) => waiting.push(appended.durable),
                Err(error) => break error,
            }
            let at = driver.now().plus_ms(100);
            driver.sleep_until(at).await;
        };
        assert_eq!(refused.kind, Kind::Storage);
        assert!(log.fenced().is_none() && log.health().full.is_some());
        assert!(!read_all(&log, P).await.expect("reads go on").is_empty());
        driver.faults().full.set(false);
        let count = waiting.len();
        for durable in waiting {
            durable.await.expect("it waited for room");
        }
        let at = driver.now().plus_ms(2_000);
        driver.sleep_until(at).await;
        log.room(10_000).await.expect("it tried again");
        assert!(log.health().full.is_none());
        log.append(P, batch(0, 1, 10), TERM).expect("there is room").durable.await.expect("the disk works");
        assert_eq!(read_all(&log, P).await.expect("intact").len(), count + 1);
    });
}

#[test]
fn too_much_backlog_is_busy() {
    let fake = Fake::new(Image::new(), 7);
    let driver = fake.clone();
    fake.run(async move {
        let log = open(driver, LogConfig { segment_bytes: 64 * 1024 * 1024, ..config() }).await;
        let large = batch(1, 1, 50 * 1024 * 1024);
        let durable = [0; 2].map(|_| log.append(P, large.clone(), TERM).expect("there is room").durable);
        assert_eq!(log.append(P, large.clone(), TERM).expect_err("too much waits").kind, Kind::Busy);
        for durable in durable {
            durable.await.expect("the disk works");
        }
        log.append(P, large, TERM).expect("there is room again").durable.await.expect("the disk works");
    });
}

#[test]
fn an_old_term_is_a_conflict_and_no_batch_is_invalid() {
    let fake = Fake::new(Image::new(), 8);
    let driver = fake.clone();
    fake.run(async move {
        let log = open(driver, config()).await;
        log.append(P, batch(1, 1, 1), Term(5)).expect("there is room").durable.await.expect("the disk works");
        assert_eq!(log.append(P, batch(2, 1, 1), Term(4)).expect_err("it is over").kind, Kind::Conflict);
        let cut = batch(2, 1, 1).slice(..70);
        assert_eq!(log.append(P, cut, Term(5)).expect_err("it is cut").kind, Kind::Invalid);
        assert_eq!(log.append(P, bytes::Bytes::new(), Term(5)).expect_err("it is empty").kind, Kind::Invalid);
        assert_eq!(log.frontiers(P).log_end(), Offset(1), "nothing of them was taken");
    });
}
