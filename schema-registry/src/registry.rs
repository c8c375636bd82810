//! What does the registry answer, and what does it want written?
//!
//! The registry is a value. `handle` decides and changes nothing; the caller appends the records it asks for to topic
//! `_schemas`, hands them to `replay` in the order of the log, and only then sends the answer. Requests that write
//! are handled one after the other: the next is decided on the state that the last one left.

mod compatibility;
mod delete;
mod error;
mod level;
mod lookup;
mod mode;
mod record;
mod register;
mod route;
mod settings;
mod state;
mod subject;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use record::Record;

use crate::http::{Request, Response};
use crate::schema::Schema;
use crate::view::View;
use record::Change;
use state::State;

/// Asked before a new schema is accepted: can those who follow this subject take it?
pub trait Admission {
    /// Err is a sentence for the author of the schema.
    fn admit(&self, subject: &str, schema: &Schema) -> Result<(), String>;
}

/// Nobody follows the subjects.
pub struct AdmitAll;

impl Admission for AdmitAll {
    fn admit(&self, _subject: &str, _schema: &Schema) -> Result<(), String> {
        Ok(())
    }
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Answer(Response),
    /// Append these records, replay them, then answer. If the append fails, answer `Outcome::not_written`.
    Write {
        records: Vec<Record>,
        then: Response,
    },
}

impl Outcome {
    /// The answer when the records could not be appended.
    pub fn not_written(cause: &str) -> Response {
        error::Refusal::new(50001, format!("Error while writing to the backend store: {cause}")).response()
    }

    fn write(changes: impl IntoIterator<Item = Change>, then: Response) -> Outcome {
        Outcome::Write { records: changes.into_iter().map(|change| change.record()).collect(), then }
    }
}

#[derive(Debug, Default)]
pub struct Registry {
    state: State,
}

impl Registry {
    pub fn new() -> Registry {
        Registry::default()
    }

    /// Takes one record of topic `_schemas`. Err names a record that means nothing here; those after it still count.
    pub fn replay(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), String> {
        self.state.apply(Change::read(key, value)?)
    }

    /// The state as of the last replayed record.
    pub fn view(&self) -> Arc<View> {
        self.state.view.clone()
    }

    /// Decides one request. Pure: the same state and request give the same outcome.
    pub fn handle(&self, request: &Request, admission: &dyn Admission) -> Outcome {
        match route::dispatch(&self.state, request, admission) {
            Ok(outcome) => outcome,
            Err(refusal) => Outcome::Answer(refusal.response()),
        }
    }
}
