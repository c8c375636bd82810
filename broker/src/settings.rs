//! What can be set for a node, where from, and what holds where nothing is set?
//!
//! Flags win over environment variables, these over the settings file, that over the defaults.
//! `docs/reference/frazil.toml` is the settings file with every default explained; a test keeps it true.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use model::limits::{RETENTION_TICK_MS, SHARDS_MAX};
use serde::Deserialize;
use uuid::Uuid;

/// Which driver runs the shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IoChoice {
    /// io_uring where the kernel allows it, else portable
    Auto,
    /// glommio on io_uring
    Uring,
    /// tokio and a writer thread per shard
    Portable,
}

/// What holds for topics that do not set `write.caching`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WriteCaching {
    /// acknowledged before they are durable
    True,
    /// acknowledged when they are durable
    False,
    /// as false, and no topic can switch it on
    Disabled,
}

impl WriteCaching {
    pub fn for_topics(self) -> Option<bool> {
        match self {
            WriteCaching::True => Some(true),
            WriteCaching::False => Some(false),
            WriteCaching::Disabled => None,
        }
    }
}

/// One layer of settings: the flags with their environment variables, or the file.
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// Settings file (TOML)
    #[arg(long, env = "FRAZIL_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// Where the node keeps its data [default: ./frazil-data]
    #[arg(long, env = "FRAZIL_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Shards, one executor and one log each; 0 for one per core [default: 0]
    #[arg(long, env = "FRAZIL_SHARDS", value_name = "N")]
    pub shards: Option<u16>,
    /// How shards reach disk and network [default: auto]
    #[arg(long, env = "FRAZIL_IO")]
    pub io: Option<IoChoice>,
    /// Kafka listener [default: 127.0.0.1:9092]
    #[arg(long, env = "FRAZIL_KAFKA_ADDR", value_name = "HOST:PORT")]
    pub kafka_addr: Option<SocketAddr>,
    /// What clients are told to connect to, HOST:PORT [default: the Kafka listener]
    #[arg(long, env = "FRAZIL_KAFKA_ADVERTISED", value_name = "HOST:PORT")]
    pub kafka_advertised: Option<String>,
    /// Schema registry [default: 127.0.0.1:8081]
    #[arg(long, env = "FRAZIL_REGISTRY_ADDR", value_name = "HOST:PORT")]
    pub registry_addr: Option<SocketAddr>,
    /// Iceberg REST catalog [default: 127.0.0.1:8181]
    #[arg(long, env = "FRAZIL_CATALOG_ADDR", value_name = "HOST:PORT")]
    pub catalog_addr: Option<SocketAddr>,
    /// Readiness, metrics and SQL over HTTP [default: 127.0.0.1:9644]
    #[arg(long, env = "FRAZIL_ADMIN_ADDR", value_name = "HOST:PORT")]
    pub admin_addr: Option<SocketAddr>,
    /// Object store: a folder, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or
    /// abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PREFIX [default: the folder `objects` in the data folder]
    #[arg(long, env = "FRAZIL_OBJECT_STORE", value_name = "URL")]
    pub object_store: Option<String>,
    /// Bring back on an empty data folder what the archive in this object store has, and go on with that store
    #[arg(long, env = "FRAZIL_RESTORE_FROM", value_name = "URL")]
    #[serde(skip)]
    pub restore_from: Option<String>,
    /// Which cluster, if the store holds the archives of several
    #[arg(long, env = "FRAZIL_RESTORE_CLUSTER", value_name = "ID")]
    #[serde(skip)]
    pub restore_cluster: Option<Uuid>,
    /// Kafka's broker id [default: 1]
    #[arg(long, env = "FRAZIL_NODE_ID", value_name = "N")]
    pub node_id: Option<i32>,
    /// Create topics that clients ask for [default: true]
    #[arg(long, env = "FRAZIL_AUTO_CREATE_TOPICS", value_name = "BOOL")]
    pub auto_create_topics: Option<bool>,
    /// Partitions of a topic whose creator does not say [default: 1]
    #[arg(long, env = "FRAZIL_DEFAULT_PARTITIONS", value_name = "N")]
    pub default_partitions: Option<i32>,
    /// How long a new consumer group waits for more members [default: 0]
    #[arg(long, env = "FRAZIL_GROUP_INITIAL_REBALANCE_DELAY_MS", value_name = "MS")]
    pub group_initial_rebalance_delay_ms: Option<u32>,
    /// Size of a log segment in MiB [default: 128]
    #[arg(long, env = "FRAZIL_SEGMENT_MIB", value_name = "MIB")]
    pub segment_mib: Option<u32>,
    /// How long committed records may be missing in the archive, in milliseconds [default: 60000]
    #[arg(long, env = "FRAZIL_ARCHIVE_INTERVAL_MS", value_name = "MS")]
    pub archive_interval_ms: Option<u64>,
    /// Size of an object of the archive in MiB [default: 64]
    #[arg(long, env = "FRAZIL_ARCHIVE_SEGMENT_MIB", value_name = "MIB")]
    pub archive_segment_mib: Option<u32>,
    /// How long objects stay that the archive has forgotten, in milliseconds [default: 600000]
    #[arg(long, env = "FRAZIL_ARCHIVE_DELETE_DELAY_MS", value_name = "MS")]
    pub archive_delete_delay_ms: Option<u64>,
    /// Size of the local cache of archived records in MiB [default: 1024]
    #[arg(long, env = "FRAZIL_ARCHIVE_CACHE_MIB", value_name = "MIB")]
    pub archive_cache_mib: Option<u32>,
    /// How often retention looks for records to drop, in milliseconds [default: 30000]
    #[arg(long, env = "FRAZIL_RETENTION_CHECK_MS", value_name = "MS")]
    pub retention_check_ms: Option<u64>,
    /// Whether records are acknowledged before they are durable, where a topic does not say: those of the last moments
    /// before a crash are lost then [default: false]
    #[arg(long, env = "FRAZIL_WRITE_CACHING_DEFAULT", value_name = "BOOL")]
    pub write_caching_default: Option<WriteCaching>,
    /// What is logged, in the form of RUST_LOG [default: info]
    #[arg(long, env = "FRAZIL_LOG", value_name = "FILTER")]
    pub log: Option<String>,
}

