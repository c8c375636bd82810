//! Does an adapted predicate prune, and only where statistics tell the truth?

use std::collections::HashMap;

use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, lit};
use datafusion::physical_optimizer::pruning::PruningPredicate;
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;

use super::*;

fn one(name: &str, kind: DataType) -> SchemaRef {
    let metadata = HashMap::from([(PARQUET_FIELD_ID_META_KEY.to_owned(), "1".to_owned())]);
    Arc::new(Schema::new(vec![Field::new(name, kind, true).with_metadata(metadata)]))
}

/// Whether `x > 5` can skip row groups of a file whose column is of type `file`.
fn prunes(file: DataType, table: DataType, five: ScalarValue) -> bool {
    let (file, table) = (one("old", file), one("x", table));
    let predicate = BinaryExpr::new(Arc::new(Column::new("x", 0)), Operator::Gt, lit(five));
    let adapted = ByFieldId.create(table, file.clone()).unwrap().rewrite(Arc::new(predicate)).unwrap();
    !PruningPredicate::try_new(adapted, file).unwrap().always_true()
}

#[test]
fn whole_numbers_prune_also_when_they_were_narrower() {
    assert!(prunes(DataType::Int64, DataType::Int64, ScalarValue::from(5i64)));
    assert!(prunes(DataType::Int32, DataType::Int64, ScalarValue::from(5i64)));
}

/// NaN is greater than all numbers, but not in the statistics of a file: a row group with it must be read.
#[test]
fn floats_do_not_prune() {
    assert!(!prunes(DataType::Float64, DataType::Float64, ScalarValue::from(5f64)));
    assert!(!prunes(DataType::Float32, DataType::Float32, ScalarValue::from(5f32)));
    assert!(!prunes(DataType::Float32, DataType::Float64, ScalarValue::from(5f64)));
}

#[test]
fn adapted_floats_are_the_columns_values() {
    let (file, table) = (one("old", DataType::Float32), one("x", DataType::Float64));
    let adapted = ByFieldId.create(table, file.clone()).unwrap().rewrite(Arc::new(Column::new("x", 0))).unwrap();
    let values = arrow::array::Float32Array::from(vec![Some(0.5), None, Some(f32::NAN)]);
    let batch = RecordBatch::try_new(file, vec![Arc::new(values)]).unwrap();
    let values = adapted.evaluate(&batch).unwrap().into_array(3).unwrap();
    let values = arrow::array::AsArray::as_primitive::<arrow::datatypes::Float64Type>(&values);
    let values: Vec<Option<f64>> = values.iter().collect();
    assert_eq!(values[..2], [Some(0.5), None]);
    assert!(values[2].is_some_and(f64::is_nan));
}
