//! Do consumers read on where the log of a core begins too late, without a seam and without waiting for one another?

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::FetchRequest;
use model::{Error, Offset, Result, Timestamp};
use server::{History, NodeConfig, Origin, Telling};
use wire::batch::{BatchBuilder, BatchHeader, Compression};

use crate::requests::{create, fetch, fetch_request, list_offset, placed, produce};
use crate::support::{Client, TestNode, block_on, config, free_port};

type Read = Result<Vec<Bytes>>;
type Answer = flume::Sender<Read>;

/// An archive in memory. Held back, it answers nothing until it is told to.
#[derive(Default)]
struct Shelf {
    batches: Mutex<HashMap<i32, Vec<Bytes>>>,
    held_back: Mutex<Option<Vec<(Answer, Read)>>>,
    reads: Mutex<Vec<Offset>>,
    fails: Mutex<Option<Error>>,
}

impl Shelf {
    fn hold_back(&self) {
        *self.held_back.lock().unwrap() = Some(Vec::new());
    }

    fn let_go(&self) {
        for (answer, read) in self.held_back.lock().unwrap().take().unwrap() {
            // The shard has stopped waiting.
            let _ = answer.send(read);
        }
    }

    fn from(&self, partition: i32, from: Offset) -> Vec<Bytes> {
        let all = self.batches.lock().unwrap();
        let ends_before = |batch: &&Bytes| BatchHeader::parse(batch).unwrap().last_offset() < from.0;
        all[&partition].iter().skip_while(ends_before).cloned().collect()
    }

    /// Offset and timestamp of all records from `from` on; each batch here has one record.
    fn times(&self, of: Origin, from: Offset) -> Vec<(Offset, Timestamp)> {
        let header = |batch: &Bytes| BatchHeader::parse(batch).unwrap();
        let time = |batch| (Offset(header(batch).base_offset), Timestamp(header(batch).max_timestamp));
        self.from(of.partition, from).iter().map(time).collect()
    }
}

impl History for Shelf {
    fn read(&self, of: Origin, from: Offset, bytes_max: usize) -> Telling<Vec<Bytes>> {
        self.reads.lock().unwrap().push(from);
        let mut bytes = 0;
        let batches = self.from(of.partition, from).into_iter().take_while(|batch| {
            bytes += batch.len();
            bytes <= bytes_max
        });
        let read = self.fails.lock().unwrap().clone().map_or_else(|| Ok(batches.collect()), Err);
        let (answer, told) = flume::bounded(1);
        match &mut *self.held_back.lock().unwrap() {
            Some(held_back) => held_back.push((answer, read)),
            None => answer.send(read).unwrap(),
        }
        Box::pin(async move { told.recv_async().await.unwrap() })
    }

    fn offset_for_time(&self, of: Origin, from: Offset, at: Timestamp) -> Telling<Option<(Offset, Timestamp)>> {
        let found = self.times(of, from).into_iter().find(|(_, time)| *time >= at);
        Box::pin(std::future::ready(Ok(found)))
    }

    fn newest(&self, of: Origin, from: Offset) -> Telling<Option<(Offset, Timestamp)>> {
        let found = self.times(of, from).into_iter().rev().max_by_key(|(_, time)| *time);
        Box::pin(std::future::ready(Ok(found)))
    }
}

const TOPIC: &str = "old";

fn start(dir: &Path, shelf: &Arc<Shelf>) -> TestNode {
    TestNode::start_with(NodeConfig { history: shelf.clone(), ..config(dir, free_port(), 2) })
}

fn record(time: i64, bytes: usize) -> Bytes {
    let mut builder = BatchBuilder::new(Compression::None);
    builder.push(time, None, Some(&vec![time as u8; bytes]), &[]);
    builder.build()
}

