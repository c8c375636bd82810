//! How does a node archive: when does which shard have its rounds, and what if one fails?

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use model::{Error, Kind, Result, ShardId};
use objects::Objects;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::archive::{Archive, Policy};
use crate::bucket::Bucket;
use crate::cluster::Keeper;
use crate::plan::Sizes;
use crate::source::Source;
use crate::status::{ShardStatus, Status};

mod perform;
mod sweep;

/// How often it is looked whether there is enough for an object.
const LOOK_EVERY: Duration = Duration::from_millis(500);
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(15);

/// How the archive of a node behaves.
#[derive(Debug, Clone)]
pub struct ArchiverConfig {
    pub cluster: Uuid,
    pub shards: u16,
    /// What is younger may be lost with the disk.
    pub interval: Duration,
    pub segment_bytes: u64,
    /// A partition that has this much in a round gets an object of its own.
    pub own_bytes: u64,
    /// How long an object stays after the manifest has forgotten it.
    pub delete_after: Duration,
    /// How old an object must be that no manifest knows before it is removed, and how often they are looked for.
    pub orphans_after: Duration,
    /// Objects of a shard that are made at the same moment.
    pub uploads_at_once: usize,
}

/// What one shard's worker, and those who read its archive, share.
pub(crate) struct ShardArchive {
    pub bucket: Bucket,
    /// `None` until the manifest has been read.
    archive: Mutex<Option<Archive>>,
    status: Mutex<ShardStatus>,
    /// Held during a round.
    rounds: tokio::sync::Mutex<()>,
}

impl ShardArchive {
    pub fn archive(&self) -> MutexGuard<'_, Option<Archive>> {
        self.archive.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn status(&self) -> MutexGuard<'_, ShardStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The running archive of a node.
pub struct Archiver {
    pub(crate) context: Arc<Context>,
    stop: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

pub(crate) struct Context {
    pub source: Arc<dyn Source>,
    pub config: ArchiverConfig,
    pub shards: Vec<ShardArchive>,
    keeper: tokio::sync::Mutex<Option<Keeper>>,
}

impl Archiver {
    /// Starts a worker for each shard on the current tokio runtime.
    pub fn start(source: Arc<dyn Source>, objects: &Objects, config: ArchiverConfig) -> Archiver {
        let shard = |shard| ShardArchive {
            bucket: Bucket::new(objects.clone(), config.cluster, shard),
            archive: Mutex::new(None),
            status: Mutex::new(ShardStatus::new(shard)),
            rounds: tokio::sync::Mutex::new(()),
        };
        let shards = (0..config.shards).map(|n| shard(ShardId(n))).collect();
        let context = Arc::new(Context { source, config, shards, keeper: tokio::sync::Mutex::new(None) });
        let (stop, stopped) = watch::channel(false);
        let workers = (0..context.shards.len()).map(|index| {
            let worker = Worker { context: context.clone(), index, failures: 0 };
            tokio::spawn(worker.run(stopped.clone()))
        });
        let mut tasks: Vec<JoinHandle<()>> = workers.collect();
        tasks.push(tokio::spawn(sweep::run(context.clone(), stopped)));
        Archiver { context, stop, tasks: Mutex::new(tasks) }
    }

    pub fn status(&self) -> Status {
        Status { shards: self.context.shards.iter().map(|shard| shard.status().clone()).collect() }
    }

    /// Archives everything that is committed by now.
    pub async fn flush(&self) -> Result<()> {
        for index in 0..self.context.shards.len() {
            let worker = Worker { context: self.context.clone(), index, failures: 0 };
            while worker.round(true).await? {}
        }
        Ok(())
    }

    /// Removes what no manifest knows and what is older than the configured age; tells how much it was.
    pub async fn sweep(&self) -> Result<usize> {
        sweep::sweep(&self.context).await
    }

    /// Ends all workers; what they were doing is begun anew at the next start.
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            if let Err(error) = task.await {
                tracing::warn!(%error, "the archive did not stop cleanly");
            }
        }
    }
}

/// The worker of one shard.
struct Worker {
    context: Arc<Context>,
    index: usize,
    failures: u32,
}

impl Worker {
    /// Runs until it is stopped or fenced. A round that is cut off leaves objects behind that nobody needs.
    async fn run(mut self, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            () = self.rounds() => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    async fn rounds(&mut self) {
        let (mut last, mut taken) = (Instant::now(), None);
        loop {
            let due = last.elapsed() >= self.context.config.interval;
            let outcome = self.turn(due, &mut taken).await;
            let pause = match outcome {
                Ok(more) => {
                    self.failures = 0;
                    if due && !more {
                        last = Instant::now();
                    }
                    if more { Duration::ZERO } else { LOOK_EVERY.min(self.context.config.interval) }
                }
                Err(error) => {
                    tracing::warn!(shard = self.index, %error, "the archive does not move");
                    self.shard().status().failed(&error);
                    if error.kind == Kind::Fenced {
                        return;
                    }
                    self.failures += 1;
                    PAUSE_MAX.min(PAUSE_AFTER_FAILURE * 2_u32.pow(self.failures.min(8)))
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// A round, if one is due or there is enough for an object.
    async fn turn(&self, due: bool, taken: &mut Option<u64>) -> Result<bool> {
        let now = self.context.source.taken(ShardId(self.index as u16)).await?;
        let enough = taken.is_none_or(|before| now.saturating_sub(before) >= self.context.config.segment_bytes);
        if !due && !enough {
            return Ok(false);
        }
        let more = self.round(due).await?;
        *taken = Some(now);
        Ok(more)
    }

    fn shard(&self) -> &ShardArchive {
        &self.context.shards[self.index]
    }

    /// Reads the manifest, if that has not been done.
    async fn open(&self) -> Result<()> {
        let shard = self.shard();
        if shard.archive().is_some() {
            return Ok(());
        }
        let config = &self.context.config;
        let sizes = Sizes { segment_bytes: config.segment_bytes, own_bytes: config.own_bytes };
        let delete_after_ms = i64::try_from(config.delete_after.as_millis()).unwrap_or(i64::MAX);
        let policy = Policy { sizes, delete_after_ms };
        let (owner, writer) = (shard.bucket.owner, Uuid::new_v4());
        let archive = match shard.bucket.load().await? {
            Some(loaded) => Archive::loaded(owner, writer, policy, &loaded.root, loaded.index),
            None => Archive::new(owner, writer, policy),
        };
        *shard.archive() = Some(archive);
        Ok(())
    }

    /// Tells the bucket what exists, before a manifest names it.
    async fn keep_cluster(&self) -> Result<()> {
        let objects = &self.shard().bucket.objects;
        let mut keeper = self.context.keeper.lock().await;
        let keeper = match &mut *keeper {
            Some(keeper) => keeper,
            None => keeper.insert(Keeper::open(objects, self.context.config.cluster).await?),
        };
        keeper.keep(objects, self.context.source.state()).await
    }
}

pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The error for an archive whose manifest has not been read yet.
pub(crate) fn not_open() -> Error {
    Error::busy("the manifest of the archive has not been read yet; try again a little later")
}

#[cfg(test)]
mod tests;
