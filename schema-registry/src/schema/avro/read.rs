//! Is this JSON an Avro schema, and which one?

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use model::limits;
use serde_json::{Map, Value};

use super::super::ParseError;
use super::default;
use super::tree::{
    Definition, Enum, Field, Fixed, Kind, Node, PRIMITIVES, Primitive, Record, Tree, namespace, short_name,
};

type Result<T> = std::result::Result<T, ParseError>;

/// Understands one schema; `references` give names that it may use.
pub(super) fn read(value: &Value, references: &[&Tree]) -> Result<Tree> {
    let mut reader = Reader { definitions: BTreeMap::new(), open: HashSet::new(), foreign: BTreeSet::new(), fields: 0 };
    for tree in references {
        for (name, definition) in &tree.definitions {
            reader.foreign.insert(name.clone());
            let before = reader.definitions.insert(name.clone(), definition.clone());
            if before.is_some_and(|before| before != *definition) {
                return Err(refuse(format!("two references define {name:?} differently")));
            }
        }
    }
    let root = reader.node(value, "", 0)?;
    let tree = Tree { root, definitions: reader.definitions, foreign: reader.foreign };
    default::check(&tree)?;
    Ok(tree)
}

struct Reader {
    definitions: BTreeMap<String, Definition>,
    /// Records whose fields are being read: they may already be named.
    open: HashSet<String>,
    foreign: BTreeSet<String>,
    fields: usize,
}

fn refuse(message: impl Into<String>) -> ParseError {
    ParseError::new(message)
}

impl Reader {
    fn node(&mut self, value: &Value, space: &str, depth: usize) -> Result<Node> {
        if depth > limits::NESTING_MAX {
            return Err(refuse(format!("the schema nests deeper than {} types", limits::NESTING_MAX)));
        }
        match value {
            Value::String(name) => Ok(Node { kind: self.named(name, space)?, props: Map::new() }),
            Value::Array(branches) => Ok(Node { kind: self.union(branches, space, depth)?, props: Map::new() }),
            Value::Object(object) => self.object(object, space, depth),
            other => Err(refuse(format!("a type is a name, an object or a list, not {}", excerpt(other)))),
        }
    }

    fn named(&self, name: &str, space: &str) -> Result<Kind> {
        if let Some(primitive) = Primitive::from_name(name) {
            return Ok(Kind::Primitive(primitive));
        }
        let known = |full: &str| self.definitions.contains_key(full) || self.open.contains(full);
        let full = full_name(name, space);
        if known(&full) {
            return Ok(Kind::Named(full));
        }
        if known(name) {
            return Ok(Kind::Named(name.to_owned()));
        }
        Err(refuse(format!(
            "{:?} is not a defined name: define it before its first use, or add a reference to the schema that does",
            if name.len() > 200 { "(a very long text)" } else { &full }
        )))
    }

    fn union(&mut self, branches: &[Value], space: &str, depth: usize) -> Result<Kind> {
        self.count(branches.len())?;
        let mut seen = HashSet::new();
        let mut nodes = Vec::with_capacity(branches.len());
        for branch in branches {
            let node = self.node(branch, space, depth + 1)?;
            let name = match &node.kind {
                Kind::Union(_) => return Err(refuse("a union may not directly contain another union")),
                Kind::Primitive(primitive) => primitive.name().to_owned(),
                Kind::Array(_) => "array".to_owned(),
                Kind::Map(_) => "map".to_owned(),
                Kind::Named(name) => name.clone(),
            };
            if !seen.insert(name.clone()) {
                return Err(refuse(format!("the union has {name:?} twice")));
            }
            nodes.push(node);
        }
        Ok(Kind::Union(nodes))
    }

