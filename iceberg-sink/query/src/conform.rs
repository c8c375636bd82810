//! How does an array from an old file become one of the table's present type?
//!
//! Fields are matched by Iceberg field id at every level; what the file does not have is null, what became
//! wider is cast. Lists and maps keep their shape, their elements are conformed.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeBinaryArray, ListArray, MapArray, StringArray, StructArray, new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};
use arrow::error::{ArrowError, Result};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;
use uuid::Uuid;

/// Iceberg's field id of an Arrow field.
pub fn field_id(field: &Field) -> Option<&str> {
    field.metadata().get(PARQUET_FIELD_ID_META_KEY).map(String::as_str)
}

/// The field of `fields` that is `wanted`, by id; by name where either has none.
pub fn find(fields: &Fields, wanted: &Field) -> Option<usize> {
    match field_id(wanted) {
        Some(id) if fields.iter().all(|field| field_id(field).is_some()) => {
            fields.iter().position(|field| field_id(field) == Some(id))
        }
        _ => fields.iter().position(|field| field.name() == wanted.name()),
    }
}

/// The table's schema as statements see it: uuids as text, since DataFusion knows no uuid.
pub fn readable(schema: &Schema) -> Schema {
    Schema::new(schema.fields().iter().map(readable_field).collect::<Fields>())
}

fn readable_field(field: &FieldRef) -> FieldRef {
    let kind = match field.data_type() {
        // Iceberg's fixed(16) maps to the same Arrow type as its uuid; only the latter carries an extension name.
        DataType::FixedSizeBinary(16) if field.metadata().contains_key("ARROW:extension:name") => DataType::Utf8,
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(readable_field).collect()),
        DataType::List(item) => DataType::List(readable_field(item)),
        DataType::Map(entries, sorted) => DataType::Map(readable_field(entries), *sorted),
        other => other.clone(),
    };
    let mut metadata = field.metadata().clone();
    metadata.remove("ARROW:extension:name");
    Arc::new(field.as_ref().clone().with_data_type(kind).with_metadata(metadata))
}

/// Whether arrays of `from` can be used as `to` without a look at them.
pub fn is_same(from: &DataType, to: &DataType) -> bool {
    let same = |a: &Field, b: &Field| {
        field_id(a) == field_id(b) && a.name() == b.name() && is_same(a.data_type(), b.data_type())
    };
    match (from, to) {
        (DataType::Struct(a), DataType::Struct(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (DataType::List(a), DataType::List(b)) => same(a, b),
        (DataType::Map(a, _), DataType::Map(b, _)) => same(a, b),
        _ => from == to,
    }
}

/// Rebuilds `array` as `to`, which must be the same field of the table at a later time.
pub fn conform(array: &ArrayRef, to: &Field) -> Result<ArrayRef> {
    match (array.data_type(), to.data_type()) {
        (DataType::Struct(_), DataType::Struct(fields)) => {
            let from = array.as_struct();
            let columns = fields.iter().map(|field| match find(from.fields(), field) {
                Some(at) => conform(from.column(at), field),
                None => Ok(new_null_array(field.data_type(), from.len())),
            });
            let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
            let nulls = from.nulls().cloned();
            Ok(Arc::new(StructArray::try_new_with_length(fields.clone(), columns, nulls, from.len())?))
        }
        (DataType::List(_), DataType::List(item)) => {
            let from = array.as_list::<i32>();
            let values = conform(from.values(), item)?;
            Ok(Arc::new(ListArray::try_new(item.clone(), from.offsets().clone(), values, from.nulls().cloned())?))
        }
        (DataType::Map(_, _), DataType::Map(entries, sorted)) => conform_map(array.as_map(), entries, *sorted),
        (DataType::FixedSizeBinary(16), DataType::Utf8) => Ok(Arc::new(uuids(array.as_fixed_size_binary())?)),
        (from, to) if from == to => Ok(array.clone()),
        (_, to) => cast(array, to),
    }
}

/// Keys and values of a map are matched by their place: the names of the two differ between writers.
fn conform_map(from: &MapArray, entries: &FieldRef, sorted: bool) -> Result<ArrayRef> {
    let DataType::Struct(fields) = entries.data_type() else {
        return Err(ArrowError::SchemaError("a map's entries are a struct".into()));
    };
    let [key, value] = &fields[..] else {
        return Err(ArrowError::SchemaError("a map's entries have a key and a value".into()));
    };
    let columns = vec![conform(from.keys(), key)?, conform(from.values(), value)?];
    let entries_array = StructArray::try_new(fields.clone(), columns, None)?;
    let nulls = from.nulls().cloned();
    Ok(Arc::new(MapArray::try_new(entries.clone(), from.offsets().clone(), entries_array, nulls, sorted)?))
}

fn uuids(bytes: &FixedSizeBinaryArray) -> Result<StringArray> {
    bytes
        .iter()
        .map(|value| match value {
            Some(value) => Uuid::from_slice(value)
                .map(|uuid| Some(uuid.to_string()))
                .map_err(|error| ArrowError::CastError(error.to_string())),
            None => Ok(None),
        })
        .collect()
}

#[cfg(test)]
mod tests;
