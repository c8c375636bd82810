//! CreateTopics: make topics with these partitions and settings (KIP-4, KIP-464).

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt};
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use kafka_protocol::messages::{BrokerId, CreateTopicsRequest, CreateTopicsResponse};
use kafka_protocol::protocol::StrBytes;
use model::{TopicName, TopicSettings};
use runtime::Driver;
use uuid::Uuid;

use super::{Call, Handled, configs};
use crate::cluster::Topic;
use crate::controller::NewTopic;
use crate::errors::{Fault, NONE};
use crate::node::{Node, NodeConfig};

/// Topics of one request that the controller is asked for at the same time; it writes them together.
const TOGETHER: usize = 64;

pub async fn handle<D: Driver>(call: Call<D>) -> Handled {
    let request: CreateTopicsRequest = call.decode()?;
    let (node, version) = (&call.shard.node, call.version());
    let mut names = HashSet::new();
    let twice: HashSet<_> =
        request.topics.iter().map(|t| t.name.clone()).filter(|n| !names.insert(n.clone())).collect();
    let results = stream::iter(request.topics).map(|wanted| {
        let twice = twice.contains(&wanted.name);
        async move {
            let name = wanted.name.clone();
            let outcome = if twice { Err(named_twice()) } else { create(node, wanted, request.validate_only).await };
            result(outcome, version, &node.config).with_name(name)
        }
    });
    let results: Vec<_> = results.buffered(TOGETHER).collect().await;
    call.answer(&CreateTopicsResponse::default().with_topics(results))
}

fn named_twice() -> Fault {
    Fault::new(ResponseError::InvalidRequest, "the request names this topic more than once")
}

async fn create(node: &Node, wanted: CreatableTopic, validate_only: bool) -> Result<Arc<Topic>, Fault> {
    let illegal = |error: model::NameError| Fault::new(ResponseError::InvalidTopicException, error.to_string());
    let name = TopicName::new(wanted.name.as_str()).map_err(illegal)?;
    let partitions = partitions(node, &wanted)?;
    let given = wanted.configs.iter().filter_map(|c| Some((c.name.as_str(), c.value.as_deref()?)));
    let given = given.filter(|(name, _)| !configs::is_ignored(name));
    let bad = |error: model::BadSetting| Fault::new(ResponseError::InvalidConfig, error.to_string());
    let settings = TopicSettings::parse(given).map_err(bad)?;
    Ok(node.create(NewTopic { name, partitions, settings, validate_only, by_node: false }).await?)
}

/// The number of partitions, by number or by assignment; there is one replica, on this node.
fn partitions(node: &Node, wanted: &CreatableTopic) -> Result<i32, Fault> {
    if wanted.assignments.is_empty() {
        if !matches!(wanted.replication_factor, -1 | 1) {
            let why = format!("there is one node, so the replication factor is 1, not {}", wanted.replication_factor);
            return Err(Fault::new(ResponseError::InvalidReplicationFactor, why));
        }
        return Ok(if wanted.num_partitions == -1 { node.config.partitions_default } else { wanted.num_partitions });
    }
    let here = [BrokerId(node.config.node.0)];
    let mut indexes: Vec<i32> = wanted.assignments.iter().map(|a| a.partition_index).collect();
    indexes.sort_unstable();
    let in_order = indexes.iter().zip(0..).all(|(index, expected)| *index == expected);
    match in_order && wanted.assignments.iter().all(|a| a.broker_ids == here) {
        true => Ok(i32::try_from(indexes.len()).unwrap_or(i32::MAX)),
        false => {
            let why = format!("partitions are numbered from 0 and lie on node {}, the only one", here[0].0);
            Err(Fault::new(ResponseError::InvalidReplicaAssignment, why))
        }
    }
}

fn result(outcome: Result<Arc<Topic>, Fault>, version: i16, config: &NodeConfig) -> CreatableTopicResult {
    let result = CreatableTopicResult::default().with_error_message(None).with_configs(None);
    let topic = match outcome {
        Ok(topic) => topic,
        Err(fault) => {
            let result = result.with_error_code(fault.code()).with_error_message(fault.text());
            return if version < 5 { result } else { result.with_num_partitions(-1).with_replication_factor(-1) };
        }
    };
    let result = result.with_error_code(NONE);
    if version < 5 {
        return result.with_configs(Some(Vec::new()));
    }
    let settings = configs::of_topic(&topic.settings, config).map(|entry| {
        CreatableTopicConfigs::default()
            .with_name(StrBytes::from_static_str(entry.name))
            .with_value(Some(StrBytes::from_string(entry.value)))
            .with_config_source(entry.source)
    });
    result
        .with_topic_id(if version < 7 { Uuid::nil() } else { topic.id.0 })
        .with_num_partitions(i32::try_from(topic.partitions.len()).expect("bounded"))
        .with_replication_factor(1)
        .with_configs(Some(settings.collect()))
}
