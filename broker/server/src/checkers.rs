//! Which checker looks at the records of a topic?

use std::collections::HashMap;
use std::sync::Arc;

use model::TopicId;
use schema_registry::check::Checker;

use crate::cluster::Topic;

/// The checkers of one shard, made at a topic's first batch and again after a change of its settings.
#[derive(Default)]
pub struct Checkers {
    by_topic: HashMap<TopicId, (Arc<Topic>, Option<Checker>)>,
}

impl Checkers {
    /// `None`: nothing of this topic is checked.
    pub fn of(&mut self, topic: &Arc<Topic>) -> Option<&mut Checker> {
        let make = || (topic.clone(), Checker::new(&topic.name, &topic.settings));
        let entry = self.by_topic.entry(topic.id).or_insert_with(make);
        if !Arc::ptr_eq(&entry.0, topic) {
            match entry.0.settings == topic.settings {
                true => entry.0 = topic.clone(),
                false => *entry = make(),
            }
        }
        entry.1.as_mut()
    }

    pub fn forget(&mut self, gone: impl Fn(&Topic) -> bool) {
        self.by_topic.retain(|_, (topic, _)| !gone(topic));
    }
}
