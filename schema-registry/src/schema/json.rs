//! How is a JSON Schema understood?

pub mod refs;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use jsonschema::{Draft, PatternOptions, Retrieve, Uri, Validator};
use model::limits;
use serde_json::{Map, Value};

use super::{ParseError, Parsed, Reference, Schema};

/// What one pattern may try before it counts as not matching.
const BACKTRACKS_MAX: usize = 100_000;
/// What one compiled pattern may hold.
const PATTERN_BYTES_MAX: usize = 1024 * 1024;

/// A JSON Schema with all that it refers to.
pub struct JsonSchema {
    pub root: Value,
    /// The documents of the references, also of theirs, by the names that `$ref` uses.
    pub refs: BTreeMap<String, Value>,
    validator: Validator,
    closure_bytes: usize,
}

impl std::fmt::Debug for JsonSchema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JsonSchema").field("root", &self.root).field("refs", &self.refs).finish_non_exhaustive()
    }
}

impl JsonSchema {
    pub(super) fn parse(text: &str, references: &[(Reference, Arc<Schema>)]) -> Result<JsonSchema, ParseError> {
        let root: Value =
            serde_json::from_str(text).map_err(|error| ParseError::new(format!("the schema is no JSON: {error}")))?;
        if !root.is_object() && !root.is_boolean() {
            return Err(ParseError::new("a JSON Schema is an object or a boolean"));
        }
        let mut refs = BTreeMap::new();
        let mut closure_bytes = text.len();
        for (reference, schema) in references {
            let Parsed::Json(json) = &schema.parsed else { continue };
            closure_bytes += json.closure_bytes;
            let all = json.refs.iter().chain([(&reference.name, &json.root)]);
            for (name, value) in all {
                if refs.insert(name.clone(), value.clone()).is_some_and(|before| before != *value) {
                    return Err(ParseError::new(format!("two references define {name:?} differently")));
                }
            }
        }
        refs::check(&root, &refs)?;
        let validator = compile(&root, &refs)?;
        Ok(JsonSchema { root, refs, validator, closure_bytes })
    }

    /// Compiled for checking values. It reads neither files nor the network.
    pub fn validator(&self) -> &Validator {
        &self.validator
    }

    /// The text, compact, in the author's order.
    pub fn text(&self) -> String {
        self.root.to_string()
    }

    /// The text with all keys sorted.
    pub fn normalized(&self) -> String {
        sorted(&self.root).to_string()
    }

    pub(super) fn closure_bytes(&self) -> usize {
        self.closure_bytes
    }
}

fn compile(root: &Value, refs: &BTreeMap<String, Value>) -> Result<Validator, ParseError> {
    let patterns = PatternOptions::fancy_regex()
        .backtrack_limit(BACKTRACKS_MAX)
        .size_limit(PATTERN_BYTES_MAX)
        .dfa_size_limit(PATTERN_BYTES_MAX);
    jsonschema::options()
        .with_draft(draft(root))
        .with_pattern_options(patterns)
        .with_retriever(Closed { refs: refs.clone() })
        .build(root)
        .map_err(|error| {
            let mut cause = error.to_string();
            if let Some((end, _)) = cause.char_indices().nth(300) {
                cause.truncate(end);
            }
            let path = error.instance_path().to_string();
            let at = if path.is_empty() { String::new() } else { format!(" at {path}") };
            ParseError::new(format!("the JSON Schema is not valid{at}: {cause}"))
        })
}

/// Draft 7 unless the schema names one that is known: Confluent's default.
pub fn draft(root: &Value) -> Draft {
    let named = root.get("$schema").and_then(Value::as_str).unwrap_or_default();
    let known = [
        ("draft-04", Draft::Draft4),
        ("draft-06", Draft::Draft6),
        ("draft-07", Draft::Draft7),
        ("2019-09", Draft::Draft201909),
        ("2020-12", Draft::Draft202012),
    ];
    known.iter().find(|(name, _)| named.contains(name)).map_or(Draft::Draft7, |(_, draft)| *draft)
}

/// Does what stands beside `$ref` count in this draft? Draft 7 and those before it ignore it.
pub fn counts_beside_ref(draft: Draft) -> bool {
    !matches!(draft, Draft::Draft4 | Draft::Draft6 | Draft::Draft7)
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(values) => values.iter().map(sorted).collect(),
        Value::Object(object) => {
            let mut keys: Vec<&String> = object.keys().collect();
            keys.sort();
            Value::Object(keys.into_iter().map(|key| (key.clone(), sorted(&object[key]))).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

/// Gives the documents of the references and nothing else.
struct Closed {
    refs: BTreeMap<String, Value>,
}

impl Retrieve for Closed {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        match refs::lookup(&self.refs, uri.as_str()) {
            Some((_, value)) => Ok(value.clone()),
            None => Err(format!("{uri} is not registered: add a reference with this name").into()),
        }
    }
}

const _: () = assert!(limits::NESTING_MAX <= 127, "serde_json stops at 127 levels");
