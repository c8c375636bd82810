//! Which compiled form of a schema judges bytes?

use std::sync::Arc;

use super::fault::Fault;
use super::json::Documents;
use super::{avro, json, protobuf};
use crate::schema::{Parsed, Schema};

/// A schema, or one message of it, compiled for checking values.
#[derive(Debug)]
pub enum Validator {
    Avro(avro::Program),
    Protobuf(protobuf::Program),
    /// Its compiled form is part of the schema.
    Json(Arc<Schema>),
}

impl Validator {
    /// `indexes`: the path to a Protobuf message, empty for the first; other types have none. Errors are sentences.
    pub fn compile(schema: &Arc<Schema>, indexes: &[i32]) -> Result<Validator, String> {
        match &schema.parsed {
            Parsed::Avro(avro) => avro::compile(&avro.root, &avro.names).map(Validator::Avro),
            Parsed::Protobuf(protobuf) => {
                let indexes = if indexes.is_empty() { &[0][..] } else { indexes };
                let message = protobuf.message(indexes).ok_or_else(|| {
                    format!("the schema has no message at the indexes {indexes:?} that stand behind its id")
                })?;
                protobuf::compile(&message).map(Validator::Protobuf)
            }
            Parsed::Json(_) => Ok(Validator::Json(Arc::clone(schema))),
        }
    }

    /// For values without a prefix: the message is found by its name.
    pub fn compile_named(schema: &Arc<Schema>, name: &str) -> Result<Validator, String> {
        match &schema.parsed {
            Parsed::Protobuf(protobuf) => {
                let message = protobuf.message_named(name).ok_or_else(|| {
                    format!("the subject's latest schema has no message '{name}', which the topic's lake mode names")
                })?;
                protobuf::compile(&message).map(Validator::Protobuf)
            }
            Parsed::Avro(_) | Parsed::Json(_) => Validator::compile(schema, &[]),
        }
    }

    /// Are these bytes, without any prefix, exactly one value?
    pub fn check(&self, payload: &[u8]) -> Result<(), Fault> {
        match self {
            Validator::Avro(program) => program.check(payload),
            Validator::Protobuf(program) => program.check(payload),
            Validator::Json(schema) => match &schema.parsed {
                Parsed::Json(parsed) => {
                    let documents = Documents { root: &parsed.root, refs: &parsed.refs };
                    json::check(parsed.validator(), documents, payload)
                }
                Parsed::Avro(_) | Parsed::Protobuf(_) => unreachable!("compile() put a JSON Schema here"),
            },
        }
    }
}
