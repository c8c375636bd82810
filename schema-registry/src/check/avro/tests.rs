//! Are Avro values accepted exactly when a reader could read them?

use std::collections::HashMap;

use apache_avro::types::Value;
use apache_avro::{Schema, to_avro_datum};
use proptest::prelude::*;

use super::*;

fn program(schema: &str) -> Program {
    compile(&Schema::parse_str(schema).expect("a schema"), &HashMap::new()).expect("a program")
}

fn check(schema: &str, value: &[u8]) -> Result<(), String> {
    program(schema).check(value).map_err(|fault| fault.to_string())
}

fn refused(schema: &str, value: &[u8]) -> String {
    check(schema, value).expect_err("the value is broken")
}

/// Avro's int and long.
fn long(value: i64) -> Vec<u8> {
    let mut left = ((value << 1) ^ (value >> 63)).cast_unsigned();
    let mut bytes = Vec::new();
    while left >= 0x80 {
        bytes.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    bytes.push(left as u8);
    bytes
}

fn text(value: &str) -> Vec<u8> {
    [long(value.len() as i64), value.as_bytes().to_vec()].concat()
}

const ORDER: &str = r#"{"type": "record", "name": "Root", "fields": [
    {"name": "nothing", "type": "null"},
    {"name": "order", "type": {"type": "record", "name": "Order", "namespace": "shop", "fields": [
        {"name": "items", "type": {"type": "array", "items": {"type": "record", "name": "Item", "fields": [
            {"name": "name", "type": "string"},
            {"name": "price", "type": "double"}]}}},
        {"name": "labels", "type": {"type": "map", "values": ["null", "int"]}},
        {"name": "first", "type": ["null", "Item"]}]}}]}"#;

fn item(name: &str) -> Vec<u8> {
    [text(name), 9.5f64.to_le_bytes().to_vec()].concat()
}

#[test]
fn paths_lead_to_what_is_broken() {
    let whole = [
        long(3),
        item("a"),
        item("b"),
        item("c"),
        long(0),
        long(1),
        text("weight"),
        long(1),
        long(7),
        long(0),
        long(1),
        item("d"),
    ];
    let whole = whole.concat();
    assert_eq!(check(ORDER, &whole), Ok(()));
    assert_eq!(refused(ORDER, &whole[..26]), "field 'order.items[2].price': 5 more bytes are needed, the value ends");
    assert_eq!(refused(ORDER, &whole[..41]), "field 'order.labels[\"weight\"]': 1 more byte is needed, the value ends");
    assert_eq!(refused(ORDER, &[whole.clone(), vec![1]].concat()), "1 byte is left over behind the value");
    assert_eq!(refused(ORDER, &[whole, vec![1, 2]].concat()), "2 bytes are left over behind the value");
    let utf8 = [long(1), long(2), vec![b'a', 0xff]].concat();
    assert_eq!(
        refused(ORDER, &[utf8, vec![0; 8]].concat()),
        "field 'order.items[0].name': a string is not UTF-8 from its byte 1 on"
    );
}

#[test]
fn numbers_keep_to_their_ranges() {
    assert_eq!(check("\"int\"", &long(i64::from(i32::MIN))), Ok(()));
    assert_eq!(refused("\"int\"", &long(1 << 31)), "2147483648 does not fit an int of 32 bits");
    assert_eq!(check("\"long\"", &long(i64::MIN)), Ok(()));
    assert_eq!(refused("\"long\"", &[0xff; 11]), "a varint does not fit 64 bits");
    assert_eq!(refused("\"long\"", &[0x80; 10]), "a varint does not fit 64 bits");
    let over = [vec![0xff; 9], vec![2]].concat();
    assert_eq!(refused("\"long\"", &over), "a varint does not fit 64 bits");
    assert_eq!(check("\"boolean\"", &[1]), Ok(()));
    assert_eq!(refused("\"boolean\"", &[2]), "a boolean is 0 or 1, found the byte 2");
    assert_eq!(check("\"float\"", &[0xff; 4]), Ok(()));
    assert_eq!(refused("\"string\"", &long(-1)), "a string cannot have the length -1");
    assert_eq!(
        refused("\"string\"", &[long(i64::MAX), vec![1]].concat()),
        "9223372036854775806 more bytes are needed, the value ends"
    );
}

