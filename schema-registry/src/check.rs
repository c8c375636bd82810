//! May this record be stored in this topic?
//!
//! What is asked depends on the topic: nothing, a registered schema id, or, beyond that, a whole value of the schema.
//! Everything here is fed with bytes of clients: no input may panic, and work and memory are bounded by its length.

pub(crate) mod cursor;
mod fault;
pub mod avro;
pub mod protobuf;
pub mod json;
mod validator;
mod side;

use model::limits::REFUSAL_CHARS_MAX;
use model::{TopicName, TopicSettings};

use crate::framing::{KEY_HEADER, VALUE_HEADER};
use crate::view::View;
use side::Side;

pub use fault::Fault;
pub use validator::Validator;

/// The check of one topic, for the records that one shard gets. It keeps what it compiled.
pub struct Checker {
    key: Option<Side>,
    value: Option<Side>,
}

impl Checker {
    /// None: the topic checks nothing.
    pub fn new(topic: &TopicName, settings: &TopicSettings) -> Option<Checker> {
        let (key, value) = (Side::key(topic, settings), Side::value(topic, settings));
        (key.is_some() || value.is_some()).then_some(Checker { key, value })
    }

    /// Checks one record against the registry as `view` shows it. Null keys and tombstones pass. Of headers of one
    /// name the last one counts. The error is one sentence with the field's path. Control batches hold no records
    /// for this check; the caller keeps them away.
    pub fn check<'a>(
        &mut self,
        view: &View,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: impl IntoIterator<Item = (&'a [u8], Option<&'a [u8]>)>,
    ) -> Result<(), String> {
        let (mut key_header, mut value_header) = (None, None);
        for (name, content) in headers {
            if name == KEY_HEADER.as_bytes() {
                key_header = content;
            } else if name == VALUE_HEADER.as_bytes() {
                value_header = content;
            }
        }
        if let (Some(side), Some(key)) = (&mut self.key, key) {
            side.check(view, key, key_header).map_err(|refusal| bounded(format!("key: {refusal}")))?;
        }
        if let (Some(side), Some(value)) = (&mut self.value, value) {
            side.check(view, value, value_header).map_err(|refusal| bounded(format!("value: {refusal}")))?;
        }
        Ok(())
    }
}

fn bounded(mut sentence: String) -> String {
    if let Some((end, _)) = sentence.char_indices().nth(REFUSAL_CHARS_MAX) {
        sentence.truncate(end);
        sentence.push('…');
    }
    sentence
}

#[cfg(test)]
mod tests;
