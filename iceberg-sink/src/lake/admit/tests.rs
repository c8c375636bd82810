//! Are topics and schemas refused that their tables could not hold?

use std::sync::Arc;

use schema_registry::SchemaType;

use super::*;
use crate::testing::name;

const MAPPED: &str = r#"{"type":"record","name":"R","fields":[{"name":"n","type":"int"}]}"#;
const UNMAPPED: &str = r#"{"type":"record","name":"R","fields":[{"name":"kafka_offset","type":"int"}]}"#;

fn settings(mode: &str) -> TopicSettings {
    TopicSettings::parse([("frazil.lake.mode", mode)]).expect("are legal")
}

fn avro(text: &str) -> Schema {
    Schema::parse(SchemaType::Avro, text, &[]).expect("is a schema")
}

#[test]
fn two_topics_never_share_a_table() {
    let (on, off) = (settings("key_value"), settings("off"));
    let admit = |new: &str, other: &str, other_settings: &TopicSettings| {
        let other = name(other);
        admit_topic(&name(new), &on, [(&other, other_settings)], &View::default())
    };
    for (new, other) in [("a.b", "a_b"), ("A", "a"), ("a", "a__dlq"), ("a__dlq", "a")] {
        let error = admit(new, other, &on).expect_err(new);
        assert!(error.contains(new) && error.contains("share the table"), "{error}");
        admit(new, other, &off).expect("a topic without a table is in nobody's way");
    }
    admit("a.b", "a.b", &on).expect("a topic is not in its own way");
    admit("a.b", "a.c", &on).expect("another table");
}

#[test]
fn schemas_without_columns_are_refused_with_the_field() {
    let mut view = View::default();
    view.put("t-value", 1, 1, false, Arc::new(avro(UNMAPPED)));
    let error = admit_topic(&name("t"), &settings("schema_id"), [], &view).expect_err("refused");
    assert!(error.contains("kafka_offset") && error.contains("t-value"), "{error}");
    admit_topic(&name("t"), &settings("key_value"), [], &view).expect("has no columns of it");
    admit_topic(&name("u"), &settings("schema_id"), [], &view).expect("has no schema yet");

    let topic = |topic: &str, mode: &str| LakeTopic {
        name: name(topic),
        id: model::TopicId(uuid::Uuid::nil()),
        partitions: 1,
        settings: settings(mode),
    };
    let topics = [topic("t", "schema_id"), topic("u", "schema_latest:subject=s"), topic("v", "off")];
    for (subject, refused) in [("t-value", true), ("s", true), ("u-value", false), ("v-value", false)] {
        assert_eq!(admit_schema(subject, &avro(UNMAPPED), &topics).is_err(), refused, "{subject}");
        admit_schema(subject, &avro(MAPPED), &topics).expect("has columns");
    }
    let clash =
        r#"{"type":"object","properties":{"a.b":{"type":"string"},"a":{"properties":{"b":{"type":"string"}}}}}"#;
    let clash = Schema::parse(SchemaType::Json, clash, &[]).expect("is a schema");
    let error = admit_schema("t-value", &clash, &topics).expect_err("no table has two columns of one name");
    assert!(error.contains("a.b"), "{error}");
}
