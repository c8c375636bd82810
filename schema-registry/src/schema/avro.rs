//! How is an Avro schema understood?
//!
//! Our own tree checks everything (names, defaults, unions, bounds); `apache_avro` then gets a text that is
//! complete and clean, since it panics on some texts that are not.

mod default;
mod read;
mod render;
#[cfg(test)]
mod tests;
pub mod tree;

use std::collections::HashMap;
use std::sync::Arc;

use apache_avro::schema::{Name, UnionSchema};
use serde_json::Value;

use super::{ParseError, Parsed, Reference, Schema};
use tree::{Definition, Tree};

/// The namespace of types without one, in `AvroSchema::root` and `names`, where `apache_avro` needs one.
const NO_NAMESPACE: &str = "_";

/// An Avro schema, complete: what it refers to is part of it.
#[derive(Debug)]
pub struct AvroSchema {
    /// Every named type is defined where it is first used, also those of references.
    pub root: apache_avro::Schema,
    /// Every named type by its full name.
    pub names: HashMap<Name, apache_avro::Schema>,
    /// The same in our own form, which also keeps what `apache_avro` forgets.
    pub tree: Tree,
    closure_bytes: usize,
}

impl AvroSchema {
    pub(super) fn parse(text: &str, references: &[(Reference, Arc<Schema>)]) -> Result<AvroSchema, ParseError> {
        let value = serde_json::from_str(text).unwrap_or_else(|error| bare_name(text, &error));
        let mut foreign = Vec::new();
        let mut closure_bytes = text.len();
        for (_, schema) in references {
            let Parsed::Avro(avro) = &schema.parsed else { continue };
            foreign.push(&avro.tree);
            closure_bytes += avro.closure_bytes;
        }
        let tree = read::read(&value, &foreign)?;
        // Within a namespace apache_avro cannot name a type that has none: then those without get a stand-in.
        let root = apache_avro::Schema::parse(&render::complete(&tree, "")?)
            .or_else(|error| match render::complete(&tree, NO_NAMESPACE) {
                Ok(complete) if tree.has_bare_names() => apache_avro::Schema::parse(&complete),
                _ => Err(error),
            })
            .map_err(|error| ParseError::new(format!("Avro cannot use this schema: {error}")))?;
        let root = with_defaults(root, &tree);
        let mut names = HashMap::new();
        collect_names(&root, &mut names);
        Ok(AvroSchema { root, names, tree, closure_bytes })
    }

    /// The text as Avro's own tools print it: compact, with attributes in their usual order.
    pub fn text(&self) -> String {
        render::own(&self.tree).to_string()
    }

    /// The same with all names in full and the attributes of tools sorted.
    pub fn normalized(&self) -> String {
        render::normalized(&self.tree).to_string()
    }

    /// The full name when the root is a record, an enum or a fixed.
    pub fn root_name(&self) -> Option<String> {
        match &self.tree.root.kind {
            tree::Kind::Named(name) => Some(name.clone()),
            _ => None,
        }
    }

    pub(super) fn closure_bytes(&self) -> usize {
        self.closure_bytes
    }
}

/// Avro's tools also take a bare type name without quotes; what is no name stays the JSON error it is.
fn bare_name(text: &str, error: &serde_json::Error) -> Value {
    let text = text.trim();
    if tree::PRIMITIVES.contains(&text) {
        return Value::String(text.to_owned());
    }
    Value::String(format!("not JSON: {error}"))
}

/// `apache_avro` refuses some defaults that Avro allows (of decimals, of bytes above 127): they are checked by us
/// and put back here.
fn with_defaults(schema: apache_avro::Schema, tree: &Tree) -> apache_avro::Schema {
    use apache_avro::Schema::{Array, Map, Record, Union};
    match schema {
        Record(mut record) => {
            let name = record.name.fullname(None);
            let bare = name.strip_prefix(NO_NAMESPACE).and_then(|rest| rest.strip_prefix('.')).unwrap_or(&name);
            let definition = tree.definitions.get(bare);
            for field in &mut record.fields {
                let null = std::mem::replace(&mut field.schema, apache_avro::Schema::Null);
                field.schema = with_defaults(null, tree);
                if let Some(Definition::Record(ours)) = definition {
                    field.default = ours.field(&field.name).and_then(|field| field.default.clone());
                }
            }
            Record(record)
        }
        Array(mut array) => {
            let null = std::mem::replace(&mut *array.items, apache_avro::Schema::Null);
            *array.items = with_defaults(null, tree);
            Array(array)
        }
        Map(mut map) => {
            let null = std::mem::replace(&mut *map.types, apache_avro::Schema::Null);
            *map.types = with_defaults(null, tree);
            Map(map)
        }
        Union(union) => {
            let branches = union.variants().iter().map(|branch| with_defaults(branch.clone(), tree)).collect();
            Union(UnionSchema::new(branches).unwrap_or(union))
        }
        other => other,
    }
}

fn collect_names(schema: &apache_avro::Schema, names: &mut HashMap<Name, apache_avro::Schema>) {
    use apache_avro::Schema::{Array, Decimal, Enum, Fixed, Map, Record, Union};
    match schema {
        Record(record) => {
            names.insert(record.name.clone(), schema.clone());
            record.fields.iter().for_each(|field| collect_names(&field.schema, names));
        }
        Enum(inner) => drop(names.insert(inner.name.clone(), schema.clone())),
        Fixed(inner) => drop(names.insert(inner.name.clone(), schema.clone())),
        Decimal(decimal) => {
            if let Fixed(inner) = &*decimal.inner {
                names.insert(inner.name.clone(), schema.clone());
            }
        }
        Array(array) => collect_names(&array.items, names),
        Map(map) => collect_names(&map.types, names),
        Union(union) => union.variants().iter().for_each(|branch| collect_names(branch, names)),
        _ => {}
    }
}
