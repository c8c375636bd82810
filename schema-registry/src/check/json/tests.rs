//! Are JSON values refused with the path of what is wrong?

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::schema::{Parsed, Reference, Schema, SchemaType};

fn check_with(schema: &Schema, text: &[u8]) -> Result<(), String> {
    let Parsed::Json(parsed) = &schema.parsed else { panic!("a JSON Schema was parsed") };
    let documents = Documents { root: &parsed.root, refs: &parsed.refs };
    check(parsed.validator(), documents, text).map_err(|fault| fault.to_string())
}

fn outcome(schema: &str, text: &str) -> Result<(), String> {
    check_with(&Schema::parse(SchemaType::Json, schema, &[]).expect("a schema"), text.as_bytes())
}

fn refused(schema: &str, text: &str) -> String {
    outcome(schema, text).expect_err("the value is broken")
}

const ORDER: &str = r##"{
    "type": "object",
    "properties": {
        "order": {"type": "object", "required": ["id"], "additionalProperties": false, "properties": {
            "id": {"type": "string", "minLength": 2, "pattern": "^o"},
            "qty": {"type": "integer", "minimum": 1},
            "price": {"type": ["number", "null"]},
            "state": {"enum": ["new", "done"]},
            "parent": {"oneOf": [{"type": "null"}, {"$ref": "#/properties/order"}]},
            "sizes": {"type": "array", "items": {"$ref": "#/definitions/size"}}}}},
    "definitions": {"size": {"type": "integer"}}}"##;

