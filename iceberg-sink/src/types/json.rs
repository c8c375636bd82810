//! Which columns does a JSON Schema have?

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use iceberg::spec::{PrimitiveType, Type};
use model::limits::{NESTING_MAX, SCHEMA_FIELDS_MAX};
use schema_registry::schema::JsonSchema;
use schema_registry::schema::json::{counts_beside_ref, draft};
use serde_json::{Map, Value};

use super::fault::{Fault, Refused};
use super::kind::Kind;
use super::shape::{Fields, Shape, bind_element, bind_entry};

/// A JSON type as the walker meets it. Every value may also be null.
#[derive(Debug, Clone)]
pub enum Node {
    Boolean,
    Integer,
    Number,
    Text,
    /// `format: date-time`.
    Timestamp,
    Date,
    Time,
    Record(Record),
    List {
        element: Box<Node>,
    },
    Map {
        value: Box<Node>,
    },
}

/// An object with named properties, and the place of each in `fields`.
#[derive(Debug, Clone)]
pub struct Record {
    pub fields: Fields<Node>,
    pub index: HashMap<String, usize>,
}

/// Lowers a schema whose root is an object.
pub fn lower(schema: &JsonSchema) -> Result<Record, Refused> {
    let mut lower = Lower { root: &schema.root, refs: &schema.refs, open: Vec::new(), nodes: 0 };
    match lower.node(Place { document: &schema.root, value: &schema.root }, 0)? {
        Node::Record(record) => Ok(record),
        _ => Err(Fault::new("the root of a JSON Schema must be an object with properties: only they can be columns")),
    }
}

/// Keywords that could give a value another shape than the rest of its schema says.
const REFUSED: [&str; 14] = [
    "patternProperties",
    "if",
    "then",
    "else",
    "dependencies",
    "dependentSchemas",
    "$dynamicRef",
    "$recursiveRef",
    "prefixItems",
    "additionalItems",
    "unevaluatedItems",
    "extends",
    "disallow",
    "$merge",
];

/// Keywords that give a value a shape which is understood, but not beside another one.
const SHAPES: [&str; 6] = ["properties", "items", "additionalProperties", "oneOf", "anyOf", "allOf"];

/// A subschema, and the document that local references in it mean.
#[derive(Clone, Copy)]
struct Place<'a> {
    document: &'a Value,
    value: &'a Value,
}

struct Lower<'a> {
    root: &'a Value,
    refs: &'a BTreeMap<String, Value>,
    /// Targets of the references that are being followed.
    open: Vec<*const Value>,
    nodes: usize,
}

impl<'a> Lower<'a> {
    fn node(&mut self, place: Place<'a>, depth: usize) -> Result<Node, Refused> {
        self.nodes += 1;
        // What is referred to twice is lowered twice: without a bound a short schema could grow without end.
        if self.nodes > SCHEMA_FIELDS_MAX {
            return Err(Fault::new(format!("the schema has more than {SCHEMA_FIELDS_MAX} fields")));
        }
        if depth > NESTING_MAX {
            return Err(Fault::new(format!("fields nest deeper than {NESTING_MAX} levels")));
        }
        let Value::Object(schema) = place.value else {
            return Err(Fault::new("any value is allowed here: say its type"));
        };
        let open = self.open.len();
        if self.open.contains(&std::ptr::from_ref(place.value)) {
            return Err(Fault::new("the schema contains itself: columns cannot nest without end"));
        }
        self.open.push(place.value);
        let node = self.object(place, schema, depth);
        self.open.truncate(open);
        node
    }

