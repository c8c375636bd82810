//! How are the options of a Protobuf element written down?

use prost_reflect::{Cardinality, DynamicMessage, Kind, Value};

/// Each option that is set, as `name = value`; those of extensions in parentheses. Sorted by number.
pub(super) fn options(message: &DynamicMessage) -> Vec<String> {
    let mut found: Vec<(u32, String)> = Vec::new();
    for (field, value) in message.fields() {
        if field.name() == "uninterpreted_option" || field.is_map() {
            continue;
        }
        push(&mut found, field.number(), field.name(), &field.kind(), field.cardinality(), value);
    }
    for (field, value) in message.extensions() {
        let name = format!("({})", field.full_name());
        push(&mut found, field.number(), &name, &field.kind(), field.cardinality(), value);
    }
    found.sort();
    found.into_iter().map(|(_, text)| text).collect()
}

fn push(found: &mut Vec<(u32, String)>, number: u32, name: &str, kind: &Kind, cardinality: Cardinality, value: &Value) {
    match value {
        Value::List(values) if cardinality == Cardinality::Repeated => {
            found.extend(values.iter().map(|value| (number, format!("{name} = {}", literal(kind, value)))));
        }
        value => found.push((number, format!("{name} = {}", literal(kind, value)))),
    }
}

fn literal(kind: &Kind, value: &Value) -> String {
    match (kind, value) {
        (_, Value::String(text)) => quoted(text.as_bytes()),
        (_, Value::Bytes(bytes)) => quoted(bytes),
        (Kind::Enum(kind), Value::EnumNumber(number)) => match kind.get_value(*number) {
            Some(value) => value.name().to_owned(),
            None => number.to_string(),
        },
        (_, Value::Message(message)) => format!("{{ {} }}", message.to_text_format()),
        (_, Value::Bool(value)) => value.to_string(),
        (_, Value::I32(value)) => value.to_string(),
        (_, Value::I64(value)) => value.to_string(),
        (_, Value::U32(value)) => value.to_string(),
        (_, Value::U64(value)) => value.to_string(),
        (_, Value::F32(value)) => float(f64::from(*value), value.to_string()),
        (_, Value::F64(value)) => float(*value, value.to_string()),
        (_, Value::EnumNumber(value)) => value.to_string(),
        (_, Value::List(_) | Value::Map(_)) => "{}".to_owned(),
    }
}

fn float(value: f64, text: String) -> String {
    match value {
        value if value.is_nan() => "nan".to_owned(),
        value if value.is_infinite() => if value > 0.0 { "inf" } else { "-inf" }.to_owned(),
        _ => text,
    }
}

/// A text literal: printable ASCII and well-formed UTF-8 as they are, other bytes in octal.
pub(super) fn quoted(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' => text.push_str("\\\""),
                '\\' => text.push_str("\\\\"),
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                '\t' => text.push_str("\\t"),
                c if c.is_ascii_control() => text.push_str(&format!("\\{:03o}", c as u32)),
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\{byte:03o}"));
        }
    }
    text.push('"');
    text
}
