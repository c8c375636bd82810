//! What does a commit say: its summary, its updates and what they require of the head?

use std::collections::HashMap;

use iceberg::spec::{
    DataFile, MAIN_BRANCH, Operation, Schema, SchemaRef, Snapshot, SnapshotReference, SnapshotRetention,
    SnapshotSummaryCollector, Summary, TableMetadata,
};
use iceberg::{TableRequirement, TableUpdate};
use model::{Error, Kind, Result};
use uuid::Uuid;

use super::ledger::{self, Ledger, Owner};
use crate::catalog::from_iceberg;

/// Totals that each snapshot carries on from its parent: the key, and what is added to it.
const TOTALS: &[(&str, Option<&str>)] = &[
    ("total-data-files", Some("added-data-files")),
    ("total-records", Some("added-records")),
    ("total-files-size", Some("added-files-size")),
    ("total-delete-files", None),
    ("total-position-deletes", None),
    ("total-equality-deletes", None),
];

/// The schema of the new snapshot and the id that the table will give it. `Conflict`: the table cannot take it.
pub fn schema_after(metadata: &TableMetadata, wanted: Option<&Schema>) -> Result<SchemaRef> {
    let Some(schema) = wanted else { return Ok(metadata.current_schema().clone()) };
    let built = metadata.clone().into_builder(None).add_current_schema(schema.clone()).and_then(|b| b.build());
    let built = built.map_err(|error| from_iceberg(Kind::Conflict, "the table cannot take the new schema", error))?;
    Ok(built.metadata.current_schema().clone())
}

/// Iceberg's own totals and our ledger.
pub fn summary(
    metadata: &TableMetadata,
    schema: &SchemaRef,
    files: &[DataFile],
    owner: &Owner,
    commit_id: Uuid,
    ledger: &Ledger,
    offsets_file: Option<&str>,
) -> Summary {
    let mut collector = SnapshotSummaryCollector::default();
    for file in files {
        collector.add_file(file, schema.clone(), metadata.default_partition_spec().clone());
    }
    let mut properties = collector.build();
    let before = metadata.current_snapshot().map(|snapshot| &snapshot.summary().additional_properties);
    for (total, added) in TOTALS {
        if let Some(sum) = total_after(before, &properties, total, *added) {
            properties.insert((*total).into(), sum.to_string());
        }
    }
    properties.extend(ledger.properties(offsets_file));
    properties.insert(ledger::TOPIC_ID.into(), owner.topic_id.to_string());
    properties.insert(ledger::CLUSTER_ID.into(), owner.cluster_id.clone());
    properties.insert(ledger::TERM.into(), owner.term.to_string());
    properties.insert(ledger::COMMIT_ID.into(), commit_id.to_string());
    Summary { operation: Operation::Append, additional_properties: properties }
}

/// `None` if the parent does not say: a sum that is not known is not written.
fn total_after(
    before: Option<&HashMap<String, String>>,
    now: &HashMap<String, String>,
    total: &str,
    added: Option<&str>,
) -> Option<u64> {
    let old: u64 = match before {
        Some(summary) => summary.get(total)?.parse().ok()?,
        None => 0,
    };
    let new: u64 = added.and_then(|added| now.get(added)).map_or(Some(0), |added| added.parse().ok())?;
    old.checked_add(new)
}

/// The updates, as the table's own builder makes them: schema, snapshot, branch (its retention is kept), our tag.
pub fn updates(metadata: &TableMetadata, schema: Option<&Schema>, snapshot: Snapshot) -> Result<Vec<TableUpdate>> {
    let tag = SnapshotReference::new(snapshot.snapshot_id(), SnapshotRetention::Tag { max_ref_age_ms: None });
    let mut builder = metadata.clone().into_builder(None);
    let planned = (|| {
        if let Some(schema) = schema {
            builder = builder.add_current_schema(schema.clone())?;
        }
        builder.set_branch_snapshot(snapshot, MAIN_BRANCH)?.set_ref(ledger::TAG, tag)?.build()
    })();
    let refused = |error| from_iceberg(Kind::Invalid, "the table does not take the new snapshot", error);
    Ok(planned.map_err(refused)?.changes)
}

/// The commit holds only on exactly the head it was planned on.
pub fn requirements(metadata: &TableMetadata) -> Vec<TableRequirement> {
    vec![
        TableRequirement::UuidMatch { uuid: metadata.uuid() },
        TableRequirement::RefSnapshotIdMatch { r#ref: MAIN_BRANCH.into(), snapshot_id: metadata.current_snapshot_id() },
        TableRequirement::CurrentSchemaIdMatch { current_schema_id: metadata.current_schema_id() },
        TableRequirement::LastAssignedFieldIdMatch { last_assigned_field_id: metadata.last_column_id() },
    ]
}

/// A random id that the table does not have.
pub fn new_snapshot_id(metadata: &TableMetadata) -> i64 {
    loop {
        let (high, low) = Uuid::new_v4().as_u64_pair();
        let id = i64::try_from((high ^ low) >> 1).expect("63 bits");
        if metadata.snapshot_by_id(id).is_none() {
            return id;
        }
    }
}

/// Files must be of the spec that the manifest says.
pub fn check_files(metadata: &TableMetadata, files: &[DataFile]) -> Result<()> {
    let fields = metadata.default_partition_type().fields().len();
    match files.iter().find(|file| file.partition().fields().len() != fields) {
        None => Ok(()),
        Some(file) => Err(Error::conflict(format!(
            "{} was made for another partitioning than the table has now",
            file.file_path()
        ))),
    }
}
