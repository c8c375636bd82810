//! Which Kafka error code stands for which failure?

use kafka_protocol::error::ResponseError;
use kafka_protocol::protocol::StrBytes;
use model::Kind;

use crate::controller::ControllerError;

/// What a client is told about a failure: a code, and a sentence where the API has room for one.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    pub error: ResponseError,
    pub message: String,
}

impl Fault {
    pub fn new(error: ResponseError, message: impl Into<String>) -> Fault {
        Fault { error, message: message.into() }
    }

    pub fn code(&self) -> i16 {
        self.error.code()
    }

    /// The sentence as the wire wants it.
    pub fn text(&self) -> Option<StrBytes> {
        Some(StrBytes::from_string(self.message.clone()))
    }

    /// No such topic or partition here.
    pub fn unknown_partition(what: impl std::fmt::Display) -> Fault {
        Fault::new(ResponseError::UnknownTopicOrPartition, format!("there is no {what} on this cluster"))
    }

    /// The shard that should answer is gone: the node is stopping.
    pub fn stopping() -> Fault {
        Fault::new(ResponseError::NotLeaderOrFollower, "the node is stopping; ask again after its restart")
    }
}

/// The code of "all is well".
pub const NONE: i16 = 0;

/// The code and the sentence of an outcome, for responses that carry both.
pub fn parts<T>(outcome: &Result<T, Fault>) -> (i16, Option<StrBytes>) {
    match outcome {
        Ok(_) => (NONE, None),
        Err(fault) => (fault.code(), fault.text()),
    }
}

impl From<model::Error> for Fault {
    fn from(error: model::Error) -> Fault {
        let code = match error.kind {
            Kind::Invalid => ResponseError::InvalidRequest,
            Kind::Missing => ResponseError::UnknownTopicOrPartition,
            Kind::Conflict => ResponseError::ConcurrentTransactions,
            // The retriable codes that make a client pause: whether it was stored is not known to it.
            Kind::Busy | Kind::Unknown => ResponseError::RequestTimedOut,
            Kind::Damaged => ResponseError::CorruptMessage,
            Kind::Storage | Kind::Fenced => ResponseError::KafkaStorageError,
        };
        Fault::new(code, error.message)
    }
}

impl From<ControllerError> for Fault {
    fn from(error: ControllerError) -> Fault {
        let code = match &error {
            ControllerError::Exists(_) => ResponseError::TopicAlreadyExists,
            ControllerError::NoTopic(_) => ResponseError::UnknownTopicOrPartition,
            ControllerError::Reserved(_) => ResponseError::InvalidTopicException,
            ControllerError::Partitions(_) => ResponseError::InvalidPartitions,
            ControllerError::Setting(_) => ResponseError::InvalidConfig,
            ControllerError::Refused(_) => ResponseError::PolicyViolation,
            // Admin clients send the request again after this one.
            ControllerError::Busy => ResponseError::ThrottlingQuotaExceeded,
            ControllerError::Stopped => return Fault::stopping(),
            ControllerError::Log(inner) => return Fault::from(inner.clone()),
        };
        Fault::new(code, error.to_string())
    }
}

impl From<ControllerError> for model::Error {
    fn from(error: ControllerError) -> model::Error {
        let message = error.to_string();
        match error {
            ControllerError::Exists(_) => model::Error::conflict(message),
            ControllerError::NoTopic(_) => model::Error::missing(message),
            ControllerError::Busy | ControllerError::Stopped => model::Error::busy(message),
            ControllerError::Log(inner) => inner,
            ControllerError::Reserved(_)
            | ControllerError::Partitions(_)
            | ControllerError::Setting(_)
            | ControllerError::Refused(_) => model::Error::invalid(message),
        }
    }
}

impl From<Fault> for model::Error {
    fn from(fault: Fault) -> model::Error {
        match fault.error {
            ResponseError::UnknownTopicOrPartition => model::Error::missing(fault.message),
            ResponseError::CorruptMessage => model::Error::damaged(fault.message),
            ResponseError::KafkaStorageError => model::Error::storage(fault.message),
            error if error.is_retriable() => model::Error::busy(fault.message),
            _ => model::Error::invalid(fault.message),
        }
    }
}
