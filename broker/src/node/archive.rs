//! How is the archive wired to the node's shards: where it reads, and who reads it?

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use bytes::Bytes;
use model::{Error, Offset, PartitionId, Result, ShardId, Timestamp};
use objects::Objects;
use server::{Cluster, History, NodeHandle, Origin, Place, Telling, Topic};
use tiered::archive::{Place as Spot, Seen};
use tiered::source::{CONTROLLER_ID, CONTROLLER_NAME, ClusterState, Source, TopicState};
use tiered::{Archiver, ArchiverConfig, CacheConfig, ChunkCache, TopicRef};

use crate::settings::Settings;

/// A partition with this much in a round gets an object of its own.
const OWN_BYTES: u64 = 8 << 20;
/// How old an object must be that no manifest knows before it counts as left behind.
const ORPHANS_AFTER: Duration = Duration::from_secs(24 * 3600);
const UPLOADS_AT_ONCE: usize = 2;

/// Starts the archive of a node whose shards are ready, and lets them read it.
pub fn start(
    settings: &Settings,
    node: &NodeHandle,
    objects: &Objects,
    history: &HistoryPort,
) -> anyhow::Result<Arc<Archiver>> {
    let config =
        CacheConfig { folder: settings.data_dir.join("cache"), bytes_max: u64::from(settings.archive_cache_mib) << 20 };
    let cache = ChunkCache::open(config).context("archive_cache_mib")?;
    let segment_bytes = u64::from(settings.archive_segment_mib) << 20;
    let config = ArchiverConfig {
        cluster: node.cluster().id(),
        shards: settings.shards,
        interval: Duration::from_millis(settings.archive_interval_ms),
        segment_bytes,
        own_bytes: OWN_BYTES.min(segment_bytes),
        delete_after: Duration::from_millis(settings.archive_delete_delay_ms),
        orphans_after: ORPHANS_AFTER,
        uploads_at_once: UPLOADS_AT_ONCE,
    };
    let archiver = Arc::new(Archiver::start(Arc::new(NodeLogs::new(node.clone())), objects, config));
    let reader = tiered::History::over(&archiver, cache);
    let reader = (reader, tokio::runtime::Handle::current());
    history.0.set(reader).map_err(|_| anyhow::anyhow!("the archive is started once"))?;
    Ok(archiver)
}

/// What shards read that their logs no longer hold. Empty until the archive has been started.
#[derive(Default)]
pub struct HistoryPort(OnceLock<(tiered::History, tokio::runtime::Handle)>);

impl HistoryPort {
    /// Runs on the background runtime; a shard only waits for the answer.
    fn tell<T, F>(&self, ask: impl FnOnce(tiered::History) -> F) -> Telling<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let (reply, answer) = flume::bounded(1);
        let stopping = || Error::busy("the archive cannot be read now; ask again a little later");
        match self.0.get() {
            Some((history, runtime)) => {
                let asking = ask(history.clone());
                runtime.spawn(async move {
                    // Whoever asked may have given up.
                    let _ = reply.try_send(asking.await);
                });
                Box::pin(async move { answer.recv_async().await.map_err(|_| stopping())? })
            }
            None => Box::pin(std::future::ready(Err(stopping()))),
        }
    }
}

impl History for HistoryPort {
    fn read(&self, of: Origin, from: Offset, bytes_max: usize) -> Telling<Vec<Bytes>> {
        self.tell(move |history| async move { history.read(of.topic, of.partition, from, bytes_max).await })
    }

    fn offset_for_time(&self, of: Origin, from: Offset, at: Timestamp) -> Telling<Option<(Offset, Timestamp)>> {
        self.tell(move |history| async move { history.offset_for_time(of.topic, of.partition, from, at).await })
    }

    fn newest(&self, of: Origin, from: Offset) -> Telling<Option<(Offset, Timestamp)>> {
        self.tell(move |history| async move { history.newest(of.topic, of.partition, from).await })
    }
}

/// The logs of the node, as the archive sees them.
pub struct NodeLogs {
    node: NodeHandle,
}

const CONTROLLER: Place = Place { id: PartitionId::CONTROLLER, shard: ShardId(0) };

impl NodeLogs {
    pub fn new(node: NodeHandle) -> NodeLogs {
        NodeLogs { node }
    }

    /// Where a partition lies; `None` if its topic was deleted.
    fn place(&self, topic: &TopicRef, partition: i32) -> Option<Place> {
        match topic.id == CONTROLLER_ID {
            true => Some(CONTROLLER),
            false => self.node.cluster().topic_by_id(topic.id)?.place(partition),
        }
    }
}

