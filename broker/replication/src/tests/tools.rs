//! What do the tests of log groups have in common?

use std::future::Future;
use std::path::PathBuf;
use std::sync::mpsc;

use bytes::Bytes;
use corelog::{CoreLog, LogConfig};
use model::ShardId;
use runtime::{Driver, ShardOptions, start_shard_portable, start_shard_uring};
use wire::batch::{BatchBuilder, Compression};

pub(super) fn config(dir: PathBuf) -> LogConfig {
    LogConfig { dir, shard: ShardId(0), segment_bytes: 4 << 20, tail_cache_bytes: 1 << 20, checkpoint_bytes: 1 << 20 }
}

pub(super) async fn open<D: Driver>(driver: D, dir: PathBuf) -> CoreLog<D> {
    CoreLog::open(driver, config(dir), |_, _| {}).await.expect("the log opens")
}

/// A batch of `count` records.
pub(super) fn batch(salt: u64, count: u64) -> Bytes {
    let mut builder = BatchBuilder::new(Compression::None);
    for n in 0..count {
        builder.push(n.cast_signed(), Some(&salt.to_be_bytes()), Some(&n.to_be_bytes()), &[]);
    }
    builder.build()
}

/// Something that runs on any driver.
pub(super) trait Scene: Send + 'static {
    fn play<D: Driver>(self, driver: D) -> impl Future<Output = ()> + 'static;
}

pub(super) fn on_portable(scene: impl Scene) {
    let (done, outcome) = mpsc::channel();
    let shard = start_shard_portable(ShardOptions::new(ShardId(0), None, 1), move |driver| async move {
        scene.play(driver).await;
        done.send(()).expect("the test waits");
    });
    shard.expect("the shard starts").join().expect("nothing panics");
    outcome.recv().expect("the scene came to its end");
}

pub(super) fn on_uring(scene: impl Scene) {
    if runtime::probe_uring().is_err() {
        return;
    }
    let (done, outcome) = mpsc::channel();
    let shard = start_shard_uring(ShardOptions::new(ShardId(0), None, 1), move |driver| async move {
        scene.play(driver).await;
        done.send(()).expect("the test waits");
    });
    shard.expect("the shard starts").join().expect("nothing panics");
    outcome.recv().expect("the scene came to its end");
}
