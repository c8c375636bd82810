//! OffsetForLeaderEpoch: where did an epoch of the leader end? (KIP-101, KIP-320)

use std::sync::Arc;

use kafka_protocol::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use kafka_protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};
use runtime::Driver;

use super::fetch::check_epoch;
use super::{Call, Handled};
use crate::cluster::Topic;
use crate::errors::{Fault, NONE};
use crate::message::{Look, Question};
use crate::shard::LEADER_EPOCH;

pub async fn handle<D: Driver>(call: Call<D>) -> Handled {
    let request: OffsetForLeaderEpochRequest = call.decode()?;
    let cluster = call.shard.node.cluster();
    let mut topics = Vec::new();
    for topic in request.topics {
        let mut partitions = Vec::new();
        for asked in &topic.partitions {
            let unknown =
                || Fault::unknown_partition(format_args!("partition {}-{}", topic.topic.as_str(), asked.partition));
            let look = |topic: &Arc<Topic>| Look::at(topic, asked.partition, Question::Frontiers);
            let look = check_epoch(asked.current_leader_epoch)
                .and_then(|()| cluster.topic(topic.topic.as_str()).and_then(look).ok_or_else(unknown));
            let facts = match look {
                Ok(look) => call.shard.look_anywhere(vec![look]).await.pop().expect("one answer per question"),
                Err(fault) => Err(fault),
            };
            let answer = EpochEndOffset::default().with_partition(asked.partition);
            partitions.push(match facts {
                Err(fault) => answer.with_error_code(fault.code()).with_leader_epoch(-1).with_end_offset(-1),
                // There was never another epoch than this one.
                Ok(facts) if asked.leader_epoch >= LEADER_EPOCH => answer
                    .with_error_code(NONE)
                    .with_leader_epoch(LEADER_EPOCH)
                    .with_end_offset(facts.frontiers.high_watermark().0),
                Ok(_) => answer.with_error_code(NONE).with_leader_epoch(-1).with_end_offset(-1),
            });
        }
        topics.push(OffsetForLeaderTopicResult::default().with_topic(topic.topic).with_partitions(partitions));
    }
    call.answer(&OffsetForLeaderEpochResponse::default().with_topics(topics))
}
