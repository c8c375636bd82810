//! Do old arrays become the table's present type, with nulls where the file has nothing?

use std::collections::HashMap;

use arrow::array::{Float64Array, Int32Array, Int64Array};
use arrow::buffer::{NullBuffer, OffsetBuffer};

use super::*;

fn field(id: i32, name: &str, kind: DataType) -> Field {
    let metadata = HashMap::from([(PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string())]);
    Field::new(name, kind, true).with_metadata(metadata)
}

fn old_struct() -> (Fields, StructArray) {
    let fields = Fields::from(vec![field(2, "x", DataType::Int32)]);
    let x: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None, Some(3)]));
    let nulls = NullBuffer::from(vec![true, true, false]);
    (fields.clone(), StructArray::new(fields, vec![x], Some(nulls)))
}

fn new_struct() -> DataType {
    DataType::Struct(vec![field(3, "added", DataType::Utf8), field(2, "x", DataType::Int64)].into())
}

#[test]
fn a_struct_gains_fields_and_width_and_keeps_its_nulls() {
    let (_, old) = old_struct();
    let new = conform(&(Arc::new(old) as ArrayRef), &field(1, "s", new_struct())).unwrap();
    let new = new.as_struct();
    assert_eq!(new.column(0).null_count(), 3);
    assert_eq!(
        new.column(1).as_primitive::<arrow::datatypes::Int64Type>(),
        &Int64Array::from(vec![Some(1), None, Some(3)])
    );
    assert_eq!((new.is_null(1), new.is_null(2)), (false, true));
}

#[test]
fn fields_are_known_by_id_not_by_name() {
    let fields = Fields::from(vec![field(7, "x", DataType::Int32), field(2, "old_name", DataType::Int32)]);
    assert_eq!(find(&fields, &field(2, "x", DataType::Int32)), Some(1));
    assert_eq!(find(&fields, &field(9, "x", DataType::Int32)), None, "a dropped column that came back is another");
    let without_ids = Fields::from(vec![Field::new("x", DataType::Int32, true)]);
    assert_eq!(find(&without_ids, &field(9, "x", DataType::Int32)), Some(0));
}

#[test]
fn elements_of_lists_and_values_of_maps_are_conformed() {
    let (fields, old) = old_struct();
    let item = Arc::new(field(4, "element", DataType::Struct(fields.clone())));
    let offsets = OffsetBuffer::new(vec![0, 2, 2, 3].into());
    let nulls = Some(NullBuffer::from(vec![true, true, false]));
    let list: ArrayRef = Arc::new(ListArray::new(item, offsets, Arc::new(old.clone()), nulls));
    let wanted = field(5, "l", DataType::List(Arc::new(field(4, "element", new_struct()))));
    let new = conform(&list, &wanted).unwrap();
    let new = new.as_list::<i32>();
    assert_eq!((new.value_length(0), new.value_length(1), new.is_null(2)), (2, 0, true));
    assert_eq!(new.values().as_struct().num_columns(), 2);

    let key = Field::new("keys", DataType::Utf8, false);
    let entry_fields = Fields::from(vec![key, field(6, "values", DataType::Struct(fields))]);
    let keys: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
    let entries = StructArray::new(entry_fields.clone(), vec![keys, Arc::new(old)], None);
    let entry = Arc::new(Field::new("entries", DataType::Struct(entry_fields), false));
    let map: ArrayRef = Arc::new(MapArray::new(entry, OffsetBuffer::new(vec![0, 3].into()), entries, None, false));
    let now = Fields::from(vec![Field::new("key", DataType::Utf8, false), field(6, "value", new_struct())]);
    let entry = Arc::new(Field::new("key_value", DataType::Struct(now), false));
    let new = conform(&map, &field(8, "m", DataType::Map(entry, false))).unwrap();
    assert_eq!(new.as_map().values().as_struct().num_columns(), 2);
}

#[test]
fn uuids_are_text() {
    let plain = field(1, "u", DataType::FixedSizeBinary(16));
    let mut metadata = plain.metadata().clone();
    metadata.insert("ARROW:extension:name".into(), "arrow.uuid".into());
    let uuid = plain.clone().with_metadata(metadata);
    let seen = readable(&Schema::new(vec![plain, uuid]));
    assert_eq!(seen.field(0).data_type(), &DataType::FixedSizeBinary(16));
    assert_eq!(seen.field(1).data_type(), &DataType::Utf8);
    let bytes =
        FixedSizeBinaryArray::try_from_sparse_iter_with_size([Some([0x11u8; 16]), None].into_iter(), 16).unwrap();
    let text = conform(&(Arc::new(bytes) as ArrayRef), seen.field(1)).unwrap();
    assert_eq!(text.as_string::<i32>().value(0), "11111111-1111-1111-1111-111111111111");
    assert!(text.is_null(1));
}

#[test]
fn a_wrong_type_is_an_error_not_a_guess() {
    let doubles: ArrayRef = Arc::new(Float64Array::from(vec![1.0]));
    assert!(conform(&doubles, &field(1, "d", new_struct())).is_err());
}
