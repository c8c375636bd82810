//! How is an answer shown: a table for people, JSON for scripts?

use anyhow::{Context, Result};
use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Map, Value};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    #[default]
    Table,
    Json,
}

/// Rows with the same columns.
pub struct Rows {
    columns: Vec<&'static str>,
    rows: Vec<Vec<Value>>,
}

impl Rows {
    pub fn new(columns: &[&'static str]) -> Rows {
        Rows { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// These columns of an answer that is a list of objects.
    pub fn of(columns: &[&'static str], answer: &Value) -> Result<Rows> {
        let mut rows = Rows::new(columns);
        for row in answer.as_array().context("rows were expected")? {
            rows.push(columns.iter().map(|column| row[*column].clone()).collect());
        }
        Ok(rows)
    }

    /// Panics unless there is one value per column.
    pub fn push(&mut self, row: Vec<Value>) {
        assert_eq!(row.len(), self.columns.len(), "one value per column");
        self.rows.push(row);
    }

    pub fn print(self, format: Format) {
        match format {
            Format::Table => println!("{}", self.table()),
            Format::Json => {
                let object = |row: Vec<Value>| {
                    let pairs = self.columns.iter().map(|column| (*column).to_owned()).zip(row);
                    Value::Object(Map::from_iter(pairs))
                };
                let rows: Vec<Value> = self.rows.into_iter().map(object).collect();
                println!("{}", Value::Array(rows));
            }
        }
    }

    fn table(&self) -> Table {
        grid(self.columns.iter().map(|c| (*c).to_owned()), self.rows.iter().map(|row| row.iter().map(text).collect()))
    }
}

/// How many rows of an answer do not say `"ok": true`.
pub fn not_ok(answer: &Value) -> usize {
    answer.as_array().into_iter().flatten().filter(|row| row["ok"] != true).count()
}

/// A table with a line under its head.
pub fn grid(columns: impl IntoIterator<Item = String>, rows: impl Iterator<Item = Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(columns.into_iter().collect::<Vec<String>>());
    for row in rows {
        table.add_row(row);
    }
    table
}

/// A value as people read it: no quotes around text, nothing for null.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
