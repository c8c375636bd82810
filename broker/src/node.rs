//! How is a node put together, started and stopped?

mod archive;
mod gate;
mod lock;
mod ports;
mod registry;
mod restore;
mod shards;
mod source;
mod tables;

pub use gate::Gate;
pub use registry::RegistryService;

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use arc_swap::ArcSwap;
use iceberg_sink::catalog::Catalog;
use iceberg_sink::lake::{Lake, LakeConfig};
use model::limits::TAIL_CACHE_BYTES;
use model::{NodeId, Term};
use objects::Objects;
use query::Sql;
use runtime::Io;
use server::groups::GroupSettings;
use server::{NodeConfig, NodeHandle};
use tiered::Archiver;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

use crate::http;
use crate::settings::{Layer, Settings};

/// How long a stop may take before the process ends anyway.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// `frazil start`: runs until SIGTERM or Ctrl-C.
pub fn start(flags: Layer) -> Result<()> {
    let settings = Settings::load(flags)?;
    init_log(&settings.log)?;
    background()?.block_on(async {
        let node = Node::launch(settings).await?;
        println!("{}", node.report());
        let (mut term, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
        node.stop().await
    })
}

/// Log lines go to the standard error; the standard output is for answers.
pub fn init_log(filter: &str) -> Result<()> {
    let filter = EnvFilter::try_new(filter).with_context(|| format!("log = {filter:?}: no such filter"))?;
    let colours = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    log.try_init().map_err(|error| anyhow::anyhow!("the log cannot be set up: {error}"))
}

/// The runtime for everything that is not a shard: HTTP, object storage, commits, SQL.
pub fn background() -> Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(cores()).enable_all().build();
    runtime.context("the background threads cannot be started")
}

/// Says soon what the first commit would find out later. A store that is away keeps nobody from producing.
async fn check_store(objects: Objects) {
    if let Err(error) = objects.check().await {
        tracing::error!(store = objects.root(), %error, "the object store cannot be used for now");
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 16)
}

/// A running node.
pub struct Node {
    pub settings: Settings,
    pub addresses: Addresses,
    handle: NodeHandle,
    io: (Io, String),
    lake: Arc<Lake>,
    archiver: Arc<Archiver>,
    shards: shards::Shards,
    stop: watch::Sender<bool>,
    servers: Vec<tokio::task::JoinHandle<std::io::Result<()>>>,
    _lock: lock::DataLock,
}

/// Where a node listens; a port that was 0 in the settings is the one it got.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    pub kafka: SocketAddr,
    pub registry: SocketAddr,
    pub catalog: SocketAddr,
    pub admin: SocketAddr,
}

impl Node {
    pub async fn launch(mut settings: Settings) -> Result<Node> {
        let lock = lock::DataLock::take(&settings.data_dir)?;
        let listeners = ports::Listeners::bind(&settings)?;
        let objects = Objects::open(&settings.object_store)
            .with_context(|| format!("object_store = {:?}", settings.object_store))?;
        tokio::spawn(check_store(objects.clone()));
        let catalog = Arc::new(Catalog::new(objects.clone(), query::NAMESPACE)?);
        if settings.restore_from.is_some() {
            restore::restore(&mut settings, &objects, &catalog).await?;
        }
        let view = Arc::new(ArcSwap::from_pointee(schema_registry::View::default()));
        let history = Arc::new(archive::HistoryPort::default());
        let config = node_config(&settings, &listeners, view.clone(), history.clone());
        let (handle, seeds) = server::plan(config)?;
        let io = shards::choose(settings.io)?;
        let shards = shards::Shards::start(io.0, seeds)?;
        handle.ready().await?;

        let registry = Arc::new(RegistryService::load(handle.clone(), view.clone()).await?);
        let archiver = archive::start(&settings, &handle, &objects, &history)?;
        handle.serve().await?;
        let source = Arc::new(source::NodeSource::new(handle.clone(), view));
        // One node leads for as long as its process lives; elections come with replication.
        let config = LakeConfig::new(handle.cluster().id().to_string(), Term(1));
        let lake = Arc::new(Lake::start(source, catalog.clone(), config));
        let sql = Arc::new(Sql::new(Arc::new(tables::CatalogTables(catalog.clone())), objects, cores())?);

        let (stop, stopping) = watch::channel(false);
        let addresses = listeners.addresses;
        let admin = http::admin::Admin {
            node: handle.clone(),
            lake: lake.clone(),
            archiver: archiver.clone(),
            sql,
            stopping: stopping.clone(),
        };
        let servers = vec![
            http::serve(listeners.registry, http::registry::router(registry), stopped(stopping.clone()))?,
            http::serve(listeners.catalog, http::catalog::router(catalog), stopped(stopping.clone()))?,
            http::serve(listeners.admin, http::admin::router(admin), stopped(stopping))?,
        ];
        Ok(Node { settings, addresses, handle, io, lake, archiver, shards, stop, servers, _lock: lock })
    }

