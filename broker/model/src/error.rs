//! What can the caller do about a failure?

/// The coarse kinds of failure: each tells the caller what to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request itself is wrong: do not send it again.
    Invalid,
    /// What the request names does not exist (any more).
    Missing,
    /// Somebody was there first: look, then decide.
    Conflict,
    /// Not now: try again later, with a pause.
    Busy,
    /// The disk is full or does not answer: try again later; somebody may have to help.
    Storage,
    /// The answer is unknown: look before doing it again.
    Unknown,
    /// Stored bytes are damaged: an operator must act.
    Damaged,
    /// This part of the node has stopped for good: the process must be restarted.
    Fenced,
}

/// A failure: its kind, and a sentence that names the cause and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    pub kind: Kind,
    pub message: String,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident => $kind:ident),* $(,)?) => {
        impl Error {
            $(
                $(#[$doc])*
                pub fn $name(message: impl Into<String>) -> Error {
                    Error { kind: Kind::$kind, message: message.into() }
                }
            )*
        }
    };
}

constructors! {
    invalid => Invalid,
    missing => Missing,
    conflict => Conflict,
    busy => Busy,
    storage => Storage,
    unknown => Unknown,
    damaged => Damaged,
    fenced => Fenced,
}
