//! What is a schema, once its text has been understood?

pub mod avro;
pub mod json;
pub mod protobuf;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use md5::{Digest, Md5};
use model::limits;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use avro::AvroSchema;
pub use json::JsonSchema;
pub use protobuf::ProtobufSchema;

/// The three languages in which schemas are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SchemaType {
    Avro,
    Protobuf,
    Json,
}

impl SchemaType {
    pub const ALL: [SchemaType; 3] = [SchemaType::Json, SchemaType::Protobuf, SchemaType::Avro];

    /// The name in the REST interface.
    pub fn name(self) -> &'static str {
        match self {
            SchemaType::Avro => "AVRO",
            SchemaType::Protobuf => "PROTOBUF",
            SchemaType::Json => "JSON",
        }
    }
}

impl fmt::Display for SchemaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for SchemaType {
    type Err = ParseError;

    fn from_str(name: &str) -> Result<SchemaType, ParseError> {
        SchemaType::ALL
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| ParseError::new(format!("schema type {name:?} is not one of AVRO, PROTOBUF, JSON")))
    }
}

/// Why a text is no schema: one sentence for its author.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(String);

impl ParseError {
    pub fn new(message: impl Into<String>) -> ParseError {
        ParseError(message.into())
    }
}

/// Another registered schema that a schema uses.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reference {
    /// How the text names it: an Avro full name, a Protobuf import path, a JSON `$ref` URI.
    pub name: String,
    pub subject: String,
    pub version: i32,
}

/// One understood schema with all it refers to. Shared, never changed.
#[derive(Debug)]
pub struct Schema {
    pub schema_type: SchemaType,
    /// The text that the registry stores and gives back.
    pub text: String,
    pub references: Vec<Reference>,
    pub parsed: Parsed,
    /// The text without the freedoms of its language: equal schemas have equal ones.
    canonical: String,
}

/// The schema in the form of its language.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // always behind the `Arc` of its schema
pub enum Parsed {
    Avro(AvroSchema),
    Protobuf(ProtobufSchema),
    Json(JsonSchema),
}

impl Schema {
    /// Understands a text. `references` are the schemas it names, themselves understood.
    pub fn parse(
        schema_type: SchemaType,
        text: &str,
        references: &[(Reference, Arc<Schema>)],
    ) -> Result<Schema, ParseError> {
        check_size(text, references)?;
        for (reference, schema) in references {
            if schema.schema_type != schema_type {
                return Err(ParseError::new(format!(
                    "the reference {:?} is a schema of type {}, but only one of type {schema_type} can be used here",
                    reference.name, schema.schema_type
                )));
            }
        }
        let (text, canonical, parsed) = match schema_type {
            SchemaType::Avro => {
                let schema = AvroSchema::parse(text, references)?;
                let text = schema.text();
                (text.clone(), text, Parsed::Avro(schema))
            }
            SchemaType::Protobuf => {
                let (mut schema, text) = ProtobufSchema::parse(text, references)?;
                let canonical = schema.text();
                let text = match text {
                    Some(text) => text,
                    None => {
                        // The text is what is stored: it must be understood again, and mean the same.
                        schema = ProtobufSchema::parse(&canonical, references)?.0;
                        if schema.text() != canonical {
                            return Err(ParseError::new("the FileDescriptorProto cannot be written as .proto text"));
                        }
                        canonical.clone()
                    }
                };
                (text, canonical, Parsed::Protobuf(schema))
            }
            SchemaType::Json => {
                let schema = JsonSchema::parse(text, references)?;
                let text = schema.text();
                (text.clone(), text, Parsed::Json(schema))
            }
        };
        let references = references.iter().map(|(reference, _)| reference.clone()).collect();
        Ok(Schema { schema_type, text, references, parsed, canonical })
    }

    /// The text in the one form that `normalize` promises; the order of messages stays (indexes count them).
    pub fn normalized(&self) -> String {
        match &self.parsed {
            Parsed::Avro(schema) => schema.normalized(),
            Parsed::Protobuf(schema) => schema.normalized(),
            Parsed::Json(schema) => schema.normalized(),
        }
    }

    /// Two schemas of one context with equal identity share one id. Rendered as a GUID in answers.
    pub fn identity(&self) -> Uuid {
        let mut md5 = Md5::new();
        for part in [self.schema_type.name(), &self.canonical] {
            md5.update((part.len() as u64).to_be_bytes());
            md5.update(part);
        }
        for Reference { name, subject, version } in &self.references {
            md5.update((name.len() as u64).to_be_bytes());
            md5.update(name);
            md5.update((subject.len() as u64).to_be_bytes());
            md5.update(subject);
            md5.update(version.to_be_bytes());
        }
        Uuid::from_bytes(md5.finalize().into())
    }

    /// The name that RecordNameStrategy uses: Avro's full name, the Protobuf message that the indexes lead to
    /// (the first when there are none), the title of a JSON Schema.
    pub fn record_name(&self, indexes: &[i32]) -> Option<String> {
        match &self.parsed {
            Parsed::Avro(schema) => schema.root_name(),
            Parsed::Protobuf(schema) => {
                let indexes = if indexes.is_empty() { &[0][..] } else { indexes };
                schema.message(indexes).map(|message| message.full_name().to_owned())
            }
            Parsed::Json(schema) => schema.root.get("title").and_then(|title| title.as_str()).map(str::to_owned),
        }
    }
}

fn check_size(text: &str, references: &[(Reference, Arc<Schema>)]) -> Result<(), ParseError> {
    let bytes = text.len() + references.iter().map(|(_, schema)| schema.closure_bytes()).sum::<usize>();
    if bytes > limits::SCHEMA_BYTES_MAX {
        return Err(ParseError::new(format!(
            "the schema with all it refers to has {bytes} bytes, but at most {} are allowed: split it",
            limits::SCHEMA_BYTES_MAX
        )));
    }
    if text.trim().is_empty() {
        return Err(ParseError::new("the schema is empty"));
    }
    Ok(())
}

impl Schema {
    /// Bytes of the text and of all it refers to.
    fn closure_bytes(&self) -> usize {
        match &self.parsed {
            Parsed::Avro(schema) => schema.closure_bytes(),
            Parsed::Protobuf(schema) => schema.closure_bytes(),
            Parsed::Json(schema) => schema.closure_bytes(),
        }
    }
}
