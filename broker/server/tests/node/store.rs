//! Does a node store, find and return what clients send, also after it was killed?

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    FetchRequest, InitProducerIdRequest, MetadataRequest, ProduceRequest, TopicName as WireName,
};
use model::{Offset, TopicName, TopicSettings};
use wire::batch::Compression;

use crate::requests::{
    CODECS, batch_of, commit_offset, committed_offset, create, delete_records, fetch, fetch_request, list_offset,
    placed, produce, produce_request,
};
use crate::support::{TestNode, block_on, config, text};

#[test]
fn every_codec_comes_back_byte_by_byte_from_every_shard() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), 2);
    let mut client = node.connect();
    assert_eq!(create(&mut client, "codecs", 4, &[]), 0);
    for partition in 0..4 {
        let mut expected = Vec::new();
        for codec in CODECS {
            let batch = batch_of(codec, &["one", "two", "three"], None);
            let stored = produce(&mut client, "codecs", partition, batch.clone());
            let base = 3 * i64::try_from(expected.len()).unwrap();
            assert_eq!((stored.error_code, stored.base_offset), (0, base));
            expected.push(placed(&batch, base));
        }
        let fetched = fetch(&mut client, "codecs", partition, 0);
        assert_eq!(fetched.high_watermark, 15);
        assert_eq!(fetched.records.unwrap(), expected.concat());
        let middle = fetch(&mut client, "codecs", partition, 7);
        assert_eq!(middle.records.unwrap(), expected[2..].concat(), "the whole batch that holds the offset");
        assert_eq!(fetch(&mut client, "codecs", partition, 15).records.unwrap(), Bytes::new());
        let beyond = fetch(&mut client, "codecs", partition, 16);
        assert_eq!(beyond.error_code, ResponseError::OffsetOutOfRange.code());
    }
    node.stop();
}

#[test]
fn a_long_poll_is_woken_by_a_record_and_not_before() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), 2);
    let (mut reader, mut writer) = (node.connect(), node.connect());
    assert_eq!(create(&mut writer, "poll", 2, &[]), 0);
    for partition in 0..2 {
        let asked = Instant::now();
        reader.send(12, &fetch_request("poll", partition, 0, 15_000));
        std::thread::sleep(Duration::from_millis(150));
        let batch = batch_of(Compression::None, &["late"], None);
        assert_eq!(produce(&mut writer, "poll", partition, batch.clone()).error_code, 0);
        let response = reader.receive::<FetchRequest>(12);
        assert_eq!(response.responses[0].partitions[0].records, Some(placed(&batch, 0)));
        assert!(asked.elapsed() >= Duration::from_millis(150) && asked.elapsed() < Duration::from_secs(14));
    }
    let asked = Instant::now();
    reader.send(12, &fetch_request("poll", 0, 1, 300));
    assert_eq!(reader.receive::<FetchRequest>(12).responses[0].partitions[0].records, Some(Bytes::new()));
    assert!(asked.elapsed() >= Duration::from_millis(300));
    node.stop();
}

#[test]
fn offsets_are_found_by_time() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), 2);
    let mut client = node.connect();
    assert_eq!(create(&mut client, "times", 1, &[]), 0);
    assert_eq!(list_offset(&mut client, "times", 0, 5), (-1, -1));
    produce(&mut client, "times", 0, batch_of(Compression::Lz4, &["at 1000", "at 1001", "at 1002"], None));
    assert_eq!(list_offset(&mut client, "times", 0, -1), (3, -1));
    assert_eq!(list_offset(&mut client, "times", 0, -2), (0, -1));
    assert_eq!(list_offset(&mut client, "times", 0, -3), (2, 1_002));
    assert_eq!(list_offset(&mut client, "times", 0, 0), (0, 1_000));
    assert_eq!(list_offset(&mut client, "times", 0, 1_001), (1, 1_001));
    assert_eq!(list_offset(&mut client, "times", 0, 1_003), (-1, -1));
    node.stop();
}

#[test]
fn pipelined_requests_are_appended_and_answered_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), 2);
    let mut client = node.connect();
    assert_eq!(create(&mut client, "order", 2, &[]), 0);
    for partition in 0..2 {
        let producer = 77 + i64::from(partition);
        for sequence in 0..50 {
            let batch = batch_of(Compression::None, &["x"], Some((producer, 0, sequence)));
            client.send(9, &produce_request("order", partition, batch, -1));
        }
        client.send(12, &fetch_request("order", partition, 0, 0));
        for sequence in 0..50 {
            let response = client.receive::<ProduceRequest>(9);
            let stored = &response.responses[0].partition_responses[0];
            assert_eq!((stored.error_code, stored.base_offset), (0, sequence));
        }
        assert_eq!(client.receive::<FetchRequest>(12).responses[0].partitions[0].error_code, 0);
    }
    node.stop();
}

