//! How do archived records come back?

mod fetch;
mod piece;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use model::limits::UNPACKED_BATCH_BYTES_MAX;
use model::{Error, Offset, Result, Timestamp, TopicId};
use uuid::Uuid;

use crate::archive::Archive;
use crate::bucket::Bucket;
use crate::cache::ChunkCache;
use crate::index::Held;
use crate::object::Footer;
use crate::worker::{Archiver, Context, not_open};
use piece::{Piece, Taken};

/// Pieces of one read that are fetched at the same moment.
const PIECES_AT_ONCE: usize = 4;
/// Runs that one read touches.
const PIECES_MAX: usize = 32;
/// What a search by time reads at a time.
const SEARCH_BYTES: u64 = 512 * 1024;
/// Marks of a run are looked up from this size on; a smaller one is read from its beginning.
const MARKED_BYTES: u64 = 512 * 1024;
/// Footers kept in memory, as they lie in the bucket.
const FOOTER_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Two reads of one chunk at the same moment wait for each other, by its number modulo this.
const STRIPES: usize = 64;
/// Largest timestamps of runs that are tried in the search for the newest record.
const NEWEST_TRIES: usize = 8;

/// Reads what is archived. Clones share footers and cache.
#[derive(Clone)]
pub struct History {
    inner: Arc<Inner>,
}

struct Inner {
    context: Arc<Context>,
    cache: ChunkCache,
    footers: Mutex<Footers>,
    stripes: Vec<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct Footers {
    known: HashMap<Uuid, (Arc<Footer>, usize)>,
    order: VecDeque<Uuid>,
    bytes: usize,
}

/// A run with all that is needed to read it.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub held: Held,
    pub name: String,
    /// Of the object.
    pub object_bytes: u64,
    pub shard: usize,
}

impl History {
    pub fn over(archiver: &Archiver, cache: ChunkCache) -> History {
        let stripes = (0..STRIPES).map(|_| tokio::sync::Mutex::default()).collect();
        let (context, footers) = (archiver.context.clone(), Mutex::default());
        History { inner: Arc::new(Inner { context, cache, footers, stripes }) }
    }

    /// Whole batches without a gap, first the one that holds `from`, about `bytes_max` bytes but at least one.
    /// `Missing`: the archive does not have it; `Damaged`: exactly the offsets that cannot be read are named.
    pub async fn read(&self, topic: TopicId, partition: i32, from: Offset, bytes_max: usize) -> Result<Vec<Bytes>> {
        let bytes_max = (bytes_max as u64).max(1);
        let pieces = self.pieces(topic, partition, from, bytes_max).await?;
        let fetches: Vec<_> = pieces.into_iter().map(|piece| self.take(piece)).collect();
        let mut taken = stream::iter(fetches).buffered(PIECES_AT_ONCE);
        let (mut batches, mut bytes) = (Vec::new(), 0);
        while let Some(outcome) = taken.next().await {
            let Taken { batches: more, error, is_whole } = match outcome {
                Ok(taken) => taken,
                Err(error) if batches.is_empty() => return Err(error),
                Err(_) => break,
            };
            for batch in more {
                if bytes + batch.len() as u64 > bytes_max && !batches.is_empty() {
                    return Ok(batches);
                }
                bytes += batch.len() as u64;
                batches.push(batch);
            }
            match error {
                Some(error) if batches.is_empty() => return Err(error),
                Some(_) => break,
                None if !is_whole => break,
                None => {}
            }
        }
        Ok(batches)
    }

    /// The first record from `from` on with a timestamp of at least `at`.
    pub async fn offset_for_time(
        &self,
        topic: TopicId,
        partition: i32,
        from: Offset,
        at: Timestamp,
    ) -> Result<Option<(Offset, Timestamp)>> {
        let mut next = from;
        loop {
            let reaching = |archive: &Archive| Some(*archive.index().part(topic, partition)?.reaching(next, at)?);
            let Some(found) = self.find(topic, partition, reaching)? else { return Ok(None) };
            if let Some(record) = self.search(&found, from, at).await? {
                return Ok(Some(record));
            }
            // Its largest timestamp is not that of a record, or of one before `from`.
            next = found.held.run.next;
        }
    }

