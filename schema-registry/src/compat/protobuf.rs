//! Which differences of Protobuf schemas keep a reader from reading?
//!
//! Messages are matched by name and fields by number; names of fields, enum values and the order of messages do not
//! matter. Pairs of messages wait in a list, so that circles end and depth costs nothing.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use prost_reflect::{Cardinality, FieldDescriptor, Kind, MessageDescriptor, OneofDescriptor};

use super::{FAULTS_MAX, Fault};
use crate::schema::ProtobufSchema;

pub(super) fn faults(reader: &ProtobufSchema, writer: &ProtobufSchema) -> Vec<Fault> {
    let mut compare = Compare { faults: Vec::new(), seen: HashSet::new(), open: Vec::new() };
    if reader.file.package_name() != writer.file.package_name() {
        let (new, old) = (reader.file.package_name(), writer.file.package_name());
        compare.fault(
            "PACKAGE_CHANGED",
            format!("The package is '{new}' in the {{reader}} schema and '{old}' in the {{writer}} schema"),
            "",
        );
    }
    compare.siblings(reader.file.messages(), writer.file.messages(), "#/");
    while let Some((reader, writer, path)) = compare.open.pop() {
        compare.messages(&reader, &writer, &path);
    }
    compare.faults
}

struct Compare {
    faults: Vec<Fault>,
    /// Pairs of full names.
    seen: HashSet<(String, String)>,
    open: Vec<(MessageDescriptor, MessageDescriptor, String)>,
}

impl Compare {
    fn fault(&mut self, rule: &'static str, sentence: String, path: &str) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(Fault::new(rule, sentence, path));
        }
    }

    /// Messages of one file or of one message.
    fn siblings(
        &mut self,
        reader: impl Iterator<Item = MessageDescriptor>,
        writer: impl Iterator<Item = MessageDescriptor>,
        path: &str,
    ) {
        let readers: BTreeMap<String, MessageDescriptor> =
            reader.map(|message| (message.name().to_owned(), message)).collect();
        for message in writer.filter(|message| !message.is_map_entry()) {
            let path = join(path, message.name());
            match readers.get(message.name()) {
                Some(reader) => self.enqueue(reader.clone(), message, path),
                None => self.fault(
                    "MESSAGE_REMOVED",
                    format!(
                        "The {{reader}} schema is missing the message '{}' at path '{path}' of the {{writer}} schema",
                        message.name()
                    ),
                    &path,
                ),
            }
        }
    }

    fn enqueue(&mut self, reader: MessageDescriptor, writer: MessageDescriptor, path: String) {
        if self.seen.insert((reader.full_name().to_owned(), writer.full_name().to_owned())) {
            self.open.push((reader, writer, path));
        }
    }

    fn messages(&mut self, reader: &MessageDescriptor, writer: &MessageDescriptor, path: &str) {
        self.siblings(reader.child_messages(), writer.child_messages(), path);
        self.oneofs(reader, writer, path);
        let survives = |oneof: &OneofDescriptor| oneof.fields().any(|field| reader.get_field(field.number()).is_some());
        let kept = |oneof: &OneofDescriptor| reader.oneofs().any(|other| other.name() == oneof.name());
        for field in writer.fields() {
            let path = join(path, &field.number().to_string());
            match (reader.get_field(field.number()), oneof_of(&field)) {
                (Some(ours), _) => self.fields(&ours, &field, &path),
                (None, Some(oneof)) if kept(&oneof) || survives(&oneof) => self.fault(
                    "ONEOF_FIELD_REMOVED",
                    format!(
                        "The {{reader}} schema is missing the field '{}' of oneof '{}' at path '{path}'",
                        field.name(),
                        oneof.name()
                    ),
                    &path,
                ),
                (None, None) if field.cardinality() == Cardinality::Required => self.fault(
                    "REQUIRED_FIELD_REMOVED",
                    format!("The {{reader}} schema is missing the required field '{}' at path '{path}'", field.name()),
                    &path,
                ),
                (None, _) => {}
            }
        }
        for field in reader.fields().filter(|field| field.cardinality() == Cardinality::Required) {
            if writer.get_field(field.number()).is_none() {
                let path = join(path, &field.number().to_string());
                self.fault(
                    "REQUIRED_FIELD_ADDED",
                    format!(
                        "The required field '{}' at path '{path}' in the {{reader}} schema is missing in the {{writer}} schema",
                        field.name()
                    ),
                    &path,
                );
            }
        }
    }

    /// Fields that could be set together may not exclude each other now.
    fn oneofs(&mut self, reader: &MessageDescriptor, writer: &MessageDescriptor, path: &str) {
        for oneof in reader.oneofs().filter(|oneof| !is_synthetic(oneof)) {
            let mut origins = BTreeSet::new();
            let mut moved_in = 0;
            for field in oneof.fields() {
                let Some(before) = writer.get_field(field.number()) else { continue };
                match oneof_of(&before) {
                    Some(before) => drop(origins.insert(before.name().to_owned())),
                    None => {
                        moved_in += 1;
                        origins.insert(format!("#{}", before.number()));
                    }
                }
            }
            let rule = match (origins.len(), moved_in) {
                (0 | 1, _) => continue,
                (_, 0 | 1) => "FIELD_MOVED_TO_EXISTING_ONEOF",
                _ => "MULTIPLE_FIELDS_MOVED_TO_ONEOF",
            };
            let path = join(path, oneof.name());
            self.fault(
                rule,
                format!("Fields that the {{writer}} schema keeps apart are in oneof '{}' of the {{reader}} schema at path '{path}'", oneof.name()),
                &path,
            );
        }
    }

    fn fields(&mut self, reader: &FieldDescriptor, writer: &FieldDescriptor, path: &str) {
        if reader.is_map() != writer.is_map() {
            return self.kind_changed(reader, writer, path);
        }
        if let (true, Kind::Message(ours), Kind::Message(theirs)) = (reader.is_map(), reader.kind(), writer.kind()) {
            self.kinds(&ours.map_entry_key_field(), &theirs.map_entry_key_field(), path);
            self.kinds(&ours.map_entry_value_field(), &theirs.map_entry_value_field(), path);
            return;
        }
        let group = self.kinds(reader, writer, path);
        if reader.cardinality() != writer.cardinality() && group.is_some_and(|group| group.is_numeric()) {
            self.fault(
                "FIELD_NUMERIC_LABEL_CHANGED",
                format!("The label of the numeric field '{}' at path '{path}' differs between the {{reader}} and the {{writer}} schema", reader.name()),
                path,
            );
        }
    }

    /// The group of scalars that both belong to.
    fn kinds(&mut self, reader: &FieldDescriptor, writer: &FieldDescriptor, path: &str) -> Option<Group> {
        let groups = (Group::of(&reader.kind()), Group::of(&writer.kind()));
        match (groups, reader.kind(), writer.kind()) {
            ((Some(ours), Some(theirs)), ..) if ours == theirs => return Some(ours),
            ((Some(_), Some(_)), ..) => self.fault(
                "FIELD_SCALAR_KIND_CHANGED",
                format!(
                    "The kind of the field '{}' at path '{path}' is {:?} in the {{reader}} schema and {:?} in the {{writer}} schema",
                    reader.name(),
                    reader.kind(),
                    writer.kind()
                ),
                path,
            ),
            (_, Kind::Message(ours), Kind::Message(theirs)) => {
                if local_name(&ours) == local_name(&theirs) {
                    self.enqueue(ours, theirs, path.to_owned());
                } else {
                    self.fault(
                        "FIELD_NAMED_TYPE_CHANGED",
                        format!(
                            "The type of the field '{}' at path '{path}' is {} in the {{reader}} schema and {} in the {{writer}} schema",
                            reader.name(),
                            ours.full_name(),
                            theirs.full_name()
                        ),
                        path,
                    );
                }
            }
            _ => self.kind_changed(reader, writer, path),
        }
        None
    }

    fn kind_changed(&mut self, reader: &FieldDescriptor, writer: &FieldDescriptor, path: &str) {
        self.fault(
            "FIELD_KIND_CHANGED",
            format!(
                "The type of the field '{}' at path '{path}' in the {{reader}} schema does not match the one in the {{writer}} schema: {:?} and {:?}",
                reader.name(),
                reader.kind(),
                writer.kind()
            ),
            path,
        );
    }
}