#[test]
fn a_repeated_batch_is_stored_once_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), 2);
    let mut client = node.connect();
    assert_eq!(create(&mut client, "once", 1, &[]), 0);
    let id = client.call(4, &InitProducerIdRequest::default().with_transactional_id(None)).producer_id.0;
    let first = batch_of(Compression::None, &["a", "b"], Some((id, 0, 0)));
    let second = batch_of(Compression::None, &["c"], Some((id, 0, 2)));
    assert_eq!(produce(&mut client, "once", 0, first.clone()).base_offset, 0);
    assert_eq!(produce(&mut client, "once", 0, second.clone()).base_offset, 2);
    assert_eq!(produce(&mut client, "once", 0, first.clone()).base_offset, 0);
    node.stop();

    let node = TestNode::start(dir.path(), 2);
    let mut client = node.connect();
    let again = produce(&mut client, "once", 0, second);
    assert_eq!((again.error_code, again.base_offset), (0, 2));
    let gap = produce(&mut client, "once", 0, batch_of(Compression::None, &["e"], Some((id, 0, 4))));
    assert_eq!(gap.error_code, ResponseError::OutOfOrderSequenceNumber.code());
    assert_eq!(list_offset(&mut client, "once", 0, -1).0, 3);
    let another = client.call(4, &InitProducerIdRequest::default().with_transactional_id(None)).producer_id.0;
    assert_ne!(another, id, "producer ids are never given out twice");
    node.stop();
}

#[test]
fn what_was_acknowledged_survives_without_a_clean_stop() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), 2);
    let mut client = node.connect();
    assert_eq!(create(&mut client, "kept", 2, &[("retention.ms", "-1")]), 0);
    let batch = batch_of(Compression::Zstd, &["kept"], None);
    for partition in 0..2 {
        assert_eq!(produce(&mut client, "kept", partition, batch.clone()).error_code, 0);
    }
    let id = node.handle.cluster().topic("kept").unwrap().id;
    // As a crash leaves it: a copy of the folder taken while the node runs.
    let copy = tempfile::tempdir().unwrap();
    copy_folder(dir.path(), copy.path());
    node.stop();

    let node = TestNode::start(copy.path(), 2);
    let cluster = node.handle.cluster();
    assert_eq!(cluster.topic("kept").unwrap().id, id);
    assert_eq!(cluster.topic("kept").unwrap().settings.get("retention.ms"), "-1");
    let mut client = node.connect();
    for partition in 0..2 {
        assert_eq!(fetch(&mut client, "kept", partition, 0).records.unwrap(), placed(&batch, 0));
        assert_eq!(produce(&mut client, "kept", partition, batch.clone()).base_offset, 1);
    }
    node.stop();
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn topics_are_made_when_a_client_first_names_them() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), 2);
    let mut client = node.connect();
    let ask = |name: &str, allow| {
        let topic = MetadataRequestTopic::default().with_name(Some(WireName(text(name))));
        MetadataRequest::default().with_topics(Some(vec![topic])).with_allow_auto_topic_creation(allow)
    };
    let unknown = ResponseError::UnknownTopicOrPartition.code();
    assert_eq!(client.call(9, &ask("auto", false)).topics[0].error_code, unknown);
    let made = client.call(9, &ask("auto", true)).topics.remove(0);
    assert_eq!((made.error_code, made.partitions.len()), (0, 2));
    let illegal = client.call(9, &ask("no spaces", true)).topics.remove(0);
    assert_eq!(illegal.error_code, ResponseError::InvalidTopicException.code());
    assert_eq!(client.call(9, &MetadataRequest::default().with_topics(Some(vec![]))).topics.len(), 0);
    assert_eq!(client.call(9, &MetadataRequest::default().with_topics(None)).topics.len(), 1);
    assert_eq!(client.call(0, &MetadataRequest::default().with_topics(Some(vec![]))).topics.len(), 1);
    node.stop();
}

