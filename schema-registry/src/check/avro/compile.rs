//! How does an Avro schema become a program?

use std::collections::{HashMap, VecDeque};

use apache_avro::Schema;
use apache_avro::schema::{Name, Namespace};
use model::limits::SCHEMA_NODES_MAX;

use super::decimal::Precision;
use super::{MICROS_OF_DAY, Node, NodeId, Program};

/// Compiles `root`; `names` holds the types that it refers to and does not define itself. Errors are sentences.
pub fn compile(root: &Schema, names: &HashMap<Name, Schema>) -> Result<Program, String> {
    let mut compiler =
        Compiler { known: HashMap::new(), nodes: Vec::new(), placed: HashMap::new(), open: VecDeque::new() };
    compiler.learn(root, &None);
    for (name, schema) in names {
        compiler.learn(schema, &None);
        compiler.known.entry(name.clone()).or_insert(schema);
    }
    let root = compiler.node(root, &None)?;
    while let Some((id, name)) = compiler.open.pop_front() {
        compiler.definition(id, &name)?;
    }
    drop_widthless(&mut compiler.nodes);
    Ok(Program { nodes: compiler.nodes, root })
}

struct Compiler<'a> {
    /// All definitions, by full name.
    known: HashMap<Name, &'a Schema>,
    nodes: Vec<Node>,
    /// Named types that have their place in the arena.
    placed: HashMap<Name, NodeId>,
    /// Those of them whose definition is still to be compiled: a queue instead of recursion, as chains may be long.
    open: VecDeque<(NodeId, Name)>,
}

impl<'a> Compiler<'a> {
    /// Notes the definitions in `schema`, whose nesting is bounded by that of its text.
    fn learn(&mut self, schema: &'a Schema, namespace: &Namespace) {
        match schema {
            Schema::Array(array) => self.learn(&array.items, namespace),
            Schema::Map(map) => self.learn(&map.types, namespace),
            Schema::Union(union) => union.variants().iter().for_each(|branch| self.learn(branch, namespace)),
            Schema::Record(record) => {
                let name = record.name.fully_qualified_name(namespace);
                record.fields.iter().for_each(|field| self.learn(&field.schema, &name.namespace));
                self.known.entry(name).or_insert(schema);
            }
            _ => {
                if let Some(name) = name_of(schema) {
                    self.known.entry(name.fully_qualified_name(namespace)).or_insert(schema);
                }
            }
        }
    }

    /// The place of a type, which is compiled now unless it has a name.
    fn node(&mut self, schema: &'a Schema, namespace: &Namespace) -> Result<NodeId, String> {
        let name = match schema {
            Schema::Ref { name } => Some(name),
            _ => name_of(schema),
        };
        if let Some(name) = name {
            return self.place(name.fully_qualified_name(namespace));
        }
        let node = match schema {
            Schema::Array(array) => Node::Array(self.node(&array.items, namespace)?),
            Schema::Map(map) => Node::Map(self.node(&map.types, namespace)?),
            Schema::Union(union) => {
                let branches: Result<_, _> =
                    union.variants().iter().map(|branch| self.node(branch, namespace)).collect();
                Node::Union(branches?)
            }
            _ => leaf(schema)?,
        };
        self.push(node)
    }

    fn place(&mut self, name: Name) -> Result<NodeId, String> {
        if let Some(id) = self.placed.get(&name) {
            return Ok(*id);
        }
        let id = self.push(Node::Null)?;
        self.placed.insert(name.clone(), id);
        self.open.push_back((id, name));
        Ok(id)
    }

    fn definition(&mut self, id: NodeId, name: &Name) -> Result<(), String> {
        let schema = *self.known.get(name).ok_or_else(|| {
            format!(
                "the schema refers to the type '{}', which neither it nor its references define",
                name.fullname(None)
            )
        })?;
        let node = match schema {
            Schema::Record(record) => {
                let fields: Result<_, String> = record
                    .fields
                    .iter()
                    .map(|field| Ok((field.name.clone(), self.node(&field.schema, &name.namespace)?)))
                    .collect();
                Node::Record(fields?)
            }
            _ => leaf(schema)?,
        };
        self.nodes[id as usize] = node;
        Ok(())
    }

