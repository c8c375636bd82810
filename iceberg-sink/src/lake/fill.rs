//! How do the records of batches become rows, or dead letters, of files?
//!
//! No I/O: batches go in, encoded files come out. Every offset becomes exactly one row of one of the two tables, or is
//! counted as skipped.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use iceberg::spec::{PartitionSpecRef, Schema, SchemaRef, TableMetadataRef};
use model::limits::UNPACKED_BATCH_BYTES_MAX;
use model::{CheckAction, Error, Offset, Result};
use schema_registry::View;
use schema_registry::check::Checker;
use wire::batch::BatchHeader;
use wire::{RecordView, batch};

use super::{LakeConfig, LakeTopic};
use crate::commit::schema_after;
use crate::file::{Encoded, encode};
use crate::project::{Coordinates, Mode, Projector, Pushed};
use crate::types::{Column, merge};

/// How often one record may ask for a file to be written or a column to be added before it is a dead letter.
const TRIES_MAX: u32 = 8;
const UNTAKEN: &str = "its schema asks for columns that the table did not take";

/// Rows of one table on their way to files.
pub struct Sheet {
    pub schema: SchemaRef,
    spec: PartitionSpecRef,
    mode: Mode,
    projector: Projector,
    /// Files without a name yet.
    pub encoded: Vec<Encoded>,
    rows_max: usize,
    cost_bytes_max: u64,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    pub next: Offset,
    /// Offsets before `next` that have no row.
    pub skipped: i64,
}

/// The files of one round of one topic.
pub struct Fill {
    pub rows: Sheet,
    pub dead: Sheet,
    /// The schema that the table must get with these files.
    pub grown: Option<Schema>,
    last_column_id: i32,
    /// The table as it was when the round began.
    metadata: TableMetadataRef,
    /// The last columns that the table could not take, and why: the next record may ask for the same.
    unfit: Option<(Vec<Column>, String)>,
    checker: Option<Checker>,
    known_dead: Arc<BTreeSet<(i32, i64)>>,
}

impl Sheet {
    pub fn new(schema: SchemaRef, spec: PartitionSpecRef, mode: Mode, config: &LakeConfig) -> Result<Sheet> {
        let projector = Projector::new(schema.clone(), mode.clone())?;
        let (rows_max, cost_bytes_max) = (config.file_rows_max, config.file_cost_bytes_max);
        Ok(Sheet { schema, spec, mode, projector, encoded: Vec::new(), rows_max, cost_bytes_max })
    }

    /// Encodes the rows so far.
    pub fn flush(&mut self) -> Result<()> {
        if self.projector.rows() > 0 {
            let rows = self.projector.take()?;
            self.encoded.extend(encode(&[rows], &self.schema, &self.spec)?);
        }
        Ok(())
    }

    fn flush_if_large(&mut self) -> Result<()> {
        match self.projector.rows() >= self.rows_max || self.projector.cost_bytes() >= self.cost_bytes_max {
            true => self.flush(),
            false => Ok(()),
        }
    }

    /// Further rows have another schema.
    fn change(&mut self, schema: SchemaRef) -> Result<()> {
        self.flush()?;
        self.projector = Projector::new(schema.clone(), self.mode.clone())?;
        self.schema = schema;
        Ok(())
    }
}

impl Fill {
    pub fn new(
        topic: &LakeTopic,
        rows: Sheet,
        dead: Sheet,
        metadata: TableMetadataRef,
        known_dead: Arc<BTreeSet<(i32, i64)>>,
    ) -> Fill {
        // Where bad records are refused, what is in the log has passed; elsewhere it is checked here.
        let checks = topic.settings.check_action() == CheckAction::DeadLetter;
        let checker = if checks { Checker::new(&topic.name, &topic.settings) } else { None };
        let last_column_id = metadata.last_column_id();
        Fill { rows, dead, grown: None, last_column_id, metadata, unfit: None, checker, known_dead }
    }

