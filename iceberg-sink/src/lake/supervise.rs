//! Which topics have a worker?

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use model::{LakeMode, TopicId, TopicName};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use super::status::Board;
use super::table::sweep;
use super::worker::Worker;
use super::{LakeConfig, LakeTopic, Source};
use crate::catalog::Catalog;
use crate::commit::Owner;

/// How soon a new, changed or deleted topic is noticed.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What all workers share.
pub struct Context {
    pub source: Arc<dyn Source>,
    pub catalog: Arc<Catalog>,
    pub config: LakeConfig,
    pub board: Board,
    /// Bounds the memory of rounds, by their number.
    pub rounds: Semaphore,
}

impl Context {
    pub fn new(source: Arc<dyn Source>, catalog: Arc<Catalog>, config: LakeConfig) -> Context {
        let rounds = Semaphore::new(config.rounds_at_once.max(1));
        Context { source, catalog, config, board: Board::default(), rounds }
    }

    pub fn owner(&self, topic: &LakeTopic) -> Owner {
        Owner { topic_id: topic.id, cluster_id: self.config.cluster_id.clone(), term: self.config.term }
    }
}

/// A worker that runs.
struct Running {
    topic: LakeTopic,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Keeps one worker per topic that has a table, and drops the tables of topics that are gone, until it is stopped.
pub async fn run(context: Arc<Context>, mut stop: watch::Receiver<bool>) {
    let mut running: HashMap<TopicName, Running> = HashMap::new();
    let mut known: HashSet<TopicId> = HashSet::new();
    // At the start tables may be left of topics that were deleted while we were not there.
    let mut sweeping = true;
    loop {
        let topics = context.source.topics();
        match_workers(&context, &topics, &mut running).await;
        let now: HashSet<TopicId> = topics.iter().map(|topic| topic.id).collect();
        sweeping |= !known.is_subset(&now);
        known = now;
        if sweeping {
            match sweep(&context, &topics).await {
                Ok(()) => sweeping = false,
                Err(error) => tracing::warn!(%error, "tables of deleted topics stay for now"),
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
    }
    for (_, worker) in running {
        end(worker).await;
    }
}

/// Starts, restarts and ends workers.
async fn match_workers(context: &Arc<Context>, topics: &[LakeTopic], running: &mut HashMap<TopicName, Running>) {
    let wanted: HashMap<&TopicName, &LakeTopic> =
        topics.iter().filter(|t| t.settings.lake_mode() != LakeMode::Off).map(|t| (&t.name, t)).collect();
    let outdated: Vec<TopicName> =
        running.iter().filter(|(name, r)| wanted.get(name) != Some(&&r.topic)).map(|(name, _)| name.clone()).collect();
    for name in outdated {
        if let Some(worker) = running.remove(&name) {
            end(worker).await;
        }
        if !wanted.contains_key(&name) {
            context.board.remove(&name);
        }
    }
    for (name, topic) in wanted {
        running.entry(name.clone()).or_insert_with(|| {
            let (stop, stopped) = watch::channel(false);
            let worker = Worker::new(context.clone(), topic.clone());
            Running { topic: topic.clone(), stop, task: tokio::spawn(worker.run(stopped)) }
        });
    }
}

async fn end(worker: Running) {
    worker.stop.send_replace(true);
    if let Err(error) = worker.task.await {
        tracing::warn!(topic = %worker.topic.name, %error, "a worker did not stop cleanly");
    }
}
