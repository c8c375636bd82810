//! What is a run, and how is a list of runs written down?

use std::collections::HashMap;

use model::{Offset, Timestamp, TopicId};
use uuid::Uuid;

use crate::code::{Reader, put_count, put_text};

/// The topic that stands for the controller's log.
pub const CONTROLLER_NAME: &str = "@controller";
pub const CONTROLLER_ID: TopicId = TopicId(Uuid::nil());

const RUN_BYTES: usize = 64;
const TOPIC_BYTES_MIN: usize = 18;

/// A topic in the archive: the name is what it was when it was archived.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicRef {
    pub id: TopicId,
    pub name: String,
}

/// Batches of one partition with one leader epoch that lie one behind the other in an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    pub topic: TopicId,
    pub partition: i32,
    pub base: Offset,
    /// First offset behind it.
    pub next: Offset,
    /// Its first byte in the object.
    pub position: u64,
    pub bytes: u64,
    pub first_time: Timestamp,
    pub max_time: Timestamp,
    pub crc: u32,
    pub epoch: i32,
}

/// Writes runs with the names of their topics.
pub(crate) fn put_runs(out: &mut Vec<u8>, topics: &[TopicRef], runs: &[Run]) {
    let places: HashMap<TopicId, u32> = topics.iter().map(|topic| topic.id).zip(0..).collect();
    put_count(out, topics.len());
    put_count(out, runs.len());
    for topic in topics {
        out.extend_from_slice(topic.id.0.as_bytes());
        put_text(out, &topic.name);
    }
    for run in runs {
        let topic = places.get(&run.topic).expect("the topics of all runs are listed");
        out.extend_from_slice(&topic.to_le_bytes());
        out.extend_from_slice(&run.partition.to_le_bytes());
        for number in [run.base.0, run.next.0] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&run.position.to_le_bytes());
        out.extend_from_slice(&run.bytes.to_le_bytes());
        out.extend_from_slice(&run.first_time.0.to_le_bytes());
        out.extend_from_slice(&run.max_time.0.to_le_bytes());
        out.extend_from_slice(&run.crc.to_le_bytes());
        out.extend_from_slice(&run.epoch.to_le_bytes());
    }
}

/// Reads what [`put_runs`] wrote; `None` if it makes no sense.
pub(crate) fn read_runs(reader: &mut Reader<'_>) -> Option<(Vec<TopicRef>, Vec<Run>)> {
    let topic_count = reader.count(TOPIC_BYTES_MIN)?;
    let run_count = reader.count(RUN_BYTES)?;
    let mut topics = Vec::with_capacity(topic_count);
    for _ in 0..topic_count {
        topics.push(TopicRef { id: TopicId(reader.uuid()?), name: reader.text()?.to_owned() });
    }
    let mut runs = Vec::with_capacity(run_count);
    for _ in 0..run_count {
        let topic = topics.get(usize::try_from(reader.u32()?).ok()?)?.id;
        let run = Run {
            topic,
            partition: reader.i32()?,
            base: Offset(reader.i64()?),
            next: Offset(reader.i64()?),
            position: reader.u64()?,
            bytes: reader.u64()?,
            first_time: Timestamp(reader.i64()?),
            max_time: Timestamp(reader.i64()?),
            crc: reader.u32()?,
            epoch: reader.i32()?,
        };
        let sane = run.partition >= 0 && run.base.0 >= 0 && run.next > run.base && run.bytes > 0;
        if !sane || run.position.checked_add(run.bytes).is_none() {
            return None;
        }
        runs.push(run);
    }
    Some((topics, runs))
}

/// The topics of some runs, each once, in the order of their ids.
pub(crate) fn topics_of<'a>(runs: &[Run], name_of: impl Fn(TopicId) -> &'a str) -> Vec<TopicRef> {
    let mut ids: Vec<TopicId> = runs.iter().map(|run| run.topic).collect();
    ids.sort();
    ids.dedup();
    ids.into_iter().map(|id| TopicRef { id, name: name_of(id).to_owned() }).collect()
}
