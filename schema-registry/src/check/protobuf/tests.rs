//! Are Protobuf messages accepted exactly when a decoder could decode them?

use proptest::prelude::*;
use prost::Message as _;
use prost_reflect::{DynamicMessage, Kind as Described, MapKey, MessageDescriptor, Value};

use super::*;
use crate::schema::{Parsed, Schema, SchemaType};

fn descriptor(proto: &str) -> MessageDescriptor {
    let schema = Schema::parse(SchemaType::Protobuf, proto, &[]).expect("a schema");
    match &schema.parsed {
        Parsed::Protobuf(parsed) => parsed.message(&[0]).expect("the first message"),
        _ => panic!("a Protobuf schema was parsed"),
    }
}

fn check(proto: &str, value: &[u8]) -> Result<(), String> {
    compile(&descriptor(proto)).expect("a program").check(value).map_err(|fault| fault.to_string())
}

fn refused(proto: &str, value: &[u8]) -> String {
    check(proto, value).expect_err("the value is broken")
}

fn key(number: u32, wire: u8) -> Vec<u8> {
    varint(u64::from(number << 3 | u32::from(wire)))
}

fn varint(value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    prost::encoding::encode_varint(value, &mut bytes);
    bytes
}

fn sized(number: u32, content: &[u8]) -> Vec<u8> {
    [key(number, SIZED), varint(content.len() as u64), content.to_vec()].concat()
}

const ORDER: &str = r#"syntax = "proto3";
    import "google/protobuf/timestamp.proto";
    message Root { Order order = 1; google.protobuf.Timestamp at = 2; }
    message Order {
        repeated Item items = 1;
        map<string, Item> named = 2;
        repeated sint32 steps = 3;
        int32 qty = 4;
        bool paid = 5;
        uint32 count = 6;
        enum State { NEW = 0; DONE = 1; }
        State state = 7;
        Order parent = 8;
    }
    message Item { string name = 1; double price = 2; bytes raw = 3; }"#;

fn order(content: &[u8]) -> Vec<u8> {
    sized(1, content)
}

#[test]
fn paths_lead_to_what_is_broken() {
    let item = [sized(1, b"a"), key(2, FIXED64), 9.5f64.to_le_bytes().to_vec()].concat();
    let short = [sized(1, &item), sized(1, &item), sized(1, &item[..item.len() - 5])].concat();
    assert_eq!(check(ORDER, &order(&[sized(1, &item), sized(2, &sized(2, &item))].concat())), Ok(()));
    assert_eq!(check(ORDER, &[]), Ok(()));
    assert_eq!(refused(ORDER, &order(&short)), "field 'order.items[2].price': 5 more bytes are needed, the value ends");
    let inside = [order(&short), sized(2, &[])].concat();
    assert_eq!(
        refused(ORDER, &inside),
        "field 'order.items[2].price': 5 more bytes are needed, the message around it ends"
    );
    let entry = [sized(1, b"k"), sized(2, &sized(1, &[0xff]))].concat();
    assert_eq!(
        refused(ORDER, &order(&[sized(2, &[]), sized(2, &entry)].concat())),
        "field 'order.named[1].value.name': a string is not UTF-8 from its byte 0 on"
    );
    assert_eq!(refused(ORDER, &[0x0a, 9, 1]), "field 'order': 8 more bytes are needed, the value ends");
}

#[test]
fn wire_types_match() {
    let wrong = [key(4, FIXED64), vec![0; 8]].concat();
    assert_eq!(refused(ORDER, &order(&wrong)), "field 'order.qty': the field has the wire type varint, found 64-bit");
    assert_eq!(
        refused(ORDER, &[key(1, VARINT), varint(1)].concat()),
        "field 'order': the field has the wire type length-delimited, found varint"
    );
    assert_eq!(refused(ORDER, &[6]), "no field can have the number 0 and the wire type 6");
    assert_eq!(refused(ORDER, &[0, 1]), "no field can have the number 0 and the wire type 0");
    assert_eq!(refused(ORDER, &[15]), "no field can have the number 1 and the wire type 7");
}

#[test]
fn numbers_fit_their_fields() {
    let number = |field, value| order(&[key(field, VARINT), varint(value)].concat());
    for fine in [0, 1, i32::MAX as u64, u64::MAX, u64::from(u32::MAX)] {
        assert_eq!(check(ORDER, &number(4, fine)), Ok(()));
    }
    assert_eq!(refused(ORDER, &number(4, 1 << 32)), "field 'order.qty': 4294967296 does not fit 32 bits");
    assert_eq!(refused(ORDER, &number(5, 2)), "field 'order.paid': 2 does not fit a bool");
    assert_eq!(
        refused(ORDER, &number(6, u64::MAX)),
        "field 'order.count': 18446744073709551615 does not fit 32 bits without a sign"
    );
    assert_eq!(check(ORDER, &number(7, 99)), Ok(()), "enums of proto3 are open");
    let overlong = order(&[key(4, VARINT), vec![0xff; 10]].concat());
    assert_eq!(refused(ORDER, &overlong), "field 'order.qty': a varint does not fit 64 bits");
}

