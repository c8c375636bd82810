//! What do the shards of a node cost without all that is around them?
//!
//! The Kafka path alone: no lake, no registry, no HTTP, no lock on the data folder. It builds in minutes with all
//! optimisation, so it is what profilers look at. SIGTERM ends it.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;
use model::limits::TAIL_CACHE_BYTES;
use runtime::{ShardOptions, ShardThread, start_shard_portable, start_shard_uring};
use server::{NodeConfig, NodeHandle, ShardSeed, run_shard};
use tokio::signal::unix::{SignalKind, signal};

/// The shards of a node without lake, registry and HTTP.
#[derive(Parser)]
#[command(name = "frazil-bare", version)]
struct Cli {
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    #[arg(long, default_value = "127.0.0.1:9092", value_name = "HOST:PORT")]
    kafka_addr: SocketAddr,
    #[arg(long, default_value_t = 1, value_name = "N")]
    shards: u16,
    /// tokio and a writer thread per shard instead of io_uring
    #[arg(long)]
    portable: bool,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (node, seeds) = server::plan(config(&cli))?;
        let shards = start(&cli, seeds)?;
        node.ready().await?;
        node.serve().await?;
        println!("frazil-bare is ready on {}", cli.kafka_addr);
        let (mut term, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop(&node, shards).await
    })
}

fn config(cli: &Cli) -> NodeConfig {
    let shards = cli.shards.max(1);
    let tail_cache_bytes = TAIL_CACHE_BYTES / usize::from(shards);
    NodeConfig { shards, tail_cache_bytes, ..NodeConfig::plain(cli.data_dir.clone(), cli.kafka_addr) }
}

fn start(cli: &Cli, seeds: Vec<ShardSeed>) -> Result<Vec<ShardThread>> {
    let count = seeds.len();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let start = |seed: ShardSeed| {
        let core = (count <= cores).then_some(usize::from(seed.shard.0));
        let options = ShardOptions::new(seed.shard, core, count);
        match cli.portable {
            true => start_shard_portable(options, move |driver| run_shard(driver, seed)),
            false => start_shard_uring(options, move |driver| run_shard(driver, seed)),
        }
    };
    seeds.into_iter().map(|seed| start(seed).context("a shard cannot be started")).collect()
}

async fn stop(node: &NodeHandle, shards: Vec<ShardThread>) -> Result<()> {
    node.shutdown().await;
    shards.into_iter().try_for_each(|shard| shard.join().context("a shard did not end well"))
}