#[test]
fn the_handle_writes_reads_and_deletes() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), 2);
    let handle = node.handle.clone();
    block_on(async {
        let batch = batch_of(Compression::None, &["schema"], None);
        assert_eq!(handle.produce("_schemas", 0, batch.clone()).await.unwrap(), Offset(0));
        let fetched = handle.fetch("_schemas", 0, Offset(0), 1 << 20, 0).await.unwrap();
        assert_eq!(fetched.batches, [placed(&batch, 0)]);
        assert_eq!(handle.fetch("_schemas", 0, Offset(1), 1 << 20, 50).await.unwrap().high_watermark, Offset(1));
        assert!(handle.produce("nowhere", 0, batch.clone()).await.is_err());

        let name = TopicName::new("mine").unwrap();
        let settings = TopicSettings::parse([("frazil.lake.mode", "key_value")]).unwrap();
        let topic = handle.create_topic(name.clone(), Some(3), settings).await.unwrap();
        assert_eq!(topic.partitions.len(), 3);
        handle.produce("mine", 2, batch.clone()).await.unwrap();
        handle.lake_advanced("mine", 2, Offset(1), Offset(1)).await.unwrap();
        handle.delete_topic(name.clone()).await.unwrap();
        assert!(handle.cluster().topic("mine").is_none());
        handle.create_topic(name, Some(3), TopicSettings::default()).await.unwrap();
        let fetched = handle.fetch("mine", 2, Offset(0), 1 << 20, 0).await.unwrap();
        assert_eq!(fetched.high_watermark, Offset(0), "a new topic has nothing of the old one of its name");
    });
    let mut client = node.connect();
    let refused = produce(&mut client, "_schemas", 0, batch_of(Compression::None, &["forged"], None));
    assert_eq!(refused.error_code, ResponseError::InvalidTopicException.code());
    assert_eq!(fetch(&mut client, "_schemas", 0, 0).high_watermark, 1, "clients may read it");
    node.stop();
}

#[test]
fn fewer_shards_than_before_are_refused_and_more_are_taken() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), 2);
    let mut client = node.connect();
    assert_eq!(create(&mut client, "spread", 2, &[]), 0);
    let batch = batch_of(Compression::None, &["x"], None);
    assert_eq!(produce(&mut client, "spread", 1, batch.clone()).error_code, 0);
    node.stop();
    let error = server::plan(config(dir.path(), 1, 1)).err().expect("one shard is too few");
    assert!(error.message.contains("at least 2"), "{error}");
    let node = TestNode::start(dir.path(), 3);
    assert_eq!(fetch(&mut node.connect(), "spread", 1, 0).records.unwrap(), placed(&batch, 0));
    node.stop();
}

#[test]
fn deleted_records_stay_deleted_but_a_table_keeps_what_it_needs() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), 2);
    let mut client = node.connect();
    assert_eq!(create(&mut client, "trim", 1, &[]), 0);
    assert_eq!(create(&mut client, "lake", 1, &[("frazil.lake.mode", "key_value")]), 0);
    for topic in ["trim", "lake"] {
        for _ in 0..3 {
            produce(&mut client, topic, 0, batch_of(Compression::None, &["x"], None));
        }
    }
    let mut trim = |topic: &str, offset| delete_records(&mut client, topic, offset);
    assert_eq!(trim("trim", 2), (0, 2));
    assert_eq!(trim("trim", 9).0, ResponseError::OffsetOutOfRange.code());
    assert_eq!(trim("lake", -1), (0, 0));
    block_on(node.handle.lake_advanced("lake", 0, Offset(1), Offset(2))).unwrap();
    block_on(node.handle.log_stats()).expect("the shards answer, and so have read what came before");
    assert_eq!(trim("lake", -1), (0, 1));
    assert_eq!(trim("trim", -1), (0, 3));
    node.stop();
    let node = TestNode::start(dir.path(), 2);
    let mut client = node.connect();
    assert_eq!(list_offset(&mut client, "trim", 0, -2).0, 3);
    assert_eq!(fetch(&mut client, "trim", 0, 2).error_code, ResponseError::OffsetOutOfRange.code());
    assert_eq!(produce(&mut client, "trim", 0, batch_of(Compression::None, &["x"], None)).base_offset, 3);
    node.stop();
}

#[test]
fn a_group_has_no_offset_in_a_new_topic_that_has_the_name_of_a_deleted_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = TestNode::start(dir.path(), 2);
    let mut client = node.connect();
    let groups = ["one", "two", "three", "four"];
    for topic in ["gone", "stays"] {
        assert_eq!(create(&mut client, topic, 1, &[]), 0);
        assert!(groups.iter().all(|group| commit_offset(&mut client, group, topic, 7) == 0));
    }
    block_on(node.handle.delete_topic(TopicName::new("gone").unwrap())).unwrap();
    assert_eq!(create(&mut client, "gone", 1, &[]), 0);
    for restarted in [false, true] {
        if restarted {
            node.stop();
            node = TestNode::start(dir.path(), 2);
        }
        let mut client = node.connect();
        for group in groups {
            assert_eq!(committed_offset(&mut client, group, "gone"), -1, "{group}");
            assert_eq!(committed_offset(&mut client, group, "stays"), 7, "{group}");
        }
    }
    node.stop();
}
