//! What may change in the cluster, and what has been decided?
//!
//! A value: commands are decided into records, records are applied. No clock, no I/O, no randomness; the
//! host (`controller_host.rs`) supplies them and makes records durable before they are applied.

use std::sync::Arc;

use model::limits::{PARTITIONS_PER_NODE_MAX, PARTITIONS_PER_TOPIC_MAX};
use model::{BadSetting, PartitionId, ShardId, TopicId, TopicName, TopicSettings};
use uuid::Uuid;

use crate::cluster::{Cluster, Place, Topic};
use crate::internal;

mod record;

pub use record::Record;

/// The state that the records of the controller's partition add up to.
#[derive(Debug, Clone, PartialEq)]
pub struct Controller {
    cluster: Cluster,
    partition_next: u64,
    producer_next: i64,
}

/// What somebody wants to change.
#[derive(Debug, Clone)]
pub enum Command {
    Create(NewTopic),
    Delete {
        name: TopicName,
    },
    /// Grows a topic to `total` partitions.
    Grow {
        name: TopicName,
        total: i32,
        validate_only: bool,
    },
    Alter {
        name: TopicName,
        changes: Changes,
        validate_only: bool,
    },
    /// Reserves producer ids.
    ProducerIds {
        count: i64,
    },
}

#[derive(Debug, Clone)]
pub struct NewTopic {
    pub name: TopicName,
    pub partitions: i32,
    pub settings: TopicSettings,
    pub validate_only: bool,
    /// The node itself asks, for a topic of `internal.rs`.
    pub by_node: bool,
}

/// A change of settings, resolved against those that hold when it is decided.
#[derive(Debug, Clone)]
pub enum Changes {
    /// These and no others (AlterConfigs).
    Replace(Vec<(String, String)>),
    /// One by one (IncrementalAlterConfigs).
    Edit(Vec<Edit>),
}

#[derive(Debug, Clone)]
pub struct Edit {
    pub name: String,
    pub operation: Operation,
    pub value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Set,
    Delete,
    /// Adds to a list such as `cleanup.policy`.
    Append,
    Subtract,
}

/// What the host adds to a command: all that is not in the state.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// Milliseconds since 1970.
    pub now_ms: i64,
    pub fresh: Uuid,
    pub shards: u16,
}

/// What a decided command leads to, once its records are durable.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The topic as it is (or, with `validate_only`, would be) now.
    Topic(Arc<Topic>),
    Deleted(Arc<Topic>),
    /// The first of the reserved ids.
    ProducerIds(i64),
}

