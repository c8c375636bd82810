//! Rows of whole records: modes, coordinates, evolution, and records that fail between good ones.

use std::sync::Arc;

use apache_avro::types::Value;
use arrow::array::{Array, AsArray};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow::json::WriterBuilder;
use arrow::json::writer::LineDelimited;
use schema_registry::{Parsed, Schema, SchemaType};

use super::*;
use crate::types::tests::schema;
use crate::types::{Root, columns, dead_letter_schema, key_value_schema, merge, table_schema};

pub const NOWHERE: Coordinates<'static> =
    Coordinates { partition: 3, offset: 42, timestamp_us: 1_000_000, timestamp_type: 0, key: None, headers: &[] };

/// A registry with one subject, `t-value`, whose schemas have the ids 1, 2, …
pub fn registry(schemas: &[Arc<Schema>]) -> View {
    let mut view = View::default();
    for (id, schema) in (1u32..).zip(schemas) {
        view.put("t-value", id as i32, id, false, schema.clone());
    }
    view
}

/// A projector for the table of this schema.
pub fn projector(schema: &Schema) -> Projector {
    let columns = columns(schema, Root::First).unwrap();
    let mode = Mode::SchemaLatest { subject: "t-value".into(), protobuf_name: None };
    Projector::new(Arc::new(table_schema(&columns).unwrap()), mode).unwrap()
}

/// The data columns as JSON, one line per row; nulls are written.
pub fn lines(batch: &RecordBatch) -> Vec<String> {
    let data: Vec<usize> = (COORDINATES.len()..batch.num_columns()).collect();
    let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(Vec::new());
    writer.write(&batch.project(&data).unwrap()).unwrap();
    writer.finish().unwrap();
    String::from_utf8(writer.into_inner()).unwrap().lines().map(str::to_owned).collect()
}

/// What becomes of each payload, and the rows of those that are good.
pub fn project(schema: &Arc<Schema>, payloads: &[&[u8]]) -> (Vec<Pushed>, Vec<String>) {
    let mut projector = projector(schema);
    let view = registry(std::slice::from_ref(schema));
    let pushed = payloads.iter().map(|payload| projector.push(&NOWHERE, Some(payload), &view)).collect();
    (pushed, lines(&projector.take().unwrap()))
}

pub fn framed(id: u32, payload: &[u8]) -> Vec<u8> {
    [&[0], &id.to_be_bytes()[..], payload].concat()
}

