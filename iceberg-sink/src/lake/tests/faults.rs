//! Does a failure of any single write, or of every n-th, leave a duplicate or a gap?

use std::sync::Arc;

use objects::Objects;

use super::SCHEMA_ID;
use super::fixture::{Stand, avro, garbage, register};
use crate::testing::{Fault, Memory};

/// Appends a few records, some of them bad, to two partitions.
pub fn produce(source: &Memory, step: u8) -> (i64, i64) {
    let good = avro(1, &[step * 2]);
    source.append("t", 0, &[(None, Some(&good)), (Some(b"k"), Some(&good))]);
    match step % 3 {
        0 => source.append("t", 1, &[(None, Some(garbage()))]),
        _ => source.append("t", 1, &[(None, Some(&good))]),
    }
    if step.is_multiple_of(3) { (2, 1) } else { (3, 0) }
}

async fn survives(skip: u64, every: u64, fault: Fault) {
    let (source, objects) = (Arc::new(Memory::default()), Objects::memory());
    source.topic("t", 2, SCHEMA_ID);
    register(&source, "t", 1, r#"{"type":"record","name":"R","fields":[{"name":"n","type":"int"}]}"#);
    let stand = Stand::new(&source, &objects, 1);
    let (mut rows, mut dead) = (0, 0);
    for step in 0..5 {
        let (more_rows, more_dead) = produce(&source, step);
        (rows, dead) = (rows + more_rows, dead + more_dead);
        stand.faulty.fail(skip, every, fault);
        let _ = stand.round("t").await; // Whatever it says: the next one starts from the heads.
        if step == 2 {
            stand.heal();
            foreign(&stand).await;
        }
    }
    stand.heal();
    stand.round("t").await.expect("commits what is left");
    assert!(!stand.round("t").await.expect("looks").committed);
    stand.assert_whole("t", rows, dead).await;
}

/// Somebody else changes the table, if there is one yet.
async fn foreign(stand: &Stand) {
    let catalog = stand.catalog();
    let updates = std::collections::HashMap::from([("owner".to_owned(), "somebody".to_owned())]);
    let update = iceberg::TableUpdate::SetProperties { updates };
    if let Err(error) = catalog.commit(&catalog.ident("t"), &[], vec![update]).await {
        assert_eq!(error.kind, model::Kind::Missing);
    }
}

#[tokio::test]
async fn one_lost_request_at_any_place() {
    for skip in 0..16 {
        survives(skip, 0, Fault::Before).await;
    }
}

#[tokio::test]
async fn one_lost_answer_at_any_place() {
    for skip in 0..16 {
        survives(skip, 0, Fault::After).await;
    }
}

#[tokio::test]
async fn every_nth_write_fails() {
    for every in 1..6 {
        for skip in 0..3 {
            survives(skip, every, Fault::Before).await;
            survives(skip, every, Fault::After).await;
        }
    }
}
