//! OffsetDelete: forget how far a group has read these partitions (KIP-496).

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use kafka_protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};
use runtime::Driver;

use super::{Call, Handled};
use crate::errors::NONE;
use crate::groups::{Reply, Request};

pub async fn handle<D: Driver>(call: Call<D>) -> Handled {
    let request: OffsetDeleteRequest = call.decode()?;
    let group = request.group_id.to_string();
    let places = request.topics.iter().map(|t| t.partitions.iter().map(|p| (t.name.to_string(), p.partition_index)));
    let delete = Request::DeleteOffsets { group: group.clone(), places: places.flatten().collect() };
    let reply = call.shard.ask_group(&group, delete).await.await;
    let answers = match reply {
        Some(Reply::DeleteOffsets(outcome)) => outcome,
        _ => Err(ResponseError::CoordinatorNotAvailable),
    };
    let response = OffsetDeleteResponse::default();
    let answers = match answers {
        Ok(answers) => answers,
        Err(error) => return call.answer(&response.with_error_code(error.code())),
    };
    let code = |topic: &str, partition: i32| {
        let found = answers.iter().find(|((t, p), _)| t == topic && *p == partition);
        found.and_then(|(_, error)| *error).map_or(NONE, |error| error.code())
    };
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            OffsetDeleteResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(code(topic.name.as_str(), partition.partition_index))
        });
        OffsetDeleteResponseTopic::default().with_partitions(partitions.collect()).with_name(topic.name)
    });
    let response = response.with_topics(topics.collect());
    call.answer(&response)
}
