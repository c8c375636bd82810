//! Which schemas, subjects and versions are there?

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::error::{Refusal, Result};
use super::register::Candidate;
use super::route::{Call, answer};
use super::state::{Stored, Version};
use super::subject::{context_of, has_prefix};
use super::{Outcome, Response};
use crate::schema::{Parsed, SchemaType};

pub(super) fn subjects(call: &Call) -> Result<Outcome> {
    let only = call.query.flag("deletedOnly");
    let deleted = call.query.flag("deleted") || only;
    let prefix = prefix(call);
    let shown = call.state.subjects.iter().filter(|(name, versions)| {
        let is_live = versions.values().any(|version| !version.deleted);
        has_prefix(name, &prefix) && if only { !is_live } else { deleted || is_live }
    });
    answer(json!(call.query.page(shown.map(|(name, _)| name))))
}

fn prefix(call: &Call) -> String {
    match (call.query.get("subjectPrefix"), &call.context) {
        (Some(prefix), _) => prefix.to_owned(),
        (None, Some(context)) => format!(":{context}:"),
        (None, None) => ":*:".to_owned(),
    }
}

/// `POST /subjects/{subject}`: under which id and version is this schema registered?
pub(super) fn by_text(call: &Call, subject: &str) -> Result<Outcome> {
    let subject = call.subject(subject)?;
    let deleted = call.query.flag("deleted");
    if call.state.versions(&subject, deleted).next().is_none() {
        return Err(Refusal::no_subject(&subject));
    }
    let stored = Candidate::read(call)?.understand(call, &subject, true)?;
    let found = call.state.versions(&subject, deleted).rfind(|(_, version)| version.stored.guid == stored.guid);
    let (number, version) = found.ok_or_else(Refusal::no_schema)?;
    answer(described(call, &subject, number, version))
}

pub(super) fn versions(call: &Call, subject: &str) -> Result<Outcome> {
    let subject = call.subject(subject)?;
    let negative = call.query.flag("deletedAsNegative");
    let only = call.query.flag("deletedOnly");
    let deleted = call.query.flag("deleted") || negative || only;
    let shown = call.state.versions(&subject, deleted).filter(|(_, version)| !only || version.deleted);
    let numbers: Vec<i32> =
        shown.map(|(number, version)| if negative && version.deleted { -number } else { number }).collect();
    if numbers.is_empty() {
        return Err(Refusal::no_subject(&subject));
    }
    answer(json!(call.query.page(numbers)))
}

pub(super) fn version(call: &Call, subject: &str, version: &str) -> Result<Outcome> {
    let subject = call.subject(subject)?;
    let (number, version) = find(call, &subject, version, call.query.flag("deleted"))?;
    answer(described(call, &subject, number, version))
}

pub(super) fn version_text(call: &Call, subject: &str, version: &str) -> Result<Outcome> {
    let subject = call.subject(subject)?;
    let (_, version) = find(call, &subject, version, call.query.flag("deleted"))?;
    Ok(Outcome::Answer(Response::raw(text(call, &version.stored))))
}

pub(super) fn referenced_by(call: &Call, subject: &str, version: &str) -> Result<Outcome> {
    let subject = call.subject(subject)?;
    let deleted = call.query.flag("deleted");
    let (number, _) = find(call, &subject, version, deleted)?;
    let ids: BTreeSet<u32> =
        call.state.referencing(&subject, number, deleted).map(|(_, _, version)| version.id).collect();
    answer(json!(call.query.page(ids)))
}

/// The latest version whose metadata has all the given properties.
pub(super) fn latest_with_metadata(call: &Call, subject: &str) -> Result<Outcome> {
    let subject = call.subject(subject)?;
    let deleted = call.query.flag("deleted");
    if call.state.versions(&subject, deleted).next().is_none() {
        return Err(Refusal::no_subject(&subject));
    }
    let (key, value) = (call.query.get("key"), call.query.get("value"));
    let matches = |version: &Version| {
        let properties = version.stored.metadata.as_ref().and_then(|metadata| metadata.get("properties"));
        key.is_none_or(|key| properties.and_then(|all| all.get(key)?.as_str()) == value)
    };
    let found = call.state.versions(&subject, deleted).rfind(|(_, version)| matches(version));
    let (number, version) = found.ok_or_else(Refusal::no_schema)?;
    answer(described(call, &subject, number, version))
}

/// A version by number, or the latest: `latest` and `-1`.
pub(super) fn find<'a>(call: &'a Call, subject: &str, version: &str, deleted: bool) -> Result<(i32, &'a Version)> {
    let wanted = parse_version(version)?;
    if !call.state.subjects.contains_key(subject) {
        return Err(Refusal::no_subject(subject));
    }
    match wanted {
        None => call.state.versions(subject, deleted).next_back().ok_or_else(|| Refusal::no_subject(subject)),
        Some(number) => {
            let found = call.state.versions(subject, deleted).find(|(known, _)| *known == number);
            found.ok_or_else(|| Refusal::no_version(number))
        }
    }
}

/// None is the latest.
pub(super) fn parse_version(version: &str) -> Result<Option<i32>> {
    match (version, version.parse::<i32>()) {
        ("latest", _) | (_, Ok(-1)) => Ok(None),
        (_, Ok(number)) if number > 0 => Ok(Some(number)),
        _ => Err(Refusal::invalid_version(version)),
    }
}

