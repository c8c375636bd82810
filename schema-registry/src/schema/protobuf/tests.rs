//! Are Protobuf schemas understood in both forms, and printed so that they mean the same?

use std::sync::Arc;

use super::super::tests::{parse, reference};
use super::super::{Parsed, Schema, SchemaType};
use super::ProtobufSchema;

fn protobuf(schema: &Schema) -> &ProtobufSchema {
    match &schema.parsed {
        Parsed::Protobuf(protobuf) => protobuf,
        other => panic!("{other:?}"),
    }
}

const RICH: &str = r#"
// A comment that is kept.
syntax = "proto3";
package shop.v1;
import "google/protobuf/timestamp.proto";
import "google/type/money.proto";
import "confluent/meta.proto";
import "confluent/type/decimal.proto";
option java_package = "com.shop";
option (confluent.file_meta).doc = "file";
message Order {
  option (confluent.message_meta) = { doc: "an \"order\"", tags: ["PII"] };
  reserved 100 to 110, 120;
  reserved "old";
  string id = 1 [json_name = "ID", (confluent.field_meta).doc = "key"];
  repeated Line lines = 2;
  map<string, Line> by_name = 3;
  oneof pay { string card = 4; google.type.Money cash = 5; }
  optional int32 count = 6 [deprecated = true];
  google.protobuf.Timestamp at = 7;
  confluent.type.Decimal price = 8;
  repeated int32 packed = 9 [packed = false];
  Kind kind = 10;
  message Line { string sku = 1; Kind kind = 2; }
  enum Kind { option allow_alias = true; NONE = 0; ONE = 1; EINS = 1 [deprecated = true]; }
}
message Other { Order.Line line = 1; }
service S { rpc Get (Order) returns (stream Other) { option deprecated = true; } }
"#;

const PROTO2: &str = r#"
syntax = "proto2";
package p;
message A {
  required string a = 1 [default = "x\"\n"];
  optional bytes b = 2 [default = "\001\\"];
  optional double c = 3 [default = inf];
  optional E e = 4 [default = TWO];
  optional group G = 5 { optional int32 x = 1; }
  repeated int32 r = 6 [packed = true];
  extensions 100 to 199;
  extensions 1000 to max;
}
enum E { ONE = 1; TWO = 2; reserved 5 to 7; }
extend A { optional int32 more = 100; }
"#;

#[test]
fn printed_text_means_the_same() {
    for text in [RICH, PROTO2, "message Bare {}"] {
        let first = parse(SchemaType::Protobuf, text).expect(text);
        assert_eq!(first.text, text, "a given text is kept");
        let printed = protobuf(&first).text();
        let second = parse(SchemaType::Protobuf, &printed).unwrap_or_else(|error| panic!("{error}\n{printed}"));
        assert_eq!(protobuf(&second).text(), printed);
        assert_eq!(first.identity(), second.identity());
        let bare = |schema: &Schema| {
            let mut proto = protobuf(schema).file.file_descriptor_proto().clone();
            proto.syntax = None;
            proto
        };
        assert_eq!(bare(&first), bare(&second), "{printed}");
        let third = parse(SchemaType::Protobuf, &protobuf(&first).serialized()).expect("base64 is read");
        assert_eq!(first.identity(), third.identity(), "{}\n{}", protobuf(&first).text(), third.text);
        assert_eq!(third.text, printed, "a descriptor is kept as text");
    }
}

