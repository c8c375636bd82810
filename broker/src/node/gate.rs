//! Can the table of a topic exist, and can it take a schema?

use std::sync::Arc;

use arc_swap::ArcSwap;
use iceberg_sink::lake;
use model::{TopicName, TopicSettings};
use schema_registry::{Schema, View};
use server::{Cluster, TopicGate};

use super::source;

/// Asked by the controller before a topic is made or altered.
pub struct Gate {
    view: Arc<ArcSwap<View>>,
}

impl Gate {
    pub fn new(view: Arc<ArcSwap<View>>) -> Gate {
        Gate { view }
    }
}

impl TopicGate for Gate {
    fn admit(&self, name: &TopicName, settings: &TopicSettings, existing: &Cluster) -> Result<(), String> {
        let others = existing.topics().filter(|topic| topic.name != *name);
        let others = others.map(|topic| (&topic.name, &topic.settings));
        lake::admit_topic(name, settings, others, &self.view.load())
    }
}

/// Asked by the registry before a schema is stored.
pub fn admit_schema(subject: &str, schema: &Schema, cluster: &Cluster) -> Result<(), String> {
    let topics = source::topics(cluster);
    lake::admit_schema(subject, schema, &topics)
}
