//! How are the effects of one round performed?

use std::collections::HashMap;
use std::ops::Range;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use model::{Error, Kind, Result, ShardId};
use uuid::Uuid;

use super::{Worker, not_open, now_ms};
use crate::archive::{Effect, Event, Place, Write};
use crate::bucket::{Bucket, Outcome};
use crate::edit::Added;
use crate::index::Held;
use crate::merge::{self, Merge};
use crate::names::{own_name, pack_name};
use crate::object::{Built, ObjectBuilder};
use crate::plan::Upload;
use crate::run::TopicRef;

/// What is asked of the log at a time.
const READ_BYTES: u64 = 4 * 1024 * 1024;
/// Ranges that are read at the same moment for a merge.
const READS_MAX: usize = 4;
/// How long a root is tried again before the round is given up (it goes on with the same root).
const WRITE_TRIES: u32 = 5;

impl Worker {
    /// Does what is to be done now; `true`: there is more.
    pub(super) async fn round(&self, due: bool) -> Result<bool> {
        let _turn = self.shard().rounds.lock().await;
        self.open().await?;
        self.shard().status().last_error = None;
        // A root whose fate is not known comes before everything else.
        self.settle().await?;
        let partitions = self.context.source.look(ShardId(self.index as u16)).await?;
        self.shard().status().bytes_at_risk = partitions.iter().map(|seen| seen.bytes).sum();
        let effects = self.apply(Event::Looked { now_ms: now_ms(), due, partitions })?;
        let outcome = self.perform(effects).await;
        // What has been uploaded counts, whatever failed afterwards.
        self.settle().await?;
        let more = outcome?;
        self.note();
        Ok(more)
    }

    fn apply(&self, event: Event) -> Result<Vec<Effect>> {
        Ok(self.shard().archive().as_mut().ok_or_else(not_open)?.apply(event))
    }

    async fn perform(&self, effects: Vec<Effect>) -> Result<bool> {
        let (mut uploads, mut merges, mut more) = (Vec::new(), Vec::new(), false);
        for effect in effects {
            match effect {
                Effect::Upload(upload) => uploads.push(upload),
                Effect::Merge(merge) => merges.push(merge),
                Effect::Advance(places) => {
                    self.context.source.advance(places).await;
                    more = true;
                }
                Effect::Report(places) => self.report(&places),
                Effect::Trim(places) => self.context.source.trim(places).await,
                Effect::Delete { id, name } => {
                    self.shard().bucket.delete(&self.shard().bucket.names.data(&name)?).await?;
                    self.apply(Event::Removed(id))?;
                }
                Effect::Clean { .. } => unreachable!("nothing was written"),
            }
        }
        let at_once = self.context.config.uploads_at_once.max(1);
        let uploads: Vec<_> = uploads.into_iter().map(|upload| self.upload(upload)).collect();
        let mut made = stream::iter(uploads).buffer_unordered(at_once);
        while let Some(outcome) = made.next().await {
            more |= outcome?;
        }
        for merge in merges {
            more |= self.merge(merge).await?;
        }
        Ok(more)
    }

    fn report(&self, places: &[Place]) {
        for Place { topic, partition, offset } in places {
            let why = format!(
                "partition {}-{partition} is archived up to offset {offset}, but its log ended below: it is not the log \
                 that was archived. Nothing of it is archived or dropped; start on an empty folder with --restore-from",
                topic.name
            );
            tracing::error!("{why}");
            self.shard().status().last_error = Some(why);
        }
    }

    /// Writes the next root if there is something to write, until it is known to be there.
    async fn settle(&self) -> Result<()> {
        let pending = self.shard().archive().as_mut().ok_or_else(not_open)?.pending(now_ms(), Uuid::new_v4());
        let Some(write) = pending else { return Ok(()) };
        self.keep_cluster().await?;
        let effects = match self.write(&write).await? {
            Outcome::Written => self.apply(Event::Written)?,
            Outcome::Fenced => {
                let shard = self.index;
                return Err(Error::fenced(format!(
                    "another process writes the archive of shard {shard}: version {} of its manifest is not ours. This \
                     node archives nothing more and keeps what it has; stop the other process, then start this one anew",
                    write.sequence
                )));
            }
        };
        self.shard().status().last_write_ms = Some(now_ms());
        for effect in effects {
            match effect {
                Effect::Advance(places) => self.context.source.advance(places).await,
                Effect::Clean { roots_below, pages } => self.clean(roots_below, pages).await?,
                other => unreachable!("not asked for after a root: {other:?}"),
            }
        }
        Ok(())
    }

