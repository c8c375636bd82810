//! How do records become rows of their table?
//!
//! A payload is walked once and its values appended straight to the columns of the table's Arrow schema. The walker is
//! driven by the writer's schema, bound to the table's columns by name: columns that the writer does not know are
//! null, and narrower types widen on the way. A record that fails takes nothing with it: its part of the columns is
//! cut off, and it is `Dead` with a cause.

pub mod builder;
pub mod clock;
mod budget;
mod avro;
mod protobuf;
mod json;
mod plan;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef as ArrowSchemaRef;
use iceberg::arrow::schema_to_arrow_schema;
use iceberg::spec::SchemaRef;
use model::limits::{BATCH_COST_BYTES_MAX, BATCH_ROWS_MAX};
use model::{Error, LakeMode, Result, TopicName};
use schema_registry::View;
use schema_registry::framing::VALUE_HEADER;

use crate::types::{COORDINATES, Column, Fault, value_column};
use budget::Budget;
use builder::{Builder, MICROS, Put};
use plan::{Plan, Plans};

/// Where a record comes from, and what Kafka keeps beside its value.
#[derive(Debug, Clone, Copy)]
pub struct Coordinates<'a> {
    pub partition: i32,
    pub offset: i64,
    /// Microseconds; Kafka's milliseconds times 1000, saturating.
    pub timestamp_us: i64,
    /// 0 when the producer set it, 1 when the broker did.
    pub timestamp_type: i32,
    pub key: Option<&'a [u8]>,
    /// In order, with repetitions.
    pub headers: &'a [(&'a [u8], Option<&'a [u8]>)],
}

/// How values are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// Bytes as they are, in column `value`.
    KeyValue,
    /// As `KeyValue`, with the cause in column `cause`.
    DeadLetter,
    /// By the schema that each value (or its header) names.
    SchemaId,
    /// By the latest schema of `subject`, unless the value names another one of that subject.
    SchemaLatest { subject: String, protobuf_name: Option<String> },
}

impl Mode {
    /// The mode that a topic's setting asks for; none when it has no table.
    pub fn of(topic: &TopicName, mode: &LakeMode) -> Option<Mode> {
        match mode {
            LakeMode::Off => None,
            LakeMode::KeyValue => Some(Mode::KeyValue),
            LakeMode::SchemaId => Some(Mode::SchemaId),
            LakeMode::SchemaLatest { subject, protobuf_name } => {
                let subject = subject.clone().unwrap_or_else(|| format!("{topic}-value"));
                Some(Mode::SchemaLatest { subject, protobuf_name: protobuf_name.clone() })
            }
        }
    }
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Pushed {
    Row,
    /// It is no row, for this cause: it belongs into the dead-letter table.
    Dead(String),
    /// The table must first take these columns (`types::merge`); then a new projector takes the record.
    NeedsSchema(Vec<Column>),
    /// `take` what is there, then push the record again.
    Full,
}

/// Turns the records of one table into batches of its rows.
pub struct Projector {
    table: SchemaRef,
    mode: Mode,
    schema: ArrowSchemaRef,
    columns: Vec<Builder>,
    /// The places of the coordinates among the columns.
    coordinates: [usize; COORDINATES.len()],
    value: Option<usize>,
    cause: Option<usize>,
    plans: Plans,
    /// What a row takes in memory whose columns are all null.
    row_bytes: u64,
    rows: usize,
    cost_bytes: u64,
}

/// Why a record is no row.
enum Stop {
    Dead(Fault),
    Grow(Vec<Column>),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Stop {
        Stop::Dead(fault)
    }
}

impl Projector {
    /// A projector for a table that has our coordinates, and for dead letters the columns of those.
    pub fn new(table: SchemaRef, mode: Mode) -> Result<Projector> {
        let schema = schema_to_arrow_schema(&table).map_err(|error| Error::invalid(error.to_string()))?;
        let columns = schema.fields().iter().map(|field| Builder::new(field.data_type()));
        let columns = columns.collect::<Result<Vec<_>, _>>().map_err(|error| Error::invalid(error.to_string()))?;
        let place = |name: &str| table.as_struct().fields().iter().position(|field| field.name == name);
        let missing = |name: &str| {
            Error::invalid(format!("the table has no column '{name}': it was not made by Frazil, or it was dropped"))
        };
        let mut coordinates = [0; COORDINATES.len()];
        for (slot, name) in coordinates.iter_mut().zip(COORDINATES) {
            *slot = place(name).ok_or_else(|| missing(name))?;
        }
        let (mut value, mut cause) = (None, None);
        if mode == Mode::KeyValue {
            value = place("value"); // A table that had another mode before gets it with the first row.
        }
        if mode == Mode::DeadLetter {
            value = Some(place("value").ok_or_else(|| missing("value"))?);
            cause = Some(place("cause").ok_or_else(|| missing("cause"))?);
        }
        let plans = Plans::default();
        let schema = Arc::new(schema);
        let row_bytes = 8 * columns.iter().map(Builder::null_words).sum::<u64>();
        let (rows, cost_bytes) = (0, 0);
        Ok(Projector { table, mode, schema, columns, coordinates, value, cause, plans, row_bytes, rows, cost_bytes })
    }

