//! How is an Avro schema written down?

use std::collections::HashSet;

use model::limits;
use serde_json::{Map, Value, json};

use super::super::ParseError;
use super::tree::{Definition, Field, Kind, Node, Tree, namespace, short_name};

/// As Avro's Java tools print it; types of references stay names.
pub(super) fn own(tree: &Tree) -> Value {
    let mut render = Render { tree, style: Style::Own, seen: HashSet::new(), too_deep: false, stand_in: "" };
    render.node(&tree.root, "", 0)
}

/// The same with full names everywhere and sorted attributes of tools.
pub(super) fn normalized(tree: &Tree) -> Value {
    let mut render = Render { tree, style: Style::Normalized, seen: HashSet::new(), too_deep: false, stand_in: "" };
    render.node(&tree.root, "", 0)
}

/// With the types of references defined inside, and without what `apache_avro` stumbles over. Types without a
/// namespace get `stand_in`.
pub(super) fn complete(tree: &Tree, stand_in: &'static str) -> Result<Value, ParseError> {
    let mut render = Render { tree, style: Style::Complete, seen: HashSet::new(), too_deep: false, stand_in };
    let value = render.node(&tree.root, "", 0);
    if render.too_deep {
        return Err(ParseError::new(format!(
            "the schema with its references nests deeper than {} types",
            limits::NESTING_MAX
        )));
    }
    Ok(value)
}

#[derive(Clone, Copy, PartialEq)]
enum Style {
    Own,
    Normalized,
    Complete,
}

struct Render<'a> {
    tree: &'a Tree,
    style: Style,
    seen: HashSet<String>,
    too_deep: bool,
    stand_in: &'static str,
}

