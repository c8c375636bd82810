//! Does a node of two shards store, find and return what clients send, also after it was killed?

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, CreateTopicsRequest, FetchRequest, InitProducerIdRequest, ListOffsetsRequest,
    MetadataRequest, ProduceRequest, TopicName as WireName,
};
use model::{Offset, TopicName, TopicSettings};
use schema_registry::{Schema, SchemaType, View};
use support::{Client, TestNode, block_on, config, free_port, text};
use wire::batch::{self, BatchBuilder, Compression};

const CODECS: [Compression; 5] =
    [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

fn batch_of(codec: Compression, values: &[&str], producer: Option<(i64, i16, i32)>) -> Bytes {
    let mut builder = BatchBuilder::new(codec);
    for (index, value) in (0..).zip(values) {
        builder.push(1_000 + index, Some(b"key"), Some(value.as_bytes()), &[("a", Some(b"1")), ("a", None)]);
    }
    match producer {
        Some((id, epoch, sequence)) => builder.producer(id, epoch, sequence).build(),
        None => builder.build(),
    }
}

fn create(client: &mut Client, name: &str, partitions: i32, settings: &[(&str, &str)]) -> i16 {
    let configs = settings
        .iter()
        .map(|(name, value)| CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value))));
    let topic = CreatableTopic::default()
        .with_name(WireName(text(name)))
        .with_num_partitions(partitions)
        .with_replication_factor(-1)
        .with_configs(configs.collect());
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(5_000);
    client.call(7, &request).topics[0].error_code
}

fn produce_request(topic: &str, partition: i32, batch: Bytes, acks: i16) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch));
    let topic = TopicProduceData::default().with_name(WireName(text(topic))).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(acks).with_timeout_ms(5_000).with_topic_data(vec![topic])
}

fn produce(client: &mut Client, topic: &str, partition: i32, batch: Bytes) -> PartitionProduceResponse {
    let mut response = client.call(9, &produce_request(topic, partition, batch, -1));
    response.responses.remove(0).partition_responses.remove(0)
}

fn fetch_request(topic: &str, partition: i32, from: i64, wait_ms: i32) -> FetchRequest {
    let wanted = FetchPartition::default()
        .with_partition(partition)
        .with_fetch_offset(from)
        .with_current_leader_epoch(-1)
        .with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default().with_topic(WireName(text(topic))).with_partitions(vec![wanted]);
    FetchRequest::default().with_max_wait_ms(wait_ms).with_min_bytes(1).with_max_bytes(1 << 20).with_topics(vec![topic])
}

fn fetch(client: &mut Client, topic: &str, partition: i32, from: i64) -> PartitionData {
    client.call(12, &fetch_request(topic, partition, from, 0)).responses.remove(0).partitions.remove(0)
}

/// What a batch must come back as: the producer's bytes, with the offset and the leader's epoch in place.
fn placed(batch: &Bytes, base: i64) -> Bytes {
    let mut bytes = batch.to_vec();
    batch::place(&mut bytes, Offset(base), 1);
    bytes.into()
}

fn list_offset(client: &mut Client, topic: &str, partition: i32, timestamp: i64) -> (i64, i64) {
    let wanted = ListOffsetsPartition::default()
        .with_partition_index(partition)
        .with_timestamp(timestamp)
        .with_current_leader_epoch(-1);
    let topic = ListOffsetsTopic::default().with_name(WireName(text(topic))).with_partitions(vec![wanted]);
    let mut response = client.call(7, &ListOffsetsRequest::default().with_topics(vec![topic]));
    let found = response.topics.remove(0).partitions.remove(0);
    assert_eq!(found.error_code, 0);
    (found.offset, found.timestamp)
}

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
fn batches_that_may_not_be_stored_are_refused_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), 2);
    let mut client = node.connect();
    assert_eq!(create(&mut client, "small", 1, &[("max.message.bytes", "200")]), 0);
    assert_eq!(create(&mut client, "compact", 1, &[("cleanup.policy", "compact")]), 0);
    let good = batch_of(Compression::None, &["fine"], None);
    let mut damaged = good.to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    let long = "x".repeat(300);
    let mut keyless = BatchBuilder::new(Compression::None);
    keyless.push(1, Some(b"key"), Some(b"good"), &[]);
    keyless.push(1, None, Some(b"bad"), &[]);
    let cases = [
        ("small", Bytes::from(damaged), ResponseError::CorruptMessage),
        ("small", batch_of(Compression::None, &[&long], None), ResponseError::MessageTooLarge),
        ("small", [good.clone(), good.clone()].concat().into(), ResponseError::InvalidRecord),
        ("small", Bytes::new(), ResponseError::CorruptMessage),
        ("nowhere", good.clone(), ResponseError::UnknownTopicOrPartition),
        ("_schemas", good.clone(), ResponseError::UnknownTopicOrPartition),
    ];
    for (topic, batch, expected) in cases {
        let refused = produce(&mut client, topic, 0, batch);
        assert_eq!(refused.error_code, expected.code(), "{topic}: {:?}", refused.error_message);
        assert!(refused.error_message.is_some());
    }
    let refused = produce(&mut client, "compact", 0, keyless.build());
    assert_eq!(refused.error_code, ResponseError::InvalidRecord.code());
    assert_eq!(refused.record_errors.iter().map(|e| e.batch_index).collect::<Vec<_>>(), [1]);
    for topic in ["small", "compact"] {
        assert_eq!(list_offset(&mut client, topic, 0, -1).0, 0, "nothing of them was stored");
    }
    node.stop();
}

