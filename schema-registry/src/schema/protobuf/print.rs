//! How is a Protobuf descriptor written as `.proto` text?

use std::fmt::Write;

use prost_reflect::{DynamicMessage, EnumDescriptor, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor, Syntax};
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto};

use super::option::{options, quoted};

/// May what has no order of its own be sorted?
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Order {
    Kept,
    Sorted,
}

pub(super) fn print(file: &FileDescriptor, order: Order) -> String {
    let mut print = Print { out: String::new(), indent: 0, order, syntax: file.syntax() };
    print.file(file);
    print.out
}

struct Print {
    out: String,
    indent: usize,
    order: Order,
    syntax: Syntax,
}

impl Print {
    fn line(&mut self, text: &str) {
        for _ in 0..self.indent {
            self.out.push_str("  ");
        }
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn open(&mut self, text: &str) {
        self.line(&format!("{text} {{"));
        self.indent += 1;
    }

    fn close(&mut self) {
        self.indent -= 1;
        self.line("}");
    }

    fn options(&mut self, message: &DynamicMessage) {
        for option in options(message) {
            self.line(&format!("option {option};"));
        }
    }

    fn file(&mut self, file: &FileDescriptor) {
        let proto = file.file_descriptor_proto();
        let syntax = if self.syntax == Syntax::Proto2 { "proto2" } else { "proto3" };
        self.line(&format!("syntax = \"{syntax}\";"));
        if !file.package_name().is_empty() {
            self.line(&format!("package {};", file.package_name()));
        }
        let mut imports: Vec<(usize, &String)> = proto.dependency.iter().enumerate().collect();
        if self.order == Order::Sorted {
            imports.sort_by_key(|(_, import)| import.as_str());
        }
        for (index, import) in imports {
            let public = proto.public_dependency.contains(&(index as i32));
            let weak = proto.weak_dependency.contains(&(index as i32));
            let word = if public {
                "public "
            } else if weak {
                "weak "
            } else {
                ""
            };
            self.line(&format!("import {word}{};", quoted(import.as_bytes())));
        }
        self.options(&file.options());
        for message in file.messages() {
            self.message(&message, None);
        }
        for inner in file.enums() {
            self.enumeration(&inner);
        }
        self.extensions(&proto.extension, &file.extensions().map(|field| field.options()).collect::<Vec<_>>());
        for service in file.services() {
            self.open(&format!("service {}", service.name()));
            self.options(&service.options());
            for method in service.methods() {
                let stream = |yes: bool| if yes { "stream " } else { "" };
                let head = format!(
                    "rpc {}({}.{}) returns ({}.{})",
                    method.name(),
                    stream(method.is_client_streaming()),
                    method.input().full_name(),
                    stream(method.is_server_streaming()),
                    method.output().full_name()
                );
                self.open(&head);
                self.options(&method.options());
                self.close();
            }
            self.close();
        }
    }

    /// `head` replaces `message NAME` for a group.
    fn message(&mut self, message: &MessageDescriptor, head: Option<&str>) {
        let own = format!("message {}", message.name());
        self.open(head.unwrap_or(&own));
        self.options(&message.options());
        let proto = message.descriptor_proto();
        self.reserved(proto);
        let mut fields: Vec<FieldDescriptor> =
            proto.field.iter().filter_map(|field| message.get_field(u32::try_from(field.number()).ok()?)).collect();
        if self.order == Order::Sorted {
            fields.sort_by_key(FieldDescriptor::number);
        }
        let mut oneofs_done = Vec::new();
        for field in &fields {
            let oneof = field.containing_oneof().filter(|_| !field.field_descriptor_proto().proto3_optional());
            let Some(oneof) = oneof else {
                self.field(field, true);
                continue;
            };
            if oneofs_done.contains(&oneof) {
                continue;
            }
            self.open(&format!("oneof {}", oneof.name()));
            self.options(&oneof.options());
            for member in fields.iter().filter(|member| member.containing_oneof().as_ref() == Some(&oneof)) {
                self.field(member, false);
            }
            self.close();
            oneofs_done.push(oneof);
        }
        for child in message.child_messages().filter(|child| !child.is_map_entry() && !is_group(message, child)) {
            self.message(&child, None);
        }
        for inner in message.child_enums() {
            self.enumeration(&inner);
        }
        let extension_options: Vec<_> = message.child_extensions().map(|field| field.options()).collect();
        self.extensions(&proto.extension, &extension_options);
        self.close();
    }

    fn reserved(&mut self, proto: &DescriptorProto) {
        let range = |from: i32, below: i32| match below {
            below if below == from + 1 => from.to_string(),
            536_870_912.. => format!("{from} to max"),
            below => format!("{from} to {}", below.saturating_sub(1)),
        };
        let mut reserved: Vec<(i32, i32)> = proto.reserved_range.iter().map(|r| (r.start(), r.end())).collect();
        let mut names: Vec<String> = proto.reserved_name.iter().map(|name| quoted(name.as_bytes())).collect();
        if self.order == Order::Sorted {
            reserved.sort_unstable();
            names.sort();
        }
        for (from, below) in reserved {
            self.line(&format!("reserved {};", range(from, below)));
        }
        for name in names {
            self.line(&format!("reserved {name};"));
        }
        for extensions in &proto.extension_range {
            self.line(&format!("extensions {};", range(extensions.start(), extensions.end())));
        }
    }

    fn field(&mut self, field: &FieldDescriptor, with_label: bool) {
        let proto = field.field_descriptor_proto();
        let label = if with_label && !field.is_map() { self.label(proto) } else { "" };
        if field.is_group() {
            if let Kind::Message(inner) = field.kind() {
                let head = format!("{label}group {} = {}", inner.name(), field.number());
                self.message(&inner, Some(&head));
            }
            return;
        }
        let ty = match field.kind() {
            Kind::Message(inner) if field.is_map() => {
                let (key, value) = (inner.map_entry_key_field(), inner.map_entry_value_field());
                format!("map<{}, {}>", type_name(&key.kind()), type_name(&value.kind()))
            }
            kind => type_name(&kind),
        };
        let mut settings = Vec::new();
        if let Some(default) = &proto.default_value {
            settings.push(format!("default = {}", default_literal(proto, default)));
        }
        if proto.json_name.as_ref().is_some_and(|name| *name != default_json_name(field.name())) {
            settings.push(format!("json_name = {}", quoted(field.json_name().as_bytes())));
        }
        settings.extend(options(&field.options()));
        self.line(&format!("{label}{ty} {} = {}{};", field.name(), field.number(), bracketed(&settings)));
    }

    fn label(&self, proto: &FieldDescriptorProto) -> &'static str {
        match proto.label() {
            Label::Repeated => "repeated ",
            Label::Required => "required ",
            Label::Optional if self.syntax == Syntax::Proto2 || proto.proto3_optional() => "optional ",
            Label::Optional => "",
        }
    }

