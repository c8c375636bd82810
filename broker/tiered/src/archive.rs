//! What does the archive of a shard do next?
//!
//! A value: events go in, effects come out; the worker performs them. Nothing is archived before a root says so, and
//! nothing is deleted before a root has forgotten it.

use std::collections::{BTreeMap, HashMap, HashSet};

use bytes::Bytes;
use model::{Offset, Timestamp, TopicId};
use uuid::Uuid;

use crate::edit::{Added, Edit};
use crate::index::Index;
use crate::merge::{self, Merge};
use crate::plan::{self, Behind, Sizes, Upload};
use crate::root::{Owner, PageRef, Root, page};
use crate::run::TopicRef;

/// Edits in a root, before they move to a page.
const INLINE_BYTES_MAX: usize = 64 * 1024;
/// A page that is written anew, about.
const PAGE_BYTES: usize = 4 * 1024 * 1024;
/// Pages beyond those that are needed, before all are written anew.
const PAGES_SPARE: usize = 32;
/// What pages may say in vain, before all are written anew.
const OUTDATED_BYTES_MIN: usize = 1024 * 1024;
/// Roots that stay behind the newest one.
pub const ROOTS_KEPT: u64 = 10;

/// How an archive behaves.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    pub sizes: Sizes,
    /// How long an object stays after the manifest has forgotten it.
    pub delete_after_ms: i64,
}

/// What a partition of the log looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub topic: TopicRef,
    pub partition: i32,
    pub log_start: Offset,
    pub local_start: Offset,
    pub high_watermark: Offset,
    /// As the log was told; `None`: not since it was opened.
    pub archived: Option<Offset>,
    /// Bytes in the log that are not archived.
    pub bytes: u64,
    /// Of the topic: `None` keeps everything.
    pub retention_ms: Option<i64>,
    pub retention_bytes: Option<u64>,
    /// The topic's table has everything below; `None` if nothing waits for a table.
    pub needed_from: Option<Offset>,
    /// False: nothing of it is archived any more; what is there already stays.
    pub is_archived: bool,
}

#[derive(Debug)]
pub enum Event {
    /// A round begins with what the log holds. `due`: the interval is over.
    Looked { now_ms: i64, due: bool, partitions: Vec<Seen> },
    /// An object is in the bucket, read back and right.
    Uploaded(Added),
    /// The root that was asked for is there.
    Written,
    /// An object that no run needs is gone.
    Removed(Uuid),
    /// An object could not be read back when it was to be merged.
    Damaged(Uuid),
}

#[derive(Debug, PartialEq)]
pub enum Effect {
    Upload(Upload),
    Merge(Merge),
    /// What is archived up to here is not of this log, which ended below: nothing of it is uploaded or dropped.
    Report(Vec<Place>),
    /// The log may be told that all below is archived.
    Advance(Vec<Place>),
    /// Records below are too old or too much; whoever owns them deletes them.
    Trim(Vec<Place>),
    Delete {
        id: Uuid,
        name: String,
    },
    /// Roots below this one, and these pages, are of no use any more.
    Clean {
        roots_below: u64,
        pages: Vec<Uuid>,
    },
}

/// A place in a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub topic: TopicRef,
    pub partition: i32,
    pub offset: Offset,
}

/// A new version of the manifest: first its pages, then its root, only if that is absent.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    pub pages: Vec<(Uuid, Bytes)>,
    pub sequence: u64,
    pub root: Bytes,
}

/// The archive of one shard.
#[derive(Debug)]
pub struct Archive {
    owner: Owner,
    writer: Uuid,
    policy: Policy,
    index: Index,
    /// Of the newest root; 0 before the first.
    sequence: u64,
    pages: Vec<PageRef>,
    /// The newest root's own edits.
    inline: Vec<u8>,
    /// Decided, and in no root yet.
    fresh: Vec<Edit>,
    writing: Option<Writing>,
    /// Partitions whose log ended below what is archived: it is another log than the one that was archived.
    diverged: HashSet<(TopicId, i32)>,
    /// Objects and pages of no use, and since when.
    unwanted: HashMap<Uuid, i64>,
    old_pages: HashMap<Uuid, i64>,
    damaged: HashSet<Uuid>,
    /// The partitions as they were last seen.
    names: BTreeMap<TopicId, String>,
    now_ms: i64,
}

#[derive(Debug)]
struct Writing {
    edits: usize,
    pages: Vec<PageRef>,
    inline: Vec<u8>,
    write: Write,
}

impl Archive {
    /// Before its first root.
    pub fn new(owner: Owner, writer: Uuid, policy: Policy) -> Archive {
        Archive {
            owner,
            writer,
            policy,
            index: Index::default(),
            sequence: 0,
            pages: Vec::new(),
            inline: Vec::new(),
            fresh: Vec::new(),
            diverged: HashSet::new(),
            writing: None,
            unwanted: HashMap::new(),
            old_pages: HashMap::new(),
            damaged: HashSet::new(),
            names: BTreeMap::new(),
            now_ms: 0,
        }
    }

