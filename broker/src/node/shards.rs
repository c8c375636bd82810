//! On which driver do the shards run, and how do their threads end?

use anyhow::{Context, Result, bail};
use runtime::{Io, ShardOptions, ShardThread, Watchdog, probe_uring, start_shard_portable, start_shard_uring};
use server::{ShardSeed, run_shard};

use crate::settings::IoChoice;

/// The driver, and why it was chosen, to be read behind its name.
pub fn choose(choice: IoChoice) -> Result<(Io, String)> {
    match choice {
        IoChoice::Portable => Ok((Io::Portable, String::new())),
        IoChoice::Auto => Ok(match probe_uring() {
            Ok(()) => (Io::Uring, ", chosen since the kernel allows io_uring".into()),
            Err(why) => (Io::Portable, format!(", chosen since io_uring cannot be used: {why}")),
        }),
        IoChoice::Uring => match probe_uring() {
            Ok(()) => Ok((Io::Uring, String::new())),
            Err(why) => bail!("io = uring, but io_uring cannot be used: {why}; io = portable works everywhere"),
        },
    }
}

pub struct Shards {
    threads: Vec<ShardThread>,
    watchdog: Watchdog,
}

impl Shards {
    pub fn start(io: Io, seeds: Vec<ShardSeed>) -> Result<Shards> {
        let count = seeds.len();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut threads = Vec::with_capacity(count);
        for seed in seeds {
            let shard = seed.shard;
            // With more shards than cores, the kernel places them better than we can.
            let core = (count <= cores).then_some(usize::from(shard.0));
            let options = ShardOptions::new(shard, core, count);
            let thread = match io {
                Io::Uring => start_shard_uring(options, move |driver| run_shard(driver, seed)),
                Io::Portable => start_shard_portable(options, move |driver| run_shard(driver, seed)),
            };
            threads.push(thread.with_context(|| format!("shard {shard} cannot be started"))?);
        }
        let watchdog = Watchdog::start(threads.iter().map(|thread| thread.heartbeat.clone()).collect())?;
        Ok(Shards { threads, watchdog })
    }

    /// Waits until all have ended.
    pub fn join(self) -> Result<()> {
        for thread in self.threads {
            thread.join().context("a shard did not end well")?;
        }
        drop(self.watchdog);
        Ok(())
    }
}
