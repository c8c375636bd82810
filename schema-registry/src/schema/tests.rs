//! Are schemas of all three languages understood, and hostile ones refused with a sentence?

use std::sync::Arc;

use super::*;
use crate::base64;

pub(crate) fn parse(schema_type: SchemaType, text: &str) -> Result<Schema, ParseError> {
    Schema::parse(schema_type, text, &[])
}

/// A reference to a schema, as the registry would resolve it.
pub(crate) fn reference(name: &str, schema: &Arc<Schema>) -> (Reference, Arc<Schema>) {
    let reference = Reference { name: name.to_owned(), subject: format!("{name}-value"), version: 1 };
    (reference, schema.clone())
}

/// Runs on a stack as small as the smallest that calls this crate: a shard or a tokio worker has 2 MiB.
fn on_small_stack(body: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(1024 * 1024).spawn(body).expect("a thread starts");
    thread.join().expect("the body does not panic");
}

#[test]
fn record_names() {
    let avro = parse(SchemaType::Avro, r#"{"type":"record","name":"a.B","fields":[]}"#).expect("valid");
    assert_eq!(avro.record_name(&[]).as_deref(), Some("a.B"));
    let text = "package p; message A { message In {} message Two {} } message B {}";
    let protobuf = parse(SchemaType::Protobuf, text).expect("valid");
    assert_eq!(protobuf.record_name(&[]).as_deref(), Some("p.A"));
    assert_eq!(protobuf.record_name(&[0, 1]).as_deref(), Some("p.A.Two"));
    assert_eq!(protobuf.record_name(&[1]).as_deref(), Some("p.B"));
    assert_eq!(protobuf.record_name(&[2]), None);
    assert_eq!(protobuf.record_name(&[-1]), None);
    let json = parse(SchemaType::Json, r#"{"title":"T"}"#).expect("valid");
    assert_eq!(json.record_name(&[]).as_deref(), Some("T"));
}

#[test]
fn identity_ignores_layout_but_not_references() {
    let a = parse(SchemaType::Avro, r#"{"type":"string"}"#).expect("valid");
    let b = parse(SchemaType::Avro, " \"string\" ").expect("valid");
    assert_eq!(a.identity(), b.identity());
    let a = parse(SchemaType::Json, r#"{"type": "string"}"#).expect("valid");
    let b = parse(SchemaType::Json, r#"{"type":"string"}"#).expect("valid");
    assert_eq!(a.identity(), b.identity());
    let b = Schema::parse(SchemaType::Json, r#"{"type":"string"}"#, &[reference("a", &Arc::new(b))]).expect("valid");
    assert_ne!(a.identity(), b.identity());
}

#[test]
fn references_of_another_language_are_refused() {
    let json = Arc::new(parse(SchemaType::Json, "{}").expect("valid"));
    let error = Schema::parse(SchemaType::Avro, "\"int\"", &[reference("x", &json)]).expect_err("refused");
    assert!(error.to_string().contains("JSON"), "{error}");
}

fn nested(levels: usize, open: &str, middle: &str, close: &str) -> String {
    format!("{}{middle}{}", open.repeat(levels), close.repeat(levels))
}

#[test]
fn hostile_texts_are_refused() {
    let avro_records = |levels: usize| -> String {
        let open: String = (0..levels)
            .map(|level| format!(r#"{{"type":"record","name":"R{level}","fields":[{{"name":"f","type":"#))
            .collect();
        format!("{open}\"int\"{}", "}]}".repeat(levels))
    };
    let many: Vec<String> = (0..20_000).map(|index| format!(r#"{{"name":"f{index}","type":"int"}}"#)).collect();
    let many_fields: String = (1..15_000).map(|index| format!("int32 f{index} = {index};")).collect();
    let all_of: String = (0..40)
        .map(|level| {
            format!(r##""d{level}":{{"allOf":[{{"$ref":"#/d/d{}"}},{{"$ref":"#/d/d{}"}}]}},"##, level + 1, level + 1)
        })
        .collect();
    let texts = [
        (SchemaType::Avro, nested(100_000, "[", "", "]")),
        (SchemaType::Avro, nested(100, r#"{"type":"array","items":"#, "\"int\"", "}")),
        (SchemaType::Avro, nested(60, r#"{"type":"#, "\"int\"", "}") + "x"),
        (SchemaType::Avro, avro_records(90)),
        (SchemaType::Avro, format!(r#"{{"type":"record","name":"R","fields":[{}]}}"#, many.join(","))),
        (SchemaType::Avro, r#"{"type":"record","name":"1","fields":[]}"#.to_owned()),
        (SchemaType::Avro, r#"{"type":"record","name":"R","aliases":["1"],"fields":[]}"#.to_owned()),
        (SchemaType::Avro, format!("\"{}\"", "x".repeat(2_000_000))),
        (SchemaType::Protobuf, nested(100_000, "message A {", "", "}")),
        (SchemaType::Protobuf, format!("message A {{ {many_fields} }}")),
        (SchemaType::Protobuf, format!("option x = {};", nested(50_000, "{a:", "1", "}"))),
        (SchemaType::Protobuf, format!("option x = {};", nested(50_000, "[", "1", "]"))),
        (
            SchemaType::Protobuf,
            format!("message A {{ repeated {} a = 1; }}", nested(9_000, "map<int32,", "int32", ">")),
        ),
        (SchemaType::Protobuf, base64::encode(&nested_descriptor(90))),
        (SchemaType::Json, nested(100_000, r#"{"not":"#, "{}", "}")),
        (SchemaType::Json, r##"{"$ref":"#"}"##.to_owned()),
        (SchemaType::Json, r##"{"allOf":[{"$ref":"#/definitions/a"}],"definitions":{"a":{"$ref":"#"}}}"##.to_owned()),
        (SchemaType::Json, format!(r##"{{"$ref":"#/d/d0","d":{{{all_of}"d40":{{}}}}}}"##)),
        (SchemaType::Json, r##"{"$ref":"https://example.com/other.json"}"##.to_owned()),
        (SchemaType::Json, r##"{"$ref":"file:///etc/passwd"}"##.to_owned()),
        (SchemaType::Json, r#"{"type":"wrong"}"#.to_owned()),
        (SchemaType::Json, r#"{"pattern":"("}"#.to_owned()),
    ];
    on_small_stack(move || {
        for (schema_type, text) in texts {
            let error = parse(schema_type, &text).err();
            let start = &text[..text.len().min(120)];
            let error = error.unwrap_or_else(|| panic!("accepted: {schema_type} {start}"));
            assert!(error.to_string().len() < 1000, "{schema_type} {start}: {error}");
        }
    });
}

fn nested_descriptor(levels: usize) -> Vec<u8> {
    use prost::Message;
    let mut message = prost_types::DescriptorProto { name: Some("A".into()), ..Default::default() };
    for _ in 0..levels {
        message =
            prost_types::DescriptorProto { name: Some("A".into()), nested_type: vec![message], ..Default::default() };
    }
    prost_types::FileDescriptorProto { message_type: vec![message], ..Default::default() }.encode_to_vec()
}

#[test]
fn deep_but_allowed_texts_fit_on_a_small_stack() {
    on_small_stack(|| {
        let levels = model::limits::NESTING_MAX - 4;
        let texts = [
            (
                SchemaType::Avro,
                nested(levels / 2, r#"{"type":"array","items":{"type":"map","values":"#, "\"int\"", "}}"),
            ),
            (
                SchemaType::Protobuf,
                nested(levels, "message A {", "optional int32 a = 1;", "}").replacen(
                    "message",
                    "syntax = \"proto3\"; message",
                    1,
                ),
            ),
            (SchemaType::Json, nested(levels / 2, r#"{"properties":{"a":"#, "{}", "}}")),
            (SchemaType::Json, nested(levels, r#"{"not":"#, "{}", "}")),
        ];
        for (schema_type, text) in texts {
            parse(schema_type, &text).unwrap_or_else(|error| panic!("{schema_type}: {error}"));
        }
    });
}

/// One valid text of each language that uses much of it.
const SEEDS: [(SchemaType, &str); 3] = [
    (
        SchemaType::Avro,
        r#"{"type":"record","name":"n.R","aliases":["x"],"fields":[{"name":"a","type":{"type":"enum","name":"E","symbols":["A","B"],"default":"A"},"default":"A"},{"name":"f","type":{"type":"fixed","name":"F","size":12,"logicalType":"duration"}},{"name":"u","type":["null","R",{"type":"map","values":"F"}],"default":null},{"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":4,"scale":2},"default":"\u0001"}]}"#,
    ),
    (
        SchemaType::Json,
        r##"{"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"https://x.y/z","$defs":{"a":{"$anchor":"q","type":["string","null"],"pattern":"^a(?=b)"}},"type":"object","properties":{"a":{"$ref":"#/$defs/a"},"b":{"$ref":"#q"},"c":{"$dynamicRef":"#"},"d":{"oneOf":[{"const":1},{"enum":[1,2]}],"multipleOf":0.1}},"patternProperties":{"^x":{"items":{"$ref":"#"}}},"if":{"minProperties":1},"then":{"dependentSchemas":{"a":{"maxProperties":3}}}}"##,
    ),
    (
        SchemaType::Protobuf,
        r#"syntax = "proto2"; package p; import "confluent/meta.proto"; message A { option (confluent.message_meta) = { doc: "x", tags: ["a"] }; required string a = 1 [default = "x"]; optional group G = 5 { optional int32 x = 1; } map<string, E> m = 7; oneof o { int32 q = 8; A r = 9; } extensions 100 to 199; reserved 20 to 30; message B { } } enum E { option allow_alias = true; ONE = 1; TWO = 1; } extend A { optional int32 more = 100; } service S { rpc X (A) returns (stream A.B); }"#,
    ),
];

/// Cuts a piece out, or repeats one elsewhere.
fn mutated(bytes: &mut Vec<u8>, edits: &[(usize, usize, usize, bool)]) {
    for (from, length, to, cut) in edits {
        let from = from % (bytes.len() + 1);
        let piece = bytes[from..bytes.len().min(from + length)].to_vec();
        if *cut {
            bytes.drain(from..from + piece.len());
        } else {
            let to = to % (bytes.len() + 1);
            bytes.splice(to..to, piece);
        }
    }
}

/// What is accepted must print as something that is accepted too: the log is read back.
fn survives(schema_type: SchemaType, text: &str) {
    let Ok(schema) = parse(schema_type, text) else { return };
    let _ = (schema.record_name(&[0]), schema.record_name(&[1, 0]));
    let again = parse(schema_type, &schema.text).unwrap_or_else(|error| panic!("{error}: {}", schema.text));
    assert_eq!(again.identity(), schema.identity(), "{text}");
    let normalized = schema.normalized();
    parse(schema_type, &normalized).unwrap_or_else(|error| panic!("{error}: {normalized}"));
}

proptest::proptest! {
    #[test]
    fn mutated_texts_never_panic(
        seed in 0usize..3,
        edits in proptest::collection::vec((0usize..5000, 0usize..20, 0usize..5000, proptest::bool::ANY), 1..4),
    ) {
        let (schema_type, text) = SEEDS[seed];
        let mut bytes = text.as_bytes().to_vec();
        mutated(&mut bytes, &edits);
        survives(schema_type, &String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn mutated_descriptors_never_panic(
        edits in proptest::collection::vec((0usize..5000, 0usize..12, 0usize..5000, proptest::bool::ANY), 0..2),
        flips in proptest::collection::vec((0usize..5000, 0u8..8), 0..3),
    ) {
        let schema = parse(SchemaType::Protobuf, SEEDS[2].1).expect("valid");
        let Parsed::Protobuf(protobuf) = &schema.parsed else { panic!("Protobuf") };
        let mut bytes = base64::decode(&protobuf.serialized()).expect("base64");
        mutated(&mut bytes, &edits);
        for (at, bit) in flips {
            let at = at % bytes.len().max(1);
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << bit;
            }
        }
        survives(SchemaType::Protobuf, &base64::encode(&bytes));
    }

    #[test]
    fn random_texts_never_panic(text in "\\PC{0,80}", kind in 0usize..3) {
        let _ = parse(SchemaType::ALL[kind], &text);
    }

    #[test]
    fn random_descriptors_never_panic(bytes in proptest::collection::vec(0u8.., 0..60)) {
        let _ = parse(SchemaType::Protobuf, &base64::encode(&bytes));
    }
}
