//! Is each rule of Protobuf's evolution kept, with Confluent's answers?

use super::super::tests::check;
use crate::schema::SchemaType;

fn rows(rows: &[(&str, &str, &str, &str)]) {
    for (what, old, new, expected) in rows {
        let text = |body: &str| format!("syntax = \"proto3\"; {body}");
        check(SchemaType::Protobuf, &[(what, &text(old), &text(new), expected)]);
    }
}

#[test]
fn messages() {
    rows(&[
        ("package changed", "package a; message M {}", "package b; message M {}", "PACKAGE_CHANGED"),
        ("message added", "message M {}", "message M {} message N {}", ""),
        ("message moved", "message M {} message N {}", "message N {} message M {}", ""),
        ("message removed", "message M {} message N {}", "message M {}", "MESSAGE_REMOVED"),
        ("inner message removed", "message M { message N {} }", "message M {}", "MESSAGE_REMOVED"),
        ("enum added", "message M {}", "message M {} enum E { A = 0; }", ""),
        ("enum removed", "message M {} enum E { A = 0; }", "message M {}", ""),
        ("enum values changed", "enum E { A = 0; B = 1; }", "enum E { X = 0; C = 2; }", ""),
    ]);
}

#[test]
fn fields() {
    rows(&[
        ("field added", "message M {}", "message M { int32 a = 1; }", ""),
        ("field removed", "message M { int32 a = 1; }", "message M {}", ""),
        ("field renamed", "message M { int32 a = 1; }", "message M { int32 b = 1; }", ""),
        (
            "field renumbered to another type",
            "message M { int32 a = 1; string b = 2; }",
            "message M { string b = 1; }",
            "FIELD_SCALAR_KIND_CHANGED",
        ),
        (
            "scalar to message",
            "message M { int32 a = 1; } message N {}",
            "message M { N a = 1; } message N {}",
            "FIELD_KIND_CHANGED",
        ),
        (
            "message to another",
            "message M { N a = 1; } message N {} message O {}",
            "message M { O a = 1; } message N {} message O {}",
            "FIELD_NAMED_TYPE_CHANGED",
        ),
        (
            "map to repeated",
            "message M { map<int32, int32> a = 1; }",
            "message M { repeated int32 a = 1; }",
            "FIELD_KIND_CHANGED",
        ),
        (
            "value of a map changed",
            "message M { map<int32, int32> a = 1; }",
            "message M { map<int32, string> a = 1; }",
            "FIELD_SCALAR_KIND_CHANGED",
        ),
        (
            "key of a map widened",
            "message M { map<int32, int32> a = 1; }",
            "message M { map<int64, int32> a = 1; }",
            "",
        ),
        (
            "numeric label changed",
            "message M { repeated int32 a = 1; }",
            "message M { optional int32 a = 1; }",
            "FIELD_NUMERIC_LABEL_CHANGED",
        ),
        ("label of a text changed", "message M { repeated string a = 1; }", "message M { optional string a = 1; }", ""),
        ("optional added", "message M { int32 a = 1; }", "message M { optional int32 a = 1; }", ""),
        (
            "a fault deep inside",
            "message M { N n = 1; } message N { O o = 1; } message O { int32 a = 1; }",
            "message M { N n = 1; } message N { O o = 1; } message O { string a = 1; }",
            "FIELD_SCALAR_KIND_CHANGED",
        ),
        ("recursion", "message M { M m = 1; int32 a = 2; }", "message M { M m = 1; int64 a = 2; }", ""),
    ]);
}

#[test]
fn scalars_change_within_their_group() {
    let groups: [&[&str]; 7] = [
        &["int32", "int64", "uint32", "uint64", "bool", "E"],
        &["sint32", "sint64"],
        &["string", "bytes"],
        &["fixed32", "sfixed32"],
        &["fixed64", "sfixed64"],
        &["float"],
        &["double"],
    ];
    let message = |ty: &str| format!("message M {{ {ty} a = 1; }} enum E {{ A = 0; }}");
    for (index, group) in groups.iter().enumerate() {
        for (other_index, other) in groups.iter().enumerate() {
            let expected = if index == other_index { "" } else { "FIELD_SCALAR_KIND_CHANGED" };
            for (old, new) in group.iter().flat_map(|old| other.iter().map(move |new| (old, new))) {
                rows(&[("scalar", &message(old), &message(new), expected)]);
            }
        }
    }
}

#[test]
fn required() {
    let text = |body: &str| format!("syntax = \"proto2\"; message M {{ {body} }}");
    for (what, old, new, expected) in [
        ("required added", "", "required int32 a = 1;", "REQUIRED_FIELD_ADDED"),
        ("required removed", "required int32 a = 1;", "", "REQUIRED_FIELD_REMOVED"),
        ("required made optional", "required int32 a = 1;", "optional int32 a = 1;", "FIELD_NUMERIC_LABEL_CHANGED"),
        ("required kept", "required int32 a = 1;", "required int64 a = 1;", ""),
    ] {
        check(SchemaType::Protobuf, &[(what, &text(old), &text(new), expected)]);
    }
}

#[test]
fn oneofs() {
    let message = |body: &str| format!("message M {{ {body} }}");
    for (what, old, new, expected) in [
        ("oneof added", "", "oneof o { int32 a = 1; }", ""),
        ("oneof removed whole", "oneof o { int32 a = 1; int32 b = 2; }", "", ""),
        ("member added", "oneof o { int32 a = 1; }", "oneof o { int32 a = 1; int32 b = 2; }", ""),
        ("member removed", "oneof o { int32 a = 1; int32 b = 2; }", "oneof o { int32 a = 1; }", "ONEOF_FIELD_REMOVED"),
        (
            "oneof renamed and member removed",
            "oneof o { int32 a = 1; int32 b = 2; }",
            "oneof p { int32 a = 1; }",
            "ONEOF_FIELD_REMOVED",
        ),
        ("member moved out", "oneof o { int32 a = 1; int32 b = 2; }", "oneof o { int32 a = 1; } int32 b = 2;", ""),
        ("one field moved into a new oneof", "int32 a = 1;", "oneof o { int32 a = 1; int32 b = 2; }", ""),
        (
            "two fields moved into a oneof",
            "int32 a = 1; int32 b = 2;",
            "oneof o { int32 a = 1; int32 b = 2; }",
            "MULTIPLE_FIELDS_MOVED_TO_ONEOF",
        ),
        (
            "a field moved into an old oneof",
            "int32 a = 1; oneof o { int32 b = 2; }",
            "oneof o { int32 a = 1; int32 b = 2; }",
            "FIELD_MOVED_TO_EXISTING_ONEOF",
        ),
        (
            "type of a member changed",
            "oneof o { int32 a = 1; }",
            "oneof o { string a = 1; }",
            "FIELD_SCALAR_KIND_CHANGED",
        ),
    ] {
        rows(&[(what, &message(old), &message(new), expected)]);
    }
}
