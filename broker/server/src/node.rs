//! How is a node set up, and how does the rest of the process talk to it?

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use corelog::{LogHealth, LogStats};
use futures_util::FutureExt;
use futures_util::future::Shared as SharedFuture;
use model::limits::{MAILBOX_MESSAGES_MAX, RETENTION_TICK_MS, SEGMENT_BYTES_DEFAULT, TAIL_CACHE_BYTES, WAIT_MS_MAX};
use model::{Error, NodeId, Offset, Result, ShardId, TopicName, TopicSettings};
use runtime::{MailReceiver, MailSender, mailbox};

use crate::cluster::{Cluster, Place, Topic};
use crate::controller::{Changes, Command, ControllerError, NewTopic, Outcome};
use crate::errors::Fault;
use crate::groups::GroupSettings;
use crate::history::{History, NoHistory};
use crate::internal;
use crate::layout;
use crate::message::{Append, Reply, ShardMessage, Want, Writer, reply};

/// Asked before a topic is made or its settings change: can its table exist? `Err` is the sentence for the user.
pub trait TopicGate: Send + Sync {
    fn admit(&self, name: &TopicName, settings: &TopicSettings, existing: &Cluster) -> Result<(), String>;
}

/// A gate that lets everything pass.
pub struct OpenGate;

impl TopicGate for OpenGate {
    fn admit(&self, _: &TopicName, _: &TopicSettings, _: &Cluster) -> Result<(), String> {
        Ok(())
    }
}

pub struct NodeConfig {
    pub data_dir: PathBuf,
    pub shards: u16,
    /// Where Kafka clients connect; all shards listen here.
    pub kafka: SocketAddr,
    /// What clients are told to connect to.
    pub advertised_host: String,
    pub advertised_port: u16,
    pub node: NodeId,
    /// Make topics when a client first names them.
    pub auto_create: bool,
    /// Partitions of topics that are made without a number.
    pub partitions_default: i32,
    pub groups: GroupSettings,
    pub gate: Arc<dyn TopicGate>,
    pub registry: Arc<ArcSwap<schema_registry::View>>,
    pub segment_bytes: u64,
    /// Recent batches kept in memory, per shard.
    pub tail_cache_bytes: usize,
    /// How often records are looked for that retention drops.
    pub retention_tick_ms: u64,
    /// An archive copies all records to the object store: retention drops none before it has them.
    pub archives: bool,
    /// What holds for topics that do not set `write.caching`; `None` switches it off for all.
    pub write_caching_default: Option<bool>,
    /// Where records are read that the logs no longer hold.
    pub history: Arc<dyn History>,
}

impl NodeConfig {
    /// True if records of a topic with these settings are acknowledged before they are durable.
    pub fn is_cached(&self, settings: &TopicSettings) -> bool {
        self.write_caching_default.is_some_and(|default| settings.write_caching().unwrap_or(default))
    }

    /// A node of one shard without anything around it.
    pub fn plain(data_dir: PathBuf, kafka: SocketAddr) -> NodeConfig {
        NodeConfig {
            data_dir,
            shards: 1,
            kafka,
            advertised_host: kafka.ip().to_string(),
            advertised_port: kafka.port(),
            node: NodeId(1),
            auto_create: false,
            partitions_default: 1,
            groups: GroupSettings::default(),
            gate: Arc::new(OpenGate),
            registry: Arc::default(),
            segment_bytes: SEGMENT_BYTES_DEFAULT,
            tail_cache_bytes: TAIL_CACHE_BYTES,
            retention_tick_ms: RETENTION_TICK_MS,
            archives: false,
            write_caching_default: Some(false),
            history: Arc::new(NoHistory),
        }
    }
}

/// What all shards and handles of a node share. Nothing here is locked: snapshots and mailboxes only.
pub struct Node {
    pub config: NodeConfig,
    pub registry: Arc<ArcSwap<schema_registry::View>>,
    pub(crate) published: ArcSwap<Cluster>,
    mailboxes: Vec<MailSender<ShardMessage>>,
}

/// All that one shard begins with.
pub struct ShardSeed {
    pub shard: ShardId,
    pub(crate) node: Arc<Node>,
    pub(crate) mailbox: MailReceiver<ShardMessage>,
    pub(crate) ready: flume::Sender<Result<()>>,
    pub(crate) founding: Founding,
}

/// Shard 0 tells the others that the cluster's state is known, and whether the cluster began just now.
pub(crate) enum Founding {
    Tell(flume::Sender<bool>),
    Hear(flume::Receiver<bool>),
}

/// A node as the rest of the process sees it, from any thread.
#[derive(Clone)]
pub struct NodeHandle {
    pub(crate) node: Arc<Node>,
    ready: SharedFuture<Pin<Box<dyn Future<Output = Result<()>> + Send>>>,
}

/// What a fetch found.
#[derive(Debug, Clone)]
pub struct Fetched {
    pub batches: Vec<Bytes>,
    pub log_start: Offset,
    pub high_watermark: Offset,
    pub last_stable: Offset,
}

