//! Is each rule of Avro's schema resolution kept?

use super::super::tests::check;
use crate::schema::SchemaType;

/// A record of these fields.
fn record(fields: &str) -> String {
    format!(r#"{{"type":"record","name":"n.R","fields":[{fields}]}}"#)
}

fn rows(rows: &[(&str, &str, &str, &str)]) {
    check(SchemaType::Avro, rows);
}

fn field_rows(fields: &[(&str, &str, &str, &str)]) {
    for (what, old, new, expected) in fields {
        check(SchemaType::Avro, &[(what, &record(old), &record(new), expected)]);
    }
}

#[test]
fn primitives() {
    let names = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"];
    let promoted = [
        "int>long",
        "int>float",
        "int>double",
        "long>float",
        "long>double",
        "float>double",
        "bytes>string",
        "string>bytes",
    ];
    for old in names {
        for new in names {
            let fits = old == new || promoted.contains(&format!("{old}>{new}").as_str());
            let expected = if fits { "" } else { "TYPE_MISMATCH" };
            rows(&[("primitive", &format!("\"{old}\""), &format!("\"{new}\""), expected)]);
        }
    }
}

#[test]
fn fields() {
    field_rows(&[
        ("field removed", r#"{"name":"a","type":"int"}"#, "", ""),
        ("field added with default", "", r#"{"name":"a","type":"int","default":1}"#, ""),
        ("null is a default", "", r#"{"name":"a","type":["null","int"],"default":null}"#, ""),
        ("field added without default", "", r#"{"name":"a","type":"int"}"#, "READER_FIELD_MISSING_DEFAULT_VALUE"),
        (
            "alias names the old field",
            r#"{"name":"a","type":"int"}"#,
            r#"{"name":"b","type":"int","aliases":["a"]}"#,
            "",
        ),
        (
            "rename without alias",
            r#"{"name":"a","type":"int"}"#,
            r#"{"name":"b","type":"int"}"#,
            "READER_FIELD_MISSING_DEFAULT_VALUE",
        ),
        (
            "alias with another type",
            r#"{"name":"a","type":"string"}"#,
            r#"{"name":"b","type":"int","aliases":["a"]}"#,
            "TYPE_MISMATCH",
        ),
        ("type promoted", r#"{"name":"a","type":"int"}"#, r#"{"name":"a","type":"long"}"#, ""),
        ("type narrowed", r#"{"name":"a","type":"long"}"#, r#"{"name":"a","type":"int"}"#, "TYPE_MISMATCH"),
        (
            "logical type ignored",
            r#"{"name":"a","type":"int"}"#,
            r#"{"name":"a","type":{"type":"int","logicalType":"date"}}"#,
            "",
        ),
        ("made optional", r#"{"name":"a","type":"int"}"#, r#"{"name":"a","type":["null","int"]}"#, ""),
        ("made required", r#"{"name":"a","type":["null","int"]}"#, r#"{"name":"a","type":"int"}"#, "TYPE_MISMATCH"),
    ]);
}

#[test]
fn unions() {
    rows(&[
        ("branch added", r#"["int"]"#, r#"["int","string"]"#, ""),
        ("branch removed", r#"["int","string"]"#, r#"["int"]"#, "MISSING_UNION_BRANCH"),
        (
            "branch removed from a larger union",
            r#"["int","null","string"]"#,
            r#"["int","null"]"#,
            "MISSING_UNION_BRANCH",
        ),
        ("branches reordered", r#"["int","string"]"#, r#"["string","int"]"#, ""),
        ("branch promoted", r#"["int","null"]"#, r#"["null","long"]"#, ""),
        ("union of one unwraps", r#"["int"]"#, r#""int""#, ""),
        ("union of one wraps", r#""int""#, r#"["int"]"#, ""),
        ("all branches of the writer must fit", r#"["int","long"]"#, r#""long""#, ""),
        ("one branch of the writer does not fit", r#"["int","string"]"#, r#""long""#, "TYPE_MISMATCH"),
    ]);
}

#[test]
fn named_types() {
    let enumeration = |name: &str, symbols: &str, more: &str| {
        format!(r#"{{"type":"enum","name":"{name}","symbols":[{symbols}]{more}}}"#)
    };
    let fixed = |name: &str, size: u32| format!(r#"{{"type":"fixed","name":"{name}","size":{size}}}"#);
    rows(&[
        ("symbol added", &enumeration("E", "\"A\"", ""), &enumeration("E", "\"A\",\"B\"", ""), ""),
        (
            "symbol removed",
            &enumeration("E", "\"A\",\"B\"", ""),
            &enumeration("E", "\"A\"", ""),
            "MISSING_ENUM_SYMBOLS",
        ),
        ("default rescues", &enumeration("E", "\"A\",\"B\"", ""), &enumeration("E", "\"A\"", r#","default":"A""#), ""),
        ("enum renamed", &enumeration("E", "\"A\"", ""), &enumeration("F", "\"A\"", ""), "NAME_MISMATCH"),
        ("enum alias", &enumeration("E", "\"A\"", ""), &enumeration("F", "\"A\"", r#","aliases":["E"]"#), ""),
        ("namespace ignored", &enumeration("a.E", "\"A\"", ""), &enumeration("b.E", "\"A\"", ""), ""),
        ("fixed of another size", &fixed("F", 1), &fixed("F", 2), "FIXED_SIZE_MISMATCH"),
        ("fixed renamed", &fixed("F", 1), &fixed("G", 1), "NAME_MISMATCH"),
        ("fixed is not bytes", &fixed("F", 1), "\"bytes\"", "TYPE_MISMATCH"),
        ("enum is not string", &enumeration("E", "\"A\"", ""), "\"string\"", "TYPE_MISMATCH"),
        (
            "record renamed",
            r#"{"type":"record","name":"R","fields":[]}"#,
            r#"{"type":"record","name":"S","fields":[]}"#,
            "NAME_MISMATCH",
        ),
    ]);
}

#[test]
fn containers() {
    rows(&[
        ("items promoted", r#"{"type":"array","items":"int"}"#, r#"{"type":"array","items":"long"}"#, ""),
        ("items changed", r#"{"type":"array","items":"int"}"#, r#"{"type":"array","items":"string"}"#, "TYPE_MISMATCH"),
        ("values promoted", r#"{"type":"map","values":"int"}"#, r#"{"type":"map","values":"long"}"#, ""),
        ("values changed", r#"{"type":"map","values":"int"}"#, r#"{"type":"map","values":"null"}"#, "TYPE_MISMATCH"),
        ("array to map", r#"{"type":"array","items":"int"}"#, r#"{"type":"map","values":"int"}"#, "TYPE_MISMATCH"),
    ]);
}

#[test]
fn recursion() {
    let list = |ty: &str| {
        record(&format!(r#"{{"name":"v","type":"{ty}"}},{{"name":"next","type":["null","R"],"default":null}}"#))
    };
    rows(&[
        ("recursive record promoted", &list("int"), &list("long"), ""),
        ("recursive record narrowed", &list("long"), &list("int"), "TYPE_MISMATCH"),
    ]);
    // A reference and an inline definition mean the same.
    let inline = r#"{"name":"a","type":{"type":"record","name":"I","fields":[]}},{"name":"b","type":{"type":"record","name":"o.I","fields":[]}}"#;
    let named = r#"{"name":"a","type":{"type":"record","name":"I","fields":[]}},{"name":"b","type":"I"}"#;
    rows(&[
        ("by name after inline", &record(inline), &record(named), ""),
        ("inline after by name", &record(named), &record(inline), ""),
    ]);
}
