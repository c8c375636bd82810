//! OffsetFetch: how far has the group read?

use std::collections::BTreeMap;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{GroupId, OffsetFetchRequest, OffsetFetchResponse, TopicName as WireName};
use kafka_protocol::protocol::StrBytes;
use runtime::Driver;

use super::{Call, Handled};
use crate::groups::{Committed, Offsets, Reply, Request};
use crate::shard::Shard;

/// Several groups in one request from this version on (KIP-709).
const GROUPS_SINCE: i16 = 8;
/// The response has room for an error of the whole from this version on.
const ERROR_SINCE: i16 = 2;

type Place = (String, i32);
type Answers = BTreeMap<String, Vec<(i32, Option<Committed>)>>;

pub async fn handle<D: Driver>(call: Call<D>) -> Handled {
    let request: OffsetFetchRequest = call.decode()?;
    let version = call.version();
    if version < GROUPS_SINCE {
        // Version 1 has no way to ask for all.
        let topics = request.topics.filter(|topics| version >= ERROR_SINCE || !topics.is_empty());
        let places = topics.map(|topics| {
            let places = topics.iter().map(|t| t.partition_indexes.iter().map(|p| (t.name.to_string(), *p)));
            places.flatten().collect()
        });
        let found = fetch(&call.shard, request.group_id.as_str(), places).await;
        return call.answer(&single(found, version));
    }
    let mut groups = Vec::new();
    for group in request.groups {
        let places = group.topics.map(|topics| {
            let places = topics.iter().map(|t| t.partition_indexes.iter().map(|p| (t.name.to_string(), *p)));
            places.flatten().collect()
        });
        let found = fetch(&call.shard, group.group_id.as_str(), places).await;
        groups.push(one_of_several(found, group.group_id));
    }
    call.answer(&OffsetFetchResponse::default().with_groups(groups))
}

async fn fetch<D: Driver>(shard: &Shard<D>, group: &str, places: Option<Vec<Place>>) -> Result<Answers, ResponseError> {
    let request = Request::Offsets { group: group.to_owned(), places };
    let reply = shard.ask_group(group, request).await.await;
    let Some(Reply::Offsets(Offsets(offsets))) = reply else { return Err(ResponseError::CoordinatorNotAvailable) };
    let mut answers = Answers::new();
    for ((topic, partition), offset) in offsets {
        answers.entry(topic).or_default().push((partition, offset));
    }
    Ok(answers)
}

fn single(found: Result<Answers, ResponseError>, version: i16) -> OffsetFetchResponse {
    let response = OffsetFetchResponse::default();
    let answers = match found {
        Ok(answers) => answers,
        Err(error) if version >= ERROR_SINCE => return response.with_error_code(error.code()),
        Err(_) => return response,
    };
    let topics = answers.into_iter().map(|(topic, partitions)| {
        let partitions = partitions.into_iter().map(|(index, offset)| {
            let (offset, epoch, metadata) = offset.unwrap_or((-1, -1, String::new()));
            OffsetFetchResponsePartition::default()
                .with_partition_index(index)
                .with_committed_offset(offset)
                .with_committed_leader_epoch(epoch)
                .with_metadata(Some(StrBytes::from_string(metadata)))
        });
        let name = WireName(StrBytes::from_string(topic));
        OffsetFetchResponseTopic::default().with_name(name).with_partitions(partitions.collect())
    });
    response.with_topics(topics.collect())
}

fn one_of_several(found: Result<Answers, ResponseError>, group: GroupId) -> OffsetFetchResponseGroup {
    let response = OffsetFetchResponseGroup::default().with_group_id(group);
    let answers = match found {
        Ok(answers) => answers,
        Err(error) => return response.with_error_code(error.code()),
    };
    let topics = answers.into_iter().map(|(topic, partitions)| {
        let partitions = partitions.into_iter().map(|(index, offset)| {
            let (offset, epoch, metadata) = offset.unwrap_or((-1, -1, String::new()));
            OffsetFetchResponsePartitions::default()
                .with_partition_index(index)
                .with_committed_offset(offset)
                .with_committed_leader_epoch(epoch)
                .with_metadata(Some(StrBytes::from_string(metadata)))
        });
        let name = WireName(StrBytes::from_string(topic));
        OffsetFetchResponseTopics::default().with_name(name).with_partitions(partitions.collect())
    });
    response.with_topics(topics.collect())
}