    /// Takes the records of one batch from offset `from` on.
    pub fn take(&mut self, partition: i32, from: Offset, bytes: &Bytes, view: &View) -> Result<Taken> {
        let header = BatchHeader::parse(bytes)
            .map_err(|error| Error::damaged(format!("partition {partition} has a batch without a header: {error}")))?;
        let next = Offset(header.last_offset()).plus(1);
        if next <= from {
            return Ok(Taken { next: from, skipped: 0 });
        }
        let mut rows = 0;
        if !header.is_control() {
            let first = from.0.max(header.base_offset);
            let unpacked = batch::records(bytes, UNPACKED_BATCH_BYTES_MAX);
            let mut expected = first;
            let broken = match &unpacked {
                Err(error) => Some(error.to_string()),
                Ok(records) => {
                    let mut broken = None;
                    for record in records {
                        match record {
                            Ok(record) if record.offset < first => {}
                            Ok(record) => {
                                self.record(partition, &header, &record, view)?;
                                expected = record.offset + 1;
                                rows += 1;
                            }
                            Err(error) => broken = Some(error.to_string()),
                        }
                    }
                    broken
                }
            };
            // What cannot be read must neither stop the topic nor vanish without a trace.
            if let Some(cause) = broken.filter(|_| expected < next.0) {
                let at = bare(partition, expected, &header);
                self.bury(&at, Some(bytes), &format!("the batch from here on cannot be read: {cause}"))?;
                rows += 1;
            }
        }
        Ok(Taken { next, skipped: next.0 - from.0 - rows })
    }

    fn record(&mut self, partition: i32, header: &BatchHeader, record: &RecordView<'_>, view: &View) -> Result<()> {
        let mut at = bare(partition, record.offset, header);
        at.timestamp_us = record.timestamp.saturating_mul(1000);
        at.key = record.key;
        let headers: std::result::Result<Vec<_>, _> = record.headers().collect();
        let headers = match headers {
            Ok(headers) => headers,
            Err(error) => return self.bury(&at, record.value, &format!("its headers cannot be read: {error}")),
        };
        at.headers = &headers;
        if self.known_dead.contains(&(partition, record.offset)) {
            return Ok(());
        }
        if let Some(checker) = &mut self.checker
            && let Err(cause) = checker.check(view, record.key, record.value, headers.iter().copied())
        {
            return self.bury(&at, record.value, &cause);
        }
        for _ in 0..TRIES_MAX {
            match self.rows.projector.push(&at, record.value, view) {
                Pushed::Row => return self.rows.flush_if_large(),
                Pushed::Full => self.rows.flush()?,
                Pushed::Dead(cause) => return self.bury(&at, record.value, &cause),
                Pushed::NeedsSchema(columns) => match self.evolved(columns) {
                    Ok(schema) => self.grow(schema)?,
                    Err(cause) => return self.bury(&at, record.value, &cause),
                },
            }
        }
        self.bury(&at, record.value, UNTAKEN)
    }

    /// The table's schema with these columns too, or why it cannot have them.
    fn evolved(&mut self, columns: Vec<Column>) -> std::result::Result<Schema, String> {
        if let Some((unfit, cause)) = &self.unfit
            && *unfit == columns
        {
            return Err(cause.clone());
        }
        let schema = match merge(&self.rows.schema, self.last_column_id, &columns) {
            Ok(Some(schema)) => schema,
            Ok(None) => return Err(UNTAKEN.to_owned()),
            Err(conflict) => return Err(conflict.to_string()),
        };
        // Asked now: once the round is committed, it is too late to tell these records from the others.
        match schema_after(&self.metadata, Some(&schema)) {
            Ok(_) => Ok(schema),
            Err(error) => {
                self.unfit = Some((columns, error.message.clone()));
                Err(error.message)
            }
        }
    }

    /// The table gets these columns with the next commit; rows from here on have them.
    fn grow(&mut self, schema: Schema) -> Result<()> {
        self.last_column_id = self.last_column_id.max(schema.highest_field_id());
        self.rows.change(Arc::new(schema.clone()))?;
        self.grown = Some(schema);
        Ok(())
    }

    fn bury(&mut self, at: &Coordinates<'_>, value: Option<&[u8]>, cause: &str) -> Result<()> {
        if self.known_dead.contains(&(at.partition, at.offset)) {
            return Ok(());
        }
        for _ in 0..TRIES_MAX {
            match self.dead.projector.push_dead(at, value, cause) {
                Pushed::Row => return self.dead.flush_if_large(),
                Pushed::Full => self.dead.flush()?,
                Pushed::Dead(why) => return Err(refused(at, &why)),
                Pushed::NeedsSchema(_) => break,
            }
        }
        Err(refused(at, "it does not fit in memory"))
    }
}

fn refused(at: &Coordinates<'_>, why: &str) -> Error {
    Error::invalid(format!("offset {} of partition {} cannot even be a dead letter: {why}", at.offset, at.partition))
}

/// Coordinates without key and headers, with the batch's time.
fn bare<'a>(partition: i32, offset: i64, header: &BatchHeader) -> Coordinates<'a> {
    Coordinates {
        partition,
        offset,
        timestamp_us: header.max_timestamp.saturating_mul(1000),
        timestamp_type: i32::from(header.is_log_append_time()),
        key: None,
        headers: &[],
    }
}
