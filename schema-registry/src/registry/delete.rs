//! How do versions and subjects go away, softly first and then for good?

use serde_json::json;

use super::error::{Refusal, Result};
use super::lookup::find;
use super::record::Change;
use super::register::value;
use super::route::Call;
use super::{Outcome, Response};

/// `DELETE /subjects/{subject}`.
pub(super) fn subject(call: &Call, subject: &str) -> Result<Outcome> {
    let subject = call.subject(subject)?;
    writable(call, &subject)?;
    let permanent = call.query.flag("permanent");
    let all: Vec<i32> = call.state.versions(&subject, true).map(|(number, _)| number).collect();
    let live: Vec<i32> = call.state.versions(&subject, false).map(|(number, _)| number).collect();
    match (all.is_empty(), live.is_empty(), permanent) {
        (true, ..) => return Err(Refusal::no_subject(&subject)),
        (_, true, false) => return Err(Refusal::subject_deleted(&subject)),
        (_, false, true) => return Err(Refusal::subject_not_deleted(&subject)),
        _ => {}
    }
    let gone = if permanent { all } else { live };
    for number in &gone {
        unreferenced(call, &subject, *number, permanent)?;
    }
    let mut changes = unset(call, &subject);
    match gone.last() {
        Some(last) if !permanent => changes.push(Change::DeleteSubject { subject, version: *last }),
        _ => changes.extend(gone.iter().map(|number| Change::Erase { subject: subject.clone(), version: *number })),
    }
    Ok(Outcome::write(changes, Response::json(200, &json!(gone))))
}

/// `DELETE /subjects/{subject}/versions/{version}`.
pub(super) fn version(call: &Call, subject: &str, version: &str) -> Result<Outcome> {
    let subject = call.subject(subject)?;
    let permanent = call.query.flag("permanent");
    let (number, version) = find(call, &subject, version, true)?;
    writable(call, &subject)?;
    match (version.deleted, permanent) {
        (true, false) => return Err(Refusal::version_deleted(&subject, number)),
        (false, true) => return Err(Refusal::version_not_deleted(&subject, number)),
        _ => {}
    }
    unreferenced(call, &subject, number, permanent)?;
    let mut changes = Vec::new();
    if permanent {
        changes.push(Change::Erase { subject: subject.clone(), version: number });
    } else {
        changes.push(Change::Schema(value(&subject, number, version.id, &version.stored, true)));
        if call.state.versions(&subject, false).all(|(other, _)| other == number) {
            changes.extend(unset(call, &subject));
        }
    }
    Ok(Outcome::write(changes, Response::json(200, &json!(number))))
}

fn writable(call: &Call, subject: &str) -> Result<()> {
    if call.state.mode(subject).is_read_only() {
        return Err(Refusal::read_only(subject));
    }
    Ok(())
}

/// What is erased for good must not be needed even by versions that are deleted softly: records of theirs remain.
fn unreferenced(call: &Call, subject: &str, number: i32, permanent: bool) -> Result<()> {
    match call.state.referencing(subject, number, permanent).next() {
        Some(_) => Err(Refusal::referenced(subject, number)),
        None => Ok(()),
    }
}

/// The settings of a subject go with its last version.
fn unset(call: &Call, subject: &str) -> Vec<Change> {
    let scope = Some(subject.to_owned());
    let mut changes = Vec::new();
    if call.state.modes.contains_key(&scope) {
        changes.push(Change::Mode { subject: scope.clone(), value: None });
    }
    if call.state.configs.contains_key(&scope) {
        changes.push(Change::Config { subject: scope, value: None });
    }
    changes
}
