//! What went wrong, and what can be done about it?

use std::fmt;

use kafka_protocol::error::ResponseError;

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("no connection to {addr}: {why}; is the node running, and is this its Kafka address?")]
    Connect { addr: String, why: String },
    #[error("{addr} did not answer {api} within {limit_ms} ms; whether it was done is unknown")]
    Timeout { addr: String, api: &'static str, limit_ms: u128 },
    #[error("the connection to {addr} broke during {api}: {why}; whether it was done is unknown")]
    Broken { addr: String, api: &'static str, why: String },
    #[error("{addr} does not speak {api} in versions {first} to {last}")]
    Unsupported { addr: String, api: &'static str, first: i16, last: i16 },
    #[error("{addr} gave an answer to {api} that makes no sense: {why}")]
    Nonsense { addr: String, api: &'static str, why: String },
    /// The node's own answer: Kafka's error code and a sentence.
    #[error("{what}: {message}")]
    Refused { what: String, code: i16, message: String },
}

impl Error {
    /// The node's error code, when it answered.
    pub fn code(&self) -> Option<i16> {
        match self {
            Error::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }
}

/// `Ok` for code 0; else the node's message, or one for the code.
pub(crate) fn accept(what: impl FnOnce() -> String, code: i16, message: Option<&str>) -> Result<(), Error> {
    match code {
        0 => Ok(()),
        code => Err(Error::Refused { what: what(), code, message: sentence(code, message) }),
    }
}

pub(crate) fn sentence(code: i16, message: Option<&str>) -> String {
    let given = message.filter(|message| !message.is_empty()).or(advice(code));
    let name = match ResponseError::try_from_code(code) {
        Some(ResponseError::Unknown(code)) => format!("error {code}"),
        Some(error) => format!("{error} ({code})"),
        None => "no error".to_owned(),
    };
    match given {
        Some(given) => format!("{given} [{name}]"),
        None => name,
    }
}

/// For nodes that send a code only: what to do next.
fn advice(code: i16) -> Option<&'static str> {
    Some(match code {
        1 => "the offset lies outside of what the partition holds; ask for its earliest and latest offset",
        2 => "the record batch was damaged on its way; send it again",
        3 => "there is no such topic or partition; `frazil topic list` shows those that exist",
        5 | 6 => "the partition has no leader here at the moment; try again",
        7 => "the node gave up waiting; whether it was done is unknown",
        10 => "the record batch is larger than the topic's max.message.bytes; send smaller batches",
        15 | 16 => "the group's coordinator is not ready; try again",
        17 => "the topic's name is not legal; use 1 to 249 of a-z, A-Z, 0-9, '.', '_' and '-'",
        36 => "a topic of this name exists; choose another name or delete it first",
        37 => "this number of partitions is not possible; more than there are, at least 1",
        40 => "a setting is not possible; `frazil topic describe` lists those that exist",
        69 => "there is no such group; `frazil group list` shows those that exist",
        87 => "a record was refused by the topic's checks",
        _ => return None,
    })
}

/// Why a batch was not stored. Nothing of it is, unless the code says that the answer is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProduceError {
    /// Kafka's error code; 7 and 13 when the node did not answer.
    pub code: i16,
    pub message: String,
    /// The records that were refused, by their index in the batch, with the reason.
    pub record_errors: Vec<(i32, String)>,
}

impl fmt::Display for ProduceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.record_errors.iter().try_for_each(|(index, why)| write!(f, "\n  record {index}: {why}"))
    }
}

impl std::error::Error for ProduceError {}

impl From<Error> for ProduceError {
    fn from(error: Error) -> ProduceError {
        let code = match &error {
            Error::Refused { code, .. } => *code,
            Error::Timeout { .. } => ResponseError::RequestTimedOut.code(),
            _ => ResponseError::NetworkException.code(),
        };
        ProduceError { code, message: error.to_string(), record_errors: Vec::new() }
    }
}
