//! Rows of Protobuf payloads, with what the wire allows: any order, repetitions, packed or not, unknown fields.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int32Type;
use model::limits::ROW_VALUES_MAX;
use proptest::prelude::*;
use prost::Message as _;
use prost_reflect::{DynamicMessage, MapKey, ReflectMessage, Value};
use schema_registry::{Parsed, Schema, SchemaType};

use super::{Budget, Wire, wire};
use crate::project::Pushed;
use crate::project::tests::{NOWHERE, project, projector, registry};
use crate::types::tests::schema;

const TEXT: &str = r#"syntax = "proto3"; package p;
    import "google/protobuf/timestamp.proto"; import "google/protobuf/wrappers.proto";
    import "google/protobuf/struct.proto"; import "google/protobuf/duration.proto";
    message M { BODY }
    message Point { int32 x = 1; optional int32 y = 2; repeated string tags = 3; }
    enum E { A = 0; B = 1; C = -1; }"#;

fn proto(body: &str) -> Arc<Schema> {
    schema(SchemaType::Protobuf, &TEXT.replace("BODY", body))
}

fn rows(body: &str, payloads: &[&[u8]]) -> Vec<String> {
    let (pushed, lines) = project(&proto(body), payloads);
    assert!(pushed.iter().all(|pushed| *pushed == Pushed::Row), "{body}: {pushed:?}");
    lines
}

fn batch(schema: &Arc<Schema>, payload: &[u8]) -> RecordBatch {
    let mut projector = projector(schema);
    assert_eq!(projector.push(&NOWHERE, Some(payload), &registry(std::slice::from_ref(schema))), Pushed::Row);
    projector.take().unwrap()
}

fn cause(body: &str, payload: &[u8]) -> String {
    let (mut pushed, lines) = project(&proto(body), &[payload]);
    assert_eq!(lines.len(), 0);
    match pushed.remove(0) {
        Pushed::Dead(cause) => cause,
        other => panic!("{body}: {other:?}"),
    }
}

#[test]
fn an_empty_payload_has_the_defaults_of_proto3() {
    let body = "double a = 1; float b = 2; int32 c = 3; uint64 d = 4; bool e = 5; string f = 6; bytes g = 7; E h = 8;
        optional int32 i = 9; Point j = 10; repeated int32 k = 11; map<string, int32> l = 12;
        google.protobuf.Timestamp m = 13; google.protobuf.Int32Value n = 14; oneof o { string q = 15; int32 r = 16; }";
    let wanted = concat!(
        r#"{"a":0.0,"b":0.0,"c":0,"d":0,"e":false,"f":"","g":"","h":"A","i":null,"j":null,"k":[],"l":{},"#,
        r#""m":null,"n":null,"q":null,"r":null}"#
    );
    assert_eq!(rows(body, &[&[]]), [wanted]);
}

/// Every scalar at its extremes, written by prost-reflect.
#[test]
fn scalars_keep_their_extremes() {
    let body = "int32 a = 1; sint32 b = 2; sfixed32 c = 3; int64 d = 4; sint64 e = 5; sfixed64 f = 6; uint32 g = 7;
        fixed32 h = 8; uint64 i = 9; fixed64 j = 10; bool k = 11; E l = 12; bytes m = 13; double n = 14; float o = 15;";
    let schema = proto(body);
    let Parsed::Protobuf(protobuf) = &schema.parsed else { panic!("Protobuf") };
    let mut message = DynamicMessage::new(protobuf.message(&[0]).unwrap());
    let values = [
        ("a", Value::I32(i32::MIN)),
        ("b", Value::I32(i32::MIN)),
        ("c", Value::I32(i32::MIN)),
        ("d", Value::I64(i64::MIN)),
        ("e", Value::I64(i64::MIN)),
        ("f", Value::I64(i64::MIN)),
        ("g", Value::U32(u32::MAX)),
        ("h", Value::U32(u32::MAX)),
        ("i", Value::U64(u64::MAX)),
        ("j", Value::U64(u64::MAX)),
        ("k", Value::Bool(true)),
        ("l", Value::EnumNumber(-1)),
        ("m", Value::Bytes(vec![0, 255].into())),
        ("n", Value::F64(-0.5)),
        ("o", Value::F32(0.25)),
    ];
    for (name, value) in values {
        message.set_field_by_name(name, value);
    }
    let wanted = concat!(
        r#"{"a":-2147483648,"b":-2147483648,"c":-2147483648,"d":-9223372036854775808,"e":-9223372036854775808,"#,
        r#""f":-9223372036854775808,"g":4294967295,"h":4294967295,"i":18446744073709551615,"j":18446744073709551615,"#,
        r#""k":true,"l":"C","m":"00ff","n":-0.5,"o":0.25}"#
    );
    assert_eq!(rows(body, &[&message.encode_to_vec()]), [wanted]);
}

