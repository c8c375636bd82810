//! What does a manifest say: which runs of which partitions lie where?

use std::collections::{BTreeMap, HashMap};

use model::{Offset, Timestamp, TopicId};
use uuid::Uuid;

use crate::edit::{Added, Edit, add_bytes};
use crate::run::{Run, TopicRef, topics_of};

/// The state of a manifest: all its edits, applied in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Index {
    topics: BTreeMap<TopicId, Topic>,
    objects: BTreeMap<Uuid, Object>,
    runs: usize,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Topic {
    name: String,
    parts: BTreeMap<i32, Part>,
}

/// An object in the bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Below `data/`.
    pub name: String,
    pub bytes: u64,
    pub created_ms: i64,
    pub crc: u32,
    pub level: u8,
    /// Of its runs those that still count, and their bytes.
    pub runs: u32,
    pub run_bytes: u64,
}

/// A run and the object in which it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    pub object: Uuid,
    pub run: Run,
}

/// What the archive has of one partition.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Part {
    start: Offset,
    /// In the order of their offsets; between two of them offsets may be missing.
    runs: Vec<Held>,
}

impl Part {
    /// Records below it are deleted.
    pub fn start(&self) -> Offset {
        self.start
    }

    /// The first offset that is not archived yet.
    pub fn archived(&self) -> Offset {
        self.runs.last().map_or(self.start, |held| held.run.next.max(self.start))
    }

    pub fn runs(&self) -> &[Held] {
        &self.runs
    }

    /// Bytes of the runs that hold records from `from` on.
    pub fn bytes(&self) -> u64 {
        self.runs.iter().map(|held| held.run.bytes).sum()
    }

    /// The run with `offset`, or the first one behind it.
    pub fn at(&self, offset: Offset) -> Option<&Held> {
        self.runs.get(self.runs.partition_point(|held| held.run.next <= offset))
    }

    /// The first run from `from` on that holds a record with a timestamp of at least `time`.
    pub fn reaching(&self, from: Offset, time: Timestamp) -> Option<&Held> {
        let first = self.runs.partition_point(|held| held.run.next <= from);
        self.runs[first..].iter().find(|held| held.run.max_time >= time)
    }

    /// Behind the runs at the front that are all older than `at`.
    pub fn older(&self, at: Timestamp) -> Option<Offset> {
        let old = self.runs.iter().take_while(|held| held.run.max_time < at);
        // Runs without times go with the next one that has a time.
        old.filter(|held| held.run.max_time > Timestamp::NONE).last().map(|held| held.run.next)
    }

    /// Behind the runs at the front without which there are still `bytes`.
    pub fn beyond(&self, bytes: u64) -> Option<Offset> {
        let mut surplus = self.bytes().checked_sub(bytes)?;
        let mut end = None;
        for held in &self.runs {
            let Some(left) = surplus.checked_sub(held.run.bytes) else { break };
            surplus = left;
            end = Some(held.run.next);
        }
        end
    }

    /// Takes a run in; answers the runs that it replaces, or itself where it has no place.
    fn insert(&mut self, held: Held) -> Vec<Held> {
        let (base, next) = (held.run.base, held.run.next);
        if next <= self.start {
            return vec![held];
        }
        let from = self.runs.partition_point(|old| old.run.next <= base);
        let to = self.runs.partition_point(|old| old.run.base < next);
        let within = self.runs[from..to].iter().all(|old| base <= old.run.base && old.run.next <= next);
        match within {
            true => self.runs.splice(from..to, [held]).collect(),
            false => vec![held],
        }
    }

    fn begin(&mut self, start: Offset) -> Vec<Held> {
        self.start = self.start.max(start);
        let gone = self.runs.partition_point(|held| held.run.next <= start);
        self.runs.drain(..gone).collect()
    }
}

impl Index {
    pub fn apply(&mut self, edit: &Edit) {
        match edit {
            Edit::Add(added) => self.add(added),
            Edit::Start { topic, partition, offset } => {
                let part = self.topics.entry(*topic).or_default().parts.entry(*partition).or_default();
                let gone = part.begin(*offset);
                self.forget(gone);
            }
            Edit::Gone { topic } => {
                let parts = self.topics.remove(topic).map(|topic| topic.parts).unwrap_or_default();
                parts.into_values().for_each(|part| self.forget(part.runs));
            }
            Edit::Deleted { object } => {
                if self.objects.get(object).is_some_and(|object| object.runs == 0) {
                    self.objects.remove(object);
                }
            }
        }
    }

