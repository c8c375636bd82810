//! May this schema follow those that a subject already has?

use serde_json::{Value, json};

use super::Outcome;
use super::error::{Refusal, Result};
use super::level::Level;
use super::lookup::parse_version;
use super::register::Candidate;
use super::route::{Call, answer};
use super::state::Version;
use crate::compat;
use crate::schema::Schema;

/// Messages of one comparison that an answer lists.
const MESSAGES_MAX: usize = 50;

/// Refuses a schema that the subject's level does not allow.
pub(super) fn require(call: &Call, subject: &str, schema: &Schema) -> Result<()> {
    let level = call.state.level(subject);
    let mut earlier = call.state.versions(subject, false).rev();
    let count = if level.is_transitive() { usize::MAX } else { 1 };
    let messages = earlier.by_ref().take(count).find_map(|(number, version)| faults(level, schema, number, version));
    match messages {
        None => Ok(()),
        Some(messages) => Err(Refusal::new(
            409,
            format!(
                "Schema being registered is incompatible with an earlier schema for subject \"{subject}\", details: [{}]",
                messages.join(", ")
            ),
        )),
    }
}

/// None when the level allows `new` after `old`; otherwise what is wrong, in Confluent's form.
fn faults(level: Level, new: &Schema, number: i32, old: &Version) -> Option<Vec<String>> {
    let old = &old.stored.schema;
    let mut messages = Vec::new();
    if level.is_backward() {
        messages.extend(compat::faults(new, old, "new", "old"));
    }
    if level.is_forward() {
        messages.extend(compat::faults(old, new, "old", "new"));
    }
    if messages.is_empty() {
        return None;
    }
    messages.truncate(MESSAGES_MAX);
    messages.push(format!("{{oldSchemaVersion: {number}}}"));
    messages.push(format!("{{oldSchema: '{}'}}", old.text.chars().take(2000).collect::<String>()));
    messages.push(format!("{{compatibility: '{level}'}}"));
    Some(messages)
}

/// `POST /compatibility/subjects/{subject}/versions/{version}`. The latest version of nothing is compatible.
pub(super) fn against_one(call: &Call, subject: &str, version: &str) -> Result<Outcome> {
    let subject = call.subject(subject)?;
    let target = match parse_version(version)? {
        None => call.state.versions(&subject, false).last(),
        Some(number) => {
            let found = { call.state.versions(&subject, false) }.find(|(known, _)| *known == number);
            Some(found.ok_or_else(|| Refusal::no_version(number))?)
        }
    };
    verdict(call, &subject, target.into_iter().collect())
}

/// `POST /compatibility/subjects/{subject}/versions`: all that the subject's level looks at.
pub(super) fn against_all(call: &Call, subject: &str) -> Result<Outcome> {
    let subject = call.subject(subject)?;
    let count = if call.state.level(&subject).is_transitive() { usize::MAX } else { 1 };
    let versions = call.state.versions(&subject, false).rev().take(count).collect();
    verdict(call, &subject, versions)
}

fn verdict(call: &Call, subject: &str, versions: Vec<(i32, &Version)>) -> Result<Outcome> {
    let verbose = call.query.flag("verbose");
    let shown = |messages: Vec<String>| -> Value {
        let mut body = json!({"is_compatible": messages.is_empty()});
        if verbose {
            body["messages"] = json!(messages);
        }
        body
    };
    let stored = match Candidate::read(call)?.understand(call, subject, false) {
        Ok(stored) => stored,
        Err(refusal) if verbose && refusal.code == 42201 => return answer(shown(vec![refusal.message])),
        Err(refusal) => return Err(refusal),
    };
    let level = call.state.level(subject);
    let found = versions.into_iter().find_map(|(number, version)| faults(level, &stored.schema, number, version));
    answer(shown(found.unwrap_or_default()))
}
