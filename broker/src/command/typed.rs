//! How does JSON become a record of a registered schema, and a record JSON again?

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use apache_avro::types::Value as AvroValue;
use prost::Message;
use prost_reflect::DynamicMessage;
use schema_registry::framing::{self, SchemaRef};
use schema_registry::{Parsed, Reference, Schema, SchemaType};
use serde_json::{Value, json};

use super::reach::{ask, segment};

/// Schemas of a registry, each asked for once.
pub struct Schemas {
    registry: SocketAddr,
    known: HashMap<u32, Arc<Schema>>,
}

impl Schemas {
    pub fn new(registry: SocketAddr) -> Schemas {
        Schemas { registry, known: HashMap::new() }
    }

    /// The schema of a subject: `latest`, or one with this id.
    pub fn choose(&mut self, subject: &str, choice: &str) -> Result<(u32, Arc<Schema>)> {
        let id = match choice.parse() {
            Ok(id) => id,
            Err(_) => {
                let answer = self.get(&format!("/subjects/{}/versions/{}", segment(subject), segment(choice)))?;
                number(&answer, "id")?
            }
        };
        Ok((id, self.by_id(id)?))
    }

    fn by_id(&mut self, id: u32) -> Result<Arc<Schema>> {
        if let Some(schema) = self.known.get(&id) {
            return Ok(schema.clone());
        }
        let schema = Arc::new(self.parse(&self.get(&format!("/schemas/ids/{id}"))?, 0)?);
        self.known.insert(id, schema.clone());
        Ok(schema)
    }

    fn parse(&self, answer: &Value, depth: usize) -> Result<Schema> {
        if depth > model::limits::NESTING_MAX {
            bail!("the schema's references nest too deep");
        }
        let kind = match answer["schemaType"].as_str().unwrap_or("AVRO") {
            "AVRO" => SchemaType::Avro,
            "PROTOBUF" => SchemaType::Protobuf,
            "JSON" => SchemaType::Json,
            other => bail!("the registry names a schema type that is not known here: {other}"),
        };
        let named: Vec<Reference> = match answer.get("references") {
            Some(references) => serde_json::from_value(references.clone()).context("the schema's references")?,
            None => Vec::new(),
        };
        let mut references = Vec::new();
        for reference in named {
            let path = format!("/subjects/{}/versions/{}", segment(&reference.subject), reference.version);
            let schema = self.parse(&self.get(&path)?, depth + 1)?;
            references.push((reference, Arc::new(schema)));
        }
        let text = answer["schema"].as_str().context("the registry's answer has no schema")?;
        Ok(Schema::parse(kind, text, &references)?)
    }

    fn get(&self, path: &str) -> Result<Value> {
        ask("GET", &format!("http://{}{path}", self.registry), "application/json", None)?.json()
    }

    /// A framed value as JSON; one that is not framed as text, or as base 16 where it is no text.
    pub fn show(&mut self, value: &[u8]) -> Value {
        self.decode(value).unwrap_or_else(|| plain(value))
    }

    fn decode(&mut self, value: &[u8]) -> Option<Value> {
        let framed = framing::split(value, None).ok()?;
        let SchemaRef::Id(id) = framed.schema else { return None };
        let schema = self.by_id(id).ok()?;
        let (indexes, mut payload) = framed.open(schema.schema_type).ok()?;
        match &schema.parsed {
            Parsed::Json(_) => serde_json::from_slice(payload).ok(),
            Parsed::Avro(avro) => apache_avro::from_avro_datum(&avro.root, &mut payload, None).ok()?.try_into().ok(),
            Parsed::Protobuf(file) => {
                let message = DynamicMessage::decode(file.message(&indexes)?, payload).ok()?;
                serde_json::to_value(message).ok()
            }
        }
    }
}

fn number(answer: &Value, name: &str) -> Result<u32> {
    let value = answer[name].as_u64().and_then(|n| u32::try_from(n).ok());
    value.with_context(|| format!("the registry's answer has no {name}"))
}

/// Text where it is text, else base 16.
pub fn plain(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
    }
}

/// Frames a JSON text as a value of a schema; of a Protobuf file the first message is meant.
pub fn encode(id: u32, schema: &Schema, text: &str) -> Result<Vec<u8>> {
    let mut out = vec![0];
    out.extend(id.to_be_bytes());
    match &schema.parsed {
        Parsed::Json(_) => out.extend(text.as_bytes()),
        Parsed::Avro(avro) => {
            let json: Value = serde_json::from_str(text).context("the line is no JSON")?;
            let value = AvroValue::from(json).resolve(&avro.root).context("the line is no value of the schema")?;
            out.extend(apache_avro::to_avro_datum(&avro.root, value).context("the line is no value of the schema")?);
        }
        Parsed::Protobuf(file) => {
            let kind = file.message(&[0]).context("the schema has no message")?;
            let mut json = serde_json::Deserializer::from_str(text);
            let message =
                DynamicMessage::deserialize(kind, &mut json).context("the line is no message of the schema")?;
            out.push(0);
            message.encode(&mut out).context("the message is too large")?;
        }
    }
    Ok(out)
}