#[test]
fn indexes_stay_within_unions_and_enums() {
    let choice = r#"{"type": "enum", "name": "E", "symbols": ["A", "B", "C"]}"#;
    assert_eq!(check(choice, &long(2)), Ok(()));
    assert_eq!(refused(choice, &long(3)), "the enum has no symbol 3, they count from 0 to 2");
    assert_eq!(refused(choice, &long(-1)), "the enum has no symbol -1, they count from 0 to 2");
    assert_eq!(check(r#"["null", "int"]"#, &long(0)), Ok(()));
    assert_eq!(refused(r#"["null", "int"]"#, &long(7)), "the union has no branch 7, they count from 0 to 1");
}

#[test]
fn logical_types_fit_their_columns() {
    let logical = |base: &str, name: &str| format!(r#"{{"type": "{base}", "logicalType": "{name}"}}"#);
    let millis = logical("int", "time-millis");
    assert_eq!(check(&millis, &long(86_399_999)), Ok(()));
    assert_eq!(refused(&millis, &long(86_400_000)), "a time-millis lies between 0 and 86399999, found 86400000");
    let micros = logical("long", "time-micros");
    assert_eq!(check(&micros, &long(86_399_999_999)), Ok(()));
    assert_eq!(refused(&micros, &long(-1)), "a time-micros lies between 0 and 86399999999, found -1");
    let instant = logical("long", "timestamp-millis");
    assert_eq!(check(&instant, &long(i64::MIN / 1000)), Ok(()));
    assert_eq!(
        refused(&instant, &long(i64::MAX / 1000 + 1)),
        "a timestamp-millis lies between -9223372036854775 and 9223372036854775, found 9223372036854776"
    );
    let uuid = logical("string", "uuid");
    assert_eq!(check(&uuid, &text("6ba7b810-9dad-11d1-80b4-00c04fd430c8")), Ok(()));
    assert!(refused(&uuid, &text("no")).starts_with("a string is no UUID: "));
}

#[test]
fn decimals_keep_to_their_precision() {
    let bytes = r#"{"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}"#;
    let decimal = |value: i16| [long(2), value.to_be_bytes().to_vec()].concat();
    for fine in [9999, -9999, 0] {
        assert_eq!(check(bytes, &decimal(fine)), Ok(()));
    }
    for wide in [10_000, -10_000] {
        assert_eq!(refused(bytes, &decimal(wide)), "a decimal has more than its 4 digits");
    }
    assert_eq!(refused(bytes, &long(0)), "a decimal has at least one byte");
    let fixed = r#"{"type": "fixed", "name": "D", "size": 20, "logicalType": "decimal", "precision": 38}"#;
    let nines = 10i128.pow(38) - 1;
    for (value, fits) in [(nines, true), (-nines, true), (nines + 1, false), (-nines - 1, false), (i128::MIN, false)] {
        let sign = if value < 0 { 0xff } else { 0 };
        let unscaled = [vec![sign; 4], value.to_be_bytes().to_vec()].concat();
        assert_eq!(check(fixed, &unscaled).is_ok(), fits, "{value}");
    }
    assert_eq!(refused(fixed, &[0x7f; 20]), "a decimal has more than its 38 digits");
}

#[test]
fn blocks_tell_the_truth() {
    let longs = r#"{"type": "array", "items": "long"}"#;
    let sized = |size: i64| [long(-2), long(size), vec![2, 4], long(0)].concat();
    assert_eq!(check(longs, &sized(2)), Ok(()));
    assert_eq!(refused(longs, &sized(3)), "a block of 2 items ends at byte 4 of the value, its size says 5");
    assert_eq!(refused(longs, &sized(9)), "a block of 2 items says that it takes 9 bytes, 3 are left");
    assert_eq!(refused(longs, &sized(-1)), "a block of 2 items says that it takes -1 bytes, 3 are left");
    assert_eq!(
        refused(longs, &[long(1 << 40), vec![0; 3]].concat()),
        "a block of 1099511627776 items cannot lie in 3 bytes"
    );
    assert_eq!(
        refused(longs, &[long(i64::MIN), long(0)].concat()),
        "a block of 9223372036854775808 items cannot lie in 0 bytes"
    );
    assert_eq!(refused(longs, &long(1)), "a block of 1 items cannot lie in 0 bytes");
}

#[test]
fn what_has_no_width_cannot_spin() {
    let nulls = r#"{"type": "array", "items": {"type": "record", "name": "N", "fields": [
        {"name": "a", "type": "null"}, {"name": "b", "type": {"type": "fixed", "name": "F", "size": 0}}]}}"#;
    assert_eq!(check(nulls, &[long(10_000), long(0)].concat()), Ok(()));
    let twice = [long(9_000), long(9_000), long(0)].concat();
    assert_eq!(refused(nulls, &twice), "more than 10000 items of no width are in the value");
    assert_eq!(refused(nulls, &long(i64::MAX)), "more than 10000 items of no width are in the value");
    // Without dropping such fields this walk would take 2^40 steps.
    let mut bomb = r#"{"type": "record", "name": "R0", "fields": [{"name": "x", "type": "null"}]}"#.to_owned();
    for level in 1..=40 {
        bomb = format!(
            r#"{{"type": "record", "name": "R{level}", "fields": [
                {{"name": "a", "type": {bomb}}}, {{"name": "b", "type": "R{}"}}]}}"#,
            level - 1
        );
    }
    assert_eq!(check(&bomb, &[]), Ok(()));
}

