//! DeleteTopics: by name, or by id from version 6 on.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse, TopicName as WireName};
use kafka_protocol::protocol::StrBytes;
use model::TopicId;
use runtime::Driver;

use super::{Call, Handled};
use crate::controller::Command;
use crate::errors::{Fault, parts};
use crate::node::Node;

pub async fn handle<D: Driver>(call: Call<D>) -> Handled {
    let request: DeleteTopicsRequest = call.decode()?;
    let named = request.topic_names.into_iter().map(|name| DeleteTopicState::default().with_name(Some(name)));
    let mut responses = Vec::new();
    for wanted in request.topics.into_iter().chain(named) {
        let outcome = delete(&call.shard.node, &wanted).await;
        let (code, message) = parts(&outcome);
        let mut result = DeletableTopicResult::default().with_error_code(code).with_error_message(None);
        if call.version() >= 5 {
            result.error_message = message;
        }
        if call.version() >= 6 {
            result.topic_id = outcome.as_ref().map_or(wanted.topic_id, |topic| topic.id.0);
        }
        let known = outcome.ok().map(|topic| WireName(StrBytes::from_string(topic.name.to_string())));
        responses.push(result.with_name(wanted.name.or(known)));
    }
    call.answer(&DeleteTopicsResponse::default().with_responses(responses))
}

async fn delete(node: &Node, wanted: &DeleteTopicState) -> Result<std::sync::Arc<crate::cluster::Topic>, Fault> {
    let cluster = node.cluster();
    let found = match &wanted.name {
        Some(name) => cluster
            .topic(name.as_str())
            .ok_or_else(|| Fault::unknown_partition(format_args!("topic '{}'", name.as_str()))),
        None => cluster.topic_by_id(TopicId(wanted.topic_id)).ok_or_else(|| {
            Fault::new(ResponseError::UnknownTopicId, format!("there is no topic with the id {}", wanted.topic_id))
        }),
    };
    let topic = found?.clone();
    node.change(Command::Delete { name: topic.name.clone() }).await?;
    Ok(topic)
}