    /// What somebody who just started it wants to know.
    pub fn report(&self) -> String {
        let (driver, why) = match &self.io {
            (Io::Uring, why) => ("uring", why),
            (Io::Portable, why) => ("portable", why),
        };
        let Addresses { kafka, registry, catalog, admin } = self.addresses;
        let (host, port) = &self.settings.kafka_advertised;
        let port = if *port == 0 { kafka.port() } else { *port };
        format!(
            "frazil {version} is ready\n  \
             kafka            {kafka} (clients connect to {host}:{port})\n  \
             schema registry  http://{registry}\n  \
             iceberg catalog  http://{catalog}\n  \
             admin, SQL       http://{admin}\n  \
             data             {data}\n  \
             object store     {store}\n  \
             shards           {shards} on {driver}{why}",
            version = env!("CARGO_PKG_VERSION"),
            data = self.settings.data_dir.display(),
            store = self.settings.object_store,
            shards = self.settings.shards,
        )
    }

    /// Stops in the order of the data: no new requests, the tables, then the logs.
    pub async fn stop(self) -> Result<()> {
        let _ = self.stop.send(true);
        let stopping = async {
            self.archiver.stop().await;
            self.lake.stop().await;
            self.handle.shutdown().await;
            tokio::task::spawn_blocking(move || self.shards.join()).await?
        };
        let stopped = tokio::time::timeout(STOP_TIMEOUT, stopping).await;
        for server in self.servers {
            server.abort();
        }
        match stopped {
            Ok(outcome) => outcome,
            Err(_) => anyhow::bail!(
                "the node did not stop within {} s; nothing acknowledged is lost, but the next start reads more",
                STOP_TIMEOUT.as_secs()
            ),
        }
    }
}

async fn stopped(mut stopping: watch::Receiver<bool>) {
    // An error means that the node is gone, which is a stop as well.
    let _ = stopping.wait_for(|stop| *stop).await;
}

fn node_config(
    settings: &Settings,
    listeners: &ports::Listeners,
    view: Arc<ArcSwap<schema_registry::View>>,
    history: Arc<archive::HistoryPort>,
) -> NodeConfig {
    let (advertised_host, advertised_port) = settings.kafka_advertised.clone();
    NodeConfig {
        data_dir: settings.data_dir.clone(),
        shards: settings.shards,
        kafka: listeners.addresses.kafka,
        advertised_host,
        advertised_port: if advertised_port == 0 { listeners.addresses.kafka.port() } else { advertised_port },
        node: NodeId(settings.node_id),
        auto_create: settings.auto_create_topics,
        partitions_default: settings.default_partitions,
        groups: GroupSettings {
            initial_rebalance_delay_ms: settings.group_initial_rebalance_delay_ms.into(),
            ..GroupSettings::default()
        },
        gate: Arc::new(Gate::new(view.clone())),
        registry: view,
        segment_bytes: u64::from(settings.segment_mib) << 20,
        tail_cache_bytes: TAIL_CACHE_BYTES / usize::from(settings.shards).max(1),
        retention_tick_ms: settings.retention_check_ms,
        archives: true,
        history,
        write_caching_default: settings.write_caching_default.for_topics(),
    }
}