#[test]
fn imports_are_references() {
    let a = Arc::new(parse(SchemaType::Protobuf, "syntax=\"proto3\"; package a; message A {}").expect("valid"));
    let b = "syntax=\"proto3\"; package b; import public \"dir/a.proto\"; message B { a.A a = 1; }";
    let b = Arc::new(Schema::parse(SchemaType::Protobuf, b, &[reference("dir/a.proto", &a)]).expect("valid"));
    let c =
        "syntax=\"proto3\"; import \"b.proto\"; import \"default.proto\"; message C { b.B b = 1; a.A a = 2; D d = 3; }";
    let d = Arc::new(parse(SchemaType::Protobuf, "syntax=\"proto3\"; message D {}").expect("valid"));
    let references = [reference("b.proto", &b), reference("dir/a.proto", &a), reference("default.proto", &d)];
    let c = Schema::parse(SchemaType::Protobuf, c, &references).expect("valid");
    let message = protobuf(&c).message(&[0]).expect("C");
    assert_eq!(message.full_name(), "C");
    assert!(protobuf(&c).message_named("a.A").is_some());
    let error = parse(SchemaType::Protobuf, "import \"b.proto\"; message C {}").expect_err("refused").to_string();
    assert!(error.contains("b.proto") && error.contains("reference"), "{error}");
}

#[test]
fn every_builtin_compiles() {
    for (path, ..) in super::builtin::FILES {
        let text = format!("syntax=\"proto3\"; import \"{path}\"; message A {{}}");
        parse(SchemaType::Protobuf, &text).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
}

#[test]
fn normalized_keeps_the_order_of_messages() {
    let text = "syntax=\"proto3\"; message B { string b = 2; string a = 1; } message A {}";
    let schema = parse(SchemaType::Protobuf, text).expect("valid");
    let expected = "syntax = \"proto3\";\nmessage B {\n  string a = 1;\n  string b = 2;\n}\nmessage A {\n}\n";
    assert_eq!(schema.normalized(), expected);
}

#[test]
fn brackets_in_comments_and_texts_do_not_count() {
    let brackets = "{".repeat(500);
    let text = format!(
        "/* {brackets} */ // {brackets}\nmessage A {{ optional string a = 1 [default = \"\\\"{brackets}\"]; }}"
    );
    parse(SchemaType::Protobuf, &text).expect("valid");
}

#[test]
fn damaged_descriptors_are_refused() {
    use prost::Message;
    use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto, MessageOptions};
    let field = |number: i32| FieldDescriptorProto {
        name: Some("a".into()),
        number: Some(number),
        r#type: Some(5),
        label: Some(1),
        ..Default::default()
    };
    let message = |fields: Vec<FieldDescriptorProto>| DescriptorProto {
        name: Some("A".into()),
        field: fields,
        ..Default::default()
    };
    let parsed = |message: DescriptorProto| {
        let file = FileDescriptorProto { message_type: vec![message], ..Default::default() };
        parse(SchemaType::Protobuf, &crate::base64::encode(&file.encode_to_vec()))
    };
    parsed(message(vec![field(1)])).expect("valid");
    let entry = DescriptorProto {
        options: Some(MessageOptions { map_entry: Some(true), ..Default::default() }),
        ..message(vec![field(1)])
    };
    let rows = [
        ("no name", DescriptorProto::default()),
        ("number", message(vec![field(0)])),
        ("number", message(vec![field(536_870_912)])),
        ("oneof", message(vec![FieldDescriptorProto { oneof_index: Some(3), ..field(1) }])),
        ("no name", message(vec![FieldDescriptorProto { name: Some("a b".into()), ..field(1) }])),
        ("no type", message(vec![FieldDescriptorProto { r#type: None, ..field(1) }])),
        ("default", message(vec![FieldDescriptorProto { default_value: Some("1; }".into()), ..field(1) }])),
        ("map entry", DescriptorProto { nested_type: vec![entry], ..message(vec![]) }),
    ];
    for (part, message) in rows {
        let error = parsed(message).expect_err(part).to_string();
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn odd_octal_numbers_are_refused() {
    for (text, valid) in [("0199", false), ("08", false), ("017", true), ("0", true), ("10", true), ("0x19", true)] {
        let text = format!("message A {{ optional int32 a0189 = 1 [default = {text}]; }}");
        assert_eq!(parse(SchemaType::Protobuf, &text).is_ok(), valid, "{text}");
    }
}
