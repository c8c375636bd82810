//! Produce: store batches, and answer when they are durable.

use std::rc::Rc;
use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::produce_request::TopicProduceData;
use kafka_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, TopicProduceResponse,
};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse, TopicName as WireName};
use kafka_protocol::protocol::StrBytes;
use model::limits::THROTTLE_MS_MAX;
use model::{ShardId, TopicId};
use runtime::Driver;
use uuid::Uuid;
use wire::request::Head;

use super::{Answer, Call, CallError, Frame, Handled, encode};
use crate::cluster::{Cluster, Topic};
use crate::errors::{Fault, NONE};
use crate::message::{Append, Appended, Refused, Writer};

/// The first version whose requests we can read; older ones are advertised for librdkafka's sake only.
const FIRST_VERSION: i16 = 3;
/// Topics are named by id from this version on.
const IDS_SINCE: i16 = 13;
/// The response has room for sentences from this version on.
const MESSAGES_SINCE: i16 = 8;

/// The answers of one topic, still without those of the shards.
struct TopicAnswers {
    name: WireName,
    id: Uuid,
    partitions: Vec<(i32, Slot)>,
}

/// A partition's answer: known at once, or the one of the batch with this number.
enum Slot {
    Known(Appended),
    Batch(usize),
}

pub async fn handle<D: Driver>(call: Call<D>) -> Handled {
    if call.version() < FIRST_VERSION {
        return Err(CallError::Refused(format!("Produce is served from version {FIRST_VERSION} on")));
    }
    let request: ProduceRequest = call.decode()?;
    let Call { shard, head, .. } = call;
    let refusal = refusal(&request);
    let cluster = shard.node.cluster();
    let mut appends: Vec<(ShardId, Append)> = Vec::new();
    let topics: Vec<TopicAnswers> =
        request.topic_data.into_iter().map(|data| route(data, &cluster, &refusal, &head, &mut appends)).collect();
    let durable = shard.submit(appends).await;
    if request.acks == 0 {
        // There is no answer that could say what went wrong; the connection's end does.
        let refused = topics.iter().flat_map(|t| &t.partitions).any(|(_, slot)| matches!(slot, Slot::Known(Err(_))));
        if refused {
            return Err(CallError::Refused("a batch sent with acks=0 was refused".into()));
        }
        // An empty answer in its turn: until then the request holds its room, so that the disk slows its sender down.
        return Ok(Answer::Later(Box::pin(async move {
            match durable.await.into_iter().find_map(Result::err) {
                Some(refused) => Err(CallError::Refused(format!("a batch sent with acks=0: {}", refused.fault))),
                None => Ok(Frame::new()),
            }
        })));
    }
    Ok(Answer::Later(Box::pin(async move { respond(&head, topics, durable.await) })))
}

/// What is wrong with the request as a whole.
fn refusal(request: &ProduceRequest) -> Option<Fault> {
    if request.transactional_id.is_some() {
        let why = "transactions are not supported yet; use a producer without a transactional.id";
        return Some(Fault::new(ResponseError::TransactionalIdAuthorizationFailed, why));
    }
    if !(-1..=1).contains(&request.acks) {
        let why = format!("acks is -1, 0 or 1, not {}", request.acks);
        return Some(Fault::new(ResponseError::InvalidRequiredAcks, why));
    }
    None
}

/// Finds the owners of a topic's batches.
fn route(
    data: TopicProduceData,
    cluster: &Cluster,
    refusal: &Option<Fault>,
    head: &Rc<Head>,
    appends: &mut Vec<(ShardId, Append)>,
) -> TopicAnswers {
    let topic = find(&data, cluster, head.api_version);
    let mut answers = TopicAnswers { name: data.name, id: data.topic_id, partitions: Vec::new() };
    for partition in data.partition_data {
        let index = partition.index;
        let place = topic.clone().and_then(|topic| match topic.place(index) {
            Some(place) => Ok((place.shard, topic)),
            None => Err(Fault::unknown_partition(format_args!("partition {}-{index}", topic.name))),
        });
        let slot = match (refusal, place) {
            (Some(fault), _) => Slot::Known(Err(fault.clone().into())),
            (None, Err(fault)) => Slot::Known(Err(fault.into())),
            (None, Ok((shard, topic))) => {
                let by = Writer::Client { version: head.api_version };
                let batch = partition.records.unwrap_or_default();
                appends.push((shard, Append { topic, partition: index, batch, by }));
                Slot::Batch(appends.len() - 1)
            }
        };
        answers.partitions.push((index, slot));
    }
    answers
}

