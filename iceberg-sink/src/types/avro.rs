//! Which columns does an Avro schema have?

#[cfg(test)]
mod tests;

use std::sync::Arc;

use iceberg::spec::{PrimitiveType, Type};
use model::limits::{NESTING_MAX, SCHEMA_FIELDS_MAX};
use schema_registry::schema::avro::AvroSchema;
use schema_registry::schema::avro::tree::{self, Definition, Primitive, Tree, short_name};
use serde_json::{Map, Value};

use super::fault::{Fault, Refused};
use super::kind::Kind;
use super::shape::{Fields, Shape, bind_element, bind_entry};

/// An Avro type as the walker meets it: names resolved, logical types understood.
#[derive(Debug, Clone)]
pub enum Node {
    Null,
    Boolean,
    Int,
    /// Also nanosecond timestamps: microseconds would lose digits.
    Long,
    Float,
    Double,
    Bytes,
    Text,
    Fixed(usize),
    Enum(Arc<[String]>),
    /// Two's complement, big-endian; of `size` bytes, or with their number in front.
    Decimal {
        size: Option<usize>,
        precision: u32,
        scale: u32,
    },
    UuidText,
    UuidFixed,
    Date,
    TimeMillis,
    TimeMicros,
    /// A count of units of `micros` microseconds; `zoned` is an instant, else a local time.
    Timestamp {
        micros: i64,
        zoned: bool,
    },
    /// Months, days and milliseconds, each unsigned 32 bits.
    Duration(Fields<Node>),
    Record(Fields<Node>),
    List {
        element: Box<Node>,
    },
    Map {
        value: Box<Node>,
    },
    /// A union with at most one branch that is not null. `null` is the index of the other.
    Optional {
        branches: usize,
        null: Option<usize>,
        inner: Box<Node>,
    },
    /// Any other union: a struct with one field per branch, of which one is set. Null branches have no field.
    Union {
        branches: Vec<Option<usize>>,
        fields: Fields<Node>,
    },
}

/// Lowers a schema whose root is a record.
pub fn lower(schema: &AvroSchema) -> Result<Fields<Node>, Refused> {
    let mut lower = Lower { tree: &schema.tree, open: Vec::new(), nodes: 0 };
    match lower.node(&schema.tree.root)? {
        Node::Record(fields) => Ok(fields),
        _ => Err(Fault::new("the root of an Avro schema must be a record: only its fields can be columns")),
    }
}

struct Lower<'a> {
    tree: &'a Tree,
    /// The records that are being lowered, outermost first.
    open: Vec<&'a str>,
    nodes: usize,
}

impl<'a> Lower<'a> {
    fn node(&mut self, node: &'a tree::Node) -> Result<Node, Refused> {
        self.nodes += 1;
        // Types that are used twice are lowered twice: without a bound a short schema could grow without end.
        if self.nodes > SCHEMA_FIELDS_MAX {
            return Err(Fault::new(format!("the schema has more than {SCHEMA_FIELDS_MAX} fields")));
        }
        match &node.kind {
            tree::Kind::Primitive(primitive) => scalar(*primitive, &node.props),
            tree::Kind::Array(element) => {
                let element = self.node(element).map_err(|fault| fault.in_element(None))?;
                stored(&element, "list")?;
                Ok(Node::List { element: Box::new(element) })
            }
            tree::Kind::Map(value) => {
                let value = self.node(value).map_err(|fault| fault.in_entry(""))?;
                stored(&value, "map")?;
                Ok(Node::Map { value: Box::new(value) })
            }
            tree::Kind::Union(branches) => self.union(branches),
            tree::Kind::Named(name) => self.named(name),
        }
    }