#[test]
fn versions_are_negotiated_with_old_and_new_clients() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), 2);
    let mut client = node.connect();
    let keys = client.call(3, &ApiVersionsRequest::default()).api_keys;
    let produce = keys.iter().find(|row| row.api_key == ApiKey::Produce as i16).unwrap();
    assert_eq!(produce.min_version, 0, "librdkafka looks for it (KAFKA-18659)");
    assert!(keys.iter().all(|row| row.api_key != ApiKey::EndTxn as i16), "transactions are not promised");
    // ApiVersions 9, of a client to come: key 18, version 9, correlation 5, whatever.
    client.raw(&[0, 0, 0, 12, 0, 18, 0, 9, 0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff]);
    let frame = client.frame().unwrap();
    assert_eq!(frame[..6], [0, 0, 0, 5, 0, 35], "correlation, then UNSUPPORTED_VERSION in the form of version 0");
    // The connection goes on after that, but not after a frame that is none.
    assert!(!client.call(0, &ApiVersionsRequest::default()).api_keys.is_empty());
    client.raw(&[0x7f, 0xff, 0xff, 0xff]);
    assert!(client.frame().is_none());
    for bytes in
        [&[0, 0, 0, 2, 0, 3][..], &[0, 0, 0, 9, 0, 3, 0, 0, 0, 0, 0, 1, 3], &[0, 0, 0, 8, 0, 99, 0, 0, 0, 0, 0, 1]]
    {
        let mut client = node.connect();
        client.raw(bytes);
        assert!(client.frame().is_none(), "{bytes:?}");
    }
    node.stop();
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
fn values_are_checked_against_their_schema_before_they_are_stored() {
    let dir = tempfile::tempdir().unwrap();
    let schema = r#"{"type":"record","name":"R","fields":[{"name":"n","type":"int"},{"name":"s","type":"string"}]}"#;
    let schema = Arc::new(Schema::parse(SchemaType::Avro, schema, &[]).unwrap());
    let mut view = View::default();
    view.put("strict-value", 1, 7, false, schema.clone());
    view.put("lenient-value", 1, 7, false, schema);
    let config = config(dir.path(), free_port(), 2);
    config.registry.store(Arc::new(view));
    let node = TestNode::start_with(config);
    let mut client = node.connect();
    assert_eq!(create(&mut client, "strict", 1, &[("frazil.check.value", "payload")]), 0);
    let lenient = [("frazil.check.value", "payload"), ("frazil.check.action", "dead_letter")];
    assert_eq!(create(&mut client, "lenient", 1, &lenient), 0);
    let good: &[u8] = &[0, 0, 0, 0, 7, 2, 2, b'x'];
    let batch = |values: &[Option<&[u8]>], codec, sequence| {
        let mut builder = BatchBuilder::new(codec).producer(5, 0, sequence);
        values.iter().for_each(|value| builder.push(1, Some(b"k"), *value, &[]));
        builder.build()
    };
    for codec in CODECS {
        let cut = batch(&[Some(good), Some(&good[..7]), None, Some(b"bare")], codec, 0);
        let refused = produce(&mut client, "strict", 0, cut.clone());
        assert_eq!(refused.error_code, ResponseError::InvalidRecord.code());
        assert_eq!(refused.record_errors.iter().map(|e| e.batch_index).collect::<Vec<_>>(), [1, 3]);
        let why = refused.record_errors[0].batch_index_error_message.as_ref().unwrap().to_string();
        assert!(why.contains('s') && why.contains("value"), "the field is named: {why}");
        assert_eq!(
            client.call(7, &produce_request("strict", 0, cut, -1)).responses[0].partition_responses[0].error_code,
            87
        );
    }
    // Nothing of the refused batches was stored, and the producer's numbers have not moved.
    let fine = produce(&mut client, "strict", 0, batch(&[Some(good), None], Compression::Zstd, 0));
    assert_eq!((fine.error_code, fine.base_offset), (0, 0));
    let kept = produce(&mut client, "lenient", 0, batch(&[Some(b"bare")], Compression::None, 0));
    assert_eq!(kept.error_code, 0, "the lake finds the cause again");
    node.stop();
}

#[test]
fn no_bytes_of_a_client_stop_the_node() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), 2);
    let mut client = node.connect();
    assert_eq!(create(&mut client, "target", 2, &[]), 0);
    let apis = client.call(3, &ApiVersionsRequest::default()).api_keys;
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    for api in &apis {
        for version in api.min_version..=api.max_version {
            for round in 0..4 {
                let length = if round == 0 { 5 } else { usize::try_from(next() % 60).unwrap() };
                let small = round == 3;
                let body = (0..length)
                    .map(|_| if small { u8::try_from(next() % 4).unwrap() } else { next().to_le_bytes()[0] });
                let mut frame = vec![0, 0, 0, 0];
                frame.extend(api.api_key.to_be_bytes());
                frame.extend(version.to_be_bytes());
                frame.extend([0, 0, 0, 1, 0xff, 0xff, 0]);
                frame.extend(body);
                let length = i32::try_from(frame.len() - 4).unwrap();
                frame[..4].copy_from_slice(&length.to_be_bytes());
                let mut victim = node.connect();
                victim.raw(&frame);
            }
        }
    }
    let valid = wire::request::encode(
        &wire::request::Head { api_key: 0, api_version: 9, correlation_id: 1, client_id: None },
        &produce_request("target", 0, batch_of(Compression::Lz4, &["a", "b", "c"], Some((9, 0, 0))), -1),
    );
    let valid = valid.unwrap();
    for _ in 0..300 {
        let mut bytes = valid.to_vec();
        let at = 4 + usize::try_from(next()).unwrap() % (bytes.len() - 4);
        bytes[at] ^= 1 << (next() % 8);
        node.connect().raw(&bytes);
    }
    let stored = produce(&mut client, "target", 1, batch_of(Compression::None, &["alive"], None));
    assert_eq!(stored.error_code, 0);
    node.stop();
}