#[test]
fn recursion_is_bounded() {
    let list = r#"{"type": "record", "name": "List", "namespace": "x", "fields": [
        {"name": "head", "type": "int"}, {"name": "tail", "type": ["null", "List"]}]}"#;
    let chain = |length: usize| {
        let mut bytes = [long(1), long(1)].concat().repeat(length - 1);
        bytes.extend([long(1), long(0)].concat());
        bytes
    };
    assert_eq!(check(list, &chain(3)), Ok(()));
    assert_eq!(check(list, &chain(NESTING_MAX)), Ok(()));
    assert!(refused(list, &chain(NESTING_MAX + 1)).ends_with("the value nests deeper than 64 levels"));
    let endless = r#"{"type": "record", "name": "E", "fields": [{"name": "e", "type": "E"}]}"#;
    assert!(refused(endless, &[]).ends_with("the value nests deeper than 64 levels"));
}

#[test]
fn plain_bytes_come_as_they_are() {
    assert_eq!(check("\"bytes\"", &[]), Ok(()));
    assert_eq!(check("\"bytes\"", &[0xff; 5]), Ok(()));
    let inside = r#"{"type": "array", "items": "bytes"}"#;
    assert!(check(inside, &[0xff; 5]).is_err());
}

/// Pieces of random schemas.
#[derive(Debug, Clone)]
enum Shape {
    Leaf(&'static str),
    Logical(&'static str, &'static str),
    Decimal(usize),
    Enum(usize),
    Fixed(usize),
    Array(Box<Shape>),
    Map(Box<Shape>),
    Optional(Box<Shape>),
    Record(Vec<Shape>),
}

fn shapes() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        prop::sample::select(vec!["null", "boolean", "int", "long", "float", "double", "bytes", "string"])
            .prop_map(Shape::Leaf),
        prop::sample::select(vec![
            ("int", "date"),
            ("int", "time-millis"),
            ("long", "time-micros"),
            ("long", "timestamp-millis"),
            ("long", "timestamp-micros"),
            ("long", "local-timestamp-nanos"),
            ("string", "uuid"),
        ])
        .prop_map(|(base, name)| Shape::Logical(base, name)),
        (1usize..20).prop_map(Shape::Decimal),
        (1usize..6).prop_map(Shape::Enum),
        (0usize..6).prop_map(Shape::Fixed),
    ];
    let nested = leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            inner.clone().prop_map(|items| Shape::Array(Box::new(items))),
            inner.clone().prop_map(|values| Shape::Map(Box::new(values))),
            inner.clone().prop_map(|some| Shape::Optional(Box::new(some))),
            prop::collection::vec(inner, 0..5).prop_map(Shape::Record),
        ]
    });
    prop::collection::vec(nested, 0..6).prop_map(Shape::Record)
}

/// A stream of numbers from a seed.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let wide = self.0 ^ (self.0 >> 29);
        // Small numbers are as likely as large ones.
        wide >> (self.0 % 64)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// The schema's text; `names` counts the named types.
fn schema_of(shape: &Shape, names: &mut usize) -> serde_json::Value {
    use serde_json::json;
    *names += 1;
    let name = format!("T{names}");
    match shape {
        Shape::Leaf(name) => json!(name),
        Shape::Logical(base, logical) => json!({"type": base, "logicalType": logical}),
        Shape::Decimal(digits) => json!({"type": "bytes", "logicalType": "decimal", "precision": digits, "scale": 0}),
        Shape::Enum(count) => {
            let symbols: Vec<String> = (0..*count).map(|n| format!("S{n}")).collect();
            json!({"type": "enum", "name": name, "symbols": symbols})
        }
        Shape::Fixed(size) => json!({"type": "fixed", "name": name, "size": size}),
        Shape::Array(items) => json!({"type": "array", "items": schema_of(items, names)}),
        Shape::Map(values) => json!({"type": "map", "values": schema_of(values, names)}),
        Shape::Optional(some) => match some.as_ref() {
            Shape::Leaf("null") | Shape::Optional(_) => schema_of(some, names),
            _ => json!(["null", schema_of(some, names)]),
        },
        Shape::Record(fields) => {
            let field = |(n, shape)| json!({"name": format!("f{n}"), "type": schema_of(shape, names)});
            let fields: Vec<_> = fields.iter().enumerate().map(field).collect();
            json!({"type": "record", "name": name, "fields": fields})
        }
    }
}

