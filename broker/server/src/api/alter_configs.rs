//! AlterConfigs: replace all settings of a topic. Old tools use it.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::alter_configs_request::AlterConfigsResource;
use kafka_protocol::messages::alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::{AlterConfigsRequest, AlterConfigsResponse};
use model::TopicName;
use runtime::Driver;

use super::configs::{self, TOPIC};
use super::{Call, Handled};
use crate::controller::{Changes, Command};
use crate::errors::{Fault, parts};
use crate::node::Node;

pub async fn handle<D: Driver>(call: Call<D>) -> Handled {
    let request: AlterConfigsRequest = call.decode()?;
    let mut responses = Vec::new();
    for resource in request.resources {
        let outcome = replace(&call.shard.node, &resource, request.validate_only).await;
        let (code, message) = parts(&outcome);
        let response = AlterConfigsResourceResponse::default()
            .with_error_code(code)
            .with_error_message(message)
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name);
        responses.push(response);
    }
    call.answer(&AlterConfigsResponse::default().with_responses(responses))
}

async fn replace(node: &Node, resource: &AlterConfigsResource, validate_only: bool) -> Result<(), Fault> {
    let given = resource.configs.iter().filter(|config| !configs::is_ignored(config.name.as_str()));
    let all = given.filter_map(|config| Some((config.name.to_string(), config.value.as_ref()?.to_string()))).collect();
    alter(node, resource.resource_type, resource.resource_name.as_str(), Changes::Replace(all), validate_only).await
}

/// Changes the settings of a resource, which must be a topic.
pub async fn alter(node: &Node, kind: i8, name: &str, changes: Changes, validate_only: bool) -> Result<(), Fault> {
    if kind != TOPIC {
        let why = "only topics have settings that can be changed; the node's are in its settings file";
        return Err(Fault::new(ResponseError::InvalidRequest, why));
    }
    let illegal = |error: model::NameError| Fault::new(ResponseError::InvalidTopicException, error.to_string());
    let name = TopicName::new(name).map_err(illegal)?;
    node.change(Command::Alter { name, changes, validate_only }).await?;
    Ok(())
}
