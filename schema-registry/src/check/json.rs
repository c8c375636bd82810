//! Is this text one JSON value of a JSON Schema?
//!
//! The `jsonschema` crate decides. Beyond the schema, what no column could take is refused: integers of more than
//! 64 bits where the schema says integer, properties that come twice, values that nest too deep, and values of too many parts: unlike the other
//! formats, this one is built in memory.

mod places;
mod unique;

use std::collections::BTreeMap;
use std::fmt::Write;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{ValidationError, Validator};
use model::limits::{JSON_PARTS_MAX, NESTING_MAX};
use serde_json::Value;

use super::fault::Fault;
use places::{Place, Step};

/// Errors of one value that a sentence lists.
const ERRORS_MAX: usize = 3;
/// Characters of one error: options of an enum or a pattern may be long.
const ERROR_CHARS_MAX: usize = 300;
/// 2^63: the first number beyond a column of 64 bits with a sign.
const LONG_BOUND: f64 = 9_223_372_036_854_775_808.0;

/// A JSON Schema with the documents that it refers to, by URI.
#[derive(Clone, Copy)]
pub struct Documents<'a> {
    pub root: &'a Value,
    pub refs: &'a BTreeMap<String, Value>,
}

/// Reads `text` and validates it.
pub fn check(validator: &Validator, documents: Documents<'_>, text: &[u8]) -> Result<(), Fault> {
    if text.len() > JSON_PARTS_MAX && parts(text) > JSON_PARTS_MAX {
        return Err(Fault::new(format!("the value has more than {JSON_PARTS_MAX} parts")));
    }
    let value = unique::read(text)?;
    bounds(&value, documents, &mut Vec::new())?;
    if validator.is_valid(&value) {
        return Ok(());
    }
    let errors: Vec<String> = validator.iter_errors(&value).take(ERRORS_MAX).map(|error| sentence(&error)).collect();
    match errors.is_empty() {
        true => Err(Fault::new("the value does not match the schema")),
        false => Err(Fault::new(errors.join("; "))),
    }
}

/// How many values a text holds, nested ones included, or a few more if the text is broken.
fn parts(text: &[u8]) -> usize {
    let (mut parts, mut in_string, mut escaped) = (1, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b',' | b'[' | b'{' if !in_string => parts += 1,
            _ => {}
        }
    }
    parts
}

/// Looks through the value for what the schema may allow and a table not.
fn bounds<'v>(value: &'v Value, documents: Documents<'_>, path: &mut Vec<Step<'v>>) -> Result<(), Fault> {
    if path.len() > NESTING_MAX {
        return Err(Fault::new(format!("the value nests deeper than {NESTING_MAX} levels")));
    }
    match value {
        Value::Object(properties) => {
            for (name, property) in properties {
                path.push(Step::Property(name));
                bounds(property, documents, path)?;
                path.pop();
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(Step::Item(index));
                bounds(item, documents, path)?;
                path.pop();
            }
        }
        Value::Number(number) if number.as_i64().is_none() => {
            let wide = number.as_f64().is_some_and(|f| !(-LONG_BOUND..LONG_BOUND).contains(&f));
            if wide && Place::of(documents, path).wants_integer() {
                let shown = named(&pointer(path));
                return Err(Fault::new(format!("{shown} is {number}, which does not fit an integer of 64 bits")));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    Ok(())
}

/// RFC 6901, as `jsonschema` writes the places of its own errors.
fn pointer(path: &[Step<'_>]) -> String {
    path.iter().fold(String::new(), |mut pointer, step| {
        match step {
            Step::Property(name) => pointer.push_str(&format!("/{}", name.replace('~', "~0").replace('/', "~1"))),
            Step::Item(index) => write!(pointer, "/{index}").expect("strings take all"),
        }
        pointer
    })
}

fn named(pointer: &str) -> String {
    match pointer {
        "" => "the value".to_owned(),
        _ => format!("'{pointer}'"),
    }
}

/// One error with the place in the value that it is about.
fn sentence(error: &ValidationError<'_>) -> String {
    if let Some(inner) = deepest(error) {
        return sentence(inner);
    }
    let place = named(error.instance_path().as_str());
    let text = match error.kind() {
        ValidationErrorKind::Type { kind } => {
            format!("{place} must be {}, found {}", wanted(kind), found(error.instance()))
        }
        ValidationErrorKind::Required { property } => format!("{place} lacks the property {property}"),
        ValidationErrorKind::AnyOf { .. } | ValidationErrorKind::OneOfNotValid { .. } => {
            format!("{place} fits none of the schemas in {}", error.kind().keyword())
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let shown: Vec<String> = unexpected.iter().take(ERRORS_MAX).map(|name| format!("{name:?}")).collect();
            let more = if unexpected.len() > shown.len() { ", …" } else { "" };
            format!("{place} has properties that the schema does not allow: {}{more}", shown.join(", "))
        }
        _ => {
            let text = error.masked_with(place.as_str()).to_string();
            if text.contains(&place) { text } else { format!("{place}: {text}") }
        }
    };
    match text.char_indices().nth(ERROR_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// What is wrong inside a value of which no alternative holds: the error that lies deepest says most.
fn deepest<'e>(error: &'e ValidationError<'_>) -> Option<&'e ValidationError<'static>> {
    let (ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context }) = error.kind() else {
        return None;
    };
    let depth = |error: &ValidationError<'_>| error.instance_path().as_str().matches('/').count();
    let here = depth(error);
    context.iter().flatten().filter(|inner| depth(inner) > here).max_by_key(|inner| depth(inner))
}

fn wanted(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(one) => with_article(&one.to_string()),
        TypeKind::Multiple(several) => {
            several.iter().map(|one| with_article(&one.to_string())).collect::<Vec<_>>().join(" or ")
        }
    }
}

fn found(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a number",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn with_article(name: &str) -> String {
    match name {
        "null" => name.to_owned(),
        _ if name.starts_with(['a', 'i', 'o']) => format!("an {name}"),
        _ => format!("a {name}"),
    }
}

#[cfg(test)]
mod tests;