#[test]
fn lists_come_packed_and_not() {
    let packed = sized(3, &[1, 2, 3]);
    let single = [key(3, VARINT), varint(4)].concat();
    assert_eq!(check(ORDER, &order(&[packed.clone(), single.clone()].concat())), Ok(()));
    let broken = sized(3, &[1, 2, 0x80]);
    assert_eq!(refused(ORDER, &order(&broken)), "field 'order.steps[2]': 1 more byte is needed, the value ends");
    let wide = [key(3, VARINT), varint(1 << 33)].concat();
    assert_eq!(
        refused(ORDER, &order(&[single, wide].concat())),
        "field 'order.steps[1]': 4294967296 does not fit 32 bits"
    );
}

#[test]
fn unknown_fields_are_skipped_whole() {
    let unknown = [
        [key(900, VARINT), varint(7)].concat(),
        [key(901, FIXED32), vec![0; 4]].concat(),
        [key(902, FIXED64), vec![0; 8]].concat(),
        sized(903, b"abc"),
        [key(904, GROUP_START), key(1, VARINT), varint(1), key(904, GROUP_END)].concat(),
    ];
    assert_eq!(check(ORDER, &unknown.concat()), Ok(()));
    for field in unknown {
        let sentence = refused(ORDER, &field[..field.len() - 1]);
        assert!(sentence.starts_with("field '(unknown 90") && sentence.ends_with("the value ends"), "{sentence}");
    }
    let crossed = [key(904, GROUP_START), key(905, GROUP_END)].concat();
    assert_eq!(refused(ORDER, &crossed), "field '(unknown 904)': the group 904 is open, the end of group 905 comes");
    assert_eq!(refused(ORDER, &key(904, GROUP_END)), "the end of group 904 comes without its start");
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| (0..depth).fold(Vec::new(), |inner, _| sized(8, &inner));
    assert_eq!(check(ORDER, &order(&nested(NESTING_MAX - 1))), Ok(()));
    assert!(refused(ORDER, &order(&nested(NESTING_MAX))).ends_with("the value nests deeper than 64 levels"));
    let groups = key(904, GROUP_START).repeat(100_000);
    assert!(refused(ORDER, &groups).ends_with("the value nests deeper than 64 levels"));
}

#[test]
fn timestamps_lie_in_their_years() {
    let at = |seconds: i64, nanos: i32| {
        let seconds = [key(1, VARINT), varint(seconds.cast_unsigned())].concat();
        let nanos = [key(2, VARINT), varint(i64::from(nanos).cast_unsigned())].concat();
        sized(2, &[seconds, nanos].concat())
    };
    assert_eq!(check(ORDER, &at(-62_135_596_800, 0)), Ok(()));
    assert_eq!(check(ORDER, &at(253_402_300_799, 999_999_999)), Ok(()));
    assert_eq!(
        refused(ORDER, &at(253_402_300_800, 0)),
        "field 'at': a timestamp lies in the years 1 to 9999, found 253402300800 seconds since 1970"
    );
    assert_eq!(
        refused(ORDER, &at(0, -1)),
        "field 'at': the nanoseconds of a timestamp lie between 0 and 999999999, found -1"
    );
}

const PROTO2: &str = r#"syntax = "proto2";
    message Root {
        required string name = 1;
        optional group Part = 2 { required int32 size = 1; }
        repeated int32 plain = 3;
        optional string note = 4;
    }"#;

#[test]
fn required_fields_and_groups_of_proto2() {
    let name = sized(1, b"n");
    let part = [key(2, GROUP_START), key(1, VARINT), varint(5), key(2, GROUP_END)].concat();
    assert_eq!(check(PROTO2, &[name.clone(), part.clone()].concat()), Ok(()));
    assert_eq!(check(PROTO2, &[name.clone(), sized(3, &[1, 2])].concat()), Ok(()));
    assert_eq!(refused(PROTO2, &part), "field 'name': the field is required, it is missing");
    let empty = [name.clone(), key(2, GROUP_START), key(2, GROUP_END)].concat();
    assert_eq!(refused(PROTO2, &empty), "field 'part.size': the field is required, it is missing");
    let open = [name.clone(), key(2, GROUP_START), key(1, VARINT), varint(5)].concat();
    assert_eq!(refused(PROTO2, &open), "field 'part': 1 more byte is needed, the value ends");
    assert_eq!(
        refused(PROTO2, &[name, sized(4, &[b'x', 0xc0])].concat()),
        "field 'note': a string is not UTF-8 from its byte 1 on"
    );
}

const SCALARS: [&str; 15] = [
    "bool", "int32", "sint32", "uint32", "int64", "sint64", "uint64", "fixed32", "sfixed32", "fixed64", "sfixed64",
    "float", "double", "string", "bytes",
];

