//! What does the archive of the object store ask of the shards?

use bytes::Bytes;
use model::{Error, Frontiers, Offset, PartitionId, Result, ShardId};
use runtime::Driver;

use crate::cluster::Place;
use crate::message::{Reply, ShardMessage, Trim};
use crate::node::NodeHandle;
use crate::shard::Shard;

/// What a shard holds of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    pub frontiers: Frontiers,
    /// Bytes of its durable batches that are not archived.
    pub unarchived_bytes: u64,
}

/// One question of the archive.
pub enum Archiving {
    /// How far is each of these partitions? Those that have never had a record are empty.
    Hold { partitions: Vec<PartitionId>, reply: Reply<Vec<Held>> },
    /// Committed batches that the log holds, from the one with `from` on.
    Read { partition: PartitionId, from: Offset, bytes_max: usize, reply: Reply<Result<Vec<Bytes>>> },
    /// The archive holds all below these offsets.
    Advanced { ends: Vec<(PartitionId, Offset)> },
}

impl NodeHandle {
    pub async fn held(&self, shard: ShardId, partitions: Vec<PartitionId>) -> Result<Vec<Held>> {
        let make = |reply| ShardMessage::Archiving(Archiving::Hold { partitions, reply });
        Ok(self.node.ask(shard, make).await?)
    }

    /// Committed batches from the log of the partition's shard, at least one if there is one.
    pub async fn committed(&self, place: Place, from: Offset, bytes_max: usize) -> Result<Vec<Bytes>> {
        let partition = place.id;
        let make = |reply| ShardMessage::Archiving(Archiving::Read { partition, from, bytes_max, reply });
        self.node.ask(place.shard, make).await?
    }

    pub async fn archived(&self, shard: ShardId, ends: Vec<(PartitionId, Offset)>) -> Result<()> {
        Ok(self.node.send(shard, ShardMessage::Archiving(Archiving::Advanced { ends })).await?)
    }

    /// Deletes records, as DeleteRecords does; those that a table does not have stay.
    pub async fn delete_below(&self, place: Place, below: Offset, is_table: bool) -> Result<Offset> {
        let trims = vec![Trim { partition: place.id, below, is_table }];
        let mut starts = self.node.ask(place.shard, |reply| ShardMessage::Trim { trims, reply }).await?;
        Ok(starts.pop().ok_or_else(|| Error::unknown("one answer was expected"))??)
    }
}

impl<D: Driver> Shard<D> {
    pub async fn archiving(&self, question: Archiving) {
        // Whoever asked may have gone; nothing depends on that here.
        match question {
            Archiving::Hold { partitions, reply } => {
                let mut held = Vec::with_capacity(partitions.len());
                for partition in partitions {
                    let frontiers = self.log.frontiers(partition);
                    let from = frontiers.archived().unwrap_or(frontiers.local_start());
                    held.push(Held { frontiers, unarchived_bytes: self.log.bytes_from(partition, from) });
                    if self.driver.should_yield() {
                        self.driver.yield_now().await;
                    }
                }
                let _ = reply.try_send(held);
            }
            Archiving::Read { partition, from, bytes_max, reply } => {
                let below = self.log.frontiers(partition).high_watermark();
                let _ = reply.try_send(self.log.read(partition, from, below, bytes_max).await);
            }
            Archiving::Advanced { ends } => {
                ends.into_iter().for_each(|(partition, end)| self.log.set_archived(partition, end));
            }
        }
    }
}
