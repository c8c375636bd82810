//! Which columns does a Protobuf message have?

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use iceberg::spec::{PrimitiveType, Type};
use model::limits::{NESTING_MAX, SCHEMA_FIELDS_MAX};
use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind as ProtoKind, MessageDescriptor};

use super::fault::{Fault, Refused};
use super::kind::Kind;
use super::shape::{Fields, Shape, bind_element, bind_entry};

/// A Protobuf type as the walker meets it.
#[derive(Debug, Clone)]
pub enum Node {
    Scalar(Scalar),
    /// A wrapper message of google.protobuf: null, or the scalar in its field 1.
    Wrapper(Scalar),
    /// google.protobuf.Timestamp: an instant, in microseconds (finer digits are cut off).
    Timestamp,
    /// google.protobuf.Struct, Value or ListValue: a text that holds JSON.
    Json(Json),
    Message(Message),
    List {
        element: Box<Node>,
    },
    Map {
        key: Scalar,
        value: Box<Node>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Json {
    Struct,
    Value,
    List,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    Double,
    Float,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Bool,
    Text,
    Bytes,
    /// Number to name. A number without a name is stored as its digits, as in Protobuf's JSON form.
    Enum(Arc<BTreeMap<i32, String>>),
}

/// A message: its fields, and beside each what the wire says about it.
#[derive(Debug, Clone)]
pub struct Message {
    pub fields: Fields<Node>,
    pub tags: Vec<Tag>,
    /// Field number to index in `fields` and `tags`.
    pub numbers: HashMap<u32, usize>,
}

#[derive(Debug, Clone, Copy)]
pub struct Tag {
    /// Absent means the type's zero (proto3 without `optional`), not null.
    pub implicit: bool,
    /// Fields of one oneof clear each other.
    pub oneof: Option<usize>,
}

/// Lowers a message whose fields become columns.
pub fn lower(message: &MessageDescriptor) -> Result<Message, Refused> {
    Lower { open: Vec::new(), nodes: 0 }.message(message)
}

struct Lower {
    /// Full names of the messages that are being lowered, outermost first.
    open: Vec<String>,
    nodes: usize,
}

impl Lower {
    fn message(&mut self, message: &MessageDescriptor) -> Result<Message, Refused> {
        let name = message.full_name().to_owned();
        if self.open.contains(&name) {
            return Err(Fault::new(format!("message '{name}' contains itself: columns cannot nest without end")));
        }
        if self.open.len() >= NESTING_MAX {
            return Err(Fault::new(format!("fields nest deeper than {NESTING_MAX} levels")));
        }
        if let Some(extension) = message.extensions().next() {
            return Err(Fault::new(format!(
                "message '{name}' has an extension, '{}': extensions have no columns yet",
                extension.full_name()
            )));
        }
        self.open.push(name);
        let (mut list, mut tags, mut numbers) = (Vec::new(), Vec::new(), HashMap::new());
        let mut declared: Vec<FieldDescriptor> = message.fields().collect();
        declared.sort_by_key(|field| field.path().to_vec());
        for field in declared {
            let node = self.field(&field).map_err(|fault| fault.in_field(field.name()))?;
            numbers.insert(field.number(), list.len());
            list.push((field.name().to_owned(), node));
            let oneof = field.containing_oneof().filter(|oneof| !oneof.is_synthetic());
            let oneof = oneof.and_then(|oneof| message.oneofs().position(|other| other == oneof));
            let implicit = !field.supports_presence() && !field.is_list() && !field.is_map();
            tags.push(Tag { implicit, oneof });
        }
        self.open.pop();
        Ok(Message { fields: Fields::new(list), tags, numbers })
    }

    fn field(&mut self, field: &FieldDescriptor) -> Result<Node, Refused> {
        self.nodes += 1;
        // Messages that are used twice are lowered twice: without a bound a short schema could grow without end.
        if self.nodes > SCHEMA_FIELDS_MAX {
            return Err(Fault::new(format!("the schema has more than {SCHEMA_FIELDS_MAX} fields")));
        }
        if field.is_group() {
            return Err(Fault::new("groups have no columns: use a message"));
        }
        if let (true, ProtoKind::Message(entry)) = (field.is_map(), field.kind()) {
            let key = scalar(&entry.map_entry_key_field().kind()).ok_or_else(|| Fault::new("has no scalar key"))?;
            let value = self.kind(&entry.map_entry_value_field().kind()).map_err(|fault| fault.in_entry(""))?;
            return Ok(Node::Map { key, value: Box::new(value) });
        }
        if field.is_list() {
            let element = self.kind(&field.kind()).map_err(|fault| fault.in_element(None))?;
            return Ok(Node::List { element: Box::new(element) });
        }
        self.kind(&field.kind())
    }

    fn kind(&mut self, kind: &ProtoKind) -> Result<Node, Refused> {
        let ProtoKind::Message(message) = kind else {
            let scalar = scalar(kind).expect("what is no message is a scalar");
            return Ok(Node::Scalar(scalar));
        };
        Ok(match message.full_name() {
            "google.protobuf.Timestamp" => Node::Timestamp,
            "google.protobuf.Struct" => Node::Json(Json::Struct),
            "google.protobuf.Value" => Node::Json(Json::Value),
            "google.protobuf.ListValue" => Node::Json(Json::List),
            "google.protobuf.DoubleValue" => Node::Wrapper(Scalar::Double),
            "google.protobuf.FloatValue" => Node::Wrapper(Scalar::Float),
            "google.protobuf.Int64Value" => Node::Wrapper(Scalar::Int64),
            "google.protobuf.UInt64Value" => Node::Wrapper(Scalar::Uint64),
            "google.protobuf.Int32Value" => Node::Wrapper(Scalar::Int32),
            "google.protobuf.UInt32Value" => Node::Wrapper(Scalar::Uint32),
            "google.protobuf.BoolValue" => Node::Wrapper(Scalar::Bool),
            "google.protobuf.StringValue" => Node::Wrapper(Scalar::Text),
            "google.protobuf.BytesValue" => Node::Wrapper(Scalar::Bytes),
            _ => Node::Message(self.message(message)?),
        })
    }
}

fn scalar(kind: &ProtoKind) -> Option<Scalar> {
    Some(match kind {
        ProtoKind::Double => Scalar::Double,
        ProtoKind::Float => Scalar::Float,
        ProtoKind::Int32 => Scalar::Int32,
        ProtoKind::Int64 => Scalar::Int64,
        ProtoKind::Uint32 => Scalar::Uint32,
        ProtoKind::Uint64 => Scalar::Uint64,
        ProtoKind::Sint32 => Scalar::Sint32,
        ProtoKind::Sint64 => Scalar::Sint64,
        ProtoKind::Fixed32 => Scalar::Fixed32,
        ProtoKind::Fixed64 => Scalar::Fixed64,
        ProtoKind::Sfixed32 => Scalar::Sfixed32,
        ProtoKind::Sfixed64 => Scalar::Sfixed64,
        ProtoKind::Bool => Scalar::Bool,
        ProtoKind::String => Scalar::Text,
        ProtoKind::Bytes => Scalar::Bytes,
        ProtoKind::Enum(descriptor) => Scalar::Enum(Arc::new(names(descriptor))),
        ProtoKind::Message(_) => return None,
    })
}

/// Of aliases the one that is declared first counts.
fn names(descriptor: &EnumDescriptor) -> BTreeMap<i32, String> {
    let mut names = BTreeMap::new();
    let mut values: Vec<_> = descriptor.values().collect();
    values.sort_by_key(|value| value.path().to_vec());
    for value in values {
        names.entry(value.number()).or_insert_with(|| value.name().to_owned());
    }
    names
}

impl Scalar {
    pub fn primitive(&self) -> PrimitiveType {
        match self {
            Scalar::Double => PrimitiveType::Double,
            Scalar::Float => PrimitiveType::Float,
            Scalar::Int32 | Scalar::Sint32 | Scalar::Sfixed32 => PrimitiveType::Int,
            Scalar::Int64 | Scalar::Sint64 | Scalar::Sfixed64 => PrimitiveType::Long,
            Scalar::Uint32 | Scalar::Fixed32 => PrimitiveType::Long,
            Scalar::Uint64 | Scalar::Fixed64 => PrimitiveType::Decimal { precision: 20, scale: 0 },
            Scalar::Bool => PrimitiveType::Boolean,
            Scalar::Text | Scalar::Enum(_) => PrimitiveType::String,
            Scalar::Bytes => PrimitiveType::Binary,
        }
    }
}

impl Shape for Node {
    fn kind(&self) -> Option<Kind> {
        Some(match self {
            Node::Scalar(scalar) | Node::Wrapper(scalar) => Kind::Scalar(scalar.primitive()),
            Node::Timestamp => Kind::Scalar(PrimitiveType::Timestamptz),
            Node::Json(_) => Kind::Scalar(PrimitiveType::String),
            Node::Message(message) => message.fields.kind(),
            Node::List { element } => Kind::List(Box::new(element.kind()?)),
            Node::Map { key, value } => Kind::Map(key.primitive(), Box::new(value.kind()?)),
        })
    }

    fn bind(&mut self, column: &Type) -> Result<(), Fault> {
        match self {
            Node::Message(message) => message.fields.bind_struct(column),
            Node::List { element } => bind_element(element.as_mut(), column),
            Node::Map { value, .. } => bind_entry(value.as_mut(), column),
            _ => Ok(()),
        }
    }
}