impl Render<'_> {
    fn node(&mut self, node: &Node, space: &str, depth: usize) -> Value {
        if depth > limits::NESTING_MAX {
            self.too_deep = true;
            return Value::Null;
        }
        let mut object = Map::new();
        match &node.kind {
            Kind::Primitive(primitive) if node.props.is_empty() => return primitive.name().into(),
            Kind::Primitive(primitive) => drop(object.insert("type".into(), primitive.name().into())),
            Kind::Named(name) => return self.named(name, space, depth),
            Kind::Union(branches) => {
                return branches.iter().map(|branch| self.node(branch, space, depth + 1)).collect();
            }
            Kind::Array(items) => {
                object.insert("type".into(), "array".into());
                object.insert("items".into(), self.node(items, space, depth + 1));
            }
            Kind::Map(values) => {
                object.insert("type".into(), "map".into());
                object.insert("values".into(), self.node(values, space, depth + 1));
            }
        }
        self.props(&mut object, &node.props, &[]);
        Value::Object(object)
    }

    fn named(&mut self, name: &str, space: &str, depth: usize) -> Value {
        let by_name = match self.style {
            Style::Own => self.tree.foreign.contains(name) || !self.seen.insert(name.to_owned()),
            Style::Normalized => self.tree.foreign.contains(name) || !self.seen.insert(name.to_owned()),
            // apache_avro forgets the name and the logical type of such a fixed: it is repeated at every use.
            Style::Complete => !self.seen.insert(name.to_owned()) && !self.is_logical_fixed(name),
        };
        if by_name {
            let short = self.style == Style::Own && namespace(name) == space;
            // A bare name inside a namespace would be looked up there first; a leading dot is no Avro.
            return match (short, namespace(name).is_empty() && !self.stand_in.is_empty()) {
                (true, _) => short_name(name).into(),
                (_, true) => format!("{}.{name}", self.stand_in).into(),
                _ => name.into(),
            };
        }
        match self.tree.definitions.get(name) {
            Some(definition) => self.definition(&definition.clone(), space, depth),
            None => name.into(),
        }
    }

    fn is_logical_fixed(&self, name: &str) -> bool {
        matches!(self.tree.definitions.get(name), Some(Definition::Fixed(fixed)) if fixed.logical().is_some())
    }

    fn definition(&mut self, definition: &Definition, space: &str, depth: usize) -> Value {
        let mut object = Map::new();
        let kind = match definition {
            Definition::Record(record) if record.is_error && self.style != Style::Complete => "error",
            Definition::Record(_) => "record",
            Definition::Enum(_) => "enum",
            Definition::Fixed(_) => "fixed",
        };
        object.insert("type".into(), kind.into());
        let full = definition.name().to_owned();
        let own_space = namespace(&full);
        match self.style {
            Style::Normalized if !own_space.is_empty() => drop(object.insert("name".into(), full.clone().into())),
            _ => {
                object.insert("name".into(), short_name(&full).into());
                if own_space != space || self.style == Style::Complete {
                    let shown = if own_space.is_empty() { self.stand_in } else { own_space };
                    object.insert("namespace".into(), shown.into());
                }
            }
        }
        let (aliases, doc, props) = match definition {
            Definition::Record(record) => (&record.aliases, &record.doc, &record.props),
            Definition::Enum(inner) => (&inner.aliases, &inner.doc, &inner.props),
            Definition::Fixed(fixed) => (&fixed.aliases, &fixed.doc, &fixed.props),
        };
        if let Some(doc) = doc {
            object.insert("doc".into(), doc.clone().into());
        }
        match definition {
            Definition::Record(record) => {
                let fields = record.fields.iter().map(|field| self.field(field, own_space, depth)).collect();
                object.insert("fields".into(), fields);
            }
            Definition::Enum(inner) => {
                object.insert("symbols".into(), json!(inner.symbols));
                if let Some(default) = &inner.default {
                    object.insert("default".into(), default.clone().into());
                }
            }
            Definition::Fixed(fixed) => drop(object.insert("size".into(), fixed.size.into())),
        }
        match definition {
            // An invalid logical type is ignored by Avro; apache_avro would read such values differently.
            Definition::Fixed(fixed) if self.style == Style::Complete && fixed.logical().is_none() => {}
            _ => self.props(&mut object, props, &[]),
        }
        if !aliases.is_empty() && self.style != Style::Complete {
            let short = |alias: &String| match namespace(alias) == own_space && self.style == Style::Own {
                true => short_name(alias).to_owned(),
                false => alias.clone(),
            };
            object.insert("aliases".into(), aliases.iter().map(short).collect());
        }
        Value::Object(object)
    }

    fn field(&mut self, field: &Field, space: &str, depth: usize) -> Value {
        let mut object = Map::new();
        object.insert("name".into(), field.name.clone().into());
        object.insert("type".into(), self.node(&field.node, space, depth + 1));
        if let Some(doc) = &field.doc {
            object.insert("doc".into(), doc.clone().into());
        }
        if let Some(default) = field.default.as_ref().filter(|_| self.style != Style::Complete) {
            object.insert("default".into(), default.clone());
        }
        if let Some(order) = field.order.as_ref().filter(|order| *order != "ascending") {
            object.insert("order".into(), order.clone().into());
        }
        if !field.aliases.is_empty() {
            object.insert("aliases".into(), json!(field.aliases));
        }
        // apache_avro takes these from the field, Avro only from the type.
        self.props(&mut object, &field.props, &["logicalType", "items", "values", "symbols", "size", "fields"]);
        Value::Object(object)
    }

    fn props(&self, object: &mut Map<String, Value>, props: &Map<String, Value>, incomplete: &[&str]) {
        let mut keys: Vec<&String> = props.keys().collect();
        if self.style == Style::Normalized {
            keys.sort();
        }
        for key in keys {
            let value = &props[key];
            // A logical type that is no text is ignored by Avro, but refused by apache_avro.
            let odd = (key == "logicalType" && !value.is_string()) || incomplete.contains(&key.as_str());
            if !(self.style == Style::Complete && odd) {
                object.insert(key.clone(), value.clone());
            }
        }
    }
}
