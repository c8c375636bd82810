//! How is an object with runs built, and how is its footer read?
//!
//! Drawn in `docs/formats/archive.md`.

use bytes::Bytes;
use model::{Error, Offset, Result, ShardId, Timestamp};
use uuid::Uuid;
use wire::batch::BatchHeader;

use crate::code::{Reader, put_count};
use crate::run::{Run, TopicRef, put_runs, read_runs};

const MAGIC: &[u8; 8] = b"FRZARCH1";
const FOOTER_MAGIC: &[u8; 8] = b"FRZFOOT1";
const END_MAGIC: &[u8; 8] = b"FRZARCHE";
const VERSION: u16 = 1;
const MARK_BYTES: usize = 24;
/// The bytes at an object's end that tell where its footer is.
pub const TRAILER_BYTES: u64 = 32;
/// How far the marks of a run lie apart, about.
pub const MARK_EVERY_BYTES: u64 = 256 * 1024;

/// A place in a run where a reader can begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub offset: Offset,
    pub position: u64,
    /// The largest timestamp in the run before it.
    pub time: Timestamp,
}

/// What an object says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Footer {
    pub shard: ShardId,
    pub cluster: Uuid,
    pub id: Uuid,
    pub created_ms: i64,
    pub topics: Vec<TopicRef>,
    pub runs: Vec<Run>,
    /// Of each run.
    pub marks: Vec<Vec<Mark>>,
}

/// Takes batches, sorted by topic id, partition and offset, and makes an object of them without copying them.
#[derive(Debug)]
pub struct ObjectBuilder {
    footer: Footer,
    parts: Vec<Bytes>,
    bytes: u64,
    crc: u32,
}

/// An object that is ready to be written.
#[derive(Debug, Clone)]
pub struct Built {
    pub footer: Footer,
    pub parts: Vec<Bytes>,
    pub bytes: u64,
    /// Of the whole object.
    pub crc: u32,
}

impl ObjectBuilder {
    pub fn new(cluster: Uuid, shard: ShardId, id: Uuid, created_ms: i64) -> ObjectBuilder {
        let (topics, runs, marks) = (Vec::new(), Vec::new(), Vec::new());
        let footer = Footer { shard, cluster, id, created_ms, topics, runs, marks };
        let mut builder = ObjectBuilder { footer, parts: Vec::new(), bytes: 0, crc: 0 };
        builder.put(Bytes::from_static(MAGIC));
        builder
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn is_empty(&self) -> bool {
        self.footer.runs.is_empty()
    }

    /// Adds the next batch of a partition. `Damaged`: these bytes are no batch, or its CRC is wrong.
    pub fn push(&mut self, topic: &TopicRef, partition: i32, batch: Bytes) -> Result<()> {
        let header = wire::batch::check(&batch).map_err(|error| {
            let name = &topic.name;
            Error::damaged(format!("a batch of {name}-{partition} cannot be archived, the log gave back: {error}"))
        })?;
        if self.footer.topics.last() != Some(topic) {
            self.footer.topics.push(topic.clone());
        }
        if !self.footer.runs.last().is_some_and(|run| continues(run, topic, partition, &header)) {
            self.begin(topic, partition, &header);
        }
        let run = self.footer.runs.last_mut().expect("begun");
        let marks = self.footer.marks.last_mut().expect("begun with the run");
        if marks.last().is_none_or(|mark| self.bytes >= mark.position + MARK_EVERY_BYTES) {
            marks.push(Mark { offset: Offset(header.base_offset), position: self.bytes, time: run.max_time });
        }
        run.next = Offset(header.last_offset()).plus(1);
        run.bytes += batch.len() as u64;
        run.max_time = run.max_time.max(Timestamp(header.max_timestamp));
        run.crc = crc32c::crc32c_append(run.crc, &batch);
        self.put(batch);
        Ok(())
    }

    fn begin(&mut self, topic: &TopicRef, partition: i32, header: &BatchHeader) {
        let base = Offset(header.base_offset);
        if let Some(last) = self.footer.runs.last() {
            let before = (last.topic, last.partition, last.next) <= (topic.id, partition, base);
            assert!(before, "runs are sorted: {}-{partition} from {base} after {last:?}", topic.name);
        }
        self.footer.runs.push(Run {
            topic: topic.id,
            partition,
            base,
            next: base,
            position: self.bytes,
            bytes: 0,
            first_time: Timestamp(header.base_timestamp),
            max_time: Timestamp::NONE,
            crc: 0,
            epoch: header.leader_epoch,
        });
        self.footer.marks.push(Vec::new());
    }

    fn put(&mut self, part: Bytes) {
        self.crc = crc32c::crc32c_append(self.crc, &part);
        self.bytes += part.len() as u64;
        self.parts.push(part);
    }

    pub fn build(mut self) -> Built {
        let position = self.bytes;
        let footer = self.footer.encode();
        let mut trailer = Vec::with_capacity(TRAILER_BYTES as usize);
        let length = position + footer.len() as u64 + TRAILER_BYTES;
        trailer.extend_from_slice(&crc32c::crc32c(&footer).to_le_bytes());
        put_count(&mut trailer, footer.len());
        trailer.extend_from_slice(&position.to_le_bytes());
        trailer.extend_from_slice(&length.to_le_bytes());
        trailer.extend_from_slice(END_MAGIC);
        self.put(footer.into());
        self.put(trailer.into());
        Built { footer: self.footer, parts: self.parts, bytes: self.bytes, crc: self.crc }
    }
}

fn continues(run: &Run, topic: &TopicRef, partition: i32, header: &BatchHeader) -> bool {
    let same = run.topic == topic.id && run.partition == partition && run.epoch == header.leader_epoch;
    same && run.next.0 == header.base_offset
}

/// Where the footer of an object lies and what its CRC is, from the object's last bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trailer {
    pub crc: u32,
    pub bytes: u32,
    pub position: u64,
    pub length: u64,
}

