//! DescribeConfigs: the settings of topics and of the node.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use kafka_protocol::protocol::StrBytes;
use runtime::Driver;

use super::configs::{self, BROKER, Entry, SOURCE_DEFAULT, TOPIC};
use super::{Call, Handled};
use crate::errors::{Fault, parts};
use crate::node::Node;

pub async fn handle<D: Driver>(call: Call<D>) -> Handled {
    let request: DescribeConfigsRequest = call.decode()?;
    let results = request.resources.iter().map(|resource| {
        let outcome = entries(&call.shard.node, resource);
        let (code, message) = parts(&outcome);
        let shown = outcome.unwrap_or_default().into_iter().filter(|entry| match &resource.configuration_keys {
            Some(keys) if !keys.is_empty() => keys.iter().any(|key| names(entry.name, key.as_str())),
            _ => true,
        });
        let shown = shown.map(|entry| describe(entry, &request, call.version(), resource.resource_type == BROKER));
        DescribeConfigsResult::default()
            .with_error_code(code)
            .with_error_message(message)
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone())
            .with_configs(shown.collect())
    });
    let response = DescribeConfigsResponse::default().with_results(results.collect());
    call.answer(&response)
}

/// A key may be one of the names that others have for a setting.
fn names(canonical: &str, key: &str) -> bool {
    canonical == key || model::Setting::find(key).is_some_and(|row| row.name == canonical)
}

fn entries(node: &Node, resource: &DescribeConfigsResource) -> Result<Vec<Entry>, Fault> {
    let name = resource.resource_name.as_str();
    match resource.resource_type {
        TOPIC => {
            let cluster = node.cluster();
            let unknown = || Fault::unknown_partition(format_args!("topic '{name}'"));
            Ok(configs::of_topic(&cluster.topic(name).ok_or_else(unknown)?.settings, &node.config).collect())
        }
        // The empty name stands for the defaults of all brokers, none of which can be set.
        BROKER if name.is_empty() => Ok(Vec::new()),
        BROKER if name == node.config.node.to_string() => Ok(configs::of_node(&node.config)),
        BROKER => {
            let why = format!("this is node {}, there is no node '{name}'", node.config.node);
            Err(Fault::new(ResponseError::InvalidRequest, why))
        }
        other => {
            let why = format!("resources of type {other} have no settings here; topics (2) and brokers (4) have");
            Err(Fault::new(ResponseError::InvalidRequest, why))
        }
    }
}

fn describe(
    entry: Entry,
    request: &DescribeConfigsRequest,
    version: i16,
    read_only: bool,
) -> DescribeConfigsResourceResult {
    let text = |text: &str| Some(StrBytes::from_string(text.to_owned()));
    let synonym = |value: &str, source| {
        let name = StrBytes::from_static_str(entry.name);
        DescribeConfigsSynonym::default().with_name(name).with_value(text(value)).with_source(source)
    };
    let mut synonyms = Vec::new();
    if request.include_synonyms {
        if entry.source != SOURCE_DEFAULT {
            synonyms.push(synonym(&entry.value, entry.source));
        }
        synonyms.push(synonym(entry.default, SOURCE_DEFAULT));
    }
    let documentation = if request.include_documentation { text(entry.doc) } else { None };
    DescribeConfigsResourceResult::default()
        .with_name(StrBytes::from_static_str(entry.name))
        .with_value(text(&entry.value))
        .with_read_only(read_only)
        .with_config_source(entry.source)
        .with_synonyms(synonyms)
        .with_config_type(if version >= 3 { entry.kind } else { 0 })
        .with_documentation(documentation)
}
