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
    /// So must the archive.
    is_archived: bool,
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
    fn of(topic: &Topic, archives: bool) -> Option<Policy> {
        let settings = &topic.settings;
        let (age_ms, bytes) = (settings.retention_ms(), settings.retention_bytes());
        let bounded = age_ms.is_some() || bytes.is_some();
        let drops = bounded && settings.is_deleted_by_retention() && internal::find(topic.name.as_str()).is_none();
        let is_archived = archives && settings.is_archived();
        drops.then(|| Policy { age_ms, bytes, is_table: topic.is_table(), is_archived })
    }

    /// How much of what is archived stays in the log as well; `None` where all of it does. Internal topics are read
    /// whole from the log at the start.
    fn local(topic: &Topic, archives: bool) -> Option<Policy> {
        let settings = &topic.settings;
        let (age_ms, bytes) = (settings.local_retention_ms(), settings.local_retention_bytes());
        let bounded = age_ms.is_some() || bytes.is_some();
        let drops = archives && bounded && settings.is_archived() && internal::find(topic.name.as_str()).is_none();
        drops.then(|| Policy { age_ms, bytes, is_table: topic.is_table(), is_archived: true })
    }
}

/// The new start for consumers; `None` if it stays.
fn new_start(facts: &Facts, policy: Policy) -> Option<Offset> {
    let frontiers = facts.frontiers;
    // The age of what the archive alone has is the archive's to know.
    let too_old = facts.too_old.filter(|_| frontiers.local_start() == frontiers.log_start());
    allowed(too_old.max(facts.too_much)?, frontiers, policy).filter(|start| *start > frontiers.log_start())
}

/// How far records may go of those below `wanted`; `None` while that is not known.
fn allowed(wanted: Offset, frontiers: Frontiers, policy: Policy) -> Option<Offset> {
    let wanted = wanted.min(frontiers.last_stable());
    // After a start it is not known how far table and archive have come, until they tell.
    let in_table = if policy.is_table { frontiers.lake_committed()? } else { wanted };
    let in_archive = if policy.is_archived { frontiers.archived()? } else { wanted };
    Some(wanted.min(in_table).min(in_archive))
}

/// The new start of the log, behind records that are kept elsewhere; `None` if it stays.
fn new_local_start(facts: &Facts, policy: Policy) -> Option<Offset> {
    let frontiers = facts.frontiers;
    allowed(facts.too_old.max(facts.too_much)?, frontiers, policy).filter(|start| *start > frontiers.local_start())
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
        let archives = self.node.config.archives;
        for topic in cluster.topics() {
            let (policy, local) = (Policy::of(topic, archives), Policy::local(topic, archives));
            for place in topic.partitions.iter().filter(|place| place.shard == self.id) {
                if self.log.fenced().is_some() {
                    return;
                }
                if let Some(policy) = policy
                    && let Some(start) = new_start(&self.facts(place.id, policy, now_ms), policy)
                {
                    tracing::debug!(topic = %topic.name, partition = %place.id, %start, "retention drops records");
                    self.log.set_log_start(place.id, start);
                }
                if let Some(local) = local
                    && let Some(start) = new_local_start(&self.facts(place.id, local, now_ms), local)
                {
                    tracing::debug!(topic = %topic.name, partition = %place.id, %start, "the archive alone keeps records");
                    self.log.set_local_start(place.id, start);
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