    fn enumeration(&mut self, inner: &EnumDescriptor) {
        self.open(&format!("enum {}", inner.name()));
        self.options(&inner.options());
        for range in inner.reserved_ranges() {
            self.line(&format!("reserved {} to {};", range.start(), range.end()));
        }
        for name in inner.reserved_names() {
            self.line(&format!("reserved {};", quoted(name.as_bytes())));
        }
        // By name: the descriptor's own iterator has aliases in any order.
        let proto = inner.enum_descriptor_proto();
        let mut values: Vec<_> = proto.value.iter().filter_map(|value| inner.get_value_by_name(value.name())).collect();
        if self.order == Order::Sorted {
            // The first value is the default of open enums: zero stays first.
            values.sort_by_key(|value| (value.number() != 0, value.number()));
        }
        for value in values {
            let settings = options(&value.options());
            self.line(&format!("{} = {}{};", value.name(), value.number(), bracketed(&settings)));
        }
        self.close();
    }

    fn extensions(&mut self, fields: &[FieldDescriptorProto], settings: &[DynamicMessage]) {
        for (field, settings) in fields.iter().zip(settings) {
            self.open(&format!("extend {}", field.extendee()));
            let ty = match field.r#type() {
                Type::Message | Type::Group | Type::Enum => field.type_name().to_owned(),
                scalar => scalar_name(scalar).to_owned(),
            };
            let settings = bracketed(&options(settings));
            let line = format!("{}{ty} {} = {}{settings};", self.label(field), field.name(), field.number());
            self.line(&line);
            self.close();
        }
    }
}

fn is_group(parent: &MessageDescriptor, child: &MessageDescriptor) -> bool {
    parent.fields().any(|field| field.is_group() && field.kind().as_message() == Some(child))
}

fn bracketed(settings: &[String]) -> String {
    if settings.is_empty() { String::new() } else { format!(" [{}]", settings.join(", ")) }
}

/// Named types in full, with the leading dot that keeps a nearer name from hiding them.
fn type_name(kind: &Kind) -> String {
    match kind {
        Kind::Message(message) => format!(".{}", message.full_name()),
        Kind::Enum(inner) => format!(".{}", inner.full_name()),
        scalar => format!("{scalar:?}"),
    }
}

fn scalar_name(ty: Type) -> &'static str {
    match ty {
        Type::Double => "double",
        Type::Float => "float",
        Type::Int64 => "int64",
        Type::Uint64 => "uint64",
        Type::Int32 => "int32",
        Type::Fixed64 => "fixed64",
        Type::Fixed32 => "fixed32",
        Type::Bool => "bool",
        Type::String => "string",
        Type::Bytes => "bytes",
        Type::Uint32 => "uint32",
        Type::Sfixed32 => "sfixed32",
        Type::Sfixed64 => "sfixed64",
        Type::Sint32 => "sint32",
        Type::Sint64 => "sint64",
        Type::Group | Type::Message | Type::Enum => "message",
    }
}

fn default_literal(proto: &FieldDescriptorProto, default: &str) -> String {
    match proto.r#type() {
        Type::String => quoted(default.as_bytes()),
        // A descriptor holds the default of bytes already escaped.
        Type::Bytes => {
            let mut text = String::new();
            let _ = write!(text, "\"{default}\"");
            text
        }
        _ => default.to_owned(),
    }
}

/// `foo_bar` is `fooBar` in JSON unless the field says otherwise.
fn default_json_name(name: &str) -> String {
    let mut json = String::new();
    let mut upper = false;
    for c in name.chars() {
        if c == '_' {
            upper = true;
        } else {
            json.push(if upper { c.to_ascii_uppercase() } else { c });
            upper = false;
        }
    }
    json
}
