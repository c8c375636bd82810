//! Are JSON Schemas compiled with their references, and with nothing else?

use std::sync::Arc;

use serde_json::json;

use super::super::tests::{parse, reference};
use super::super::{Parsed, Schema, SchemaType};
use super::JsonSchema;

fn json(schema: &Schema) -> &JsonSchema {
    match &schema.parsed {
        Parsed::Json(json) => json,
        other => panic!("{other:?}"),
    }
}

#[test]
fn references_by_uri_and_by_file_name() {
    let item = Arc::new(parse(SchemaType::Json, r#"{"type":"integer"}"#).expect("valid"));
    let list = Arc::new(
        Schema::parse(SchemaType::Json, r#"{"items":{"$ref":"item.json"}}"#, &[reference("item.json", &item)])
            .expect("valid"),
    );
    for name in ["list.json", "https://example.com/list.json", "./list.json"] {
        let text = json!({"properties": {"a": {"$ref": name}}}).to_string();
        let schema = Schema::parse(SchemaType::Json, &text, &[reference(name, &list)]);
        let schema = schema.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(json(&schema).validator().is_valid(&json!({"a": [1]})), "{name}");
        assert!(!json(&schema).validator().is_valid(&json!({"a": ["x"]})), "{name}");
    }
}

#[test]
fn recursion_through_the_value_is_fine() {
    let text = r##"{"$id":"https://example.com/tree","properties":{"child":{"$ref":"#"}},"required":["name"]}"##;
    let schema = parse(SchemaType::Json, text).expect("valid");
    assert!(json(&schema).validator().is_valid(&json!({"name": 1, "child": {"name": 2}})));
    assert!(!json(&schema).validator().is_valid(&json!({"name": 1, "child": {"child": {}}})));
}

#[test]
fn drafts() {
    for (draft, text) in [
        ("http://json-schema.org/draft-04/schema#", r#"{"minimum":1,"exclusiveMinimum":true}"#),
        ("http://json-schema.org/draft-06/schema#", r#"{"exclusiveMinimum":1}"#),
        ("http://json-schema.org/draft-07/schema#", r#"{"exclusiveMinimum":1,"if":true}"#),
        ("https://json-schema.org/draft/2019-09/schema", r#"{"exclusiveMinimum":1,"$defs":{}}"#),
        ("https://json-schema.org/draft/2020-12/schema", r#"{"exclusiveMinimum":1,"prefixItems":[{}]}"#),
    ] {
        let text = text.replacen('{', &format!(r#"{{"$schema":"{draft}","#), 1);
        let schema = parse(SchemaType::Json, &text).unwrap_or_else(|error| panic!("{draft}: {error}"));
        assert!(!json(&schema).validator().is_valid(&json!(1)), "{draft}");
        assert!(json(&schema).validator().is_valid(&json!(2)), "{draft}");
    }
}

#[test]
fn a_web_of_properties_compiles_quickly() {
    let definitions: Vec<String> = (0..40)
        .map(|level| {
            let next = format!(r##"{{"$ref":"#/definitions/d{}"}}"##, level + 1);
            format!(r#""d{level}":{{"properties":{{"a":{next},"b":{next}}}}}"#)
        })
        .collect();
    let text = format!(r##"{{"$ref":"#/definitions/d0","definitions":{{{},"d40":{{}}}}}}"##, definitions.join(","));
    let start = std::time::Instant::now();
    let parsed = parse(SchemaType::Json, &text);
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
    parsed.expect("valid");
}

#[test]
fn normalized_sorts_keys() {
    let schema = parse(SchemaType::Json, r#"{"type":"object","properties":{"b":{},"a":{}}}"#).expect("valid");
    assert_eq!(schema.text, r#"{"type":"object","properties":{"b":{},"a":{}}}"#);
    assert_eq!(schema.normalized(), r#"{"properties":{"a":{},"b":{}},"type":"object"}"#);
}
