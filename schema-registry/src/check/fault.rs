//! Where in a value is it broken, and how?

use std::fmt;

/// Characters of a map's key that a path shows.
const KEY_CHARS_MAX: usize = 40;

/// The first thing that is wrong in a value: a reason, and the path to it from the value's root.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault(Box<Body>);

#[derive(Debug, PartialEq, Eq)]
struct Body {
    /// Innermost first: it grows while the walk returns.
    steps: Vec<Step>,
    reason: String,
}

/// One step of a path.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Field(String),
    Item(u64),
    Key(String),
}

impl Fault {
    pub fn new(reason: impl Into<String>) -> Fault {
        Fault(Box::new(Body { steps: Vec::new(), reason: reason.into() }))
    }

    /// The same fault, seen from the record around it.
    pub fn in_field(mut self, name: &str) -> Fault {
        self.0.steps.push(Step::Field(name.to_owned()));
        self
    }

    /// The same fault, seen from the list around it.
    pub fn in_item(mut self, index: u64) -> Fault {
        self.0.steps.push(Step::Item(index));
        self
    }

    /// The same fault, seen from the map around it.
    pub fn in_key(mut self, key: &str) -> Fault {
        self.0.steps.push(Step::Key(key.chars().take(KEY_CHARS_MAX).collect()));
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.steps.is_empty() {
            f.write_str("field '")?;
            for (nth, step) in self.0.steps.iter().rev().enumerate() {
                match step {
                    Step::Field(name) if nth == 0 => f.write_str(name)?,
                    Step::Field(name) => write!(f, ".{name}")?,
                    Step::Item(index) => write!(f, "[{index}]")?,
                    Step::Key(key) => write!(f, "[{key:?}]")?,
                }
            }
            f.write_str("': ")?;
        }
        f.write_str(&self.0.reason)
    }
}
