//! Deleted records make room, and nothing that counts goes with them.

use model::{Offset, PartitionId};
use runtime::Driver;

use super::fake::{Fake, Image};
use super::tools::{TERM, batch, config, open, read_all, segments, without_checkpoints};

#[test]
fn old_segments_go_and_log_starts_and_indexes_stay() {
    let fake = Fake::new(Image::new(), 1);
    let driver = fake.clone();
    let (idle, busy) = (PartitionId(1), PartitionId(2));
    fake.run(async move {
        let log = open(driver.clone(), config()).await;
        for n in 0..3 {
            log.append(idle, batch(n, 1, 100), TERM).expect("there is room");
        }
        log.set_lake(idle, Offset(0), Offset(0));
        log.flushed().await.expect("the disk works");
        log.set_log_start(idle, Offset(3));
        assert_eq!(log.frontiers(idle).lake_committed(), Some(Offset(3)), "what is deleted is not waited for");
        for n in 0..100 {
            log.append(busy, batch(n, 1, 20_000), TERM).expect("there is room");
            log.flushed().await.expect("the disk works");
            log.set_log_start(busy, Offset(n as i64));
        }
        let at = driver.now().plus_ms(5_000);
        driver.sleep_until(at).await;
        assert!(log.stats().segments <= 3, "{:?}", log.stats());
        assert_eq!(log.stats().appended_batches, 103, "notes are no batches");
        // Alone in the log now, and idle for long.
        log.forget(busy);
        log.close().await.expect("the disk works");
    });
    assert!(segments(&fake.image()).len() <= 3);
    let fake = Fake::new(fake.crash_image(), 2);
    let driver = fake.clone();
    fake.run(async move {
        let log = open(driver, config()).await;
        assert_eq!(log.damage(), []);
        assert_eq!(log.partitions(), [idle]);
        assert_eq!(log.frontiers(idle).log_start(), Offset(3));
        assert!(read_all(&log, idle).await.expect("nothing is damaged").is_empty());
        assert_eq!(log.append(idle, batch(1, 1, 1), TERM).expect("there is room").base, Offset(3));
        let (end, _) = log.shared.state.borrow().notes.ends[&model::LogGroup(0)];
        assert_eq!((end.term, end.index.0), (TERM, 104), "the group's indexes go on");
    });
}

#[test]
fn a_forgotten_partition_stays_forgotten() {
    let fake = Fake::new(Image::new(), 3);
    let driver = fake.clone();
    let p = PartitionId(5);
    fake.run(async move {
        let log = open(driver, config()).await;
        log.append(p, batch(1, 5, 10), TERM).expect("there is room").durable.await.expect("the disk works");
        log.forget(p);
        assert_eq!(log.frontiers(p).log_end(), Offset(0));
        assert_eq!(log.bytes_of(p), 0);
        log.flushed().await.expect("the disk works");
    });
    let fake = Fake::new(fake.crash_image(), 4);
    let driver = fake.clone();
    fake.run(async move { assert_eq!(open(driver, config()).await.partitions(), []) });
}

#[test]
fn segments_go_from_the_middle_and_what_was_kept_before_them_stays() {
    let fake = Fake::new(Image::new(), 6);
    let driver = fake.clone();
    let (kept, gone, busy) = (PartitionId(1), PartitionId(2), PartitionId(3));
    fake.run(async move {
        let log = open(driver.clone(), config()).await;
        log.append(kept, batch(1, 1, 100), TERM).expect("there is room");
        log.append(gone, batch(2, 1, 100), TERM).expect("there is room");
        for n in 0..100 {
            log.append(busy, batch(n, 1, 20_000), TERM).expect("there is room");
            log.flushed().await.expect("the disk works");
            log.set_log_start(busy, Offset(n as i64 - 40));
            if n == 20 {
                log.forget(gone);
            }
            if n % 20 == 0 {
                let at = driver.now().plus_ms(3_000);
                driver.sleep_until(at).await;
            }
        }
        let at = driver.now().plus_ms(5_000);
        driver.sleep_until(at).await;
        assert!(log.stats().segments <= 7, "{:?}", log.stats());
        log.flushed().await.expect("the disk works");
    });
    let mut image = fake.crash_image();
    assert!(segments(&image).len() <= 7 && image.keys().any(|path| path.ends_with("core-0000000001.log")));
    for life in 0..3 {
        let fake = Fake::new(image, 7 + life);
        let driver = fake.clone();
        fake.run(async move {
            let log = open(driver.clone(), config()).await;
            assert_eq!(log.damage(), [], "life {life}");
            let mut partitions = log.partitions();
            partitions.sort();
            assert_eq!(partitions, [kept, busy], "what is forgotten stays so");
            assert_eq!(log.frontiers(busy).log_start(), Offset(59));
            assert_eq!(read_all(&log, kept).await.expect("nothing is damaged").len(), 1);
            assert_eq!(read_all(&log, busy).await.expect("nothing is damaged").len(), 41 + life as usize);
            log.append(busy, batch(life, 1, 20), TERM).expect("there is room").durable.await.expect("the disk works");
        });
        image = fake.crash_image();
    }
    // A hole that nobody noted is damage.
    let third = segments(&image)[2].clone();
    image.remove(&third);
    for image in [image.clone(), without_checkpoints(image)] {
        let fake = Fake::new(image, 20);
        let driver = fake.clone();
        fake.run(async move { assert!(!open(driver, config()).await.damage().is_empty()) });
    }
}