    /// From its newest root and the state that it stands for.
    pub fn loaded(owner: Owner, writer: Uuid, policy: Policy, root: &Root, index: Index) -> Archive {
        let mut archive = Archive::new(owner, writer, policy);
        archive.sequence = root.sequence;
        archive.pages.clone_from(&root.pages);
        archive.inline = root.edits.to_vec();
        archive.index = index;
        archive
    }

    pub fn index(&self) -> &Index {
        &self.index
    }

    pub fn owner(&self) -> Owner {
        self.owner
    }

    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Pages that the newest root names.
    pub fn pages(&self) -> impl Iterator<Item = Uuid> + '_ {
        self.pages.iter().map(|page| page.id)
    }

    /// Objects and pages that the next roots will name.
    pub fn unnamed(&self) -> impl Iterator<Item = Uuid> + '_ {
        let added = self.fresh.iter().filter_map(|edit| match edit {
            Edit::Add(added) => Some(added.id),
            _ => None,
        });
        added.chain(self.writing.iter().flat_map(|writing| writing.pages.iter().map(|page| page.id)))
    }

    pub fn apply(&mut self, event: Event) -> Vec<Effect> {
        match event {
            Event::Looked { now_ms, due, partitions } => self.looked(now_ms, due, &partitions),
            Event::Uploaded(added) => {
                self.fresh.push(Edit::Add(added));
                Vec::new()
            }
            Event::Removed(id) => {
                self.unwanted.remove(&id);
                self.fresh.push(Edit::Deleted { object: id });
                Vec::new()
            }
            Event::Damaged(id) => {
                self.damaged.insert(id);
                Vec::new()
            }
            Event::Written => self.written(),
        }
    }

    fn looked(&mut self, now_ms: i64, due: bool, partitions: &[Seen]) -> Vec<Effect> {
        self.now_ms = now_ms;
        let (mut behind, mut told, mut trims) = (Vec::new(), Vec::new(), Vec::new());
        let mut diverged = Vec::new();
        let mut exist: HashSet<TopicId> = HashSet::new();
        for seen in partitions {
            exist.insert(seen.topic.id);
            let place = |offset| Place { topic: seen.topic.clone(), partition: seen.partition, offset };
            let (start, archived) = match self.index.part(seen.topic.id, seen.partition) {
                Some(part) => (part.start(), part.archived()),
                None => (Offset::ZERO, Offset::ZERO),
            };
            if seen.log_start > start {
                let (topic, partition, offset) = (seen.topic.id, seen.partition, seen.log_start);
                self.fresh.push(Edit::Start { topic, partition, offset });
            }
            let key = (seen.topic.id, seen.partition);
            if seen.is_archived && (archived > seen.high_watermark || self.diverged.contains(&key)) {
                self.diverged.insert(key);
                diverged.push(place(archived));
                continue;
            }
            let from = archived.max(seen.log_start).max(seen.local_start.min(seen.high_watermark));
            if due && let Some(offset) = self.too_old(seen, now_ms) {
                trims.push(place(offset));
            }
            if !seen.is_archived || seen.high_watermark == Offset::ZERO {
                continue;
            }
            // How much is left can be told once the log knows where the archive is.
            if seen.archived != Some(from.min(seen.high_watermark)) {
                told.push(place(from));
                continue;
            }
            let (topic, partition) = (seen.topic.clone(), seen.partition);
            behind.push(Behind { topic, partition, from, to: seen.high_watermark, bytes: seen.bytes });
        }
        self.names = partitions.iter().map(|seen| (seen.topic.id, seen.topic.name.clone())).collect();
        let gone = self.index.topics().map(|(id, _)| id).filter(|id| !exist.contains(id));
        self.fresh.extend(gone.map(|topic| Edit::Gone { topic }));
        let mut effects: Vec<Effect> = Vec::new();
        if !diverged.is_empty() {
            effects.push(Effect::Report(diverged));
        }
        if !told.is_empty() {
            effects.push(Effect::Advance(told));
        }
        if !trims.is_empty() {
            effects.push(Effect::Trim(trims));
        }
        effects.extend(plan::plan(behind, self.policy.sizes, due).into_iter().map(Effect::Upload));
        if due {
            effects.extend(merge::plan(&self.index, self.policy.sizes, &self.damaged).map(Effect::Merge));
        }
        effects.extend(self.deletions());
        effects
    }

    /// Where retention lets a partition begin, as far as the archive alone has it.
    fn too_old(&self, seen: &Seen, now_ms: i64) -> Option<Offset> {
        let part = self.index.part(seen.topic.id, seen.partition)?;
        let old = seen.retention_ms.and_then(|ms| part.older(Timestamp(now_ms.saturating_sub(ms))));
        let much = seen.retention_bytes.and_then(|bytes| part.beyond(bytes.saturating_sub(seen.bytes)));
        let start = old.max(much)?.min(seen.needed_from.unwrap_or(Offset(i64::MAX)));
        (start > seen.log_start).then_some(start)
    }

    /// Objects that no root has needed for long enough.
    fn deletions(&mut self) -> Vec<Effect> {
        let now_ms = self.now_ms;
        let since = now_ms.saturating_sub(self.policy.delete_after_ms);
        let mut effects = Vec::new();
        for (id, object) in self.index.objects().filter(|(_, object)| object.runs == 0) {
            let noticed = *self.unwanted.entry(id).or_insert(now_ms);
            if noticed <= since {
                effects.push(Effect::Delete { id, name: object.name.clone() });
            }
        }
        effects
    }

    /// The version of the manifest that is to be written now, if something has changed. The same one again until it is
    /// known to be there. `page_id`: for a page, if one is due.
    pub fn pending(&mut self, now_ms: i64, page_id: Uuid) -> Option<Write> {
        if let Some(writing) = &self.writing {
            return Some(writing.write.clone());
        }
        if self.fresh.is_empty() {
            return None;
        }
        self.now_ms = now_ms;
        let (mut pages, mut inline, mut new_pages) = (self.pages.clone(), self.inline.clone(), Vec::new());
        self.fresh.iter().for_each(|edit| edit.put(&mut inline));
        if inline.len() > INLINE_BYTES_MAX {
            if self.is_outdated(inline.len()) {
                (pages, new_pages) = self.anew(page_id);
            } else {
                let (named, bytes) = page(self.owner, page_id, &inline);
                pages.push(named);
                new_pages.push((page_id, bytes));
            }
            inline.clear();
        }
        let sequence = self.sequence + 1;
        let edits = Bytes::copy_from_slice(&inline);
        let root = Root { sequence, writer: self.writer, written_ms: now_ms, pages: pages.clone(), edits };
        let write = Write { pages: new_pages, sequence, root: root.encode(self.owner) };
        self.writing = Some(Writing { edits: self.fresh.len(), pages, inline, write: write.clone() });
        Some(write)
    }

    /// True if the pages are too many, or say too much in vain.
    fn is_outdated(&self, more: usize) -> bool {
        let written: usize = self.pages.iter().map(|page| page.bytes as usize).sum::<usize>() + more;
        let needed = self.index.written_bytes();
        let many = self.pages.len() > PAGES_SPARE + 2 * (needed / PAGE_BYTES);
        many || written > 2 * needed + OUTDATED_BYTES_MIN
    }

    /// The whole state in new pages. Their ids follow from one random id.
    fn anew(&self, id: Uuid) -> (Vec<PageRef>, Vec<(Uuid, Bytes)>) {
        let mut index = self.index.clone();
        self.fresh.iter().for_each(|edit| index.apply(edit));
        let (mut pages, mut written) = (Vec::new(), Vec::new());
        let mut edits = Vec::new();
        let mut close = |edits: &mut Vec<u8>| {
            let id = Uuid::from_u128(id.as_u128().wrapping_add(pages.len() as u128));
            let (named, bytes) = page(self.owner, id, edits);
            pages.push(named);
            written.push((id, bytes));
            edits.clear();
        };
        for edit in index.snapshot() {
            edit.put(&mut edits);
            if edits.len() >= PAGE_BYTES {
                close(&mut edits);
            }
        }
        if !edits.is_empty() {
            close(&mut edits);
        }
        (pages, written)
    }

    fn written(&mut self) -> Vec<Effect> {
        let Some(writing) = self.writing.take() else { return Vec::new() };
        self.sequence += 1;
        let edits: Vec<Edit> = self.fresh.drain(..writing.edits).collect();
        edits.iter().for_each(|edit| self.index.apply(edit));
        let before = std::mem::replace(&mut self.pages, writing.pages);
        self.inline = writing.inline;
        let kept: HashSet<Uuid> = self.pages.iter().map(|page| page.id).collect();
        let old = before.iter().map(|page| page.id).filter(|id| !kept.contains(id));
        self.old_pages.extend(old.map(|id| (id, self.now_ms)));
        let mut effects = Vec::new();
        let advanced = self.advanced(&edits);
        if !advanced.is_empty() {
            effects.push(Effect::Advance(advanced));
        }
        let since = self.now_ms.saturating_sub(self.policy.delete_after_ms);
        let pages: Vec<Uuid> = self.old_pages.extract_if(|_, noticed| *noticed <= since).map(|(id, _)| id).collect();
        effects.push(Effect::Clean { roots_below: self.sequence.saturating_sub(ROOTS_KEPT), pages });
        effects
    }

    /// The partitions that uploads have moved, and where to.
    fn advanced(&self, edits: &[Edit]) -> Vec<Place> {
        let mut moved: BTreeMap<(TopicId, i32), Offset> = BTreeMap::new();
        for edit in edits {
            let Edit::Add(added) = edit else { continue };
            for run in added.runs.iter().filter(|_| added.level == 0) {
                if let Some(part) = self.index.part(run.topic, run.partition) {
                    moved.insert((run.topic, run.partition), part.archived());
                }
            }
        }
        let exist = |topic: TopicId| self.names.get(&topic).map(|name| TopicRef { id: topic, name: name.clone() });
        let places = moved.into_iter();
        let place = |((topic, partition), offset)| Some(Place { topic: exist(topic)?, partition, offset });
        places.filter_map(place).collect()
    }
}

#[cfg(test)]
mod tests;
