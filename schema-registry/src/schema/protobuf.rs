//! How is a Protobuf schema understood?
//!
//! As `.proto` text or as a base64 FileDescriptorProto, which Confluent's Python and Node clients send.

mod builtin;
mod guard;
mod option;
mod print;
#[cfg(test)]
mod tests;
mod wellformed;

use std::collections::BTreeMap;
use std::sync::Arc;

use prost::Message;
use prost_reflect::{DescriptorPool, FileDescriptor, MessageDescriptor};
use prost_types::FileDescriptorProto;
use protox::file::{File, FileResolver};

use super::{ParseError, Parsed, Reference, Schema};
use crate::base64;

/// A Protobuf file with all that it imports.
#[derive(Debug)]
pub struct ProtobufSchema {
    pub pool: DescriptorPool,
    pub file: FileDescriptor,
    closure_bytes: usize,
}

impl ProtobufSchema {
    /// The schema, and its text when a text was given.
    pub(super) fn parse(
        text: &str,
        references: &[(Reference, Arc<Schema>)],
    ) -> Result<(ProtobufSchema, Option<String>), ParseError> {
        let imports = Imports::of(references)?;
        let root = imports.free_name();
        let (file, given) = match as_descriptor(text)? {
            Some(descriptor) => (descriptor, None),
            None => {
                guard::check_text(text)?;
                let file = File::from_source(&root, text).map_err(|error| refuse_source(&error))?;
                (encoded(&file), Some(text.to_owned()))
            }
        };
        guard::check_descriptor(&file.descriptor)?;
        if given.is_none() {
            wellformed::check(&file.descriptor)?;
        }
        let pool = link(&root, file, imports)?;
        let file = pool.get_file_by_name(&root);
        let file = file.ok_or_else(|| ParseError::new("the Protobuf schema vanished while it was linked"))?;
        let closure_bytes = text.len() + references.iter().map(|(_, schema)| schema.closure_bytes()).sum::<usize>();
        Ok((ProtobufSchema { pool, file, closure_bytes }, given))
    }

    /// The message that a record's indexes lead to: the first counts messages of the file, the next those inside.
    pub fn message(&self, indexes: &[i32]) -> Option<MessageDescriptor> {
        let (first, rest) = indexes.split_first()?;
        let mut message = self.file.messages().nth(usize::try_from(*first).ok()?)?;
        for index in rest {
            // Map entries are messages of the descriptor and are counted, as Confluent's clients do.
            let index = usize::try_from(*index).ok()?;
            let child = message.child_messages().nth(index)?;
            message = child;
        }
        Some(message)
    }

    /// A message of this file or of an import, by its full name.
    pub fn message_named(&self, name: &str) -> Option<MessageDescriptor> {
        self.pool.get_message_by_name(name)
    }

    /// The file as `.proto` text, printed from its descriptor: without comments, with fields in their order.
    pub fn text(&self) -> String {
        print::print(&self.file, print::Order::Kept)
    }

    /// The same with imports, fields, and enum values sorted. Messages keep their order: indexes count them.
    pub fn normalized(&self) -> String {
        print::print(&self.file, print::Order::Sorted)
    }

    /// The FileDescriptorProto in base64: what `?format=serialized` asks for.
    pub fn serialized(&self) -> String {
        base64::encode(&self.file.encode_to_vec())
    }

    pub(super) fn closure_bytes(&self) -> usize {
        self.closure_bytes
    }
}

/// A file descriptor with the bytes it was decoded from: those still hold options that are extensions.
struct Encoded {
    descriptor: FileDescriptorProto,
    bytes: Option<Vec<u8>>,
}

fn encoded(file: &File) -> Encoded {
    let mut descriptor = file.file_descriptor_proto().clone();
    descriptor.source_code_info = None;
    Encoded { descriptor, bytes: None }
}

