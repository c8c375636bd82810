//! How do stored batches get to a consumer without being copied?
//!
//! `kafka-protocol` writes into one buffer; here a response is a list of pieces, those with batches being the very
//! bytes that were read, for one vectored write. FetchResponse 4 to 17, without tagged fields:
//!
//! ```text
//! length i32 | correlation id i32 | throttle ms i32 | from 7: error i16, session i32 | topics
//! topic:     name (from 13: id) | partitions
//! partition: index i32 | error i16 | high watermark i64 | last stable i64 | from 5: log start i64
//!            | aborted (producer id i64, first offset i64) | from 11: preferred replica i32 | records
//! ```
//!
//! From 12 on lengths and counts are compact, and an empty list of tagged fields ends header, topic, partition,
//! aborted transaction and body.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use crate::frame::PREFIX_BYTES;
use crate::request::Head;
use crate::response::{ResponseError, header_version, start};

const API_KEY: i16 = 1;
/// Pieces up to here are cheaper to copy than to hand to the kernel one by one.
const COPIED_BYTES_MAX: usize = 512;

/// What is answered to a fetch.
#[derive(Debug, Clone, Default)]
pub struct Fetched {
    pub throttle_time_ms: i32,
    /// Of the request as a whole; lost below version 7.
    pub error_code: i16,
    /// 0: no session (KIP-227).
    pub session_id: i32,
    pub topics: Vec<FetchedTopic>,
}

#[derive(Debug, Clone)]
pub struct FetchedTopic {
    /// As the client named it: up to version 12.
    pub name: StrBytes,
    /// From version 13 on.
    pub id: Uuid,
    pub partitions: Vec<FetchedPartition>,
}

#[derive(Debug, Clone)]
pub struct FetchedPartition {
    pub index: i32,
    pub error_code: i16,
    pub high_watermark: i64,
    pub last_stable: i64,
    pub log_start: i64,
    /// Producer id and first offset of each aborted transaction in the batches, for `read_committed`.
    pub aborted: Vec<(i64, i64)>,
    /// Whole batches in offset order. None at all is written as empty, never as null: librdkafka fails on null.
    pub batches: Vec<Bytes>,
}

impl FetchedPartition {
    /// A partition that could not be read.
    pub fn failed(index: i32, error_code: i16) -> FetchedPartition {
        FetchedPartition {
            index,
            error_code,
            high_watermark: -1,
            last_stable: -1,
            log_start: -1,
            aborted: Vec::new(),
            batches: Vec::new(),
        }
    }
}

/// The response to a Fetch request as pieces to be written one after the other, length included.
pub fn encode(head: &Head, response: &Fetched) -> Result<Vec<Bytes>, ResponseError> {
    let version = head.api_version;
    let unsendable = |why: &str| ResponseError::Unsendable { api_key: API_KEY, version, why: why.to_owned() };
    let row = crate::layout(API_KEY).expect("Fetch is in the table");
    if !row.serves(version) {
        return Err(unsendable("there is no such version"));
    }
    let text = start(head, header_version(API_KEY, version), 64 + response.topics.len() * 128);
    let mut writer = Writer { text, lent: Vec::new(), version, flexible: row.is_flexible(version) };
    writer.response(response);
    writer.finish().ok_or_else(|| unsendable("it passes 2 GiB"))
}

struct Writer {
    /// All that is not lent, in one buffer.
    text: BytesMut,
    /// Batches, each with the position in `text` before which it belongs.
    lent: Vec<(usize, Bytes)>,
    version: i16,
    flexible: bool,
}

impl Writer {
    fn response(&mut self, response: &Fetched) {
        self.text.put_i32(response.throttle_time_ms);
        if self.version >= 7 {
            self.text.put_i16(response.error_code);
            self.text.put_i32(response.session_id);
        }
        self.length(response.topics.len());
        for topic in &response.topics {
            if self.version >= 13 {
                self.text.put_slice(topic.id.as_bytes());
            } else {
                self.string(&topic.name);
            }
            self.length(topic.partitions.len());
            topic.partitions.iter().for_each(|partition| self.partition(partition));
            self.no_tags();
        }
        self.no_tags();
    }

    fn partition(&mut self, partition: &FetchedPartition) {
        self.text.put_i32(partition.index);
        self.text.put_i16(partition.error_code);
        self.text.put_i64(partition.high_watermark);
        self.text.put_i64(partition.last_stable);
        if self.version >= 5 {
            self.text.put_i64(partition.log_start);
        }
        self.length(partition.aborted.len());
        for (producer_id, first_offset) in &partition.aborted {
            self.text.put_i64(*producer_id);
            self.text.put_i64(*first_offset);
            self.no_tags();
        }
        if self.version >= 11 {
            self.text.put_i32(-1);
        }
        self.length(partition.batches.iter().map(Bytes::len).sum());
        partition.batches.iter().for_each(|batch| self.lend(batch));
        self.no_tags();
    }

    fn lend(&mut self, batch: &Bytes) {
        if batch.len() <= COPIED_BYTES_MAX {
            self.text.put_slice(batch);
            return;
        }
        self.lent.push((self.text.len(), batch.clone()));
    }

    fn string(&mut self, text: &str) {
        // Kafka's limit for strings; the names of topics that exist are far shorter.
        let text = &text.as_bytes()[..text.len().min(i16::MAX as usize)];
        if self.flexible {
            self.length(text.len());
        } else {
            self.text.put_u16(text.len() as u16);
        }
        self.text.put_slice(text);
    }

    /// A count, or a length in bytes.
    fn length(&mut self, length: usize) {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        if !self.flexible {
            self.text.put_u32(length);
            return;
        }
        let mut rest = u64::from(length) + 1;
        while rest >= 0x80 {
            self.text.put_u8((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        self.text.put_u8(rest as u8);
    }

    fn no_tags(&mut self) {
        if self.flexible {
            self.text.put_u8(0);
        }
    }

    /// Writes the length in front and cuts the text where batches belong; `None` above 2 GiB.
    fn finish(mut self) -> Option<Vec<Bytes>> {
        let lent_bytes: usize = self.lent.iter().map(|(_, batch)| batch.len()).sum();
        let length = i32::try_from(self.text.len() + lent_bytes - PREFIX_BYTES).ok()?;
        self.text[..PREFIX_BYTES].copy_from_slice(&length.to_be_bytes());
        let text = self.text.freeze();
        let mut pieces = Vec::with_capacity(2 * self.lent.len() + 1);
        let mut from = 0;
        for (at, batch) in self.lent {
            pieces.push(text.slice(from..at));
            pieces.push(batch);
            from = at;
        }
        pieces.push(text.slice(from..));
        pieces.retain(|piece| !piece.is_empty());
        Some(pieces)
    }
}

#[cfg(test)]
mod tests;
