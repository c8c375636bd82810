//! Does every default obey the type of its field?

use serde_json::Value;

use super::super::ParseError;
use super::tree::{Definition, Kind, Node, Primitive, Tree};

/// Steps of the whole check: unions of records make the number of ways to read a default exponential.
const STEPS_MAX: usize = 1_000_000;

pub(super) fn check(tree: &Tree) -> Result<(), ParseError> {
    let mut check = Check { tree, steps: 0 };
    for definition in tree.definitions.values() {
        let Definition::Record(record) = definition else { continue };
        if tree.foreign.contains(&record.name) {
            continue;
        }
        for field in &record.fields {
            let Some(default) = &field.default else { continue };
            if !check.fits(&field.node, default) {
                return Err(ParseError::new(format!(
                    "the default of field {}.{} is not of the field's type: {}",
                    record.name,
                    field.name,
                    default.to_string().chars().take(80).collect::<String>()
                )));
            }
            if check.steps > STEPS_MAX {
                return Err(ParseError::new(format!(
                    "the default of field {}.{} can be read in too many ways: simplify it",
                    record.name, field.name
                )));
            }
        }
    }
    Ok(())
}

struct Check<'a> {
    tree: &'a Tree,
    steps: usize,
}

impl Check<'_> {
    fn fits(&mut self, node: &Node, value: &Value) -> bool {
        self.steps += 1;
        if self.steps > STEPS_MAX {
            return true; // the caller looks at the steps
        }
        match &node.kind {
            Kind::Primitive(primitive) => fits_primitive(*primitive, value),
            Kind::Array(items) => value.as_array().is_some_and(|values| values.iter().all(|v| self.fits(items, v))),
            Kind::Map(values) => value.as_object().is_some_and(|object| object.values().all(|v| self.fits(values, v))),
            Kind::Union(branches) => branches.iter().any(|branch| self.fits(branch, value)),
            Kind::Named(name) => match self.tree.definitions.get(name) {
                Some(Definition::Enum(inner)) => {
                    value.as_str().is_some_and(|symbol| inner.symbols.iter().any(|known| known == symbol))
                }
                Some(Definition::Fixed(fixed)) => {
                    value.as_str().is_some_and(|text| is_bytes(text) && text.chars().count() as u64 == fixed.size)
                }
                Some(Definition::Record(record)) => {
                    let record = record.clone();
                    let Some(object) = value.as_object() else { return false };
                    record.fields.iter().all(|field| match object.get(&field.name) {
                        Some(value) => self.fits(&field.node, value),
                        None => field.default.is_some(),
                    })
                }
                None => false,
            },
        }
    }
}

fn fits_primitive(primitive: Primitive, value: &Value) -> bool {
    match primitive {
        Primitive::Null => value.is_null(),
        Primitive::Boolean => value.is_boolean(),
        Primitive::Int => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
        Primitive::Long => value.as_i64().is_some(),
        Primitive::Float | Primitive::Double => value.is_number(),
        Primitive::String => value.is_string(),
        Primitive::Bytes => value.as_str().is_some_and(is_bytes),
    }
}

/// Bytes stand in JSON as text whose characters are their values.
fn is_bytes(text: &str) -> bool {
    text.chars().all(|c| (c as u32) < 256)
}
