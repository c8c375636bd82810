//! How does a schema become a version of a subject?

use std::sync::Arc;

use model::limits;
use serde::Deserialize;
use serde_json::{Value, json};

use super::compatibility;
use super::error::{Refusal, Result};
use super::mode::Mode;
use super::record::{Change, SchemaValue};
use super::route::{Call, answer};
use super::state::Stored;
use super::subject::{context_of, qualified};
use super::{Outcome, Response};
use crate::schema::{Reference, Schema, SchemaType};

/// A schema in the body of a request, not yet understood.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Candidate {
    #[serde(default)]
    schema: Option<String>,
    #[serde(default)]
    schema_type: Option<String>,
    #[serde(default)]
    references: Option<Vec<Reference>>,
    #[serde(default)]
    metadata: Option<Value>,
    #[serde(default)]
    rule_set: Option<Value>,
    #[serde(default)]
    id: Option<i64>,
    #[serde(default)]
    version: Option<i64>,
}

impl Candidate {
    pub(super) fn read(call: &Call) -> Result<Candidate> {
        let candidate: Candidate =
            serde_json::from_slice(call.body).map_err(|error| Refusal::bad_body(&error.to_string()))?;
        let bytes = candidate.schema.as_ref().map_or(0, String::len);
        if bytes > limits::SCHEMA_BYTES_MAX {
            return Err(Refusal::too_large(bytes));
        }
        Ok(candidate)
    }

    /// Resolves the references and understands the text. A new schema may refer to live versions only.
    pub(super) fn understand(self, call: &Call, subject: &str, deleted: bool) -> Result<Stored> {
        let schema_type = match &self.schema_type {
            Some(name) => name.parse::<SchemaType>().map_err(|error| Refusal::invalid_schema(&error.to_string()))?,
            None => SchemaType::Avro,
        };
        let references = self.references.unwrap_or_default();
        let references: Vec<(Reference, Arc<Schema>)> = references
            .into_iter()
            .map(|reference| resolve(call, subject, reference, deleted))
            .collect::<Result<_>>()?;
        let parse = |text: &str| {
            Schema::parse(schema_type, text, &references).map_err(|error| Refusal::invalid_schema(&error.to_string()))
        };
        let mut schema = parse(self.schema.as_deref().unwrap_or_default())?;
        let by_config = call.state.config(subject, "normalize").and_then(Value::as_bool).unwrap_or(false);
        if call.query.flag("normalize") || (by_config && call.query.get("normalize").is_none()) {
            schema = parse(&schema.normalized())?;
        }
        let filled = |value: Option<Value>| value.filter(|value| value.as_object().is_some_and(|map| !map.is_empty()));
        Ok(Stored::new(schema, filled(self.metadata), filled(self.rule_set)))
    }
}

fn resolve(call: &Call, subject: &str, mut reference: Reference, deleted: bool) -> Result<(Reference, Arc<Schema>)> {
    let name = qualified(Some(context_of(subject)), &reference.subject)?;
    let versions = call.state.versions(&name, deleted);
    let found = match reference.version {
        -1 => versions.last(),
        wanted => { versions }.find(|(number, _)| *number == wanted),
    };
    let Some((number, version)) = found else {
        return Err(Refusal::invalid_schema(&format!(
            "No schema reference found for subject \"{}\" and version {}",
            reference.subject, reference.version
        )));
    };
    reference.version = number;
    Ok((reference, version.stored.schema.clone()))
}

/// `POST /subjects/{subject}/versions`.
pub(super) fn register(call: &Call, subject: &str) -> Result<Outcome> {
    let subject = call.subject(subject)?;
    let candidate = Candidate::read(call)?;
    let id = positive(candidate.id).map(|id| u32::try_from(id).map_err(|_| Refusal::no_schema_id(&id.to_string())));
    let id = id.transpose()?;
    let version = positive(candidate.version);
    let stored = candidate.understand(call, &subject, false)?;
    let known = call.state.versions(&subject, false).rfind(|(_, version)| version.stored.guid == stored.guid);
    if let Some((number, version)) = known.filter(|(_, version)| id.is_none_or(|id| id == version.id)) {
        return answer(registered(version.id, number, &stored));
    }
    let mode = call.state.mode(&subject);
    match (mode, id) {
        (mode, _) if mode.is_read_only() => return Err(Refusal::read_only(&subject)),
        (Mode::Import, None) => return Err(Refusal::not_read_write(&subject)),
        (Mode::Import, Some(_)) | (_, None) => {}
        (_, Some(_)) => return Err(Refusal::not_import(&subject)),
    }
    let next = call.state.versions(&subject, true).last().map_or(1, |(number, _)| number.saturating_add(1));
    let number = version_number(version, next, mode)?;
    if mode != Mode::Import {
        compatibility::require(call, &subject, &stored.schema)?;
    }
    call.admission.admit(&subject, &stored.schema).map_err(|cause| Refusal::new(42201, cause))?;
    let context = context_of(&subject);
    let id = match id {
        Some(id) => {
            let taken = call.state.stored_by_id(context, id);
            if taken.is_some_and(|taken| taken.guid != stored.guid) {
                return Err(Refusal::id_taken(id));
            }
            id
        }
        None => match call.state.id_of(context, &stored.guid) {
            Some(id) => id,
            None => {
                call.state.max_id(context).checked_add(1).ok_or_else(|| Refusal::new(50001, "All ids are taken"))?
            }
        },
    };
    let then = Response::json(200, &registered(id, number, &stored));
    Ok(Outcome::write([Change::Schema(value(&subject, number, id, &stored, false))], then))
}

/// Clients send 0 and -1 for "not given".
fn positive(number: Option<i64>) -> Option<i64> {
    number.filter(|number| *number > 0)
}

fn version_number(wanted: Option<i64>, next: i32, mode: Mode) -> Result<i32> {
    match wanted {
        None => Ok(next),
        Some(wanted) if mode == Mode::Import => {
            i32::try_from(wanted).map_err(|_| Refusal::invalid_version(&wanted.to_string()))
        }
        Some(wanted) if wanted == i64::from(next) => Ok(next),
        Some(wanted) => {
            Err(Refusal::invalid_schema(&format!("Version {wanted} is not one more than the previous version: {next}")))
        }
    }
}

fn registered(id: u32, version: i32, stored: &Stored) -> Value {
    json!({"id": id, "version": version, "guid": stored.guid.to_string()})
}

pub(super) fn value(subject: &str, version: i32, id: u32, stored: &Stored, deleted: bool) -> SchemaValue {
    let schema = &stored.schema;
    let is_avro = schema.schema_type == SchemaType::Avro;
    SchemaValue {
        subject: subject.to_owned(),
        version,
        id,
        schema_type: (!is_avro).then(|| schema.schema_type.name().to_owned()),
        references: (!schema.references.is_empty()).then(|| schema.references.clone()),
        metadata: stored.metadata.clone(),
        rule_set: stored.rule_set.clone(),
        schema: schema.text.clone(),
        deleted,
    }
}
