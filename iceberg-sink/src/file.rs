//! How do rows become Parquet files that Iceberg can describe exactly?
//!
//! Rows are sorted by (kafka_partition, kafka_offset), split by the table's partitions (day of kafka_timestamp) and
//! written with zstd. Counts and bounds are computed here, from the arrays: the Parquet writer's own are truncated in
//! ways that make bounds wrong.

pub mod bounds;
mod day;
mod encode;
mod leaf;
mod metrics;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use arrow::array::RecordBatch;
use bytes::Bytes;
use iceberg::spec::{
    DataContentType, DataFile, DataFileBuilder, DataFileFormat, Literal, PartitionSpec, Schema, Struct,
};
use model::{Error, Result};

use metrics::Metrics;

/// One Parquet file in memory, which has no name yet.
#[derive(Debug)]
pub struct Encoded {
    pub bytes: Bytes,
    pub rows: u64,
    /// Days from 1970-01-01 of all its rows; none in a table that is not partitioned.
    pub day: Option<i32>,
    spec_id: i32,
    metrics: Metrics,
    column_bytes: HashMap<i32, u64>,
    split_offsets: Vec<i64>,
}

/// Writes the rows of `batches` (all of the Arrow schema of `table`) as one file per partition of `spec`, which must
/// have no fields or be `day(kafka_timestamp)`. No rows make no files.
pub fn encode(batches: &[RecordBatch], table: &Schema, spec: &PartitionSpec) -> Result<Vec<Encoded>> {
    let Some(first) = batches.first() else { return Ok(Vec::new()) };
    let by_day = day::is_by_day(spec, table)?;
    let rows = arrow::compute::concat_batches(&first.schema(), batches).map_err(failed)?;
    let mut files = Vec::new();
    for (day, rows) in day::split(&rows, by_day)? {
        if rows.num_rows() == 0 {
            continue;
        }
        let metrics = Metrics::of(&rows, table)?;
        let written = encode::parquet(&rows)?;
        files.push(Encoded {
            bytes: written.bytes,
            rows: rows.num_rows() as u64,
            day,
            spec_id: spec.spec_id(),
            metrics,
            column_bytes: written.column_bytes,
            split_offsets: written.split_offsets,
        });
    }
    Ok(files)
}

impl Encoded {
    /// What a manifest says about the file once it lies at `location` (a full URI).
    pub fn data_file(&self, location: &str) -> Result<DataFile> {
        let partition = match self.day {
            Some(day) => Struct::from_iter([Some(Literal::date(day))]),
            None => Struct::empty(),
        };
        DataFileBuilder::default()
            .content(DataContentType::Data)
            .file_path(location.to_owned())
            .file_format(DataFileFormat::Parquet)
            .partition(partition)
            .partition_spec_id(self.spec_id)
            .record_count(self.rows)
            .file_size_in_bytes(self.bytes.len() as u64)
            .column_sizes(self.column_bytes.clone())
            .value_counts(self.metrics.values.clone())
            .null_value_counts(self.metrics.nulls.clone())
            .nan_value_counts(self.metrics.nans.clone())
            .lower_bounds(self.metrics.lower.clone())
            .upper_bounds(self.metrics.upper.clone())
            .split_offsets(Some(self.split_offsets.clone()))
            .build()
            .map_err(|error| Error::invalid(error.to_string()))
    }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::invalid(format!("the rows cannot be written as Parquet: {error}"))
}
