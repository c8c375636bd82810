//! Which node do other people's clients find when they are tried against this crate alone?
//!
//! `cargo run -p server --example node -- DIRECTORY PORT SHARDS`

use std::error::Error;
use std::sync::Arc;

use arc_swap::ArcSwap;
use model::NodeId;
use runtime::{ShardOptions, start_shard_portable};
use server::{NoHistory, NodeConfig, OpenGate, plan, run_shard};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |what: &str| arguments.next().ok_or_else(|| format!("{what} is missing: DIRECTORY PORT SHARDS"));
    let (data_dir, port, shards) = (next("DIRECTORY")?, next("PORT")?.parse()?, next("SHARDS")?.parse()?);
    tracing_subscriber::fmt().with_max_level(tracing::Level::INFO).init();
    let config = NodeConfig {
        data_dir: data_dir.into(),
        shards,
        kafka: ([127, 0, 0, 1], port).into(),
        advertised_host: "127.0.0.1".into(),
        advertised_port: port,
        node: NodeId(1),
        auto_create: true,
        partitions_default: 4,
        groups: Default::default(),
        gate: Arc::new(OpenGate),
        registry: Arc::new(ArcSwap::default()),
        segment_bytes: 16 * 1024 * 1024,
        tail_cache_bytes: 16 * 1024 * 1024,
        retention_tick_ms: model::limits::RETENTION_TICK_MS,
        archives: false,
        write_caching_default: Some(false),
        history: Arc::new(NoHistory),
    };
    let (_handle, seeds) = plan(config)?;
    let mut threads = Vec::new();
    for seed in seeds {
        let options = ShardOptions::new(seed.shard, None, usize::from(shards));
        threads.push(start_shard_portable(options, move |driver| run_shard(driver, seed))?);
    }
    for thread in threads {
        thread.join()?;
    }
    Ok(())
}
