//! How does one round of files become visible exactly once?
//!
//! Read the head, read from its ancestry how far we are, plan on exactly that head, commit with that head as a
//! requirement. Conflict: read and plan again. Any other failure: the outcome is unknown, so the commit's id is looked
//! for in the ancestry before anything else, and nothing is deleted.

pub mod ledger;
mod manifests;
mod plan;
mod draft;

use std::sync::Arc;
use std::time::Duration;

use iceberg::TableIdent;
use iceberg::spec::{DataFile, Schema};
use model::{Error, Kind, Result};
use uuid::Uuid;

use crate::catalog::{Catalog, Head};
pub use ledger::{Ledger, Owner, recover};
pub use manifests::live_files;
pub use plan::schema_after;

/// How often one round is planned before its caller hears of the failure.
const ATTEMPTS_MAX: u32 = 6;
/// Before the second try; doubled before each further one. Tests do not wait for a store to come to its senses.
const PAUSE: Duration = Duration::from_millis(if cfg!(test) { 0 } else { 20 });

/// What is to become visible at once: files, the offsets they bring the table to, and the schema they need.
#[derive(Debug)]
pub struct Round {
    /// Stays the same over all attempts.
    pub commit_id: Uuid,
    /// What the head's ancestry said when the files were made.
    pub base: Ledger,
    /// What the new snapshot says.
    pub ledger: Ledger,
    /// Written and durable; of the table's default partition spec.
    pub files: Vec<DataFile>,
    /// The id of the current schema when the files were made.
    pub schema_id: i32,
    /// The schema that the files have, if it is to replace the current one.
    pub schema: Option<Schema>,
}

/// Commits one round and returns the head that holds it.
///
/// `Conflict`: the table has moved under the round (another committer, a rollback, another schema); its files are
/// worthless, read on from what `recover` says. `Fenced`: a committer with a higher term is at work. `Unknown`: it
/// may have happened or not; `recover` will say once the store answers again. Other kinds: it did not happen.
pub async fn commit(catalog: &Catalog, ident: &TableIdent, owner: &Owner, round: &Round) -> Result<Arc<Head>> {
    let mut unknown: Option<Error> = None;
    let mut last = Error::busy(format!("table {ident} is being changed by others without a pause; try again later"));
    for attempt in 0..ATTEMPTS_MAX {
        if attempt > 0 {
            tokio::time::sleep(PAUSE * 2u32.pow(attempt)).await;
        }
        match once(catalog, ident, owner, round, &mut unknown).await {
            Ok(head) => return Ok(head),
            Err(Failed::Again(error)) => last = error,
            Err(Failed::ForGood(error)) => return Err(unknown_if(unknown, error)),
        }
    }
    Err(unknown_if(unknown, last))
}

enum Failed {
    Again(Error),
    ForGood(Error),
}

async fn once(
    catalog: &Catalog,
    ident: &TableIdent,
    owner: &Owner,
    round: &Round,
    unknown: &mut Option<Error>,
) -> Result<Arc<Head>, Failed> {
    let head = catalog.load(ident).await.map_err(sort)?;
    if ledger::holds_commit(&head.metadata, round.commit_id) {
        return Ok(head);
    }
    let at = recover(catalog, &head, owner).await.map_err(sort)?;
    if at != round.base {
        return Err(Failed::ForGood(Error::conflict(format!(
            "table {ident} has moved: it is at {at}, these files begin at {}",
            round.base
        ))));
    }
    if head.metadata.current_schema_id() != round.schema_id {
        return Err(Failed::ForGood(Error::conflict(format!("the schema of table {ident} was changed meanwhile"))));
    }
    let draft = draft::write(catalog, &head, owner, round).await.map_err(sort)?;
    match catalog.commit(ident, &draft.requirements, draft.updates).await {
        Ok(head) => Ok(head),
        Err(error) if error.kind == Kind::Conflict => {
            draft::remove(catalog, &draft.written).await; // Known not to be used by anybody.
            Err(Failed::Again(error))
        }
        Err(error) if matches!(error.kind, Kind::Invalid | Kind::Missing | Kind::Fenced) => Err(Failed::ForGood(error)),
        Err(error) => {
            *unknown = Some(error.clone());
            Err(Failed::Again(error))
        }
    }
}

fn sort(error: Error) -> Failed {
    match error.kind {
        Kind::Busy | Kind::Storage | Kind::Unknown => Failed::Again(error),
        _ => Failed::ForGood(error),
    }
}

/// While the outcome of a try is not known, no other failure may hide that.
fn unknown_if(unknown: Option<Error>, error: Error) -> Error {
    match unknown {
        Some(before) => Error::unknown(format!("{}; then: {}", before.message, error.message)),
        None => error,
    }
}

#[cfg(test)]
mod tests;
