//! Does the client say and understand the right things? A scripted peer on a local socket answers it.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use model::{Offset, Timestamp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;
use wire::request::{self, Head};
use wire::{BatchBuilder, Compression, LAYOUTS, frame, response};

use crate::*;

/// What the peer does with one request.
type Step = Box<dyn FnOnce(&Head, Bytes) -> Reply + Send>;

enum Reply {
    Frame(Bytes),
    /// No answer to this one.
    Nothing,
    /// The connection ends.
    Close,
}

/// A step that expects a request and answers it with what `answer` makes of it.
fn step<Q, R>(answer: impl FnOnce(i16, Q) -> R + Send + 'static) -> Step
where
    Q: Decodable + 'static,
    R: Encodable,
{
    Box::new(move |head, body| {
        let request: Q = request::decode(head.api_key, head.api_version, body).expect("the client sends what it says");
        Reply::Frame(encoded(head, &answer(head.api_version, request)))
    })
}

fn encoded<R: Encodable>(head: &Head, answer: &R) -> Bytes {
    let header_version = response::header_version(head.api_key, head.api_version);
    response::encode(head, head.api_version, header_version, answer).expect("the script is right")
}

async fn read_frame(socket: &mut TcpStream, received: &mut BytesMut) -> Option<Bytes> {
    loop {
        if let Some(frame) = frame::take(received, 1 << 20).unwrap() {
            return Some(frame);
        }
        if socket.read_buf(received).await.ok()? == 0 {
            return None;
        }
    }
}

/// Answers ApiVersions with all versions up to `last`, then follows the script, over as many connections as it takes.
async fn peer(last: i16, script: Vec<Step>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let mut script = script.into_iter().peekable();
        while script.peek().is_some() {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut received = BytesMut::new();
            while let Some(frame) = read_frame(&mut socket, &mut received).await {
                let (head, body) = request::split_head(frame).unwrap();
                let reply = match head.api_key {
                    request::API_VERSIONS => Reply::Frame(encoded(&head, &versions(last))),
                    _ => script.next().expect("no more requests than steps")(&head, body),
                };
                match reply {
                    Reply::Frame(frame) => socket.write_all(&frame).await.unwrap(),
                    Reply::Nothing => {}
                    Reply::Close => break,
                }
            }
        }
    });
    addr
}

fn versions(last: i16) -> ApiVersionsResponse {
    let row = |row: &wire::Layout| {
        let last = row.last.min(last);
        api_versions_response::ApiVersion::default()
            .with_api_key(row.api_key)
            .with_min_version(row.first.min(last))
            .with_max_version(last)
    };
    ApiVersionsResponse::default().with_api_keys(LAYOUTS.iter().map(row).collect())
}