    fn named(&mut self, name: &'a str) -> Result<Node, Refused> {
        match self.tree.definitions.get(name) {
            Some(Definition::Enum(inner)) => Ok(Node::Enum(inner.symbols.clone().into())),
            Some(Definition::Fixed(inner)) => fixed(inner.size, &inner.props),
            Some(Definition::Record(record)) => {
                if self.open.contains(&name) {
                    return Err(Fault::new(format!(
                        "record '{name}' contains itself: columns cannot nest without end"
                    )));
                }
                if self.open.len() >= NESTING_MAX {
                    return Err(Fault::new(format!("fields nest deeper than {NESTING_MAX} levels")));
                }
                self.open.push(name);
                let mut fields = Vec::with_capacity(record.fields.len());
                for field in &record.fields {
                    let node = self.node(&field.node).map_err(|fault| fault.in_field(&field.name))?;
                    fields.push((field.name.clone(), node));
                }
                self.open.pop();
                Ok(Node::Record(Fields::new(fields)))
            }
            None => Err(Fault::new(format!("type '{name}' is not defined"))),
        }
    }

    fn union(&mut self, branches: &'a [tree::Node]) -> Result<Node, Refused> {
        let is_null = |branch: &tree::Node| matches!(branch.kind, tree::Kind::Primitive(Primitive::Null));
        let values: Vec<&tree::Node> = branches.iter().filter(|branch| !is_null(branch)).collect();
        if values.len() <= 1 {
            let inner = values.first().map_or(Ok(Node::Null), |value| self.node(value))?;
            let null = branches.iter().position(is_null);
            return Ok(Node::Optional { branches: branches.len(), null, inner: Box::new(inner) });
        }
        let short: Vec<&str> = values.iter().map(|branch| label(branch)).collect();
        let (mut places, mut fields) = (Vec::new(), Vec::new());
        for branch in branches {
            if is_null(branch) {
                places.push(None);
                continue;
            }
            let short_label = label(branch);
            let twice = short.iter().filter(|other| other.eq_ignore_ascii_case(short_label)).count() > 1;
            let label = if twice { full_label(branch).replace('.', "_") } else { short_label.to_owned() };
            let node = self.node(branch).map_err(|fault| fault.in_field(&label))?;
            places.push(Some(fields.len()));
            fields.push((label, node));
        }
        Ok(Node::Union { branches: places, fields: Fields::new(fields) })
    }
}

/// The name of a branch in Avro's JSON encoding, without its namespace.
fn label(branch: &tree::Node) -> &str {
    short_name(full_label(branch))
}

fn full_label(branch: &tree::Node) -> &str {
    match &branch.kind {
        tree::Kind::Primitive(primitive) => primitive.name(),
        tree::Kind::Array(_) => "array",
        tree::Kind::Map(_) => "map",
        tree::Kind::Union(_) => "union",
        tree::Kind::Named(name) => name,
    }
}

fn stored(inner: &Node, what: &str) -> Result<(), Refused> {
    match inner.kind() {
        Some(_) => Ok(()),
        None => Err(Fault::new(format!("a {what} of null has nothing to store: remove the field"))),
    }
}

fn scalar(primitive: Primitive, props: &Map<String, Value>) -> Result<Node, Refused> {
    let zoned = |micros| Node::Timestamp { micros, zoned: true };
    let local = |micros| Node::Timestamp { micros, zoned: false };
    Ok(match (primitive, logical(props)) {
        (Primitive::Int, "date") => Node::Date,
        (Primitive::Int, "time-millis") => Node::TimeMillis,
        (Primitive::Long, "time-micros") => Node::TimeMicros,
        (Primitive::Long, "timestamp-millis") => zoned(1000),
        (Primitive::Long, "timestamp-micros") => zoned(1),
        (Primitive::Long, "local-timestamp-millis") => local(1000),
        (Primitive::Long, "local-timestamp-micros") => local(1),
        (Primitive::String, "uuid") => Node::UuidText,
        (Primitive::Bytes, "decimal") => decimal(None, props)?.unwrap_or(Node::Bytes),
        (Primitive::Bytes, "big-decimal") => {
            return Err(Fault::new("a big-decimal has no fixed scale: use decimal with precision and scale"));
        }
        (Primitive::Null, _) => Node::Null,
        (Primitive::Boolean, _) => Node::Boolean,
        (Primitive::Int, _) => Node::Int,
        (Primitive::Long, _) => Node::Long,
        (Primitive::Float, _) => Node::Float,
        (Primitive::Double, _) => Node::Double,
        (Primitive::Bytes, _) => Node::Bytes,
        (Primitive::String, _) => Node::Text,
    })
}

