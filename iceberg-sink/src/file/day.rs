//! Which rows belong to which partition of the table, and in which order?

use arrow::array::{Array, AsArray, RecordBatch, UInt32Array};
use arrow::compute::{SortColumn, lexsort_to_indices, take_record_batch};
use arrow::datatypes::{TimestampMicrosecondType, UInt32Type};
use iceberg::spec::{PartitionSpec, Schema, Transform};
use model::{Error, Result};

use super::failed;

const DAY_US: i64 = 86_400_000_000;

/// Whether a spec is `day(kafka_timestamp)` rather than without partitions; there are no others yet.
pub fn is_by_day(spec: &PartitionSpec, table: &Schema) -> Result<bool> {
    match spec.fields() {
        [] => Ok(false),
        [field]
            if field.transform == Transform::Day
                && table.field_id_by_name("kafka_timestamp") == Some(field.source_id) =>
        {
            Ok(true)
        }
        _ => Err(Error::invalid(
            "the table is partitioned in a way that Frazil does not write; day(kafka_timestamp) and none are possible",
        )),
    }
}

/// The rows sorted by (kafka_partition, kafka_offset), one batch per day, earliest first; or all in one.
pub fn split(rows: &RecordBatch, by_day: bool) -> Result<Vec<(Option<i32>, RecordBatch)>> {
    let column = |name: &str| {
        let column = rows.column_by_name(name);
        column.cloned().ok_or_else(|| Error::invalid(format!("the rows have no column '{name}'")))
    };
    let order = [column("kafka_partition")?, column("kafka_offset")?];
    let order = order.map(|values| SortColumn { values, options: None });
    let sorted = lexsort_to_indices(&order, None).map_err(failed)?;
    if !by_day {
        return Ok(vec![(None, take_record_batch(rows, &sorted).map_err(failed)?)]);
    }
    let timestamps = column("kafka_timestamp")?;
    let timestamps = timestamps.as_primitive_opt::<TimestampMicrosecondType>();
    let timestamps = timestamps.ok_or_else(|| Error::invalid("column 'kafka_timestamp' holds no microseconds"))?;
    assert_eq!(timestamps.null_count(), 0, "kafka_timestamp is required: no row is without one");
    let mut days: std::collections::BTreeMap<i32, Vec<u32>> = std::collections::BTreeMap::new();
    for index in sorted.values() {
        // The range of timestamps in days fits 32 bits.
        let day = timestamps.value(*index as usize).div_euclid(DAY_US) as i32;
        days.entry(day).or_default().push(*index);
    }
    let taken = days.into_iter().map(|(day, indices)| {
        let indices = arrow::array::PrimitiveArray::<UInt32Type>::from_iter_values(indices);
        let indices: UInt32Array = indices;
        Ok((Some(day), take_record_batch(rows, &indices).map_err(failed)?))
    });
    taken.collect()
}
