//! Fetch: read batches from these offsets on, and wait for more where there is little.
//!
//! Sessions (KIP-227) are declined by answering session 0: each request names all its partitions.

use std::rc::Rc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::FetchRequest;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use model::limits::{FETCH_BYTES_MAX, WAIT_MS_MAX};
use model::{Offset, ShardId, TopicId};
use runtime::Driver;
use wire::fetch_response::{self, Fetched, FetchedPartition, FetchedTopic};

use super::{Answer, Call, CallError, Frame, Handled};
use crate::cluster::{Cluster, Place, Topic};
use crate::errors::{Fault, NONE};
use crate::message::{Got, Mark, Want, reply};
use crate::shard::{LEADER_EPOCH, Shard};

/// Topics are named by id from this version on.
const IDS_SINCE: i16 = 13;
const READ_COMMITTED: i8 = 1;
/// The pause before another read when one found too little for the client.
const GATHER_MS: u64 = 5;

pub async fn handle<D: Driver>(call: Call<D>) -> Handled {
    let request: FetchRequest = call.decode()?;
    let Call { shard, head, .. } = call;
    if request.session_id != 0 {
        let error_code = ResponseError::FetchSessionIdNotFound.code();
        let frame = fetch_response::encode(&head, &Fetched { error_code, ..Fetched::default() })?;
        return Ok(Answer::Ready(frame));
    }
    Ok(Answer::Later(Box::pin(async move {
        let fetched = fetch(&shard, request, head.api_version).await;
        Ok::<Frame, CallError>(fetch_response::encode(&head, &fetched)?)
    })))
}

/// What is asked of one partition, and of which shard.
struct Ask {
    index: i32,
    want: Result<(ShardId, Want), Fault>,
}

async fn fetch<D: Driver>(shard: &Rc<Shard<D>>, request: FetchRequest, version: i16) -> Fetched {
    let wait_ms = request.max_wait_ms.clamp(0, WAIT_MS_MAX).unsigned_abs();
    let until = shard.driver.now().plus_ms(u64::from(wait_ms));
    let bytes_max = usize::try_from(request.max_bytes).unwrap_or(0).min(FETCH_BYTES_MAX);
    let bytes_min = usize::try_from(request.min_bytes).unwrap_or(0).min(bytes_max);
    let stable_only = request.isolation_level == READ_COMMITTED;
    let mut early = false;
    loop {
        let cluster = shard.node.cluster();
        let asks: Vec<Vec<Ask>> =
            request.topics.iter().map(|topic| asks(topic, &cluster, version, stable_only)).collect();
        let flat: Vec<&Ask> = asks.iter().flatten().collect();
        let outcomes = read(shard, &flat, bytes_max).await;
        let mark = |(ask, got): (&&Ask, &Result<Got, Fault>)| {
            let (place, want) = ask.want.as_ref().ok()?;
            Some((*place, want.mark(got.as_ref().ok()?)))
        };
        let marks: Vec<(ShardId, Mark)> = flat.iter().zip(&outcomes).filter_map(mark).collect();
        let bytes: usize = outcomes.iter().flatten().flat_map(|got| &got.batches).map(bytes::Bytes::len).sum();
        let failed = outcomes.iter().any(Result::is_err);
        if failed || early || bytes >= bytes_min || marks.is_empty() || shard.driver.now() >= until {
            return assemble(&request.topics, &asks, outcomes, bytes_max);
        }
        if bytes > 0 {
            let pause = shard.driver.now().plus_ms(GATHER_MS).min(until);
            shard.driver.sleep_until(pause).await;
        }
        let (wake, woken) = reply();
        shard.watch_anywhere(marks, wake).await;
        early = shard.before(until, woken.recv_async()).await.is_none();
    }
}

