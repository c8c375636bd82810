//! Bits that flip at rest: each is noticed, none is served, nothing else is lost.

use std::collections::HashMap;

use bytes::Bytes;
use model::{Kind, Offset, PartitionId};
use wire::batch::check;

use super::fake::{Fake, Image};
use super::tools::{TERM, batch, body, config, open, without_checkpoints};
use crate::log::{CoreLog, LogConfig};

const PARTITIONS: u64 = 5;
const BATCHES: u64 = 200;

fn cold() -> LogConfig {
    LogConfig { tail_cache_bytes: 4096, ..config() }
}

fn sent(n: u64) -> Bytes {
    batch(n, 1, [10, 200, 3_000][n as usize % 3])
}

fn written(seed: u64) -> Image {
    let fake = Fake::new(Image::new(), seed);
    let driver = fake.clone();
    fake.run(async move {
        let log = open(driver.clone(), cold()).await;
        for n in 0..BATCHES {
            let appended = log.append(PartitionId(n % PARTITIONS), sent(n), TERM).expect("there is room");
            if driver.below(3) == 0 {
                appended.durable.await.expect("the disk works");
            }
        }
        log.close().await.expect("the disk works");
    });
    without_checkpoints(fake.image())
}

#[test]
fn flips_at_rest_cost_at_most_a_batch_each_and_are_reported() {
    let image = written(1);
    let used: usize = image.values().map(Vec::len).sum();
    let mut damaged = 0;
    for seed in 0..300 {
        let fake = Fake::new(image.clone(), seed);
        let flips = 1 + fake.below(4);
        for _ in 0..flips {
            let segment_bytes = 256 * 1024;
            let at = fake.below(used as u64) as usize;
            // One intact header is enough, so only one of the two is hit.
            if at % segment_bytes >= 4096 {
                fake.flip(at / segment_bytes, at % segment_bytes);
            }
        }
        let driver = fake.clone();
        damaged += fake.run(async move {
            let log = open(driver, cold()).await;
            let missing = missing(&log).await;
            assert!(missing <= flips, "seed {seed}: {missing} batches for {flips} flips");
            let reported = log.damage().len() as u64;
            assert!(reported <= flips && (missing == 0 || reported > 0), "seed {seed}: {:?}", log.damage());
            u64::from(missing > 0)
        });
    }
    assert!(damaged > 100, "{damaged} runs had damage");
}

/// Reads every offset on its own; counts those that do not come back as they were sent.
async fn missing(log: &CoreLog<Fake>) -> u64 {
    let mut read = HashMap::new();
    for n in 0..BATCHES {
        let (p, offset) = (PartitionId(n % PARTITIONS), Offset((n / PARTITIONS) as i64));
        match log.read(p, offset, Offset(i64::MAX), 1).await {
            Ok(batches) => {
                for batch in batches {
                    let header = check(&batch).expect("nothing damaged is served");
                    assert_eq!(header.base_offset, offset.0);
                    assert_eq!(body(&batch), body(&sent(n)));
                    read.insert(n, ());
                }
            }
            // A partition may end early when the head of its last frame is gone.
            Err(error) => assert!(matches!(error.kind, Kind::Damaged | Kind::Invalid), "{error}"),
        }
    }
    BATCHES - read.len() as u64
}

#[test]
fn a_segment_without_a_header_is_no_log_unless_it_was_never_used() {
    let image = written(2);
    let fake = Fake::new(image.clone(), 1);
    (0..2).for_each(|block| fake.flip(0, block * 4096));
    let driver = fake.clone();
    let error = fake.run(async move { CoreLog::open(driver, cold(), |_, _| {}).await.map(|_| ()) });
    assert_eq!(error.expect_err("its frames are there").kind, Kind::Damaged);
    for unused in [vec![0; 256 * 1024], vec![0; 100], Vec::new()] {
        let mut image = image.clone();
        let next = config().dir.join(format!("core-{:010}.log", image.len() + 1));
        image.insert(next, unused);
        let fake = Fake::new(image, 1);
        let driver = fake.clone();
        assert_eq!(fake.run(async move { missing(&open(driver, cold()).await).await }), 0);
    }
}

#[test]
fn a_log_of_another_shard_is_refused() {
    let fake = Fake::new(written(3), 1);
    let driver = fake.clone();
    let config = LogConfig { shard: model::ShardId(1), ..cold() };
    let error = fake.run(async move { CoreLog::open(driver, config, |_, _| {}).await.map(|_| ()) });
    assert!(error.expect_err("it is not ours").message.contains("shard 0"));
}
