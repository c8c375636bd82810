//! Helpers of the tests of types and walkers: schemas from text, columns as text.

use std::sync::Arc;

use schema_registry::{Schema, SchemaType};

use super::{Column, Fault, Kind, Root, columns};

pub fn schema(schema_type: SchemaType, text: &str) -> Arc<Schema> {
    Arc::new(Schema::parse(schema_type, text, &[]).unwrap())
}

/// Columns as `name: type, …`, the way people write them.
pub fn show(columns: &[Column]) -> String {
    columns.iter().map(|column| format!("{}: {}", column.name, show_kind(&column.kind))).collect::<Vec<_>>().join(", ")
}

pub fn show_kind(kind: &Kind) -> String {
    match kind {
        Kind::Scalar(primitive) => primitive.to_string(),
        Kind::Struct(columns) => format!("struct<{}>", show(columns)),
        Kind::List(element) => format!("list<{}>", show_kind(element)),
        Kind::Map(key, value) => format!("map<{key}, {}>", show_kind(value)),
    }
}

/// The columns of a schema as text, or the refusal.
pub fn mapped(schema_type: SchemaType, text: &str) -> Result<String, Fault> {
    columns(&schema(schema_type, text), Root::First).map(|columns| show(&columns))
}
