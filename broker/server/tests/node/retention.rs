//! Are old and surplus records dropped, and only those?

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use model::Offset;
use server::NodeConfig;
use wire::batch::{BatchBuilder, Compression};

use crate::requests::{create, delete_records, fetch, list_offset, placed, produce};
use crate::support::{Client, TestNode, block_on, config, free_port};

fn start(dir: &Path) -> TestNode {
    TestNode::start_with(NodeConfig {
        retention_tick_ms: 100,
        segment_bytes: 256 * 1024,
        ..config(dir, free_port(), 1)
    })
}

/// One record of this age.
fn aged(age_s: i64, value_bytes: usize) -> Bytes {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let mut builder = BatchBuilder::new(Compression::None);
    builder.push(i64::try_from(now.as_millis()).unwrap() - 1_000 * age_s, None, Some(&vec![7; value_bytes]), &[]);
    builder.build()
}

fn earliest(client: &mut Client, topic: &str) -> i64 {
    list_offset(client, topic, 0, -2).0
}

/// Waits for what retention does in the background.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let asked = Instant::now();
    while !holds() {
        assert!(asked.elapsed() < Duration::from_secs(30), "{what} does not come");
        sleep(Duration::from_millis(50));
    }
}

#[test]
fn old_records_are_dropped_from_the_front_and_stay_so_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let node = start(dir.path());
    let mut client = node.connect();
    for (topic, settings) in
        [("old", ("retention.ms", "60000")), ("kept", ("retention.ms", "-1")), ("keyed", ("cleanup.policy", "compact"))]
    {
        assert_eq!(create(&mut client, topic, 1, &[settings]), 0);
    }
    let batches = [aged(1_000_000, 10), aged(120, 10), aged(0, 10), aged(120, 10)];
    for batch in &batches {
        assert_eq!(produce(&mut client, "old", 0, batch.clone()).error_code, 0);
        assert_eq!(produce(&mut client, "kept", 0, batch.clone()).error_code, 0);
    }
    until("the log start", || earliest(&mut client, "old") == 2);
    node.stop();

    let node = start(dir.path());
    let mut client = node.connect();
    sleep(Duration::from_millis(300));
    assert_eq!((earliest(&mut client, "old"), earliest(&mut client, "kept")), (2, 0), "a young one holds what follows");
    assert_eq!(fetch(&mut client, "old", 0, 1).error_code, ResponseError::OffsetOutOfRange.code());
    let rest = [placed(&batches[2], 2), placed(&batches[3], 3)].concat();
    assert_eq!(fetch(&mut client, "old", 0, 2).records.unwrap(), rest);
    let told = block_on(node.handle.fetch("old", 0, Offset(0), 1 << 20, 10_000)).unwrap();
    assert_eq!((told.batches.len(), told.log_start), (0, Offset(2)), "readers inside the process learn where to go on");
    node.stop();
}

#[test]
fn a_table_gets_all_records_before_they_are_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let node = start(dir.path());
    let mut client = node.connect();
    assert_eq!(create(&mut client, "lake", 1, &[("retention.ms", "60000"), ("frazil.lake.mode", "key_value")]), 0);
    for _ in 0..4 {
        produce(&mut client, "lake", 0, aged(120, 10));
    }
    let advanced = |node: &TestNode, committed| {
        block_on(node.handle.lake_advanced("lake", 0, Offset(committed), Offset(4))).unwrap();
    };
    sleep(Duration::from_millis(400));
    assert_eq!(earliest(&mut client, "lake"), 0, "the lake has not told");
    advanced(&node, 2);
    until("what the table has", || earliest(&mut client, "lake") == 2);
    node.stop();
    let node = start(dir.path());
    let mut client = node.connect();
    sleep(Duration::from_millis(400));
    assert_eq!(earliest(&mut client, "lake"), 2, "the lake has not told again");
    advanced(&node, 4);
    until("the rest", || earliest(&mut client, "lake") == 4);
    assert_eq!(produce(&mut client, "lake", 0, aged(0, 10)).base_offset, 4);
    node.stop();
}

#[test]
fn the_disk_holds_what_is_kept_and_little_more() {
    let dir = tempfile::tempdir().unwrap();
    let node = start(dir.path());
    let mut client = node.connect();
    // Lies in the first segment, next to the controller's own records, and is kept for ever.
    assert_eq!(create(&mut client, "pinned", 1, &[("retention.ms", "-1")]), 0);
    let pinned = aged(1_000_000, 10);
    assert_eq!(produce(&mut client, "pinned", 0, pinned.clone()).error_code, 0);
    assert_eq!(create(&mut client, "sized", 1, &[("retention.bytes", "300000")]), 0);
    for n in 0..200 {
        assert_eq!(produce(&mut client, "sized", 0, aged(0, 20_000)).base_offset, n);
    }
    until("the log start", || earliest(&mut client, "sized") == 200 - 15);
    let bytes = || -> u64 { files(dir.path()).iter().sum() };
    // Beside the segments, spare ones among them, there are a few small files.
    let segments = |count: u64| count * 256 * 1024 + 4096;
    until("the space", || bytes() <= segments(6));
    assert_eq!(create(&mut client, "deleted", 1, &[("retention.ms", "-1")]), 0);
    for n in 0..100 {
        assert_eq!(produce(&mut client, "deleted", 0, aged(0, 20_000)).base_offset, n);
    }
    assert!(bytes() > 2_000_000, "{}", bytes());
    assert_eq!(delete_records(&mut client, "deleted", 99), (0, 99));
    until("the space of deleted records", || bytes() <= segments(8));
    assert_eq!(fetch(&mut client, "pinned", 0, 0).records.unwrap(), placed(&pinned, 0));
    node.stop();

    let node = start(dir.path());
    let mut client = node.connect();
    assert_eq!((earliest(&mut client, "sized"), earliest(&mut client, "deleted")), (185, 99));
    for offset in 185..200 {
        assert_eq!(fetch(&mut client, "sized", 0, offset).error_code, 0);
    }
    assert_eq!(fetch(&mut client, "pinned", 0, 0).records.unwrap(), placed(&pinned, 0));
    assert_eq!(produce(&mut client, "sized", 0, aged(0, 10)).base_offset, 200);
    node.stop();
}

/// The length of every file in a folder and below.
fn files(dir: &Path) -> Vec<u64> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let lens = entries.flat_map(|path| match path.is_dir() {
        true => files(&path),
        // It may have been removed just now.
        false => std::fs::metadata(&path).map(|metadata| metadata.len()).into_iter().collect(),
    });
    lens.collect()
}
