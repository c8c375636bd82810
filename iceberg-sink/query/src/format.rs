//! In which form does an answer go out?

use std::io::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::csv;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::Result;
use arrow::ipc::writer::StreamWriter;
use arrow::json::writer::{EncoderOptions, JsonArray, WriterBuilder, make_encoder};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// An array of objects; nulls are written.
    Json,
    /// With a head; nested values as JSON.
    Csv,
    /// Arrow's IPC stream.
    Arrow,
}

impl Format {
    /// What an `Accept` header asks for; JSON unless it names another.
    pub fn accepted(accept: &str) -> Format {
        let named = accept.split(',').map(|part| part.split(';').next().unwrap_or("").trim());
        named
            .filter_map(|kind| match kind {
                "text/csv" => Some(Format::Csv),
                "application/vnd.apache.arrow.stream" => Some(Format::Arrow),
                "application/json" => Some(Format::Json),
                _ => None,
            })
            .next()
            .unwrap_or(Format::Json)
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Format::Json => "application/json",
            Format::Csv => "text/csv",
            Format::Arrow => "application/vnd.apache.arrow.stream",
        }
    }
}

/// Writes an answer in one piece.
pub fn render(schema: &SchemaRef, batches: &[RecordBatch], format: Format) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    match format {
        Format::Json => {
            let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, JsonArray>(&mut out);
            writer.write_batches(&batches.iter().collect::<Vec<_>>())?;
            writer.finish()?;
            if out.is_empty() {
                out.write_all(b"[]")?;
            }
        }
        Format::Csv => {
            let flat = flat_schema(schema);
            let mut writer = csv::WriterBuilder::new().with_header(true).build(&mut out);
            writer.write(&RecordBatch::new_empty(flat.clone()))?;
            for batch in batches {
                writer.write(&flatten(batch, &flat)?)?;
            }
        }
        Format::Arrow => {
            let mut writer = StreamWriter::try_new(&mut out, schema)?;
            for batch in batches {
                writer.write(batch)?;
            }
            writer.finish()?;
        }
    }
    Ok(out)
}

fn flat_schema(schema: &SchemaRef) -> SchemaRef {
    let flat = schema.fields().iter().map(|field| match field.data_type().is_nested() {
        true => Arc::new(Field::new(field.name(), DataType::Utf8, true)),
        false => field.clone(),
    });
    Arc::new(Schema::new(flat.collect::<Vec<_>>()))
}

fn flatten(batch: &RecordBatch, flat: &SchemaRef) -> Result<RecordBatch> {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
        if !field.data_type().is_nested() {
            return Ok(column.clone());
        }
        let options = EncoderOptions::default().with_explicit_nulls(true);
        let mut encoder = make_encoder(field, column.as_ref(), &options)?;
        let cells = (0..column.len()).map(|row| {
            (!encoder.is_null(row)).then(|| {
                let mut text = Vec::new();
                encoder.encode(row, &mut text);
                String::from_utf8_lossy(&text).into_owned()
            })
        });
        Ok(Arc::new(cells.collect::<StringArray>()) as ArrayRef)
    });
    RecordBatch::try_new(flat.clone(), columns.collect::<Result<Vec<_>>>()?)
}
