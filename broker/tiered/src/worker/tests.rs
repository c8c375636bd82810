//! The whole way over a bucket in memory: archive, find, merge, delete, fence.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use model::{Offset, Timestamp, TopicId};
use objects::Path;

use super::*;
use crate::archive::{Place, Seen};
use crate::cache::{CacheConfig, ChunkCache};
use crate::history::History;
use crate::object::tests::batch;
use crate::run::TopicRef;
use crate::source::{ClusterState, TopicState};

/// Logs of a node with one shard.
#[derive(Default)]
pub struct Logs {
    partitions: Mutex<BTreeMap<(TopicId, i32), Log>>,
    retention_bytes: Option<u64>,
}

#[derive(Default, Clone)]
struct Log {
    batches: Vec<Bytes>,
    end: i64,
    start: i64,
    archived: Option<Offset>,
}

fn topic(n: u128) -> TopicRef {
    TopicRef { id: TopicId(Uuid::from_u128(n)), name: format!("t{n}") }
}

impl Logs {
    fn append(&self, n: u128, partition: i32, records: i64) {
        let mut partitions = self.partitions.lock().unwrap();
        let log = partitions.entry((topic(n).id, partition)).or_default();
        log.batches.push(batch(log.end, records, 1_000 + log.end, 1));
        log.end += records;
    }

    fn create(&self, n: u128, partitions: i32) {
        for partition in 0..partitions {
            self.partitions.lock().unwrap().entry((topic(n).id, partition)).or_default();
        }
    }

    fn delete(&self, n: u128) {
        self.partitions.lock().unwrap().retain(|(id, _), _| *id != topic(n).id);
    }

    fn log(&self, n: u128, partition: i32) -> Log {
        self.partitions.lock().unwrap()[&(topic(n).id, partition)].clone()
    }
}

fn base_of(batch: &Bytes) -> i64 {
    wire::batch::BatchHeader::parse(batch).unwrap().base_offset
}

#[async_trait]
impl Source for Logs {
    fn state(&self) -> ClusterState {
        let partitions = self.partitions.lock().unwrap();
        let topics = partitions.keys().map(|(id, partition)| TopicState {
            name: format!("t{}", id.0.as_u128()),
            id: *id,
            settings: BTreeMap::new(),
            created_ms: 0,
            partitions: vec![(u64::from(partition.unsigned_abs()), 0)],
        });
        ClusterState { cluster: Uuid::from_u128(1), shards: 1, topics: topics.collect() }
    }

    async fn look(&self, _: ShardId) -> Result<Vec<Seen>> {
        let partitions = self.partitions.lock().unwrap();
        let seen = partitions.iter().map(|((id, partition), log)| {
            let from = log.archived.map_or(0, |archived| archived.0);
            let left = log.batches.iter().filter(|batch| base_of(batch) >= from);
            Seen {
                topic: topic(id.0.as_u128()),
                partition: *partition,
                log_start: Offset(log.start),
                local_start: Offset(log.start),
                high_watermark: Offset(log.end),
                archived: log.archived,
                bytes: left.map(|batch| batch.len() as u64).sum(),
                retention_ms: None,
                retention_bytes: self.retention_bytes,
                needed_from: None,
                is_archived: true,
            }
        });
        Ok(seen.collect())
    }

    async fn taken(&self, _: ShardId) -> Result<u64> {
        Ok(0)
    }

    async fn read(&self, topic: &TopicRef, p: i32, from: Offset, _: Offset, bytes_max: usize) -> Result<Vec<Bytes>> {
        let partitions = self.partitions.lock().unwrap();
        let batches = partitions[&(topic.id, p)].batches.iter().skip_while(|batch| base_of(batch) < from.0);
        let mut left = bytes_max;
        let fits = |batch: &&Bytes| {
            let fits = left > 0;
            left = left.saturating_sub(batch.len());
            fits
        };
        Ok(batches.take_while(fits).cloned().collect())
    }

    async fn advance(&self, places: Vec<Place>) {
        for place in places {
            if let Some(log) = self.partitions.lock().unwrap().get_mut(&(place.topic.id, place.partition)) {
                log.archived = Some(place.offset);
            }
        }
    }

