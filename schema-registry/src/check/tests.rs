//! Does a topic check what its settings say, and nothing else?

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::schema::{Schema, SchemaType};

type Headers = &'static [(&'static [u8], Option<&'static [u8]>)];

const AVRO: &str = r#"{"type": "record", "name": "Order", "namespace": "shop", "fields": [
    {"name": "id", "type": "string"}, {"name": "note", "type": ["null", "string"]}]}"#;
const AVRO_NEXT: &str = r#"{"type": "record", "name": "Order", "namespace": "shop", "fields": [
    {"name": "id", "type": "string"}, {"name": "qty", "type": "int"}]}"#;
const PROTO: &str = r#"syntax = "proto3"; package shop;
    message Other { message Inner { bool yes = 1; } }
    message Order { string id = 1; int32 qty = 2; }"#;
const JSON: &str = r#"{"title": "Order", "type": "object", "properties": {"qty": {"type": "integer"}}}"#;

fn schema(kind: SchemaType, text: &str) -> Arc<Schema> {
    Arc::new(Schema::parse(kind, text, &[]).expect("a schema"))
}

/// Ids: 1 and 2 Avro, 3 Protobuf, 4 JSON, each under the subject of its own topic.
fn view() -> View {
    let mut view = View::default();
    view.put("avro-value", 1, 1, false, schema(SchemaType::Avro, AVRO));
    view.put("avro-value", 2, 2, false, schema(SchemaType::Avro, AVRO_NEXT));
    view.put("proto-value", 1, 3, false, schema(SchemaType::Protobuf, PROTO));
    view.put("json-value", 1, 4, false, schema(SchemaType::Json, JSON));
    view
}

fn checker(topic: &str, settings: &[(&str, &str)]) -> Checker {
    let settings = TopicSettings::parse(settings.iter().copied()).expect("settings");
    Checker::new(&TopicName::new(topic).expect("a name"), &settings).expect("something is checked")
}

fn value(checker: &mut Checker, value: &[u8]) -> Result<(), String> {
    checker.check(&view(), None, Some(value), [])
}

fn framed(id: u32, payload: &[u8]) -> Vec<u8> {
    [&[0][..], &id.to_be_bytes(), payload].concat()
}

const PAYLOAD: &[(&str, &str)] = &[("frazil.check.value", "payload")];

#[test]
fn topics_without_a_check_have_no_checker() {
    let topic = TopicName::new("avro").expect("a name");
    assert!(Checker::new(&topic, &TopicSettings::default()).is_none());
}

#[test]
fn nulls_pass_and_the_last_header_counts() {
    let mut both = checker("avro", &[("frazil.check.value", "payload"), ("frazil.check.key", "payload")]);
    assert_eq!(both.check(&view(), None, None, []), Ok(()));
    let headers: Headers = &[
        (b"__value_schema_id", Some(b"\0\0\0\0\x09")),
        (b"other", Some(b"x")),
        (b"__value_schema_id", Some(b"\0\0\0\0\x01")),
    ];
    assert_eq!(both.check(&view(), None, Some(b"\x02a\0"), headers.iter().copied()), Ok(()));
    let null: Headers = &[(b"__value_schema_id", Some(b"\0\0\0\0\x09")), (b"__value_schema_id", None)];
    assert_eq!(both.check(&view(), None, Some(&framed(1, b"\x02a\0")), null.iter().copied()), Ok(()));
    let first = both.check(&view(), None, Some(b"\x02a\0"), headers[..1].iter().copied());
    assert_eq!(
        first.expect_err("id 9"),
        "value: the schema id 9 is not registered under subject 'avro-value'; registered ids: 2, 1"
    );
}

#[test]
fn a_guid_names_a_schema() {
    let view = view();
    let guid = schema(SchemaType::Avro, AVRO).identity();
    let mut checker = checker("avro", PAYLOAD);
    let known = [&[1][..], guid.as_bytes(), b"\x02a\0"].concat();
    assert_eq!(checker.check(&view, None, Some(&known), []), Ok(()));
    let sentence = checker.check(&view, None, Some(&[1; 17]), []).expect_err("unknown");
    assert_eq!(
        sentence,
        "value: the schema guid 01010101-0101-0101-0101-010101010101 is not registered; registered ids: 2, 1"
    );
}

#[test]
fn ids_belong_to_the_subject() {
    let mut id = checker("avro", &[("confluent.value.schema.validation", "true")]);
    assert_eq!(value(&mut id, &framed(1, b"\xff anything")), Ok(()));
    assert_eq!(
        value(&mut id, &framed(77, b"")),
        Err("value: the schema id 77 is not registered under subject 'avro-value'; registered ids: 2, 1".to_owned())
    );
    assert_eq!(
        value(&mut id, &framed(4, b"{}")),
        Err("value: the schema id 4 is not registered under subject 'avro-value'; registered ids: 2, 1".to_owned())
    );
    assert_eq!(
        value(&mut id, b"{}"),
        Err("value: no schema id stands in front, the first byte is 0x7b; \
             write with a serializer of the schema registry"
            .to_owned())
    );
    let mut key = checker("avro", &[("frazil.check.key", "id")]);
    assert_eq!(
        key.check(&view(), Some(&framed(1, b"")), Some(b"unchecked"), []),
        Err("key: the schema id 1 is not registered under subject 'avro-key'; it has no schemas".to_owned())
    );
}