pub(super) fn schemas(call: &Call) -> Result<Outcome> {
    let deleted = call.query.flag("deleted");
    let latest_only = call.query.flag("latestOnly");
    let prefix = prefix(call);
    let mut shown = Vec::new();
    for subject in call.state.subjects.keys().filter(|subject| has_prefix(subject, &prefix)) {
        let versions = call.state.versions(subject, deleted).rev();
        let mut versions: Vec<_> = versions.take(if latest_only { 1 } else { usize::MAX }).collect();
        versions.reverse();
        shown.extend(versions.into_iter().map(|(number, version)| (subject, number, version)));
    }
    let page = call.query.page(shown);
    answer(page.into_iter().map(|(subject, number, version)| described(call, subject, number, version)).collect())
}

fn stored<'a>(call: &'a Call, id: &str) -> Result<(u32, &'a Stored)> {
    let number = id.parse::<u32>().map_err(|_| Refusal::no_schema_id(id))?;
    let stored = call.state.stored_by_id(&call.id_context(), number).ok_or_else(|| Refusal::no_schema_id(id))?;
    Ok((number, stored))
}

pub(super) fn by_id(call: &Call, id: &str) -> Result<Outcome> {
    let (_, stored) = stored(call, id)?;
    let mut object = Map::new();
    describe_schema(call, stored, &mut object);
    object.insert("guid".into(), stored.guid.to_string().into());
    if call.query.flag("fetchMaxId") {
        object.insert("maxId".into(), call.state.max_id(&call.id_context()).into());
    }
    answer(Value::Object(object))
}

pub(super) fn id_text(call: &Call, id: &str) -> Result<Outcome> {
    let (_, stored) = stored(call, id)?;
    Ok(Outcome::Answer(Response::raw(text(call, stored))))
}

/// Subjects and versions with this id.
fn uses<'a>(call: &'a Call, id: u32) -> impl Iterator<Item = (&'a str, i32)> {
    let context = call.id_context();
    let deleted = call.query.flag("deleted");
    let subjects = call.state.subjects.keys().filter(move |subject| context_of(subject) == context);
    let versions = subjects.flat_map(move |subject| {
        call.state.versions(subject, deleted).map(move |(number, version)| (subject.as_str(), number, version))
    });
    versions.filter(move |(_, _, version)| version.id == id).map(|(subject, number, _)| (subject, number))
}

pub(super) fn id_subjects(call: &Call, id: &str) -> Result<Outcome> {
    let (id, _) = stored(call, id)?;
    let subjects: BTreeSet<&str> = uses(call, id).map(|(subject, _)| subject).collect();
    answer(json!(call.query.page(subjects)))
}

pub(super) fn id_versions(call: &Call, id: &str) -> Result<Outcome> {
    let (id, _) = stored(call, id)?;
    let pairs = uses(call, id).map(|(subject, version)| json!({"subject": subject, "version": version}));
    answer(json!(call.query.page(pairs)))
}

fn guid_places<'a>(call: &'a Call, guid: &str) -> Vec<(String, u32, &'a Stored)> {
    let Ok(guid) = guid.parse::<Uuid>() else { return Vec::new() };
    let places = call.state.contexts().into_iter().filter_map(|context| {
        let id = call.state.id_of(&context, &guid)?;
        let stored = call.state.stored_by_id(&context, id)?;
        Some((context, id, &**stored))
    });
    places.collect()
}

pub(super) fn by_guid(call: &Call, guid: &str) -> Result<Outcome> {
    let places = guid_places(call, guid);
    let (_, _, stored) = places.first().ok_or_else(|| Refusal::no_schema_id(guid))?;
    let mut object = Map::new();
    describe_schema(call, stored, &mut object);
    object.insert("guid".into(), stored.guid.to_string().into());
    answer(Value::Object(object))
}

pub(super) fn guid_ids(call: &Call, guid: &str) -> Result<Outcome> {
    let places = guid_places(call, guid);
    if places.is_empty() {
        return Err(Refusal::no_schema_id(guid));
    }
    answer(places.into_iter().map(|(context, id, _)| json!({"context": context, "id": id})).collect())
}

/// One version of a subject, as all answers show it.
fn described(call: &Call, subject: &str, number: i32, version: &Version) -> Value {
    let mut object = Map::new();
    object.insert("subject".into(), subject.into());
    object.insert("version".into(), number.into());
    object.insert("id".into(), version.id.into());
    object.insert("guid".into(), version.stored.guid.to_string().into());
    describe_schema(call, &version.stored, &mut object);
    if version.deleted {
        object.insert("deleted".into(), true.into());
    }
    Value::Object(object)
}

/// The type is left out for Avro: clients from before there were others expect that.
fn describe_schema(call: &Call, stored: &Stored, object: &mut Map<String, Value>) {
    let schema = &stored.schema;
    if schema.schema_type != SchemaType::Avro {
        object.insert("schemaType".into(), schema.schema_type.name().into());
    }
    if !schema.references.is_empty() {
        object.insert("references".into(), json!(schema.references));
    }
    if let Some(metadata) = &stored.metadata {
        object.insert("metadata".into(), metadata.clone());
    }
    if let Some(rule_set) = &stored.rule_set {
        object.insert("ruleSet".into(), rule_set.clone());
    }
    object.insert("schema".into(), text(call, stored).into());
}

/// The text, or the base64 descriptor that `?format=serialized` asks for.
fn text(call: &Call, stored: &Stored) -> String {
    match (&stored.schema.parsed, call.query.get("format")) {
        (Parsed::Protobuf(protobuf), Some("serialized")) => protobuf.serialized(),
        _ => stored.schema.text.clone(),
    }
}
