//! Where in a schema or value is the trouble, and what is it?

use std::fmt;

/// A cause and the path of the field it concerns, as a user would write it: `order.lines[3].price`, `tags{blue}`.
/// The path is empty when the whole is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub path: String,
    pub why: String,
}

/// A schema (or a part of it) for which there is no column.
pub type Refused = Fault;
/// Columns that a table cannot take beside those it has.
pub type Conflict = Fault;

impl Fault {
    pub fn new(why: impl Into<String>) -> Fault {
        Fault { path: String::new(), why: why.into() }
    }

    /// The same trouble, seen from the struct that holds `field`.
    pub fn in_field(self, field: &str) -> Fault {
        let dot = if self.path.is_empty() || self.path.starts_with(['[', '{']) { "" } else { "." };
        Fault { path: format!("{field}{dot}{}", self.path), why: self.why }
    }

    /// The same trouble, seen from the list whose element it is in; schemas have no index.
    pub fn in_element(self, index: Option<usize>) -> Fault {
        let index = index.map(|index| index.to_string()).unwrap_or_default();
        self.in_field(&format!("[{index}]"))
    }

    /// The same trouble, seen from the map whose entry it is in; schemas have no key.
    pub fn in_entry(self, key: &str) -> Fault {
        // Keys come from clients: a long one must not fill the dead-letter table's cause.
        let short: String = key.chars().take(64).collect();
        self.in_field(&format!("{{{short}}}"))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.why),
            path => write!(f, "field '{path}': {}", self.why),
        }
    }
}

impl std::error::Error for Fault {}
