//! Which topics are there, and how do they come and go?

use std::time::Duration;

use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};
use kafka_protocol::messages::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest,
    DeleteTopicsResponse, MetadataRequest, MetadataResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use crate::connection::{Api, Client};
use crate::error::{Error, accept};

const METADATA: Api = Api::new(3, "Metadata", 4, 12);
const CREATE_TOPICS: Api = Api::new(19, "CreateTopics", 4, 7);
const DELETE_TOPICS: Api = Api::new(20, "DeleteTopics", 1, 6);
const CREATE_PARTITIONS: Api = Api::new(37, "CreatePartitions", 0, 3);

/// The nodes of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    pub id: Option<String>,
    pub controller: i32,
    pub brokers: Vec<Broker>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    pub id: i32,
    pub host: String,
    pub port: i32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    pub name: String,
    /// Nil from nodes that have no ids.
    pub id: Uuid,
    /// Not for clients to write.
    pub internal: bool,
    /// By index.
    pub partitions: Vec<Partition>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    pub index: i32,
    /// -1: none at the moment.
    pub leader: i32,
    pub replicas: Vec<i32>,
    pub in_sync: Vec<i32>,
}

impl Client {
    /// The nodes, without topics.
    pub async fn cluster(&mut self) -> Result<Cluster, Error> {
        let answer = self.metadata(Some(Vec::new())).await?;
        Ok(Cluster {
            id: answer.cluster_id.map(|id| id.to_string()),
            controller: answer.controller_id.0,
            brokers: answer
                .brokers
                .iter()
                .map(|broker| Broker { id: broker.node_id.0, host: broker.host.to_string(), port: broker.port })
                .collect(),
        })
    }

    /// All topics, by name.
    pub async fn list_topics(&mut self) -> Result<Vec<Topic>, Error> {
        let answer = self.metadata(None).await?;
        let mut topics = answer.topics.iter().map(topic).collect::<Result<Vec<_>, _>>()?;
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(topics)
    }

    /// One topic; it is not created by asking.
    pub async fn describe_topic(&mut self, name: &str) -> Result<Topic, Error> {
        let wanted = MetadataRequestTopic::default().with_name(Some(topic_name(name)));
        let answer = self.metadata(Some(vec![wanted])).await?;
        let found = answer.topics.iter().find(|found| found.name.as_ref().is_some_and(|n| n.as_str() == name));
        topic(found.ok_or_else(|| self.nonsense(METADATA, "the topic asked for is missing"))?)
    }

    async fn metadata(&mut self, topics: Option<Vec<MetadataRequestTopic>>) -> Result<MetadataResponse, Error> {
        let request = |_| MetadataRequest::default().with_topics(topics).with_allow_auto_topic_creation(false);
        self.call(METADATA, Duration::ZERO, request).await
    }

    /// Creates a topic with these settings; -1 partitions leaves their number to the node. Answers its id.
    pub async fn create_topic(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) -> Result<Uuid, Error> {
        let config = |(name, value): &(&str, &str)| {
            CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)))
        };
        let topic = CreatableTopic::default()
            .with_name(topic_name(name))
            .with_num_partitions(partitions)
            .with_replication_factor(-1)
            .with_configs(configs.iter().map(config).collect());
        let timeout_ms = self.timeout_ms();
        let request = |_| CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(timeout_ms);
        let answer: CreateTopicsResponse = self.call(CREATE_TOPICS, Duration::ZERO, request).await?;
        let result = answer.topics.first().ok_or_else(|| self.nonsense(CREATE_TOPICS, "it is empty"))?;
        accept(|| format!("topic '{name}' was not created"), result.error_code, result.error_message.as_deref())?;
        Ok(result.topic_id)
    }

    pub async fn delete_topic(&mut self, name: &str) -> Result<(), Error> {
        let timeout_ms = self.timeout_ms();
        let request = |version| {
            let request = DeleteTopicsRequest::default().with_timeout_ms(timeout_ms);
            match version {
                ..=5 => request.with_topic_names(vec![topic_name(name)]),
                _ => request.with_topics(vec![DeleteTopicState::default().with_name(Some(topic_name(name)))]),
            }
        };
        let answer: DeleteTopicsResponse = self.call(DELETE_TOPICS, Duration::ZERO, request).await?;
        let result = answer.responses.first().ok_or_else(|| self.nonsense(DELETE_TOPICS, "it is empty"))?;
        accept(|| format!("topic '{name}' was not deleted"), result.error_code, result.error_message.as_deref())
    }

    /// Raises a topic's number of partitions to `count`.
    pub async fn add_partitions(&mut self, name: &str, count: i32) -> Result<(), Error> {
        let timeout_ms = self.timeout_ms();
        let topic =
            CreatePartitionsTopic::default().with_name(topic_name(name)).with_count(count).with_assignments(None);
        let request = |_| CreatePartitionsRequest::default().with_topics(vec![topic]).with_timeout_ms(timeout_ms);
        let answer: CreatePartitionsResponse = self.call(CREATE_PARTITIONS, Duration::ZERO, request).await?;
        let result = answer.results.first().ok_or_else(|| self.nonsense(CREATE_PARTITIONS, "it is empty"))?;
        let what = || format!("topic '{name}' did not get {count} partitions");
        accept(what, result.error_code, result.error_message.as_deref())
    }
}

pub(crate) fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

pub(crate) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn topic(found: &MetadataResponseTopic) -> Result<Topic, Error> {
    let name = found.name.as_ref().map(|name| name.to_string()).unwrap_or_default();
    accept(|| format!("topic '{name}'"), found.error_code, None)?;
    let ids = |nodes: &[kafka_protocol::messages::BrokerId]| nodes.iter().map(|node| node.0).collect();
    let partition = |found: &MetadataResponsePartition| Partition {
        index: found.partition_index,
        leader: found.leader_id.0,
        replicas: ids(&found.replica_nodes),
        in_sync: ids(&found.isr_nodes),
    };
    let mut partitions: Vec<_> = found.partitions.iter().map(partition).collect();
    partitions.sort_by_key(|partition| partition.index);
    Ok(Topic { name, id: found.topic_id, internal: found.is_internal, partitions })
}
