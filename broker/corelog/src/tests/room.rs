//! A disk that is full or slow: who waits, who is refused, and what gets in all the same?

use model::{Kind, Offset, PartitionId};
use runtime::Driver;

use super::fake::{Fake, Image};
use super::tools::{TERM, batch, config, open, read_all};
use crate::log::{CoreLog, LogConfig};

const P: PartitionId = PartitionId(7);
const OTHER: PartitionId = PartitionId(8);

/// Appends durable batches until the disk takes no more; returns how many there are then.
async fn fill(log: &CoreLog<Fake>, driver: &Fake, partition: PartitionId) -> usize {
    driver.faults().full.set(true);
    for count in 0.. {
        match log.append(partition, batch(count as u64, 1, 10_000), TERM) {
            Ok(appended) => appended.durable.await.expect("what is taken becomes durable"),
            Err(error) => {
                assert_eq!(error.kind, Kind::Storage, "{error}");
                return count;
            }
        }
    }
    unreachable!("the disk is finite")
}

#[test]
fn on_a_full_disk_old_records_can_be_dropped_and_then_it_goes_on() {
    for delete_topic in [false, true] {
        let fake = Fake::new(Image::new(), 21);
        let driver = fake.clone();
        fake.run(async move {
            let log = open(driver.clone(), config()).await;
            while log.stats().segments < 3 {
                let appended = log.append(P, batch(1, 1, 10_000), TERM).expect("there is room");
                appended.durable.await.expect("the disk works");
            }
            let kept = fill(&log, &driver, OTHER).await;
            assert_eq!(log.room(10_000).await.expect_err("nothing more").kind, Kind::Storage);
            let own = log.append_own(OTHER, batch(9, 1, 100), TERM).expect("the node's own state gets in");
            own.durable.await.expect("the disk works");
            match delete_topic {
                true => log.forget(P),
                false => log.set_log_start(P, log.frontiers(P).high_watermark()),
            }
            log.flushed().await.expect("notes get in");
            let at = driver.now().plus_ms(5_000);
            driver.sleep_until(at).await;
            // The disk is as full as before: the next segment is one without a live record.
            log.append(OTHER, batch(1, 1, 10_000), TERM).expect("room again").durable.await.expect("the disk works");
            assert_eq!(read_all(&log, OTHER).await.expect("nothing is lost").len(), kept + 2);
        });
    }
}

#[test]
fn a_log_on_a_full_disk_opens_and_is_closed() {
    let fake = Fake::new(Image::new(), 22);
    let driver = fake.clone();
    let kept = fake.run(async move {
        let log = open(driver.clone(), config()).await;
        let kept = fill(&log, &driver, P).await;
        log.close().await.expect("there was room for that");
        kept
    });
    let fake = Fake::new(fake.image(), 23);
    let driver = fake.clone();
    fake.run(async move {
        driver.faults().full.set(true);
        let log = open(driver, config()).await;
        assert_eq!(read_all(&log, P).await.expect("reads go on").len(), kept);
    });
}

#[test]
fn who_waits_for_room_gets_it_when_the_disk_has_caught_up() {
    let fake = Fake::new(Image::new(), 24);
    let driver = fake.clone();
    fake.run(async move {
        let log = open(driver.clone(), LogConfig { segment_bytes: 64 * 1024 * 1024, ..config() }).await;
        let large = batch(1, 1, 40 * 1024 * 1024);
        for n in 0..6 {
            log.room(large.len()).await.expect("the disk works");
            let appended = log.append(P, large.clone(), TERM).expect("there is room");
            assert_eq!(appended.base, Offset(n));
            assert!(!log.has_room(large.len()) || log.stats().segments > 1, "neither this segment nor a next one");
            assert!(n < 3 || log.frontiers(P).high_watermark() > Offset(0), "the disk was waited for");
        }
        log.flushed().await.expect("the disk works");
        assert_eq!(log.frontiers(P).high_watermark(), Offset(6));
    });
}

#[test]
fn who_waits_for_room_hears_of_a_failed_write() {
    let fake = Fake::new(Image::new(), 25);
    let driver = fake.clone();
    fake.run(async move {
        let log = open(driver.clone(), LogConfig { segment_bytes: 64 * 1024 * 1024, ..config() }).await;
        let large = batch(1, 1, 50 * 1024 * 1024);
        let _ = log.append(P, large.clone(), TERM).expect("there is room");
        let _ = log.append(P, large.clone(), TERM).expect("there is room");
        driver.faults().writes_left.set(Some(3));
        assert_eq!(log.room(large.len()).await.expect_err("never").kind, Kind::Fenced);
        assert_eq!(log.health().fenced.expect("for people").kind, Kind::Fenced);
    });
}
