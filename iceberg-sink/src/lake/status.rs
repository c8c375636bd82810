//! How does each topic's table stand?

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use model::{Error, Offset, TopicName};
use serde::Serialize;

use crate::commit::Ledger;

/// What `frazil lake status` shows of a topic.
#[derive(Debug, Clone, Default, Serialize)]
pub struct TopicStatus {
    pub topic: String,
    /// `namespace.table`
    pub table: String,
    pub partitions: Vec<PartitionStatus>,
    /// Records that are committed in the log and not in the table, over all partitions.
    pub lag_records: i64,
    pub dead_letters: u64,
    /// Commits since the node started.
    pub commits: u64,
    /// Milliseconds since 1970 of the last one.
    pub last_commit_ms: Option<u64>,
    /// Why the table does not move, and what to do; none while it does.
    pub last_error: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct PartitionStatus {
    pub partition: i32,
    /// The first offset that is not in the table.
    pub committed: Offset,
    /// The first offset that is not committed in the log, when it was last looked at.
    pub last_stable: Offset,
}

/// The status of all topics, written by their workers.
#[derive(Debug, Default)]
pub struct Board(Mutex<BTreeMap<TopicName, TopicStatus>>);

impl Board {
    pub fn all(&self) -> Vec<TopicStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub fn remove(&self, topic: &TopicName) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(topic);
    }

    /// Changes the status of a topic, which is made if there is none.
    pub fn with<R>(&self, topic: &TopicName, change: impl FnOnce(&mut TopicStatus) -> R) -> R {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let status = all.entry(topic.clone()).or_default();
        status.topic = topic.to_string();
        change(status)
    }
}

impl TopicStatus {
    pub fn failed(&mut self, error: &Error) {
        self.last_error = Some(error.message.clone());
    }

    /// Where the table is, and how far the log is as far as it was looked at.
    pub fn at(&mut self, partitions: i32, ledger: &Ledger, stable: &BTreeMap<i32, Offset>) {
        let at = |partition| {
            let committed = ledger.next_of(partition);
            let last_stable = stable.get(&partition).copied().unwrap_or(committed).max(committed);
            PartitionStatus { partition, committed, last_stable }
        };
        self.partitions = (0..partitions).map(at).collect();
        self.count_lag();
    }

    /// Where some partitions are while the table does not move; the others stay as they were noted.
    pub fn stands(&mut self, seen: Vec<PartitionStatus>) {
        self.partitions.retain(|noted| seen.iter().all(|seen| seen.partition != noted.partition));
        self.partitions.extend(seen);
        self.partitions.sort_by_key(|status| status.partition);
        self.count_lag();
    }

    fn count_lag(&mut self) {
        self.lag_records = self.partitions.iter().map(|p| p.last_stable.0 - p.committed.0).sum();
    }
}
