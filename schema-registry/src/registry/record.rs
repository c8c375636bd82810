//! How does a change of the registry stand in the topic `_schemas`?
//!
//! Confluent's format, so that a topic can be taken over from its registry: `docs/formats/schemas-topic.md`.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::schema::Reference;

/// One record of topic `_schemas`. Both parts are JSON; no value is a tombstone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub key: Vec<u8>,
    pub value: Option<Vec<u8>>,
}

/// A record, understood.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    Schema(SchemaValue),
    /// A version is erased.
    Erase {
        subject: String,
        version: i32,
    },
    /// All versions up to this one are deleted softly.
    DeleteSubject {
        subject: String,
        version: i32,
    },
    /// All versions are erased.
    ClearSubject {
        subject: String,
    },
    /// None as subject is the whole registry; None as value unsets.
    Config {
        subject: Option<String>,
        value: Option<Value>,
    },
    Mode {
        subject: Option<String>,
        value: Option<Value>,
    },
    Nothing,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SchemaValue {
    pub subject: String,
    pub version: i32,
    pub id: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub references: Option<Vec<Reference>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule_set: Option<Value>,
    pub schema: String,
    #[serde(default)]
    pub deleted: bool,
}

#[derive(Deserialize)]
struct Key {
    keytype: String,
    #[serde(default)]
    subject: Option<String>,
    #[serde(default)]
    version: Option<i32>,
}

#[derive(Deserialize)]
struct Upto {
    version: i32,
}

impl Change {
    /// Err says what is wrong with the record; the registry can go on without it.
    pub(crate) fn read(key: &[u8], value: Option<&[u8]>) -> Result<Change, String> {
        let key: Key = serde_json::from_slice(key).map_err(|error| format!("the key is no registry key: {error}"))?;
        let subject = |key: &Key| key.subject.clone().ok_or_else(|| format!("a {} key has no subject", key.keytype));
        let bad = |error: serde_json::Error| format!("the value of a {} key is not of its form: {error}", key.keytype);
        Ok(match (key.keytype.as_str(), value) {
            ("SCHEMA", Some(value)) => Change::Schema(serde_json::from_slice(value).map_err(bad)?),
            ("SCHEMA", None) => {
                let version = key.version.ok_or("a SCHEMA key has no version")?;
                Change::Erase { subject: subject(&key)?, version }
            }
            ("DELETE_SUBJECT", Some(value)) => {
                let Upto { version } = serde_json::from_slice(value).map_err(bad)?;
                Change::DeleteSubject { subject: subject(&key)?, version }
            }
            ("CLEAR_SUBJECT", Some(_)) => Change::ClearSubject { subject: subject(&key)? },
            ("CONFIG", value) => {
                let value = value.map(serde_json::from_slice).transpose().map_err(bad)?;
                Change::Config { subject: key.subject, value }
            }
            ("MODE", value) => {
                let value = value.map(serde_json::from_slice).transpose().map_err(bad)?;
                Change::Mode { subject: key.subject, value }
            }
            ("NOOP", _) | ("DELETE_SUBJECT" | "CLEAR_SUBJECT", None) => Change::Nothing,
            (other, _) => return Err(format!("the key type {other:?} is not known")),
        })
    }

    pub(crate) fn record(&self) -> Record {
        let (key, value) = match self {
            Change::Schema(schema) => (schema_key(&schema.subject, schema.version), Some(json!(schema))),
            Change::Erase { subject, version } => (schema_key(subject, *version), None),
            Change::DeleteSubject { subject, version } => (
                json!({"keytype": "DELETE_SUBJECT", "subject": subject, "magic": 0}),
                Some(json!({"subject": subject, "version": version})),
            ),
            Change::ClearSubject { subject } => {
                (json!({"keytype": "CLEAR_SUBJECT", "subject": subject, "magic": 0}), Some(json!({"subject": subject})))
            }
            Change::Config { subject, value } => {
                (json!({"keytype": "CONFIG", "subject": subject, "magic": 0}), value.clone())
            }
            Change::Mode { subject, value } => {
                (json!({"keytype": "MODE", "subject": subject, "magic": 0}), value.clone())
            }
            Change::Nothing => (json!({"keytype": "NOOP", "magic": 0}), None),
        };
        Record { key: key.to_string().into_bytes(), value: value.map(|value| value.to_string().into_bytes()) }
    }
}

fn schema_key(subject: &str, version: i32) -> Value {
    json!({"keytype": "SCHEMA", "subject": subject, "version": version, "magic": 1})
}
