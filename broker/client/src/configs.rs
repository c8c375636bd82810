//! Which settings has a topic, and how are they changed?

use std::time::Duration;

use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::{
    DescribeConfigsRequest, DescribeConfigsResponse, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};

use crate::connection::{Api, Client};
use crate::error::{Error, accept};
use crate::topics::text;

const DESCRIBE_CONFIGS: Api = Api::new(32, "DescribeConfigs", 1, 4);
const ALTER_CONFIGS: Api = Api::new(44, "IncrementalAlterConfigs", 0, 1);

/// Kafka's number for topics among the things that have settings.
const TOPIC: i8 = 2;
/// Kafka's number for a setting that was made for this topic.
const SOURCE_TOPIC: i8 = 1;

/// One setting of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    pub name: String,
    /// `None` for values that are not shown.
    pub value: Option<String>,
    /// Set for this topic, not a default.
    pub is_set: bool,
    pub doc: Option<String>,
}

/// One change of a topic's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<'a> {
    Set(&'a str, &'a str),
    /// Back to the default.
    Unset(&'a str),
}

impl Client {
    /// All settings of a topic, by name.
    pub async fn describe_configs(&mut self, topic: &str) -> Result<Vec<Config>, Error> {
        let resource = DescribeConfigsResource::default()
            .with_resource_type(TOPIC)
            .with_resource_name(text(topic))
            .with_configuration_keys(None);
        let request = |version| {
            let documented = version >= 3;
            DescribeConfigsRequest::default().with_resources(vec![resource]).with_include_documentation(documented)
        };
        let answer: DescribeConfigsResponse = self.call(DESCRIBE_CONFIGS, Duration::ZERO, request).await?;
        let result = answer.results.first().ok_or_else(|| self.nonsense(DESCRIBE_CONFIGS, "it is empty"))?;
        accept(|| format!("settings of topic '{topic}'"), result.error_code, result.error_message.as_deref())?;
        let config = |found: &DescribeConfigsResourceResult| Config {
            name: found.name.to_string(),
            value: found.value.as_ref().map(|value| value.to_string()),
            is_set: found.config_source == SOURCE_TOPIC,
            doc: found.documentation.as_ref().map(|doc| doc.to_string()),
        };
        let mut configs: Vec<_> = result.configs.iter().map(config).collect();
        configs.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(configs)
    }

    /// Changes some settings of a topic, all or none; the others stay.
    pub async fn alter_configs(&mut self, topic: &str, changes: &[Change<'_>]) -> Result<(), Error> {
        let change = |change: &Change<'_>| match change {
            Change::Set(name, value) => alterable(name, 0).with_value(Some(text(value))),
            Change::Unset(name) => alterable(name, 1).with_value(None),
        };
        let resource = AlterConfigsResource::default()
            .with_resource_type(TOPIC)
            .with_resource_name(text(topic))
            .with_configs(changes.iter().map(change).collect());
        let request = |_| IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
        let answer: IncrementalAlterConfigsResponse = self.call(ALTER_CONFIGS, Duration::ZERO, request).await?;
        let result = answer.responses.first().ok_or_else(|| self.nonsense(ALTER_CONFIGS, "it is empty"))?;
        accept(|| format!("topic '{topic}' was not changed"), result.error_code, result.error_message.as_deref())
    }
}

fn alterable(name: &str, operation: i8) -> AlterableConfig {
    AlterableConfig::default().with_name(text(name)).with_config_operation(operation)
}