    async fn trim(&self, places: Vec<Place>) {
        for place in places {
            self.partitions.lock().unwrap().get_mut(&(place.topic.id, place.partition)).unwrap().start = place.offset.0;
        }
    }
}

fn config() -> ArchiverConfig {
    ArchiverConfig {
        cluster: Uuid::from_u128(1),
        shards: 1,
        interval: Duration::from_secs(3_600),
        segment_bytes: 20_000,
        own_bytes: 8_000,
        delete_after: Duration::ZERO,
        orphans_after: Duration::ZERO,
        uploads_at_once: 2,
    }
}

struct Bench {
    logs: Arc<Logs>,
    objects: Objects,
    archiver: Archiver,
    history: History,
    _cache: tempfile::TempDir,
}

impl Bench {
    fn new() -> Bench {
        Bench::over(Arc::default(), Objects::memory())
    }

    fn over(logs: Arc<Logs>, objects: Objects) -> Bench {
        let archiver = Archiver::start(logs.clone(), &objects, config());
        let folder = tempfile::tempdir().unwrap();
        let cache = ChunkCache::open(CacheConfig { folder: folder.path().into(), bytes_max: 1 << 24 }).unwrap();
        let history = History::over(&archiver, cache);
        Bench { logs, objects, archiver, history, _cache: folder }
    }

    /// All that the archive has of a partition.
    async fn read_all(&self, n: u128, partition: i32, from: i64, bytes_max: usize) -> Vec<Bytes> {
        let (mut all, mut next) = (Vec::new(), Offset(from));
        loop {
            let batches = match self.history.read(topic(n).id, partition, next, bytes_max).await {
                Ok(batches) => batches,
                Err(error) if error.kind == Kind::Missing => return all,
                Err(error) => panic!("{error}"),
            };
            let last = wire::batch::BatchHeader::parse(batches.last().unwrap()).unwrap().last_offset();
            next = Offset(last + 1);
            all.extend(batches);
        }
    }