    async fn write(&self, write: &Write) -> Result<Outcome> {
        let mut tries = 0;
        loop {
            match self.shard().bucket.write(write).await {
                Ok(outcome) => return Ok(outcome),
                Err(error) if tries == WRITE_TRIES || error.kind == Kind::Invalid => return Err(error),
                Err(error) => {
                    tries += 1;
                    tracing::debug!(shard = self.index, %error, "the manifest is written again");
                    tokio::time::sleep(super::PAUSE_AFTER_FAILURE * tries).await;
                }
            }
        }
    }

    /// One at a time, oldest first: an interruption leaves no hole behind which others would be forgotten.
    async fn clean(&self, roots_below: u64, pages: Vec<Uuid>) -> Result<()> {
        let bucket = &self.shard().bucket;
        if let Some(sequence) = roots_below.checked_sub(1).filter(|sequence| *sequence > 0) {
            bucket.delete(&bucket.names.root(bucket.owner.shard, sequence)).await?;
        }
        for page in pages {
            bucket.delete(&bucket.names.page(page)).await?;
        }
        Ok(())
    }

    /// Makes one object; `true`: it was full before all that was planned was in it.
    async fn upload(&self, upload: Upload) -> Result<bool> {
        let bucket = &self.shard().bucket;
        let (id, created_ms) = (Uuid::new_v4(), now_ms());
        let mut builder = ObjectBuilder::new(bucket.owner.cluster, bucket.owner.shard, id, created_ms);
        let mut more = false;
        for part in &upload.parts {
            more |= match self.fill(&mut builder, part, upload.bytes_max).await {
                Ok(more) => more,
                // Of one partition; the others have nothing to do with it.
                Err(error) if matches!(error.kind, Kind::Damaged | Kind::Missing) => {
                    tracing::error!(topic = part.topic.name, partition = part.partition, %error, "not archived");
                    self.shard().status().last_error = Some(error.message);
                    false
                }
                Err(error) => return Err(error),
            };
        }
        if builder.is_empty() {
            return Ok(false);
        }
        let name = match &upload.parts[..] {
            [one] => own_name(&one.topic.name, one.partition, one.from, id),
            _ => pack_name(bucket.owner.shard, created_ms, id),
        };
        let added = self.put(name, builder.build(), 0).await?;
        let bytes: u64 = added.runs.iter().map(|run| run.bytes).sum();
        let left = self.shard().status().bytes_at_risk.saturating_sub(bytes);
        self.shard().status().bytes_at_risk = left;
        self.apply(Event::Uploaded(added))?;
        Ok(more)
    }

    async fn fill(&self, builder: &mut ObjectBuilder, part: &crate::plan::Behind, bytes_max: u64) -> Result<bool> {
        let mut next = part.from;
        while next < part.to {
            let left = bytes_max.saturating_sub(builder.bytes());
            if left == 0 {
                return Ok(true);
            }
            let want = usize::try_from(left.min(READ_BYTES)).expect("a few MiB");
            let batches = self.context.source.read(&part.topic, part.partition, next, part.to, want).await?;
            if batches.is_empty() {
                return Ok(false);
            }
            for batch in batches {
                let header = wire::batch::BatchHeader::parse(&batch).map_err(|error| {
                    Error::damaged(format!("the log gave back no batch for {}: {error}", part.topic.name))
                })?;
                next = model::Offset(header.last_offset()).plus(1);
                builder.push(&part.topic, part.partition, batch)?;
            }
        }
        Ok(false)
    }

    async fn put(&self, name: String, built: Built, level: u8) -> Result<Added> {
        self.shard().bucket.put_object(&name, &built).await?;
        let mut status = self.shard().status();
        status.uploads += 1;
        status.uploaded_bytes += built.bytes;
        let Built { footer, bytes, crc, .. } = built;
        let (id, created_ms) = (footer.id, footer.created_ms);
        Ok(Added { id, name, bytes, created_ms, crc, level, topics: footer.topics, runs: footer.runs })
    }

