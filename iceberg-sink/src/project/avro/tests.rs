//! Rows of Avro payloads: exact ones, and random schemas and values that come back equal.

mod random;

use std::sync::Arc;

use apache_avro::types::Value;
use apache_avro::{Days, Decimal, Duration, Millis, Months};
use proptest::prelude::*;
use schema_registry::{Parsed, Schema, SchemaType};

use crate::project::Pushed;
use crate::project::tests::{NOWHERE, project, projector, registry};
use crate::types::tests::schema;
use random::{Random, Shape};

fn record(fields: &str) -> Arc<Schema> {
    schema(SchemaType::Avro, &format!(r#"{{"type":"record","name":"R","fields":[{fields}]}}"#))
}

fn encode(schema: &Schema, value: Value) -> Vec<u8> {
    let Parsed::Avro(avro) = &schema.parsed else { panic!("an Avro schema") };
    apache_avro::to_avro_datum(&avro.root, value).unwrap()
}

fn one_field(kind: &str, values: Vec<Value>) -> Vec<String> {
    let schema = record(&format!(r#"{{"name":"f","type":{kind}}}"#));
    let payloads: Vec<Vec<u8>> =
        values.into_iter().map(|value| encode(&schema, Value::Record(vec![("f".into(), value)]))).collect();
    let payloads: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
    let (pushed, lines) = project(&schema, &payloads);
    assert!(pushed.iter().all(|pushed| *pushed == Pushed::Row), "{kind}: {pushed:?}");
    lines.iter().map(|line| line.strip_prefix(r#"{"f":"#).unwrap().strip_suffix('}').unwrap().to_owned()).collect()
}

#[test]
fn values_of_all_types_become_rows() {
    let uuid = uuid::Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
    let fixed_uuid = r#"{"type":"fixed","name":"U","size":16,"logicalType":"uuid"}"#;
    let decimal = r#"{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}"#;
    let decimals =
        [vec![0x01, 0x00], vec![0xff], vec![0xff, 0xff, 0x7f]].map(|bytes| Value::Decimal(Decimal::from(bytes)));
    let duration = Duration::new(Months::new(1), Days::new(2), Millis::new(u32::MAX));
    let rows: Vec<(&str, Vec<Value>, Vec<&str>)> = vec![
        (r#""boolean""#, vec![Value::Boolean(true), Value::Boolean(false)], vec!["true", "false"]),
        (r#""int""#, vec![Value::Int(i32::MIN), Value::Int(i32::MAX)], vec!["-2147483648", "2147483647"]),
        (r#""long""#, vec![Value::Long(i64::MIN), Value::Long(-1)], vec!["-9223372036854775808", "-1"]),
        (r#""float""#, vec![Value::Float(0.5), Value::Float(f32::NAN)], vec!["0.5", "null"]),
        (r#""double""#, vec![Value::Double(-0.0), Value::Double(0.25)], vec!["-0.0", "0.25"]),
        (r#""bytes""#, vec![Value::Bytes(vec![0, 255]), Value::Bytes(vec![])], vec![r#""00ff""#, r#""""#]),
        (r#""string""#, vec![Value::String("ß".into()), Value::String(String::new())], vec![r#""ß""#, r#""""#]),
        (r#"{"type":"fixed","name":"F","size":2}"#, vec![Value::Fixed(2, vec![1, 2])], vec![r#""0102""#]),
        (r#"{"type":"enum","name":"E","symbols":["A","B"]}"#, vec![Value::Enum(1, "B".into())], vec![r#""B""#]),
        (decimal, decimals.into(), vec!["2.56", "-0.01", "-1.29"]),
        (
            r#"{"type":"string","logicalType":"uuid"}"#,
            vec![Value::Uuid(uuid)],
            vec![r#""0123456789abcdef0123456789abcdef""#],
        ),
        (fixed_uuid, vec![Value::Fixed(16, uuid.as_bytes().to_vec())], vec![r#""0123456789abcdef0123456789abcdef""#]),
        (r#"{"type":"int","logicalType":"date"}"#, vec![Value::Date(-1)], vec![r#""1969-12-31""#]),
        (r#"{"type":"int","logicalType":"time-millis"}"#, vec![Value::TimeMillis(1)], vec![r#""00:00:00.001000""#]),
        (r#"{"type":"long","logicalType":"time-micros"}"#, vec![Value::TimeMicros(1)], vec![r#""00:00:00.000001""#]),
        (
            r#"{"type":"long","logicalType":"timestamp-millis"}"#,
            vec![Value::TimestampMillis(-1)],
            vec![r#""1969-12-31T23:59:59.999Z""#],
        ),
        (
            r#"{"type":"long","logicalType":"local-timestamp-micros"}"#,
            vec![Value::LocalTimestampMicros(1)],
            vec![r#""1970-01-01T00:00:00.000001""#],
        ),
        (
            r#"{"type":"long","logicalType":"timestamp-nanos"}"#,
            vec![Value::TimestampNanos(i64::MAX)],
            vec!["9223372036854775807"],
        ),
        (
            r#"{"type":"fixed","name":"D","size":12,"logicalType":"duration"}"#,
            vec![Value::Duration(duration)],
            vec![r#"{"months":1,"days":2,"millis":4294967295}"#],
        ),
        (
            r#"["string","null",{"type":"record","name":"S","fields":[{"name":"x","type":["null","int"]}]}]"#,
            vec![
                Value::Union(1, Box::new(Value::Null)),
                Value::Union(0, Box::new(Value::String("s".into()))),
                Value::Union(2, Box::new(Value::Record(vec![("x".into(), Value::Union(0, Box::new(Value::Null)))]))),
            ],
            vec!["null", r#"{"string":"s","S":null}"#, r#"{"string":null,"S":{"x":null}}"#],
        ),
        (
            r#"{"type":"array","items":["null",{"type":"array","items":"int"}]}"#,
            vec![
                Value::Array(vec![]),
                Value::Array(vec![
                    Value::Union(0, Box::new(Value::Null)),
                    Value::Union(1, Box::new(Value::Array(vec![]))),
                    Value::Union(1, Box::new(Value::Array(vec![Value::Int(1), Value::Int(2)]))),
                ]),
            ],
            vec!["[]", "[null,[],[1,2]]"],
        ),
        (
            r#"["null",{"type":"map","values":"long"}]"#,
            vec![
                Value::Union(0, Box::new(Value::Null)),
                Value::Union(1, Box::new(Value::Map([].into()))),
                Value::Union(1, Box::new(Value::Map([("k".to_owned(), Value::Long(1))].into()))),
            ],
            vec!["null", "{}", r#"{"k":1}"#],
        ),
    ];
    for (kind, values, wanted) in rows {
        assert_eq!(one_field(kind, values), wanted, "{kind}");
    }
}

#[test]
fn blocks_with_a_size_are_read_and_lies_are_refused() {
    let schema = record(r#"{"name":"f","type":{"type":"array","items":"int"}}"#);
    let rows: [(&[u8], Result<&str, &str>); 7] = [
        // Two blocks, the first with a negative count and its size in bytes.
        (&[3, 4, 2, 4, 2, 6, 0], Ok(r#"{"f":[1,2,3]}"#)),
        (&[0], Ok(r#"{"f":[]}"#)),
        (&[], Err("field 'f': 1 bytes are wanted")),
        (&[2], Err("field 'f': 1 items do not fit the record")),
        (&[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], Err("field 'f': 9223372036854775807 items")),
        (&[0xff; 12], Err("field 'f': a number has more than 64 bits")),
        (&[2, 0x80, 0x80, 0x80, 0x80, 0x20, 0], Err("field 'f[0]': 4294967296 does not fit 32 bits")),
    ];
    for (payload, wanted) in rows {
        let (pushed, lines) = project(&schema, &[payload]);
        match wanted {
            Ok(line) => assert_eq!(lines, [line]),
            Err(start) => match &pushed[0] {
                Pushed::Dead(cause) => assert!(cause.starts_with(start), "{cause}"),
                other => panic!("{payload:?}: {other:?}"),
            },
        }
    }
}

#[test]
fn broken_scalars_are_refused() {
    let rows: [(&str, &[u8], &str); 8] = [
        (r#""boolean""#, &[2], "byte 2 is no boolean"),
        (r#""string""#, &[2, 0xff], "the text is not UTF-8"),
        (r#""bytes""#, &[1], "-1 is no length"),
        (r#"["null","int"]"#, &[4], "the union has no branch number 2"),
        (r#"{"type":"enum","name":"E","symbols":["A"]}"#, &[2], "the enum has no symbol number 1"),
        (r#"{"type":"string","logicalType":"uuid"}"#, &[2, b'x'], "the text is no UUID"),
        (r#"{"type":"int","logicalType":"time-millis"}"#, &[1], "-1000 µs is no time within a day"),
        (r#"{"type":"map","values":"int"}"#, &[4, 2, b'k', 0, 2, b'k', 0, 0], "the map has this key twice"),
    ];
    for (kind, payload, wanted) in rows {
        let schema = record(&format!(r#"{{"name":"f","type":{kind}}}"#));
        let (pushed, _) = project(&schema, &[payload]);
        let Pushed::Dead(cause) = &pushed[0] else { panic!("{kind}: {pushed:?}") };
        assert!(cause.ends_with(wanted), "{kind}: {cause}");
    }
}

#[test]
fn decimals_of_any_length_are_read() {
    let decimal = r#"{"name":"f","type":{"type":"bytes","logicalType":"decimal","precision":38,"scale":1}}"#;
    let long = |byte: u8| [&[40], &[byte; 19][..], &[0x81]].concat();
    let rows: [(&[u8], Option<&str>); 5] = [
        (&[0], Some(r#"{"f":0.0}"#)),
        (&long(0xff), Some(r#"{"f":-12.7}"#)),
        (&long(0), Some(r#"{"f":12.9}"#)),
        (&long(1), None),
        (&[&[32], &[0x7f; 16][..]].concat(), None),
    ];
    for (payload, wanted) in rows {
        let (pushed, lines) = project(&record(decimal), &[payload]);
        assert_eq!(lines.first().map(String::as_str), wanted, "{pushed:?}");
    }
}

#[test]
fn nulls_take_no_column_but_their_bytes() {
    let schema = record(r#"{"name":"a","type":"null"},{"name":"b","type":["null"]},{"name":"c","type":"int"}"#);
    let (pushed, lines) = project(&schema, &[&[0, 14]]);
    assert_eq!((pushed, lines), (vec![Pushed::Row], vec![r#"{"c":7}"#.to_owned()]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Random schemas, random values, one batch: what was encoded is what stands in the arrays.
    #[test]
    fn random_values_come_back_equal(seed in any::<u64>()) {
        let mut random = Random(seed | 1);
        let shape = Shape::record(&mut random, 3);
        let schema = schema(SchemaType::Avro, &shape.text().to_string());
        let view = registry(std::slice::from_ref(&schema));
        let mut projector = projector(&schema);
        let rows: Vec<Value> = (0..8).map(|_| shape.value(&mut random)).collect();
        for row in &rows {
            let payload = encode(&schema, row.clone());
            // A record cut short between two good ones must leave no trace.
            if payload.len() > 1 {
                let cut = &payload[..random.below(payload.len() as u64 - 1) as usize];
                let pushed = projector.push(&NOWHERE, Some(cut), &view);
                prop_assert!(matches!(pushed, Pushed::Dead(_)), "{pushed:?}");
            }
            prop_assert_eq!(projector.push(&NOWHERE, Some(&payload), &view), Pushed::Row);
        }
        let batch = projector.take().unwrap();
        let data: Vec<_> = batch.columns()[6..].to_vec();
        for (index, row) in rows.iter().enumerate() {
            shape.check_fields(row, &data, index);
        }
    }

    /// No bytes make the walker panic or leave half a row.
    #[test]
    fn any_bytes_are_a_row_or_a_cause(seed in any::<u64>(), payload in proptest::collection::vec(any::<u8>(), 0..64)) {
        let mut random = Random(seed | 1);
        let schema = schema(SchemaType::Avro, &Shape::record(&mut random, 2).text().to_string());
        let (pushed, lines) = project(&schema, &[&payload, &payload]);
        let rows = pushed.iter().filter(|pushed| **pushed == Pushed::Row).count();
        prop_assert_eq!(rows, lines.len());
    }
}
