//! One row per Avro type: its column, or why it has none.

use schema_registry::SchemaType;

use crate::types::tests::mapped;

fn record(fields: &str) -> String {
    format!(r#"{{"type":"record","name":"R","namespace":"n","fields":[{fields}]}}"#)
}

fn field(kind: &str) -> String {
    record(&format!(r#"{{"name":"f","type":{kind}}}"#))
}

#[test]
fn every_type_has_its_column() {
    let rows = [
        (r#""boolean""#, "boolean"),
        (r#""int""#, "int"),
        (r#""long""#, "long"),
        (r#""float""#, "float"),
        (r#""double""#, "double"),
        (r#""bytes""#, "binary"),
        (r#""string""#, "string"),
        (r#"{"type":"fixed","name":"F","size":7}"#, "fixed(7)"),
        (r#"{"type":"enum","name":"E","symbols":["A","B"]}"#, "string"),
        (r#"{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}"#, "decimal(9, 2)"),
        (r#"{"type":"fixed","name":"F","size":16,"logicalType":"decimal","precision":38}"#, "decimal(38, 0)"),
        (r#"{"type":"bytes","logicalType":"decimal","precision":2,"scale":5}"#, "binary"),
        (r#"{"type":"string","logicalType":"uuid"}"#, "uuid"),
        (r#"{"type":"fixed","name":"F","size":16,"logicalType":"uuid"}"#, "uuid"),
        (r#"{"type":"int","logicalType":"date"}"#, "date"),
        (r#"{"type":"int","logicalType":"time-millis"}"#, "string"),
        (r#"{"type":"long","logicalType":"time-micros"}"#, "string"),
        (r#"{"type":"long","logicalType":"timestamp-millis"}"#, "timestamptz"),
        (r#"{"type":"long","logicalType":"timestamp-micros"}"#, "timestamptz"),
        (r#"{"type":"long","logicalType":"timestamp-nanos"}"#, "long"),
        (r#"{"type":"long","logicalType":"local-timestamp-millis"}"#, "timestamp"),
        (r#"{"type":"long","logicalType":"local-timestamp-micros"}"#, "timestamp"),
        (r#"{"type":"long","logicalType":"local-timestamp-nanos"}"#, "long"),
        (r#"{"type":"string","logicalType":"of-a-tool"}"#, "string"),
        (
            r#"{"type":"fixed","name":"F","size":12,"logicalType":"duration"}"#,
            "struct<months: long, days: long, millis: long>",
        ),
        (r#"{"type":"array","items":"long"}"#, "list<long>"),
        (r#"{"type":"map","values":{"type":"array","items":["null","int"]}}"#, "map<string, list<int>>"),
        (r#"{"type":"record","name":"S","fields":[{"name":"x","type":"int"}]}"#, "struct<x: int>"),
        (r#"["null","string"]"#, "string"),
        (r#"["int","null"]"#, "int"),
        (r#"["double"]"#, "double"),
        (
            r#"["null","string",{"type":"long","logicalType":"timestamp-millis"}]"#,
            "struct<string: string, long: timestamptz>",
        ),
        (
            r#"["int",{"type":"record","name":"a.S","fields":[{"name":"x","type":"int"}]},{"type":"array","items":"int"}]"#,
            "struct<int: int, S: struct<x: int>, array: list<int>>",
        ),
        (
            r#"[{"type":"enum","name":"a.S","symbols":["X"]},{"type":"enum","name":"b.S","symbols":["Y"]}]"#,
            "struct<a_S: string, b_S: string>",
        ),
    ];
    for (kind, column) in rows {
        assert_eq!(mapped(SchemaType::Avro, &field(kind)).unwrap(), format!("f: {column}"), "{kind}");
    }
}

#[test]
fn null_fields_have_no_column() {
    let text = record(r#"{"name":"a","type":"null"},{"name":"b","type":"int"},{"name":"c","type":["null"]}"#);
    assert_eq!(mapped(SchemaType::Avro, &text).unwrap(), "b: int");
}

#[test]
fn a_named_type_is_resolved_where_it_is_used_again() {
    let text = record(
        r#"{"name":"a","type":{"type":"fixed","name":"Id","size":16,"logicalType":"uuid"}},
           {"name":"b","type":["null","Id"]},
           {"name":"c","type":{"type":"record","name":"P","fields":[{"name":"x","type":"n.Id"}]}},
           {"name":"d","type":{"type":"array","items":"P"}}"#,
    );
    let wanted = "a: uuid, b: uuid, c: struct<x: uuid>, d: list<struct<x: uuid>>";
    assert_eq!(mapped(SchemaType::Avro, &text).unwrap(), wanted);
}

#[test]
fn what_has_no_column_is_refused_with_its_path() {
    let rows = [
        (field(r#"["null","R"]"#), "field 'f': record 'n.R' contains itself"),
        (
            field(r#"{"type":"array","items":{"type":"record","name":"S","fields":[]}}"#),
            "field 'f[]': a record without",
        ),
        (field(r#"{"type":"array","items":"null"}"#), "field 'f': a list of null"),
        (field(r#"{"type":"map","values":["null"]}"#), "field 'f': a map of null"),
        (field(r#"{"type":"bytes","logicalType":"big-decimal"}"#), "field 'f': a big-decimal"),
        (field(r#"{"type":"bytes","logicalType":"decimal","precision":39}"#), "field 'f': a decimal of 39 digits"),
        (r#""string""#.to_owned(), "the root of an Avro schema must be a record"),
        (record(r#"{"name":"kafka_offset","type":"int"}"#), "field 'kafka_offset': this name belongs"),
        (record(r#"{"name":"Kafka_Key","type":"int"}"#), "field 'Kafka_Key': this name belongs"),
        (record(r#"{"name":"id","type":"int"},{"name":"ID","type":"int"}"#), "field 'ID': differs from field 'id'"),
        (
            field(r#"{"type":"record","name":"S","fields":[{"name":"x","type":"int"},{"name":"X","type":"int"}]}"#),
            "field 'f.X': differs from field 'x' only in case",
        ),
    ];
    for (text, start) in rows {
        let refused = mapped(SchemaType::Avro, &text).unwrap_err().to_string();
        assert!(refused.starts_with(start), "{text}: {refused}");
    }
}

/// Twenty records of two fields of the record before each: a million columns in a kilobyte.
#[test]
fn a_schema_that_unfolds_without_end_is_refused() {
    let mut inner = r#"{"type":"record","name":"R0","fields":[{"name":"x","type":"int"}]}"#.to_owned();
    for level in 1..20 {
        let before = level - 1;
        inner = format!(
            r#"{{"type":"record","name":"R{level}","fields":[{{"name":"a","type":{inner}}},{{"name":"b","type":"R{before}"}}]}}"#
        );
    }
    let refused = mapped(SchemaType::Avro, &inner).unwrap_err();
    assert!(refused.why.contains("more than 10000 fields"), "{refused}");
}
