//! Is a FileDescriptorProto one that a compiler could have made?
//!
//! The reflection library indexes by what a descriptor says, and our text is printed from it: a descriptor that comes
//! from a client is checked first for everything that the grammar of `.proto` guarantees.

use std::collections::BTreeMap;

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto};

use super::super::ParseError;

type Result = std::result::Result<(), ParseError>;

/// Field numbers end here: 29 bits.
const NUMBER_MAX: i32 = 536_870_911;

fn refuse(what: &str, name: &str) -> ParseError {
    let name: String = name.chars().take(100).collect();
    ParseError::new(format!("the FileDescriptorProto is damaged: {what} ({name:?})"))
}

fn ensure(holds: bool, what: &str, name: &str) -> Result {
    if holds { Ok(()) } else { Err(refuse(what, name)) }
}

/// The depth has been checked before.
pub(super) fn check(file: &FileDescriptorProto) -> Result {
    ensure(
        matches!(file.syntax(), "" | "proto2" | "proto3"),
        "its syntax is neither proto2 nor proto3",
        file.syntax(),
    )?;
    ensure(file.package().is_empty() || is_path(file.package()), "its package is no name", file.package())?;
    for import in &file.dependency {
        ensure(!import.is_empty() && !import.chars().any(char::is_control), "an import is no path", import)?;
    }
    for index in file.public_dependency.iter().chain(&file.weak_dependency) {
        let known = usize::try_from(*index).is_ok_and(|index| index < file.dependency.len());
        ensure(known, "an import is marked that does not exist", &index.to_string())?;
    }
    let prefix = if file.package().is_empty() { String::new() } else { format!(".{}", file.package()) };
    let mut maps = BTreeMap::new();
    file.message_type.iter().for_each(|message| collect_maps(message, &prefix, &mut maps));
    let checker = Checker { maps, is_proto3: file.syntax() == "proto3" };
    file.message_type.iter().try_for_each(|message| checker.message(message, &prefix))?;
    file.enum_type.iter().try_for_each(check_enum)?;
    file.extension.iter().try_for_each(|field| checker.extension(field))?;
    for service in &file.service {
        ensure(is_word(service.name()), "a service has no name", service.name())?;
        for method in &service.method {
            ensure(is_word(method.name()), "a method has no name", method.name())?;
            let types = is_full(method.input_type()) && is_full(method.output_type());
            ensure(types, "a method's types are not full names", method.name())?;
        }
    }
    Ok(())
}

/// Full names of map entries, with the messages that contain them.
fn collect_maps(message: &DescriptorProto, prefix: &str, maps: &mut BTreeMap<String, String>) {
    let full = format!("{prefix}.{}", message.name());
    for nested in &message.nested_type {
        if is_map_entry(nested) {
            maps.insert(format!("{full}.{}", nested.name()), full.clone());
        }
        collect_maps(nested, &full, maps);
    }
}

fn is_map_entry(message: &DescriptorProto) -> bool {
    message.options.as_ref().is_some_and(|options| options.map_entry())
}

struct Checker {
    maps: BTreeMap<String, String>,
    is_proto3: bool,
}

impl Checker {
    fn message(&self, message: &DescriptorProto, prefix: &str) -> Result {
        let full = format!("{prefix}.{}", message.name());
        ensure(is_word(message.name()), "a message has no name", message.name())?;
        for field in &message.field {
            self.field(field, &full)?;
            let Some(index) = field.oneof_index else {
                ensure(!field.proto3_optional(), "an optional field has no oneof of its own", field.name())?;
                continue;
            };
            let known = usize::try_from(index).is_ok_and(|index| index < message.oneof_decl.len());
            ensure(known, "a field is in a oneof that does not exist", field.name())?;
            ensure(field.label() == Label::Optional, "a field of a oneof is not singular", field.name())?;
            let alone = message.field.iter().filter(|other| other.oneof_index == Some(index)).count() == 1;
            ensure(!field.proto3_optional() || alone, "an optional field shares its oneof", field.name())?;
        }
        for (index, oneof) in message.oneof_decl.iter().enumerate() {
            ensure(is_word(oneof.name()), "a oneof has no name", oneof.name())?;
            let used = message.field.iter().any(|field| field.oneof_index == i32::try_from(index).ok());
            ensure(used, "a oneof has no fields", oneof.name())?;
        }
        let ranges = message.extension_range.iter().map(|range| (range.start(), range.end()));
        for (start, end) in ranges.chain(message.reserved_range.iter().map(|range| (range.start(), range.end()))) {
            let valid = start >= 1 && start < end && end <= NUMBER_MAX + 1;
            ensure(valid, "a range of numbers is empty or outside the allowed", message.name())?;
        }
        message.reserved_name.iter().try_for_each(|name| ensure(is_word(name), "a reserved name is none", name))?;
        for nested in &message.nested_type {
            if is_map_entry(nested) {
                self.map_entry(nested, message, &full)?;
            }
            self.message(nested, &full)?;
        }
        message.enum_type.iter().try_for_each(check_enum)?;
        message.extension.iter().try_for_each(|field| self.extension(field))
    }