    fn object(&mut self, place: Place<'a>, schema: &'a Map<String, Value>, depth: usize) -> Result<Node, Refused> {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            if let Some(keyword) = self.beside_ref(place, schema) {
                return Err(Fault::new(format!(
                    "'{keyword}' beside '$ref' gives the value a shape of its own: put all into one schema"
                )));
            }
            return self.node(self.resolve(place, reference)?, depth + 1);
        }
        if let Some(keyword) = REFUSED.iter().find(|keyword| schema.contains_key(**keyword)) {
            return Err(Fault::new(format!("'{keyword}' can change a value's shape, which a column cannot follow")));
        }
        if let Some(inner) = self.composed(place, schema)? {
            return self.node(inner, depth + 1);
        }
        match type_of(schema)? {
            "boolean" => Ok(Node::Boolean),
            "integer" => Ok(Node::Integer),
            "number" => Ok(Node::Number),
            "string" => Ok(match schema.get("format").and_then(Value::as_str) {
                Some("date-time") => Node::Timestamp,
                Some("date") => Node::Date,
                Some("time") => Node::Time,
                _ => Node::Text,
            }),
            "array" => self.list(place, schema, depth),
            "object" => self.properties(place, schema, depth),
            "null" => Err(Fault::new("only null is allowed here, which is nothing to store: remove the property")),
            other => Err(Fault::new(format!("'{other}' is no type of JSON Schema"))),
        }
    }

    /// A keyword beside `$ref` that adds to the shape of what it refers to, where the draft does not ignore it.
    fn beside_ref(&self, place: Place<'a>, schema: &'a Map<String, Value>) -> Option<&'a str> {
        let document = if place.document.get("$schema").is_some() { place.document } else { self.root };
        if !counts_beside_ref(draft(document)) {
            return None;
        }
        let shapes = |(keyword, value): &(&'a String, &'a Value)| match keyword.as_str() {
            "unevaluatedProperties" => **value != Value::Bool(false),
            other => SHAPES.contains(&other) || REFUSED.contains(&other),
        };
        schema.iter().find(shapes).map(|(keyword, _)| keyword.as_str())
    }

    /// The one subschema that oneOf, anyOf or allOf stand for, null aside; none when there is no such keyword.
    fn composed(&self, place: Place<'a>, schema: &'a Map<String, Value>) -> Result<Option<Place<'a>>, Refused> {
        let mut found = None;
        for keyword in ["oneOf", "anyOf", "allOf"] {
            let Some(branches) = schema.get(keyword) else { continue };
            let branches = branches.as_array().map(Vec::as_slice).unwrap_or_default();
            let values: Vec<&Value> = branches.iter().filter(|branch| !is_null(branch)).collect();
            let nulls = branches.len() - values.len();
            if values.len() != 1 || found.is_some() || (keyword == "allOf" && nulls > 0) {
                return Err(Fault::new(format!(
                    "'{keyword}' is only understood with one schema, or with null and one schema"
                )));
            }
            found = Some(Place { document: place.document, value: values[0] });
        }
        if found.is_some() && (schema.contains_key("properties") || schema.contains_key("items")) {
            return Err(Fault::new("a schema beside oneOf, anyOf or allOf with properties or items has two shapes"));
        }
        Ok(found)
    }

    fn list(&mut self, place: Place<'a>, schema: &'a Map<String, Value>, depth: usize) -> Result<Node, Refused> {
        let items = match schema.get("items") {
            Some(Value::Array(_)) => return Err(Fault::new("'items' lists one schema per position: use an object")),
            Some(items) => Place { document: place.document, value: items },
            None => return Err(Fault::new("an array needs 'items', the schema of its elements")),
        };
        let element = self.node(items, depth + 1).map_err(|fault| fault.in_element(None))?;
        Ok(Node::List { element: Box::new(element) })
    }

    fn properties(&mut self, place: Place<'a>, schema: &'a Map<String, Value>, depth: usize) -> Result<Node, Refused> {
        let properties = schema.get("properties").and_then(Value::as_object).filter(|map| !map.is_empty());
        let others = [schema.get("additionalProperties"), schema.get("unevaluatedProperties")];
        let others = others.into_iter().flatten().find(|value| **value != Value::Bool(false));
        match (properties, others) {
            (None, Some(value @ Value::Object(_))) => {
                let value = Place { document: place.document, value };
                let value = self.node(value, depth + 1).map_err(|fault| fault.in_entry(""))?;
                Ok(Node::Map { value: Box::new(value) })
            }
            (None, _) => Err(Fault::new(
                "an object needs 'properties', or 'additionalProperties' with the schema of all its values",
            )),
            (Some(_), Some(_)) => Err(Fault::new(
                "an object with 'properties' and other ones has no columns for the others: set \
                 additionalProperties to false",
            )),
            (Some(properties), None) => {
                let mut fields = Vec::with_capacity(properties.len());
                for (name, value) in properties {
                    let value = Place { document: place.document, value };
                    let node = self.node(value, depth + 1).map_err(|fault| fault.in_field(name))?;
                    fields.push((name.clone(), node));
                }
                let index = fields.iter().enumerate().map(|(index, (name, _))| (name.clone(), index)).collect();
                Ok(Node::Record(Record { fields: Fields::new(fields), index }))
            }
        }
    }

    fn resolve(&self, place: Place<'a>, reference: &str) -> Result<Place<'a>, Refused> {
        let (uri, pointer) = reference.split_once('#').unwrap_or((reference, ""));
        let is_own = uri.is_empty() || self.root.get("$id").and_then(Value::as_str) == Some(uri);
        let document = match uri {
            "" => Some(place.document),
            _ if is_own => Some(self.root),
            _ => self.refs.get(uri).or_else(|| self.refs.get(reference)),
        };
        let found = document.and_then(|document| {
            let pointer = percent_decoded(pointer);
            let value = match pointer.starts_with('/') || pointer.is_empty() {
                true => document.pointer(&pointer),
                false => anchor(document, &pointer, 0),
            };
            value.map(|value| Place { document, value })
        });
        found.ok_or_else(|| {
            Fault::new(format!("'$ref' to '{reference}' leads nowhere: register that schema and refer to it"))
        })
    }
}

