//! Is each offset in exactly one row?
//!
//! Read from outside: the columns `kafka_partition` and `kafka_offset` of all files that the heads of both tables
//! show, against the offsets in the summary of the table's head.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::AsArray;
use arrow::datatypes::{Int32Type, Int64Type};
use bytes::Bytes;
use iceberg::spec::DataFile;
use model::{Error, Kind, Result, TopicName};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::Serialize;

use super::name::{dead_letter_table, table_name};
use crate::catalog::{Catalog, Head};
use crate::commit::{Ledger, Owner, live_files, recover};

/// What was found in a topic's tables.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub table: String,
    pub partitions: Vec<PartitionReport>,
    /// Every partition is whole.
    pub ok: bool,
}

/// What was found of one partition. It is whole if nothing is twice and as much is missing as was skipped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PartitionReport {
    pub partition: i32,
    /// The first offset that is not in the table, by its summary.
    pub next: i64,
    pub rows: i64,
    pub dead_letters: i64,
    /// Offsets that never had a record to show, by the table's summary.
    pub skipped: i64,
    pub min: Option<i64>,
    pub max: Option<i64>,
    /// Rows too many.
    pub duplicates: i64,
    /// Offsets below `next` without a row.
    pub missing: i64,
    /// Rows at or above `next` in the table.
    pub beyond: i64,
    pub ok: bool,
}

/// Stretches of offsets, the end exclusive, by partition.
type Runs = BTreeMap<i32, Vec<(i64, i64)>>;

/// Checks the tables of a topic. `Missing`: there is no table.
pub async fn verify(catalog: &Catalog, topic: &TopicName, owner: &Owner) -> Result<Report> {
    let ident = catalog.ident(&table_name(topic));
    let head = catalog.load(&ident).await?;
    let ledger = recover(catalog, &head, owner).await?;
    let rows = runs(catalog, &head).await?;
    // Loaded second: it may be ahead, never behind.
    let dead = match catalog.load(&catalog.ident(&dead_letter_table(topic))).await {
        Ok(head) => runs(catalog, &head).await?,
        Err(error) if error.kind == Kind::Missing => Runs::new(),
        Err(error) => return Err(error),
    };
    let partitions: BTreeSet<i32> = ledger.next.keys().chain(rows.keys()).copied().collect();
    let none = Vec::new();
    let judge = |partition: &i32| {
        let of = |runs: &'_ Runs| runs.get(partition).cloned().unwrap_or_else(|| none.clone());
        judge(*partition, &ledger, of(&rows), of(&dead))
    };
    let partitions: Vec<PartitionReport> = partitions.iter().map(judge).collect();
    let ok = partitions.iter().all(|partition| partition.ok);
    Ok(Report { table: ident.to_string(), partitions, ok })
}

fn judge(partition: i32, ledger: &Ledger, rows: Vec<(i64, i64)>, dead: Vec<(i64, i64)>) -> PartitionReport {
    let next = ledger.next_of(partition).0;
    let count = |runs: &[(i64, i64)]| runs.iter().map(|(start, end)| end - start).sum::<i64>();
    // Dead letters are committed before the rows around them: those beyond are on their way.
    let dead: Vec<_> = dead.into_iter().filter(|(start, _)| *start < next).map(|(s, e)| (s, e.min(next))).collect();
    let mut found = PartitionReport {
        partition,
        next,
        rows: count(&rows),
        dead_letters: count(&dead),
        skipped: ledger.skipped_of(partition),
        ..PartitionReport::default()
    };
    let mut all = [rows, dead].concat();
    all.sort_unstable();
    found.min = all.first().map(|run| run.0);
    found.max = all.iter().map(|run| run.1 - 1).max();
    let mut covered = 0;
    for (start, end) in all {
        found.duplicates += (end.min(covered) - start).max(0);
        found.missing += (start.min(next) - covered).max(0);
        found.beyond += end - start.max(next).min(end);
        covered = covered.max(end);
    }
    found.missing += (next - covered).max(0);
    found.ok = found.duplicates == 0 && found.beyond == 0 && found.missing == found.skipped;
    found
}

/// The offsets of all rows that the head shows.
async fn runs(catalog: &Catalog, head: &Head) -> Result<Runs> {
    let mut runs = Runs::new();
    for file in live_files(catalog, head).await? {
        let bytes = fetch(catalog, &file).await?;
        let path = file.file_path().to_owned();
        let found = tokio::task::spawn_blocking(move || coordinates(&path, bytes)).await;
        let found = found.map_err(|error| Error::busy(format!("reading a file was given up: {error}")))??;
        for (partition, offset) in found {
            let runs = runs.entry(partition).or_default();
            match runs.last_mut() {
                Some(last) if last.1 == offset => last.1 += 1,
                _ => runs.push((offset, offset + 1)),
            }
        }
    }
    Ok(runs)
}

/// The rows of a dead-letter table from given offsets on, one partition's each.
pub async fn offsets_from(catalog: &Catalog, head: &Head, from: &BTreeMap<i32, i64>) -> Result<BTreeSet<(i32, i64)>> {
    let mut found = BTreeSet::new();
    for (partition, runs) in runs(catalog, head).await? {
        let Some(from) = from.get(&partition) else { continue };
        for (start, end) in runs {
            found.extend((start.max(*from)..end).map(|offset| (partition, offset)));
        }
    }
    Ok(found)
}

async fn fetch(catalog: &Catalog, file: &DataFile) -> Result<Bytes> {
    let path = catalog
        .objects()
        .path_of(file.file_path())
        .ok_or_else(|| Error::damaged(format!("{} lies outside of {}", file.file_path(), catalog.objects().root())))?;
    let bytes = catalog.objects().get(&path).await.map_err(|error| match error.kind {
        Kind::Missing => Error::damaged(format!("the table shows a file that is gone: {}", file.file_path())),
        _ => error,
    })?;
    match bytes.len() as u64 == file.file_size_in_bytes() {
        true => Ok(bytes),
        false => Err(Error::damaged(format!("{} has not the size that its manifest says", file.file_path()))),
    }
}

/// Partition and offset of each row of a file, in order.
fn coordinates(path: &str, bytes: Bytes) -> Result<Vec<(i32, i64)>> {
    let damaged = |why: &dyn std::fmt::Display| Error::damaged(format!("{path} cannot be read: {why}"));
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(|error| damaged(&error))?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), ["kafka_partition", "kafka_offset"]);
    let reader = builder.with_projection(mask).build().map_err(|error| damaged(&error))?;
    let mut found = Vec::new();
    for batch in reader {
        let batch = batch.map_err(|error| damaged(&error))?;
        let partitions = batch.column_by_name("kafka_partition").and_then(|c| c.as_primitive_opt::<Int32Type>());
        let offsets = batch.column_by_name("kafka_offset").and_then(|c| c.as_primitive_opt::<Int64Type>());
        let (Some(partitions), Some(offsets)) = (partitions, offsets) else {
            return Err(damaged(&"it has no columns kafka_partition int and kafka_offset long"));
        };
        found.extend(partitions.values().iter().copied().zip(offsets.values().iter().copied()));
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