/// A client of a peer that speaks everything.
async fn client(script: Vec<Step>) -> Client {
    let addr = peer(i16::MAX, script).await;
    Client::connect(&addr).await.unwrap()
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn batch() -> Bytes {
    let mut builder = BatchBuilder::new(Compression::Lz4);
    builder.push(5, Some(b"k"), Some(b"v"), &[]);
    builder.build()
}

#[tokio::test]
async fn topics_are_created_listed_described_and_deleted() {
    use metadata_response::{MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic};
    let metadata = || {
        step(|_, request: MetadataRequest| {
            assert!(!request.allow_auto_topic_creation, "asking creates nothing");
            let partition = |index| {
                let partition = MetadataResponsePartition::default().with_partition_index(index);
                partition.with_leader_id(1.into()).with_replica_nodes(vec![1.into()]).with_isr_nodes(vec![1.into()])
            };
            let topic = |name: &str, code| {
                let topic = MetadataResponseTopic::default().with_name(Some(TopicName(text(name))));
                topic.with_error_code(code).with_partitions(vec![partition(1), partition(0)])
            };
            let broker = MetadataResponseBroker::default().with_node_id(1.into()).with_host(text("h")).with_port(9092);
            let topics = match &request.topics {
                None => vec![topic("b", 0), topic("a", 0)],
                Some(names) if names.is_empty() => vec![],
                Some(_) => vec![topic("gone", 3)],
            };
            MetadataResponse::default().with_brokers(vec![broker]).with_cluster_id(Some(text("c"))).with_topics(topics)
        })
    };
    let create = step(|_, request: CreateTopicsRequest| {
        let topic = &request.topics[0];
        assert_eq!((topic.name.as_str(), topic.num_partitions, topic.replication_factor), ("a", 2, -1));
        assert_eq!((&*topic.configs[0].name, topic.configs[0].value.as_deref()), ("frazil.lake.mode", Some("off")));
        let result = create_topics_response::CreatableTopicResult::default();
        let result = result.with_name(topic.name.clone()).with_topic_id(Uuid::from_u128(9));
        CreateTopicsResponse::default().with_topics(vec![result])
    });
    let delete = step(|version, request: DeleteTopicsRequest| {
        assert_eq!((version, request.topics[0].name.as_ref().unwrap().as_str()), (6, "a"));
        let result = delete_topics_response::DeletableTopicResult::default().with_error_code(41);
        DeleteTopicsResponse::default()
            .with_responses(vec![result.with_error_message(Some(text("ask the controller")))])
    });
    let mut client = client(vec![create, metadata(), metadata(), metadata(), delete]).await;
    assert_eq!(client.create_topic("a", 2, &[("frazil.lake.mode", "off")]).await, Ok(Uuid::from_u128(9)));
    let cluster = client.cluster().await.unwrap();
    assert_eq!((cluster.id.as_deref(), cluster.brokers[0].host.as_str()), (Some("c"), "h"));
    let topics = client.list_topics().await.unwrap();
    assert_eq!(topics.iter().map(|topic| topic.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(topics[0].partitions.iter().map(|p| (p.index, p.leader)).collect::<Vec<_>>(), [(0, 1), (1, 1)]);
    let missing = client.describe_topic("gone").await.unwrap_err();
    assert_eq!(missing.code(), Some(3));
    assert!(missing.to_string().contains("frazil topic list"), "{missing}");
    let refused = client.delete_topic("a").await.unwrap_err().to_string();
    assert!(refused.contains("topic 'a' was not deleted: ask the controller [NotController (41)]"), "{refused}");
}

#[tokio::test]
async fn settings_are_changed_one_by_one() {
    let alter = step(|_, request: IncrementalAlterConfigsRequest| {
        let changes = &request.resources[0].configs;
        let seen: Vec<_> = changes.iter().map(|c| (&*c.name, c.config_operation, c.value.as_deref())).collect();
        assert_eq!(seen, [("retention.ms", 0, Some("5")), ("segment.ms", 1, None)]);
        let result = incremental_alter_configs_response::AlterConfigsResourceResponse::default();
        IncrementalAlterConfigsResponse::default().with_responses(vec![result])
    });
    let describe = step(|_, request: DescribeConfigsRequest| {
        assert_eq!((request.resources[0].resource_type, &*request.resources[0].resource_name), (2, "t"));
        assert_eq!(request.resources[0].configuration_keys, None, "all of them");
        let config = |name, source| {
            let config = describe_configs_response::DescribeConfigsResourceResult::default();
            config.with_name(text(name)).with_value(Some(text("5"))).with_config_source(source)
        };
        let result = describe_configs_response::DescribeConfigsResult::default();
        DescribeConfigsResponse::default().with_results(vec![result.with_configs(vec![config("b", 5), config("a", 1)])])
    });
    let mut client = client(vec![alter, describe]).await;
    let changes = [Change::Set("retention.ms", "5"), Change::Unset("segment.ms")];
    client.alter_configs("t", &changes).await.unwrap();
    let configs = client.describe_configs("t").await.unwrap();
    let seen: Vec<_> = configs.iter().map(|c| (c.name.as_str(), c.is_set)).collect();
    assert_eq!(seen, [("a", true), ("b", false)]);
}

fn produced(code: i16, base_offset: i64) -> ProduceResponse {
    use produce_response::{BatchIndexAndErrorMessage, PartitionProduceResponse, TopicProduceResponse};
    let mut result = PartitionProduceResponse::default().with_error_code(code).with_base_offset(base_offset);
    if code != 0 {
        let record = BatchIndexAndErrorMessage::default().with_batch_index(3);
        result = result.with_record_errors(vec![record.with_batch_index_error_message(Some(text("no field 'a'")))]);
    }
    let topic = TopicProduceResponse::default().with_partition_responses(vec![result]);
    ProduceResponse::default().with_responses(vec![topic])
}

#[tokio::test]
async fn batches_are_stored_or_their_records_are_named() {
    let good = step(|_, request: ProduceRequest| {
        assert_eq!((request.acks, request.topic_data[0].name.as_str()), (-1, "t"));
        let data = &request.topic_data[0].partition_data[0];
        assert_eq!((data.index, data.records.clone()), (4, Some(batch())));
        produced(0, 17)
    });
    let bad = step(|_, request: ProduceRequest| {
        assert_eq!(request.acks, 1);
        produced(87, -1)
    });
    let silent: Step = Box::new(|head, body| {
        let request: ProduceRequest = request::decode(head.api_key, head.api_version, body).unwrap();
        assert_eq!(request.acks, 0);
        Reply::Nothing
    });
    let mut client = client(vec![good, bad, silent, step(|_, _: ProduceRequest| produced(0, 18))]).await;
    assert_eq!(client.produce("t", 4, batch(), Acks::All).await, Ok(Offset(17)));
    let refused = client.produce("t", 4, batch(), Acks::Leader).await.unwrap_err();
    assert_eq!((refused.code, &refused.record_errors[..]), (87, &[(3, "no field 'a'".to_owned())][..]));
    assert!(refused.to_string().ends_with("record 3: no field 'a'"), "{refused}");
    assert_eq!(client.produce("t", 4, batch(), Acks::None).await, Ok(Offset(-1)));
    assert_eq!(client.produce("t", 4, batch(), Acks::All).await, Ok(Offset(18)), "the connection is still in step");
}

fn fetched(records: Bytes) -> FetchResponse {
    use fetch_response::{FetchableTopicResponse, PartitionData};
    let data = PartitionData::default().with_records(Some(records)).with_high_watermark(9).with_last_stable_offset(8);
    FetchResponse::default().with_responses(vec![FetchableTopicResponse::default().with_partitions(vec![data])])
}

#[tokio::test]
async fn fetched_batches_are_whole_and_checked() {
    let good = step(|version, request: FetchRequest| {
        assert_eq!((version, request.max_wait_ms, request.min_bytes, request.max_bytes), (12, 20, 1, 1000));
        let partition = &request.topics[0].partitions[0];
        assert_eq!((partition.partition, partition.fetch_offset, partition.partition_max_bytes), (1, 7, 1000));
        fetched([&batch()[..], &batch(), &batch()[..30]].concat().into())
    });
    let damaged = step(|_, _: FetchRequest| {
        let mut bytes = batch().to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        fetched(bytes.into())
    });
    let mut client = client(vec![good, damaged]).await;
    let fetched = client.fetch("t", 1, Offset(7), 20, 1000).await.unwrap();
    assert_eq!(fetched.batches, [batch(), batch()]);
    assert_eq!((fetched.high_watermark, fetched.last_stable), (Offset(9), Offset(8)));
    let error = client.fetch("t", 1, Offset(7), 20, 1000).await.unwrap_err();
    assert!(error.to_string().contains("CRC"), "{error}");
}

#[tokio::test]
async fn offsets_are_looked_up() {
    use list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
    let answer = |expected: i64| {
        step(move |_, request: ListOffsetsRequest| {
            assert!(request.topics[0].partitions.iter().all(|p| p.timestamp == expected));
            let of = |index, offset, timestamp| {
                let partition = ListOffsetsPartitionResponse::default().with_partition_index(index);
                partition.with_offset(offset).with_timestamp(timestamp)
            };
            let topic = ListOffsetsTopicResponse::default().with_partitions(vec![of(1, -1, -1), of(0, 5, 77)]);
            ListOffsetsResponse::default().with_topics(vec![topic])
        })
    };
    let mut client = client(vec![answer(-2), answer(77), answer(-1)]).await;
    client.list_offsets("t", &[0], OffsetAt::Earliest).await.unwrap();
    let places = client.list_offsets("t", &[0, 1], OffsetAt::Time(Timestamp(77))).await.unwrap();
    let first = Place { partition: 0, offset: Some(Offset(5)), timestamp: Some(Timestamp(77)) };
    assert_eq!(places, [first, Place { partition: 1, offset: None, timestamp: None }]);
    let missing = client.list_offsets("t", &[2], OffsetAt::Latest).await.unwrap_err();
    assert!(missing.to_string().contains("partition 2 is missing"), "{missing}");
}

#[tokio::test]
async fn groups_are_listed_and_described() {
    use describe_groups_response::{DescribedGroup, DescribedGroupMember};
    let list = step(|_, _: ListGroupsRequest| {
        let group = list_groups_response::ListedGroup::default().with_group_id(GroupId(text("g")));
        ListGroupsResponse::default().with_groups(vec![group.with_group_state(text("Stable"))])
    });
    let describe = step(|_, request: DescribeGroupsRequest| {
        assert_eq!(request.groups[0].as_str(), "g");
        let member = DescribedGroupMember::default().with_client_id(text("kcat"));
        let member = member.with_member_assignment(Bytes::from_static(b"\0\0\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\x02"));
        let group = DescribedGroup::default().with_group_id(GroupId(text("g"))).with_members(vec![member]);
        DescribeGroupsResponse::default().with_groups(vec![group])
    });
    let mut client = client(vec![list, describe]).await;
    let groups = client.list_groups().await.unwrap();
    assert_eq!((groups[0].id.as_str(), groups[0].state.as_str()), ("g", "Stable"));
    let group = client.describe_group("g").await.unwrap();
    assert_eq!(group.members[0].assigned, [("t".to_owned(), vec![2])]);
}

#[tokio::test]
async fn group_offsets_are_read_in_old_and_new_shape() {
    use offset_fetch_response::*;
    let old = step(|version, request: OffsetFetchRequest| {
        assert_eq!((version, request.group_id.as_str(), request.topics), (5, "g", None));
        let partition = |index, offset| {
            OffsetFetchResponsePartition::default().with_partition_index(index).with_committed_offset(offset)
        };
        let topic = OffsetFetchResponseTopic::default().with_name(TopicName(text("t")));
        OffsetFetchResponse::default().with_topics(vec![topic.with_partitions(vec![partition(1, 4), partition(0, -1)])])
    });
    let new = step(|version, request: OffsetFetchRequest| {
        assert_eq!((version, request.groups[0].group_id.as_str(), &request.groups[0].topics), (9, "g", &None));
        let partition = OffsetFetchResponsePartitions::default().with_partition_index(1).with_committed_offset(4);
        let topic = OffsetFetchResponseTopics::default().with_name(TopicName(text("t")));
        let group = OffsetFetchResponseGroup::default().with_topics(vec![topic.with_partitions(vec![partition])]);
        OffsetFetchResponse::default().with_groups(vec![group])
    });
    let mut seen = Vec::new();
    for (last, step) in [(5, old), (i16::MAX, new)] {
        let addr = peer(last, vec![step]).await;
        seen.push(Client::connect(&addr).await.unwrap().group_offsets("g").await.unwrap());
    }
    let offset = GroupOffset { topic: "t".into(), partition: 1, offset: Offset(4), metadata: String::new() };
    assert_eq!(seen, [vec![offset.clone()], vec![offset]]);
}

#[tokio::test]
async fn a_silent_node_is_given_up_and_asked_again_over_a_new_connection() {
    let silent: Step = Box::new(|_, _| Reply::Nothing);
    let closing: Step = Box::new(|_, _| Reply::Close);
    let list = step(|_, _: ListGroupsRequest| ListGroupsResponse::default());
    let mut client = client(vec![silent, closing, list]).await.with_timeout(Duration::from_millis(200));
    let error = client.list_groups().await.unwrap_err();
    assert!(matches!(error, Error::Timeout { api: "ListGroups", limit_ms: 200, .. }), "{error}");
    let error = client.list_groups().await.unwrap_err();
    assert!(matches!(error, Error::Broken { .. }), "{error}");
    assert_eq!(client.list_groups().await, Ok(vec![]));
}

#[tokio::test]
async fn an_answer_to_another_request_is_refused() {
    let stray: Step = Box::new(|head, _| {
        let head = Head { correlation_id: head.correlation_id + 1, ..head.clone() };
        Reply::Frame(encoded(&head, &ListGroupsResponse::default()))
    });
    let error = client(vec![stray]).await.list_groups().await.unwrap_err();
    assert!(matches!(error, Error::Nonsense { .. }), "{error}");
}

#[tokio::test]
async fn what_is_no_kafka_node_is_told_in_a_sentence() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        let _ = socket.read_to_end(&mut Vec::new()).await;
    });
    let error = Client::connect(&addr).await.err().expect("no Kafka").to_string();
    assert!(error.contains("larger than the limit") && error.contains("is this its Kafka address?"), "{error}");
    let closed = peer(0, vec![]).await;
    let error = Client::connect(&closed).await.err().expect("nobody listens");
    assert!(matches!(error, Error::Connect { .. }), "{error}");
}

#[tokio::test]
async fn a_node_that_is_too_old_is_told_so() {
    let addr = peer(1, vec![Box::new(|_, _| Reply::Close)]).await;
    let error = Client::connect(&addr).await.unwrap().group_offsets("g").await.unwrap_err();
    assert_eq!(error, Error::Unsupported { addr, api: "OffsetFetch", first: 2, last: 9 });
}

#[tokio::test]
async fn api_versions_may_be_answered_in_version_0() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut received = BytesMut::new();
        let (head, _) = request::split_head(read_frame(&mut socket, &mut received).await.unwrap()).unwrap();
        let answer = response::encode(&head, 0, 0, &versions(2).with_error_code(35)).unwrap();
        socket.write_all(&answer).await.unwrap();
        let (head, _) = request::split_head(read_frame(&mut socket, &mut received).await.unwrap()).unwrap();
        assert_eq!((head.api_key, head.api_version), (16, 2));
        socket.write_all(&encoded(&head, &ListGroupsResponse::default())).await.unwrap();
    });
    assert_eq!(Client::connect(&addr).await.unwrap().list_groups().await, Ok(vec![]));
}
