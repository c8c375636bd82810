//! What does an archive hold of a cluster, for a node that has nothing but the bucket?

use bytes::Bytes;
use model::{Error, Offset, Result, ShardId, TopicId};
use objects::Objects;
use uuid::Uuid;
use wire::batch::{self, BatchHeader};

use crate::bucket::Bucket;
use crate::cluster;
use crate::index::{Held, Index, Part};
use crate::names::clusters_in;
use crate::source::ClusterState;

/// The newest manifests of all shards of a cluster, and its state.
#[derive(Debug)]
pub struct Holdings {
    pub state: ClusterState,
    shards: Vec<(Bucket, Index)>,
}

impl Holdings {
    /// Reads the manifests of a cluster, or of the only one in the bucket.
    pub async fn load(objects: &Objects, cluster: Option<Uuid>) -> Result<Holdings> {
        let id = match cluster {
            Some(id) => id,
            None => only_one(objects).await?,
        };
        let (_, state) = cluster::load(objects, id).await?.ok_or_else(|| {
            Error::missing(format!("{} holds no archive of cluster {id}; check URL and cluster", objects.root()))
        })?;
        let mut shards = Vec::new();
        for shard in (0..state.shards).map(ShardId) {
            let bucket = Bucket::new(objects.clone(), id, shard);
            let index = bucket.load().await?.map(|loaded| loaded.index).unwrap_or_default();
            shards.push((bucket, index));
        }
        Ok(Holdings { state, shards })
    }

    /// What is archived of a partition; `None`: nothing.
    pub fn part(&self, topic: TopicId, partition: i32) -> Option<&Part> {
        self.shards.iter().find_map(|(_, index)| index.part(topic, partition))
    }

    /// The batches of one run, checked.
    pub async fn batches(&self, held: &Held) -> Result<Vec<Bytes>> {
        let (bucket, object) = self
            .shards
            .iter()
            .find_map(|(bucket, index)| Some((bucket, index.object(held.object)?)))
            .ok_or_else(|| Error::missing(format!("no manifest names object {}", held.object)))?;
        let (path, run) = (bucket.names.data(&object.name)?, held.run);
        let bytes = bucket.get_range(&path, run.position..run.position + run.bytes).await?;
        let damaged = |why: &str| {
            Error::damaged(format!(
                "offsets {} to {} of partition {} of topic {} cannot be restored: {why} in object '{path}'; bring the \
                 object back from a copy",
                run.base,
                run.next.0 - 1,
                run.partition,
                run.topic
            ))
        };
        if crc32c::crc32c(&bytes) != run.crc {
            return Err(damaged("the CRC-32C is wrong"));
        }
        split(bytes, run.base).ok_or_else(|| damaged("the batches do not follow one another"))
    }
}

/// The batches of a run that begins at `base`; `None` if they are none.
fn split(mut bytes: Bytes, base: Offset) -> Option<Vec<Bytes>> {
    let (mut batches, mut next) = (Vec::new(), base);
    while !bytes.is_empty() {
        let header = BatchHeader::parse(&bytes).ok()?;
        if header.total_bytes() > bytes.len() || header.base_offset != next.0 {
            return None;
        }
        let batch = bytes.split_to(header.total_bytes());
        batch::check(&batch).ok()?;
        next = Offset(header.last_offset()).plus(1);
        batches.push(batch);
    }
    Some(batches)
}

async fn only_one(objects: &Objects) -> Result<Uuid> {
    let found = clusters_in(objects).await?;
    match found.as_slice() {
        [one] => Ok(*one),
        [] => Err(Error::missing(format!("{} holds no archive; check the URL and its prefix", objects.root()))),
        several => {
            let list: Vec<String> = several.iter().map(Uuid::to_string).collect();
            Err(Error::invalid(format!(
                "{} holds the archives of several clusters; say which one with --restore-cluster: {}",
                objects.root(),
                list.join(", ")
            )))
        }
    }
}
