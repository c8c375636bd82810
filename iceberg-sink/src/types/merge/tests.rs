//! What a table learns from a newer schema, and what it must refuse.

use iceberg::spec::PrimitiveType::{Double, Float, Int, Long, String as Text};

use super::*;
use crate::types::table::table_schema;

fn scalar(name: &str, primitive: PrimitiveType) -> Column {
    Column::new(name, Kind::Scalar(primitive))
}

fn list(kind: Kind) -> Kind {
    Kind::List(Box::new(kind))
}

fn decimal(precision: u32, scale: u32) -> PrimitiveType {
    PrimitiveType::Decimal { precision, scale }
}

/// The columns behind the coordinates, as text.
fn merged(have: &[Column], wanted: &[Column]) -> Result<Option<String>, Conflict> {
    let table = table_schema(have).unwrap();
    let new = merge(&table, table.highest_field_id(), wanted)?;
    Ok(new.map(|schema| {
        let fields = &schema.as_struct().fields()[COORDINATES.len()..];
        fields
            .iter()
            .map(|field| format!("{}:{}:{}", field.id, field.name, field.field_type))
            .collect::<Vec<_>>()
            .join(" ")
    }))
}

#[test]
fn what_fits_changes_nothing() {
    let have = [scalar("a", Long), scalar("b", Double), scalar("c", decimal(12, 2)), scalar("d", Text)];
    assert_eq!(merged(&have, &have), Ok(None));
    let narrower = [scalar("c", decimal(10, 2)), scalar("b", Float), scalar("a", Int)];
    assert_eq!(merged(&have, &narrower), Ok(None));
}

#[test]
fn columns_are_added_and_widened_and_removed_ones_stay() {
    let have = [scalar("a", Int), scalar("gone", Text), scalar("f", Float), scalar("d", decimal(9, 2))];
    let wanted = [scalar("new", Text), scalar("d", decimal(11, 2)), scalar("f", Double), scalar("a", Long)];
    // Ids 1 to 6 are coordinates, 7 to 10 these columns, 11 to 13 the parts of kafka_headers.
    let wanted = merged(&have, &wanted).unwrap().unwrap();
    assert_eq!(wanted, "7:a:long 8:gone:string 9:f:double 10:d:decimal(11, 2) 14:new:string");
}

#[test]
fn columns_are_added_at_every_level() {
    let point = |names: &[&str]| Kind::Struct(names.iter().map(|name| scalar(name, Int)).collect());
    let columns = |names: &[&str]| {
        vec![
            Column::new("s", point(names)),
            Column::new("l", list(point(names))),
            Column::new("m", Kind::Map(Text, Box::new(list(point(names))))),
        ]
    };
    let table = table_schema(&columns(&["x"])).unwrap();
    let new = merge(&table, 100, &columns(&["x", "y"])).unwrap().unwrap();
    let added = ["s.y", "l.element.y", "m.value.element.y"].map(|name| new.field_id_by_name(name));
    assert_eq!(added, [Some(101), Some(102), Some(103)]);
    for (id, field) in table.field_id_to_fields() {
        assert_eq!(new.name_by_field_id(*id), table.name_by_field_id(*id), "{}", field.name);
    }
    assert_eq!(merge(&new, 103, &columns(&["y"])), Ok(None));
}

#[test]
fn what_does_not_fit_is_a_conflict_with_its_path() {
    let s = |kind| Column::new("s", Kind::Struct(vec![Column::new("x", kind)]));
    let rows = [
        (scalar("a", Int), scalar("a", Text), "field 'a': is of type int in the table and string in the schema"),
        (scalar("a", Long), scalar("a", Double), "field 'a': is of type long in the table and double"),
        (scalar("a", decimal(9, 2)), scalar("a", decimal(9, 3)), "field 'a': is of type decimal(9, 2)"),
        (s(Kind::Scalar(Int)), s(Kind::Scalar(Text)), "field 's.x': is of type int"),
        (s(list(Kind::Scalar(Int))), s(list(Kind::Scalar(Text))), "field 's.x[]': is of type int"),
        (s(list(Kind::Scalar(Int))), s(Kind::Scalar(Int)), "field 's.x': is a list in the table and of type int"),
        (scalar("a", Int), scalar("A", Int), "field 'A': differs from the table's column 'a' only in case"),
        (
            Column::new("m", Kind::Map(Int, Box::new(Kind::Scalar(Int)))),
            Column::new("m", Kind::Map(Long, Box::new(Kind::Scalar(Int)))),
            "field 'm': its map has keys of type int in the table and long in the schema",
        ),
    ];
    for (have, wanted, start) in rows {
        let conflict = merged(std::slice::from_ref(&have), std::slice::from_ref(&wanted)).unwrap_err().to_string();
        assert!(conflict.starts_with(start), "{conflict}");
    }
}

/// Somebody made a column required: records without it may still come.
#[test]
fn source_columns_become_optional_and_ours_stay_required() {
    let table = table_schema(&[scalar("a", Int)]).unwrap();
    let mut fields = table.as_struct().fields().to_vec();
    let mut required = fields[6].as_ref().clone();
    required.required = true;
    fields[6] = Arc::new(required);
    let table = Schema::builder().with_fields(fields).build().unwrap();
    let new = merge(&table, 20, &[scalar("a", Int)]).unwrap().unwrap();
    assert!(!new.field_by_name("a").unwrap().required);
    assert!(new.field_by_name("kafka_offset").unwrap().required);
}
