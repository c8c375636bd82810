//! How is a partition read, and where does it begin and end?

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse};
use model::{Offset, Timestamp};
use wire::batch;

use crate::connection::{Api, Client};
use crate::error::{Error, accept};
use crate::topics::topic_name;

/// From version 13 on topics are named by their ids only.
const FETCH: Api = Api::new(1, "Fetch", 4, 12);
const LIST_OFFSETS: Api = Api::new(2, "ListOffsets", 1, 10);

/// What a fetch brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Whole batches with a valid CRC; the first may begin before the offset asked for.
    pub batches: Vec<Bytes>,
    /// 0 from nodes that do not say.
    pub log_start: Offset,
    pub high_watermark: Offset,
    pub last_stable: Offset,
}

/// Which offset of a partition is wanted?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetAt {
    Earliest,
    /// One behind the last record.
    Latest,
    /// The first record that is not older.
    Time(Timestamp),
    /// The record with the greatest timestamp.
    MaxTimestamp,
}

/// An offset of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub partition: i32,
    /// `None` when no record is as asked for.
    pub offset: Option<Offset>,
    /// That of the record, when a record was asked for.
    pub timestamp: Option<Timestamp>,
}

impl Client {
    /// Reads batches from the one that holds `offset`; waits up to `max_wait_ms` for one to come.
    pub async fn fetch(
        &mut self,
        topic: &str,
        partition: i32,
        offset: Offset,
        max_wait_ms: i32,
        max_bytes: i32,
    ) -> Result<Fetched, Error> {
        let wanted = FetchPartition::default()
            .with_partition(partition)
            .with_fetch_offset(offset.0)
            .with_partition_max_bytes(max_bytes);
        let wanted = FetchTopic::default().with_topic(topic_name(topic)).with_partitions(vec![wanted]);
        let request = |_| {
            FetchRequest::default()
                .with_replica_id((-1).into())
                .with_max_wait_ms(max_wait_ms)
                .with_min_bytes(1)
                .with_max_bytes(max_bytes)
                .with_topics(vec![wanted])
        };
        let wait = Duration::from_millis(u64::try_from(max_wait_ms).unwrap_or(0));
        let answer: FetchResponse = self.call(FETCH, wait, request).await?;
        let what = || format!("partition {partition} of topic '{topic}' was not read");
        accept(what, answer.error_code, None)?;
        let result = answer.responses.first().and_then(|topic| topic.partitions.first());
        let result = result.ok_or_else(|| self.nonsense(FETCH, "the partition asked for is missing"))?;
        accept(what, result.error_code, None)?;
        let batches = batch::split(result.records.clone().unwrap_or_default()).map(|whole| {
            let whole = whole?;
            batch::check(&whole)?;
            Ok(whole)
        });
        Ok(Fetched {
            batches: batches
                .collect::<Result<_, batch::BatchError>>()
                .map_err(|error| self.nonsense(FETCH, error.to_string()))?,
            log_start: Offset(result.log_start_offset.max(0)),
            high_watermark: Offset(result.high_watermark),
            last_stable: Offset(result.last_stable_offset),
        })
    }

    /// Looks up one offset in each of these partitions; the answer has their order.
    pub async fn list_offsets(&mut self, topic: &str, partitions: &[i32], at: OffsetAt) -> Result<Vec<Place>, Error> {
        let timestamp = match at {
            OffsetAt::Earliest => -2,
            OffsetAt::Latest => -1,
            OffsetAt::MaxTimestamp => -3,
            OffsetAt::Time(at) => at.0,
        };
        let wanted = |partition: &i32| {
            ListOffsetsPartition::default().with_partition_index(*partition).with_timestamp(timestamp)
        };
        let wanted = ListOffsetsTopic::default()
            .with_name(topic_name(topic))
            .with_partitions(partitions.iter().map(wanted).collect());
        let timeout_ms = self.timeout_ms();
        let request = |version| {
            let request = ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(vec![wanted]);
            if version >= 10 { request.with_timeout_ms(timeout_ms) } else { request }
        };
        let answer: ListOffsetsResponse = self.call(LIST_OFFSETS, Duration::ZERO, request).await?;
        let results = answer.topics.first().map(|topic| topic.partitions.as_slice()).unwrap_or_default();
        let place = |partition: &i32| {
            let result = results.iter().find(|result| result.partition_index == *partition);
            let result =
                result.ok_or_else(|| self.nonsense(LIST_OFFSETS, format!("partition {partition} is missing")))?;
            accept(|| format!("offsets of partition {partition} of topic '{topic}'"), result.error_code, None)?;
            Ok(Place {
                partition: *partition,
                offset: (result.offset >= 0).then_some(Offset(result.offset)),
                timestamp: (result.timestamp >= 0).then_some(Timestamp(result.timestamp)),
            })
        };
        partitions.iter().map(place).collect()
    }
}
