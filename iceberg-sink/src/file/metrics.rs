//! How many values does each column of a file have, and between which bounds?

use std::collections::HashMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type,
    TimestampMicrosecondType,
};
use iceberg::spec::{Datum, PrimitiveType, Schema};
use model::{Error, Result};

use super::bounds;
use super::leaf::{Leaf, leaves};

/// By field id. Bounds are right or absent.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Nulls and NaNs included. Below lists and maps: of elements.
    pub values: HashMap<i32, u64>,
    pub nulls: HashMap<i32, u64>,
    /// Of floats and doubles only.
    pub nans: HashMap<i32, u64>,
    pub lower: HashMap<i32, Datum>,
    pub upper: HashMap<i32, Datum>,
}

impl Metrics {
    pub fn of(rows: &RecordBatch, table: &Schema) -> Result<Metrics> {
        let mut metrics = Metrics::default();
        for leaf in leaves(rows, table)? {
            metrics.values.insert(leaf.field_id, leaf.array.len() as u64);
            metrics.nulls.insert(leaf.field_id, leaf.valid.as_ref().map_or(0, NullBuffer::null_count) as u64);
            if let Some(nans) = nans(&leaf) {
                metrics.nans.insert(leaf.field_id, nans);
            }
            if leaf.repeated {
                continue;
            }
            let (lower, upper) = extremes(&leaf)?;
            metrics.lower.extend(lower.map(|datum| (leaf.field_id, datum)));
            metrics.upper.extend(upper.map(|datum| (leaf.field_id, datum)));
        }
        Ok(metrics)
    }
}

fn nans(leaf: &Leaf) -> Option<u64> {
    let count = match leaf.kind {
        PrimitiveType::Float => values::<Float32Type>(leaf).filter(|value| value.is_nan()).count(),
        PrimitiveType::Double => values::<Float64Type>(leaf).filter(|value| value.is_nan()).count(),
        _ => return None,
    };
    Some(count as u64)
}

/// Lower and upper bound of the values that are neither null nor NaN.
fn extremes(leaf: &Leaf) -> Result<(Option<Datum>, Option<Datum>)> {
    let rows = || (0..leaf.array.len()).filter(|row| is_valid(leaf, *row));
    Ok(match leaf.kind {
        PrimitiveType::Boolean => {
            let array = leaf.array.as_boolean();
            both(min_max(rows().map(|row| array.value(row))), Datum::bool)
        }
        PrimitiveType::Int => both(min_max(values::<Int32Type>(leaf)), Datum::int),
        PrimitiveType::Long => both(min_max(values::<Int64Type>(leaf)), Datum::long),
        PrimitiveType::Date => both(min_max(values::<Date32Type>(leaf)), Datum::date),
        PrimitiveType::Timestamp => both(min_max(values::<TimestampMicrosecondType>(leaf)), Datum::timestamp_micros),
        PrimitiveType::Timestamptz => {
            both(min_max(values::<TimestampMicrosecondType>(leaf)), Datum::timestamptz_micros)
        }
        PrimitiveType::Float => {
            let (lower, upper) = bounds::of_floats(values::<Float32Type>(leaf).map(f64::from));
            // Widening to compare is exact, so that narrowing gives the same float back.
            (lower.map(|value| Datum::float(value as f32)), upper.map(|value| Datum::float(value as f32)))
        }
        PrimitiveType::Double => {
            let (lower, upper) = bounds::of_floats(values::<Float64Type>(leaf));
            (lower.map(Datum::double), upper.map(Datum::double))
        }
        PrimitiveType::Decimal { .. } => match min_max(values::<Decimal128Type>(leaf)) {
            Some((lower, upper)) => (Some(decimal(lower, &leaf.kind)?), Some(decimal(upper, &leaf.kind)?)),
            None => (None, None),
        },
        PrimitiveType::String => {
            let array = leaf.array.as_string::<i32>();
            let found = min_max(rows().map(|row| array.value(row)));
            let lower = found.map(|(lower, _)| Datum::string(bounds::text_lower(lower)));
            (lower, found.and_then(|(_, upper)| bounds::text_upper(upper)).map(Datum::string))
        }
        PrimitiveType::Binary => {
            let array = leaf.array.as_binary::<i64>();
            let found = min_max(rows().map(|row| array.value(row)));
            let lower = found.map(|(lower, _)| Datum::binary(bounds::bytes_lower(lower).to_vec()));
            (lower, found.and_then(|(_, upper)| bounds::bytes_upper(upper)).map(Datum::binary))
        }
        // Engines disagree on the order of UUIDs (Java compares them signed), and a fixed is an opaque value: without
        // bounds nothing is skipped wrongly.
        _ => (None, None),
    })
}

fn is_valid(leaf: &Leaf, row: usize) -> bool {
    leaf.valid.as_ref().is_none_or(|valid| valid.is_valid(row))
}

fn values<T: ArrowPrimitiveType>(leaf: &Leaf) -> impl Iterator<Item = T::Native> + '_ {
    let array = leaf.array.as_primitive::<T>();
    (0..array.len()).filter(|row| is_valid(leaf, *row)).map(|row| array.value(row))
}

fn min_max<T: PartialOrd + Copy>(values: impl Iterator<Item = T>) -> Option<(T, T)> {
    values.fold(None, |found, value| match found {
        None => Some((value, value)),
        Some((lower, upper)) => {
            Some((if value < lower { value } else { lower }, if value > upper { value } else { upper }))
        }
    })
}

fn both<T>(found: Option<(T, T)>, datum: impl Fn(T) -> Datum) -> (Option<Datum>, Option<Datum>) {
    match found {
        Some((lower, upper)) => (Some(datum(lower)), Some(datum(upper))),
        None => (None, None),
    }
}

fn decimal(unscaled: i128, kind: &PrimitiveType) -> Result<Datum> {
    let datum = Datum::try_from_bytes(&unscaled.to_be_bytes(), kind.clone());
    datum.map_err(|error| Error::invalid(error.to_string()))
}
