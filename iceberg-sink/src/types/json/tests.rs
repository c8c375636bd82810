//! One row per shape of JSON Schema: its column, or why it has none.

use std::sync::Arc;

use schema_registry::{Reference, Schema, SchemaType};

use crate::types::tests::{mapped, schema, show};
use crate::types::{Root, columns};

fn object(property: &str) -> String {
    format!(
        r##"{{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","definitions":{{"P":{{"type":"object","properties":{{"x":{{"type":"integer"}}}}}},
        "Tree":{{"type":"object","properties":{{"sub":{{"type":"array","items":{{"$ref":"#/definitions/Tree"}}}}}}}},
        "a b":{{"$anchor":"here","type":"string"}}}},
        "properties":{{"f":{property}}},"additionalProperties":false}}"##
    )
}

#[test]
fn every_shape_has_its_column() {
    let rows = [
        (r#"{"type":"boolean"}"#, "boolean"),
        (r#"{"type":"integer"}"#, "long"),
        (r#"{"type":"number"}"#, "double"),
        (r#"{"type":"string"}"#, "string"),
        (r#"{"type":"string","format":"date-time"}"#, "timestamptz"),
        (r#"{"type":"string","format":"date"}"#, "date"),
        (r#"{"type":"string","format":"time"}"#, "string"),
        (r#"{"type":"string","format":"email"}"#, "string"),
        (r#"{"type":["null","integer"]}"#, "long"),
        (r#"{"type":["integer","number","null"]}"#, "double"),
        (r#"{"oneOf":[{"type":"null"},{"type":"string"}]}"#, "string"),
        (r##"{"anyOf":[{"$ref":"#/definitions/P"},{"type":"null"}]}"##, "struct<x: long>"),
        (r##"{"allOf":[{"$ref":"#/definitions/P"}]}"##, "struct<x: long>"),
        (r##"{"$ref":"#/definitions/P"}"##, "struct<x: long>"),
        (r##"{"$ref":"#/definitions/a%20b"}"##, "string"),
        (r##"{"$ref":"#here"}"##, "string"),
        (r#"{"type":"array","items":{"type":["null","string"]}}"#, "list<string>"),
        (r##"{"items":{"$ref":"#/definitions/P"}}"##, "list<struct<x: long>>"),
        (r#"{"type":"object","additionalProperties":{"type":"number"}}"#, "map<string, double>"),
        (r#"{"properties":{"a":{"type":"integer"},"b":{"const":"B"}}}"#, "struct<a: long, b: string>"),
        (r#"{"enum":["A","B",null]}"#, "string"),
        (r#"{"enum":[1,2]}"#, "long"),
        (r#"{"enum":[1,2.5]}"#, "double"),
        (r#"{"const":true}"#, "boolean"),
    ];
    for (property, column) in rows {
        assert_eq!(mapped(SchemaType::Json, &object(property)).unwrap(), format!("f: {column}"), "{property}");
    }
}

#[test]
fn a_reference_leads_to_another_schema_and_back_into_it() {
    let other = schema(
        SchemaType::Json,
        r##"{"definitions":{"Z":{"type":"integer"}},"type":"object","properties":{"z":{"$ref":"#/definitions/Z"}}}"##,
    );
    let reference = Reference { name: "other.json".into(), subject: "other".into(), version: 1 };
    let text =
        r##"{"type":"object","properties":{"a":{"$ref":"other.json"},"b":{"$ref":"other.json#/definitions/Z"}}}"##;
    let schema = Schema::parse(SchemaType::Json, text, &[(reference, Arc::clone(&other))]).unwrap();
    assert_eq!(show(&columns(&schema, Root::First).unwrap()), "a: struct<z: long>, b: long");
}

/// Since draft 2019-09 a reference adds to what stands beside it; before, it was the only thing that counted.
#[test]
fn a_shape_beside_a_reference_is_refused_where_it_counts() {
    let beside = |sibling: &str| format!(r##"{{"$ref":"#/definitions/P",{sibling}}}"##);
    for sibling in [
        r#""properties":{"y":{"type":"string"}}"#,
        r#""items":{"type":"string"}"#,
        r#""additionalProperties":{"type":"string"}"#,
        r#""unevaluatedProperties":{"type":"string"}"#,
        r#""allOf":[{"properties":{"y":{"type":"string"}}}]"#,
        r#""patternProperties":{"^y":{"type":"string"}}"#,
    ] {
        let keyword = sibling.split('"').nth(1).unwrap();
        let text = object(&beside(sibling));
        for draft in ["draft/2019-09", "draft/2020-12"] {
            let text = text.replace("draft/2020-12", draft);
            let refused = mapped(SchemaType::Json, &text).unwrap_err().to_string();
            assert!(refused.starts_with(&format!("field 'f': '{keyword}' beside '$ref'")), "{draft}: {refused}");
        }
        let text =
            text.replace("https://json-schema.org/draft/2020-12/schema", "http://json-schema.org/draft-07/schema#");
        assert_eq!(mapped(SchemaType::Json, &text).unwrap(), "f: struct<x: long>", "{keyword}");
    }
    for sibling in
        [r#""description":"d""#, r#""type":"object""#, r#""required":["x"]"#, r#""unevaluatedProperties":false"#]
    {
        assert_eq!(mapped(SchemaType::Json, &object(&beside(sibling))).unwrap(), "f: struct<x: long>", "{sibling}");
    }
    let root = r##"{"$schema":"https://json-schema.org/draft/2020-12/schema","$defs":{"P":{"properties":{"x":{"type":
        "integer"}}}},"$ref":"#/$defs/P","properties":{"y":{"type":"string"}}}"##;
    assert!(mapped(SchemaType::Json, root).unwrap_err().to_string().starts_with("'properties' beside '$ref'"));
}

#[test]
fn what_has_no_column_is_refused_with_its_path() {
    let rows = [
        ("true", "field 'f': any value is allowed"),
        ("{}", "field 'f': any value is allowed"),
        (r#"{"type":"null"}"#, "field 'f': only null"),
        (r#"{"type":["string","integer"]}"#, "field 'f': a value of several types (string, integer)"),
        (r#"{"type":"array"}"#, "field 'f': an array needs 'items'"),
        (r#"{"type":"array","prefixItems":[{"type":"string"}]}"#, "field 'f': 'prefixItems' can change"),
        (r#"{"type":"array","items":{"type":"object"}}"#, "field 'f[]': an object needs 'properties'"),
        (r#"{"type":"object","additionalProperties":true}"#, "field 'f': an object needs 'properties'"),
        (r#"{"properties":{"a":{"type":"string"}},"additionalProperties":true}"#, "field 'f': an object with 'prop"),
        (r#"{"type":"string","if":{"const":"a"}}"#, "field 'f': 'if' can change"),
        (r#"{"patternProperties":{"^a":{"type":"string"}}}"#, "field 'f': 'patternProperties' can change"),
        (r#"{"anyOf":[{"type":"string"},{"type":"integer"}]}"#, "field 'f': 'anyOf' is only understood with one"),
        (r#"{"oneOf":[{"type":"string"},{"type":"integer"},{"type":"null"}]}"#, "field 'f': 'oneOf' is only"),
        (r#"{"enum":["a",1]}"#, "field 'f': an enum must hold"),
        (r##"{"$ref":"#/definitions/Tree"}"##, "field 'f.sub[]': the schema contains itself"),
    ];
    for (property, start) in rows {
        let refused = mapped(SchemaType::Json, &object(property)).unwrap_err().to_string();
        assert!(refused.starts_with(start), "{property}: {refused}");
    }
    for (root, start) in [
        (r#"{"type":"array","items":{"type":"string"}}"#, "the root of a JSON Schema must be an object"),
        (
            r#"{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"f":{"items":[{"type":"string"}]}}}"#,
            "field 'f': 'items' lists one schema per position",
        ),
        (r#"{"properties":{"kafka_headers":{"type":"string"}}}"#, "field 'kafka_headers': this name"),
        (r#"{"properties":{"a":{"type":"string"},"A":{"type":"string"}}}"#, "field 'A': differs from field 'a'"),
        (r#"{"properties":{"":{"type":"string"}}}"#, "a field without a name"),
    ] {
        let refused = mapped(SchemaType::Json, root).unwrap_err().to_string();
        assert!(refused.starts_with(start), "{root}: {refused}");
    }
}