fn find(data: &TopicProduceData, cluster: &Cluster, version: i16) -> Result<Arc<Topic>, Fault> {
    if version >= IDS_SINCE {
        let unknown =
            || Fault::new(ResponseError::UnknownTopicId, format!("there is no topic with the id {}", data.topic_id));
        return cluster.topic_by_id(TopicId(data.topic_id)).cloned().ok_or_else(unknown);
    }
    let unknown = || Fault::unknown_partition(format_args!("topic '{}'", data.name.as_str()));
    cluster.topic(data.name.as_str()).cloned().ok_or_else(unknown)
}

fn respond(head: &Head, topics: Vec<TopicAnswers>, batches: Vec<Appended>) -> Result<Frame, CallError> {
    let version = head.api_version;
    let responses = topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(|(index, slot)| match slot {
            Slot::Known(outcome) => partition_response(index, &outcome, version),
            Slot::Batch(number) => partition_response(index, &batches[number], version),
        });
        let response = TopicProduceResponse::default().with_partition_responses(partitions.collect());
        if version >= IDS_SINCE { response.with_topic_id(topic.id) } else { response.with_name(topic.name) }
    });
    let response = ProduceResponse::default().with_responses(responses.collect());
    encode(head, &response.with_throttle_time_ms(pause_ms(&batches)))
}

/// How long the producer should pause: what the slowest of the shards wishes.
fn pause_ms(batches: &[Appended]) -> i32 {
    let wish = |batch: &Appended| match batch {
        Ok(stored) => stored.throttle_ms,
        // So much waits for the disk that nothing more was taken.
        Err(refused) if refused.fault.error == ResponseError::RequestTimedOut => THROTTLE_MS_MAX,
        Err(_) => 0,
    };
    let longest = batches.iter().map(wish).max().unwrap_or(0);
    i32::try_from(longest).expect("at most the longest pause")
}

fn partition_response(index: i32, outcome: &Appended, version: i16) -> PartitionProduceResponse {
    let response = PartitionProduceResponse::default().with_index(index).with_error_message(None);
    match outcome {
        Ok(stored) => response
            .with_error_code(NONE)
            .with_base_offset(stored.base.0)
            .with_log_append_time_ms(stored.append_time.0)
            .with_log_start_offset(if version >= 5 { stored.log_start.0 } else { -1 }),
        Err(Refused { fault, records }) => {
            let response = response.with_error_code(fault.code()).with_base_offset(-1).with_log_append_time_ms(-1);
            if version < MESSAGES_SINCE {
                return response;
            }
            let records = records.iter().map(|(index, why)| {
                BatchIndexAndErrorMessage::default()
                    .with_batch_index(*index)
                    .with_batch_index_error_message(Some(StrBytes::from_string(why.clone())))
            });
            response.with_error_message(fault.text()).with_record_errors(records.collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{Offset, Timestamp};

    use super::*;
    use crate::message::Stored;

    #[test]
    fn the_slowest_disk_says_how_long_to_pause() {
        let stored = |throttle_ms| {
            Ok(Stored { base: Offset(0), append_time: Timestamp::NONE, log_start: Offset(0), throttle_ms })
        };
        let refused = |error| Err(Refused::from(Fault::new(error, "no")));
        assert_eq!(pause_ms(&[]), 0);
        assert_eq!(pause_ms(&[stored(0), refused(ResponseError::InvalidRecord)]), 0);
        assert_eq!(pause_ms(&[stored(3), stored(40), stored(0)]), 40);
        assert_eq!(pause_ms(&[stored(3), refused(ResponseError::RequestTimedOut)]), 1_000);
    }
}