fn as_descriptor(text: &str) -> Result<Option<Encoded>, ParseError> {
    let Some(bytes) = base64::decode(text) else { return Ok(None) };
    let descriptor = FileDescriptorProto::decode(bytes.as_slice())
        .map_err(|error| ParseError::new(format!("neither .proto text nor a base64 FileDescriptorProto: {error}")))?;
    Ok(Some(Encoded { descriptor, bytes: Some(bytes) }))
}

/// The root file is renamed: its own name means nothing here, and must not hide an import.
fn renamed(mut file: Encoded, root: &str) -> Result<File, ParseError> {
    let Some(mut bytes) = file.bytes.take() else {
        file.descriptor.name = Some(root.to_owned());
        return Ok(File::from_file_descriptor_proto(file.descriptor));
    };
    // The last value of a Protobuf field counts: field 1 is the name.
    let name = FileDescriptorProto { name: Some(root.to_owned()), ..Default::default() };
    bytes.extend(name.encode_to_vec());
    File::decode_file_descriptor_proto(bytes.as_slice())
        .map_err(|error| ParseError::new(format!("not a FileDescriptorProto: {error}")))
}

fn link(root: &str, file: Encoded, mut imports: Imports) -> Result<DescriptorPool, ParseError> {
    guard::check_imports(&file.descriptor, &imports.files)?;
    imports.files.insert(root.to_owned(), renamed(file, root)?);
    let mut compiler = protox::Compiler::with_file_resolver(imports);
    compiler.include_imports(true);
    compiler.open_file(root).map_err(|error| {
        let missing = error.is_file_not_found() || error.to_string().contains("not found");
        let hint = if missing { "; add a reference whose name is the import's path" } else { "" };
        ParseError::new(format!("the Protobuf schema cannot be linked: {}{hint}", sentence(&error)))
    })?;
    Ok(compiler.descriptor_pool())
}

fn refuse_source(error: &protox::Error) -> ParseError {
    ParseError::new(format!("the text is no valid .proto file: {}", sentence(error)))
}

fn sentence(error: &protox::Error) -> String {
    // The long form also has the place in the text.
    let long = format!("{error:?}");
    let short = error.to_string();
    let text = if long.contains(&short) && long.len() < 500 { long } else { short };
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

/// What a schema may import: the files of its references, and those that every registry has.
struct Imports {
    files: BTreeMap<String, File>,
}

impl Imports {
    fn of(references: &[(Reference, Arc<Schema>)]) -> Result<Imports, ParseError> {
        let mut imports = Imports { files: BTreeMap::new() };
        for (reference, schema) in references {
            let Parsed::Protobuf(schema) = &schema.parsed else { continue };
            for file in schema.pool.files() {
                let is_root = file == schema.file;
                let name = if is_root { &reference.name } else { file.name() };
                if !is_root && builtin::is_builtin(name) {
                    continue;
                }
                imports.add(name, &file)?;
            }
        }
        Ok(imports)
    }

    fn add(&mut self, name: &str, file: &FileDescriptor) -> Result<(), ParseError> {
        let bytes = FileDescriptorProto { name: Some(name.to_owned()), ..Default::default() };
        let bytes = [file.encode_to_vec(), bytes.encode_to_vec()].concat();
        let file = File::decode_file_descriptor_proto(bytes.as_slice())
            .map_err(|error| ParseError::new(format!("the import {name:?} is damaged: {error}")))?;
        match self.files.get(name) {
            Some(before) if before.file_descriptor_proto() != file.file_descriptor_proto() => {
                Err(ParseError::new(format!("two references define the import {name:?} differently")))
            }
            _ => {
                self.files.insert(name.to_owned(), file);
                Ok(())
            }
        }
    }

    /// A name for the root that no import has.
    fn free_name(&self) -> String {
        let mut name = "default.proto".to_owned();
        while self.files.contains_key(&name) {
            name.insert(0, '_');
        }
        name
    }
}

impl FileResolver for Imports {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        if let Some(file) = self.files.get(name) {
            return Ok(file.clone());
        }
        builtin::open(name)
    }
}