/// What exists, for whoever has nothing but the bucket.
fn state_of(cluster: &Cluster, shards: u16) -> ClusterState {
    let topics = cluster.topics().map(|topic| TopicState {
        name: topic.name.to_string(),
        id: topic.id,
        settings: topic.settings.overrides().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        created_ms: topic.created_ms,
        partitions: topic.partitions.iter().map(|place| (place.id.0, place.shard.0)).collect(),
    });
    ClusterState { cluster: cluster.id(), shards, topics: topics.collect() }
}

/// A partition of a shard with what its topic's settings say; the controller's has none.
fn on_shard(cluster: &Cluster, shard: ShardId) -> Vec<(Option<Arc<Topic>>, i32, PartitionId)> {
    let controller = (shard == CONTROLLER.shard).then_some((None, 0, CONTROLLER.id));
    let topics = cluster.topics().flat_map(|topic| {
        let places = (0..).zip(&topic.partitions).filter(move |(_, place)| place.shard == shard);
        places.map(move |(partition, place)| (Some(topic.clone()), partition, place.id))
    });
    controller.into_iter().chain(topics).collect()
}

fn seen(topic: Option<&Topic>, partition: i32, held: server::Held) -> Seen {
    let at = held.frontiers;
    let (id, name) = topic.map_or((CONTROLLER_ID, CONTROLLER_NAME), |topic| (topic.id, topic.name.as_str()));
    let is_archived = topic.is_none_or(|topic| topic.settings.is_archived());
    let limited = topic.filter(|topic| topic.settings.is_deleted_by_retention());
    let is_table = topic.is_some_and(Topic::is_table);
    Seen {
        topic: TopicRef { id, name: name.to_owned() },
        partition,
        log_start: at.log_start(),
        local_start: at.local_start(),
        high_watermark: at.high_watermark(),
        archived: at.archived(),
        bytes: if is_archived { held.unarchived_bytes } else { 0 },
        retention_ms: limited.and_then(|topic| topic.settings.retention_ms()),
        retention_bytes: limited.and_then(|topic| topic.settings.retention_bytes()),
        // After a start it is not known how far the table has come, until the lake tells.
        needed_from: is_table.then(|| at.lake_committed().unwrap_or(at.log_start())),
        is_archived,
    }
}

#[async_trait]
impl Source for NodeLogs {
    fn state(&self) -> ClusterState {
        state_of(&self.node.cluster(), self.node.config().shards)
    }

    async fn look(&self, shard: ShardId) -> Result<Vec<Seen>> {
        let partitions = on_shard(&self.node.cluster(), shard);
        let ids = partitions.iter().map(|(.., id)| *id).collect();
        let held = self.node.held(shard, ids).await?;
        let all = partitions.iter().zip(held);
        Ok(all.map(|((topic, partition, _), held)| seen(topic.as_deref(), *partition, held)).collect())
    }

    async fn taken(&self, shard: ShardId) -> Result<u64> {
        let stats = self.node.log_stats().await?;
        Ok(stats.iter().find(|(of, _)| *of == shard).map_or(0, |(_, stats)| stats.appended_bytes))
    }

    async fn read(
        &self,
        topic: &TopicRef,
        partition: i32,
        from: Offset,
        _: Offset,
        bytes_max: usize,
    ) -> Result<Vec<Bytes>> {
        match self.place(topic, partition) {
            Some(place) => self.node.committed(place, from, bytes_max).await,
            None => Ok(Vec::new()),
        }
    }

    async fn advance(&self, places: Vec<Spot>) {
        let mut by_shard: HashMap<ShardId, Vec<(PartitionId, Offset)>> = HashMap::new();
        for spot in places {
            // A topic that was deleted meanwhile has no frontier to move.
            if let Some(place) = self.place(&spot.topic, spot.partition) {
                by_shard.entry(place.shard).or_default().push((place.id, spot.offset));
            }
        }
        for (shard, ends) in by_shard {
            if let Err(error) = self.node.archived(shard, ends).await {
                tracing::debug!(shard = shard.0, %error, "the archive's frontiers were not noted");
            }
        }
    }

    async fn trim(&self, places: Vec<Spot>) {
        for spot in places {
            let Some(place) = self.place(&spot.topic, spot.partition) else { continue };
            let is_table = self.node.cluster().topic_by_id(spot.topic.id).is_some_and(|topic| topic.is_table());
            match self.node.delete_below(place, spot.offset, is_table).await {
                Ok(start) => {
                    tracing::debug!(topic = spot.topic.name, spot.partition, %start, "retention drops archived records");
                }
                Err(error) => tracing::warn!(topic = spot.topic.name, spot.partition, %error, "retention has failed"),
            }
        }
    }
}
