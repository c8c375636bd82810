//! What does an error of the Iceberg crate mean to us, and ours to it?

use std::error::Error as _;

use iceberg::ErrorKind;
use model::{Error, Kind};

/// An error of the crate as ours. Errors of storage come back with the kind they had; others get `otherwise`.
pub fn from_iceberg(otherwise: Kind, doing: &str, error: iceberg::Error) -> Error {
    let kind = match (storage_error(&error), error.kind()) {
        (Some(ours), _) => ours.kind,
        (None, ErrorKind::CatalogCommitConflicts) => Kind::Conflict,
        (None, _) => otherwise,
    };
    let detail = storage_error(&error).map_or_else(|| error.message().to_owned(), |ours| ours.message.clone());
    Error { kind, message: format!("{doing}: {detail}") }
}

/// Ours on its way through the crate.
pub fn to_iceberg(error: Error) -> iceberg::Error {
    iceberg::Error::new(ErrorKind::Unexpected, error.message.clone()).with_source(error)
}

fn storage_error(error: &iceberg::Error) -> Option<&Error> {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(ours) = inner.downcast_ref::<Error>() {
            return Some(ours);
        }
        source = inner.source();
    }
    None
}
