//! Does the log work on the real drivers, with real files?

use std::future::Future;
use std::path::PathBuf;
use std::sync::mpsc;

use bytes::Bytes;
use model::{Offset, PartitionId, ShardId};
use runtime::{Driver, ShardOptions, start_shard_portable, start_shard_uring};

use super::tools::{TERM, batch, body, config, open, read_all};
use crate::log::{CoreLog, LogConfig};

const BATCHES: u64 = 1_500;
const PARTITIONS: u64 = 40;

fn config_in(dir: PathBuf) -> LogConfig {
    LogConfig { dir, segment_bytes: 4 << 20, tail_cache_bytes: 1 << 20, ..config() }
}

fn sent(n: u64) -> Bytes {
    let value_bytes = if n % 500 == 77 { 1_200_000 } else { (n as usize * 131) % 6_000 };
    batch(n, 1 + n % 3, value_bytes)
}

/// Appends from a few tasks at once, some of which wait for each batch.
async fn fill<D: Driver>(driver: D, dir: PathBuf) {
    let log = open(driver.clone(), config_in(dir)).await;
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let log = log.clone();
            driver.spawn("producer", async move {
                for n in (0..BATCHES).filter(|n| n % PARTITIONS % 8 == task) {
                    let appended = log.append(PartitionId(n % PARTITIONS), sent(n), TERM).expect("there is room");
                    if n % 3 == 0 {
                        appended.durable.await.expect("the disk works");
                        assert!(log.frontiers(PartitionId(n % PARTITIONS)).high_watermark() > appended.last);
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("it ran to its end");
    }
    log.flushed().await.expect("the disk works");
    expect_all(&log).await;
    log.close().await.expect("the disk works");
}

async fn expect_all<D: Driver>(log: &CoreLog<D>) {
    assert_eq!(log.damage(), []);
    for p in 0..PARTITIONS {
        let batches = read_all(log, PartitionId(p)).await.expect("nothing is damaged");
        let expected = (0..BATCHES).filter(|n| n % PARTITIONS == p).map(|n| body(&sent(n)));
        assert!(batches.iter().map(body).eq(expected), "partition {p}");
    }
}

/// The second life goes on with the first one's log, and reads it from the disk.
async fn go_on<D: Driver>(driver: D, dir: PathBuf) {
    let log = open(driver, config_in(dir)).await;
    expect_all(&log).await;
    let end = log.frontiers(PartitionId(0)).log_end();
    let appended = log.append(PartitionId(0), batch(1, 1, 1), TERM).expect("there is room");
    assert!(appended.base == end && end > Offset(0));
    appended.durable.await.expect("the disk works");
    log.close().await.expect("the disk works");
}

fn options() -> ShardOptions {
    ShardOptions { shard: ShardId(0), core: None, ring_depth: 128, io_memory_bytes: 64 * 1024 }
}

/// Both lives on threads of their own. `start` runs a shard to its end.
fn two_lives(start: impl Fn(bool, PathBuf, mpsc::Sender<()>)) {
    let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).expect("a scratch folder");
    for second in [false, true] {
        let (done, is_done) = mpsc::channel();
        start(second, dir.path().join("log"), done);
        is_done.recv().expect("it ran to its end");
    }
}

async fn life<D: Driver>(driver: D, second: bool, dir: PathBuf, done: mpsc::Sender<()>) {
    let life: std::pin::Pin<Box<dyn Future<Output = ()>>> =
        if second { Box::pin(go_on(driver, dir)) } else { Box::pin(fill(driver, dir)) };
    life.await;
    done.send(()).expect("the test waits");
}

#[test]
fn on_the_portable_driver() {
    two_lives(|second, dir, done| {
        let shard = start_shard_portable(options(), move |driver| life(driver, second, dir, done));
        shard.expect("a thread").join().expect("no panic");
    });
}

#[test]
fn on_io_uring() {
    if let Err(why) = runtime::probe_uring() {
        eprintln!("not run: {why}");
        return;
    }
    two_lives(|second, dir, done| {
        let shard = start_shard_uring(options(), move |driver| life(driver, second, dir, done));
        shard.expect("a thread").join().expect("no panic");
    });
}