    /// The record from `from` on with the largest timestamp, the first of them.
    pub async fn newest(&self, topic: TopicId, partition: i32, from: Offset) -> Result<Option<(Offset, Timestamp)>> {
        let times: BTreeSet<Timestamp> = {
            let archives = self.inner.context.shards.iter();
            let times = archives.flat_map(|shard| {
                let archive = shard.archive();
                let part = archive.as_ref().and_then(|archive| archive.index().part(topic, partition));
                let runs = part.map(|part| part.runs()).unwrap_or_default();
                runs.iter().filter(|held| held.run.next > from).map(|held| held.run.max_time).collect::<Vec<_>>()
            });
            times.collect()
        };
        for time in times.into_iter().rev().take(NEWEST_TRIES) {
            if let Some(found) = self.offset_for_time(topic, partition, from, time).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Asks the archives of all shards; a partition is in one of them.
    fn find(&self, topic: TopicId, partition: i32, ask: impl Fn(&Archive) -> Option<Held>) -> Result<Option<Found>> {
        let mut is_open = true;
        for (shard, archive) in self.inner.context.shards.iter().enumerate() {
            let archive = archive.archive();
            let Some(archive) = archive.as_ref() else {
                is_open = false;
                continue;
            };
            if archive.index().part(topic, partition).is_some() {
                let Some(held) = ask(archive) else { return Ok(None) };
                let object = archive.index().object(held.object).expect("runs lie in objects that are known");
                let (name, object_bytes) = (object.name.clone(), object.bytes);
                return Ok(Some(Found { held, name, object_bytes, shard }));
            }
        }
        if is_open { Ok(None) } else { Err(not_open()) }
    }

    /// What to read, run by run.
    async fn pieces(&self, topic: TopicId, partition: i32, from: Offset, bytes_max: u64) -> Result<Vec<Piece>> {
        let (mut pieces, mut bytes, mut next) = (Vec::new(), 0, from);
        while bytes < bytes_max && pieces.len() < PIECES_MAX {
            let at = |archive: &Archive| Some(*archive.index().part(topic, partition)?.at(next)?);
            let Some(found) = self.find(topic, partition, at)? else { break };
            let run = found.held.run;
            if run.base > next && !pieces.is_empty() {
                break;
            }
            let start = match pieces.is_empty() {
                true => self.place_of(&found, from).await?,
                false => (run.position, run.base),
            };
            let end = (run.position + run.bytes).min(start.0 + (bytes_max - bytes));
            bytes += end - start.0;
            next = run.next;
            pieces.push(Piece { found, start: start.0, expected: start.1, end, from: from.max(run.base) });
        }
        match pieces.is_empty() {
            true => Err(Error::missing(format!(
                "the archive has no offset {from} of partition {partition} of topic {topic}"
            ))),
            false => Ok(pieces),
        }
    }

    /// The last place in a run before an offset where a batch is known to begin, and that batch's first offset.
    async fn place_of(&self, found: &Found, offset: Offset) -> Result<(u64, Offset)> {
        let run = found.held.run;
        if run.bytes < MARKED_BYTES {
            return Ok((run.position, run.base));
        }
        let footer = self.footer(found).await?;
        let marks = footer.marks_at(run.position).unwrap_or_default();
        let after = marks.partition_point(|mark| mark.offset <= offset);
        Ok(after.checked_sub(1).map_or((run.position, run.base), |at| (marks[at].position, marks[at].offset)))
    }

    async fn search(&self, found: &Found, from: Offset, at: Timestamp) -> Result<Option<(Offset, Timestamp)>> {
        let run = found.held.run;
        let (mut start, mut expected) = (run.position, run.base);
        if run.bytes >= MARKED_BYTES {
            let footer = self.footer(found).await?;
            let marks = footer.marks_at(run.position).unwrap_or_default();
            let before = |mark: &&crate::object::Mark| mark.time < at || mark.offset <= from;
            if let Some(mark) = marks.iter().take_while(before).last() {
                (start, expected) = (mark.position, mark.offset);
            }
        }
        let run_end = run.position + run.bytes;
        while start < run_end {
            let end = run_end.min(start + SEARCH_BYTES);
            let piece = Piece { found: found.clone(), start, expected, end, from: expected };
            let Taken { batches, error, .. } = self.take(piece).await?;
            for batch in &batches {
                if let Some(record) = first_reaching(batch, from, at) {
                    return Ok(Some(record));
                }
                start += batch.len() as u64;
                expected = end_of(batch);
            }
            match error {
                Some(error) => return Err(error),
                None if batches.is_empty() => return Ok(None),
                None => {}
            }
        }
        Ok(None)
    }

    async fn footer(&self, found: &Found) -> Result<Arc<Footer>> {
        if let Some((footer, _)) = self.footers().known.get(&found.held.object) {
            return Ok(footer.clone());
        }
        let (footer, bytes) = self.fetch_footer(found).await?;
        let footer = Arc::new(footer);
        let mut footers = self.footers();
        if footers.known.insert(found.held.object, (footer.clone(), bytes)).is_none() {
            footers.order.push_back(found.held.object);
            footers.bytes += bytes;
        }
        while footers.bytes > FOOTER_BYTES_MAX
            && let Some(oldest) = footers.order.pop_front()
        {
            let removed = footers.known.remove(&oldest);
            footers.bytes -= removed.map_or(0, |(_, bytes)| bytes);
        }
        Ok(footer)
    }

    fn footers(&self) -> std::sync::MutexGuard<'_, Footers> {
        self.inner.footers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bucket(&self, found: &Found) -> &Bucket {
        &self.inner.context.shards[found.shard].bucket
    }
}

/// The first record of a batch from `from` on with a timestamp of at least `at`.
fn first_reaching(batch: &Bytes, from: Offset, at: Timestamp) -> Option<(Offset, Timestamp)> {
    let header = wire::batch::BatchHeader::parse(batch).ok()?;
    if header.max_timestamp < at.0 || header.last_offset() < from.0 {
        return None;
    }
    let Ok(records) = wire::batch::records(batch, UNPACKED_BATCH_BYTES_MAX) else {
        // As exact as its header.
        return Some((Offset(header.base_offset).max(from), Timestamp(header.max_timestamp)));
    };
    let reaches = |record: &wire::batch::RecordView<'_>| record.offset >= from.0 && record.timestamp >= at.0;
    let found = records.iter().map_while(Result::ok).find(reaches);
    found.map(|record| (Offset(record.offset), Timestamp(record.timestamp)))
}

/// The offset behind a batch that has been checked.
fn end_of(batch: &Bytes) -> Offset {
    let header = wire::batch::BatchHeader::parse(batch).expect("it was checked");
    Offset(header.last_offset()).plus(1)
}
