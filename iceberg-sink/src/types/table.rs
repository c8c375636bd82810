//! What schema does a table begin with?

#[cfg(test)]
mod tests;

use std::sync::Arc;

use iceberg::spec::{ListType, MapType, NestedField, NestedFieldRef, PrimitiveType, Schema, StructType, Type};

use super::fault::{Fault, Refused};
use super::kind::{Column, Kind, check};

/// Where a row comes from: the first columns of every table, in this order.
pub const COORDINATES: [&str; 6] =
    ["kafka_partition", "kafka_offset", "kafka_timestamp", "kafka_timestamp_type", "kafka_key", "kafka_headers"];

/// The partition field of every table, which no column may be called: Iceberg refuses that.
pub const PARTITION: &str = "kafka_timestamp_day";

/// The schema of the table for a schema with these columns: coordinates first, then one column per field.
pub fn table_schema(columns: &[Column]) -> Result<Schema, Refused> {
    check(columns)?;
    build(columns)
}

/// The column of mode `key_value`: `value binary`.
pub fn value_column() -> Column {
    Column::new("value", Kind::Scalar(PrimitiveType::Binary))
}

/// The schema of a table in `key_value` mode: coordinates and `value binary`.
pub fn key_value_schema() -> Schema {
    build(&[value_column()]).expect("fixed columns make a schema")
}

/// The schema of a dead-letter table: coordinates, `value binary` and `cause string`.
pub fn dead_letter_schema() -> Schema {
    let cause = Column::new("cause", Kind::Scalar(PrimitiveType::String));
    build(&[value_column(), cause]).expect("fixed columns make a schema")
}

fn build(columns: &[Column]) -> Result<Schema, Refused> {
    let mut ids = Ids::after(0);
    let mut fields = coordinates();
    fields.extend(columns.iter().map(|column| (column.name.clone(), column.kind.clone(), false)));
    let fields = ids.fields(&fields);
    Schema::builder().with_fields(fields).build().map_err(|error| unnamed(&error))
}

/// Why Iceberg takes no schema whose parts `check` has taken. A struct `a` with `b` and a column `a.b` are one name to it.
pub fn unnamed(error: &iceberg::Error) -> Fault {
    Fault::new(format!("{}; the parts of a nested column are named with dots: rename one", error.message()))
}

/// Names, types and whether they are required. Keys and headers may be missing in Kafka, the rest never is.
fn coordinates() -> Vec<(String, Kind, bool)> {
    let header = vec![
        Column::new("key", Kind::Scalar(PrimitiveType::String)),
        Column::new("value", Kind::Scalar(PrimitiveType::Binary)),
    ];
    let kinds = [
        (Kind::Scalar(PrimitiveType::Int), true),
        (Kind::Scalar(PrimitiveType::Long), true),
        (Kind::Scalar(PrimitiveType::Timestamptz), true),
        (Kind::Scalar(PrimitiveType::Int), true),
        (Kind::Scalar(PrimitiveType::Binary), false),
        (Kind::List(Box::new(Kind::Struct(header))), false),
    ];
    COORDINATES.iter().zip(kinds).map(|(name, (kind, required))| (name.to_string(), kind, required)).collect()
}

/// Hands out field ids in the order in which Iceberg's catalogs assign fresh ones (all fields of a struct, then what
/// lies below each), so that a catalog that assigns them anew comes to the same.
pub struct Ids(i32);

impl Ids {
    /// The next id is `last + 1`.
    pub fn after(last: i32) -> Ids {
        Ids(last)
    }

    fn fresh(&mut self) -> i32 {
        self.0 += 1;
        self.0
    }

    /// Optional fields of a struct.
    pub fn columns(&mut self, columns: &[Column]) -> Vec<NestedFieldRef> {
        let fields: Vec<_> = columns.iter().map(|column| (column.name.clone(), column.kind.clone(), false)).collect();
        self.fields(&fields)
    }

    fn fields(&mut self, fields: &[(String, Kind, bool)]) -> Vec<NestedFieldRef> {
        let ids: Vec<i32> = fields.iter().map(|_| self.fresh()).collect();
        let with_ids = fields.iter().zip(ids);
        with_ids
            .map(|((name, kind, required), id)| Arc::new(NestedField::new(id, name, self.kind(kind), *required)))
            .collect()
    }

    pub fn kind(&mut self, kind: &Kind) -> Type {
        match kind {
            Kind::Scalar(primitive) => Type::Primitive(primitive.clone()),
            Kind::Struct(columns) => Type::Struct(StructType::new(self.columns(columns))),
            Kind::List(element) => {
                let id = self.fresh();
                let element = self.kind(element);
                Type::List(ListType::new(Arc::new(NestedField::list_element(id, element, false))))
            }
            Kind::Map(key, value) => {
                let key = NestedField::map_key_element(self.fresh(), Type::Primitive(key.clone()));
                let id = self.fresh();
                let value = self.kind(value);
                let value = NestedField::map_value_element(id, value, false);
                Type::Map(MapType::new(Arc::new(key), Arc::new(value)))
            }
        }
    }
}
