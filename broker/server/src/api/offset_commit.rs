//! OffsetCommit: this is how far the group has read.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use kafka_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};
use runtime::Driver;

use super::{Answer, Call, Handled, encode};
use crate::errors::NONE;
use crate::groups::{Commit, CommitOffset, Reply, Request};

pub async fn handle<D: Driver>(call: Call<D>) -> Handled {
    let request: OffsetCommitRequest = call.decode()?;
    let cluster = call.shard.node.cluster();
    let group = request.group_id.to_string();
    let mut offsets = Vec::new();
    for topic in &request.topics {
        for partition in &topic.partitions {
            // Offsets of partitions that do not exist are not kept.
            if cluster.place(topic.name.as_str(), partition.partition_index).is_some() {
                offsets.push(CommitOffset {
                    place: (topic.name.to_string(), partition.partition_index),
                    offset: partition.committed_offset,
                    leader_epoch: partition.committed_leader_epoch,
                    metadata: partition.committed_metadata.as_ref().map(|text| text.to_string()).unwrap_or_default(),
                });
            }
        }
    }
    let commit = Commit {
        group: group.clone(),
        member: request.member_id.to_string(),
        instance: request.group_instance_id.map(|id| id.to_string()),
        generation: request.generation_id_or_member_epoch,
        offsets,
    };
    let asked = call.shard.ask_group(&group, Request::Commit(commit)).await;
    let (head, topics) = (call.head, request.topics);
    Ok(Answer::Later(Box::pin(async move {
        let reply = asked.await;
        let answers = match reply {
            Some(Reply::Commit(answers)) => Ok(answers),
            _ => Err(ResponseError::CoordinatorNotAvailable),
        };
        let code = |topic: &str, partition: i32| match &answers {
            Err(error) => error.code(),
            Ok(answers) => match answers.iter().find(|((t, p), _)| t == topic && *p == partition) {
                Some((_, error)) => error.map_or(NONE, |error| error.code()),
                None => ResponseError::UnknownTopicOrPartition.code(),
            },
        };
        let topics = topics.into_iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|partition| {
                OffsetCommitResponsePartition::default()
                    .with_partition_index(partition.partition_index)
                    .with_error_code(code(topic.name.as_str(), partition.partition_index))
            });
            OffsetCommitResponseTopic::default().with_partitions(partitions.collect()).with_name(topic.name)
        });
        encode(&head, &OffsetCommitResponse::default().with_topics(topics.collect()))
    })))
}
