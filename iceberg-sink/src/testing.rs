//! What do several tests share: small schemas, a store whose writes fail when told to, and a log in memory?

mod faulty;
mod source;

use std::sync::Arc;

use iceberg::spec::{NestedField, PrimitiveType, Schema, Type};

pub use faulty::{Fault, Faulty};
pub use source::{Memory, name};

/// Two of the coordinates, and a value.
pub fn small_schema() -> Schema {
    let field = |id, name: &str, kind| Arc::new(NestedField::optional(id, name, Type::Primitive(kind)));
    Schema::builder()
        .with_fields([
            field(1, "kafka_partition", PrimitiveType::Int),
            field(2, "kafka_offset", PrimitiveType::Long),
            field(3, "value", PrimitiveType::Binary),
        ])
        .build()
        .expect("is a schema")
}
