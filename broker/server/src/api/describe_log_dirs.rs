//! DescribeLogDirs: how much room do partitions take? (KIP-113)

use std::collections::BTreeMap;

use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use kafka_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse, TopicName as WireName};
use kafka_protocol::protocol::StrBytes;
use runtime::Driver;

use super::{Call, Handled};
use crate::message::{Look, Question};

pub async fn handle<D: Driver>(call: Call<D>) -> Handled {
    let request: DescribeLogDirsRequest = call.decode()?;
    let cluster = call.shard.node.cluster();
    let mut asked: Vec<(String, i32)> = Vec::new();
    match request.topics {
        None => cluster.topics().for_each(|topic| {
            asked.extend((0..).zip(&topic.partitions).map(|(index, _)| (topic.name.to_string(), index)));
        }),
        Some(topics) => topics.iter().for_each(|topic| {
            asked.extend(topic.partitions.iter().map(|index| (topic.topic.to_string(), *index)));
        }),
    }
    // Partitions that do not exist lie in no folder.
    asked.retain(|(name, index)| cluster.place(name, *index).is_some());
    let looks = asked.iter().filter_map(|(name, index)| Look::at(cluster.topic(name)?, *index, Question::Frontiers));
    let facts = call.shard.look_anywhere(looks.collect()).await;
    let mut topics: BTreeMap<String, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    for ((name, index), facts) in asked.into_iter().zip(facts) {
        let bytes = facts.map_or(0, |facts| facts.bytes);
        let size = i64::try_from(bytes).unwrap_or(i64::MAX);
        let partition = DescribeLogDirsPartition::default().with_partition_index(index).with_partition_size(size);
        topics.entry(name).or_default().push(partition);
    }
    let topics = topics.into_iter().map(|(name, partitions)| {
        DescribeLogDirsTopic::default().with_name(WireName(StrBytes::from_string(name))).with_partitions(partitions)
    });
    let data_dir = call.shard.node.config.data_dir.display().to_string();
    let result = DescribeLogDirsResult::default()
        .with_log_dir(StrBytes::from_string(data_dir))
        .with_topics(topics.collect())
        .with_total_bytes(-1)
        .with_usable_bytes(-1);
    call.answer(&DescribeLogDirsResponse::default().with_results(vec![result]))
}