#[test]
fn the_last_of_a_singular_field_counts_and_messages_merge() {
    // x = 1, x = 2; then {x: 5, tags: a} and {y: 6, tags: b} as two parts of one message.
    let payload = [8, 1, 8, 2, 18, 5, 8, 5, 26, 1, b'a', 18, 5, 16, 6, 26, 1, b'b'];
    let wanted = r#"{"x":2,"p":{"x":5,"y":6,"tags":["a","b"]}}"#;
    assert_eq!(rows("int32 x = 1; Point p = 2;", &[&payload]), [wanted]);
}

/// So often that what does not count is dropped in between.
#[test]
fn the_last_counts_of_very_many() {
    let body = "int32 x = 1; oneof o { int32 a = 2; Point p = 3; string s = 4; }";
    let both = [8, 1, 16, 7].repeat(5000);
    let point = [26, 2, 8, 5];
    let payloads = [
        [&point[..], &both, &[34, 1, b'z'], &[8, 3]].concat(),
        [&[34, 1, b'z'][..], &point, &both].concat(),
        [&both[..], &point, &[26, 2, 16, 6]].concat(),
    ];
    let wanted = [
        r#"{"x":3,"a":null,"p":null,"s":"z"}"#,
        r#"{"x":1,"a":7,"p":null,"s":null}"#,
        r#"{"x":1,"a":null,"p":{"x":5,"y":6,"tags":[]},"s":null}"#,
    ];
    assert_eq!(rows(body, &payloads.each_ref().map(Vec::as_slice)), wanted);
}

/// Each occurrence of two bytes is noted with many more: those that count are bounded, the others are not kept.
#[test]
fn what_is_noted_of_a_message_is_bounded() {
    let payload = [8, 1, 16, 7].repeat(100_000);
    let mut budget = Budget::full();
    budget.hold(ROW_VALUES_MAX - 10_000).unwrap();
    let once = wire::fields(&payload, |number| Some((number as usize, true)), &mut budget).unwrap();
    assert!(once.len() < 10_000, "{}", once.len());
    assert_eq!(once.last().unwrap().wire, Wire::Varint(7));
    budget.release(once.len());
    let fault = wire::fields(&payload, |number| Some((number as usize, false)), &mut budget).unwrap_err();
    assert!(fault.to_string().contains("becomes more than"), "{fault}");
}

/// The second record finds the budget of the first given back, and rows do not cost what was only noted.
#[test]
fn what_was_noted_is_given_back() {
    let schema = proto("repeated Point p = 1; map<int32, int32> m = 2; google.protobuf.Int32Value w = 3;");
    let payload = [[10, 2, 8, 1].repeat(1000), [18, 4, 8, 1, 16, 2].repeat(1000), vec![26, 2, 8, 4]].concat();
    let mut projector = projector(&schema);
    assert_eq!(projector.push(&NOWHERE, Some(&payload), &registry(std::slice::from_ref(&schema))), Pushed::Row);
    // 4 words per point, 2 for the one entry of the map, and the row itself.
    let wanted = payload.len() as u64 + 8 * (4 * 1000 + 2);
    assert!((wanted..wanted + 200).contains(&projector.cost_bytes()), "{} {wanted}", projector.cost_bytes());
}

#[test]
fn members_of_a_oneof_clear_each_other() {
    let body = "oneof o { int32 a = 1; Point p = 2; string s = 3; }";
    let p = |x: u8| [18, 2, 8, x];
    let rows = rows(
        body,
        &[
            &[8, 7, 26, 1, b'z'],
            &[26, 1, b'z', 8, 0],
            &[&p(1)[..], &[8, 7], &[18, 2, 16, 9]].concat(),
            &[&p(1)[..], &[18, 2, 16, 9]].concat(),
        ],
    );
    let wanted = [
        r#"{"a":null,"p":null,"s":"z"}"#,
        r#"{"a":0,"p":null,"s":null}"#,
        r#"{"a":null,"p":{"x":0,"y":9,"tags":[]},"s":null}"#,
        r#"{"a":null,"p":{"x":1,"y":9,"tags":[]},"s":null}"#,
    ];
    assert_eq!(rows, wanted);
}