/// The settings of a node, complete and valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub data_dir: PathBuf,
    pub shards: u16,
    pub io: IoChoice,
    pub kafka_addr: SocketAddr,
    /// Host and port; port 0 stands for the one that the listener got.
    pub kafka_advertised: (String, u16),
    pub registry_addr: SocketAddr,
    pub catalog_addr: SocketAddr,
    pub admin_addr: SocketAddr,
    pub object_store: String,
    pub restore_from: Option<String>,
    pub restore_cluster: Option<Uuid>,
    pub node_id: i32,
    pub auto_create_topics: bool,
    pub default_partitions: i32,
    pub group_initial_rebalance_delay_ms: u32,
    pub segment_mib: u32,
    pub archive_interval_ms: u64,
    pub archive_segment_mib: u32,
    pub archive_delete_delay_ms: u64,
    pub archive_cache_mib: u32,
    pub retention_check_ms: u64,
    pub write_caching_default: WriteCaching,
    pub log: String,
}

impl Settings {
    /// Reads the file that `flags` name, lays the flags over it and fills in the defaults.
    pub fn load(flags: Layer) -> Result<Settings> {
        let file = match &flags.config {
            Some(path) => read(path)?,
            None => Layer::default(),
        };
        flags.over(file).complete()
    }
}

