//! How does an empty data folder become the node that an archive knows?
//!
//! The logs begin where the archive ends: older records are read from the bucket. What the node reads whole at each
//! start (the controller's log, offsets of groups, schemas) is copied back. Everything is made in a folder beside, which
//! gets its name when it is complete.

mod shard;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use iceberg_sink::catalog::Catalog;
use iceberg_sink::lake::{disown, standing};
use model::{Offset, PartitionId, ShardId, TopicName, TopicSettings};
use objects::Objects;
use serde::Serialize;
use server::{Part, Place, Topic, committed_offsets, is_internal};
use tiered::Holdings;
use tiered::source::{CONTROLLER_ID, TopicState};

use crate::settings::Settings;
use shard::Shards;

/// In the data folder while it is being restored.
const UNFINISHED: &str = "restoring";
/// In the data folder afterwards: what came back.
const REPORT: &str = "restored.json";
/// The logs; where they are, nothing is restored any more.
const SHARDS: &str = "shards";
/// A group that says it has read further than this beyond the archive is not believed.
const READ_AHEAD_MAX: i64 = 100_000_000;

/// What came back of a partition.
#[derive(Debug, Serialize)]
struct Restored {
    topic: String,
    partition: i32,
    /// Records from `start` up to `archived` are there.
    start: Offset,
    archived: Offset,
    /// New records get offsets from here on. Those between were given out before, and their records are lost, as are
    /// all further ones that had not been archived.
    next: Offset,
    /// The table has rows of all offsets below.
    in_table: Option<Offset>,
}

/// Fills the data folder from the archive, unless it has data already.
pub async fn restore(settings: &mut Settings, objects: &Objects, catalog: &Catalog) -> Result<()> {
    if settings.data_dir.join(SHARDS).exists() {
        tracing::info!("the data folder has data already: nothing is restored");
        return Ok(());
    }
    let holdings = Holdings::load(objects, settings.restore_cluster).await.context("restore_from")?;
    settings.shards = settings.shards.max(holdings.state.shards);
    let topics = holdings.state.topics.iter().map(topic).collect::<Result<Vec<Topic>>>()?;
    let partitions: usize = topics.iter().map(|topic| topic.partitions.len()).sum();
    tracing::info!(cluster = %holdings.state.cluster, topics = topics.len(), partitions, "restoring from the archive");

    let unfinished = settings.data_dir.join(UNFINISHED);
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).context("what is left of an earlier attempt cannot be removed")?;
    }
    let shards = Shards::start(&unfinished, &holdings.state, u64::from(settings.segment_mib) << 20)?;
    let work = Work { holdings: &holdings, catalog, shards: &shards };
    let told = work.run(&topics).await;
    shards.finish().await?; // What a shard says is nearer to the cause.
    let restored = told?;

    let known: HashSet<_> = topics.iter().map(|topic| topic.id).collect();
    for table in disown(catalog, &holdings.state.cluster.to_string(), &known).await? {
        tracing::warn!(table, "its topic was not archived: the table stays, and belongs to no topic any more");
    }
    tell(&restored);
    publish(&settings.data_dir, &unfinished, &restored).context("the restored folder cannot be put in place")
}

fn topic(state: &TopicState) -> Result<Topic> {
    let place = |(id, shard): &(u64, u16)| Place { id: PartitionId(*id), shard: ShardId(*shard) };
    let settings = state.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    Ok(Topic {
        name: TopicName::new(&state.name)?,
        id: state.id,
        partitions: state.partitions.iter().map(place).collect(),
        settings: TopicSettings::parse(settings)
            .with_context(|| format!("the settings of topic {} cannot be restored", state.name))?,
        created_ms: state.created_ms,
    })
}

/// How far groups have read, by topic and partition.
type Read = HashMap<(String, i32), Offset>;

struct Work<'a> {
    holdings: &'a Holdings,
    catalog: &'a Catalog,
    shards: &'a Shards,
}

