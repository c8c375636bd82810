//! CreatePartitions: let topics grow.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::{BrokerId, CreatePartitionsRequest, CreatePartitionsResponse};
use model::TopicName;
use runtime::Driver;

use super::{Call, Handled};
use crate::controller::Command;
use crate::errors::{Fault, parts};
use crate::node::Node;

pub async fn handle<D: Driver>(call: Call<D>) -> Handled {
    let request: CreatePartitionsRequest = call.decode()?;
    let mut results = Vec::new();
    for wanted in request.topics {
        let outcome = grow(&call.shard.node, &wanted, request.validate_only).await;
        let (code, message) = parts(&outcome);
        let result = CreatePartitionsTopicResult::default().with_name(wanted.name);
        results.push(result.with_error_code(code).with_error_message(message));
    }
    call.answer(&CreatePartitionsResponse::default().with_results(results))
}

async fn grow(node: &Node, wanted: &CreatePartitionsTopic, validate_only: bool) -> Result<(), Fault> {
    let illegal = |error: model::NameError| Fault::new(ResponseError::InvalidTopicException, error.to_string());
    let name = TopicName::new(wanted.name.as_str()).map_err(illegal)?;
    let here = [BrokerId(node.config.node.0)];
    if wanted.assignments.iter().flatten().any(|assignment| assignment.broker_ids != here) {
        let why = format!("partitions lie on node {}, the only one", node.config.node);
        return Err(Fault::new(ResponseError::InvalidReplicaAssignment, why));
    }
    node.change(Command::Grow { name, total: wanted.count, validate_only }).await?;
    Ok(())
}
