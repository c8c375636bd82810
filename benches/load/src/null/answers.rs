//! What does the null broker read in a request, and what does it answer?

use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    BrokerId, CreateTopicsRequest, CreateTopicsResponse, FetchRequest, ListOffsetsRequest, ListOffsetsResponse,
    MetadataRequest, MetadataResponse,
};
use kafka_protocol::protocol::StrBytes;
use wire::batch;
use wire::request::{self, Head};
use wire::response;

use super::Partition;
use crate::payload::PRODUCE_VERSION;

const LIST_OFFSETS: i16 = 2;
const METADATA: i16 = 3;
const CREATE_TOPICS: i16 = 19;
/// A batch's place is its first eight bytes, outside of its CRC.
const BASE_OFFSET_BYTES: usize = 8;

/// A request.
pub struct Asked {
    pub head: Head,
    pub body: Bytes,
}

/// A batch, checked.
pub struct Produced {
    correlation_id: i32,
    topic: Bytes,
    pub partition: usize,
    pub batch: Bytes,
    pub records: i32,
}

/// A fetch.
pub struct Waiting {
    correlation_id: i32,
    topic: String,
    bytes_max: usize,
    /// Partition, offset, most bytes.
    wants: Vec<(usize, i64, usize)>,
}

impl Asked {
    /// Reads by hand what the generator sends: one batch for one partition.
    pub fn produced(mut self) -> Result<Produced> {
        ensure!(self.head.api_version == PRODUCE_VERSION, "only Produce {PRODUCE_VERSION} is known here");
        let body = &mut self.body;
        ensure!(body.try_get_i16()? == -1, "no transactions here");
        let (_acks, _timeout_ms, topics) = (body.try_get_i16()?, body.try_get_i32()?, body.try_get_i32()?);
        let length = usize::try_from(body.try_get_i16()?)?;
        ensure!(topics == 1 && length <= body.len(), "one topic at a time");
        let topic = body.split_to(length);
        let (partitions, partition) = (body.try_get_i32()?, usize::try_from(body.try_get_i32()?)?);
        let length = usize::try_from(body.try_get_i32()?)?;
        ensure!(partitions == 1 && length <= body.len(), "one partition at a time");
        let batch = body.split_to(length);
        let records = batch::check(&batch)?.record_count;
        Ok(Produced { correlation_id: self.head.correlation_id, topic, partition, batch, records })
    }

    pub fn fetch(self) -> Result<Waiting> {
        let request: FetchRequest = request::decode(self.head.api_key, self.head.api_version, self.body)?;
        let topic = request.topics.into_iter().next().context("a fetch of nothing")?;
        let want = |p: &kafka_protocol::messages::fetch_request::FetchPartition| {
            Ok((usize::try_from(p.partition)?, p.fetch_offset, usize::try_from(p.partition_max_bytes)?))
        };
        Ok(Waiting {
            correlation_id: self.head.correlation_id,
            topic: topic.topic.0.to_string(),
            bytes_max: usize::try_from(request.max_bytes)?,
            wants: topic.partitions.iter().map(want).collect::<Result<_>>()?,
        })
    }

    /// What a generator asks before it begins.
    pub fn other(self, addr: SocketAddr, partitions: &mut Vec<Partition>) -> Result<Bytes> {
        let (key, version) = (self.head.api_key, self.head.api_version);
        match key {
            CREATE_TOPICS => {
                let request: CreateTopicsRequest = request::decode(key, version, self.body)?;
                let topic = request.topics.into_iter().next().context("no topic to create")?;
                // All topics share the partitions of the largest.
                let count = partitions.len().max(usize::try_from(topic.num_partitions)?);
                partitions.resize_with(count, Partition::default);
                let done = CreatableTopicResult::default().with_name(topic.name).with_error_message(None);
                let answer = CreateTopicsResponse::default().with_topics(vec![done]);
                Ok(response::encode(&self.head, version, 0, &answer)?)
            }
            METADATA => {
                let request: MetadataRequest = request::decode(key, version, self.body)?;
                let name = request.topics.unwrap_or_default().into_iter().next().and_then(|topic| topic.name);
                let node = BrokerId(1);
                let broker = MetadataResponseBroker::default()
                    .with_node_id(node)
                    .with_host(StrBytes::from_string(addr.ip().to_string()))
                    .with_port(addr.port().into());
                let partition =
                    |index| MetadataResponsePartition::default().with_partition_index(index).with_leader_id(node);
                let all = (0..i32::try_from(partitions.len())?).map(partition).collect();
                let topic = MetadataResponseTopic::default().with_name(name).with_partitions(all);
                let answer = MetadataResponse::default().with_brokers(vec![broker]).with_topics(vec![topic]);
                Ok(response::encode(&self.head, version, 0, &answer)?)
            }
            LIST_OFFSETS => {
                let request: ListOffsetsRequest = request::decode(key, version, self.body)?;
                let topic = request.topics.into_iter().next().context("no topic to look into")?;
                let ends = topic.partitions.iter().filter_map(|asked| {
                    let end = partitions.get(usize::try_from(asked.partition_index).ok()?)?.end;
                    let offset = if asked.timestamp == -1 { end } else { 0 };
                    Some(
                        ListOffsetsPartitionResponse::default()
                            .with_partition_index(asked.partition_index)
                            .with_offset(offset),
                    )
                });
                let topic = ListOffsetsTopicResponse::default().with_name(topic.name).with_partitions(ends.collect());
                let answer = ListOffsetsResponse::default().with_topics(vec![topic]);
                Ok(response::encode(&self.head, version, 0, &answer)?)
            }
            key => bail!("the null broker does not serve API {key}"),
        }
    }
}