/// The subschema with this `$anchor`, or the old `$id: "#name"`.
fn anchor<'a>(value: &'a Value, name: &str, depth: usize) -> Option<&'a Value> {
    if depth > NESTING_MAX {
        return None;
    }
    match value {
        Value::Object(map) => {
            let is_text = |key: &str, wanted: &str| map.get(key).and_then(Value::as_str) == Some(wanted);
            if is_text("$anchor", name) || is_text("$id", &format!("#{name}")) {
                return Some(value);
            }
            map.values().find_map(|inner| anchor(inner, name, depth + 1))
        }
        Value::Array(list) => list.iter().find_map(|inner| anchor(inner, name, depth + 1)),
        _ => None,
    }
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = tail.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn is_null(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("null") || schema.get("const") == Some(&Value::Null)
}

/// The one type of a schema, null aside: as it says, or as its other keywords show.
fn type_of(schema: &Map<String, Value>) -> Result<&str, Refused> {
    match schema.get("type") {
        Some(Value::String(name)) => return Ok(name),
        Some(Value::Array(names)) => {
            let names: Vec<&str> = names.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect();
            return match names.as_slice() {
                [name] => Ok(name),
                [] => Ok("null"),
                ["integer", "number"] | ["number", "integer"] => Ok("number"),
                _ => Err(Fault::new(format!("a value of several types ({}) has no column", names.join(", ")))),
            };
        }
        _ => {}
    }
    if let Some(constant) = schema.get("const") {
        return Ok(type_of_value(constant));
    }
    if let Some(Value::Array(values)) = schema.get("enum") {
        let mut types: Vec<&str> = values.iter().filter(|value| !value.is_null()).map(type_of_value).collect();
        types.sort_unstable();
        types.dedup();
        return match types.as_slice() {
            [name] if !matches!(*name, "object" | "array") => Ok(name),
            ["integer", "number"] => Ok("number"),
            _ => Err(Fault::new("an enum must hold values of one scalar type")),
        };
    }
    match () {
        () if schema.contains_key("properties") || schema.contains_key("additionalProperties") => Ok("object"),
        () if schema.contains_key("items") => Ok("array"),
        () => Err(Fault::new("any value is allowed here: say its type")),
    }
}

fn type_of_value(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

impl Shape for Node {
    fn kind(&self) -> Option<Kind> {
        Some(match self {
            Node::Boolean => Kind::Scalar(PrimitiveType::Boolean),
            Node::Integer => Kind::Scalar(PrimitiveType::Long),
            Node::Number => Kind::Scalar(PrimitiveType::Double),
            // Spark refuses any table with a column of type time: times of day are texts of fixed width.
            Node::Text | Node::Time => Kind::Scalar(PrimitiveType::String),
            Node::Timestamp => Kind::Scalar(PrimitiveType::Timestamptz),
            Node::Date => Kind::Scalar(PrimitiveType::Date),
            Node::Record(record) => record.fields.kind(),
            Node::List { element } => Kind::List(Box::new(element.kind()?)),
            Node::Map { value } => Kind::Map(PrimitiveType::String, Box::new(value.kind()?)),
        })
    }

    fn bind(&mut self, column: &Type) -> Result<(), Fault> {
        match self {
            Node::Record(record) => record.fields.bind_struct(column),
            Node::List { element } => bind_element(element.as_mut(), column),
            Node::Map { value } => bind_entry(value.as_mut(), column),
            _ => Ok(()),
        }
    }
}