/// Why a change is refused.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ControllerError {
    #[error("topic '{0}' exists already")]
    Exists(TopicName),
    #[error("there is no topic '{0}'")]
    NoTopic(TopicName),
    #[error("topic '{0}' belongs to the node, which makes it at its first use; clients can only read it")]
    Reserved(TopicName),
    #[error("{0}")]
    Partitions(String),
    #[error(transparent)]
    Setting(#[from] BadSetting),
    #[error("{0}")]
    Refused(String),
    #[error("the controller has too much to do; try again in a second")]
    Busy,
    #[error("the controller has stopped; ask again after the node's restart")]
    Stopped,
    #[error(transparent)]
    Log(#[from] model::Error),
}

/// What a command needs to become durable, and what it answers then.
pub type Decision = (Vec<Record>, Outcome);

impl Default for Controller {
    fn default() -> Controller {
        Controller { cluster: Cluster::default(), partition_next: PartitionId::CONTROLLER.0 + 1, producer_next: 1000 }
    }
}

impl Controller {
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// All producer ids below have been given out.
    pub fn producer_next(&self) -> i64 {
        self.producer_next
    }

    /// The record that a new cluster begins with; `None` once it has been applied.
    pub fn found(&self, fresh: Uuid) -> Option<Record> {
        self.cluster.id.is_nil().then_some(Record::Cluster { id: fresh })
    }

    pub fn decide(&self, command: &Command, context: Context) -> Result<Decision, ControllerError> {
        match command {
            Command::Create(new) => self.create(new, context),
            Command::Delete { name } => {
                let topic = self.own_topic(name)?;
                Ok((vec![Record::TopicDeleted { id: topic.id }], Outcome::Deleted(topic)))
            }
            Command::Grow { name, total, validate_only } => self.grow(name, *total, *validate_only, context),
            Command::Alter { name, changes, validate_only } => self.alter(name, changes, *validate_only),
            Command::ProducerIds { count } => {
                let next = self.producer_next + count;
                Ok((vec![Record::ProducerIds { next }], Outcome::ProducerIds(self.producer_next)))
            }
        }
    }

    /// The settings that a topic would have after `changes`.
    pub fn changed(&self, name: &TopicName, changes: &Changes) -> Result<TopicSettings, ControllerError> {
        let topic = self.own_topic(name)?;
        match changes {
            Changes::Replace(all) => {
                Ok(TopicSettings::parse(all.iter().map(|(name, value)| (name.as_str(), value.as_str())))?)
            }
            Changes::Edit(edits) => {
                let mut settings = topic.settings.clone();
                for edit in edits {
                    edit.apply(&mut settings)?;
                }
                Ok(settings)
            }
        }
    }

    fn create(&self, new: &NewTopic, context: Context) -> Result<Decision, ControllerError> {
        if self.cluster.topics.contains_key(&new.name) {
            return Err(ControllerError::Exists(new.name.clone()));
        }
        if internal::find(new.name.as_str()).is_some() && !new.by_node {
            return Err(ControllerError::Reserved(new.name.clone()));
        }
        self.check_partitions(new.partitions, new.partitions)?;
        let first_partition = PartitionId(self.partition_next);
        let shards = spread(&new.name, 0..new.partitions, context.shards);
        let topic = Topic {
            name: new.name.clone(),
            id: TopicId(context.fresh),
            partitions: places(first_partition, &shards),
            settings: new.settings.clone(),
            created_ms: context.now_ms,
        };
        let record = Record::TopicCreated {
            name: topic.name.clone(),
            id: topic.id,
            first_partition,
            shards,
            settings: topic.settings.clone(),
            created_ms: topic.created_ms,
        };
        Ok((if new.validate_only { Vec::new() } else { vec![record] }, Outcome::Topic(Arc::new(topic))))
    }

    fn grow(&self, name: &TopicName, total: i32, only: bool, context: Context) -> Result<Decision, ControllerError> {
        let topic = self.own_topic(name)?;
        let now = i32::try_from(topic.partitions.len()).expect("bounded when they were made");
        if total <= now {
            let why = format!("topic '{name}' has {now} partitions; the new number must be higher than that");
            return Err(ControllerError::Partitions(why));
        }
        self.check_partitions(total, total - now)?;
        let record = Record::PartitionsAdded {
            id: topic.id,
            first_partition: PartitionId(self.partition_next),
            shards: spread(name, now..total, context.shards),
        };
        Ok((if only { Vec::new() } else { vec![record] }, Outcome::Topic(topic)))
    }

    fn alter(&self, name: &TopicName, changes: &Changes, only: bool) -> Result<Decision, ControllerError> {
        let topic = self.own_topic(name)?;
        let settings = self.changed(name, changes)?;
        let after = Topic { settings: settings.clone(), ..(*topic).clone() };
        let record = Record::SettingsChanged { id: topic.id, settings };
        Ok((if only { Vec::new() } else { vec![record] }, Outcome::Topic(Arc::new(after))))
    }

    fn check_partitions(&self, total: i32, added: i32) -> Result<(), ControllerError> {
        if !(1..=PARTITIONS_PER_TOPIC_MAX).contains(&total) {
            let why = format!("a topic has 1 to {PARTITIONS_PER_TOPIC_MAX} partitions, not {total}");
            return Err(ControllerError::Partitions(why));
        }
        let added = usize::try_from(added).expect("positive, checked by the callers");
        if self.cluster.partitions + added > PARTITIONS_PER_NODE_MAX {
            let why = format!(
                "a node has at most {PARTITIONS_PER_NODE_MAX} partitions and has {} now; delete topics first",
                self.cluster.partitions
            );
            return Err(ControllerError::Partitions(why));
        }
        Ok(())
    }

    fn topic(&self, name: &TopicName) -> Result<Arc<Topic>, ControllerError> {
        self.cluster.topics.get(name).cloned().ok_or_else(|| ControllerError::NoTopic(name.clone()))
    }

    /// A topic that clients may change.
    fn own_topic(&self, name: &TopicName) -> Result<Arc<Topic>, ControllerError> {
        match internal::find(name.as_str()) {
            Some(_) => Err(ControllerError::Reserved(name.clone())),
            None => self.topic(name),
        }
    }

    /// Takes a durable record in. Records that contradict the state are ignored: they were decided against it.
    pub fn apply(&mut self, record: &Record) {
        match record {
            Record::Cluster { id } => self.cluster.id = *id,
            Record::TopicCreated { name, id, first_partition, shards, settings, created_ms } => {
                let partitions = self.place(*first_partition, shards);
                let (name, id, settings, created_ms) = (name.clone(), *id, settings.clone(), *created_ms);
                self.cluster.names.insert(id, name.clone());
                let topic = Topic { name: name.clone(), id, partitions, settings, created_ms };
                self.cluster.topics.insert(name, Arc::new(topic));
            }
            Record::PartitionsAdded { id, first_partition, shards } => {
                let more = self.place(*first_partition, shards);
                self.change(*id, |topic| topic.partitions.extend(more));
            }
            Record::SettingsChanged { id, settings } => self.change(*id, |t| t.settings = settings.clone()),
            Record::TopicDeleted { id } => {
                if let Some(topic) = self.cluster.names.remove(id).and_then(|name| self.cluster.topics.remove(&name)) {
                    self.cluster.partitions -= topic.partitions.len();
                }
            }
            Record::ProducerIds { next } => self.producer_next = self.producer_next.max(*next),
        }
    }

    fn place(&mut self, first: PartitionId, shards: &[ShardId]) -> Vec<Place> {
        let places = places(first, shards);
        self.partition_next = self.partition_next.max(first.0 + places.len() as u64);
        self.cluster.partitions += places.len();
        places
    }

    fn change(&mut self, id: TopicId, change: impl FnOnce(&mut Topic)) {
        if let Some(topic) = self.cluster.names.get(&id).and_then(|name| self.cluster.topics.get_mut(name)) {
            let mut after = (**topic).clone();
            change(&mut after);
            *topic = Arc::new(after);
        }
    }
}

fn places(first: PartitionId, shards: &[ShardId]) -> Vec<Place> {
    (first.0..).zip(shards).map(|(id, shard)| Place { id: PartitionId(id), shard: *shard }).collect()
}

/// The shards of new partitions: round robin, begun at a place that the topic's name decides.
fn spread(name: &TopicName, indexes: std::ops::Range<i32>, shards: u16) -> Vec<ShardId> {
    let shards = u32::from(shards.max(1));
    let start = internal::fnv(name.as_str().as_bytes()) % shards;
    indexes
        .map(|index| {
            ShardId(u16::try_from((start + index.unsigned_abs()) % shards).expect("below the number of shards"))
        })
        .collect()
}

impl Edit {
    fn apply(&self, settings: &mut TopicSettings) -> Result<(), BadSetting> {
        let listed = |settings: &TopicSettings| -> Result<Vec<String>, BadSetting> {
            let row = model::Setting::find(&self.name).ok_or_else(|| BadSetting::Unknown(self.name.clone()))?;
            match row.name {
                "cleanup.policy" => Ok(settings.get(row.name).split(',').map(str::to_owned).collect()),
                _ => Err(BadSetting::Value {
                    name: self.name.clone(),
                    value: self.value.clone(),
                    why: "it is no list, so nothing can be appended to it or subtracted from it".into(),
                }),
            }
        };
        match self.operation {
            Operation::Set => settings.set(&self.name, &self.value),
            Operation::Delete => settings.unset(&self.name),
            Operation::Append => {
                let mut list = listed(settings)?;
                let more: Vec<String> = items(&self.value).filter(|v| !list.contains(v)).collect();
                list.extend(more);
                settings.set(&self.name, &list.join(","))
            }
            Operation::Subtract => {
                let mut list = listed(settings)?;
                list.retain(|have| !items(&self.value).any(|v| v == *have));
                settings.set(&self.name, &list.join(","))
            }
        }
    }
}

fn items(list: &str) -> impl Iterator<Item = String> + '_ {
    list.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty())
}

#[cfg(test)]
mod tests;