    fn object(&mut self, object: &Map<String, Value>, space: &str, depth: usize) -> Result<Node> {
        let kind = match object.get("type") {
            None => return Err(refuse(format!("no \"type\" in {}", excerpt(&Value::Object(object.clone()))))),
            Some(Value::String(kind)) => kind.as_str(),
            Some(inner) => {
                let mut node = self.node(inner, space, depth + 1)?;
                node.props.extend(props_of(object, &["type"]));
                return Ok(node);
            }
        };
        match kind {
            "record" | "error" | "enum" | "fixed" => self.definition(kind, object, space, depth),
            "array" => {
                let items = object.get("items").ok_or_else(|| refuse("an array has no \"items\""))?;
                let items = Box::new(self.node(items, space, depth + 1)?);
                Ok(Node { kind: Kind::Array(items), props: props_of(object, &["type", "items"]) })
            }
            "map" => {
                let values = object.get("values").ok_or_else(|| refuse("a map has no \"values\""))?;
                let values = Box::new(self.node(values, space, depth + 1)?);
                Ok(Node { kind: Kind::Map(values), props: props_of(object, &["type", "values"]) })
            }
            name => Ok(Node { kind: self.named(name, space)?, props: props_of(object, &["type"]) }),
        }
    }

    fn definition(&mut self, kind: &str, object: &Map<String, Value>, space: &str, depth: usize) -> Result<Node> {
        let name = text_of(object, "name")?.ok_or_else(|| refuse(format!("a type {kind:?} has no \"name\"")))?;
        let space = text_of(object, "namespace")?.unwrap_or(space);
        let full = full_name(name, space);
        check_name(&full)?;
        let words = ["record", "error", "enum", "fixed", "array", "map"];
        if PRIMITIVES.contains(&full.as_str()) || words.contains(&full.as_str()) {
            return Err(refuse(format!("{full:?} is the name of a built-in type and cannot be defined")));
        }
        if self.definitions.contains_key(&full) || !self.open.insert(full.clone()) {
            return Err(refuse(format!("{full:?} is defined twice")));
        }
        let space = namespace(&full).to_owned();
        let aliases: Vec<String> = aliases_of(object)?.into_iter().map(|alias| full_name(&alias, &space)).collect();
        aliases.iter().try_for_each(|alias| check_name(alias))?;
        let doc = text_of(object, "doc")?.map(str::to_owned);
        let common = ["type", "name", "namespace", "aliases", "doc"];
        let definition = match kind {
            "enum" => self.enumeration(&full, aliases, doc, object, &common)?,
            "fixed" => {
                let size = object.get("size").and_then(Value::as_u64).filter(|size| *size <= i32::MAX as u64);
                let size =
                    size.ok_or_else(|| refuse(format!("fixed {full:?} has no \"size\" from 0 to 2147483647")))?;
                let props = props_of(object, &[&common[..], &["size"]].concat());
                Definition::Fixed(Arc::new(Fixed { name: full.clone(), aliases, doc, size, props }))
            }
            _ => {
                let fields = self.fields(&full, object, &space, depth)?;
                let props = props_of(object, &[&common[..], &["fields"]].concat());
                let is_error = kind == "error";
                Definition::Record(Arc::new(Record { name: full.clone(), aliases, doc, is_error, fields, props }))
            }
        };
        self.open.remove(&full);
        self.definitions.insert(full.clone(), definition);
        Ok(Node { kind: Kind::Named(full), props: Map::new() })
    }

    fn enumeration(
        &mut self,
        full: &str,
        aliases: Vec<String>,
        doc: Option<String>,
        object: &Map<String, Value>,
        common: &[&str],
    ) -> Result<Definition> {
        let symbols = object.get("symbols").and_then(Value::as_array);
        let symbols = symbols.ok_or_else(|| refuse(format!("enum {full:?} has no list \"symbols\"")))?;
        self.count(symbols.len())?;
        let mut seen = HashSet::new();
        for symbol in symbols {
            let symbol =
                symbol.as_str().ok_or_else(|| refuse(format!("enum {full:?} has a symbol that is no text")))?;
            check_part(symbol)?;
            if !seen.insert(symbol) {
                return Err(refuse(format!("enum {full:?} has the symbol {symbol:?} twice")));
            }
        }
        let default = text_of(object, "default")?;
        if let Some(default) = default.filter(|default| !seen.contains(default)) {
            return Err(refuse(format!("the default {default:?} is not in the symbols of enum {full:?}")));
        }
        Ok(Definition::Enum(Arc::new(Enum {
            name: full.to_owned(),
            aliases,
            doc,
            symbols: symbols.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            default: default.map(str::to_owned),
            props: props_of(object, &[common, &["symbols", "default"]].concat()),
        })))
    }