#[test]
fn deleted_versions_count_and_erased_ones_do_not() {
    let mut checker = checker("avro", PAYLOAD);
    let (old, new) = (schema(SchemaType::Avro, AVRO), schema(SchemaType::Avro, AVRO_NEXT));
    let mut deleted = View::default();
    deleted.put("avro-value", 1, 1, true, Arc::clone(&old));
    let record = framed(1, b"\x02a\0");
    assert_eq!(checker.check(&deleted, None, Some(&record), []), Ok(()));
    let mut erased = View::default();
    erased.put("elsewhere", 1, 1, false, old);
    let sentence = checker.check(&erased, None, Some(&record), []).expect_err("no longer registered");
    assert_eq!(sentence, "value: the schema id 1 is not registered under subject 'avro-value'; it has no schemas");
    assert_eq!(checker.check(&deleted, None, Some(&record), []), Ok(()));
    let mut imported = View::default();
    imported.put("avro-value", 1, 1, false, new);
    assert_eq!(checker.check(&imported, None, Some(&framed(1, b"\x02a\x08")), []), Ok(()), "the id's new meaning");
}

#[test]
fn subjects_follow_the_record_name() {
    let mut view = view();
    view.put("shop.Order", 1, 3, false, schema(SchemaType::Protobuf, PROTO));
    view.put("proto-shop.Other.Inner", 1, 3, false, schema(SchemaType::Protobuf, PROTO));
    let strategy = |name| [("frazil.check.value", "payload"), ("frazil.check.value.subject", name)];
    let mut by_record = checker("proto", &strategy("RecordNameStrategy"));
    let mut check = |value: &[u8]| by_record.check(&view, None, Some(value), []);
    assert_eq!(check(&framed(3, &[2, 2, 0x0a, 1, b'x'])), Ok(()));
    assert_eq!(
        check(&framed(3, &[0])),
        Err("value: the schema id 3 is not registered under subject 'shop.Other'; it has no schemas".to_owned())
    );
    assert_eq!(check(&framed(99, &[0])), Err("value: the schema id 99 is not registered".to_owned()));
    let mut by_both = checker("proto", &strategy("TopicRecordNameStrategy"));
    let mut check = |value: &[u8]| by_both.check(&view, None, Some(value), []);
    assert_eq!(check(&framed(3, &[4, 0, 0, 8, 1])), Ok(()));
    assert!(check(&framed(3, &[2, 2])).expect_err("another message").contains("'proto-shop.Order'"));
}