fn asks(topic: &FetchTopic, cluster: &Cluster, version: i16, stable_only: bool) -> Vec<Ask> {
    let found = match version >= IDS_SINCE {
        true => cluster.topic_by_id(TopicId(topic.topic_id)).ok_or_else(|| {
            Fault::new(ResponseError::UnknownTopicId, format!("there is no topic with the id {}", topic.topic_id))
        }),
        false => {
            let unknown = || Fault::unknown_partition(format_args!("topic '{}'", topic.topic.as_str()));
            cluster.topic(topic.topic.as_str()).ok_or_else(unknown)
        }
    };
    let want = |asked: &FetchPartition| {
        let topic = found.clone()?;
        let place = place(topic, asked.partition, asked.current_leader_epoch)?;
        let bytes_max = usize::try_from(asked.partition_max_bytes).unwrap_or(0);
        let (partition, origin, from) = (place.id, topic.origin(asked.partition), Offset(asked.fetch_offset));
        Ok((place.shard, Want { partition, origin, from, bytes_max, stable_only }))
    };
    topic.partitions.iter().map(|asked| Ask { index: asked.partition, want: want(asked) }).collect()
}

fn place(topic: &Topic, partition: i32, epoch: i32) -> Result<Place, Fault> {
    check_epoch(epoch)?;
    topic.place(partition).ok_or_else(|| Fault::unknown_partition(format_args!("partition {}-{partition}", topic.name)))
}

/// Is the leader epoch that the client believes in (-1: none) ours? (KIP-320)
pub fn check_epoch(epoch: i32) -> Result<(), Fault> {
    match epoch {
        -1 | LEADER_EPOCH => Ok(()),
        _ if epoch < LEADER_EPOCH => {
            Err(Fault::new(ResponseError::FencedLeaderEpoch, format!("the leader epoch is {LEADER_EPOCH} by now")))
        }
        _ => Err(Fault::new(ResponseError::UnknownLeaderEpoch, format!("the leader epoch is still {LEADER_EPOCH}"))),
    }
}

/// Reads all partitions from their owners; each owner gets the whole budget, what is too much is cut afterwards.
async fn read<D: Driver>(shard: &Rc<Shard<D>>, asks: &[&Ask], bytes_max: usize) -> Vec<Result<Got, Fault>> {
    let mut outcomes: Vec<Result<Got, Fault>> = Vec::with_capacity(asks.len());
    let (mut wants, mut places) = (Vec::new(), Vec::new());
    for (index, ask) in asks.iter().enumerate() {
        match &ask.want {
            Ok((owner, want)) => {
                wants.push((*owner, Want { bytes_max: want.bytes_max.min(bytes_max), ..*want }));
                places.push(index);
                outcomes.push(Err(Fault::stopping()));
            }
            Err(fault) => outcomes.push(Err(fault.clone())),
        }
    }
    for (index, got) in places.into_iter().zip(shard.read_anywhere(wants, bytes_max).await) {
        outcomes[index] = got;
    }
    outcomes
}

/// Puts the batches together, in the request's order and within its limit; the first batch always passes (KIP-74).
fn assemble(topics: &[FetchTopic], asks: &[Vec<Ask>], outcomes: Vec<Result<Got, Fault>>, bytes_max: usize) -> Fetched {
    let mut outcomes = outcomes.into_iter();
    let mut left = bytes_max;
    let mut empty = true;
    let mut partition = |ask: &Ask, outcome: Result<Got, Fault>| {
        let got = match outcome {
            Ok(got) => got,
            Err(fault) => return FetchedPartition::failed(ask.index, fault.code()),
        };
        let fits = |batch: &bytes::Bytes| {
            let fits = empty || batch.len() <= left;
            empty = false;
            left = if fits { left.saturating_sub(batch.len()) } else { 0 };
            fits
        };
        FetchedPartition {
            index: ask.index,
            error_code: NONE,
            high_watermark: got.frontiers.high_watermark().0,
            last_stable: got.frontiers.last_stable().0,
            log_start: got.frontiers.log_start().0,
            aborted: Vec::new(),
            batches: got.batches.into_iter().take_while(fits).collect(),
        }
    };
    let topics = topics.iter().zip(asks).map(|(topic, asks)| FetchedTopic {
        name: topic.topic.0.clone(),
        id: topic.topic_id,
        partitions: asks.iter().zip(outcomes.by_ref()).map(|(ask, outcome)| partition(ask, outcome)).collect(),
    });
    Fetched { topics: topics.collect(), ..Fetched::default() }
}

#[cfg(test)]
mod tests;