/// Checks the data directory and prepares one seed per shard; each is then run by [`crate::run_shard`].
pub fn plan(config: NodeConfig) -> Result<(NodeHandle, Vec<ShardSeed>)> {
    layout::claim(&config.data_dir, config.shards)?;
    let (mailboxes, mail): (Vec<_>, Vec<_>) = (0..config.shards).map(|_| mailbox(MAILBOX_MESSAGES_MAX)).unzip();
    let registry = config.registry.clone();
    let node = Arc::new(Node { config, registry, published: ArcSwap::default(), mailboxes });
    let shards = usize::from(node.config.shards);
    let (ready, all_ready) = flume::bounded(shards);
    let (tell, hear) = flume::bounded(shards);
    let seeds = (0..).map(ShardId).zip(mail).map(|(shard, mailbox)| ShardSeed {
        shard,
        node: node.clone(),
        mailbox,
        ready: ready.clone(),
        founding: if shard.0 == 0 { Founding::Tell(tell.clone()) } else { Founding::Hear(hear.clone()) },
    });
    let seeds = seeds.collect();
    let ready: Pin<Box<dyn Future<Output = Result<()>> + Send>> = Box::pin(async move {
        for _ in 0..shards {
            let stopped = || Error::fenced("a shard stopped before it was ready; see the log for the cause");
            all_ready.recv_async().await.map_err(|_| stopped())??;
        }
        Ok(())
    });
    Ok((NodeHandle { node, ready: ready.shared() }, seeds))
}

impl Node {
    pub fn cluster(&self) -> Arc<Cluster> {
        self.published.load_full()
    }

    pub fn shards(&self) -> impl Iterator<Item = ShardId> + use<> {
        (0..self.config.shards).map(ShardId)
    }

    /// Puts a message into a shard's mailbox and waits for the answer.
    pub async fn ask<T>(&self, shard: ShardId, make: impl FnOnce(Reply<T>) -> ShardMessage) -> Result<T, Fault> {
        let (reply, answer) = reply();
        self.send(shard, make(reply)).await?;
        answer.recv_async().await.map_err(|_| Fault::stopping())
    }

    /// Waits for room in the mailbox only.
    pub async fn send(&self, shard: ShardId, message: ShardMessage) -> Result<(), Fault> {
        let mailbox = self.mailboxes.get(usize::from(shard.0)).ok_or_else(Fault::stopping)?;
        mailbox.send(message).await.map_err(|_| Fault::stopping())
    }

    /// Has the controller decide a command and make it durable.
    pub async fn change(&self, command: Command) -> Result<Outcome, ControllerError> {
        let command = Box::new(command);
        let asked = self.ask(ShardId(0), |reply| ShardMessage::Change { command, reply }).await;
        asked.map_err(|_| ControllerError::Stopped)?
    }

    /// A topic that exists, or an internal one that is made now.
    pub async fn topic_for_node(&self, name: &str) -> Result<Arc<Topic>, ControllerError> {
        if let Some(topic) = self.cluster().topic(name) {
            return Ok(topic.clone());
        }
        let topic_name = TopicName::new(name).map_err(|error| ControllerError::Refused(error.to_string()))?;
        let internal = internal::find(name).ok_or_else(|| ControllerError::NoTopic(topic_name.clone()))?;
        let new = NewTopic {
            name: topic_name,
            partitions: internal.partitions,
            settings: internal.settings(),
            validate_only: false,
            by_node: true,
        };
        self.create(new).await
    }

    /// Makes a topic; if somebody else was faster, theirs is answered to the node's own wishes.
    pub async fn create(&self, new: NewTopic) -> Result<Arc<Topic>, ControllerError> {
        let (name, by_node) = (new.name.clone(), new.by_node);
        match self.change(Command::Create(new)).await {
            Ok(Outcome::Topic(topic)) => Ok(topic),
            Err(ControllerError::Exists(_)) if by_node => {
                self.cluster().topic(name.as_str()).cloned().ok_or(ControllerError::NoTopic(name))
            }
            Ok(_) => unreachable!("a created topic is answered"),
            Err(error) => Err(error),
        }
    }
}

impl NodeHandle {
    pub fn cluster(&self) -> Arc<Cluster> {
        self.node.cluster()
    }

    pub fn config(&self) -> &NodeConfig {
        &self.node.config
    }

    /// Waits until all shards have recovered, or says why one cannot.
    pub async fn ready(&self) -> Result<()> {
        self.ready.clone().await
    }

    /// Lets clients in. Before, all that decides about their records must be known: the schemas above all.
    pub async fn serve(&self) -> Result<()> {
        for shard in self.node.shards() {
            self.node.ask(shard, |reply| ShardMessage::Serve { reply }).await??;
        }
        Ok(())
    }

    /// Appends one batch; its base offset once it is durable. Internal topics are made when they are missing.
    pub async fn produce(&self, topic: &str, partition: i32, batch: Bytes) -> Result<Offset> {
        let topic = self.node.topic_for_node(topic).await?;
        let shard = place(&topic, partition)?.shard;
        let by = if internal::find(topic.name.as_str()).is_some() {
            Writer::Node
        } else {
            Writer::Client { version: i16::MAX }
        };
        let appends = vec![Append { topic, partition, batch, by }];
        let mut stored = self.node.ask(shard, |reply| ShardMessage::Append { appends, reply }).await?;
        let stored = stored.pop().expect("one answer per batch");
        Ok(stored.map_err(|refused| refused.fault)?.base)
    }