    fn add(&mut self, added: &Added) {
        if self.objects.contains_key(&added.id) {
            return;
        }
        let run_bytes = added.runs.iter().map(|run| run.bytes).sum();
        let object = Object {
            name: added.name.clone(),
            bytes: added.bytes,
            created_ms: added.created_ms,
            crc: added.crc,
            level: added.level,
            runs: u32::try_from(added.runs.len()).expect("lists are bounded"),
            run_bytes,
        };
        self.objects.insert(added.id, object);
        self.runs += added.runs.len();
        for topic in &added.topics {
            self.topics.entry(topic.id).or_default().name.clone_from(&topic.name);
        }
        for run in &added.runs {
            let part = self.topics.entry(run.topic).or_default().parts.entry(run.partition).or_default();
            let gone = part.insert(Held { object: added.id, run: *run });
            self.forget(gone);
        }
    }

    /// These runs count no more.
    fn forget(&mut self, gone: Vec<Held>) {
        for held in gone {
            self.runs -= 1;
            if let Some(object) = self.objects.get_mut(&held.object) {
                object.runs -= 1;
                object.run_bytes -= held.run.bytes;
            }
        }
    }

    pub fn part(&self, topic: TopicId, partition: i32) -> Option<&Part> {
        self.topics.get(&topic)?.parts.get(&partition)
    }

    pub fn name_of(&self, topic: TopicId) -> &str {
        self.topics.get(&topic).map_or("", |topic| &topic.name)
    }

    /// All topics with the names that they had when they were last archived.
    pub fn topics(&self) -> impl Iterator<Item = (TopicId, &str)> {
        self.topics.iter().map(|(id, topic)| (*id, topic.name.as_str()))
    }

    pub fn parts(&self) -> impl Iterator<Item = (TopicId, i32, &Part)> {
        let topics = self.topics.iter();
        topics.flat_map(|(id, topic)| topic.parts.iter().map(move |(partition, part)| (*id, *partition, part)))
    }

    pub fn object(&self, id: Uuid) -> Option<&Object> {
        self.objects.get(&id)
    }

    pub fn objects(&self) -> impl Iterator<Item = (Uuid, &Object)> {
        self.objects.iter().map(|(id, object)| (*id, object))
    }

    /// Runs that count.
    pub fn runs(&self) -> usize {
        self.runs
    }

    /// About how long all of it would be, written down.
    pub fn written_bytes(&self) -> usize {
        self.objects.len() * add_bytes(96, 1, 0) + self.runs * add_bytes(0, 0, 1)
    }

    /// The runs that count of some objects, sorted by topic, partition and offset.
    pub fn runs_of(&self, wanted: impl Fn(Uuid) -> bool) -> Vec<Held> {
        let parts = self.topics.values().flat_map(|topic| topic.parts.values());
        parts.flat_map(|part| part.runs.iter().filter(|held| wanted(held.object)).copied()).collect()
    }

    /// Edits that say the same as all so far.
    pub fn snapshot(&self) -> Vec<Edit> {
        let mut runs: HashMap<Uuid, Vec<Run>> = HashMap::new();
        for held in self.runs_of(|_| true) {
            runs.entry(held.object).or_default().push(held.run);
        }
        let mut edits = Vec::with_capacity(self.objects.len());
        for (id, object) in &self.objects {
            let runs = runs.remove(id).unwrap_or_default();
            edits.push(Edit::Add(Added {
                id: *id,
                name: object.name.clone(),
                bytes: object.bytes,
                created_ms: object.created_ms,
                crc: object.crc,
                level: object.level,
                topics: self.topic_refs(&runs),
                runs,
            }));
        }
        let starts = self.parts().filter(|(.., part)| part.start > Offset::ZERO);
        edits.extend(starts.map(|(topic, partition, part)| Edit::Start { topic, partition, offset: part.start }));
        edits
    }

    pub fn topic_refs(&self, runs: &[Run]) -> Vec<TopicRef> {
        topics_of(runs, |id| self.name_of(id))
    }
}

#[cfg(test)]
mod tests;