#[test]
fn payloads_are_read_to_the_end() {
    let mut avro = checker("avro", PAYLOAD);
    assert_eq!(value(&mut avro, &framed(1, b"\x02a\0")), Ok(()));
    assert_eq!(value(&mut avro, &framed(2, b"\x02a\x08")), Ok(()));
    assert_eq!(
        value(&mut avro, &framed(1, b"\x02a\x02\x0ab")),
        Err("value: field 'note': 4 more bytes are needed, the value ends".to_owned())
    );
    assert_eq!(
        value(&mut avro, &framed(1, b"\x02a\0?")),
        Err("value: 1 byte is left over behind the value".to_owned())
    );
    let mut proto = checker("proto", PAYLOAD);
    assert_eq!(value(&mut proto, &framed(3, &[2, 2, 16, 5])), Ok(()));
    assert_eq!(
        value(&mut proto, &framed(3, &[2, 2, 0x0a, 3, b'x'])),
        Err("value: field 'id': 2 more bytes are needed, the value ends".to_owned())
    );
    assert_eq!(
        value(&mut proto, &framed(3, &[2, 8])),
        Err("value: the schema has no message at the indexes [4] that stand behind its id".to_owned())
    );
    assert_eq!(
        value(&mut proto, &framed(3, &[9])),
        Err("value: the message indexes behind the schema id are broken".to_owned())
    );
    let mut json = checker("json", PAYLOAD);
    assert_eq!(value(&mut json, &framed(4, br#"{"qty": 1}"#)), Ok(()));
    assert_eq!(
        value(&mut json, &framed(4, br#"{"qty": "1"}"#)),
        Err("value: '/qty' must be an integer, found a string".to_owned())
    );
}

#[test]
fn sentences_are_bounded() {
    let name = "n".repeat(5_000);
    let text = format!(r#"{{"type": "record", "name": "R", "fields": [{{"name": "{name}", "type": "int"}}]}}"#);
    let mut view = View::default();
    view.put("avro-value", 1, 1, false, schema(SchemaType::Avro, &text));
    let sentence = checker("avro", PAYLOAD).check(&view, None, Some(&framed(1, b"")), []).expect_err("empty");
    assert_eq!(sentence.chars().count(), REFUSAL_CHARS_MAX + 1);
}

fn latest(mode: &str) -> [(&str, &str); 2] {
    [("frazil.check.value", "payload"), ("frazil.lake.mode", mode)]
}

#[test]
fn schema_latest_takes_values_without_a_prefix() {
    let mut json = checker("json", &latest("schema_latest"));
    assert_eq!(value(&mut json, br#"{"qty": 1}"#), Ok(()));
    assert_eq!(value(&mut json, &framed(4, br#"{"qty": 1}"#)), Ok(()));
    assert_eq!(
        value(&mut json, br#"{"qty": "1"}"#),
        Err("value: '/qty' must be an integer, found a string".to_owned())
    );
    assert!(value(&mut json, &framed(9, b"{}")).expect_err("id 9").contains("id 9 is not registered"));
    let mut avro = checker("avro", &latest("schema_latest"));
    let named: Headers = &[(b"__value_schema_id", Some(b"\0\0\0\0\x01"))];
    let sentence =
        avro.check(&view(), None, Some(b"\x02a\x08"), named.iter().copied()).expect_err("of the latest only");
    assert_eq!(sentence, "value: field 'note': the union has no branch 4, they count from 0 to 1");
    assert_eq!(value(&mut avro, b"\x02a\x08"), Ok(()), "the latest, not the first");
    assert_eq!(value(&mut avro, &framed(1, b"\x02a\0")), Ok(()), "the schema that is named");
    assert_eq!(value(&mut avro, &[0, 0]), Ok(()), "short, and without a prefix");
    assert_eq!(value(&mut avro, b"\x02a"), Err("value: field 'qty': 1 more byte is needed, the value ends".to_owned()));
    let mut proto = checker("proto", &latest("schema_latest:subject=proto-value,protobuf_name=shop.Order"));
    assert_eq!(value(&mut proto, &[16, 5]), Ok(()));
    assert_eq!(value(&mut proto, &[]), Ok(()));
    assert_eq!(value(&mut proto, &framed(3, &[2, 2, 16, 5])), Ok(()));
    assert_eq!(
        value(&mut proto, &[17, 5]),
        Err("value: field 'qty': the field has the wire type varint, found 64-bit".to_owned())
    );
    let mut none = checker("none", &latest("schema_latest"));
    assert_eq!(
        value(&mut none, b"{}"),
        Err("value: the subject 'none-value' has no schema yet: register one".to_owned())
    );
}

#[test]
fn schema_latest_follows_the_registry_and_its_own_subject() {
    let mut view = view();
    let mut checker = checker("orders", &latest("schema_latest:subject=shared"));
    view.put("shared", 1, 1, false, schema(SchemaType::Avro, AVRO));
    assert_eq!(checker.check(&view, None, Some(b"\x02a\0"), []), Ok(()));
    assert!(checker.check(&view, None, Some(b"\x02a\x08"), []).is_err());
    view.put("shared", 2, 2, false, schema(SchemaType::Avro, AVRO_NEXT));
    assert_eq!(checker.check(&view, None, Some(b"\x02a\x08"), []), Ok(()));
}

#[test]
fn avro_that_looks_like_a_prefix_by_chance_is_understood() {
    let mut view = View::default();
    let longs = r#"{"type": "record", "name": "R", "fields": [
        {"name": "a", "type": "long"}, {"name": "b", "type": "long"}, {"name": "c", "type": "long"},
        {"name": "d", "type": "long"}, {"name": "e", "type": "long"}]}"#;
    view.put("t-value", 1, 2, false, schema(SchemaType::Avro, longs));
    let mut checker = checker("t", &latest("schema_latest"));
    assert_eq!(checker.check(&view, None, Some(&[0, 0, 0, 0, 2]), []), Ok(()));
    assert_eq!(checker.check(&view, None, Some(&[0, 0, 0, 0, 9]), []), Ok(()));
    assert_eq!(
        checker.check(&view, None, Some(&[0, 0, 0, 0, 2, 0]), []),
        Err("value: field 'b': 1 more byte is needed, the value ends".to_owned())
    );
}

proptest! {
    #[test]
    fn arbitrary_records_never_panic(
        id in 0u32..6,
        payload in prop::collection::vec(any::<u8>(), 0..40),
        header in prop::option::of(prop::collection::vec(0u8..5, 0..22)),
        topic in prop::sample::select(vec!["avro", "proto", "json"]),
        mode in prop::sample::select(vec!["off", "schema_latest"]),
    ) {
        let mut checker = checker(topic, &latest(mode));
        let headers = header.as_deref().map(|content| (VALUE_HEADER.as_bytes(), Some(content)));
        let _ = checker.check(&view(), None, Some(&payload), []);
        let _ = checker.check(&view(), None, Some(&framed(id, &payload)), headers);
    }
}
