//! What does a log look like that is all in memory?

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use model::{Error, Offset, Result, TopicId, TopicName, TopicSettings};
use schema_registry::View;
use uuid::Uuid;
use wire::batch::{BatchHeader, place};
use wire::{BatchBuilder, Compression};

use crate::lake::{Chunk, LakeTopic, Source};

/// Topics whose batches a test appends, and a registry that it fills.
#[derive(Default)]
pub struct Memory(Mutex<State>);

#[derive(Default, Clone)]
struct State {
    topics: Vec<LakeTopic>,
    logs: BTreeMap<(TopicName, i32), Log>,
    view: Arc<View>,
    advanced: BTreeMap<(TopicName, i32), Offset>,
    reads: u64,
}

#[derive(Default, Clone)]
struct Log {
    start: i64,
    end: i64,
    batches: Vec<Bytes>,
}

/// Key and value of a record.
pub type Record<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

pub fn name(topic: &str) -> TopicName {
    TopicName::new(topic).expect("is legal")
}

impl Memory {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("tests do not panic while they hold it")
    }

    /// The same topics and records, from now on on their own.
    pub fn fork(&self) -> Memory {
        Memory(Mutex::new(self.state().clone()))
    }

    /// Makes a topic; settings as in `frazil.lake.mode=key_value`.
    pub fn topic(&self, topic: &str, partitions: i32, settings: &[(&str, &str)]) -> LakeTopic {
        let settings = TopicSettings::parse(settings.iter().copied()).expect("are legal");
        let made = LakeTopic { name: name(topic), id: TopicId(Uuid::new_v4()), partitions, settings };
        self.state().topics.push(made.clone());
        made
    }

    /// Gives a topic other settings.
    pub fn alter(&self, topic: &str, settings: &[(&str, &str)]) {
        let settings = TopicSettings::parse(settings.iter().copied()).expect("are legal");
        let mut state = self.state();
        state.topics.iter_mut().find(|known| known.name == name(topic)).expect("exists").settings = settings;
    }

    /// Deletes a topic and its records.
    pub fn delete(&self, topic: &str) {
        let mut state = self.state();
        state.topics.retain(|known| known.name != name(topic));
        state.logs.retain(|(known, _), _| *known != name(topic));
    }

    /// Appends one batch.
    pub fn append(&self, topic: &str, partition: i32, records: &[Record<'_>]) {
        let mut builder = BatchBuilder::new(Compression::Lz4);
        for (index, (key, value)) in records.iter().enumerate() {
            let at = 1_700_000_000_000 + 40_000_000 * index as i64; // Some batches span two days.
            builder.push(at, *key, *value, &[("h", Some(b"x"))]);
        }
        self.append_batch(topic, partition, builder.build());
    }

    /// Appends a batch as it is, at the log's end.
    pub fn append_batch(&self, topic: &str, partition: i32, batch: Bytes) {
        let mut state = self.state();
        let log = state.logs.entry((name(topic), partition)).or_default();
        let mut batch = BytesMut::from(&*batch);
        place(&mut batch, Offset(log.end), 0);
        log.end = BatchHeader::parse(&batch).expect("has a header").last_offset() + 1;
        log.batches.push(batch.freeze());
    }

    /// Forgets whole batches below an offset.
    pub fn delete_records(&self, topic: &str, partition: i32, below: i64) {
        let mut state = self.state();
        let log = state.logs.get_mut(&(name(topic), partition)).expect("has records");
        log.start = below;
        log.batches.retain(|batch| BatchHeader::parse(batch).expect("has a header").last_offset() >= below);
    }

    pub fn register(&self, change: impl FnOnce(&mut View)) {
        let mut state = self.state();
        change(Arc::make_mut(&mut state.view));
    }

    pub fn advanced_to(&self, topic: &str, partition: i32) -> Option<Offset> {
        self.state().advanced.get(&(name(topic), partition)).copied()
    }

    pub fn reads(&self) -> u64 {
        self.state().reads
    }
}

#[async_trait]
impl Source for Memory {
    fn topics(&self) -> Vec<LakeTopic> {
        self.state().topics.clone()
    }

    async fn read(&self, topic: &TopicName, partition: i32, from: Offset, bytes_max: usize) -> Result<Chunk> {
        let mut state = self.state();
        state.reads += 1;
        if !state.topics.iter().any(|known| known.name == *topic) {
            return Err(Error::missing(format!("topic {topic} does not exist")));
        }
        let Some(log) = state.logs.get(&(topic.clone(), partition)) else {
            return Ok(Chunk { batches: Vec::new(), last_stable: Offset::ZERO, log_start: Offset::ZERO });
        };
        if from.0 > log.end {
            return Err(Error::invalid(format!("offset {from} is beyond the end, {}", log.end)));
        }
        let mut bytes = 0;
        let later = log.batches.iter().filter(|b| BatchHeader::parse(b).expect("has a header").last_offset() >= from.0);
        let batches = later.take_while(|batch| {
            let first = bytes == 0;
            bytes += batch.len();
            first || bytes <= bytes_max
        });
        let batches = batches.cloned().collect();
        Ok(Chunk { batches, last_stable: Offset(log.end), log_start: Offset(log.start) })
    }

    async fn advanced(&self, topic: &TopicName, partition: i32, committed: Offset, projected: Offset) {
        assert!(committed <= projected, "files come before their commit");
        self.state().advanced.insert((topic.clone(), partition), committed);
    }

    fn registry(&self) -> Arc<View> {
        self.state().view.clone()
    }
}