    /// A map entry has a key and a value, and one repeated field of the message around it uses it.
    fn map_entry(&self, entry: &DescriptorProto, parent: &DescriptorProto, full: &str) -> Result {
        let shape: Vec<(&str, i32)> = entry.field.iter().map(|field| (field.name(), field.number())).collect();
        let plain = entry.nested_type.is_empty()
            && entry.enum_type.is_empty()
            && entry.oneof_decl.is_empty()
            && entry.extension.is_empty()
            && entry.extension_range.is_empty()
            && entry.field.iter().all(|field| field.label() == Label::Optional && field.r#type() != Type::Group);
        ensure(plain && shape == [("key", 1), ("value", 2)], "a map entry has not just a key and a value", full)?;
        let keyed = !matches!(
            entry.field[0].r#type(),
            Type::Double | Type::Float | Type::Bytes | Type::Message | Type::Group | Type::Enum
        );
        ensure(keyed, "the key of a map is no integer, bool or string", full)?;
        let name = format!("{full}.{}", entry.name());
        let users = parent.field.iter().filter(|field| field.type_name() == name).count();
        ensure(users == 1, "a map entry is not used by one field", &name)
    }

    fn field(&self, field: &FieldDescriptorProto, message: &str) -> Result {
        let name = field.name();
        ensure(is_word(name), "a field has no name", name)?;
        ensure((1..=NUMBER_MAX).contains(&field.number()), "a field's number is outside the allowed", name)?;
        let ty = Type::try_from(field.r#type.unwrap_or_default()).map_err(|_| refuse("a field has no type", name))?;
        ensure(Label::try_from(field.label.unwrap_or(1)).is_ok(), "a field's label does not exist", name)?;
        let is_required = field.label() == Label::Required;
        ensure(!(self.is_proto3 && is_required), "a field is required in proto3", name)?;
        let is_named = matches!(ty, Type::Message | Type::Group | Type::Enum);
        ensure(is_named == field.type_name.is_some(), "a field's type and the name of its type disagree", name)?;
        ensure(!is_named || is_full(field.type_name()), "the type of a field is not a full name", name)?;
        if let Some(parent) = self.maps.get(field.type_name()) {
            let fits = parent == message && field.label() == Label::Repeated && ty == Type::Message;
            ensure(fits, "a map entry is used elsewhere than in its map", name)?;
        }
        if ty == Type::Group {
            let short = field.type_name().strip_prefix(message).and_then(|rest| rest.strip_prefix('.'));
            let fits = !self.is_proto3 && short.is_some_and(|short| short.to_lowercase() == name);
            ensure(fits, "a group is not declared where it is used", name)?;
        }
        let is_repeated = field.label() == Label::Repeated;
        ensure(!is_repeated || field.default_value.is_none(), "a repeated field has a default", name)?;
        ensure(is_default(ty, field.default_value.as_deref()), "the default of a field is not of its type", name)
    }

    fn extension(&self, field: &FieldDescriptorProto) -> Result {
        ensure(is_full(field.extendee()), "an extension extends no full name", field.name())?;
        ensure(field.r#type() != Type::Group, "an extension is a group, which is not supported", field.name())?;
        ensure(field.oneof_index.is_none(), "an extension is in a oneof", field.name())?;
        self.field(field, "")
    }
}

fn check_enum(inner: &EnumDescriptorProto) -> Result {
    ensure(is_word(inner.name()), "an enum has no name", inner.name())?;
    ensure(!inner.value.is_empty(), "an enum has no values", inner.name())?;
    for value in &inner.value {
        ensure(is_word(value.name()), "a value of an enum has no name", inner.name())?;
    }
    let ordered = inner.reserved_range.iter().all(|range| range.start() <= range.end());
    ensure(ordered, "a range of numbers is empty", inner.name())?;
    inner.reserved_name.iter().try_for_each(|name| ensure(is_word(name), "a reserved name is none", name))
}

fn is_default(ty: Type, default: Option<&str>) -> bool {
    let Some(default) = default else { return true };
    match ty {
        Type::Message | Type::Group => false,
        Type::Enum => is_word(default),
        Type::Bool => matches!(default, "true" | "false"),
        Type::String => true,
        // Escaped as in C: a quote is never bare.
        Type::Bytes => {
            let mut escaped = false;
            let fine = default.bytes().all(|byte| {
                let bare = byte == b'"' && !escaped;
                escaped = byte == b'\\' && !escaped;
                !bare && byte.is_ascii() && !byte.is_ascii_control()
            });
            fine && !escaped
        }
        Type::Double | Type::Float => matches!(default, "inf" | "-inf" | "nan") || is_number(default),
        Type::Uint32 | Type::Fixed32 => default.parse::<u32>().is_ok(),
        Type::Uint64 | Type::Fixed64 => default.parse::<u64>().is_ok(),
        Type::Int32 | Type::Sint32 | Type::Sfixed32 => default.parse::<i32>().is_ok(),
        Type::Int64 | Type::Sint64 | Type::Sfixed64 => default.parse::<i64>().is_ok(),
    }
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'))
        && text.parse::<f64>().is_ok()
}

fn is_word(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_path(name: &str) -> bool {
    name.split('.').all(is_word)
}

/// A type's name from the root: compilers always write that.
fn is_full(name: &str) -> bool {
    name.strip_prefix('.').is_some_and(is_path)
}
