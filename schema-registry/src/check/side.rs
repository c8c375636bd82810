//! May these bytes be the key, or the value, of a record of this topic?

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use model::limits::{CHECKED_SCHEMAS_MAX, LISTED_MAX};
use model::{CheckMode, LakeMode, SubjectStrategy, TopicName, TopicSettings};

use super::fault::Fault;
use super::validator::Validator;
use crate::framing::{self, Framed, FramingError, Indexes, SchemaRef};
use crate::schema::{Schema, SchemaType};
use crate::view::View;

/// The check of a topic's keys or of its values.
pub struct Side {
    topic: String,
    /// By TopicNameStrategy, or as the lake mode names it.
    subject: String,
    mode: CheckMode,
    strategy: SubjectStrategy,
    latest: Option<Latest>,
    /// What was accepted once. The registry is asked for each record whether the id is still the subject's and still
    /// means that schema, as versions can be erased: two looks into maps.
    accepted: HashMap<(u32, Indexes), Accepted>,
}

/// Where values may come without a prefix (lake mode schema_latest).
struct Latest {
    protobuf_name: Option<String>,
    compiled: Option<(Arc<Schema>, Arc<Validator>)>,
}

struct Accepted {
    schema: Arc<Schema>,
    subject: String,
    /// None where only ids are checked.
    validator: Option<Validator>,
}

/// Why a key or a value is refused.
#[derive(Debug)]
pub enum Refusal {
    Framing(FramingError),
    /// Its schema is not the topic's.
    Unregistered(String),
    Fault(Fault),
    /// The topic's schema cannot judge it.
    Schema(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Framing(error) => error.fmt(f),
            Refusal::Fault(fault) => fault.fmt(f),
            Refusal::Unregistered(sentence) | Refusal::Schema(sentence) => f.write_str(sentence),
        }
    }
}

impl Side {
    /// None: keys are not checked.
    pub fn key(topic: &TopicName, settings: &TopicSettings) -> Option<Side> {
        let subject = format!("{topic}-key");
        Side::new(topic, subject, settings.check_key(), settings.key_subject(), None)
    }

    /// None: values are not checked.
    pub fn value(topic: &TopicName, settings: &TopicSettings) -> Option<Side> {
        let (mut subject, mut strategy) = (format!("{topic}-value"), settings.value_subject());
        let mut latest = None;
        if let LakeMode::SchemaLatest { subject: named, protobuf_name } = settings.lake_mode() {
            latest = Some(Latest { protobuf_name, compiled: None });
            if let Some(named) = named {
                // The table follows this subject; what is registered elsewhere does not fit it.
                (subject, strategy) = (named, SubjectStrategy::TopicName);
            }
        }
        Side::new(topic, subject, settings.check_value(), strategy, latest)
    }

    fn new(
        topic: &TopicName,
        subject: String,
        mode: CheckMode,
        strategy: SubjectStrategy,
        latest: Option<Latest>,
    ) -> Option<Side> {
        let topic = topic.to_string();
        (mode != CheckMode::Off).then(|| Side { topic, subject, mode, strategy, latest, accepted: HashMap::new() })
    }

    pub fn check(&mut self, view: &View, bytes: &[u8], header: Option<&[u8]>) -> Result<(), Refusal> {
        let framed = framing::split(bytes, header).map_err(Refusal::Framing);
        match framed.and_then(|framed| self.check_framed(view, &framed)) {
            Err(refusal) if header.is_none() && self.latest.is_some() => self.check_bare(view, bytes, refusal),
            checked => checked,
        }
    }

    fn check_framed(&mut self, view: &View, framed: &Framed<'_>) -> Result<(), Refusal> {
        let id = match framed.schema {
            SchemaRef::Id(id) => id,
            SchemaRef::Guid(guid) => view.id_of(&guid).ok_or_else(|| {
                let known = registered(view, &self.subject);
                Refusal::Unregistered(format!("the schema guid {guid} is not registered; {known}"))
            })?,
        };
        let schema = view.schema(id).ok_or_else(|| match self.strategy {
            SubjectStrategy::TopicName => unregistered(view, id, &self.subject),
            SubjectStrategy::RecordName | SubjectStrategy::TopicRecordName => {
                Refusal::Unregistered(format!("the schema id {id} is not registered"))
            }
        })?;
        let (indexes, payload) = framed.open(schema.schema_type).map_err(Refusal::Framing)?;
        if let Some(accepted) = self.accepted.get(&(id, indexes))
            && Arc::ptr_eq(&accepted.schema, &schema)
        {
            if !view.has(&accepted.subject, id) {
                return Err(unregistered(view, id, &accepted.subject));
            }
            return accepted.check(payload);
        }
        let accepted = self.accept(view, id, &schema, &indexes)?;
        accepted.check(payload)?;
        if self.accepted.len() >= CHECKED_SCHEMAS_MAX {
            self.accepted.clear();
        }
        self.accepted.insert((id, indexes), accepted);
        Ok(())
    }

