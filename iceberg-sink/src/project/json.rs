//! How does a JSON payload become a row, without a value in between?

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::types::Fault;
use crate::types::json::{Node, Record};

use super::budget::Budget;
use super::builder::{Builder, Put};
use super::clock;

/// 2^63: the first number beyond a column of type long.
const LONG_BOUND: f64 = 9_223_372_036_854_775_808.0;

/// Appends one value to each of `columns` (those that `record` is bound to), from a whole payload.
pub fn walk(record: &Record, payload: &[u8], columns: &mut [Builder], budget: &mut Budget) -> Put {
    let mut context = Context { budget, trail: Vec::new() };
    let mut deserializer = serde_json::Deserializer::from_slice(payload);
    let object = Object { record, columns, context: &mut context };
    let result = deserializer.deserialize_map(object).and_then(|()| deserializer.end());
    result.map_err(|error| {
        let fault = Fault::new(error.to_string());
        context.trail.drain(..).fold(fault, |fault, step| match step {
            Step::Field(name) => fault.in_field(&name),
            Step::Element(index) => fault.in_element(Some(index)),
            Step::Entry(key) => fault.in_entry(&key),
        })
    })
}

struct Context<'b> {
    budget: &'b mut Budget,
    /// Where an error happened, innermost first; written while it travels outwards.
    trail: Vec<Step>,
}

enum Step {
    Field(String),
    Element(usize),
    Entry(String),
}

/// Reads an object with named properties into the columns of a struct.
struct Object<'a, 'b> {
    record: &'a Record,
    columns: &'a mut [Builder],
    context: &'a mut Context<'b>,
}

impl<'de> Visitor<'de> for Object<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let fields = &self.record.fields;
        let mut set = vec![false; fields.list.len()];
        while let Some(name) = map.next_key::<String>()? {
            let mut step = |error| {
                self.context.trail.push(Step::Field(name.clone()));
                error
            };
            let Some(index) = self.record.index.get(&name).copied() else {
                // A schema that leaves its objects open allows this; it stays in the record, no column shows it.
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if std::mem::replace(&mut set[index], true) {
                return Err(step(A::Error::custom("the object has this property twice")));
            }
            let field = &fields.list[index];
            let place = field.place.ok_or_else(|| step(A::Error::custom("the table has no column for it")))?;
            let seed = Seed { node: &field.node, column: &mut self.columns[place], context: self.context };
            if let Err(error) = map.next_value_seed(seed) {
                self.context.trail.push(Step::Field(name));
                return Err(error);
            }
        }
        let missing = fields.list.iter().zip(set).filter(|(_, set)| !set).filter_map(|(field, _)| field.place);
        missing.chain(fields.absent.iter().copied()).for_each(|place| self.columns[place].null());
        Ok(())
    }
}

/// Reads one value into a column.
struct Seed<'a, 'b> {
    node: &'a Node,
    column: &'a mut Builder,
    context: &'a mut Context<'b>,
}

impl<'de> DeserializeSeed<'de> for Seed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.node {
            Node::Boolean => "true or false",
            Node::Integer => "a whole number",
            Node::Number => "a number",
            Node::Text => "a string",
            Node::Timestamp => "a date-time like 2026-11-24T09:30:00Z",
            Node::Date => "a date like 2026-11-24",
            Node::Time => "a time like 09:30:00",
            Node::Record(_) | Node::Map { .. } => "an object",
            Node::List { .. } => "an array",
        })
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.column.null();
        Ok(())
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        match self.node {
            Node::Boolean => self.column.boolean(value).map_err(E::custom),
            _ => Err(E::invalid_type(serde::de::Unexpected::Bool(value), &self)),
        }
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        match self.node {
            Node::Integer => self.column.integer(value).map_err(E::custom),
            Node::Number => self.column.double(value as f64).map_err(E::custom),
            _ => Err(E::invalid_type(serde::de::Unexpected::Signed(value), &self)),
        }
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        match self.node {
            Node::Number => self.column.double(value as f64).map_err(E::custom),
            Node::Integer => match i64::try_from(value) {
                Ok(value) => self.column.integer(value).map_err(E::custom),
                Err(_) => Err(E::custom(format!("{value} does not fit a long"))),
            },
            _ => Err(E::invalid_type(serde::de::Unexpected::Unsigned(value), &self)),
        }
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        match self.node {
            Node::Number => self.column.double(value).map_err(E::custom),
            // 1.0 and 1e17 are integers in JSON Schema; the check of payloads takes and refuses the same ones.
            Node::Integer if value.fract() == 0.0 => match (-LONG_BOUND..LONG_BOUND).contains(&value) {
                true => self.column.integer(value as i64).map_err(E::custom),
                false => Err(E::custom(format!("{value:e} does not fit a long"))),
            },
            _ => Err(E::invalid_type(serde::de::Unexpected::Float(value), &self)),
        }
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        let unreadable = |seed: &Self| E::invalid_value(serde::de::Unexpected::Str(short(value)), seed);
        let put = match self.node {
            Node::Text => self.column.text(value),
            Node::Timestamp => {
                let micros = clock::parse_timestamp(value).ok_or_else(|| unreadable(&self))?;
                self.column.timestamp(micros, 1)
            }
            Node::Date => {
                let days = clock::parse_date(value).ok_or_else(|| unreadable(&self))?;
                self.column.date(days)
            }
            Node::Time => {
                let text = clock::parse_time(value).and_then(clock::time_text);
                let text = text.ok_or_else(|| unreadable(&self))?;
                self.column.text(&text)
            }
            _ => return Err(E::invalid_type(serde::de::Unexpected::Str(short(value)), &self)),
        };
        put.map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Node::List { element } = self.node else {
            return Err(A::Error::invalid_type(serde::de::Unexpected::Seq, &self));
        };
        let column = self.column.element().map_err(A::Error::custom)?;
        let words = column.null_words();
        for index in 0.. {
            self.context.budget.take(words).map_err(A::Error::custom)?;
            match seq.next_element_seed(Seed { node: element, column, context: self.context }) {
                Ok(Some(())) => {}
                Ok(None) => break,
                Err(error) => {
                    self.context.trail.push(Step::Element(index));
                    return Err(error);
                }
            }
        }
        self.column.close_list().map_err(A::Error::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let value = match self.node {
            Node::Map { value } => value,
            Node::Record(record) => {
                let columns = self.column.children().map_err(A::Error::custom)?;
                Object { record, columns, context: self.context }.visit_map(map)?;
                self.column.close_struct();
                return Ok(());
            }
            _ => return Err(A::Error::invalid_type(serde::de::Unexpected::Map, &self)),
        };
        let mut seen = HashSet::new();
        let [keys, values] = self.column.entry().map_err(A::Error::custom)?;
        let words = keys.null_words() + values.null_words();
        while let Some(key) = map.next_key::<String>()? {
            self.context.budget.take(words).map_err(A::Error::custom)?;
            keys.text(&key).map_err(A::Error::custom)?;
            let result = match seen.contains(&key) {
                true => Err(A::Error::custom("the object has this property twice")),
                false => map.next_value_seed(Seed { node: value, column: values, context: self.context }),
            };
            if let Err(error) = result {
                self.context.trail.push(Step::Entry(key));
                return Err(error);
            }
            seen.insert(key);
        }
        self.column.close_list().map_err(A::Error::custom)
    }
}

/// The beginning of a text, for a message.
fn short(text: &str) -> &str {
    match text.char_indices().nth(64) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}