    /// Makes few objects of many; `true`: there may be more to merge.
    async fn merge(&self, merge: Merge) -> Result<bool> {
        for output in &merge.outputs {
            match self.merged(output).await? {
                Some(built) => {
                    let (first, last) = (&built.footer.runs[0], &built.footer.runs[built.footer.runs.len() - 1]);
                    let one = (first.topic, first.partition) == (last.topic, last.partition);
                    let name = match one {
                        true => own_name(&built.footer.topics[0].name, first.partition, first.base, built.footer.id),
                        false => pack_name(built.footer.shard, built.footer.created_ms, built.footer.id),
                    };
                    let added = self.put(name, built, merge.level).await?;
                    self.apply(Event::Uploaded(added))?;
                }
                None => return Ok(false),
            }
        }
        self.shard().status().merges += 1;
        Ok(true)
    }

    /// `None`: an object is damaged; it is left as it is.
    async fn merged(&self, output: &[Held]) -> Result<Option<Built>> {
        let bucket = &self.shard().bucket;
        let (topics, names) = {
            let archive = self.shard().archive();
            let index = archive.as_ref().ok_or_else(not_open)?.index();
            let runs: Vec<_> = output.iter().map(|held| held.run).collect();
            let name = |id| index.object(id).map(|object| object.name.clone());
            let names: Vec<_> = merge::ranges(output).into_iter().map(|(id, r)| (id, r, name(id))).collect();
            (index.topic_refs(&runs), names)
        };
        let reads: Vec<_> = names.into_iter().map(|(id, range, name)| part_of(bucket, id, range, name)).collect();
        let mut parts: HashMap<Uuid, (u64, Bytes)> = HashMap::new();
        let mut reads = stream::iter(reads).buffered(READS_MAX);
        while let Some((id, part)) = reads.next().await {
            match part {
                Ok(part) => drop(parts.insert(id, part)),
                Err(error) if matches!(error.kind, Kind::Missing | Kind::Damaged) => {
                    tracing::error!(object = %id, %error, "an object of the archive cannot be merged");
                    self.damaged(id)?;
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
        let owner = bucket.owner;
        let mut builder = ObjectBuilder::new(owner.cluster, owner.shard, Uuid::new_v4(), now_ms());
        for held in output {
            let (start, bytes) = &parts[&held.object];
            let topic = topics.iter().find(|topic| topic.id == held.run.topic).expect("topics of all runs");
            if push_run(&mut builder, topic, held, *start, bytes).is_none() {
                tracing::error!(object = %held.object, run = ?held.run, "a run of the archive is damaged");
                self.damaged(held.object)?;
                return Ok(None);
            }
        }
        Ok(Some(builder.build()))
    }

    fn damaged(&self, object: Uuid) -> Result<()> {
        self.shard().status().last_error = Some(format!("object {object} is damaged"));
        self.apply(Event::Damaged(object)).map(drop)
    }

    /// What the round came to.
    fn note(&self) {
        let shard = self.shard();
        let archive = shard.archive();
        let Some(archive) = archive.as_ref() else { return };
        let mut status = shard.status();
        status.sequence = archive.sequence();
        status.objects = archive.index().objects().filter(|(_, object)| object.runs > 0).count();
        status.runs = archive.index().runs();
        status.bytes = archive.index().objects().map(|(_, object)| object.run_bytes).sum();
        status.requests = shard.bucket.requests.all();
    }
}

/// Bytes of an object, with the place of the first.
async fn part_of(bucket: &Bucket, id: Uuid, range: Range<u64>, name: Option<String>) -> (Uuid, Result<(u64, Bytes)>) {
    let read = async {
        let gone = || Error::missing(format!("object {id} was deleted while it was merged"));
        let path = bucket.names.data(&name.ok_or_else(gone)?)?;
        Ok((range.start, bucket.get_range(&path, range).await?))
    };
    (id, read.await)
}

/// Adds a run, read whole from `start` of its object on. `None`: its bytes are not what they should be.
fn push_run(builder: &mut ObjectBuilder, topic: &TopicRef, held: &Held, start: u64, bytes: &Bytes) -> Option<()> {
    let from = usize::try_from(held.run.position - start).ok()?;
    let to = from.checked_add(usize::try_from(held.run.bytes).ok()?)?;
    let run = (to <= bytes.len()).then(|| bytes.slice(from..to))?;
    if crc32c::crc32c(&run) != held.run.crc {
        return None;
    }
    for batch in wire::batch::split(run) {
        builder.push(topic, held.run.partition, batch.ok()?).ok()?;
    }
    Some(())
}
