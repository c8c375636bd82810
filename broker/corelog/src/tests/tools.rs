//! What do the tests of the log have in common?

use std::path::{Path, PathBuf};

use bytes::Bytes;
use model::{Offset, PartitionId, Result, ShardId, Term};
use runtime::Driver;
use wire::batch::{BatchBuilder, BatchHeader, Compression};

use super::fake::Image;
use crate::log::{CoreLog, LogConfig};
use crate::segment::number_of;

pub(crate) const TERM: Term = Term(3);

pub(crate) fn config() -> LogConfig {
    LogConfig {
        dir: PathBuf::from("/log"),
        shard: ShardId(0),
        segment_bytes: 256 * 1024,
        tail_cache_bytes: 64 * 1024,
        checkpoint_bytes: 100_000,
    }
}

/// The files of segments.
pub(crate) fn segments(image: &Image) -> Vec<&PathBuf> {
    image.keys().filter(|path| is_segment(path)).collect()
}

fn is_segment(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| number_of(name).is_some())
}

/// The disk without what makes starts short.
pub(crate) fn without_checkpoints(mut image: Image) -> Image {
    image.retain(|path, _| is_segment(path));
    image
}

/// A batch of `count` records with `value_bytes` each, all of it given by `salt`; timestamps from `salt` on.
pub(crate) fn batch(salt: u64, count: u64, value_bytes: usize) -> Bytes {
    let mut builder = BatchBuilder::new(Compression::None);
    for n in 0..count {
        let value: Vec<u8> = (0..value_bytes as u64).map(|at| (at * 31 + salt * 7 + n) as u8).collect();
        builder.push((salt + n).cast_signed(), Some(&salt.to_be_bytes()), Some(&value), &[]);
    }
    builder.build()
}

/// Everything but base offset and leader epoch.
pub(crate) fn body(batch: &Bytes) -> Bytes {
    assert!(batch.len() > 16, "not a batch");
    batch.slice(16..)
}

pub(crate) async fn open<D: Driver>(driver: D, config: LogConfig) -> CoreLog<D> {
    CoreLog::open(driver, config, |_, _| {}).await.expect("the log opens")
}

/// All batches of a partition, in several reads.
pub(crate) async fn read_all<D: Driver>(log: &CoreLog<D>, p: PartitionId) -> Result<Vec<Bytes>> {
    let (mut from, mut all) = (log.frontiers(p).log_start(), Vec::new());
    loop {
        let batches = log.read(p, from, Offset(i64::MAX), 10_000).await?;
        let Some(last) = batches.last() else { return Ok(all) };
        let header = BatchHeader::parse(last).expect("what is read is a batch");
        from = Offset(header.last_offset() + 1);
        all.extend(batches);
    }
}