    /// Whole batches from `from` on, at least one if there is one before `wait_ms` have passed; none at once if `from`
    /// lies below the log's start, which is told.
    pub async fn fetch(
        &self,
        topic: &str,
        partition: i32,
        from: Offset,
        bytes_max: usize,
        wait_ms: i32,
    ) -> Result<Fetched> {
        let cluster = self.cluster();
        let missing = || Error::missing(format!("there is no topic '{topic}'"));
        let topic = cluster.topic(topic).ok_or_else(missing)?;
        let place = place(topic, partition)?;
        let origin = topic.origin(partition);
        let want = Want { partition: place.id, origin, from, bytes_max, stable_only: false };
        let wait_ms = wait_ms.clamp(0, WAIT_MS_MAX).unsigned_abs();
        let got = self.node.ask(place.shard, |reply| ShardMessage::Poll { want, wait_ms, reply }).await??;
        let at = got.frontiers;
        Ok(Fetched {
            batches: got.batches,
            log_start: at.log_start(),
            high_watermark: at.high_watermark(),
            last_stable: at.last_stable(),
        })
    }

    /// `partitions: None` takes the node's default.
    pub async fn create_topic(
        &self,
        name: TopicName,
        partitions: Option<i32>,
        settings: TopicSettings,
    ) -> Result<Arc<Topic>> {
        let partitions = partitions.unwrap_or(self.node.config.partitions_default);
        let new = NewTopic { name, partitions, settings, validate_only: false, by_node: false };
        Ok(self.node.create(new).await?)
    }

    /// The topic with its new settings.
    pub async fn alter_topic(&self, name: TopicName, changes: Changes) -> Result<Arc<Topic>> {
        match self.node.change(Command::Alter { name, changes, validate_only: false }).await? {
            Outcome::Topic(topic) => Ok(topic),
            _ => unreachable!("an altered topic is answered"),
        }
    }

    pub async fn delete_topic(&self, name: TopicName) -> Result<()> {
        self.node.change(Command::Delete { name }).await?;
        Ok(())
    }

    /// The topic's table holds all records below `committed`, files hold those below `projected`.
    pub async fn lake_advanced(&self, topic: &str, partition: i32, committed: Offset, projected: Offset) -> Result<()> {
        let cluster = self.cluster();
        let missing = || Error::missing(format!("there is no topic '{topic}'"));
        let place = place(cluster.topic(topic).ok_or_else(missing)?, partition)?;
        let message = ShardMessage::Lake { partition: place.id, committed, projected };
        Ok(self.node.send(place.shard, message).await?)
    }

    /// The object store holds all records of a partition below `end`.
    pub async fn archive_advanced(&self, topic: &str, partition: i32, end: Offset) -> Result<()> {
        let cluster = self.cluster();
        let missing = || Error::missing(format!("there is no topic '{topic}'"));
        let place = place(cluster.topic(topic).ok_or_else(missing)?, partition)?;
        Ok(self.node.send(place.shard, ShardMessage::Archived { partition: place.id, end }).await?)
    }

    /// Records below `start`, as far as they are archived, leave the log; consumers get them from the archive.
    pub async fn drop_locally(&self, topic: &str, partition: i32, start: Offset) -> Result<()> {
        let cluster = self.cluster();
        let missing = || Error::missing(format!("there is no topic '{topic}'"));
        let place = place(cluster.topic(topic).ok_or_else(missing)?, partition)?;
        Ok(self.node.send(place.shard, ShardMessage::DropLocally { partition: place.id, start }).await?)
    }

    /// What the logs of all shards have done so far.
    pub async fn log_stats(&self) -> Result<Vec<(ShardId, LogStats)>> {
        let mut all = Vec::new();
        for shard in self.node.shards() {
            all.push((shard, self.node.ask(shard, |reply| ShardMessage::Stats { reply }).await?));
        }
        Ok(all)
    }

    /// What keeps the logs of the shards from working as they should.
    pub async fn log_health(&self) -> Result<Vec<(ShardId, LogHealth)>> {
        let mut all = Vec::new();
        for shard in self.node.shards() {
            all.push((shard, self.node.ask(shard, |reply| ShardMessage::Health { reply }).await?));
        }
        Ok(all)
    }

    /// Stops all shards: no new requests, everything acknowledged is durable, logs are closed.
    pub async fn shutdown(&self) {
        for shard in self.node.shards() {
            if self.node.ask(shard, |reply| ShardMessage::Stop { reply }).await.is_err() {
                tracing::warn!(shard = shard.0, "this shard had stopped before");
            }
        }
    }
}

fn place(topic: &Topic, partition: i32) -> Result<Place> {
    let missing = || Error::missing(format!("topic '{}' has no partition {partition}", topic.name));
    topic.place(partition).ok_or_else(missing)
}