impl Trailer {
    pub fn parse(bytes: &[u8]) -> Option<Trailer> {
        let mut reader = Reader(bytes);
        let (crc, bytes) = (reader.u32()?, reader.u32()?);
        let (position, length) = (reader.u64()?, reader.u64()?);
        let whole = position.checked_add(u64::from(bytes))?.checked_add(TRAILER_BYTES)? == length;
        (whole && reader.take(8)? == END_MAGIC && reader.0.is_empty()).then_some(Trailer {
            crc,
            bytes,
            position,
            length,
        })
    }
}

impl Footer {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + self.runs.len() * 96);
        out.extend_from_slice(FOOTER_MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&self.shard.0.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(self.cluster.as_bytes());
        out.extend_from_slice(self.id.as_bytes());
        out.extend_from_slice(&self.created_ms.to_le_bytes());
        put_runs(&mut out, &self.topics, &self.runs);
        for marks in &self.marks {
            put_count(&mut out, marks.len());
            for mark in marks {
                out.extend_from_slice(&mark.offset.0.to_le_bytes());
                out.extend_from_slice(&mark.position.to_le_bytes());
                out.extend_from_slice(&mark.time.0.to_le_bytes());
            }
        }
        out
    }

    /// Reads a footer whose CRC is known to be right.
    pub fn parse(bytes: &[u8]) -> Result<Footer> {
        let mut reader = Reader(bytes);
        let magic = reader.take(8);
        let version = reader.u16();
        if magic == Some(FOOTER_MAGIC) && version.is_some_and(|version| version > VERSION) {
            return Err(Error::invalid(
                "an object of the archive was written by a newer version of the program; use that",
            ));
        }
        let footer = (magic == Some(FOOTER_MAGIC) && version == Some(VERSION)).then(|| Footer::rest(reader)).flatten();
        footer.ok_or_else(|| Error::damaged("the footer of an object of the archive makes no sense"))
    }

    fn rest(mut reader: Reader<'_>) -> Option<Footer> {
        let shard = ShardId(reader.u16()?);
        reader.take(4)?;
        let (cluster, id, created_ms) = (reader.uuid()?, reader.uuid()?, reader.i64()?);
        let (topics, runs) = read_runs(&mut reader)?;
        let mut all = Vec::with_capacity(runs.len());
        for _ in &runs {
            let mut marks = Vec::new();
            for _ in 0..reader.count(MARK_BYTES)? {
                let (offset, position) = (Offset(reader.i64()?), reader.u64()?);
                marks.push(Mark { offset, position, time: Timestamp(reader.i64()?) });
            }
            all.push(marks);
        }
        reader.0.is_empty().then_some(Footer { shard, cluster, id, created_ms, topics, runs, marks: all })
    }

    /// The footer in a whole object.
    pub fn of_object(object: &[u8]) -> Result<Footer> {
        let cut = || Error::damaged("an object of the archive is cut off or was overwritten");
        let at = object.len().checked_sub(TRAILER_BYTES as usize).ok_or_else(cut)?;
        let trailer = Trailer::parse(&object[at..]).ok_or_else(cut)?;
        let from = usize::try_from(trailer.position).map_err(|_| cut())?;
        let footer = object.get(from..at).ok_or_else(cut)?;
        match crc32c::crc32c(footer) == trailer.crc {
            true => Footer::parse(footer),
            false => Err(Error::damaged("the footer of an object of the archive is damaged: its CRC-32C is wrong")),
        }
    }

    /// Marks of the run that begins at this byte.
    pub fn marks_at(&self, position: u64) -> Option<&[Mark]> {
        let index = self.runs.iter().position(|run| run.position == position)?;
        self.marks.get(index).map(Vec::as_slice)
    }
}

#[cfg(test)]
pub(crate) mod tests;