/// The text of a random schema: every field is a type and how often it comes.
fn protos() -> impl Strategy<Value = String> {
    let field = (0usize..SCALARS.len() + 3, 0usize..4);
    prop::collection::vec(prop::collection::vec(field, 0..8), 1..4).prop_map(|messages| {
        let count = messages.len();
        let mut text = String::from("syntax = \"proto3\";\nenum Color { RED = 0; BLUE = 1; }\n");
        for (nth, fields) in messages.iter().enumerate() {
            text += &format!("message M{nth} {{\n");
            for (place, (kind, often)) in fields.iter().enumerate() {
                let name = match SCALARS.get(*kind) {
                    Some(scalar) => (*scalar).to_owned(),
                    None if *kind == SCALARS.len() => "Color".to_owned(),
                    None => format!("M{}", (nth + kind) % count),
                };
                let number = place * 7 + 1;
                text += &match often {
                    0 => format!("  {name} f{place} = {number};\n"),
                    1 => format!("  repeated {name} f{place} = {number};\n"),
                    2 => format!("  map<string, {name}> f{place} = {number};\n"),
                    _ => format!("  oneof o{place} {{ {name} f{place} = {number}; }}\n"),
                };
            }
            text += "}\n";
        }
        text
    })
}

struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 ^ (self.0 >> 29)) >> (self.0 % 64)
    }
}

fn message_of(descriptor: &MessageDescriptor, dice: &mut Dice, depth: usize) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor.clone());
    for field in descriptor.fields() {
        let is_deep = depth == 3 && (matches!(field.kind(), Described::Message(_)));
        if is_deep || dice.next().is_multiple_of(4) {
            continue;
        }
        let count = dice.next() % 4;
        if field.is_map() {
            let Described::Message(entry) = field.kind() else { panic!("entries of maps are messages") };
            let kind = entry.map_entry_value_field().kind();
            let entries = (0..count).map(|n| (MapKey::String(format!("k{n}")), value_of(&kind, dice, depth)));
            message.set_field(&field, Value::Map(entries.collect()));
        } else if field.is_list() {
            message.set_field(&field, Value::List((0..count).map(|_| value_of(&field.kind(), dice, depth)).collect()));
        } else {
            message.set_field(&field, value_of(&field.kind(), dice, depth));
        }
    }
    message
}

fn value_of(kind: &Described, dice: &mut Dice, depth: usize) -> Value {
    let number = dice.next();
    match kind {
        Described::Bool => Value::Bool(number.is_multiple_of(2)),
        Described::Int32 | Described::Sint32 | Described::Sfixed32 => Value::I32(number as i32),
        Described::Int64 | Described::Sint64 | Described::Sfixed64 => Value::I64(number.cast_signed()),
        Described::Uint32 | Described::Fixed32 => Value::U32(number as u32),
        Described::Uint64 | Described::Fixed64 => Value::U64(number),
        Described::Float => Value::F32(number as f32),
        Described::Double => Value::F64(number as f64),
        Described::String => Value::String("ü".repeat((number % 70) as usize)),
        Described::Bytes => Value::Bytes(number.to_le_bytes().to_vec().into()),
        Described::Enum(_) => Value::EnumNumber(number as i32),
        Described::Message(inner) if depth < 3 => Value::Message(message_of(inner, dice, depth + 1)),
        Described::Message(inner) => Value::Message(DynamicMessage::new(inner.clone())),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn encoded_messages_pass_and_parts_of_them_as_prost_says(proto in protos(), seed in any::<u64>()) {
        let descriptor = descriptor(&proto);
        let program = compile(&descriptor).expect("a program");
        let bytes = message_of(&descriptor, &mut Dice(seed), 0).encode_to_vec();
        prop_assert_eq!(program.check(&bytes), Ok(()));
        for end in 0..bytes.len().min(500) {
            let legal = DynamicMessage::decode(descriptor.clone(), &bytes[..end]).is_ok();
            prop_assert_eq!(program.check(&bytes[..end]).is_ok(), legal, "{} of {} bytes", end, bytes.len());
        }
    }

    #[test]
    fn what_passes_can_be_decoded(proto in protos(), seed in any::<u64>(), spoil in prop::collection::vec(any::<(usize, u8)>(), 0..4)) {
        let descriptor = descriptor(&proto);
        let program = compile(&descriptor).expect("a program");
        let mut bytes = message_of(&descriptor, &mut Dice(seed), 0).encode_to_vec();
        for (at, with) in spoil.iter().filter(|_| !bytes.is_empty()).copied().collect::<Vec<_>>() {
            let at = at % bytes.len();
            bytes[at] = with;
        }
        if program.check(&bytes).is_ok() {
            prop_assert!(DynamicMessage::decode(descriptor, &bytes[..]).is_ok());
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(proto in protos(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = compile(&descriptor(&proto)).expect("a program").check(&bytes);
    }
}
