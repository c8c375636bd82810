//! Do messages and limits hold for all three languages alike?

use std::time::{Duration, Instant};

use super::faults;
use crate::schema::{Schema, SchemaType};

/// Compares an old and a new text; gives the rules that the new, as reader, breaks.
pub(super) fn broken(schema_type: SchemaType, old: &str, new: &str) -> Vec<String> {
    let parse = |text: &str| Schema::parse(schema_type, text, &[]).unwrap_or_else(|error| panic!("{error}: {text}"));
    let rule = |fault: String| fault.split('\'').nth(1).unwrap_or_default().to_owned();
    faults(&parse(new), &parse(old), "new", "old").into_iter().map(rule).collect()
}

/// One row per rule: description, old text, new text, the rule that is broken or nothing.
pub(super) fn check(schema_type: SchemaType, rows: &[(&str, &str, &str, &str)]) {
    for (what, old, new, expected) in rows {
        let found = broken(schema_type, old, new);
        let matches = if expected.is_empty() { found.is_empty() } else { found.iter().any(|rule| rule == expected) };
        assert!(matches, "{what}: expected {expected:?}, found {found:?}\n  old {old}\n  new {new}");
    }
}

#[test]
fn messages_have_confluents_form() {
    let old = Schema::parse(SchemaType::Avro, r#"{"type":"record","name":"R","fields":[]}"#, &[]).expect("valid");
    let new = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}"#;
    let new = Schema::parse(SchemaType::Avro, new, &[]).expect("valid");
    let expected = "{errorType:'READER_FIELD_MISSING_DEFAULT_VALUE', description:'The field 'a' at path '/fields/0' in \
                    the new schema has no default value and is missing in the old schema', additionalInfo:'a'}";
    assert_eq!(faults(&new, &old, "new", "old"), [expected]);
    assert!(faults(&old, &new, "old", "new").is_empty());
}

#[test]
fn another_language_is_incompatible() {
    let avro = Schema::parse(SchemaType::Avro, "\"int\"", &[]).expect("valid");
    let json = Schema::parse(SchemaType::Json, "{}", &[]).expect("valid");
    assert!(faults(&json, &avro, "new", "old")[0].contains("different schema type"));
}

/// Each of 40 records uses the one below twice: 2^40 paths, 40 pairs.
fn diamonds(leaf: &str) -> String {
    let mut text = format!("\"{leaf}\"");
    for level in 0..40 {
        let again = if level == 0 { text.clone() } else { format!("\"R{}\"", level - 1) };
        text = format!(
            r#"{{"type":"record","name":"R{level}","fields":[{{"name":"a","type":{text}}},{{"name":"b","type":["null",{again}]}}]}}"#
        );
    }
    text
}

#[test]
fn diamonds_are_compared_at_once() {
    let start = Instant::now();
    assert!(broken(SchemaType::Avro, &diamonds("int"), &diamonds("long")).is_empty());
    assert!(!broken(SchemaType::Avro, &diamonds("long"), &diamonds("int")).is_empty());
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

/// 40 definitions, each a choice of two objects that use the next one twice.
fn web(leaf: &str) -> String {
    let definition = |level: usize| {
        let next = format!(r##"{{"$ref":"#/definitions/d{}"}}"##, level + 1);
        let side = |name: &str| format!(r#"{{"type":"object","properties":{{"{name}":{next},"z":{next}}}}}"#);
        format!(r#""d{level}":{{"oneOf":[{},{}]}}"#, side("x"), side("y"))
    };
    let definitions: Vec<String> = (0..40).map(definition).collect();
    format!(r##"{{"$ref":"#/definitions/d0","definitions":{{{},"d40":{leaf}}}}}"##, definitions.join(","))
}

#[test]
fn webs_of_one_of_are_compared_at_once() {
    let start = Instant::now();
    let (narrow, wide) = (web(r#"{"type":"integer"}"#), web(r#"{"type":"number"}"#));
    assert!(broken(SchemaType::Json, &narrow, &wide).is_empty());
    assert!(!broken(SchemaType::Json, &wide, &narrow).is_empty());
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn long_chains_of_names_end() {
    // R0 is used by R1 and so on, but the last is compared first: 1500 comparisons lie within each other.
    let chain = |leaf: &str, unrelated: &str| {
        let records: Vec<String> = (0..1500)
            .map(|level| {
                let inner = if level == 0 { format!("\"{leaf}\"") } else { format!("\"R{}\"", level - 1) };
                let record =
                    format!(r#"{{"type":"record","name":"R{level}","fields":[{{"name":"f","type":{inner}}}]}}"#);
                format!(r#"{{"name":"{unrelated}{level}","type":["null",{record}],"default":null}}"#)
            })
            .collect();
        let fields = format!(r#"{},{{"name":"x","type":"R1499"}}"#, records.join(","));
        format!(r#"{{"type":"record","name":"Root","fields":[{fields}]}}"#)
    };
    assert!(broken(SchemaType::Avro, &chain("int", "a"), &chain("long", "b")).is_empty());
    assert_eq!(broken(SchemaType::Avro, &chain("long", "a"), &chain("int", "b")), ["TYPE_MISMATCH"]);
}