    async fn data(&self) -> Vec<Path> {
        let listed = self.objects.list(&Objects::path("archive").unwrap()).await.unwrap();
        listed.into_iter().map(|object| object.location).filter(|path| path.as_ref().contains("/data/")).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_archived_comes_back_as_it_was() {
    let bench = Bench::new();
    for round in 0..20 {
        for partition in 0..5 {
            bench.logs.append(1, partition, 1 + round % 3);
        }
        for _ in 0..40 {
            bench.logs.append(2, 0, 2);
        }
        bench.archiver.flush().await.unwrap();
    }
    for (n, partition) in (0..5).map(|partition| (1, partition)).chain([(2, 0)]) {
        let log = bench.logs.log(n, partition);
        assert_eq!(log.archived, Some(Offset(log.end)));
        for bytes_max in [1, 3_000, 1 << 20] {
            assert_eq!(bench.read_all(n, partition, 0, bytes_max).await, log.batches, "{n}-{partition}");
        }
        let middle = log.end / 2;
        let first = &bench.history.read(topic(n).id, partition, Offset(middle), 1).await.unwrap()[0];
        let header = wire::batch::BatchHeader::parse(first).unwrap();
        assert!((header.base_offset..=header.last_offset()).contains(&middle));
        let at = bench.history.offset_for_time(topic(n).id, partition, Offset(0), Timestamp(1_000 + middle)).await;
        assert_eq!(at.unwrap(), Some((Offset(middle), Timestamp(1_000 + middle))));
        let newest = bench.history.newest(topic(n).id, partition, Offset(0)).await.unwrap();
        assert_eq!(newest, Some((Offset(log.end - 1), Timestamp(1_000 + log.end - 1))));
    }
    let beyond = bench.history.offset_for_time(topic(2).id, 0, Offset(0), Timestamp(1 << 40)).await.unwrap();
    assert_eq!(beyond, None);
    let status = bench.archiver.status().shards.remove(0);
    assert!(status.merges > 0, "{status:?}");
    assert_eq!((status.bytes_at_risk, status.last_error), (0, None));
    // Nothing lies in the bucket that the manifest does not know, once what was merged is gone.
    bench.archiver.flush().await.unwrap();
    bench.archiver.flush().await.unwrap();
    let objects = bench.archiver.status().shards[0].objects;
    assert_eq!(bench.data().await.len(), objects);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_process_goes_on_and_an_older_one_is_fenced() {
    let first = Bench::new();
    first.logs.append(1, 0, 3);
    first.archiver.flush().await.unwrap();
    let second = Bench::over(first.logs.clone(), first.objects.clone());
    first.logs.partitions.lock().unwrap().get_mut(&(topic(1).id, 0)).unwrap().archived = None;
    second.logs.append(1, 0, 4);
    second.archiver.flush().await.unwrap();
    assert_eq!(first.logs.log(1, 0).archived, Some(Offset(7)));
    assert_eq!(second.read_all(1, 0, 0, 1 << 20).await.len(), 2);
    first.logs.append(1, 0, 5);
    let error = first.archiver.flush().await.unwrap_err();
    assert_eq!(error.kind, Kind::Fenced, "{error}");
    assert!(first.logs.log(1, 0).archived <= Some(Offset(7)), "it moves no frontier on any more");
    second.archiver.flush().await.unwrap();
    assert_eq!(second.read_all(1, 0, 0, 1 << 20).await, first.logs.log(1, 0).batches);
    let removed = second.archiver.sweep().await.unwrap();
    assert_eq!((removed, second.data().await.len()), (1, 3), "what the older one left behind is removed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_objects_of_a_deleted_topic_and_of_old_records_go() {
    let logs = Logs { retention_bytes: Some(1_000), ..Logs::default() };
    let bench = Bench::over(Arc::new(logs), Objects::memory());
    bench.logs.create(3, 2);
    for _ in 0..6 {
        bench.logs.append(1, 0, 50);
        bench.logs.append(2, 0, 1);
        bench.archiver.flush().await.unwrap();
    }
    assert!(bench.logs.log(1, 0).start > 0);
    bench.logs.delete(2);
    for _ in 0..3 {
        bench.archiver.flush().await.unwrap();
    }
    let start = bench.logs.log(1, 0).start;
    assert_eq!(bench.history.read(topic(2).id, 0, Offset(0), 1).await.unwrap_err().kind, Kind::Missing);
    assert_eq!(base_of(&bench.history.read(topic(1).id, 0, Offset(start), 1).await.unwrap()[0]), start);
    assert_eq!(bench.data().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_object_costs_exactly_its_offsets() {
    let bench = Bench::new();
    for _ in 0..10 {
        bench.logs.append(1, 0, 2);
    }
    bench.archiver.flush().await.unwrap();
    let path = bench.data().await.remove(0);
    let whole = bench.objects.get(&path).await.unwrap();
    let one = bench.logs.log(1, 0).batches[0].len();
    let mut damaged = whole.to_vec();
    damaged[8 + 3 * one + 90] ^= 1;
    assert!(bench.archiver.verify(1).await.unwrap()[0].ok);
    bench.objects.put(&path, damaged.into()).await.unwrap();
    let read = |from| bench.history.read(topic(1).id, 0, Offset(from), 1 << 20);
    assert_eq!(read(0).await.unwrap().len(), 3, "what lies before is served");
    for offset in [6, 7] {
        let error = read(offset).await.unwrap_err();
        assert_eq!(error.kind, Kind::Damaged);
        assert!(error.message.contains("offsets 6 to 7 of partition 0"), "{error}");
    }
    assert_eq!(read(8).await.unwrap().len(), 6, "and what lies behind");
    let report = bench.archiver.verify(1).await.unwrap().remove(0);
    assert_eq!((report.damaged.len(), report.missing.len(), report.read, report.ok), (1, 0, 1, false));
    bench.objects.delete(&path).await.unwrap();
    assert_eq!(bench.archiver.verify(10).await.unwrap()[0].missing.len(), 1);
}
