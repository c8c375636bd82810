//! Can a topic have a table, and can its table take a schema? Asked before either is accepted.

use model::{LakeMode, SubjectStrategy, TopicName, TopicSettings};
use schema_registry::{Schema, View};

use super::LakeTopic;
use super::name::{dead_letter_table, table_name};
use crate::types::{Root, columns, table_schema};

/// Can a topic with these settings be? `others`: all topics there are; one of the same name is left out of account.
/// The error is a sentence for the user.
pub fn admit_topic<'a>(
    name: &TopicName,
    settings: &TopicSettings,
    others: impl IntoIterator<Item = (&'a TopicName, &'a TopicSettings)>,
    view: &View,
) -> Result<(), String> {
    let mode = settings.lake_mode();
    if mode == LakeMode::Off {
        return Ok(());
    }
    // Engines and file systems that do not tell cases apart would see one table.
    let names = |topic: &TopicName| [table_name(topic), dead_letter_table(topic)].map(|n| n.to_ascii_lowercase());
    let ours = names(name);
    for (other, other_settings) in others {
        if other == name || other_settings.lake_mode() == LakeMode::Off {
            continue;
        }
        if let Some(shared) = names(other).iter().find(|table| ours.contains(table)) {
            return Err(format!(
                "topics '{name}' and '{other}' would share the table '{shared}'; use a name that differs in more than \
                 dots, underscores and case"
            ));
        }
    }
    for (subject, _, schema) in followed(name, settings).into_iter().filter_map(|subject| {
        let (id, _, schema) = view.latest(&subject)?;
        Some((subject, id, schema))
    }) {
        fits(name, &mode, &subject, &schema)?;
    }
    Ok(())
}

/// Can the tables that follow this subject take the schema?
pub fn admit_schema<'a>(
    subject: &str,
    schema: &Schema,
    topics: impl IntoIterator<Item = &'a LakeTopic>,
) -> Result<(), String> {
    for topic in topics {
        let mode = topic.settings.lake_mode();
        if mode != LakeMode::Off && follows(&topic.name, &topic.settings, subject) {
            fits(&topic.name, &mode, subject, schema)?;
        }
    }
    Ok(())
}

/// The one subject that a topic's table follows, where its name says it.
pub(super) fn followed(topic: &TopicName, settings: &TopicSettings) -> Option<String> {
    match settings.lake_mode() {
        LakeMode::Off | LakeMode::KeyValue => None,
        LakeMode::SchemaLatest { subject: Some(subject), .. } => Some(subject),
        LakeMode::SchemaLatest { subject: None, .. } => Some(format!("{topic}-value")),
        LakeMode::SchemaId => match settings.value_subject() {
            SubjectStrategy::TopicName => Some(format!("{topic}-value")),
            SubjectStrategy::RecordName | SubjectStrategy::TopicRecordName => None,
        },
    }
}

fn follows(topic: &TopicName, settings: &TopicSettings, subject: &str) -> bool {
    match (settings.lake_mode(), settings.value_subject()) {
        (LakeMode::SchemaId, SubjectStrategy::TopicRecordName) => {
            subject.strip_prefix(topic.as_str()).is_some_and(|rest| rest.starts_with('-'))
        }
        _ => followed(topic, settings).is_some_and(|followed| followed == subject),
    }
}

fn fits(topic: &TopicName, mode: &LakeMode, subject: &str, schema: &Schema) -> Result<(), String> {
    columns(schema, root(mode)).and_then(|columns| table_schema(&columns)).map(drop).map_err(|refused| {
        format!("topic '{topic}' is a table, and the schema of subject '{subject}' has no columns for it: {refused}")
    })
}

/// The message that a mode names.
pub(super) fn root(mode: &LakeMode) -> Root<'_> {
    match mode {
        LakeMode::SchemaLatest { protobuf_name: Some(name), .. } => Root::Named(name),
        _ => Root::First,
    }
}

#[cfg(test)]
mod tests;
