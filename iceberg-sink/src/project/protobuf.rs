//! How does a Protobuf payload become a row?
//!
//! Fields come in any order and singular ones may come more than once (the last counts, messages merge), so one pass
//! over a message collects where each field lies, and a second one appends in the order of the columns.

mod wire;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use prost::Message as _;

use crate::types::Fault;
use crate::types::protobuf::{Json, Message, Node, Scalar};

use super::budget::Budget;
use super::builder::{Builder, Put};
use wire::{Found, Wire};

/// Appends one value to each of `columns` (those that `message` is bound to), from a whole payload.
pub fn walk(message: &Message, payload: &[u8], columns: &mut [Builder], budget: &mut Budget) -> Put {
    let known = |number| {
        let field = message.numbers.get(&number).copied()?;
        Some((field, is_scalar(&message.fields.list[field].node)))
    };
    let found = wire::fields(payload, known, budget)?;
    let held = found.len();
    let found = chosen(message, found);
    for (index, field) in message.fields.list.iter().enumerate() {
        let Some(place) = field.place else { continue };
        let start = found.partition_point(|one| one.field < index);
        let end = found.partition_point(|one| one.field <= index);
        let implicit = message.tags[index].implicit;
        let put = put_field(&field.node, implicit, &found[start..end], &mut columns[place], budget);
        put.map_err(|fault| fault.in_field(&field.name))?;
    }
    message.fields.absent.iter().for_each(|place| columns[*place].null());
    budget.release(held);
    Ok(())
}

fn is_scalar(node: &Node) -> bool {
    matches!(node, Node::Scalar(_))
}

/// What counts of the fields found, sorted by field: a member of a oneof clears those before it that differ.
fn chosen<'a>(message: &Message, mut found: Vec<Found<'a>>) -> Vec<Found<'a>> {
    let oneof = |one: &Found<'_>| message.tags[one.field].oneof;
    let mut last: HashMap<usize, (usize, bool)> = HashMap::new();
    // Backwards: the last member of each oneof stays, with those of the same field directly before it.
    for one in found.iter_mut().rev() {
        let Some(oneof) = oneof(one) else { continue };
        let (field, cleared) = last.entry(oneof).or_insert((one.field, false));
        *cleared |= *field != one.field;
        one.cleared = *cleared;
    }
    found.retain(|one| !one.cleared);
    found.sort_by_key(|one| one.field);
    found
}

fn put_field(node: &Node, implicit: bool, found: &[Found<'_>], column: &mut Builder, budget: &mut Budget) -> Put {
    match (node, found) {
        (Node::List { element }, found) => put_list(element, found, column, budget),
        (Node::Map { key, value }, found) => put_map(key, value, found, column, budget),
        (Node::Scalar(scalar), [.., last]) => put_scalar(scalar, last.wire, column),
        (Node::Scalar(scalar), []) if implicit => put_zero(scalar, column),
        (_, []) => {
            column.null();
            Ok(())
        }
        (node, [one]) => put_message(node, one.wire.bytes()?, column, budget),
        (node, parts) => {
            // A message that comes in parts is their concatenation (Protobuf encoding, "Last One Wins").
            let mut whole = Vec::new();
            for part in parts {
                whole.extend_from_slice(part.wire.bytes()?);
            }
            put_message(node, &whole, column, budget)
        }
    }
}

fn put_message(node: &Node, bytes: &[u8], column: &mut Builder, budget: &mut Budget) -> Put {
    match node {
        Node::Message(message) => {
            walk(message, bytes, column.children()?, budget)?;
            column.close_struct();
            Ok(())
        }
        Node::Wrapper(scalar) => {
            let found = wire::fields(bytes, |number| (number == 1).then_some((0, true)), budget)?;
            budget.release(found.len());
            put_optional(scalar, found.last().map(|last| last.wire), column)
        }
        Node::Timestamp => {
            let value = prost_types::Timestamp::decode(bytes).map_err(broken)?;
            let nanos = u32::try_from(value.nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
            let nanos = nanos.ok_or_else(|| Fault::new(format!("{} is no number of nanoseconds", value.nanos)))?;
            let micros = value.seconds.checked_mul(1_000_000).and_then(|us| us.checked_add(i64::from(nanos / 1000)));
            let micros = micros.ok_or_else(|| Fault::new("the timestamp is not in the years 1 to 9999"))?;
            column.timestamp(micros, 1)
        }
        Node::Json(shape) => put_json(*shape, bytes, column),
        Node::Scalar(scalar) => Err(Fault::new(format!("{scalar:?} is no message"))),
        Node::List { .. } | Node::Map { .. } => Err(Fault::new("a repeated field cannot be an element")),
    }
}

fn put_list(element: &Node, found: &[Found<'_>], column: &mut Builder, budget: &mut Budget) -> Put {
    let target = column.element()?;
    let words = target.null_words();
    let mut index = 0;
    for one in found {
        let mut put = |wire: Wire<'_>| -> Put {
            budget.take(words)?;
            let put = match element {
                Node::Scalar(scalar) => put_scalar(scalar, wire, target),
                other => wire.bytes().and_then(|bytes| put_message(other, bytes, target, budget)),
            };
            put.map_err(|fault| fault.in_element(Some(index)))?;
            index += 1;
            Ok(())
        };
        match (element, one.wire) {
            (Node::Scalar(scalar), Wire::Bytes(packed)) if !matches!(scalar, Scalar::Text | Scalar::Bytes) => {
                wire::packed(scalar, packed, &mut put)?;
            }
            (_, wire) => put(wire)?,
        }
    }
    column.close_list()
}

fn put_map(key: &Scalar, value: &Node, found: &[Found<'_>], column: &mut Builder, budget: &mut Budget) -> Put {
    // Entries are read twice, so that nothing is kept of those that do not count.
    let mut last: HashMap<wire::Key<'_>, usize> = HashMap::new();
    for (index, one) in found.iter().enumerate() {
        let parts = entry(value, one, budget)?;
        budget.release(parts.len());
        if last.insert(wire::key(key, key_of(&parts))?, index).is_none() {
            budget.hold(1)?;
        }
    }
    let mut kept: Vec<usize> = last.into_values().collect();
    kept.sort_unstable();
    let [keys, values] = column.entry()?;
    let words = keys.null_words() + values.null_words();
    for index in &kept {
        budget.take(words)?;
        let parts = entry(value, &found[*index], budget)?;
        let of_key = key_of(&parts);
        put_optional(key, of_key, keys)?;
        let of_value: Vec<Found<'_>> = parts.iter().filter(|part| part.field == 1).copied().collect();
        let put = match (value, of_value.as_slice()) {
            // An entry without a value has the zero of its type: for a message that is one without fields.
            (Node::Scalar(scalar), []) => put_zero(scalar, values),
            (node, []) => put_message(node, &[], values, budget),
            (node, parts) => put_field(node, false, parts, values, budget),
        };
        put.map_err(|fault| fault.in_entry(&wire::shown(key, of_key)))?;
        budget.release(parts.len());
    }
    budget.release(kept.len());
    column.close_list()
}

/// The parts of a map's entry: 0 is the key, 1 the value.
fn entry<'a>(value: &Node, found: &Found<'a>, budget: &mut Budget) -> Result<Vec<Found<'a>>, Fault> {
    let known = |number| match number {
        1 => Some((0, true)),
        2 => Some((1, is_scalar(value))),
        _ => None,
    };
    wire::fields(found.wire.bytes()?, known, budget)
}

fn key_of<'a>(parts: &[Found<'a>]) -> Option<Wire<'a>> {
    parts.iter().rfind(|part| part.field == 0).map(|part| part.wire)
}

