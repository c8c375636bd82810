//! Is each rule of JSON Schema's evolution kept, with Confluent's answers?

use super::super::tests::check;
use crate::schema::SchemaType;

fn rows(rows: &[(&str, &str, &str, &str)]) {
    check(SchemaType::Json, rows);
}

#[test]
fn types() {
    rows(&[
        ("same", r#"{"type":"string"}"#, r#"{"type":"string"}"#, ""),
        ("texts about the schema", r#"{"title":"a","description":"b"}"#, r#"{"title":"c","default":1}"#, ""),
        ("anything takes all", r#"{"type":"string"}"#, "{}", ""),
        ("true takes all", r#"{"type":"string"}"#, "true", ""),
        ("nothing is taken by all", "false", r#"{"type":"string"}"#, ""),
        ("restricted at all", "{}", r#"{"type":"string"}"#, "TYPE_CHANGED"),
        ("changed", r#"{"type":"string"}"#, r#"{"type":"integer"}"#, "TYPE_CHANGED"),
        ("integer to number", r#"{"type":"integer"}"#, r#"{"type":"number"}"#, ""),
        ("number to integer", r#"{"type":"number"}"#, r#"{"type":"integer"}"#, "TYPE_NARROWED"),
        ("type added to a list", r#"{"type":"string"}"#, r#"{"type":["null","string"]}"#, ""),
        ("type removed from a list", r#"{"type":["null","string"]}"#, r#"{"type":"string"}"#, "TYPE_CHANGED"),
        (
            "list shortened",
            r#"{"type":["null","string","integer"]}"#,
            r#"{"type":["null","string"]}"#,
            "SUM_TYPE_NARROWED",
        ),
        ("boolean", r#"{"type":"boolean"}"#, r#"{"type":"boolean"}"#, ""),
    ]);
}

#[test]
fn bounds() {
    for (keyword, name) in [
        ("maxLength", "string"),
        ("maximum", "number"),
        ("exclusiveMaximum", "number"),
        ("maxProperties", "object"),
        ("maxItems", "array"),
        ("minLength", "string"),
        ("minimum", "number"),
        ("exclusiveMinimum", "number"),
        ("minProperties", "object"),
        ("minItems", "array"),
    ] {
        let schema = |bound: i32| format!(r#"{{"type":"{name}","{keyword}":{bound}}}"#);
        let free = format!(r#"{{"type":"{name}"}}"#);
        let (wide, narrow) = if keyword.to_lowercase().contains("max") { (5, 4) } else { (4, 5) };
        let upper = keyword.chars().fold(String::new(), |text, c| {
            if c.is_uppercase() { format!("{text}_{c}") } else { format!("{text}{}", c.to_ascii_uppercase()) }
        });
        let worse = if keyword.to_lowercase().contains("max") { "DECREASED" } else { "INCREASED" };
        rows(&[
            (keyword, &schema(narrow), &schema(wide), ""),
            (keyword, &schema(wide), &schema(narrow), &format!("{upper}_{worse}")),
            (keyword, &schema(wide), &free, ""),
            (keyword, &free, &schema(wide), &format!("{upper}_ADDED")),
        ]);
    }
    rows(&[
        ("multiple reduced", r#"{"multipleOf":0.6}"#, r#"{"multipleOf":0.2}"#, ""),
        ("multiple expanded", r#"{"multipleOf":2}"#, r#"{"multipleOf":4}"#, "MULTIPLE_OF_CHANGED"),
        ("multiple added", r#"{"type":"number"}"#, r#"{"type":"number","multipleOf":4}"#, "MULTIPLE_OF_ADDED"),
        ("pattern removed", r#"{"type":"string","pattern":"a"}"#, r#"{"type":"string"}"#, ""),
        ("pattern added", r#"{"type":"string"}"#, r#"{"type":"string","pattern":"a"}"#, "PATTERN_ADDED"),
        (
            "pattern changed",
            r#"{"type":"string","pattern":"a"}"#,
            r#"{"type":"string","pattern":"b"}"#,
            "PATTERN_CHANGED",
        ),
        ("unique added", r#"{"type":"array"}"#, r#"{"type":"array","uniqueItems":true}"#, "UNIQUE_ITEMS_ADDED"),
        ("unique removed", r#"{"type":"array","uniqueItems":true}"#, r#"{"type":"array"}"#, ""),
        ("enum extended", r#"{"enum":["a"]}"#, r#"{"enum":["a","b"]}"#, ""),
        ("enum narrowed", r#"{"enum":["a","b"]}"#, r#"{"enum":["a"]}"#, "ENUM_ARRAY_NARROWED"),
        ("const changed", r#"{"const":"a"}"#, r#"{"const":"b"}"#, "CONST_CHANGED"),
        ("not narrowed", r#"{"not":{"type":"number"}}"#, r#"{"not":{"type":"integer"}}"#, ""),
        ("not extended", r#"{"not":{"type":"integer"}}"#, r#"{"not":{"type":"number"}}"#, "NOT_TYPE_EXTENDED"),
        (
            "condition changed",
            r#"{"if":{"minimum":1},"then":{"maximum":3}}"#,
            r#"{"if":{"minimum":1},"then":{"maximum":2}}"#,
            "CONDITIONAL_CHANGED",
        ),
    ]);
}

#[test]
fn properties_by_content_model() {
    let object = |properties: &str, more: &str| format!(r#"{{"type":"object","properties":{{{properties}}}{more}}}"#);
    let closed = r#","additionalProperties":false"#;
    let partial = r#","additionalProperties":{"type":"string"}"#;
    let pattern = r#","patternProperties":{"^a":{"type":"string"}},"additionalProperties":false"#;
    let a = r#""a":{"type":"string"}"#;
    for (what, old, new, expected) in [
        ("optional added to open", object("", ""), object(a, ""), "OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL"),
        ("anything added to open", object("", ""), object(r#""a":{}"#, ""), ""),
        (
            "required added to open",
            object("", ""),
            object(a, r#","required":["a"]"#),
            "REQUIRED_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL",
        ),
        (
            "required with default added to open",
            object("", ""),
            object(r#""a":{"type":"string","default":""}"#, r#","required":["a"]"#),
            "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_OPEN_CONTENT_MODEL",
        ),
        ("optional added to closed", object("", closed), object(a, closed), ""),
        (
            "required added to closed",
            object("", closed),
            object(a, r#","required":["a"],"additionalProperties":false"#),
            "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL",
        ),
        (
            "required with default added to closed",
            object("", closed),
            object(r#""a":{"type":"string","default":""}"#, r#","required":["a"],"additionalProperties":false"#),
            "",
        ),
        ("added, covered by partially open", object("", partial), object(a, partial), ""),
        (
            "added, not covered by partially open",
            object("", partial),
            object(r#""a":{"type":"integer"}"#, partial),
            "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
        ),
        ("added, covered by a pattern", object("", pattern), object(a, pattern), ""),
        ("removed from open", object(a, ""), object("", ""), ""),
        ("removed from closed", object(a, closed), object("", closed), "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL"),
        ("false removed from closed", object(r#""a":false"#, closed), object("", closed), ""),
        ("removed, covered by partially open", object(a, partial), object("", partial), ""),
        (
            "removed, not covered by partially open",
            object(r#""a":{"type":"integer"}"#, partial),
            object("", partial),
            "PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
        ),
        ("made required", object(a, ""), object(a, r#","required":["a"]"#), "REQUIRED_ATTRIBUTE_ADDED"),
        (
            "made required with default",
            object(a, ""),
            object(r#""a":{"type":"string","default":"x"}"#, r#","required":["a"]"#),
            "",
        ),
        ("no longer required", object(a, r#","required":["a"]"#), object(a, ""), ""),
        ("opened", object("", closed), object("", ""), ""),
        ("closed", object("", ""), object("", closed), "ADDITIONAL_PROPERTIES_REMOVED"),
        ("narrowed", object("", ""), object("", partial), "ADDITIONAL_PROPERTIES_NARROWED"),
        ("extended", object("", partial), object("", ""), ""),
        ("type of a property", object(a, ""), object(r#""a":{"type":"integer"}"#, ""), "TYPE_CHANGED"),
        ("dependency added", object(a, ""), object(a, r#","dependencies":{"a":["b"]}"#), "DEPENDENCY_ARRAY_ADDED"),
        ("dependency removed", object(a, r#","dependencies":{"a":["b"]}"#), object(a, ""), ""),
    ] {
        rows(&[(what, &old, &new, expected)]);
    }
}

#[test]
fn items() {
    rows(&[
        ("items extended", r#"{"items":{"type":"integer"}}"#, r#"{"items":{"type":"number"}}"#, ""),
        ("items narrowed", r#"{"items":{"type":"number"}}"#, r#"{"items":{"type":"integer"}}"#, "TYPE_NARROWED"),
        ("items added", r#"{"type":"array"}"#, r#"{"type":"array","items":{"type":"integer"}}"#, "SCHEMA_ADDED"),
        ("items removed", r#"{"type":"array","items":{"type":"integer"}}"#, r#"{"type":"array"}"#, ""),
        (
            "item added to open",
            r#"{"items":[{"type":"integer"}]}"#,
            r#"{"items":[{"type":"integer"},{"type":"string"}]}"#,
            "ITEM_ADDED_TO_OPEN_CONTENT_MODEL",
        ),
        (
            "item added to closed",
            r#"{"items":[{"type":"integer"}],"additionalItems":false}"#,
            r#"{"items":[{"type":"integer"},{"type":"string"}],"additionalItems":false}"#,
            "",
        ),
        (
            "item removed from open",
            r#"{"items":[{"type":"integer"},{"type":"string"}]}"#,
            r#"{"items":[{"type":"integer"}]}"#,
            "",
        ),
        (
            "item removed from closed",
            r#"{"items":[{"type":"integer"},{"type":"string"}],"additionalItems":false}"#,
            r#"{"items":[{"type":"integer"}],"additionalItems":false}"#,
            "ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL",
        ),
    ]);
}

#[test]
fn combinations() {
    let (string, number, integer) = (r#"{"type":"string"}"#, r#"{"type":"number"}"#, r#"{"type":"integer"}"#);
    let list = |keyword: &str, parts: &[&str]| format!(r#"{{"{keyword}":[{}]}}"#, parts.join(","));
    for keyword in ["oneOf", "anyOf"] {
        rows(&[
            ("sum extended", &list(keyword, &[string]), &list(keyword, &[string, number]), ""),
            ("sum narrowed", &list(keyword, &[string, number]), &list(keyword, &[string]), "SUM_TYPE_NARROWED"),
            ("part extended", &list(keyword, &[string, integer]), &list(keyword, &[number, string]), ""),
            (
                "part narrowed",
                &list(keyword, &[string, number]),
                &list(keyword, &[integer, string]),
                "COMBINED_TYPE_SUBSCHEMAS_CHANGED",
            ),
            ("became a sum", string, &list(keyword, &[number, string]), ""),
            ("was a sum", &list(keyword, &[number, string]), string, "TYPE_CHANGED"),
            ("sum of one unwrapped", &list(keyword, &[string]), string, ""),
        ]);
    }
    rows(&[
        ("product narrowed", &list("allOf", &[string, number]), &list("allOf", &[string]), ""),
        ("product extended", &list("allOf", &[string]), &list("allOf", &[string, number]), "PRODUCT_TYPE_EXTENDED"),
        ("product to its part", &list("allOf", &[string, number]), string, ""),
        ("one to any", &list("oneOf", &[string, number]), &list("anyOf", &[string, number]), ""),
        ("any to one", &list("anyOf", &[string, number]), &list("oneOf", &[string, number]), "COMBINED_TYPE_CHANGED"),
    ]);
}

#[test]
fn references_and_recursion() {
    let tree = |ty: &str| {
        format!(
            r##"{{"definitions":{{"n":{{"type":"object","properties":{{"v":{{"type":"{ty}"}},"l":{{"$ref":"#/definitions/n"}}}},"additionalProperties":false}}}},"$ref":"#/definitions/n"}}"##
        )
    };
    let inline =
        r##"{"type":"object","properties":{"v":{"type":"number"},"l":{"$ref":"#"}},"additionalProperties":false}"##;
    rows(&[
        ("tree extended", &tree("integer"), &tree("number"), ""),
        ("tree narrowed", &tree("number"), &tree("integer"), "TYPE_NARROWED"),
        ("reference replaced by its target", &tree("integer"), inline, ""),
    ]);
}
