//! Where does the lake get its records from: the node's shards.

use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use iceberg_sink::lake::{Chunk, LakeTopic, Source};
use model::{Offset, Result, TopicName};
use schema_registry::View;
use server::{Cluster, NodeHandle};

pub struct NodeSource {
    node: NodeHandle,
    view: Arc<ArcSwap<View>>,
}

impl NodeSource {
    pub fn new(node: NodeHandle, view: Arc<ArcSwap<View>>) -> NodeSource {
        NodeSource { node, view }
    }
}

/// All topics as the lake sees them.
pub fn topics(cluster: &Cluster) -> Vec<LakeTopic> {
    let topics = cluster.topics().filter(|topic| !topic.name.is_internal());
    let lake = topics.map(|topic| LakeTopic {
        name: topic.name.clone(),
        id: topic.id,
        partitions: topic.partitions.len() as i32,
        settings: topic.settings.clone(),
    });
    lake.collect()
}

#[async_trait]
impl Source for NodeSource {
    fn topics(&self) -> Vec<LakeTopic> {
        topics(&self.node.cluster())
    }

    async fn read(&self, topic: &TopicName, partition: i32, from: Offset, bytes_max: usize) -> Result<Chunk> {
        let fetched = self.node.fetch(topic.as_str(), partition, from, bytes_max, 0).await?;
        Ok(Chunk { batches: fetched.batches, last_stable: fetched.last_stable, log_start: fetched.log_start })
    }

    async fn advanced(&self, topic: &TopicName, partition: i32, committed: Offset, projected: Offset) {
        // A topic that was deleted meanwhile has no frontier to move.
        if let Err(error) = self.node.lake_advanced(topic.as_str(), partition, committed, projected).await {
            tracing::debug!(%topic, partition, %error, "the lake's frontier was not noted");
        }
    }

    fn registry(&self) -> Arc<View> {
        self.view.load_full()
    }
}
