//! Which records of a partition are kept no longer?

use std::rc::Rc;

use model::{Frontiers, Offset, PartitionId, Timestamp};
use runtime::Driver;

use crate::cluster::Topic;
use crate::internal;
use crate::shard::Shard;

/// What a topic's settings say about the age and size of its partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Policy {
    /// `None` keeps records of any age.
    age_ms: Option<i64>,
    /// Bytes of a partition that are kept; `None` keeps all.
    bytes: Option<u64>,
    /// The table must have a record before it may go.
    is_table: bool,
}

/// What retention has to know about a partition.
#[derive(Debug, Clone, Copy)]
struct Facts {
    frontiers: Frontiers,
    /// Behind the batches that are too old.
    too_old: Option<Offset>,
    /// Behind the batches that are too much.
    too_much: Option<Offset>,
}

impl Policy {
    /// `None`: nothing is ever dropped.
    fn of(topic: &Topic) -> Option<Policy> {
        let settings = &topic.settings;
        let (age_ms, bytes) = (settings.retention_ms(), settings.retention_bytes());
        let bounded = age_ms.is_some() || bytes.is_some();
        let drops = bounded && settings.is_deleted_by_retention() && internal::find(topic.name.as_str()).is_none();
        drops.then(|| Policy { age_ms, bytes, is_table: topic.is_table() })
    }
}

/// The new log start; `None` if it stays.
fn new_start(facts: &Facts, is_table: bool) -> Option<Offset> {
    let Facts { frontiers, too_old, too_much } = facts;
    let wanted = (*too_old).max(*too_much)?.min(frontiers.last_stable());
    // After a start it is not known how far the table has come, until the lake tells.
    let allowed = if is_table { frontiers.lake_committed()?.min(wanted) } else { wanted };
    (allowed > frontiers.log_start()).then_some(allowed)
}

impl<D: Driver> Shard<D> {
    /// Drops what is too old or too much, in all partitions of this shard, for ever.
    pub async fn retain(self: Rc<Self>) {
        loop {
            self.driver.sleep_until(self.driver.now().plus_ms(self.node.config.retention_tick_ms)).await;
            self.retain_once().await;
        }
    }

    async fn retain_once(&self) {
        let cluster = self.node.cluster();
        let now_ms = self.driver.wall_ms();
        for topic in cluster.topics() {
            let Some(policy) = Policy::of(topic) else { continue };
            for place in topic.partitions.iter().filter(|place| place.shard == self.id) {
                if self.log.fenced().is_some() {
                    return;
                }
                if let Some(start) = new_start(&self.facts(place.id, policy, now_ms), policy.is_table) {
                    tracing::debug!(topic = %topic.name, partition = %place.id, %start, "retention drops records");
                    self.log.set_log_start(place.id, start);
                }
                if self.driver.should_yield() {
                    self.driver.yield_now().await;
                }
            }
        }
    }

    fn facts(&self, partition: PartitionId, policy: Policy, now_ms: i64) -> Facts {
        let oldest = |age_ms| Timestamp(now_ms.saturating_sub(age_ms));
        Facts {
            frontiers: self.log.frontiers(partition),
            too_old: policy.age_ms.and_then(|age_ms| self.log.older(partition, oldest(age_ms))),
            too_much: policy.bytes.and_then(|bytes| self.log.beyond(partition, bytes)),
        }
    }
}

#[cfg(test)]
mod tests;
