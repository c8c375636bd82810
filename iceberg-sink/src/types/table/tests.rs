//! The schemas that tables begin with, ids included.

use iceberg::spec::PrimitiveType;

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
    let builder = Schema::builder().with_fields(ours.as_struct().fields().to_vec());
    let again = iceberg::spec::TableMetadataBuilder::new(
        builder.build().unwrap(),
        iceberg::spec::PartitionSpec::unpartition_spec(),
        iceberg::spec::SortOrder::unsorted_order(),
        "file:///t".into(),
        iceberg::spec::FormatVersion::V2,
        std::collections::HashMap::new(),
    );
    let assigned = again.unwrap().build().unwrap().metadata;
    assert_eq!(assigned.current_schema().as_struct(), ours.as_struct());
}
