//! Does a node refuse what it must refuse, and live on?

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest};
use model::{TopicName, TopicSettings};
use schema_registry::{Schema, SchemaType, View};
use wire::batch::{BatchBuilder, Compression};

use crate::requests::{CODECS, batch_of, create, list_offset, produce, produce_request};
use crate::support::{TestNode, block_on, config, free_port};

struct NoTables;

impl server::TopicGate for NoTables {
    fn admit(&self, name: &TopicName, settings: &TopicSettings, _: &server::Cluster) -> Result<(), String> {
        match settings.get("frazil.lake.mode") {
            "off" => Ok(()),
            _ => Err(format!("'{name}' cannot be a table here")),
        }
    }
}

#[test]
fn the_gate_is_asked_before_topics_are_made_or_changed() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path(), free_port(), 2);
    config.gate = Arc::new(NoTables);
    let node = TestNode::start_with(config);
    let mut client = node.connect();
    let refused = ResponseError::PolicyViolation.code();
    assert_eq!(create(&mut client, "table", 1, &[("frazil.lake.mode", "key_value")]), refused);
    assert_eq!(create(&mut client, "table", 1, &[]), 0);
    let changes = server::controller::Changes::Replace(vec![("frazil.lake.mode".into(), "key_value".into())]);
    let error = block_on(node.handle.alter_topic(TopicName::new("table").unwrap(), changes)).unwrap_err();
    assert!(error.message.contains("cannot be a table"), "{error}");
    node.stop();
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
