//! One row per Protobuf type: its column, or why it has none.

use schema_registry::SchemaType;

use crate::types::tests::{mapped, schema, show};
use crate::types::{Root, columns};

const IMPORTS: &str = r#"import "google/protobuf/timestamp.proto"; import "google/protobuf/duration.proto";
    import "google/protobuf/wrappers.proto"; import "google/protobuf/struct.proto"; import "google/protobuf/empty.proto";
    import "google/protobuf/any.proto"; import "google/protobuf/field_mask.proto";"#;

fn message(body: &str) -> String {
    format!(r#"syntax = "proto3"; package p; {IMPORTS} message M {{ {body} }} enum E {{ A = 0; B = 1; }}"#)
}

#[test]
fn every_type_has_its_column() {
    let rows = [
        ("double f = 1;", "double"),
        ("float f = 1;", "float"),
        ("int32 f = 1;", "int"),
        ("sint32 f = 1;", "int"),
        ("sfixed32 f = 1;", "int"),
        ("int64 f = 1;", "long"),
        ("sint64 f = 1;", "long"),
        ("sfixed64 f = 1;", "long"),
        ("uint32 f = 1;", "long"),
        ("fixed32 f = 1;", "long"),
        ("uint64 f = 1;", "decimal(20, 0)"),
        ("fixed64 f = 1;", "decimal(20, 0)"),
        ("bool f = 1;", "boolean"),
        ("string f = 1;", "string"),
        ("bytes f = 1;", "binary"),
        ("E f = 1;", "string"),
        ("optional int32 f = 1;", "int"),
        ("repeated string f = 1;", "list<string>"),
        ("map<uint32, bytes> f = 1;", "map<long, binary>"),
        ("map<string, E> f = 1;", "map<string, string>"),
        ("message S { int32 x = 1; } repeated S f = 1;", "list<struct<x: int>>"),
        ("google.protobuf.Timestamp f = 1;", "timestamptz"),
        ("google.protobuf.Duration f = 1;", "struct<seconds: long, nanos: int>"),
        ("google.protobuf.UInt64Value f = 1;", "decimal(20, 0)"),
        ("google.protobuf.StringValue f = 1;", "string"),
        ("google.protobuf.BoolValue f = 1;", "boolean"),
        ("google.protobuf.Struct f = 1;", "string"),
        ("repeated google.protobuf.Value f = 1;", "list<string>"),
        ("google.protobuf.ListValue f = 1;", "string"),
        ("google.protobuf.Any f = 1;", "struct<type_url: string, value: binary>"),
        ("google.protobuf.FieldMask f = 1;", "struct<paths: list<string>>"),
    ];
    for (body, column) in rows {
        assert_eq!(mapped(SchemaType::Protobuf, &message(body)).unwrap(), format!("f: {column}"), "{body}");
    }
}

#[test]
fn members_of_a_oneof_are_siblings_in_the_order_of_the_text() {
    let text = message("int32 z = 9; oneof o { string b = 3; int64 a = 2; } bool c = 1;");
    assert_eq!(mapped(SchemaType::Protobuf, &text).unwrap(), "z: int, b: string, a: long, c: boolean");
}

#[test]
fn the_message_is_chosen_by_indexes_or_name() {
    let text = r#"syntax = "proto3"; package p; message A { int32 a = 1; message B { int32 b = 1; } } message C { int32 c = 1; }"#;
    let schema = schema(SchemaType::Protobuf, text);
    let rows = [
        (Root::First, "a: int"),
        (Root::Indexes(&[]), "a: int"),
        (Root::Indexes(&[1]), "c: int"),
        (Root::Indexes(&[0, 0]), "b: int"),
        (Root::Named("p.A.B"), "b: int"),
    ];
    for (root, wanted) in rows {
        assert_eq!(show(&columns(&schema, root).unwrap()), wanted);
    }
    assert!(columns(&schema, Root::Indexes(&[2])).unwrap_err().why.contains("no message at indexes [2]"));
    assert!(columns(&schema, Root::Named("p.D")).unwrap_err().why.contains("no message 'p.D'"));
}

#[test]
fn what_has_no_column_is_refused_with_its_path() {
    let rows = [
        (message("M f = 1;"), "field 'f': message 'p.M' contains itself"),
        (message("message S { map<string, M> m = 1; } S f = 1;"), "field 'f.m{}': message 'p.M' contains itself"),
        (message("google.protobuf.Empty f = 1;"), "field 'f': a record without fields"),
        (message("int32 kafka_timestamp = 1;"), "field 'kafka_timestamp': this name belongs"),
        (r#"syntax = "proto2"; message M { repeated group G = 1 { optional int32 x = 1; } }"#.into(), "field 'g': groups"),
        (
            r#"syntax = "proto2"; message M { optional int32 a = 1; extensions 5 to 9; } extend M { optional int32 e = 5; }"#
                .into(),
            "message 'M' has an extension, 'e'",
        ),
    ];
    for (text, start) in rows {
        let refused = mapped(SchemaType::Protobuf, &text).unwrap_err().to_string();
        assert!(refused.starts_with(start), "{text}: {refused}");
    }
}