/// Ten records in each of two partitions, of which the archive has the first seven and the log the last five.
fn stored(client: &mut Client, node: &TestNode, shelf: &Shelf) -> Vec<Bytes> {
    assert_eq!(create(client, TOPIC, 2, &[]), 0);
    let times = [100, 101, 102, 500, 104, 105, 106, 107, 108, 500];
    for partition in 0..2 {
        for time in times {
            assert_eq!(produce(client, TOPIC, partition, record(time, 100)).error_code, 0);
        }
    }
    let all: Vec<Bytes> = (0..).zip(times).map(|(base, time)| placed(&record(time, 100), base)).collect();
    for partition in 0..2 {
        shelf.batches.lock().unwrap().insert(partition, all[..7].to_vec());
        block_on(node.handle.archive_advanced(TOPIC, partition, Offset(7))).unwrap();
        block_on(node.handle.drop_locally(TOPIC, partition, Offset(5))).unwrap();
        // The shard is told, not asked.
        while list_offset(client, TOPIC, partition, -4).0 != 5 {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    all
}

/// Everything from an offset on, in as many fetches as it takes.
fn read_all(client: &mut Client, partition: i32, mut from: i64) -> Bytes {
    let mut read = Vec::new();
    while from < 10 {
        let request = fetch_request(TOPIC, partition, from, 15_000);
        let data = client.call(12, &request).responses.remove(0).partitions.remove(0);
        assert_eq!((data.error_code, data.log_start_offset, data.high_watermark), (0, 0, 10));
        let records = data.records.unwrap();
        let mut rest = &records[..];
        while !rest.is_empty() {
            let header = BatchHeader::parse(rest).unwrap();
            from = header.last_offset() + 1;
            rest = &rest[header.total_bytes()..];
        }
        read.push(records);
    }
    read.concat().into()
}

#[test]
fn consumers_do_not_see_the_seam_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let shelf = Arc::new(Shelf::default());
    let node = start(dir.path(), &shelf);
    let mut client = node.connect();
    let all = stored(&mut client, &node, &shelf);
    for partition in 0..2 {
        assert_eq!(read_all(&mut client, partition, 0), all.concat());
        assert_eq!(read_all(&mut client, partition, 3), all[3..].concat());
        let find = |client: &mut Client, time| list_offset(client, TOPIC, partition, time);
        assert_eq!([-1, -2, -4, -5].map(|place| find(&mut client, place).0), [10, 0, 5, 6]);
        assert_eq!([101, 103, 108].map(|time| find(&mut client, time)), [(1, 101), (3, 500), (3, 500)]);
        assert_eq!(find(&mut client, -3), (3, 500), "the first of two with the same time");
    }
    shelf.batches.lock().unwrap().insert(0, all[..3].to_vec());
    assert_eq!(list_offset(&mut client, TOPIC, 0, 104), (5, 105), "in the log what is not in the archive");
    shelf.batches.lock().unwrap().insert(0, all[..7].to_vec());
    let lake = block_on(node.handle.fetch(TOPIC, 1, Offset(0), 1 << 20, 15_000)).unwrap();
    assert_eq!(lake.batches.concat(), all[..7].concat(), "readers inside the process do not see it either");
    node.stop();

    let node = start(dir.path(), &shelf);
    let mut client = node.connect();
    assert_eq!(read_all(&mut client, 0, 0), all.concat());
    assert_eq!(list_offset(&mut client, TOPIC, 0, -4).0, 5);
    node.stop();
}

#[test]
fn hot_partitions_do_not_wait_for_cold_ones_and_a_long_poll_does() {
    let dir = tempfile::tempdir().unwrap();
    let shelf = Arc::new(Shelf::default());
    let node = start(dir.path(), &shelf);
    let mut client = node.connect();
    let all = stored(&mut client, &node, &shelf);
    shelf.hold_back();
    let mut both = fetch_request(TOPIC, 0, 0, 15_000);
    let mut hot = both.topics[0].partitions[0].clone();
    (hot.partition, hot.fetch_offset) = (1, 8);
    both.topics[0].partitions.push(hot);
    for _ in 0..2 {
        let topic = client.call(12, &both).responses.remove(0);
        let read: Vec<Bytes> = topic.partitions.into_iter().map(|partition| partition.records.unwrap()).collect();
        assert_eq!(read, [Bytes::new(), all[8..].concat().into()]);
    }
    assert_eq!(*shelf.reads.lock().unwrap(), [Offset(0)], "one read, which goes on");
    client.send(12, &fetch_request(TOPIC, 0, 0, 15_000));
    let mut other = node.connect();
    other.send(12, &fetch_request(TOPIC, 0, 0, 15_000));
    std::thread::sleep(Duration::from_millis(100));
    shelf.let_go();
    for client in [&mut client, &mut other] {
        let data = client.receive::<FetchRequest>(12).responses.remove(0).partitions.remove(0);
        assert_eq!(data.records.unwrap(), all[..7].concat());
    }
    assert_eq!(shelf.reads.lock().unwrap().len(), 1, "all share it");
    assert_eq!(fetch(&mut client, TOPIC, 0, 0).records.unwrap(), all[..7].concat(), "and it is here for a while");
    node.stop();
}

#[test]
fn what_the_archive_cannot_read_is_an_error_until_it_can() {
    let dir = tempfile::tempdir().unwrap();
    let shelf = Arc::new(Shelf::default());
    let node = start(dir.path(), &shelf);
    let mut client = node.connect();
    let all = stored(&mut client, &node, &shelf);
    let cases = [
        (Error::damaged("the object is damaged"), ResponseError::CorruptMessage),
        (Error::busy("slow down"), ResponseError::RequestTimedOut),
        (Error::missing("no such object"), ResponseError::KafkaStorageError),
    ];
    for (error, code) in cases {
        *shelf.fails.lock().unwrap() = Some(error);
        let response = client.call(12, &fetch_request(TOPIC, 0, 2, 15_000)).responses.remove(0);
        assert_eq!(response.partitions[0].error_code, code.code());
    }
    *shelf.fails.lock().unwrap() = None;
    assert_eq!(read_all(&mut client, 0, 2), all[2..].concat());
    node.stop();
}
