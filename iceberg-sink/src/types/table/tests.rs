//! The schemas that tables begin with, ids included.

use iceberg::spec::TableMetadata;
use model::limits::COLUMN_NESTING_MAX;

use super::*;

#[test]
fn the_mode_without_schemas_has_one_column_behind_the_coordinates() {
    let shown: Vec<String> = key_value_schema().as_struct().fields().iter().map(|field| field.to_string()).collect();
    let wanted = [
        "1: kafka_partition: required int ",
        "2: kafka_offset: required long ",
        "3: kafka_timestamp: required timestamptz ",
        "4: kafka_timestamp_type: required int ",
        "5: kafka_key: optional binary ",
        "6: kafka_headers: optional list ",
        "7: value: optional binary ",
    ];
    assert_eq!(shown, wanted);
    let headers = key_value_schema();
    let ids = ["kafka_headers.element", "kafka_headers.element.key", "kafka_headers.element.value"];
    assert_eq!(ids.map(|name| headers.field_id_by_name(name)), [Some(8), Some(9), Some(10)]);
    assert_eq!(dead_letter_schema().field_id_by_name("cause"), Some(8));
}

#[test]
fn ids_are_those_that_a_catalog_would_assign() {
    let point = Kind::Struct(vec![
        Column::new("x", Kind::Scalar(PrimitiveType::Int)),
        Column::new("tags", Kind::Map(PrimitiveType::String, Box::new(Kind::Scalar(PrimitiveType::Int)))),
    ]);
    let columns =
        [Column::new("points", Kind::List(Box::new(point))), Column::new("last", Kind::Scalar(PrimitiveType::Date))];
    let ours = table_schema(&columns).unwrap();
    assert_eq!(metadata(&ours).current_schema().as_struct(), ours.as_struct());
}

fn metadata(schema: &Schema) -> TableMetadata {
    let builder = Schema::builder().with_fields(schema.as_struct().fields().to_vec());
    let made = iceberg::spec::TableMetadataBuilder::new(
        builder.build().unwrap(),
        iceberg::spec::PartitionSpec::unpartition_spec(),
        iceberg::spec::SortOrder::unsorted_order(),
        "file:///t".into(),
        iceberg::spec::FormatVersion::V2,
        std::collections::HashMap::new(),
    );
    made.unwrap().build().unwrap().metadata
}

/// A table that is written and never read again would be lost. Readers wrap its metadata in an answer of the catalog.
#[test]
fn the_deepest_columns_can_be_read_again() {
    type Wrap = fn(Kind) -> Kind;
    let wraps: [Wrap; 3] = [
        |kind| Kind::Struct(vec![Column::new("f", kind)]),
        |kind| Kind::List(Box::new(kind)),
        |kind| Kind::Map(PrimitiveType::String, Box::new(kind)),
    ];
    for wrap in wraps {
        let deepest = (1..COLUMN_NESTING_MAX).fold(Kind::Scalar(PrimitiveType::Int), |kind, _| wrap(kind));
        assert!(table_schema(&[Column::new("c", wrap(deepest.clone()))]).is_err());
        let written = metadata(&table_schema(&[Column::new("c", deepest)]).unwrap());
        let text = serde_json::json!({"updates": [{"answer": {"metadata": written}}]}).to_string();
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        let read = serde_json::from_str(&read["updates"][0]["answer"]["metadata"].to_string());
        assert_eq!(written, read.unwrap());
    }
}

/// Iceberg names nested columns with dots: two ways to one name would stop the table.
#[test]
fn two_columns_of_one_dotted_name_are_refused() {
    let int = || Kind::Scalar(PrimitiveType::Int);
    let rows = [
        vec![Column::new("a.b", int()), Column::new("a", Kind::Struct(vec![Column::new("b", int())]))],
        vec![Column::new("l.element", int()), Column::new("l", Kind::List(Box::new(int())))],
        vec![Column::new("kafka_headers.element", int())],
    ];
    for columns in rows {
        let refused = table_schema(&columns).unwrap_err().to_string();
        assert!(refused.contains(&columns[0].name) && refused.contains("with dots"), "{refused}");
    }
    assert!(table_schema(&[Column::new("a.b", int())]).is_ok());
}