#[test]
fn lists_are_read_packed_and_unpacked_and_mixed() {
    let body = "repeated int32 v = 1; repeated fixed32 w = 2 [packed = false]; repeated Point p = 3; repeated E e = 4;";
    let payload = [
        &[8, 1, 10, 2, 2, 3, 8, 4][..],
        &[18, 8, 1, 0, 0, 0, 2, 0, 0, 0, 21, 3, 0, 0, 0],
        &[26, 0, 26, 2, 8, 9],
        &[34, 3, 1, 0, 5],
    ]
    .concat();
    let wanted = concat!(
        r#"{"v":[1,2,3,4],"w":[1,2,3],"p":[{"x":0,"y":null,"tags":[]},{"x":9,"y":null,"tags":[]}],"#,
        r#""e":["B","A","5"]}"#
    );
    assert_eq!(rows(body, &[&payload]), [wanted]);
}

#[test]
fn the_last_entry_of_a_key_counts_and_parts_have_defaults() {
    let body = "map<string, int32> m = 1; map<int32, Point> p = 2;";
    let entry = |bytes: &[u8]| [&[10, bytes.len() as u8], bytes].concat();
    let point = |bytes: &[u8]| [&[18, bytes.len() as u8], bytes].concat();
    let payload = [
        entry(&[10, 1, b'k', 16, 1]),
        entry(&[10, 1, b'j']),
        entry(&[16, 9, 10, 1, b'k']),
        entry(&[]),
        point(&[8, 5]),
        point(&[18, 2, 8, 3]),
    ];
    let batch = batch(&proto(body), &payload.concat());
    // Arrow writes only maps with text keys as JSON: the numbers are looked at as they are.
    let points = batch.column(7).as_map().value(0);
    assert_eq!(points.column(0).as_primitive::<Int32Type>().values(), &[5, 0]);
    assert_eq!(points.column(1).as_struct().column(0).as_primitive::<Int32Type>().values(), &[0, 3]);
    let texts = batch.column(6).as_map().value(0);
    assert_eq!(texts.column(0).as_string::<i32>().iter().flatten().collect::<Vec<_>>(), ["j", "k", ""]);
    assert_eq!(texts.column(1).as_primitive::<Int32Type>().values(), &[0, 9, 0]);
}

