//! What may a topic be called?

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::limits::TOPIC_NAME_BYTES_MAX;

/// A topic's name, known to be legal: 1 to 249 of `a-z A-Z 0-9 . _ -`, not `.` nor `..`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TopicName(Arc<str>);

/// Why a topic's name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("a topic's name must not be empty")]
    Empty,
    #[error("a topic's name has at most {TOPIC_NAME_BYTES_MAX} characters, this one has {0}")]
    TooLong(usize),
    #[error("a topic must not be called '.' or '..'")]
    Dots,
    #[error("a topic's name consists of a-z, A-Z, 0-9, '.', '_' and '-', but {0:?} was found")]
    Character(char),
}

impl TopicName {
    pub fn new(name: &str) -> Result<TopicName, NameError> {
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if name.len() > TOPIC_NAME_BYTES_MAX {
            return Err(NameError::TooLong(name.len()));
        }
        if name == "." || name == ".." {
            return Err(NameError::Dots);
        }
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        match name.chars().find(|c| !legal(*c)) {
            Some(c) => Err(NameError::Character(c)),
            None => Ok(TopicName(name.into())),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Topics that clients must not write: names that begin with two underscores, and the registry's own.
    pub fn is_internal(&self) -> bool {
        self.0.starts_with("__") || &*self.0 == "_schemas"
    }
}

impl TryFrom<String> for TopicName {
    type Error = NameError;

    fn try_from(name: String) -> Result<TopicName, NameError> {
        TopicName::new(&name)
    }
}

impl From<TopicName> for String {
    fn from(name: TopicName) -> String {
        name.0.to_string()
    }
}

impl Borrow<str> for TopicName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A partition as clients name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TopicPartition {
    pub topic: TopicName,
    pub partition: i32,
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}
