//! Which topics exist, where do their partitions lie, and what is set for them?

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use model::{LakeMode, PartitionId, ShardId, TopicId, TopicName, TopicSettings};
use uuid::Uuid;

use crate::history::Origin;

/// An immutable snapshot of the cluster's state. The controller publishes a new one after every change.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Cluster {
    pub(crate) id: Uuid,
    pub(crate) topics: BTreeMap<TopicName, Arc<Topic>>,
    pub(crate) names: HashMap<TopicId, TopicName>,
    pub(crate) partitions: usize,
}

/// A topic with all its partitions, by index.
#[derive(Debug, Clone, PartialEq)]
pub struct Topic {
    pub name: TopicName,
    pub id: TopicId,
    pub partitions: Vec<Place>,
    pub settings: TopicSettings,
    /// Milliseconds since 1970.
    pub created_ms: i64,
}

/// Where a partition lies: fixed when it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub id: PartitionId,
    pub shard: ShardId,
}

impl Cluster {
    /// Nil until the controller has given the cluster its id at the first start.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// All topics, by name.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.topics.values()
    }

    pub fn topic(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topics.get(name)
    }

    pub fn topic_by_id(&self, id: TopicId) -> Option<&Arc<Topic>> {
        self.topics.get(self.names.get(&id)?.as_str())
    }

    pub fn place(&self, topic: &str, partition: i32) -> Option<Place> {
        self.topic(topic)?.place(partition)
    }

    /// True while this very topic, not a later one of the same name, exists.
    pub fn has(&self, topic: &Topic) -> bool {
        self.topics.get(topic.name.as_str()).is_some_and(|t| t.id == topic.id)
    }
}

impl Topic {
    pub fn is_table(&self) -> bool {
        self.settings.lake_mode() != LakeMode::Off
    }

    /// The partition as it is known beyond this node.
    pub fn origin(&self, partition: i32) -> Origin {
        Origin { topic: self.id, partition }
    }

    pub fn place(&self, partition: i32) -> Option<Place> {
        self.partitions.get(usize::try_from(partition).ok()?).copied()
    }
}
