//! How do the topics of a node keep their tables up to date?
//!
//! One worker per topic that has a table: at the topic's lag it reads what was committed since, of all partitions,
//! makes files of it and commits them at once. A topic without new records costs a look at its partitions, no commit.
//! Everything a worker knows comes from the head of its tables: one that fails is started anew from there.

mod name;
mod admit;
mod status;
mod verify;
mod table;
mod fill;
mod round;
mod worker;
mod supervise;
mod standing;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use model::{Error, Offset, Result, Term, TopicId, TopicName, TopicSettings};
use schema_registry::View;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

use crate::catalog::Catalog;

pub use admit::{admit_schema, admit_topic};
pub use name::{dead_letter_table, table_name};
pub use standing::{disown, standing};
pub use status::{PartitionStatus, TopicStatus};
pub use verify::{PartitionReport, Report, verify};

use supervise::Context;

/// A topic as the lake sees it; those whose mode is `off` are listed too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LakeTopic {
    pub name: TopicName,
    pub id: TopicId,
    pub partitions: i32,
    pub settings: TopicSettings,
}

/// Committed batches of one partition.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// Whole batches; the first holds the offset that was asked for, or the log's start if that is later.
    pub batches: Vec<Bytes>,
    /// Everything below is committed, and its transactions are decided.
    pub last_stable: Offset,
    pub log_start: Offset,
}

/// Where records come from, and who wants to know how far their table is.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    /// All topics. Called from the start on: a table whose topic is not listed is dropped.
    fn topics(&self) -> Vec<LakeTopic>;

    /// Whole batches below the last stable offset, from the one that holds `from`, about `bytes_max` bytes of them
    /// but at least one if there is one. An offset below the log's start is no error: `log_start` tells.
    async fn read(&self, topic: &TopicName, partition: i32, from: Offset, bytes_max: usize) -> Result<Chunk>;

    /// The table holds all records below `committed`, files hold those below `projected`.
    async fn advanced(&self, topic: &TopicName, partition: i32, committed: Offset, projected: Offset);

    /// The schemas as of now.
    fn registry(&self) -> Arc<View>;
}

/// How the lake of a node behaves.
#[derive(Debug, Clone)]
pub struct LakeConfig {
    pub cluster_id: String,
    /// Of this node's leadership; a committer with a higher one fences us.
    pub term: Term,
    /// The table of a deleted topic stays, and blocks its name, instead of being dropped.
    pub keep_tables: bool,
    /// Batch bytes after which a round ends and commits, to go on at once.
    pub round_bytes_max: usize,
    /// Rows, and about the memory of rows, after which a file is written.
    pub file_rows_max: usize,
    pub file_cost_bytes_max: u64,
    /// Topics that read or write at the same moment.
    pub rounds_at_once: usize,
}

impl LakeConfig {
    pub fn new(cluster_id: impl Into<String>, term: Term) -> LakeConfig {
        LakeConfig {
            cluster_id: cluster_id.into(),
            term,
            keep_tables: false,
            round_bytes_max: 64 * 1024 * 1024,
            file_rows_max: 500_000,
            file_cost_bytes_max: 64 * 1024 * 1024,
            rounds_at_once: 4,
        }
    }
}

/// The running lake of a node.
pub struct Lake {
    context: Arc<Context>,
    stop: watch::Sender<bool>,
    supervisor: Mutex<Option<JoinHandle<()>>>,
}

impl Lake {
    /// Starts the workers on the current tokio runtime.
    pub fn start(source: Arc<dyn Source>, catalog: Arc<Catalog>, config: LakeConfig) -> Lake {
        let context = Arc::new(Context::new(source, catalog, config));
        let (stop, stopped) = watch::channel(false);
        let supervisor = tokio::spawn(supervise::run(context.clone(), stopped));
        Lake { context, stop, supervisor: Mutex::new(Some(supervisor)) }
    }

    /// How each topic's table stands, sorted by topic.
    pub fn status(&self) -> Vec<TopicStatus> {
        self.context.board.all()
    }

    /// Reads the coordinates of all rows of a topic's tables and tells whether each offset is there exactly once.
    pub async fn verify(&self, topic: &TopicName) -> Result<Report> {
        let found = self.context.source.topics().into_iter().find(|known| known.name == *topic);
        let found = found.ok_or_else(|| Error::missing(format!("topic {topic} does not exist")))?;
        verify(&self.context.catalog, topic, &self.context.owner(&found)).await
    }

    /// Ends all workers; rounds in progress are dropped, nothing is lost by that.
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        let supervisor = self.supervisor.lock().await.take();
        if let Some(supervisor) = supervisor
            && let Err(error) = supervisor.await
        {
            tracing::warn!(%error, "the lake did not stop cleanly");
        }
    }
}

#[cfg(test)]
mod tests;