fn avro(fields: &str) -> Arc<Schema> {
    schema(SchemaType::Avro, &format!(r#"{{"type":"record","name":"R","fields":[{fields}]}}"#))
}

fn datum(schema: &Schema, fields: Vec<(&str, Value)>) -> Vec<u8> {
    let Parsed::Avro(avro) = &schema.parsed else { panic!("an Avro schema") };
    let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    apache_avro::to_avro_datum(&avro.root, Value::Record(fields)).unwrap()
}

#[test]
fn coordinates_come_first_and_keep_null_and_empty_apart() {
    let mut projector = Projector::new(Arc::new(key_value_schema()), Mode::KeyValue).unwrap();
    let headers: &[(&[u8], Option<&[u8]>)] = &[(b"a", Some(b"1")), (b"a", None), (b"\xff", Some(b""))];
    let rows = [
        Coordinates { key: Some(b""), headers, ..NOWHERE },
        Coordinates { timestamp_us: i64::MAX, timestamp_type: 1, ..NOWHERE },
    ];
    let view = View::default();
    assert_eq!(projector.push(&rows[0], Some(b""), &view), Pushed::Row);
    assert_eq!(projector.push(&rows[1], None, &view), Pushed::Row);
    let batch = projector.take().unwrap();
    assert_eq!(batch.column(0).as_primitive::<Int32Type>().values(), &[3, 3]);
    assert_eq!(batch.column(1).as_primitive::<Int64Type>().values(), &[42, 42]);
    assert_eq!(batch.column(2).as_primitive::<TimestampMicrosecondType>().values(), &[1_000_000, *MICROS.end()]);
    assert_eq!(batch.column(3).as_primitive::<Int32Type>().values(), &[0, 1]);
    let (key, value) = (batch.column(4).as_binary::<i64>(), batch.column(6).as_binary::<i64>());
    assert_eq!(key.iter().collect::<Vec<_>>(), [Some(&b""[..]), None]);
    assert_eq!(value.iter().collect::<Vec<_>>(), [Some(&b""[..]), None]);
    let list = batch.column(5).as_list::<i32>();
    assert!(list.is_null(1));
    let pairs = list.value(0);
    let pairs = pairs.as_struct();
    assert_eq!(pairs.column(0).as_string::<i32>().iter().flatten().collect::<Vec<_>>(), ["a", "a", "\u{fffd}"]);
    let values: Vec<_> = pairs.column(1).as_binary::<i64>().iter().collect();
    assert_eq!(values, [Some(&b"1"[..]), None, Some(&b""[..])]);
}

#[test]
fn every_level_carries_its_field_id() {
    let schema = avro(r#"{"name":"m","type":{"type":"map","values":{"type":"array","items":"int"}}}"#);
    let mut projector = projector(&schema);
    let batch = projector.take().unwrap();
    let id = |field: &arrow::datatypes::Field| field.metadata().get("PARQUET:field_id").cloned();
    let arrow_schema = batch.schema();
    let map = arrow_schema.field(6);
    assert_eq!(id(map).as_deref(), Some("7"));
    let arrow::datatypes::DataType::Map(entries, _) = map.data_type() else { panic!("a map") };
    let arrow::datatypes::DataType::Struct(entry) = entries.data_type() else { panic!("entries") };
    let arrow::datatypes::DataType::List(element) = entry[1].data_type() else { panic!("a list") };
    // 8 to 10 are the parts of kafka_headers.
    assert_eq!([id(&entry[0]), id(&entry[1]), id(element)].map(Option::unwrap), ["11", "12", "13"]);
}

#[test]
fn a_failing_record_disturbs_neither_earlier_nor_later_rows() {
    let schema = avro(
        r#"{"name":"id","type":"long"},
           {"name":"tags","type":{"type":"array","items":["null","string"]}},
           {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}}"#,
    );
    let record = |id: i64, tags: &[&str], at: i64| {
        let tags = tags.iter().map(|tag| Value::Union(1, Box::new(Value::String((*tag).into())))).collect();
        let fields = vec![("id", Value::Long(id)), ("tags", Value::Array(tags)), ("at", Value::TimestampMillis(at))];
        datum(&schema, fields)
    };
    let (good, late) = (record(1, &["a", "b"], 0), record(3, &["c"], 1));
    let out_of_range = record(2, &["x", "y", "z"], i64::MAX);
    let mut cut_text = record(2, &["x", "yyyy"], 0);
    cut_text.truncate(8);
    let longer = [&good[..], b"!"].concat();
    let rows: Vec<&[u8]> = vec![&good, &out_of_range, &cut_text, &longer, &late];
    let (pushed, lines) = project(&schema, &rows);
    let causes: Vec<&str> = pushed
        .iter()
        .map(|pushed| match pushed {
            Pushed::Dead(cause) => cause.as_str(),
            other => panic_unless_row(other),
        })
        .collect();
    assert_eq!(causes[0], "");
    assert!(causes[1].starts_with("field 'at': timestamp 9223372036854775807"), "{}", causes[1]);
    assert!(causes[2].starts_with("field 'tags[1]': 4 bytes are wanted"), "{}", causes[2]);
    assert!(causes[3].starts_with("1 bytes are left behind the record"), "{}", causes[3]);
    assert_eq!(causes[4], "");
    assert_eq!(
        lines,
        [
            r#"{"id":1,"tags":["a","b"],"at":"1970-01-01T00:00:00Z"}"#,
            r#"{"id":3,"tags":["c"],"at":"1970-01-01T00:00:00.001Z"}"#
        ]
    );
}

fn panic_unless_row(pushed: &Pushed) -> &'static str {
    assert_eq!(*pushed, Pushed::Row);
    ""
}

#[test]
fn older_and_newer_writers_share_a_table() {
    let old = avro(r#"{"name":"n","type":"int"},{"name":"gone","type":"string"}"#);
    let new = avro(r#"{"name":"x","type":["null","double"]},{"name":"n","type":"long"}"#);
    let view = registry(&[old.clone(), new.clone()]);
    let table = table_schema(&columns(&old, Root::First).unwrap()).unwrap();
    let mut projector = Projector::new(Arc::new(table.clone()), Mode::SchemaId).unwrap();
    let old_value = framed(1, &datum(&old, vec![("n", Value::Int(-7)), ("gone", Value::String("g".into()))]));
    let some = Value::Union(1, Box::new(Value::Double(0.5)));
    let new_value = framed(2, &datum(&new, vec![("x", some), ("n", Value::Long(1 << 40))]));
    assert_eq!(projector.push(&NOWHERE, Some(&old_value), &view), Pushed::Row);
    let Pushed::NeedsSchema(wanted) = projector.push(&NOWHERE, Some(&new_value), &view) else { panic!("evolution") };
    assert_eq!(projector.push(&NOWHERE, Some(&old_value), &view), Pushed::Row);
    assert_eq!(lines(&projector.take().unwrap()), [r#"{"n":-7,"gone":"g"}"#; 2]);

    let evolved = merge(&table, table.highest_field_id(), &wanted).unwrap().unwrap();
    let mut projector = Projector::new(Arc::new(evolved), Mode::SchemaId).unwrap();
    assert_eq!(projector.push(&NOWHERE, Some(&new_value), &view), Pushed::Row);
    assert_eq!(projector.push(&NOWHERE, Some(&old_value), &view), Pushed::Row);
    let wanted = [r#"{"n":1099511627776,"gone":null,"x":0.5}"#, r#"{"n":-7,"gone":"g","x":null}"#];
    assert_eq!(lines(&projector.take().unwrap()), wanted);
}

#[test]
fn a_schema_that_the_table_cannot_take_makes_dead_records() {
    let (old, new) = (avro(r#"{"name":"n","type":"int"}"#), avro(r#"{"name":"n","type":"string"}"#));
    let view = registry(&[old.clone(), new.clone()]);
    let mut projector = projector(&old);
    let value = framed(2, &datum(&new, vec![("n", Value::String("x".into()))]));
    let Pushed::Dead(cause) = projector.push(&NOWHERE, Some(&value), &view) else { panic!("a conflict") };
    assert!(cause.starts_with("field 'n': is of type int in the table and string in the schema"), "{cause}");
    assert_eq!(projector.rows(), 0);
}

#[test]
fn the_frame_is_found_in_front_in_a_header_or_not_at_all() {
    let (first, second) = (avro(r#"{"name":"n","type":"int"}"#), avro(r#"{"name":"n","type":"int","doc":"2"}"#));
    let view = registry(&[first.clone(), second.clone()]);
    let payload = datum(&first, vec![("n", Value::Int(5))]);
    let guid = [&[1], &second.identity().as_bytes()[..]].concat();
    let headers: &[(&[u8], Option<&[u8]>)] = &[(VALUE_HEADER.as_bytes(), Some(&guid))];
    let in_header = Coordinates { headers, ..NOWHERE };
    let mut projector = projector(&first);
    for (at, value) in [(&NOWHERE, &payload), (&NOWHERE, &framed(2, &payload)), (&in_header, &payload)] {
        assert_eq!(projector.push(at, Some(value), &view), Pushed::Row);
    }
    assert_eq!(projector.push(&NOWHERE, None, &view), Pushed::Row, "a tombstone");
    let rows = lines(&projector.take().unwrap());
    assert_eq!(rows, [r#"{"n":5}"#, r#"{"n":5}"#, r#"{"n":5}"#, r#"{"n":null}"#]);

    let table = table_schema(&columns(&first, Root::First).unwrap()).unwrap();
    let mut strict = Projector::new(Arc::new(table), Mode::SchemaId).unwrap();
    assert_eq!(strict.push(&in_header, Some(&payload), &view), Pushed::Row);
    let Pushed::Dead(cause) = strict.push(&NOWHERE, Some(&payload), &view) else { panic!("no frame") };
    assert!(cause.contains("no schema id stands in front"), "{cause}");
    let Pushed::Dead(cause) = strict.push(&NOWHERE, Some(&framed(9, &payload)), &view) else { panic!("unknown id") };
    assert!(cause.contains("schema 9 is not registered"), "{cause}");
}

/// Nulls in front of an unframed value may look like a frame with a known id.
#[test]
fn an_unframed_value_that_looks_framed_is_read() {
    let fields = ["a", "b", "c", "d"].map(|name| format!(r#"{{"name":"{name}","type":["null","int"]}}"#));
    let schema = avro(&format!(r#"{},{{"name":"e","type":{{"type":"array","items":"int"}}}}"#, fields.join(",")));
    let null = || Value::Union(0, Box::new(Value::Null));
    let some = Value::Union(1, Box::new(Value::Int(9)));
    let payload = [null(), null(), null(), some];
    let mut fields: Vec<_> = ["a", "b", "c", "d"].into_iter().zip(payload).collect();
    fields.push(("e", Value::Array(vec![Value::Int(1)])));
    let payload = datum(&schema, fields);
    assert_eq!(&payload[..5], [0, 0, 0, 2, 18], "it begins like a frame with id 530");
    let mut view = registry(std::slice::from_ref(&schema));
    view.put("t-value", 2, 530, false, schema.clone());
    let mut projector = projector(&schema);
    assert_eq!(projector.push(&NOWHERE, Some(&payload), &view), Pushed::Row);
    assert_eq!(lines(&projector.take().unwrap()), [r#"{"a":null,"b":null,"c":null,"d":9,"e":[1]}"#]);
}

#[test]
fn without_any_schema_a_value_is_dead() {
    let schema = avro(r#"{"name":"n","type":"int"}"#);
    let Pushed::Dead(cause) = projector(&schema).push(&NOWHERE, Some(b"\x02"), &View::default()) else {
        panic!("there is no schema")
    };
    assert!(cause.starts_with("subject 't-value' has no schema"), "{cause}");
}

#[test]
fn dead_letters_keep_bytes_and_cause() {
    let mut projector = Projector::new(Arc::new(dead_letter_schema()), Mode::DeadLetter).unwrap();
    assert_eq!(projector.push_dead(&NOWHERE, Some(b"\xff"), "field 'a': no"), Pushed::Row);
    assert_eq!(projector.push_dead(&NOWHERE, None, "nothing"), Pushed::Row);
    let wanted = [r#"{"value":"ff","cause":"field 'a': no"}"#, r#"{"value":null,"cause":"nothing"}"#];
    assert_eq!(lines(&projector.take().unwrap()), wanted);
}

#[test]
fn a_table_without_our_columns_is_refused() {
    let other = iceberg::spec::Schema::builder().with_fields([]).build().unwrap();
    let error = Projector::new(Arc::new(other), Mode::KeyValue).err().unwrap();
    assert!(error.message.contains("no column 'kafka_partition'"), "{error}");
}

/// An element of one byte that fills a thousand columns: a megabyte would become a billion values.
#[test]
fn a_small_record_cannot_fill_the_memory() {
    let inner = |names: usize| {
        let fields: Vec<String> =
            (0..names).map(|i| format!(r#"{{"name":"c{i}","type":["null","long"],"default":null}}"#)).collect();
        avro(&format!(
            r#"{{"name":"l","type":{{"type":"array","items":{{"type":"record","name":"E","fields":[{}]}}}}}}"#,
            fields.join(",")
        ))
    };
    let (wide, narrow) = (inner(1000), inner(1));
    let view = registry(&[wide.clone(), narrow]);
    let mut projector = projector(&wide);
    // A block of 100,000 elements (zigzag varint), each a null; then the end.
    let mut payload = vec![0xc0, 0x9a, 0x0c];
    payload.resize(3 + 100_000, 0);
    payload.push(0);
    let Pushed::Dead(cause) = projector.push(&NOWHERE, Some(&framed(2, &payload)), &view) else { panic!("too much") };
    assert!(cause.contains("becomes more than"), "{cause}");
    assert_eq!(projector.rows(), 0);
}

/// Whatever a row of nulls takes counts, so that a file ends before the memory does.
#[test]
fn nulls_cost_what_they_take() {
    let cost = |schema: &Arc<Schema>, payload: &[u8]| {
        let mut projector = projector(schema);
        assert_eq!(projector.push(&NOWHERE, Some(payload), &registry(std::slice::from_ref(schema))), Pushed::Row);
        projector.cost_bytes()
    };
    let wide = avro(r#"{"name":"f","type":["null",{"type":"fixed","name":"F","size":1048576}]}"#);
    assert!((1 << 20..(1 << 20) + 1000).contains(&cost(&wide, &[0])), "{}", cost(&wide, &[0]));

    let fields: String = (1..=50).map(|i| format!("string f{i} = {i};")).collect();
    let kinds: String = (1..=30).map(|i| format!("E e{i} = {i};")).collect();
    let text = format!(r#"syntax = "proto3"; message Any {{ oneof e {{ {kinds} }} }} message E {{ {fields} }}"#);
    let envelope = schema(SchemaType::Protobuf, &text);
    let cost = cost(&envelope, b"\x0a\x04\x0a\x02hi");
    assert!((8 * 30 * 51..8 * 30 * 51 + 1000).contains(&cost), "{cost}");
}

/// Elements of one byte, each with a null of a mebibyte.
#[test]
fn a_list_of_wide_nulls_is_too_much() {
    let list =
        avro(r#"{"name":"l","type":{"type":"array","items":["null",{"type":"fixed","name":"F","size":1048576}]}}"#);
    // A block of 200 elements (zigzag varint), each a null; then the end.
    let payload = [&[0x90, 0x03][..], &[0; 200], &[0]].concat();
    let (pushed, lines) = project(&list, &[&payload]);
    assert!(matches!(&pushed[0], Pushed::Dead(cause) if cause.contains("becomes more than")), "{pushed:?}");
    assert!(lines.is_empty());
}