fn value_of(shape: &Shape, dice: &mut Dice) -> Value {
    match shape {
        Shape::Leaf("null") => Value::Null,
        Shape::Leaf("boolean") => Value::Boolean(dice.below(2) == 1),
        Shape::Leaf("int") => Value::Int(dice.next() as i32),
        Shape::Leaf("long") => Value::Long(dice.next().cast_signed()),
        Shape::Leaf("float") => Value::Float(dice.next() as f32),
        Shape::Leaf("double") => Value::Double(dice.next() as f64),
        Shape::Leaf("bytes") => Value::Bytes(dice.next().to_le_bytes()[..dice.below(9) as usize].to_vec()),
        Shape::Leaf(_) => Value::String("é".repeat(dice.below(70) as usize)),
        Shape::Logical(_, "date") => Value::Date(dice.next() as i32),
        Shape::Logical(_, "time-millis") => Value::TimeMillis(dice.below(86_400_000) as i32),
        Shape::Logical(_, "time-micros") => Value::TimeMicros(dice.below(86_400_000_000).cast_signed()),
        Shape::Logical(_, "timestamp-millis") => Value::TimestampMillis(dice.next().cast_signed() / 1000),
        Shape::Logical(_, "timestamp-micros") => Value::TimestampMicros(dice.next().cast_signed()),
        Shape::Logical(_, "local-timestamp-nanos") => Value::LocalTimestampNanos(dice.next().cast_signed()),
        Shape::Logical(..) => Value::Uuid(uuid::Uuid::from_u64_pair(dice.next(), dice.next())),
        Shape::Decimal(digits) => {
            let unscaled = i128::from(dice.below(10u64.pow(*digits as u32))) * if dice.below(2) == 0 { 1 } else { -1 };
            Value::Decimal(unscaled.to_be_bytes().to_vec().into())
        }
        Shape::Enum(count) => {
            let nth = dice.below(*count as u64);
            Value::Enum(nth as u32, format!("S{nth}"))
        }
        Shape::Fixed(size) => Value::Fixed(*size, vec![dice.next() as u8; *size]),
        Shape::Array(items) => Value::Array((0..dice.below(4)).map(|_| value_of(items, dice)).collect()),
        Shape::Map(values) => {
            Value::Map((0..dice.below(4)).map(|n| (format!("k{n}"), value_of(values, dice))).collect())
        }
        Shape::Optional(some) => match some.as_ref() {
            Shape::Leaf("null") | Shape::Optional(_) => value_of(some, dice),
            _ if dice.below(3) == 0 => Value::Union(0, Box::new(Value::Null)),
            _ => Value::Union(1, Box::new(value_of(some, dice))),
        },
        Shape::Record(fields) => Value::Record(
            fields.iter().enumerate().map(|(n, shape)| (format!("f{n}"), value_of(shape, dice))).collect(),
        ),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn encoded_values_pass_and_parts_of_them_fail(shape in shapes(), seed in any::<u64>()) {
        let schema = Schema::parse(&schema_of(&shape, &mut 0)).expect("shapes are schemas");
        let program = compile(&schema, &HashMap::new()).expect("shapes compile");
        let bytes = to_avro_datum(&schema, value_of(&shape, &mut Dice(seed))).expect("values fit their shapes");
        prop_assert_eq!(program.check(&bytes), Ok(()));
        for end in 0..bytes.len() {
            prop_assert!(program.check(&bytes[..end]).is_err(), "{} of {} bytes pass", end, bytes.len());
        }
        let longer = [&bytes[..], &[0]].concat();
        let fault = program.check(&longer).expect_err("one byte too many");
        prop_assert_eq!(fault.to_string(), "1 byte is left over behind the value");
    }

    #[test]
    fn arbitrary_bytes_never_panic(shape in shapes(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let schema = Schema::parse(&schema_of(&shape, &mut 0)).expect("shapes are schemas");
        let program = compile(&schema, &HashMap::new()).expect("shapes compile");
        let _ = program.check(&bytes);
        let _ = super::tests::program(ORDER).check(&bytes);
    }

    #[test]
    fn spoilt_values_never_panic(shape in shapes(), seed in any::<u64>(), at in any::<usize>(), with in any::<u8>()) {
        let schema = Schema::parse(&schema_of(&shape, &mut 0)).expect("shapes are schemas");
        let program = compile(&schema, &HashMap::new()).expect("shapes compile");
        let mut bytes = to_avro_datum(&schema, value_of(&shape, &mut Dice(seed))).expect("values fit their shapes");
        if !bytes.is_empty() {
            let at = at % bytes.len();
            bytes[at] = with;
            let _ = program.check(&bytes);
        }
    }
}
