//! What does an Avro schema consist of, with nothing forgotten?

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

pub const PRIMITIVES: [&str; 8] = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"];

/// A whole schema: its root, and every named type once.
#[derive(Debug, Clone)]
pub struct Tree {
    pub root: Node,
    pub definitions: BTreeMap<String, Definition>,
    /// Names that come from references rather than from this text.
    pub foreign: std::collections::BTreeSet<String>,
}

/// A type at one place of the schema. Named types are only named here.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub kind: Kind,
    /// Attributes of this place: logical type, precision, those of tools.
    pub props: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    Primitive(Primitive),
    Array(Box<Node>),
    Map(Box<Node>),
    Union(Vec<Node>),
    /// Full name of a record, an enum or a fixed.
    Named(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Primitive {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
}

impl Primitive {
    pub fn from_name(name: &str) -> Option<Primitive> {
        use Primitive::{Boolean, Bytes, Double, Float, Int, Long, Null, String};
        let all = [Null, Boolean, Int, Long, Float, Double, Bytes, String];
        PRIMITIVES.iter().position(|primitive| *primitive == name).map(|index| all[index])
    }

    pub fn name(self) -> &'static str {
        PRIMITIVES[self as usize]
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum Definition {
    Record(Arc<Record>),
    Enum(Arc<Enum>),
    Fixed(Arc<Fixed>),
}

#[derive(Debug, PartialEq)]
pub struct Record {
    pub name: String,
    pub aliases: Vec<String>,
    pub doc: Option<String>,
    /// Declared by `error` rather than `record`.
    pub is_error: bool,
    pub fields: Vec<Field>,
    pub props: Map<String, Value>,
}

#[derive(Debug, PartialEq)]
pub struct Field {
    pub name: String,
    pub aliases: Vec<String>,
    pub doc: Option<String>,
    pub order: Option<String>,
    pub default: Option<Value>,
    pub node: Node,
    pub props: Map<String, Value>,
}

#[derive(Debug, PartialEq)]
pub struct Enum {
    pub name: String,
    pub aliases: Vec<String>,
    pub doc: Option<String>,
    pub symbols: Vec<String>,
    pub default: Option<String>,
    pub props: Map<String, Value>,
}

#[derive(Debug, PartialEq)]
pub struct Fixed {
    pub name: String,
    pub aliases: Vec<String>,
    pub doc: Option<String>,
    pub size: u64,
    pub props: Map<String, Value>,
}

impl Tree {
    /// Is there a type without a namespace?
    pub fn has_bare_names(&self) -> bool {
        self.definitions.keys().any(|name| namespace(name).is_empty())
    }
}

impl Record {
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

impl Fixed {
    /// The logical type when it is one that a fixed of this size can have and that values are decoded by.
    pub fn logical(&self) -> Option<&str> {
        let name = self.props.get("logicalType")?.as_str()?;
        let number = |key: &str| self.props.get(key).map_or(Some(0), Value::as_u64);
        match name {
            "duration" => (self.size == 12).then_some(name),
            "decimal" => {
                let (precision, scale) = (number("precision")?, number("scale")?);
                (precision > 0 && scale <= precision && precision <= decimal_digits(self.size)).then_some(name)
            }
            _ => None,
        }
    }
}

/// Digits that always fit into so many bytes of two's complement.
fn decimal_digits(bytes: u64) -> u64 {
    match bytes {
        0 => 0,
        _ => ((bytes * 8 - 1) as f64 * std::f64::consts::LOG10_2).floor() as u64,
    }
}

impl Definition {
    pub fn name(&self) -> &str {
        match self {
            Definition::Record(record) => &record.name,
            Definition::Enum(inner) => &inner.name,
            Definition::Fixed(fixed) => &fixed.name,
        }
    }
}

/// The part of a full name after its last dot.
pub fn short_name(full: &str) -> &str {
    full.rsplit_once('.').map_or(full, |(_, short)| short)
}

/// The part of a full name before its last dot; empty without one.
pub fn namespace(full: &str) -> &str {
    full.rsplit_once('.').map_or("", |(namespace, _)| namespace)
}
