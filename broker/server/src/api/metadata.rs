//! Metadata: which topics exist, and who leads their partitions? Topics may be made in passing.

use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{BrokerId, MetadataRequest, MetadataResponse, TopicName as WireName};
use kafka_protocol::protocol::StrBytes;
use model::{TopicId, TopicName, TopicSettings};
use runtime::Driver;

use super::{Call, Handled};
use crate::cluster::{Cluster, Topic};
use crate::controller::{ControllerError, NewTopic};
use crate::errors::{Fault, NONE};
use crate::internal;
use crate::node::Node;
use crate::shard::LEADER_EPOCH;

pub async fn handle<D: Driver>(call: Call<D>) -> Handled {
    let request: MetadataRequest = call.decode()?;
    let node = call.shard.node.clone();
    let may_create = node.config.auto_create && (call.version() < 4 || request.allow_auto_topic_creation);
    let mut topics = Vec::new();
    match request.topics {
        // Version 0 asks for all topics with an empty list, later versions with none.
        Some(list) if call.version() > 0 || !list.is_empty() => {
            for wanted in list {
                topics.push(one(&node, wanted, may_create, call.version()).await);
            }
        }
        _ => topics.extend(node.cluster().topics().map(|topic| describe(&node, topic, call.version()))),
    }
    let broker = MetadataResponseBroker::default()
        .with_node_id(BrokerId(node.config.node.0))
        .with_host(StrBytes::from_string(node.config.advertised_host.clone()))
        .with_port(i32::from(node.config.advertised_port))
        .with_rack(None);
    let response = MetadataResponse::default()
        .with_brokers(vec![broker])
        .with_cluster_id(Some(StrBytes::from_string(cluster_id(&node.cluster()))))
        .with_controller_id(BrokerId(node.config.node.0))
        .with_topics(topics);
    call.answer(&response)
}

/// The cluster's id as clients show it.
pub fn cluster_id(cluster: &Cluster) -> String {
    cluster.id().to_string()
}

async fn one(node: &Node, wanted: MetadataRequestTopic, may_create: bool, version: i16) -> MetadataResponseTopic {
    let cluster = node.cluster();
    // The Java client sends an empty name beside an id.
    let Some(name) = wanted.name.filter(|_| wanted.topic_id.is_nil()) else {
        let found = cluster.topic_by_id(TopicId(wanted.topic_id));
        return match found {
            Some(topic) => describe(node, topic, version),
            None => {
                let answer = MetadataResponseTopic::default().with_topic_id(wanted.topic_id);
                let name = if version < 12 { Some(WireName::default()) } else { None };
                answer.with_name(name).with_error_code(ResponseError::UnknownTopicId.code())
            }
        };
    };
    let found = match cluster.topic(name.as_str()) {
        Some(topic) => Ok(topic.clone()),
        None => create(node, name.as_str(), may_create).await,
    };
    match found {
        Ok(topic) => describe(node, &topic, version),
        Err(fault) => MetadataResponseTopic::default().with_name(Some(name)).with_error_code(fault.code()),
    }
}

/// Makes the topic that a client named, if it may.
async fn create(node: &Node, name: &str, may_create: bool) -> Result<Arc<Topic>, Fault> {
    let illegal = |error: model::NameError| Fault::new(ResponseError::InvalidTopicException, error.to_string());
    let name = TopicName::new(name).map_err(illegal)?;
    if !may_create {
        return Err(Fault::unknown_partition(format_args!("topic '{name}'")));
    }
    if internal::find(name.as_str()).is_some() {
        return Ok(node.topic_for_node(name.as_str()).await?);
    }
    let partitions = node.config.partitions_default;
    let settings = TopicSettings::default();
    let new = NewTopic { name: name.clone(), partitions, settings, validate_only: false, by_node: false };
    match node.create(new).await {
        Err(ControllerError::Exists(_)) => {
            let cluster = node.cluster();
            cluster.topic(name.as_str()).cloned().ok_or_else(|| Fault::unknown_partition(name))
        }
        outcome => Ok(outcome?),
    }
}

fn describe(node: &Node, topic: &Topic, version: i16) -> MetadataResponseTopic {
    let leader = BrokerId(node.config.node.0);
    let partitions = (0..).zip(&topic.partitions).map(|(index, _)| {
        MetadataResponsePartition::default()
            .with_error_code(NONE)
            .with_partition_index(index)
            .with_leader_id(leader)
            .with_leader_epoch(if version < 7 { -1 } else { LEADER_EPOCH })
            .with_replica_nodes(vec![leader])
            .with_isr_nodes(vec![leader])
    });
    MetadataResponseTopic::default()
        .with_name(Some(WireName(StrBytes::from_string(topic.name.to_string()))))
        .with_topic_id(topic.id.0)
        .with_is_internal(internal::find(topic.name.as_str()).is_some())
        .with_partitions(partitions.collect())
}
