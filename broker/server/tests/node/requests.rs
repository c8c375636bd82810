//! Which requests do tests send?

use bytes::Bytes;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{
    CreateTopicsRequest, DeleteRecordsRequest, FetchRequest, GroupId, ListOffsetsRequest, OffsetCommitRequest,
    OffsetFetchRequest, ProduceRequest, TopicName as WireName,
};
use model::Offset;
use wire::batch::{self, BatchBuilder, Compression};

use crate::support::{Client, text};

pub const CODECS: [Compression; 5] =
    [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

pub fn batch_of(codec: Compression, values: &[&str], producer: Option<(i64, i16, i32)>) -> Bytes {
    let mut builder = BatchBuilder::new(codec);
    for (index, value) in (0..).zip(values) {
        builder.push(1_000 + index, Some(b"key"), Some(value.as_bytes()), &[("a", Some(b"1")), ("a", None)]);
    }
    match producer {
        Some((id, epoch, sequence)) => builder.producer(id, epoch, sequence).build(),
        None => builder.build(),
    }
}

pub fn create(client: &mut Client, name: &str, partitions: i32, settings: &[(&str, &str)]) -> i16 {
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

pub fn produce_request(topic: &str, partition: i32, batch: Bytes, acks: i16) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch));
    let topic = TopicProduceData::default().with_name(WireName(text(topic))).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(acks).with_timeout_ms(5_000).with_topic_data(vec![topic])
}

pub fn produce(client: &mut Client, topic: &str, partition: i32, batch: Bytes) -> PartitionProduceResponse {
    let mut response = client.call(9, &produce_request(topic, partition, batch, -1));
    response.responses.remove(0).partition_responses.remove(0)
}

pub fn fetch_request(topic: &str, partition: i32, from: i64, wait_ms: i32) -> FetchRequest {
    let wanted = FetchPartition::default()
        .with_partition(partition)
        .with_fetch_offset(from)
        .with_current_leader_epoch(-1)
        .with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default().with_topic(WireName(text(topic))).with_partitions(vec![wanted]);
    FetchRequest::default().with_max_wait_ms(wait_ms).with_min_bytes(1).with_max_bytes(1 << 20).with_topics(vec![topic])
}

pub fn fetch(client: &mut Client, topic: &str, partition: i32, from: i64) -> PartitionData {
    client.call(12, &fetch_request(topic, partition, from, 0)).responses.remove(0).partitions.remove(0)
}

/// What a batch must come back as: the producer's bytes, with the offset and the leader's epoch in place.
pub fn placed(batch: &Bytes, base: i64) -> Bytes {
    let mut bytes = batch.to_vec();
    batch::place(&mut bytes, Offset(base), 1);
    bytes.into()
}

pub fn list_offset(client: &mut Client, topic: &str, partition: i32, timestamp: i64) -> (i64, i64) {
    let wanted = ListOffsetsPartition::default()
        .with_partition_index(partition)
        .with_timestamp(timestamp)
        .with_current_leader_epoch(-1);
    let topic = ListOffsetsTopic::default().with_name(WireName(text(topic))).with_partitions(vec![wanted]);
    let mut response = client.call(10, &ListOffsetsRequest::default().with_topics(vec![topic]));
    let found = response.topics.remove(0).partitions.remove(0);
    assert_eq!(found.error_code, 0);
    (found.offset, found.timestamp)
}

/// Deletes the records of partition 0 below an offset: error code and new log start.
pub fn delete_records(client: &mut Client, topic: &str, offset: i64) -> (i16, i64) {
    let partition = DeleteRecordsPartition::default().with_partition_index(0).with_offset(offset);
    let topic = DeleteRecordsTopic::default().with_name(WireName(text(topic))).with_partitions(vec![partition]);
    let request = DeleteRecordsRequest::default().with_topics(vec![topic]).with_timeout_ms(1_000);
    let result = client.call(2, &request).topics.remove(0).partitions.remove(0);
    (result.error_code, result.low_watermark)
}

/// Commits partition 0 of a topic for a group without members: the error code.
pub fn commit_offset(client: &mut Client, group: &str, topic: &str, offset: i64) -> i16 {
    let partition = OffsetCommitRequestPartition::default().with_partition_index(0).with_committed_offset(offset);
    let topic = OffsetCommitRequestTopic::default().with_name(WireName(text(topic))).with_partitions(vec![partition]);
    let request = OffsetCommitRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic]);
    client.call(7, &request).topics.remove(0).partitions.remove(0).error_code
}

/// What a group has committed in partition 0 of a topic, -1 for nothing.
pub fn committed_offset(client: &mut Client, group: &str, topic: &str) -> i64 {
    let topic = OffsetFetchRequestTopic::default().with_name(WireName(text(topic))).with_partition_indexes(vec![0]);
    let request = OffsetFetchRequest::default().with_group_id(GroupId(text(group))).with_topics(Some(vec![topic]));
    client.call(5, &request).topics.remove(0).partitions.remove(0).committed_offset
}