impl Produced {
    pub fn answer(&self, base: i64) -> Bytes {
        let mut frame = BytesMut::with_capacity(64 + self.topic.len());
        frame.put_i32(0);
        frame.put_i32(self.correlation_id);
        frame.put_i32(1);
        frame.put_i16(self.topic.len() as i16);
        frame.put_slice(&self.topic);
        frame.put_i32(1);
        frame.put_i32(self.partition as i32);
        frame.put_i16(0);
        frame.put_i64(base);
        frame.put_i64(-1);
        frame.put_i64(0);
        frame.put_i32(0);
        with_length(frame, 0)
    }
}

impl Waiting {
    /// `None` while there is nothing to send.
    pub fn answer(&self, partitions: &[Partition]) -> Option<Vec<Bytes>> {
        let mut left = self.bytes_max;
        let mut found: Vec<(&(usize, i64, usize), usize)> = Vec::new();
        for want in &self.wants {
            let Some(partition) = partitions.get(want.0).filter(|partition| partition.end > want.1) else { continue };
            let there = (partition.end - want.1) as u64 / u64::from(partition.records.unsigned_abs().max(1));
            let fits = (left.min(want.2) / partition.batch.len().max(1)) as u64;
            let count = there.min(fits.max(u64::from(found.is_empty()))) as usize;
            if count > 0 {
                left = left.saturating_sub(count * partition.batch.len());
                found.push((want, count));
            }
        }
        (!found.is_empty()).then(|| self.frame(&found, partitions))
    }

    /// A Fetch response of version 11, the batches as pieces of their own.
    fn frame(&self, found: &[(&(usize, i64, usize), usize)], partitions: &[Partition]) -> Vec<Bytes> {
        let mut head = BytesMut::new();
        head.put_i32(0);
        head.put_i32(self.correlation_id);
        head.put_i32(0);
        head.put_i16(0);
        head.put_i32(0);
        head.put_i32(1);
        head.put_i16(self.topic.len() as i16);
        head.put_slice(self.topic.as_bytes());
        head.put_i32(found.len() as i32);
        let (mut pieces, mut batches_bytes) = (Vec::new(), 0);
        for ((index, from, _), count) in found {
            let Partition { end, batch, records } = &partitions[*index];
            head.put_i32(*index as i32);
            head.put_i16(0);
            [*end, *end, 0].into_iter().for_each(|offset| head.put_i64(offset));
            head.put_i32(-1);
            head.put_i32(-1);
            head.put_i32((count * batch.len()) as i32);
            for number in 0..*count {
                head.put_i64(from + number as i64 * i64::from(*records));
                pieces.push(head.split().freeze());
                pieces.push(batch.slice(BASE_OFFSET_BYTES..));
            }
            batches_bytes += count * (batch.len() - BASE_OFFSET_BYTES);
        }
        let others: usize = pieces.iter().step_by(2).map(Bytes::len).sum();
        let first = BytesMut::from(&pieces[0][..]);
        pieces[0] = with_length(first, others - pieces[0].len() + batches_bytes);
        pieces
    }
}

/// Puts the frame's length in front: its own bytes and `more`.
fn with_length(mut frame: BytesMut, more: usize) -> Bytes {
    let length = (frame.len() - 4 + more) as i32;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    frame.freeze()
}

#[cfg(test)]
mod tests;