    /// Appends the row of one record. A tombstone is a row whose data columns are null.
    pub fn push(&mut self, at: &Coordinates<'_>, value: Option<&[u8]>, view: &View) -> Pushed {
        if self.is_full() {
            return Pushed::Full;
        }
        let mut budget = Budget::full();
        let result = self.append(at, value, view, &mut budget);
        self.settle(at, value, &budget, result)
    }

    /// Appends the row of a dead record. Only in mode `DeadLetter`.
    pub fn push_dead(&mut self, at: &Coordinates<'_>, value: Option<&[u8]>, cause: &str) -> Pushed {
        let place = self.cause.expect("only a projector of dead letters takes dead letters");
        if self.is_full() {
            return Pushed::Full;
        }
        let result = self.append_bytes(at, value).and_then(|()| self.columns[place].text(cause)).map_err(Stop::from);
        self.settle(at, value, &Budget::full(), result)
    }

    /// Rows since the last `take`.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// About how much memory the rows take.
    pub fn cost_bytes(&self) -> u64 {
        self.cost_bytes
    }

    /// The rows so far, in the order in which they came, in the table's schema with its field ids.
    pub fn take(&mut self) -> Result<RecordBatch> {
        let arrays = self.columns.iter_mut().map(Builder::take).collect::<Result<Vec<_>, _>>();
        (self.rows, self.cost_bytes) = (0, 0);
        let batch = arrays.and_then(|arrays| RecordBatch::try_new(self.schema.clone(), arrays));
        batch.map_err(|error| Error::invalid(format!("the rows do not make a batch: {error}")))
    }

    fn is_full(&self) -> bool {
        self.rows >= BATCH_ROWS_MAX || self.cost_bytes >= BATCH_COST_BYTES_MAX
    }

    /// Completes the row, or takes back what it has appended.
    fn settle(
        &mut self,
        at: &Coordinates<'_>,
        value: Option<&[u8]>,
        budget: &Budget,
        result: Result<(), Stop>,
    ) -> Pushed {
        match result {
            Ok(()) => {
                self.rows += 1;
                assert!(self.columns.iter().all(|column| column.rows() == self.rows), "a row has a value per column");
                let headers: usize =
                    at.headers.iter().map(|(key, value)| 16 + key.len() + value.map_or(0, <[u8]>::len)).sum();
                let bytes = value.map_or(0, <[u8]>::len) + at.key.map_or(0, <[u8]>::len) + headers;
                self.cost_bytes += bytes as u64 + self.row_bytes + 8 * budget.used();
                Pushed::Row
            }
            Err(stop) => {
                self.columns.iter_mut().for_each(|column| column.truncate(self.rows));
                match stop {
                    Stop::Dead(fault) => Pushed::Dead(fault.to_string()),
                    Stop::Grow(columns) => Pushed::NeedsSchema(columns),
                }
            }
        }
    }

