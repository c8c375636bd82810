//! What lies in the bucket that no manifest knows?
//!
//! Left behind by uploads whose root was never written. The bucket is listed for this only.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use model::{Error, Result};
use objects::ObjectMeta;
use tokio::sync::watch;
use uuid::Uuid;

use super::{Context, not_open, now_ms};
use crate::bucket::Bucket;
use crate::names::id_of;

/// The least time between two sweeps.
const EVERY_MIN: Duration = Duration::from_secs(600);

pub async fn run(context: Arc<Context>, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(context.config.orphans_after.max(EVERY_MIN)) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        tokio::select! {
            outcome = sweep(&context) => match outcome {
                Ok(removed) => tracing::debug!(removed, "the bucket was searched for what nobody needs"),
                Err(error) => tracing::warn!(%error, "the bucket was not searched for what nobody needs"),
            },
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// Removes orphans; tells how many there were.
pub async fn sweep(context: &Context) -> Result<usize> {
    let bucket = &context.shards.first().ok_or_else(not_open)?.bucket;
    // Listed first: what is uploaded after that is not in the list, what was before is known or in no root yet.
    let mut listed = bucket.objects.list(&bucket.names.all_data()).await?;
    listed.extend(bucket.objects.list(&bucket.names.pages()).await?);
    let mut known = HashSet::new();
    for shard in &context.shards {
        let archive = shard.archive();
        let archive = archive.as_ref().ok_or_else(not_open)?;
        if shard.status().fenced {
            return Err(taken_over());
        }
        known.extend(archive.index().objects().map(|(id, _)| id));
        known.extend(archive.pages());
        known.extend(archive.unnamed());
    }
    for shard in &context.shards {
        let sequence = shard.archive().as_ref().ok_or_else(not_open)?.sequence();
        still_ours(&shard.bucket, sequence).await?;
    }
    let age_ms = i64::try_from(context.config.orphans_after.as_millis()).unwrap_or(i64::MAX);
    let orphans: Vec<ObjectMeta> = orphans(listed, &known, now_ms().saturating_sub(age_ms));
    for orphan in &orphans {
        tracing::info!(path = %orphan.location, "no manifest knows this object; it is removed");
        bucket.delete(&orphan.location).await?;
    }
    Ok(orphans.len())
}

/// A process that wrote nothing for a while does not know yet that another one has taken over.
async fn still_ours(bucket: &Bucket, sequence: u64) -> Result<()> {
    let newest = bucket.newest((sequence > 0).then_some(sequence)).await?;
    match newest.map_or(0, |root| root.sequence) == sequence {
        true => Ok(()),
        false => Err(taken_over()),
    }
}

fn taken_over() -> Error {
    Error::fenced("another process writes this archive; nothing is removed")
}

/// What was written up to `before_ms` and is not known. Things with other names are not ours.
fn orphans(listed: Vec<ObjectMeta>, known: &HashSet<Uuid>, before_ms: i64) -> Vec<ObjectMeta> {
    let is_orphan = |object: &ObjectMeta| {
        let id = id_of(&object.location);
        id.is_some_and(|id| !known.contains(&id)) && object.last_modified.timestamp_millis() <= before_ms
    };
    listed.into_iter().filter(is_orphan).collect()
}