#[test]
fn sentences_name_the_place() {
    assert_eq!(outcome(ORDER, r#"{"order": {"id": "o1", "qty": 3, "price": null, "sizes": [1, 2]}}"#), Ok(()));
    let order = |text: &str| refused(ORDER, &format!(r#"{{"order": {{"id": "o1", {text}}}}}"#));
    assert_eq!(order(r#""qty": "3""#), "'/order/qty' must be an integer, found a string");
    assert_eq!(order(r#""qty": 1.5"#), "'/order/qty' must be an integer, found a number");
    assert_eq!(order(r#""price": []"#), "'/order/price' must be null or a number, found an array");
    assert_eq!(order(r#""qty": 0"#), "'/order/qty' is less than the minimum of 1");
    assert_eq!(order(r#""state": "old""#), r#"'/order/state' is not one of "new" or "done""#);
    assert_eq!(order(r#""x": 1, "y": 2"#), r#"'/order' has properties that the schema does not allow: "x", "y""#);
    assert_eq!(order(r#""parent": {"qty": 1}"#), r#"'/order/parent' fits none of the schemas in oneOf"#);
    assert_eq!(order(r#""parent": {"id": 1}"#), r#"'/order/parent/id' must be a string, found an integer"#);
    assert_eq!(order(r#""sizes": [1, true]"#), "'/order/sizes/1' must be an integer, found a boolean");
    assert_eq!(refused(ORDER, r#"{"order": {}}"#), r#"'/order' lacks the property "id""#);
    assert_eq!(refused(ORDER, "[]"), "the value must be an object, found an array");
    assert_eq!(
        refused(ORDER, r#"{"order": {"id": "x", "qty": 0}}"#),
        "'/order/id' is shorter than 2 characters; '/order/id' does not match \"^o\"; \
         '/order/qty' is less than the minimum of 1"
    );
}

#[test]
fn the_text_is_exactly_one_value() {
    assert_eq!(outcome("true", " {} \n"), Ok(()));
    assert_eq!(refused("true", r#"{"a": "#), "this is no JSON value: EOF while parsing a value at line 1 column 6");
    assert_eq!(refused("true", "{} {}"), "this is no JSON value: trailing characters at line 1 column 4");
    assert_eq!(refused("true", ""), "this is no JSON value: EOF while parsing a value at line 1 column 0");
    let schema = Schema::parse(SchemaType::Json, "true", &[]).expect("a schema");
    assert!(check_with(&schema, b"\"\xff\"").is_err());
}

/// As the table has it: neither of the two would be the right one.
#[test]
fn no_property_comes_twice() {
    assert_eq!(refused("true", r#"{"a": 1, "a": 1}"#), "'/a' comes twice");
    assert_eq!(
        refused("true", r#"[0, {"a/b": [{}, {"x": {"c": {}, "d": 0, "c": 1}}]}]"#),
        "'/1/a~1b/1/x/c' comes twice"
    );
    assert_eq!(outcome("true", r#"[{"a": 1}, {"a": {"a": [{"a": 1}, {"a": 1}]}}]"#), Ok(()));
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(outcome("true", &nested(NESTING_MAX + 1)), Ok(()));
    assert_eq!(refused("true", &nested(NESTING_MAX + 2)), "the value nests deeper than 64 levels");
    assert!(refused("true", &nested(100_000)).starts_with("this is no JSON value: recursion limit exceeded"));
}

#[test]
fn integers_fit_64_bits_where_the_schema_says_integer() {
    let order = |text: &str| outcome(ORDER, &format!(r#"{{"order": {{"id": "o1", {text}}}}}"#));
    assert_eq!(order(r#""qty": 9223372036854775807"#), Ok(()));
    assert_eq!(
        order(r#""qty": 9223372036854775808"#),
        Err("'/order/qty' is 9223372036854775808, which does not fit an integer of 64 bits".to_owned())
    );
    assert_eq!(
        order(r#""sizes": [1, -1e30]"#),
        Err("'/order/sizes/1' is -1e+30, which does not fit an integer of 64 bits".to_owned())
    );
    assert_eq!(order(r#""price": 20000000000000000000"#), Ok(()));
    assert_eq!(
        order(r#""parent": {"id": "o2", "qty": 1e19}"#),
        Err("'/order/parent/qty' is 1e+19, which does not fit an integer of 64 bits".to_owned())
    );
    assert_eq!(outcome(r#"{"anyOf": [{"type": "integer"}, {"type": "number"}]}"#, "1e300"), Ok(()));
}

#[test]
fn integers_are_found_in_tuples_maps_and_other_documents() {
    let tuple = r#"{"items": [{"type": "string"}, {"type": "integer"}], "additionalItems": {"type": "integer"}}"#;
    assert!(refused(tuple, r#"["a", 1e20]"#).starts_with("'/1' is "));
    assert!(refused(tuple, r#"["a", 1, 1e20]"#).starts_with("'/2' is "));
    let map = r#"{"additionalProperties": {"allOf": [{"type": ["integer", "null"]}]}}"#;
    assert!(refused(map, r#"{"a/b": 1e20}"#).starts_with("'/a~1b' is "));
    let size = Arc::new(Schema::parse(SchemaType::Json, r#"{"type": "integer"}"#, &[]).expect("a schema"));
    let reference = Reference { name: "size.json".to_owned(), subject: "size".to_owned(), version: 1 };
    let schema = r#"{"properties": {"size": {"$ref": "size.json"}}}"#;
    let schema = Schema::parse(SchemaType::Json, schema, &[(reference, size)]).expect("a schema");
    let sentence = check_with(&schema, br#"{"size": 1e20}"#).expect_err("too wide");
    assert!(sentence.starts_with("'/size' is "), "{sentence}");
}

#[test]
fn parts_are_bounded_and_text_is_not() {
    let zeros = |count: usize| format!("[{}0]", "0,".repeat(count - 1));
    assert_eq!(outcome("true", &zeros(JSON_PARTS_MAX - 2)), Ok(()));
    assert_eq!(refused("true", &zeros(JSON_PARTS_MAX)), "the value has more than 250000 parts");
    let commas = format!(r#"["\"{}", "\\"]"#, ",[{".repeat(JSON_PARTS_MAX));
    assert_eq!(outcome("true", &commas), Ok(()));
}

#[test]
fn sentences_are_short() {
    let options: Vec<String> = (0..1000).map(|n| format!("\"option {n}\"")).collect();
    let schema = format!(r#"{{"enum": [{}]}}"#, options.join(","));
    assert!(refused(&schema, "1").chars().count() <= ERROR_CHARS_MAX + 1);
}

proptest! {
    #[test]
    fn values_are_read_as_serde_json_reads_them(text in r#"(\[|\]|\{|\}|"|"[ab]":|,|-?[0-9.eE]{1,5}|true|null|\\u00e9| ){0,12}"#) {
        let (ours, theirs) = (unique::read(text.as_bytes()), serde_json::from_str::<Value>(&text));
        match (ours, theirs) {
            (Ok(ours), theirs) => prop_assert_eq!(ours, theirs.expect("is JSON")),
            (Err(fault), Ok(_)) => prop_assert!(fault.to_string().ends_with("comes twice"), "{}: {}", text, fault),
            (Err(fault), Err(error)) => {
                let fault = fault.to_string();
                prop_assert!(fault.ends_with("comes twice") || fault.ends_with(&error.to_string()), "{}: {}", text, fault);
            }
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..60), text in "[\\[\\]{}\",:0-9eE.a-z -]{0,60}") {
        let schema = Schema::parse(SchemaType::Json, ORDER, &[]).expect("a schema");
        let _ = check_with(&schema, &bytes);
        let _ = check_with(&schema, text.as_bytes());
    }
}