    fn append(
        &mut self,
        at: &Coordinates<'_>,
        value: Option<&[u8]>,
        view: &View,
        budget: &mut Budget,
    ) -> Result<(), Stop> {
        if self.mode == Mode::KeyValue && self.value.is_none() {
            return Err(Stop::Grow(vec![value_column()]));
        }
        let Some(value) = value.filter(|_| self.value.is_none()) else {
            return Ok(self.append_bytes(at, value)?);
        };
        let header = at.headers.iter().rev().find(|(name, value)| *name == VALUE_HEADER.as_bytes() && value.is_some());
        let header = header.and_then(|(_, value)| *value);
        let readings = self.plans.readings(&self.table, &self.mode, value, header, view)?;
        let mut cause = None;
        for reading in readings.into_iter().flatten() {
            let source = match self.plans.get(&reading.key) {
                Plan::Walk(source) => source,
                Plan::Grow(columns) => return Err(Stop::Grow(columns.clone())),
                Plan::Dead(fault) => return Err(Stop::Dead(fault.clone())),
            };
            match walk(source, reading.payload, &mut self.columns, budget) {
                Ok(()) => return Ok(self.append_coordinates(at)?),
                Err(fault) => {
                    self.columns.iter_mut().for_each(|column| column.truncate(self.rows));
                    cause = cause.or(Some(fault));
                }
            }
        }
        Err(Stop::Dead(cause.unwrap_or_else(|| Fault::new("there is no schema to read the value with"))))
    }

    /// Coordinates and `value` as it is; every other column is null.
    fn append_bytes(&mut self, at: &Coordinates<'_>, value: Option<&[u8]>) -> Put {
        for (place, column) in self.columns.iter_mut().enumerate() {
            if Some(place) == self.value {
                column.bytes_or_null(value)?;
            } else if Some(place) != self.cause && !self.coordinates.contains(&place) {
                column.null();
            }
        }
        self.append_coordinates(at)
    }

    fn append_coordinates(&mut self, at: &Coordinates<'_>) -> Put {
        let [partition, offset, timestamp, kind, key, headers] = self.coordinates;
        self.columns[partition].integer(i64::from(at.partition))?;
        self.columns[offset].integer(at.offset)?;
        // A client may send any timestamp; one that no engine could print must not cost the row.
        self.columns[timestamp].timestamp(at.timestamp_us.clamp(*MICROS.start(), *MICROS.end()), 1)?;
        self.columns[kind].integer(i64::from(at.timestamp_type))?;
        self.columns[key].bytes_or_null(at.key)?;
        append_headers(&mut self.columns[headers], at.headers)
    }
}

/// No headers are null, not an empty list: Kafka does not tell the two apart, and null takes no space.
fn append_headers(column: &mut Builder, headers: &[(&[u8], Option<&[u8]>)]) -> Put {
    if headers.is_empty() {
        column.null();
        return Ok(());
    }
    let element = column.element()?;
    for (key, value) in headers {
        let [key_column, value_column, others @ ..] = element.children()? else {
            return Err(Fault::new("the table's column kafka_headers has lost its fields"));
        };
        key_column.text(&String::from_utf8_lossy(key))?;
        value_column.bytes_or_null(*value)?;
        others.iter_mut().for_each(Builder::null);
        element.close_struct();
    }
    column.close_list()
}

fn walk(source: &crate::types::Source, payload: &[u8], columns: &mut [Builder], budget: &mut Budget) -> Put {
    use crate::types::Source;
    match source {
        Source::Avro(fields) => avro::walk(fields, payload, columns, budget),
        Source::Protobuf(message) => protobuf::walk(message, payload, columns, budget),
        Source::Json(record) => json::walk(record, payload, columns, budget),
    }
}
