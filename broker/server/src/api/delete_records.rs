//! DeleteRecords: forget the beginning of partitions (KIP-107).

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use kafka_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};
use model::Offset;
use runtime::Driver;

use super::{Call, Handled};
use crate::cluster::{Cluster, Place};
use crate::errors::{Fault, NONE};
use crate::internal;
use crate::message::Trim;

pub async fn handle<D: Driver>(call: Call<D>) -> Handled {
    let request: DeleteRecordsRequest = call.decode()?;
    let cluster = call.shard.node.cluster();
    let mut topics = Vec::new();
    for topic in request.topics {
        let mut partitions = Vec::new();
        for asked in &topic.partitions {
            let outcome = match place(&cluster, topic.name.as_str(), asked.partition_index) {
                Ok(place) => {
                    let is_table = cluster.topic(topic.name.as_str()).is_some_and(|topic| topic.is_table());
                    let trim = Trim { partition: place.id, below: Offset(asked.offset), is_table };
                    let trims = vec![(place.shard, trim)];
                    call.shard.trim_anywhere(trims).await.pop().expect("one answer per question")
                }
                Err(fault) => Err(fault),
            };
            let result = DeleteRecordsPartitionResult::default().with_partition_index(asked.partition_index);
            partitions.push(match outcome {
                Ok(start) => result.with_error_code(NONE).with_low_watermark(start.0),
                Err(fault) => result.with_error_code(fault.code()).with_low_watermark(-1),
            });
        }
        topics.push(DeleteRecordsTopicResult::default().with_name(topic.name).with_partitions(partitions));
    }
    call.answer(&DeleteRecordsResponse::default().with_topics(topics))
}

fn place(cluster: &Cluster, topic: &str, partition: i32) -> Result<Place, Fault> {
    if internal::find(topic).is_some() {
        return Err(Fault::new(ResponseError::PolicyViolation, format!("topic '{topic}' belongs to the node")));
    }
    let unknown = || Fault::unknown_partition(format_args!("partition {topic}-{partition}"));
    cluster.place(topic, partition).ok_or_else(unknown)
}