fn put_scalar(scalar: &Scalar, wire: Wire<'_>, column: &mut Builder) -> Put {
    match scalar {
        Scalar::Double => column.double(f64::from_bits(wire.fixed64()?)),
        Scalar::Float => column.float(f32::from_bits(wire.fixed32()?)),
        Scalar::Text => column.text(wire.text()?),
        Scalar::Bytes => column.bytes(wire.bytes()?),
        Scalar::Bool => column.boolean(wire.varint()? != 0),
        Scalar::Enum(names) => {
            let number = wire.varint()? as i32;
            match names.get(&number) {
                Some(name) => column.text(name),
                None => column.text(&number.to_string()),
            }
        }
        Scalar::Uint64 | Scalar::Fixed64 => column.decimal(wire.integer(scalar)?),
        // All other integers fit 64 bits with their sign.
        _ => column.integer(wire.integer(scalar)? as i64),
    }
}

/// A scalar that is zero when it is absent.
fn put_optional(scalar: &Scalar, wire: Option<Wire<'_>>, column: &mut Builder) -> Put {
    match wire {
        Some(wire) => put_scalar(scalar, wire, column),
        None => put_zero(scalar, column),
    }
}

fn put_zero(scalar: &Scalar, column: &mut Builder) -> Put {
    match scalar {
        Scalar::Double => column.double(0.0),
        Scalar::Float => column.float(0.0),
        Scalar::Text => column.text(""),
        Scalar::Bytes => column.bytes(&[]),
        Scalar::Bool => column.boolean(false),
        Scalar::Enum(_) => put_scalar(scalar, Wire::Varint(0), column),
        Scalar::Uint64 | Scalar::Fixed64 => column.decimal(0),
        _ => column.integer(0),
    }
}

fn put_json(shape: Json, bytes: &[u8], column: &mut Builder) -> Put {
    let value = match shape {
        Json::Struct => object(prost_types::Struct::decode(bytes).map_err(broken)?)?,
        Json::List => list(prost_types::ListValue::decode(bytes).map_err(broken)?)?,
        Json::Value => json(prost_types::Value::decode(bytes).map_err(broken)?)?,
    };
    column.text(&value.to_string())
}

fn broken(error: prost::DecodeError) -> Fault {
    Fault::new(format!("is no Protobuf message: {error}"))
}

fn object(value: prost_types::Struct) -> Result<serde_json::Value, Fault> {
    let fields = value.fields.into_iter().map(|(name, value)| Ok((name, json(value)?)));
    Ok(serde_json::Value::Object(fields.collect::<Result<_, Fault>>()?))
}

fn list(value: prost_types::ListValue) -> Result<serde_json::Value, Fault> {
    Ok(serde_json::Value::Array(value.values.into_iter().map(json).collect::<Result<_, Fault>>()?))
}

/// The decoder bounds how deep such values nest.
fn json(value: prost_types::Value) -> Result<serde_json::Value, Fault> {
    use prost_types::value::Kind;
    use serde_json::Value;
    Ok(match value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(value)) => Value::Bool(value),
        Some(Kind::StringValue(value)) => Value::String(value),
        Some(Kind::StructValue(value)) => object(value)?,
        Some(Kind::ListValue(value)) => list(value)?,
        // Protobuf's JSON form prints whole numbers without a point.
        Some(Kind::NumberValue(value)) if value.fract() == 0.0 && value.abs() < 9e15 && value.to_bits() != 1 << 63 => {
            Value::from(value as i64)
        }
        Some(Kind::NumberValue(value)) => {
            let number = serde_json::Number::from_f64(value);
            Value::Number(number.ok_or_else(|| Fault::new(format!("{value} has no form in JSON")))?)
        }
    })
}