#[test]
fn well_known_types_have_their_own_form() {
    let body = "google.protobuf.Timestamp t = 1; google.protobuf.UInt64Value w = 2; google.protobuf.Struct s = 3;
        google.protobuf.Value v = 4; google.protobuf.ListValue l = 5; google.protobuf.Duration d = 6;";
    let schema = proto(body);
    let Parsed::Protobuf(protobuf) = &schema.parsed else { panic!("Protobuf") };
    let number = |value| prost_types::Value { kind: Some(prost_types::value::Kind::NumberValue(value)) };
    let null = prost_types::Value { kind: Some(prost_types::value::Kind::NullValue(0)) };
    let list = prost_types::ListValue { values: vec![number(1.0), number(-0.5), null.clone()] };
    let object = prost_types::Struct {
        fields: [
            ("a".to_owned(), prost_types::Value { kind: Some(prost_types::value::Kind::ListValue(list.clone())) }),
            ("b".to_owned(), prost_types::Value { kind: Some(prost_types::value::Kind::StringValue("\"".into())) }),
        ]
        .into(),
    };
    let mut message = DynamicMessage::new(protobuf.message(&[0]).unwrap());
    let mut set = |name: &str, bytes: Vec<u8>| {
        let field = message.descriptor().get_field_by_name(name).unwrap();
        let prost_reflect::Kind::Message(inner) = field.kind() else { panic!("a message") };
        message.set_field(&field, Value::Message(DynamicMessage::decode(inner, bytes.as_slice()).unwrap()));
    };
    set("t", prost_types::Timestamp { seconds: -1, nanos: 999_999_999 }.encode_to_vec());
    set("w", vec![8, 7]);
    set("s", object.encode_to_vec());
    set("v", null.encode_to_vec());
    set("l", list.encode_to_vec());
    set("d", prost_types::Duration { seconds: 3, nanos: -1 }.encode_to_vec());
    let wanted = concat!(
        r#"{"t":"1969-12-31T23:59:59.999999Z","w":7,"s":"{\"a\":[1,-0.5,null],\"b\":\"\\\"\"}","v":"null","#,
        r#""l":"[1,-0.5,null]","d":{"seconds":3,"nanos":-1}}"#
    );
    assert_eq!(rows(body, &[&message.encode_to_vec()]), [wanted]);
    assert_eq!(rows("google.protobuf.UInt64Value w = 1;", &[&[10, 0]]), [r#"{"w":0}"#]);
}

#[test]
fn unknown_fields_are_passed_over() {
    // A varint, 8 bytes, a text, a group in a group and 4 bytes, all with numbers that M does not have.
    let unknown =
        [&[16, 1][..], &[25, 0, 0, 0, 0, 0, 0, 0, 0], &[34, 1, b'x'], &[43, 51, 8, 1, 52, 44], &[61, 0, 0, 0, 0]]
            .concat();
    assert_eq!(rows("int32 x = 1;", &[&[&unknown[..], &[8, 3]].concat()]), [r#"{"x":3}"#]);
}

#[test]
fn broken_payloads_have_a_cause() {
    let many_groups = vec![19; 200];
    let rows: [(&str, &[u8], &str); 11] = [
        ("int32 x = 1;", &[8], "1 bytes are wanted"),
        ("int32 x = 1;", &[0, 1], "the record is no Protobuf message: a field number"),
        ("int32 x = 1;", &[15], "the record is no Protobuf message: wire type 7"),
        ("int32 x = 1;", &[12], "the record is no Protobuf message: wire type 4"),
        ("int32 x = 1;", &many_groups, "the record is no Protobuf message: wire type 3"),
        ("int32 x = 1;", &[10, 1, 5], "field 'x': the record has a length and bytes here"),
        ("string s = 1;", &[10, 1, 0xff], "field 's': the text is not UTF-8"),
        ("string s = 1;", &[10, 9, b'x'], "9 bytes are wanted"),
        ("repeated Point p = 1;", &[10, 0, 10, 2, 10, 0], "field 'p[1].x': the record has a length"),
        ("google.protobuf.Timestamp t = 1;", &[10, 2, 16, 0x7f, 10, 5, 16, 0x80, 0x94, 0xeb, 0xdc], "field 't'"),
        ("map<string, Point> m = 1;", &[10, 7, 10, 1, b'k', 18, 2, 13, 1], "field 'm{k}': 4 bytes are wanted"),
    ];
    for (body, payload, start) in rows {
        let cause = cause(body, payload);
        assert!(cause.starts_with(start), "{body}: {cause}");
    }
}

const RANDOM: &str = "int32 a = 1; sint64 b = 2; uint64 c = 3; repeated sint32 d = 4; map<string, string> e = 5;
    optional bool f = 6; oneof o { string g = 7; fixed64 h = 8; } Point i = 9; repeated Point j = 10;
    map<string, Point> k = 11; E l = 12; repeated E m = 13; optional bytes n = 15;";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// What prost-reflect decodes of any bytes, the walker makes a row of, with the same values; both read the same.
    #[test]
    fn the_walker_agrees_with_another_decoder(payload in noise()) {
        let schema = proto(RANDOM);
        let Parsed::Protobuf(protobuf) = &schema.parsed else { panic!("Protobuf") };
        let message = DynamicMessage::decode(protobuf.message(&[0]).unwrap(), payload.as_slice());
        let (pushed, lines) = project(&schema, &[&payload]);
        match message {
            Ok(message) => {
                // Written anew, each field stands once and in order: the row must be the same.
                prop_assert_eq!(&pushed[0], &Pushed::Row);
                let (_, again) = project(&schema, &[&message.encode_to_vec()]);
                prop_assert_eq!(sorted(&lines[0]), sorted(&again[0]));
                check_singular(&message, &lines[0])?;
            }
            Err(_) => prop_assert!(matches!(pushed[0], Pushed::Dead(_))),
        }
    }
}

/// Maps have no order of their own.
fn sorted(line: &str) -> serde_json::Value {
    let mut value: serde_json::Value = serde_json::from_str(line).unwrap();
    value.sort_all_objects();
    value
}

fn check_singular(message: &DynamicMessage, line: &str) -> Result<(), TestCaseError> {
    let row: serde_json::Value = serde_json::from_str(line).unwrap();
    let get = |name: &str| message.get_field_by_name(name).unwrap().into_owned();
    prop_assert_eq!(Some(row["a"].as_i64().unwrap() as i32), get("a").as_i32());
    prop_assert_eq!(row["b"].as_i64(), get("b").as_i64());
    prop_assert_eq!(row["f"].as_bool(), message.has_field_by_name("f").then(|| get("f").as_bool().unwrap()));
    let text = message.has_field_by_name("g").then(|| get("g").as_str().unwrap().to_owned());
    prop_assert_eq!(row["g"].as_str(), text.as_deref());
    prop_assert_eq!(row["h"].is_null(), !message.has_field_by_name("h"));
    prop_assert_eq!(row["i"].is_null(), !message.has_field_by_name("i"));
    prop_assert_eq!(row["n"].is_null(), !message.has_field_by_name("n"));
    let numbers: Vec<i64> = row["d"].as_array().unwrap().iter().map(|v| v.as_i64().unwrap()).collect();
    let wanted: Vec<i64> = get("d").as_list().unwrap().iter().map(|v| i64::from(v.as_i32().unwrap())).collect();
    prop_assert_eq!(numbers, wanted);
    prop_assert_eq!(row["j"].as_array().unwrap().len(), get("j").as_list().unwrap().len());
    for (key, value) in get("e").as_map().unwrap() {
        let MapKey::String(key) = key else { panic!("a text") };
        prop_assert_eq!(row["e"][key].as_str(), value.as_str());
    }
    prop_assert_eq!(row["e"].as_object().unwrap().len(), get("e").as_map().unwrap().len());
    prop_assert_eq!(row["k"].as_object().unwrap().len(), get("k").as_map().unwrap().len());
    Ok(())
}

/// Fields of the message and some others, mostly with their own wire type, in any order.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let varint = (
        prop_oneof![Just(1u8), Just(2), Just(3), Just(4), Just(6), Just(12), Just(13), Just(14)],
        any::<u64>(),
        0u32..64,
    );
    let varint = varint.prop_map(|(number, value, shift)| {
        let mut bytes = vec![number << 3];
        prost::encoding::encode_varint(value >> shift, &mut bytes);
        bytes
    });
    let fixed = any::<[u8; 8]>().prop_map(|bytes| [&[8 << 3 | 1], &bytes[..]].concat());
    let text = (prop_oneof![Just(7u8), Just(15), Just(14)], "[a-c]{0,3}");
    let text = text.prop_map(|(number, text)| [&[number << 3 | 2, text.len() as u8], text.as_bytes()].concat());
    let inner = prop_oneof![
        Just(vec![]),
        (0u8..100).prop_map(|x| vec![8, x]),
        (0u8..100).prop_map(|y| vec![16, y]),
        Just(vec![26, 1, b't']),
    ];
    let inner = proptest::collection::vec(inner, 0..3).prop_map(|parts| parts.concat());
    let message = (prop_oneof![Just(9u8), Just(10), Just(14)], inner.clone());
    let message = message.prop_map(|(number, bytes)| [&[number << 3 | 2, bytes.len() as u8], &bytes[..]].concat());
    let entry = (0u8..2, inner).prop_map(|(key, point)| {
        let entry = [&[10, 1, b'a' + key, 18, point.len() as u8], &point[..]].concat();
        [&[11 << 3 | 2, entry.len() as u8], &entry[..]].concat()
    });
    let text_entry = (0u8..4, "[a-c]{0,2}").prop_map(|(key, text)| {
        let entry = [&[10, 1, b'a' + key, 18, text.len() as u8], text.as_bytes()].concat();
        [&[5 << 3 | 2, entry.len() as u8], &entry[..]].concat()
    });
    let packed = proptest::collection::vec(0u8..128, 0..4);
    let packed = (prop_oneof![Just(4u8), Just(13)], packed);
    let packed = packed.prop_map(|(number, bytes)| [&[number << 3 | 2, bytes.len() as u8], &bytes[..]].concat());
    let field = prop_oneof![varint, fixed, text, message, entry, text_entry, packed];
    (proptest::collection::vec(field, 0..12), 0usize..40).prop_map(|(fields, cut)| {
        let mut bytes = fields.concat();
        // Some are cut short.
        if cut < 8 {
            bytes.truncate(bytes.len().saturating_sub(cut));
        }
        bytes
    })
}