impl Work<'_> {
    async fn run(&self, topics: &[Topic]) -> Result<Vec<Restored>> {
        let (mut restored, mut read) = (Vec::new(), Read::new());
        let controller = Place { id: PartitionId::CONTROLLER, shard: ShardId(0) };
        self.copy(CONTROLLER_ID, 0, controller, &mut read).await?;
        let (own, users): (Vec<&Topic>, Vec<&Topic>) =
            topics.iter().partition(|topic| is_internal(topic.name.as_str()));
        for topic in own {
            for (partition, place) in (0..).zip(&topic.partitions) {
                self.copy(topic.id, partition, *place, &mut read).await?;
            }
            tracing::info!(topic = %topic.name, "restored");
        }
        for (number, topic) in users.iter().enumerate() {
            restored.extend(self.begin(topic, &read).await?);
            tracing::info!(topic = %topic.name, "restored, {} of {}", number + 1, users.len());
        }
        for topic in topics {
            self.shards.send(ShardId(0), Part::Topic(Box::new(topic.clone()))).await?;
        }
        Ok(restored)
    }

    /// Brings all archived batches of a partition back into its log.
    async fn copy(&self, topic: model::TopicId, partition: i32, place: Place, read: &mut Read) -> Result<()> {
        let Some(part) = self.holdings.part(topic, partition) else { return Ok(()) };
        let first = part.runs().first().map_or(part.archived(), |held| held.run.base);
        let begins = Part::Begins { partition: place.id, log_start: first, start: first };
        self.shards.send(place.shard, begins).await?;
        let mut next = first;
        for held in part.runs() {
            anyhow::ensure!(
                held.run.base == next,
                "the archive has no offsets {next} to {} of partition {partition} of topic {topic}, which the node needs \
                 whole; bring them back from a copy of the bucket",
                held.run.base.0 - 1
            );
            for batch in self.holdings.batches(held).await? {
                for (topic, partition, offset) in committed_offsets(&batch) {
                    let known = read.entry((topic, partition)).or_insert(offset);
                    *known = offset.max(*known);
                }
                self.shards.send(place.shard, Part::Batch { partition: place.id, batch }).await?;
            }
            next = held.run.next;
        }
        Ok(())
    }

    /// Has the partitions of a topic go on where the archive ends, or later: no offset is given out again that the
    /// table or a group has seen.
    async fn begin(&self, topic: &Topic, read: &Read) -> Result<Vec<Restored>> {
        let cluster = self.holdings.state.cluster.to_string();
        let table: BTreeMap<i32, Offset> = match topic.is_table() {
            true => standing(self.catalog, &topic.name, topic.id, &cluster).await?,
            false => BTreeMap::new(),
        };
        let mut all = Vec::new();
        for (partition, place) in (0..).zip(&topic.partitions) {
            let part = self.holdings.part(topic.id, partition);
            let (start, archived) = part.map_or((Offset::ZERO, Offset::ZERO), |part| {
                let first = part.runs().first().map_or(part.archived(), |held| held.run.base);
                (part.start().max(first), part.archived())
            });
            let in_table = table.get(&partition).copied();
            let read = read.get(&(topic.name.to_string(), partition)).copied();
            let read = read.filter(|read| *read <= archived.plus(READ_AHEAD_MAX)).unwrap_or(Offset::ZERO);
            let next = archived.max(in_table.unwrap_or(Offset::ZERO)).max(read);
            if next > Offset::ZERO {
                let begins = Part::Begins { partition: place.id, log_start: start, start: next };
                self.shards.send(place.shard, begins).await?;
            }
            all.push(Restored { topic: topic.name.to_string(), partition, start, archived, next, in_table });
        }
        Ok(all)
    }
}

/// What came back, and what is known to be lost.
fn tell(restored: &[Restored]) {
    for Restored { topic, partition, start, archived, next, in_table } in restored {
        tracing::info!(topic, partition, "offsets {start} to {archived} (exclusive) are there");
        if next > archived {
            let rows = in_table.filter(|rows| rows > archived);
            let rows = rows.map_or(String::new(), |rows| format!("; the table has rows of those below {rows}"));
            tracing::warn!(topic, partition, "offsets {archived} to {next} (exclusive) were not archived: lost{rows}");
        }
    }
    tracing::info!("records that were acknowledged after the last upload, and that nobody has seen, are lost, too");
}

/// One rename makes the folder a node's.
fn publish(data_dir: &Path, unfinished: &Path, restored: &[Restored]) -> Result<()> {
    fs::write(data_dir.join(REPORT), serde_json::to_vec_pretty(restored)?)?;
    fs::rename(unfinished.join(SHARDS), data_dir.join(SHARDS))?;
    fs::File::open(data_dir)?.sync_all()?;
    Ok(fs::remove_dir_all(unfinished)?)
}
