//! What is sent?
//!
//! One request per partition, made before the run and sent again and again as it is: the generator shares the machine
//! with what it measures. Its correlation id is the partition's index.

use anyhow::{Context, Result};
use bytes::Bytes;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{ProduceRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use wire::request::{self, Head};
use wire::{BatchBuilder, Compression};

pub const CLIENT_ID: &str = "frazil-load";
pub const PRODUCE: i16 = 0;
/// From Kafka 2.1 on every broker speaks it, and it has all that is needed here: no handshake.
pub const PRODUCE_VERSION: i16 = 7;
const TIMEOUT_MS: i32 = 30_000;
const WORDS: [&str; 16] = [
    "delayed",
    "boarding",
    "carrier",
    "departed",
    "runway",
    "gate",
    "arrival",
    "scheduled",
    "ZRH",
    "KEF",
    "taxi",
    "diverted",
    "HEL",
    "cancelled",
    "weather",
    "crew",
];

/// The shape of all batches of a run.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub records: usize,
    /// Key and value of each.
    pub record_bytes: usize,
    pub key_bytes: usize,
    pub codec: Compression,
}

/// A batch of made-up events, which compress about as well as logs do. The same seed gives the same records.
pub fn batch(shape: Shape, seed: u64, timestamp_ms: i64) -> Bytes {
    let mut random = Random(seed.wrapping_add(0x9E37_79B9_7F4A_7C15));
    let mut builder = BatchBuilder::new(shape.codec);
    for _ in 0..shape.records {
        let key = text(&mut random, shape.key_bytes);
        let value = text(&mut random, shape.record_bytes - shape.key_bytes);
        let key = (shape.key_bytes > 0).then_some(key.as_slice());
        builder.push(timestamp_ms, key, Some(&value), &[]);
    }
    builder.build()
}

fn text(random: &mut Random, bytes: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes + 32);
    while text.len() < bytes {
        let number = random.next();
        let word = WORDS[(number % WORDS.len() as u64) as usize];
        text.extend_from_slice(format!("{:05}:{word},", (number >> 32) % 100_000).as_bytes());
    }
    text.truncate(bytes);
    text
}

/// Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// A whole request with one batch for one partition.
pub fn request(topic: &str, partition: i32, acks: i16, batch: Bytes) -> Result<Bytes> {
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch));
    let topic = TopicProduceData::default().with_name(topic_name(topic)).with_partition_data(vec![data]);
    let message = ProduceRequest::default().with_acks(acks).with_timeout_ms(TIMEOUT_MS).with_topic_data(vec![topic]);
    request::encode(&head(PRODUCE, PRODUCE_VERSION, partition), &message).context("the requests cannot be made")
}

pub fn head(api_key: i16, api_version: i16, correlation_id: i32) -> Head {
    Head { api_key, api_version, correlation_id, client_id: Some(CLIENT_ID.to_owned()) }
}

pub fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

#[cfg(test)]
mod tests;