    fn fields(&mut self, record: &str, object: &Map<String, Value>, space: &str, depth: usize) -> Result<Vec<Field>> {
        let values = object.get("fields").and_then(Value::as_array);
        let values = values.ok_or_else(|| refuse(format!("record {record:?} has no list \"fields\"")))?;
        self.count(values.len())?;
        let mut seen = HashSet::new();
        let mut fields = Vec::with_capacity(values.len());
        for value in values {
            let Value::Object(object) = value else {
                return Err(refuse(format!("record {record:?} has a field that is no object: {}", excerpt(value))));
            };
            let name = text_of(object, "name")?;
            let name = name.ok_or_else(|| refuse(format!("record {record:?} has a field without \"name\"")))?;
            check_part(name)?;
            if !seen.insert(name) {
                return Err(refuse(format!("record {record:?} has the field {name:?} twice")));
            }
            let ty = object.get("type");
            let ty = ty.ok_or_else(|| refuse(format!("field {record}.{name} has no \"type\"")))?;
            let node = self.field_type(ty, object, space, depth)?;
            fields.push(Field {
                name: name.to_owned(),
                aliases: aliases_of(object)?,
                doc: text_of(object, "doc")?.map(str::to_owned),
                order: text_of(object, "order")?.map(str::to_owned),
                default: object.get("default").cloned(),
                node,
                props: props_of(object, &["name", "type", "doc", "order", "default", "aliases"]),
            });
        }
        Ok(fields)
    }

    /// `{"name": "a", "type": "array", "items": …}` is no Avro; `"type": "array"` alone names a type.
    fn field_type(&mut self, ty: &Value, field: &Map<String, Value>, space: &str, depth: usize) -> Result<Node> {
        if let Some(name @ ("record" | "error" | "enum" | "fixed" | "array" | "map")) = ty.as_str() {
            let field = field.get("name").and_then(Value::as_str).unwrap_or_default();
            return Err(refuse(format!(
                "the type of field {field:?} is the word {name:?}: write the whole type as an object in its place"
            )));
        }
        self.node(ty, space, depth + 1)
    }

    fn count(&mut self, more: usize) -> Result<()> {
        self.fields += more;
        if self.fields > limits::SCHEMA_FIELDS_MAX {
            return Err(refuse(format!(
                "the schema has more than {} fields, branches and symbols",
                limits::SCHEMA_FIELDS_MAX
            )));
        }
        Ok(())
    }
}

fn full_name(name: &str, space: &str) -> String {
    if let Some(bare) = name.strip_prefix('.') {
        return bare.to_owned();
    }
    if name.contains('.') || space.is_empty() { name.to_owned() } else { format!("{space}.{name}") }
}

fn check_name(full: &str) -> Result<()> {
    debug_assert!(full.ends_with(short_name(full)));
    full.split('.').try_for_each(check_part)
}

fn check_part(name: &str) -> Result<()> {
    let mut chars = name.chars();
    let first = chars.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
    if first && chars.all(|rest| rest.is_ascii_alphanumeric() || rest == '_') {
        return Ok(());
    }
    Err(refuse(format!("{name:?} is not a name: use letters, digits and _, and no digit first")))
}

fn text_of<'a>(object: &'a Map<String, Value>, key: &str) -> Result<Option<&'a str>> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(refuse(format!("{key:?} is a text, not {}", excerpt(other)))),
    }
}

fn aliases_of(object: &Map<String, Value>) -> Result<Vec<String>> {
    match object.get("aliases") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(aliases)) => {
            let text = |alias: &Value| alias.as_str().map(str::to_owned);
            aliases.iter().map(|alias| text(alias).ok_or_else(|| refuse("an alias is a text"))).collect()
        }
        Some(other) => Err(refuse(format!("\"aliases\" is a list, not {}", excerpt(other)))),
    }
}

fn props_of(object: &Map<String, Value>, without: &[&str]) -> Map<String, Value> {
    object
        .iter()
        .filter(|(key, _)| !without.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// The beginning of a JSON value, for a message.
fn excerpt(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
