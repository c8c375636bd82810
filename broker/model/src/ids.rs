//! Which topic, partition, shard, log group or producer is meant?

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// A node of the cluster, Kafka's broker id.
    NodeId(i32)
);
number!(
    /// A core of this node, 0 for the first.
    ShardId(u16)
);
number!(
    /// A partition in the logs of this cluster: given out once by the controller, never used again.
    /// 0 is the controller's own.
    PartitionId(u64)
);
number!(
    /// A Raft group whose entries carry the batches of many partitions.
    LogGroup(u32)
);
number!(
    /// A Raft term.
    Term(u64)
);
number!(
    /// The index of an entry in its log group, 1 for the first.
    LogIndex(u64)
);
number!(
    /// An idempotent producer (KIP-98); -1 means none.
    ProducerId(i64)
);
number!(
    /// The epoch of an idempotent producer; -1 means none.
    ProducerEpoch(i16)
);

impl PartitionId {
    /// The controller's own partition: topics, settings and producer ids of the cluster.
    pub const CONTROLLER: PartitionId = PartitionId(0);
}

/// The identity of a topic over deletion and re-creation (KIP-516).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TopicId(pub Uuid);

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