/// Scalars of one group look alike on the wire: <https://protobuf.dev/programming-guides/proto3/#updating>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Group {
    Number,
    Signed,
    Text,
    Fixed32,
    Fixed64,
    Float,
    Double,
}

impl Group {
    /// None for messages.
    fn of(kind: &Kind) -> Option<Group> {
        Some(match kind {
            Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64 | Kind::Bool | Kind::Enum(_) => Group::Number,
            Kind::Sint32 | Kind::Sint64 => Group::Signed,
            Kind::String | Kind::Bytes => Group::Text,
            Kind::Fixed32 | Kind::Sfixed32 => Group::Fixed32,
            Kind::Fixed64 | Kind::Sfixed64 => Group::Fixed64,
            Kind::Float => Group::Float,
            Kind::Double => Group::Double,
            Kind::Message(_) => return None,
        })
    }

    fn is_numeric(self) -> bool {
        self != Group::Text
    }
}

/// The oneof that an author wrote; `optional` of proto3 makes one of its own, which does not count.
fn oneof_of(field: &FieldDescriptor) -> Option<OneofDescriptor> {
    field.containing_oneof().filter(|oneof| !is_synthetic(oneof))
}

fn is_synthetic(oneof: &OneofDescriptor) -> bool {
    let mut fields = oneof.fields();
    matches!((fields.next(), fields.next()), (Some(field), None) if field.field_descriptor_proto().proto3_optional())
}

fn local_name(message: &MessageDescriptor) -> &str {
    let name = message.full_name().strip_prefix(message.package_name()).unwrap_or(message.full_name());
    name.trim_start_matches('.')
}

fn join(path: &str, part: &str) -> String {
    if path.ends_with('/') { format!("{path}{part}") } else { format!("{path}/{part}") }
}
