//! What does the controller write down? Layout: `docs/formats/controller.md`.

use model::{Error, PartitionId, ShardId, TopicId, TopicName, TopicSettings};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

const VERSION: u32 = 1;

/// One decided change of the cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// The first record of a cluster.
    Cluster {
        id: Uuid,
    },
    /// Partition `i` is `first_partition + i` and lies on `shards[i]`.
    TopicCreated {
        name: TopicName,
        id: TopicId,
        first_partition: PartitionId,
        shards: Vec<ShardId>,
        settings: TopicSettings,
        created_ms: i64,
    },
    PartitionsAdded {
        id: TopicId,
        first_partition: PartitionId,
        shards: Vec<ShardId>,
    },
    SettingsChanged {
        id: TopicId,
        settings: TopicSettings,
    },
    TopicDeleted {
        id: TopicId,
    },
    /// All producer ids below `next` have been given out.
    ProducerIds {
        next: i64,
    },
}

#[derive(Serialize, Deserialize)]
struct Envelope<R> {
    version: u32,
    record: R,
}

impl Record {
    /// The value of the Kafka record that keeps this change.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(&Envelope { version: VERSION, record: self }).expect("names and numbers are valid JSON")
    }

    pub fn decode(value: &[u8]) -> Result<Record, Error> {
        let unreadable = |why: String| {
            Error::damaged(format!("a record of the controller cannot be read: {why}; restore the data directory"))
        };
        let envelope: Envelope<serde_json::Value> =
            serde_json::from_slice(value).map_err(|error| unreadable(error.to_string()))?;
        if envelope.version > VERSION {
            return Err(Error::invalid(format!(
                "the data directory was written by a newer program (controller record version {}, this one knows \
                 {VERSION}); start that one",
                envelope.version
            )));
        }
        serde_json::from_value(envelope.record).map_err(|error| unreadable(error.to_string()))
    }
}
