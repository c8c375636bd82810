//! How does a Protobuf message's descriptor become a program?

use std::collections::{HashMap, VecDeque};

use model::limits::SCHEMA_NODES_MAX;
use prost_reflect::{FieldDescriptor, MessageDescriptor};

use super::{Field, Kind, Message, MessageId, Number, Program};

/// Compiles `root` and all messages that it can hold. Errors are sentences.
pub fn compile(root: &MessageDescriptor) -> Result<Program, String> {
    let mut compiler = Compiler { places: HashMap::new(), open: VecDeque::new() };
    let mut messages = Vec::new();
    let mut fields_left = SCHEMA_NODES_MAX;
    compiler.place(root);
    while let Some(descriptor) = compiler.open.pop_front() {
        let message = compiler.message(&descriptor);
        fields_left = fields_left
            .checked_sub(message.fields.len() + 1)
            .ok_or_else(|| format!("the message '{}' holds more than {SCHEMA_NODES_MAX} fields", root.full_name()))?;
        messages.push(message);
    }
    Ok(Program { messages })
}

struct Compiler {
    /// Messages that have their place in the arena, by full name.
    places: HashMap<String, MessageId>,
    /// Those of them that are still to be compiled, in the order of their places.
    open: VecDeque<MessageDescriptor>,
}

impl Compiler {
    fn place(&mut self, descriptor: &MessageDescriptor) -> MessageId {
        if let Some(id) = self.places.get(descriptor.full_name()) {
            return *id;
        }
        let id = MessageId::try_from(self.places.len()).expect("schemas are bounded");
        self.places.insert(descriptor.full_name().to_owned(), id);
        self.open.push_back(descriptor.clone());
        id
    }

    fn message(&mut self, descriptor: &MessageDescriptor) -> Message {
        let mut descriptors: Vec<FieldDescriptor> = descriptor.fields().collect();
        descriptors.sort_by_key(FieldDescriptor::number);
        let required = (0..descriptors.len()).filter(|place| descriptors[*place].is_required()).collect();
        let fields = descriptors.iter().map(|field| self.field(field)).collect();
        Message { fields, required, is_timestamp: descriptor.full_name() == "google.protobuf.Timestamp" }
    }

    fn field(&mut self, field: &FieldDescriptor) -> Field {
        use prost_reflect::Kind as Described;
        let kind = match field.kind() {
            Described::Bool => Kind::Varint(Number::Bool),
            Described::Int32 | Described::Enum(_) => Kind::Varint(Number::Int32),
            Described::Uint32 => Kind::Varint(Number::Uint32),
            Described::Sint32 => Kind::Varint(Number::Sint32),
            Described::Int64 | Described::Uint64 | Described::Sint64 => Kind::Varint(Number::Any64),
            Described::Float | Described::Fixed32 | Described::Sfixed32 => Kind::Fixed32,
            Described::Double | Described::Fixed64 | Described::Sfixed64 => Kind::Fixed64,
            Described::String => Kind::String,
            Described::Bytes => Kind::Bytes,
            Described::Message(message) if field.is_group() => Kind::Group(self.place(&message)),
            Described::Message(message) => Kind::Message(self.place(&message)),
        };
        Field {
            number: field.number(),
            name: field.name().to_owned(),
            kind,
            repeated: field.is_list() || field.is_map(),
        }
    }
}
