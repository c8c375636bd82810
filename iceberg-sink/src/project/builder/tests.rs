//! What a column refuses, and how an incomplete row vanishes.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Field, Int32Type};

use super::*;

fn builder(kind: DataType) -> Builder {
    Builder::new(&kind).unwrap()
}

fn list_of_structs() -> DataType {
    let fields = vec![Field::new("a", DataType::Int32, true), Field::new("t", DataType::Utf8, true)];
    DataType::List(Arc::new(Field::new("element", DataType::Struct(fields.into()), true)))
}

#[test]
fn truncation_takes_back_every_level() {
    let mut list = builder(list_of_structs());
    let put = |list: &mut Builder, a: i64, text: &str| {
        let element = list.element().unwrap();
        let children = element.children().unwrap();
        children[0].integer(a).unwrap();
        children[1].text(text).unwrap();
        element.close_struct();
    };
    put(&mut list, 1, "one");
    put(&mut list, 2, "two");
    list.close_list().unwrap();
    list.null();
    // A row that fails in the middle of its second element.
    put(&mut list, 3, "three");
    list.element().unwrap().children().unwrap()[0].integer(4).unwrap();
    list.truncate(2);
    put(&mut list, 5, "five");
    list.close_list().unwrap();
    let array = list.take().unwrap();
    let array = array.as_list::<i32>();
    assert_eq!(array.value_offsets(), [0, 2, 2, 3]);
    assert_eq!((0..3).map(|row| array.is_null(row)).collect::<Vec<_>>(), [false, true, false]);
    let elements = array.values().as_struct();
    assert_eq!(elements.column(0).as_primitive::<Int32Type>().values(), &[1, 2, 5]);
    let texts = elements.column(1).as_string::<i32>().iter().flatten().collect::<Vec<_>>();
    assert_eq!(texts, ["one", "two", "five"]);
}

#[test]
fn a_taken_column_starts_anew() {
    for kind in
        [DataType::Utf8, DataType::LargeBinary, list_of_structs(), DataType::Decimal128(9, 2), DataType::Boolean]
    {
        let mut column = builder(kind.clone());
        column.null();
        assert_eq!(column.take().unwrap().len(), 1, "{kind}");
        assert_eq!(column.rows(), 0);
        column.null();
        column.null();
        let array = column.take().unwrap();
        assert_eq!((array.len(), array.null_count(), array.data_type()), (2, 2, &kind));
    }
}

#[test]
fn values_out_of_range_are_refused_and_leave_nothing() {
    let micros = || builder(DataType::Timestamp(TimeUnit::Microsecond, None));
    assert!(builder(DataType::Int32).integer(1 << 31).is_err());
    assert!(builder(DataType::Decimal128(3, 1)).decimal(1000).is_err());
    assert!(builder(DataType::Decimal128(3, 1)).decimal(-999).is_ok());
    assert!(builder(DataType::Decimal128(38, 0)).decimal(i128::MIN).is_err());
    assert!(builder(DataType::Date32).date(2_932_897).is_err());
    assert!(micros().timestamp(253_402_300_800_000, 1000).is_err());
    assert!(micros().timestamp(253_402_300_799_999, 1000).is_ok());
    assert!(micros().timestamp(i64::MAX, 1000).is_err());
    assert!(builder(DataType::FixedSizeBinary(2)).bytes(b"abc").is_err());
    assert!(builder(DataType::Int32).text("x").is_err());
    let mut column = builder(DataType::Int32);
    column.integer(i64::MAX).unwrap_err();
    column.integer(7).unwrap();
    assert_eq!(column.take().unwrap().as_primitive::<Int32Type>().values(), &[7]);
}
