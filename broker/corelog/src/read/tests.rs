//! Are batches found in memory and on disk alike?

use model::Timestamp;

use super::*;
use crate::log::LogConfig;
use crate::tests::fake::{Fake, Image};
use crate::tests::tools::{TERM, batch, body, config, open, read_all};

/// A log whose tail cache holds next to nothing.
fn cold() -> LogConfig {
    LogConfig { tail_cache_bytes: 4096, segment_bytes: 4 << 20, ..config() }
}

#[test]
fn scattered_frames_are_read_from_the_disk_in_order() {
    let fake = Fake::new(Image::new(), 1);
    let driver = fake.clone();
    fake.run(async move {
        let log = open(driver, cold()).await;
        for n in 0..2_000 {
            log.append(PartitionId(n % 7), batch(n, 1 + n % 3, (n as usize * 37) % 4000), TERM).expect("there is room");
        }
        log.flushed().await.expect("the disk works");
        for p in 0..7 {
            let expected: Vec<Bytes> = (0..2_000)
                .filter(|n| n % 7 == p)
                .map(|n| body(&batch(n, 1 + n % 3, (n as usize * 37) % 4000)))
                .collect();
            let batches = read_all(&log, PartitionId(p)).await.expect("nothing is damaged");
            assert!(batches.iter().map(body).collect::<Vec<_>>() == expected);
            let at_once = log.read(PartitionId(p), Offset(0), Offset(i64::MAX), usize::MAX).await.expect("in range");
            assert!(at_once == batches);
        }
    });
}

#[test]
fn damage_after_recovery_is_found_when_it_is_read() {
    let fake = Fake::new(Image::new(), 2);
    let driver = fake.clone();
    fake.run(async move {
        let log = open(driver.clone(), cold()).await;
        let p = PartitionId(1);
        for n in 0..20 {
            log.append(p, batch(n, 2, 5_000), TERM).expect("there is room").durable.await.expect("the disk works");
        }
        let position = log.shared.frame_reaching(p, Offset(10), Timestamp(0)).expect("it is listed").position;
        let log_file = driver.image().keys().position(|path| path.extension().is_some_and(|end| end == "log"));
        driver.flip(log_file.expect("there is a segment"), usize::try_from(position.0).expect("small") + 3_000);
        let error = log.read(p, Offset(11), Offset(40), 1).await.expect_err("it is damaged");
        assert_eq!(error.kind, model::Kind::Damaged);
        assert!(error.message.contains("offsets 10 to 11 of partition 1"), "{error}");
        let before = log.read(p, Offset(0), Offset(40), usize::MAX).await.expect("up to the damage");
        assert_eq!(before.len(), 5);
        let after = log.read(p, Offset(12), Offset(40), usize::MAX).await.expect("behind the damage");
        assert_eq!(after.len(), 14);
    });
}

#[test]
fn readers_that_catch_up_keep_to_their_share_and_group_commits_pass_them() {
    let fake = Fake::new(Image::new(), 5);
    let driver = fake.clone();
    fake.run(async move {
        let log = open(driver.clone(), cold()).await;
        for n in 0..600 {
            log.append(PartitionId(n % 60), batch(n, 1, 3_000), TERM).expect("there is room");
        }
        log.flushed().await.expect("the disk works");
        let before = driver.reads();
        let read = |p| {
            let log = log.clone();
            async move { log.read(PartitionId(p), Offset(0), Offset(i64::MAX), usize::MAX).await }
        };
        let readers: Vec<_> = (0..60).map(|p| driver.spawn("reader", read(p))).collect();
        while driver.reads() == before {
            driver.yield_now().await;
        }
        let durable = log.append(PartitionId(1), batch(7, 1, 10), TERM).expect("there is room").durable;
        durable.await.expect("the disk works");
        let passed = driver.reads() - before;
        for reader in readers {
            assert_eq!(reader.await.expect("it ran").expect("nothing is damaged").len(), 10);
        }
        let all = driver.reads() - before;
        assert!(all >= 500 && passed < all / 10, "{passed} of {all} reads began before the write had ended");
        assert_eq!(driver.reads_in_flight_most(), COLD_READS_IN_FLIGHT_MAX);
    });
}

#[test]
fn a_reader_that_goes_on_is_read_ahead_of_and_others_find_what_it_brought() {
    let fake = Fake::new(Image::new(), 6);
    let driver = fake.clone();
    fake.run(async move {
        let config = LogConfig { tail_cache_bytes: 8 << 20, segment_bytes: 32 << 20, ..config() };
        let log = open(driver.clone(), config).await;
        for n in 0..2_000 {
            log.append(PartitionId(n % 4), batch(n, 1, 8_000), TERM).expect("there is room");
            if n % 100 == 0 {
                log.flushed().await.expect("the disk works");
            }
        }
        log.flushed().await.expect("the disk works");
        // Polls of two batches each, about 2.6 MiB of the log in all.
        let read = async |p: u64| {
            let (before, mut next) = (driver.reads(), 0);
            while next < 80 {
                let batches = log.read(PartitionId(p), Offset(next), Offset(80), 20_000).await.expect("in range");
                for read in batches {
                    assert_eq!(body(&read), body(&batch(next as u64 * 4 + p, 1, 8_000)));
                    next += 1;
                }
            }
            driver.reads() - before
        };
        let first = read(0).await;
        assert!(first <= 12, "{first} reads for 40 polls");
        assert_eq!(read(0).await, 0, "a follower finds all in memory");
        // Frames that cross the edge of a piece are read anew.
        let others = read(1).await + read(2).await + read(3).await;
        assert!(others <= 20, "{others} reads for the 120 polls of what lies between");
        assert!(log.stats().cold_bytes > 1 << 20 && log.stats().cold_bytes <= 4 << 20, "{:?}", log.stats());
    });
}