fn fixed(size: u64, props: &Map<String, Value>) -> Result<Node, Refused> {
    // A wider one could not be a value of one record; the bound also keeps widths within Arrow's 32 bits.
    let size = usize::try_from(size).ok().filter(|size| (1..=1 << 20).contains(size));
    let size = size.ok_or_else(|| Fault::new("a fixed must have 1 to 1048576 bytes to be a column"))?;
    Ok(match (size, logical(props)) {
        (16, "uuid") => Node::UuidFixed,
        (12, "duration") => {
            let parts = ["months", "days", "millis"].map(|part| (part.to_owned(), Node::Long));
            Node::Duration(Fields::new(parts.into()))
        }
        (_, "decimal") => decimal(Some(size), props)?.unwrap_or(Node::Fixed(size)),
        _ => Node::Fixed(size),
    })
}

fn logical(props: &Map<String, Value>) -> &str {
    props.get("logicalType").and_then(Value::as_str).unwrap_or("")
}

/// None when Avro says that the logical type is to be ignored, being invalid.
fn decimal(size: Option<usize>, props: &Map<String, Value>) -> Result<Option<Node>, Refused> {
    let precision = props.get("precision").and_then(Value::as_u64);
    let scale = props.get("scale").map_or(Some(0), Value::as_u64);
    let (Some(precision), Some(scale)) = (precision, scale) else { return Ok(None) };
    if precision == 0 || scale > precision {
        return Ok(None);
    }
    if precision > 38 {
        return Err(Fault::new(format!("a decimal of {precision} digits: Iceberg has at most 38")));
    }
    Ok(Some(Node::Decimal { size, precision: precision as u32, scale: scale as u32 }))
}

impl Shape for Node {
    fn kind(&self) -> Option<Kind> {
        let scalar = |primitive| Some(Kind::Scalar(primitive));
        match self {
            Node::Null => None,
            Node::Boolean => scalar(PrimitiveType::Boolean),
            Node::Int => scalar(PrimitiveType::Int),
            Node::Long => scalar(PrimitiveType::Long),
            Node::Float => scalar(PrimitiveType::Float),
            Node::Double => scalar(PrimitiveType::Double),
            Node::Bytes => scalar(PrimitiveType::Binary),
            Node::Fixed(size) => scalar(PrimitiveType::Fixed(*size as u64)),
            // Spark refuses any table with a column of type time: times of day are texts of fixed width.
            Node::Text | Node::Enum(_) | Node::TimeMillis | Node::TimeMicros => scalar(PrimitiveType::String),
            Node::Decimal { precision, scale, .. } => {
                scalar(PrimitiveType::Decimal { precision: *precision, scale: *scale })
            }
            Node::UuidText | Node::UuidFixed => scalar(PrimitiveType::Uuid),
            Node::Date => scalar(PrimitiveType::Date),
            Node::Timestamp { zoned: true, .. } => scalar(PrimitiveType::Timestamptz),
            Node::Timestamp { zoned: false, .. } => scalar(PrimitiveType::Timestamp),
            Node::Record(fields) | Node::Duration(fields) | Node::Union { fields, .. } => Some(fields.kind()),
            Node::List { element } => Some(Kind::List(Box::new(element.kind()?))),
            Node::Map { value } => Some(Kind::Map(PrimitiveType::String, Box::new(value.kind()?))),
            Node::Optional { inner, .. } => inner.kind(),
        }
    }

    fn bind(&mut self, column: &Type) -> Result<(), Fault> {
        match self {
            Node::Record(fields) | Node::Duration(fields) | Node::Union { fields, .. } => fields.bind_struct(column),
            Node::List { element } => bind_element(element.as_mut(), column),
            Node::Map { value } => bind_entry(value.as_mut(), column),
            Node::Optional { inner, .. } => inner.bind(column),
            _ => Ok(()),
        }
    }
}