fn read(path: &Path) -> Result<Layer> {
    let text = std::fs::read_to_string(path).with_context(|| format!("the settings file {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("the settings file {}", path.display()))
}

impl Layer {
    fn over(self, below: Layer) -> Layer {
        Layer {
            config: self.config,
            data_dir: self.data_dir.or(below.data_dir),
            shards: self.shards.or(below.shards),
            io: self.io.or(below.io),
            kafka_addr: self.kafka_addr.or(below.kafka_addr),
            kafka_advertised: self.kafka_advertised.or(below.kafka_advertised),
            registry_addr: self.registry_addr.or(below.registry_addr),
            catalog_addr: self.catalog_addr.or(below.catalog_addr),
            admin_addr: self.admin_addr.or(below.admin_addr),
            object_store: self.object_store.or(below.object_store),
            restore_from: self.restore_from.or(below.restore_from),
            restore_cluster: self.restore_cluster.or(below.restore_cluster),
            node_id: self.node_id.or(below.node_id),
            auto_create_topics: self.auto_create_topics.or(below.auto_create_topics),
            default_partitions: self.default_partitions.or(below.default_partitions),
            group_initial_rebalance_delay_ms: self
                .group_initial_rebalance_delay_ms
                .or(below.group_initial_rebalance_delay_ms),
            segment_mib: self.segment_mib.or(below.segment_mib),
            archive_interval_ms: self.archive_interval_ms.or(below.archive_interval_ms),
            archive_segment_mib: self.archive_segment_mib.or(below.archive_segment_mib),
            archive_delete_delay_ms: self.archive_delete_delay_ms.or(below.archive_delete_delay_ms),
            archive_cache_mib: self.archive_cache_mib.or(below.archive_cache_mib),
            retention_check_ms: self.retention_check_ms.or(below.retention_check_ms),
            write_caching_default: self.write_caching_default.or(below.write_caching_default),
            log: self.log.or(below.log),
        }
    }

    fn complete(self) -> Result<Settings> {
        let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let data_dir = self.data_dir.unwrap_or_else(|| "./frazil-data".into());
        let kafka_addr = self.kafka_addr.unwrap_or(loopback(9092));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let shards = match self.shards {
            None | Some(0) => u16::try_from(cores).unwrap_or(SHARDS_MAX).min(SHARDS_MAX),
            Some(n) if n <= SHARDS_MAX => n,
            Some(n) => bail!("shards = {n}: a node has at most {SHARDS_MAX} shards"),
        };
        let restore_from = self.restore_from.filter(|url| !url.is_empty());
        let object_store = match self.object_store.filter(|url| !url.is_empty()).or(restore_from.clone()) {
            Some(url) if restore_from.as_ref().is_some_and(|from| *from != url) => bail!(
                "object_store = {url:?} is not what is restored from; a restored node goes on with the same store: leave \
                 object_store out, or copy the bucket first"
            ),
            Some(url) => url,
            None => data_dir.join("objects").to_string_lossy().into_owned(),
        };
        let settings = Settings {
            kafka_advertised: advertised(self.kafka_advertised.as_deref(), kafka_addr)?,
            data_dir,
            shards,
            io: self.io.unwrap_or(IoChoice::Auto),
            kafka_addr,
            registry_addr: self.registry_addr.unwrap_or(loopback(8081)),
            catalog_addr: self.catalog_addr.unwrap_or(loopback(8181)),
            admin_addr: self.admin_addr.unwrap_or(loopback(9644)),
            object_store,
            restore_from,
            restore_cluster: self.restore_cluster,
            node_id: self.node_id.unwrap_or(1),
            auto_create_topics: self.auto_create_topics.unwrap_or(true),
            default_partitions: self.default_partitions.unwrap_or(1),
            group_initial_rebalance_delay_ms: self.group_initial_rebalance_delay_ms.unwrap_or(0),
            segment_mib: self.segment_mib.unwrap_or(128),
            archive_interval_ms: self.archive_interval_ms.unwrap_or(60_000),
            archive_segment_mib: self.archive_segment_mib.unwrap_or(64),
            archive_delete_delay_ms: self.archive_delete_delay_ms.unwrap_or(600_000),
            archive_cache_mib: self.archive_cache_mib.unwrap_or(1024),
            retention_check_ms: self.retention_check_ms.unwrap_or(RETENTION_TICK_MS),
            write_caching_default: self.write_caching_default.unwrap_or(WriteCaching::False),
            log: self.log.unwrap_or_else(|| "info".into()),
        };
        settings.checked()
    }
}

impl Settings {
    fn checked(self) -> Result<Settings> {
        if self.node_id < 0 {
            bail!("node_id = {}: a broker id is 0 or more", self.node_id);
        }
        if !(1..=model::limits::PARTITIONS_PER_TOPIC_MAX).contains(&self.default_partitions) {
            let max = model::limits::PARTITIONS_PER_TOPIC_MAX;
            bail!("default_partitions = {}: a topic has 1 to {max} partitions", self.default_partitions);
        }
        if !(80..=1024).contains(&self.segment_mib) {
            bail!("segment_mib = {}: from 80 (a segment must hold the largest batch) to 1024", self.segment_mib);
        }
        if !(100..=86_400_000).contains(&self.archive_interval_ms) {
            bail!("archive_interval_ms = {}: from 100 to 86400000 (a day)", self.archive_interval_ms);
        }
        if !(1..=1024).contains(&self.archive_segment_mib) {
            bail!("archive_segment_mib = {}: from 1 to 1024", self.archive_segment_mib);
        }
        if !(100..=3_600_000).contains(&self.retention_check_ms) {
            bail!("retention_check_ms = {}: from 100 to 3600000 (an hour)", self.retention_check_ms);
        }
        Ok(self)
    }
}

fn advertised(given: Option<&str>, listener: SocketAddr) -> Result<(String, u16)> {
    match given.filter(|text| !text.is_empty()) {
        Some(text) => {
            let (host, port) =
                text.rsplit_once(':').with_context(|| format!("kafka_advertised = {text:?}: HOST:PORT is wanted"))?;
            let port = port.parse().with_context(|| format!("kafka_advertised = {text:?}: no port at its end"))?;
            Ok((host.to_owned(), port))
        }
        None if listener.ip().is_unspecified() => bail!(
            "kafka_addr = {listener} listens on every address, which clients cannot connect to by that name: \
             set kafka_advertised to HOST:PORT as clients see this machine"
        ),
        None => Ok((listener.ip().to_string(), listener.port())),
    }
}

#[cfg(test)]
mod tests;
