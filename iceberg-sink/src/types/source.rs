//! Which part of a registered schema describes the values of a topic?

use iceberg::spec::NestedFieldRef;
use schema_registry::schema::{Parsed, Schema};

use super::fault::{Fault, Refused};
use super::kind::{Column, check};
use super::shape::Fields;
use super::{avro, json, protobuf};

/// The type in a schema whose fields become columns. Only Protobuf schemas have more than one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root<'a> {
    /// The only one, or the first message.
    First,
    /// The message that these indexes lead to, as in Confluent's framing: each counts the messages in the one before.
    Indexes(&'a [i32]),
    /// The message of this full name.
    Named(&'a str),
}

/// A schema lowered for one root: what both the columns and the walker of its payloads come from.
#[derive(Debug, Clone)]
pub enum Source {
    Avro(Fields<avro::Node>),
    Protobuf(protobuf::Message),
    Json(json::Record),
}

/// The columns for values of this schema.
pub fn columns(schema: &Schema, root: Root<'_>) -> Result<Vec<Column>, Refused> {
    let columns = Source::lower(schema, root)?.columns();
    check(&columns)?;
    Ok(columns)
}

impl Source {
    pub fn lower(schema: &Schema, root: Root<'_>) -> Result<Source, Refused> {
        match &schema.parsed {
            Parsed::Avro(avro) => avro::lower(avro).map(Source::Avro),
            Parsed::Json(json) => json::lower(json).map(Source::Json),
            Parsed::Protobuf(protobuf) => {
                let message = match root {
                    Root::First | Root::Indexes([]) => protobuf.message(&[0]),
                    Root::Indexes(indexes) => protobuf.message(indexes),
                    Root::Named(name) => protobuf.message_named(name),
                };
                let message = message.ok_or_else(|| {
                    Fault::new(match root {
                        Root::Named(name) => format!("the Protobuf schema has no message '{name}'"),
                        Root::Indexes(indexes) => format!("the Protobuf schema has no message at indexes {indexes:?}"),
                        Root::First => "the Protobuf schema has no message".into(),
                    })
                })?;
                protobuf::lower(&message).map(Source::Protobuf)
            }
        }
    }

    pub fn columns(&self) -> Vec<Column> {
        match self {
            Source::Avro(fields) => fields.columns(),
            Source::Protobuf(message) => message.fields.columns(),
            Source::Json(record) => record.fields.columns(),
        }
    }

    /// Finds the places of all fields among the columns of a table.
    pub fn bind(&mut self, columns: &[NestedFieldRef]) -> Result<(), Fault> {
        match self {
            Source::Avro(fields) => fields.bind(columns),
            Source::Protobuf(message) => message.fields.bind(columns),
            Source::Json(record) => record.fields.bind(columns),
        }
    }

    /// Leaves the columns that `is_other` names to somebody else: they are not null for lack of a field.
    pub fn leave(&mut self, is_other: impl Fn(usize) -> bool) {
        let absent = match self {
            Source::Avro(fields) => &mut fields.absent,
            Source::Protobuf(message) => &mut message.fields.absent,
            Source::Json(record) => &mut record.fields.absent,
        };
        absent.retain(|place| !is_other(*place));
    }
}
