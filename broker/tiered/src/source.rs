//! Where do batches come from, and who wants to know how far the archive is?

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use model::{Offset, Result, ShardId, TopicId};
use uuid::Uuid;

use crate::archive::{Place, Seen};
use crate::run::TopicRef;

pub use crate::run::{CONTROLLER_ID, CONTROLLER_NAME};

/// What exists on a node.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ClusterState {
    pub cluster: Uuid,
    pub shards: u16,
    pub topics: Vec<TopicState>,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TopicState {
    pub name: String,
    pub id: TopicId,
    pub settings: BTreeMap<String, String>,
    pub created_ms: i64,
    /// The partition's number on the node, and its shard.
    pub partitions: Vec<(u64, u16)>,
}

/// The logs of a node.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    fn state(&self) -> ClusterState;

    /// All partitions of a shard, empty ones too: one that is missing counts as deleted with its topic.
    async fn look(&self, shard: ShardId) -> Result<Vec<Seen>>;

    /// Bytes that the shard's log has taken so far: cheap, to see whether looking is worth while.
    async fn taken(&self, shard: ShardId) -> Result<u64>;

    /// Committed batches from the one that holds `from`, about `bytes_max` bytes of them, but at least one if there is
    /// one below `to`.
    async fn read(
        &self,
        topic: &TopicRef,
        partition: i32,
        from: Offset,
        to: Offset,
        bytes_max: usize,
    ) -> Result<Vec<Bytes>>;

    /// Everything below these places is archived.
    async fn advance(&self, places: Vec<Place>);

    /// Records below these places are not wanted any more.
    async fn trim(&self, places: Vec<Place>);
}