    fn push(&mut self, node: Node) -> Result<NodeId, String> {
        if self.nodes.len() == SCHEMA_NODES_MAX {
            return Err(format!("the schema has more than {SCHEMA_NODES_MAX} types"));
        }
        self.nodes.push(node);
        Ok(NodeId::try_from(self.nodes.len() - 1).expect("their number is bounded"))
    }
}

/// The name under which a definition can be referred to.
fn name_of(schema: &Schema) -> Option<&Name> {
    match schema {
        Schema::Record(record) => Some(&record.name),
        Schema::Enum(choice) => Some(&choice.name),
        Schema::Fixed(fixed) => Some(&fixed.name),
        Schema::Decimal(decimal) => match decimal.inner.as_ref() {
            Schema::Fixed(fixed) => Some(&fixed.name),
            _ => None,
        },
        _ => None,
    }
}

/// A type that holds no others.
fn leaf(schema: &Schema) -> Result<Node, String> {
    Ok(match schema {
        Schema::Null => Node::Null,
        Schema::Boolean => Node::Boolean,
        Schema::Int | Schema::Date => Node::Int,
        Schema::TimeMillis => Node::TimeMillis,
        Schema::Long | Schema::TimestampMicros | Schema::LocalTimestampMicros => long("a long", i64::MIN, i64::MAX),
        Schema::TimestampNanos | Schema::LocalTimestampNanos => long("a long", i64::MIN, i64::MAX),
        Schema::TimeMicros => long("a time-micros", 0, MICROS_OF_DAY - 1),
        // Columns hold microseconds.
        Schema::TimestampMillis => long("a timestamp-millis", i64::MIN / 1000, i64::MAX / 1000),
        Schema::LocalTimestampMillis => long("a local-timestamp-millis", i64::MIN / 1000, i64::MAX / 1000),
        Schema::Float => Node::Fixed(4),
        Schema::Double => Node::Fixed(8),
        Schema::Duration => Node::Fixed(12),
        Schema::Fixed(fixed) => Node::Fixed(fixed.size),
        Schema::Bytes | Schema::BigDecimal => Node::Bytes,
        Schema::String => Node::String,
        Schema::Uuid => Node::Uuid,
        Schema::Enum(choice) => Node::Enum { symbols: choice.symbols.len() },
        Schema::Decimal(decimal) => match decimal.inner.as_ref() {
            Schema::Bytes => Node::DecimalBytes(Precision::new(decimal.precision)),
            Schema::Fixed(fixed) => Node::DecimalFixed(fixed.size, Precision::new(decimal.precision)),
            _ => return Err("a decimal is made of bytes or of fixed".to_owned()),
        },
        Schema::Array(_) | Schema::Map(_) | Schema::Union(_) | Schema::Record(_) | Schema::Ref { .. } => {
            return Err("a type that holds others stands where none may".to_owned());
        }
    })
}

fn long(what: &'static str, least: i64, most: i64) -> Node {
    Node::Long { what, least, most }
}

/// Finds the types that take no bytes, however they are nested, and takes them out of records: what is left costs at
/// least one byte each, so that the walk's steps are bounded by the value's bytes.
fn drop_widthless(nodes: &mut [Node]) {
    let mut widthless: Vec<bool> = nodes.iter().map(|n| matches!(n, Node::Null | Node::Fixed(0))).collect();
    loop {
        let mut grown = false;
        for (id, node) in nodes.iter().enumerate().rev() {
            if let Node::Record(fields) = node
                && !widthless[id]
                && fields.iter().all(|(_, field)| widthless[*field as usize])
            {
                widthless[id] = true;
                grown = true;
            }
        }
        if !grown {
            break;
        }
    }
    for (id, node) in nodes.iter_mut().enumerate() {
        if widthless[id] {
            *node = Node::Null;
        } else if let Node::Record(fields) = node {
            fields.retain(|(_, field)| !widthless[*field as usize]);
        }
    }
}
