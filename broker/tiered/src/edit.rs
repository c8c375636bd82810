//! What can change in a manifest, and how is it written down?

use bytes::Bytes;
use model::{Offset, TopicId};
use uuid::Uuid;

use crate::code::{Reader, put_text};
use crate::run::{Run, TopicRef, put_runs, read_runs};

const ADD: u8 = 1;
const START: u8 = 2;
const GONE: u8 = 3;
const DELETED: u8 = 4;
const HEAD_BYTES: usize = 8;

/// One change; the state of a manifest is what its edits say, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    Add(Added),
    Start { topic: TopicId, partition: i32, offset: Offset },
    Gone { topic: TopicId },
    Deleted { object: Uuid },
}

/// An object that is in the bucket, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    pub id: Uuid,
    pub name: String,
    pub bytes: u64,
    pub created_ms: i64,
    pub crc: u32,
    /// 0: uploaded; else one more than the objects that it was merged from.
    pub level: u8,
    pub topics: Vec<TopicRef>,
    pub runs: Vec<Run>,
}

impl Edit {
    pub fn put(&self, out: &mut Vec<u8>) {
        let at = out.len();
        out.extend_from_slice(&[0; HEAD_BYTES]);
        out[at] = match self {
            Edit::Add(added) => {
                added.put(out);
                ADD
            }
            Edit::Start { topic, partition, offset } => {
                out.extend_from_slice(topic.0.as_bytes());
                out.extend_from_slice(&partition.to_le_bytes());
                out.extend_from_slice(&[0; 4]);
                out.extend_from_slice(&offset.0.to_le_bytes());
                START
            }
            Edit::Gone { topic } => {
                out.extend_from_slice(topic.0.as_bytes());
                GONE
            }
            Edit::Deleted { object } => {
                out.extend_from_slice(object.as_bytes());
                DELETED
            }
        };
        let length = u32::try_from(out.len() - at - HEAD_BYTES).expect("an edit is far below 4 GiB");
        out[at + 4..at + 8].copy_from_slice(&length.to_le_bytes());
    }

    pub fn encode(&self) -> Bytes {
        let mut out = Vec::new();
        self.put(&mut out);
        out.into()
    }

    /// Reads edits to the end; `None` if they make no sense.
    pub fn read_all(bytes: &[u8]) -> Option<Vec<Edit>> {
        let mut reader = Reader(bytes);
        let mut edits = Vec::new();
        while !reader.0.is_empty() {
            let kind = reader.u8()?;
            reader.take(3)?;
            let length = usize::try_from(reader.u32()?).ok()?;
            let mut body = Reader(reader.take(length)?);
            let edit = match kind {
                ADD => Edit::Add(Added::read(&mut body)?),
                START => {
                    let (topic, partition) = (TopicId(body.uuid()?), body.i32()?);
                    body.take(4)?;
                    Edit::Start { topic, partition, offset: Offset(body.i64()?) }
                }
                GONE => Edit::Gone { topic: TopicId(body.uuid()?) },
                DELETED => Edit::Deleted { object: body.uuid()? },
                _ => return None,
            };
            if !body.0.is_empty() {
                return None;
            }
            edits.push(edit);
        }
        Some(edits)
    }
}

impl Added {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.id.as_bytes());
        out.extend_from_slice(&self.bytes.to_le_bytes());
        out.extend_from_slice(&self.created_ms.to_le_bytes());
        out.extend_from_slice(&self.crc.to_le_bytes());
        out.extend_from_slice(&[self.level, 0]);
        put_text(out, &self.name);
        put_runs(out, &self.topics, &self.runs);
    }

    fn read(reader: &mut Reader<'_>) -> Option<Added> {
        let (id, bytes, created_ms, crc) = (reader.uuid()?, reader.u64()?, reader.i64()?, reader.u32()?);
        let level = reader.u8()?;
        reader.u8()?;
        let name = reader.text()?.to_owned();
        let (topics, runs) = read_runs(reader)?;
        let inside = runs.iter().all(|run| run.position + run.bytes <= bytes);
        inside.then_some(Added { id, name, bytes, created_ms, crc, level, topics, runs })
    }
}

/// About how long the edit that adds an object is.
pub(crate) fn add_bytes(name: usize, topics: usize, runs: usize) -> usize {
    64 + name + topics * 48 + runs * 64
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::*;

    fn edits() -> Vec<Edit> {
        let id = TopicId(Uuid::from_u128(9));
        let (position, bytes) = (8, 100);
        let run = Run {
            topic: id,
            partition: 1,
            base: Offset(3),
            next: Offset(5),
            position,
            bytes,
            first_time: Timestamp(-1),
            max_time: Timestamp(7),
            crc: 0xdead_beef,
            epoch: 2,
        };
        let added = Added {
            id: Uuid::from_u128(1),
            name: "aa/t/1/x.frz".into(),
            bytes: 300,
            created_ms: 12,
            crc: 77,
            level: 1,
            topics: vec![TopicRef { id, name: "t".into() }],
            runs: vec![run],
        };
        vec![
            Edit::Add(added),
            Edit::Start { topic: id, partition: 1, offset: Offset(4) },
            Edit::Gone { topic: id },
            Edit::Deleted { object: Uuid::from_u128(1) },
        ]
    }

    #[test]
    fn edits_come_back_as_they_were() {
        let bytes: Vec<Bytes> = edits().iter().map(Edit::encode).collect();
        assert_eq!(Edit::read_all(&bytes.concat()), Some(edits()));
    }

    #[test]
    fn bytes_that_are_cut_or_changed_never_panic() {
        let bytes = edits().iter().map(Edit::encode).collect::<Vec<_>>().concat();
        for at in 0..bytes.len() {
            let read = Edit::read_all(&bytes[..at]);
            assert!(read.is_none_or(|read| read.len() < 4), "cut at {at}");
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                let _ = Edit::read_all(&changed);
            }
        }
    }

    #[test]
    fn a_run_outside_of_its_object_is_refused() {
        let Edit::Add(mut added) = edits().remove(0) else { unreachable!() };
        added.bytes = 107;
        assert_eq!(Edit::read_all(&Edit::Add(added).encode()), None);
    }
}
