//! IncrementalAlterConfigs: change settings of a topic one by one (KIP-339).

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};
use runtime::Driver;

use super::alter_configs::alter;
use super::{Call, Handled, configs};
use crate::controller::{Changes, Edit, Operation};
use crate::errors::{Fault, parts};
use crate::node::Node;

pub async fn handle<D: Driver>(call: Call<D>) -> Handled {
    let request: IncrementalAlterConfigsRequest = call.decode()?;
    let mut responses = Vec::new();
    for resource in request.resources {
        let outcome = change(&call.shard.node, &resource, request.validate_only).await;
        let (code, message) = parts(&outcome);
        let response = AlterConfigsResourceResponse::default()
            .with_error_code(code)
            .with_error_message(message)
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name);
        responses.push(response);
    }
    call.answer(&IncrementalAlterConfigsResponse::default().with_responses(responses))
}

async fn change(node: &Node, resource: &AlterConfigsResource, validate_only: bool) -> Result<(), Fault> {
    let given = resource.configs.iter().filter(|config| !configs::is_ignored(config.name.as_str()));
    let edits = given.map(edit).collect::<Result<Vec<Edit>, Fault>>()?;
    alter(node, resource.resource_type, resource.resource_name.as_str(), Changes::Edit(edits), validate_only).await
}

fn edit(config: &AlterableConfig) -> Result<Edit, Fault> {
    let operation = match config.config_operation {
        0 => Operation::Set,
        1 => Operation::Delete,
        2 => Operation::Append,
        3 => Operation::Subtract,
        other => {
            let why = format!("{other} is no operation on a setting; 0 to 3 are");
            return Err(Fault::new(ResponseError::InvalidRequest, why));
        }
    };
    let value = match (&config.value, operation) {
        (Some(value), _) => value.to_string(),
        (None, Operation::Delete) => String::new(),
        (None, _) => {
            let why = format!("setting '{}' needs a value; delete it to go back to the default", config.name.as_str());
            return Err(Fault::new(ResponseError::InvalidRequest, why));
        }
    };
    Ok(Edit { name: config.name.to_string(), operation, value })
}