    /// Finds the subject that the schema must be registered for, and compiles it if its values are checked.
    fn accept(&self, view: &View, id: u32, schema: &Arc<Schema>, indexes: &[i32]) -> Result<Accepted, Refusal> {
        let name = || {
            schema.record_name(indexes).ok_or_else(|| {
                Refusal::Schema(format!("the schema id {id} has no record name, by which the topic finds its subject"))
            })
        };
        let subject = match self.strategy {
            SubjectStrategy::TopicName => self.subject.clone(),
            SubjectStrategy::RecordName => name()?,
            SubjectStrategy::TopicRecordName => format!("{}-{}", self.topic, name()?),
        };
        if !view.has(&subject, id) {
            return Err(unregistered(view, id, &subject));
        }
        let validator = match self.mode {
            CheckMode::Payload => Some(Validator::compile(schema, indexes).map_err(Refusal::Schema)?),
            CheckMode::Id | CheckMode::Off => None,
        };
        Ok(Accepted { schema: Arc::clone(schema), subject, validator })
    }

    /// A value without a prefix, of the subject's latest schema. As no id says so, its bytes decide, whatever the
    /// mode. Bytes of Avro can look like a prefix by chance; JSON and Protobuf never begin with 00 or 01.
    fn check_bare(&mut self, view: &View, bytes: &[u8], refusal: Refusal) -> Result<(), Refusal> {
        let is_bare = matches!(&refusal, Refusal::Framing(FramingError::NoMagic { .. } | FramingError::Short { .. }));
        let schema = match view.latest(&self.subject) {
            Some((_, _, schema)) if is_bare || schema.schema_type == SchemaType::Avro => schema,
            None if is_bare => {
                return Err(Refusal::Schema(format!("the subject '{}' has no schema yet: register one", self.subject)));
            }
            _ => return Err(refusal),
        };
        let validator = self.latest_validator(&schema)?;
        match (validator.check(bytes), refusal) {
            (Ok(()), _) => Ok(()),
            // What names a schema of the subject was most likely meant to be a value of it.
            (Err(_), refusal @ Refusal::Fault(_)) => Err(refusal),
            (Err(fault), _) => Err(Refusal::Fault(fault)),
        }
    }

    fn latest_validator(&mut self, schema: &Arc<Schema>) -> Result<Arc<Validator>, Refusal> {
        let latest = self.latest.as_mut().expect("only topics with schema_latest come here");
        if let Some((compiled, validator)) = &latest.compiled
            && Arc::ptr_eq(compiled, schema)
        {
            return Ok(Arc::clone(validator));
        }
        let validator = match &latest.protobuf_name {
            Some(name) => Validator::compile_named(schema, name),
            None => Validator::compile(schema, &[]),
        };
        let validator = Arc::new(validator.map_err(Refusal::Schema)?);
        latest.compiled = Some((Arc::clone(schema), Arc::clone(&validator)));
        Ok(validator)
    }
}

fn unregistered(view: &View, id: u32, subject: &str) -> Refusal {
    let known = registered(view, subject);
    Refusal::Unregistered(format!("the schema id {id} is not registered under subject '{subject}'; {known}"))
}

impl Accepted {
    fn check(&self, payload: &[u8]) -> Result<(), Refusal> {
        match &self.validator {
            Some(validator) => validator.check(payload).map_err(Refusal::Fault),
            None => Ok(()),
        }
    }
}

/// The ids that would have been right.
fn registered(view: &View, subject: &str) -> String {
    let ids: Vec<String> = view.versions(subject).iter().rev().map(|(_, id)| id.to_string()).collect();
    match ids.len() {
        0 => "it has no schemas".to_owned(),
        count if count > LISTED_MAX => format!("registered ids: {}, …", ids[..LISTED_MAX].join(", ")),
        _ => format!("registered ids: {}", ids.join(", ")),
    }
}
