//! How does an empty shard take in what an archive had of it?

use std::collections::HashSet;
use std::path::PathBuf;

use bytes::Bytes;
use corelog::{CoreLog, LogConfig};
use model::limits::{CHECKPOINT_EVERY_BYTES, UNPACKED_BATCH_BYTES_MAX};
use model::{Error, Offset, PartitionId, Result, ShardId, TopicId};
use runtime::Driver;
use uuid::Uuid;
use wire::batch::{self, BatchBuilder, Compression};

use crate::cluster::Topic;
use crate::controller::{Controller, Record};
use crate::groups::{Fact, parse_fact};
use crate::layout;
use crate::shard::LEADER_TERM;

/// Producer ids that were given out after the last archived record of the controller must not be given out again.
const PRODUCER_IDS_AHEAD: i64 = 1_000_000;

/// What a shard is told, in this order for each partition.
#[derive(Debug)]
pub enum Part {
    /// The partition goes on at `start`; records from `log_start` up to there are in the archive.
    Begins { partition: PartitionId, log_start: Offset, start: Offset },
    /// The next batch of a partition of which the log holds everything.
    Batch { partition: PartitionId, batch: Bytes },
    /// To the first shard, at the end: a topic that the controller's records may not know yet.
    Topic(Box<Topic>),
}

/// All that a shard needs to be restored.
pub struct RestoreSeed {
    pub data_dir: PathBuf,
    pub shard: ShardId,
    pub cluster: Uuid,
    pub segment_bytes: u64,
    /// Its end is the end of the work.
    pub parts: flume::Receiver<Part>,
    pub done: flume::Sender<Result<()>>,
}

/// Fills the log of one shard, which must be empty.
pub async fn restore_shard<D: Driver>(driver: D, seed: RestoreSeed) {
    let done = seed.done.clone();
    let outcome = take_in(driver, seed).await;
    // Whoever asked may have given up.
    let _ = done.try_send(outcome);
}

async fn take_in<D: Driver>(driver: D, seed: RestoreSeed) -> Result<()> {
    let config = LogConfig {
        dir: layout::shard_dir(&seed.data_dir, seed.shard),
        shard: seed.shard,
        segment_bytes: seed.segment_bytes,
        tail_cache_bytes: 0,
        checkpoint_bytes: CHECKPOINT_EVERY_BYTES,
    };
    let now_ms = driver.wall_ms();
    let log = CoreLog::open(driver, config, |_, _| {}).await?;
    if !log.partitions().is_empty() {
        return Err(Error::conflict(format!("the log of shard {} has records already", seed.shard)));
    }
    let mut known = Known::default();
    while let Ok(part) = seed.parts.recv_async().await {
        match part {
            Part::Begins { partition, log_start, start } => log.begin_at(partition, log_start, start)?,
            Part::Batch { partition, batch } => {
                if partition == PartitionId::CONTROLLER {
                    known.read(&batch)?;
                }
                append(&log, partition, batch).await?;
            }
            Part::Topic(topic) => known.topic(&topic),
        }
    }
    if seed.shard == ShardId(0) {
        let mut builder = BatchBuilder::new(Compression::None);
        known.missing(seed.cluster).iter().for_each(|record| builder.push(now_ms, None, Some(&record.encode()), &[]));
        append(&log, PartitionId::CONTROLLER, builder.build()).await?;
    }
    log.flushed().await?;
    log.close().await
}

/// The batch gets the offsets that it had: those before it are there.
async fn append<D: Driver>(log: &CoreLog<D>, partition: PartitionId, batch: Bytes) -> Result<()> {
    log.room(batch.len()).await?;
    log.append(partition, batch, LEADER_TERM).map(drop)
}

/// What the controller's records say, and what has to be added to them.
#[derive(Default)]
struct Known {
    controller: Controller,
    /// Also topics that were deleted again.
    ever: HashSet<TopicId>,
    added: Vec<Record>,
}

impl Known {
    fn read(&mut self, bytes: &Bytes) -> Result<()> {
        let damaged =
            |error: batch::BatchError| Error::damaged(format!("the archived controller's log cannot be read: {error}"));
        for record in batch::records(bytes, UNPACKED_BATCH_BYTES_MAX).map_err(damaged)?.iter() {
            let record = Record::decode(record.map_err(damaged)?.value.unwrap_or_default())?;
            if let Record::TopicCreated { id, .. } = &record {
                self.ever.insert(*id);
            }
            self.controller.apply(&record);
        }
        Ok(())
    }

    /// Adds a topic that was made after the last archived record.
    fn topic(&mut self, topic: &Topic) {
        if self.ever.contains(&topic.id) || self.controller.cluster().topic(topic.name.as_str()).is_some() {
            return;
        }
        // Partitions that were made together have numbers one behind the other.
        let mut runs: Vec<(PartitionId, Vec<ShardId>)> = Vec::new();
        for place in &topic.partitions {
            match runs.last_mut() {
                Some((first, shards)) if first.0 + shards.len() as u64 == place.id.0 => shards.push(place.shard),
                _ => runs.push((place.id, vec![place.shard])),
            }
        }
        for (number, (first_partition, shards)) in runs.into_iter().enumerate() {
            let record = match number {
                0 => Record::TopicCreated {
                    name: topic.name.clone(),
                    id: topic.id,
                    first_partition,
                    shards,
                    settings: topic.settings.clone(),
                    created_ms: topic.created_ms,
                },
                _ => Record::PartitionsAdded { id: topic.id, first_partition, shards },
            };
            self.controller.apply(&record);
            self.added.push(record);
        }
    }

    /// The records to write behind the archived ones.
    fn missing(self, cluster: Uuid) -> Vec<Record> {
        let mut records = Vec::new();
        if self.controller.cluster().id().is_nil() {
            records.push(Record::Cluster { id: cluster });
        }
        records.extend(self.added);
        records.push(Record::ProducerIds { next: self.controller.producer_next() + PRODUCER_IDS_AHEAD });
        records
    }
}

/// The offsets that a batch of `__consumer_offsets` says are committed: topic, partition, offset. What cannot be read
/// is passed over.
pub fn committed_offsets(batch: &Bytes) -> Vec<(String, i32, Offset)> {
    let Ok(records) = batch::records(batch, UNPACKED_BATCH_BYTES_MAX) else { return Vec::new() };
    let fact = |record: batch::RecordView<'_>| match parse_fact(record.key?, record.value)? {
        Fact::Offset { place: (topic, partition), offset: Some(stored), .. } => {
            Some((topic, partition, Offset(stored.offset)))
        }
        _ => None,
    };
    records.iter().map_while(Result::ok).filter_map(fact).collect()
}

#[cfg(test)]
mod tests;
