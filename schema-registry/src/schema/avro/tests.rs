//! Are Avro schemas understood as Avro's own tools understand them?

use std::sync::Arc;

use super::super::tests::{parse, reference};
use super::super::{Parsed, Schema, SchemaType};

fn avro(schema: &Schema) -> &super::AvroSchema {
    match &schema.parsed {
        Parsed::Avro(avro) => avro,
        other => panic!("{other:?}"),
    }
}

#[test]
fn printed_as_javas_tools_print() {
    let rows = [
        (r#" {"type" : "string"} "#, r#""string""#),
        (
            r#"{"fields":[{"default":null,"type":["null","int"],"name":"a"}],"name":"a.b.C","doc":"d","type":"record"}"#,
            r#"{"type":"record","name":"C","namespace":"a.b","doc":"d","fields":[{"name":"a","type":["null","int"],"default":null}]}"#,
        ),
        (
            r#"{"type":"record","name":"R","namespace":"n","fields":[{"name":"e","type":{"type":"enum","name":"E","symbols":["A"],"default":"A"}},{"name":"f","type":"n.E"},{"name":"r","type":["null","R"]}]}"#,
            r#"{"type":"record","name":"R","namespace":"n","fields":[{"name":"e","type":{"type":"enum","name":"E","symbols":["A"],"default":"A"}},{"name":"f","type":"E"},{"name":"r","type":["null","R"]}]}"#,
        ),
        (
            r#"{"type":"array","items":{"logicalType":"date","type":"int"},"x":1}"#,
            r#"{"type":"array","items":{"type":"int","logicalType":"date"},"x":1}"#,
        ),
    ];
    for (text, expected) in rows {
        assert_eq!(parse(SchemaType::Avro, text).expect(text).text, expected);
    }
}

#[test]
fn names_of_references_are_known() {
    let inner = r#"{"type":"record","name":"p.Inner","fields":[{"name":"k","type":{"type":"enum","name":"K","symbols":["A"]}}]}"#;
    let inner = Arc::new(parse(SchemaType::Avro, inner).expect("valid"));
    let middle =
        r#"{"type":"record","name":"p.Middle","fields":[{"name":"i","type":"p.Inner"},{"name":"k","type":"K"}]}"#;
    let middle = Arc::new(Schema::parse(SchemaType::Avro, middle, &[reference("p.Inner", &inner)]).expect("valid"));
    let outer =
        r#"{"type":"record","name":"q.Outer","fields":[{"name":"m","type":"p.Middle"},{"name":"i","type":"p.Inner"}]}"#;
    let references = [reference("p.Middle", &middle), reference("p.Inner", &inner)];
    let outer = Schema::parse(SchemaType::Avro, outer, &references).expect("valid");
    assert!(outer.text.contains(r#""type":"p.Middle""#), "references stay names: {}", outer.text);
    let mut names: Vec<String> = avro(&outer).names.keys().map(|name| name.fullname(None)).collect();
    names.sort();
    assert_eq!(names, ["p.Inner", "p.K", "p.Middle", "q.Outer"]);
    // The root can be used by itself to read values.
    apache_avro::schema::ResolvedSchema::try_from(&avro(&outer).root).expect("complete");
    let error = parse(SchemaType::Avro, r#"{"type":"record","name":"R","fields":[{"name":"m","type":"p.Middle"}]}"#);
    assert!(error.expect_err("refused").to_string().contains("\"p.Middle\" is not a defined name"));
}

#[test]
fn faults_have_sentences() {
    let rows = [
        ("nonsense", "not JSON"),
        ("{}", "no \"type\""),
        (r#"{"type":"nope"}"#, "not a defined name"),
        (r#"["int","int"]"#, "twice"),
        (r#"[["int"],"string"]"#, "another union"),
        (r#"{"type":"enum","name":"E","symbols":["A","A"]}"#, "twice"),
        (r#"{"type":"enum","name":"E","symbols":["A"],"default":"B"}"#, "not in the symbols"),
        (r#"{"type":"fixed","name":"F","size":-1}"#, "size"),
        (r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int","default":"x"}]}"#, "default of field R.a"),
        (r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]}"#, "twice"),
        (r#"{"type":"record","name":"R","fields":[{"name":"a","type":"array","items":"int"}]}"#, "whole type"),
        (
            r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"record","name":"R","fields":[]}}]}"#,
            "defined twice",
        ),
    ];
    for (text, part) in rows {
        let error = parse(SchemaType::Avro, text).expect_err(text).to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn valid_defaults_survive() {
    let text = r#"{"type":"record","name":"R","fields":[
        {"name":"b","type":"bytes","default":"\u00ff"},
        {"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":4,"scale":2},"default":"\u0001"},
        {"name":"f","type":{"type":"fixed","name":"F","size":2},"default":"\u0000\u00ff"},
        {"name":"u","type":["null","string"],"default":"x"},
        {"name":"r","type":["null","R"],"default":null}]}"#;
    let schema = parse(SchemaType::Avro, text).expect("valid");
    let apache_avro::Schema::Record(record) = &avro(&schema).root else { panic!("a record") };
    assert!(record.fields.iter().all(|field| field.default.is_some()));
}

#[test]
fn logical_types_of_fixed_can_be_used_twice() {
    let text = r#"{"type":"record","name":"R","fields":[
        {"name":"a","type":{"type":"fixed","name":"D","size":8,"logicalType":"decimal","precision":10,"scale":2}},
        {"name":"b","type":"D"},
        {"name":"c","type":{"type":"fixed","name":"U","size":16,"logicalType":"uuid"}},
        {"name":"d","type":"U"},
        {"name":"e","type":{"type":"fixed","name":"W","size":9,"logicalType":"duration"}},
        {"name":"f","type":"W"},
        {"name":"g","type":"int","logicalType":"date"}]}"#;
    let schema = parse(SchemaType::Avro, text).expect("valid");
    let root = &avro(&schema).root;
    let apache_avro::Schema::Record(record) = root else { panic!("a record") };
    assert!(matches!(record.fields[0].schema, apache_avro::Schema::Decimal(_)));
    assert!(matches!(record.fields[1].schema, apache_avro::Schema::Decimal(_)));
    assert!(matches!(record.fields[6].schema, apache_avro::Schema::Int), "a logical type belongs to the type");
    apache_avro::schema::ResolvedSchema::try_from(root).expect("complete");
}

#[test]
fn types_without_a_namespace_inside_one() {
    let inner = Arc::new(parse(SchemaType::Avro, r#"{"type":"fixed","name":"Inner","size":2}"#).expect("valid"));
    let text = r#"{"type":"record","name":"n.R","fields":[{"name":"a","type":"Inner"},{"name":"b","type":"Inner","default":"xy"}]}"#;
    let schema = Schema::parse(SchemaType::Avro, text, &[reference("Inner", &inner)]).expect("valid");
    apache_avro::schema::ResolvedSchema::try_from(&avro(&schema).root).expect("complete");
    let apache_avro::Schema::Record(record) = &avro(&schema).root else { panic!("a record") };
    assert!(record.fields[1].default.is_some());
    assert_eq!(schema.record_name(&[]).as_deref(), Some("n.R"));
    let bare = r#"{"type":"record","name":"B","fields":[{"name":"a","type":{"type":"record","name":"n.R","fields":[{"name":"b","type":["null","B"]}]}}]}"#;
    let schema = parse(SchemaType::Avro, bare).expect("valid");
    assert_eq!(
        schema.text,
        r#"{"type":"record","name":"B","fields":[{"name":"a","type":{"type":"record","name":"R","namespace":"n","fields":[{"name":"b","type":["null","B"]}]}}]}"#
    );
}
