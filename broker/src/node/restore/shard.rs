//! How are the logs of all shards filled at the same time?

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use model::ShardId;
use runtime::{ShardOptions, ShardThread, start_shard_portable};
use server::{Part, RestoreSeed, restore_shard};
use tiered::source::ClusterState;

/// What one shard may be behind.
const PARTS_WAITING_MAX: usize = 64;

/// One thread per shard, each with a log of its own below a folder.
pub struct Shards {
    parts: Vec<flume::Sender<Part>>,
    done: Vec<flume::Receiver<model::Result<()>>>,
    threads: Vec<ShardThread>,
}

impl Shards {
    pub fn start(folder: &Path, state: &ClusterState, segment_bytes: u64) -> Result<Shards> {
        let mut shards = Shards { parts: Vec::new(), done: Vec::new(), threads: Vec::new() };
        for shard in (0..state.shards).map(ShardId) {
            let (part, parts) = flume::bounded(PARTS_WAITING_MAX);
            let (done, outcome) = flume::bounded(1);
            std::fs::create_dir_all(server::shard_dir(folder, shard))?;
            let (data_dir, cluster) = (folder.to_owned(), state.cluster);
            let seed = RestoreSeed { data_dir, shard, cluster, segment_bytes, parts, done };
            let options = ShardOptions::new(shard, None, usize::from(state.shards));
            let thread = start_shard_portable(options, move |driver| restore_shard(driver, seed));
            shards.threads.push(thread.with_context(|| format!("shard {shard} cannot be restored"))?);
            shards.parts.push(part);
            shards.done.push(outcome);
        }
        Ok(shards)
    }

    /// Waits for room only.
    pub async fn send(&self, shard: ShardId, part: Part) -> Result<()> {
        let parts = self.parts.get(usize::from(shard.0)).with_context(|| format!("there is no shard {shard}"))?;
        parts.send_async(part).await.map_err(|_| anyhow!("shard {shard} has given up"))
    }

    /// Waits until all logs are complete and closed.
    pub async fn finish(self) -> Result<()> {
        drop(self.parts);
        for done in self.done {
            done.recv_async().await.context("a shard ended before it was restored")??;
        }
        let join = || self.threads.into_iter().try_for_each(|thread| thread.join());
        Ok(tokio::task::spawn_blocking(join).await??)
    }
}
