//! Is a Protobuf schema small and flat enough to be understood safely?
//!
//! The parser that comes after recurses without a bound, so the text is scanned for its nesting first.

use std::collections::BTreeMap;

use model::limits;
use prost_types::{DescriptorProto, FileDescriptorProto};
use protox::file::File;

use super::super::ParseError;

/// Brackets of all kinds, outside comments and texts.
pub(super) fn check_text(text: &str) -> Result<(), ParseError> {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0usize);
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'/' if bytes.get(at) == Some(&b'/') => at = end_of(bytes, at, b"\n"),
            b'#' => at = end_of(bytes, at, b"\n"),
            b'/' if bytes.get(at) == Some(&b'*') => at = end_of(bytes, at + 1, b"*/"),
            quote @ (b'"' | b'\'') => at = end_of_text(bytes, at, *quote),
            b'0' if is_odd_octal(bytes, at - 1) => {
                return Err(ParseError::new("a number that starts with 0 is octal, and has no digits 8 and 9"));
            }
            b'{' | b'[' | b'(' | b'<' => depth += 1,
            b'}' | b']' | b')' | b'>' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > limits::NESTING_MAX {
            return Err(too_deep());
        }
    }
    Ok(())
}

/// Does a number start here that looks octal and is not? The parser does not survive it.
fn is_odd_octal(bytes: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).map(|before| bytes[before]);
    let inside = before.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'));
    let digits = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit());
    !inside && digits.clone().count() > 1 && { digits }.any(|digit| matches!(digit, b'8' | b'9'))
}

fn end_of(bytes: &[u8], from: usize, end: &[u8]) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.windows(end.len()).position(|window| window == end).map_or(bytes.len(), |index| from + index + end.len())
}

fn end_of_text(bytes: &[u8], mut at: usize, quote: u8) -> usize {
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'\\' => at += 1,
            // A text ends with its line, whether closed or not: so a stray quote cannot hide brackets.
            b'\n' => return at,
            byte if *byte == quote => return at,
            _ => {}
        }
    }
    bytes.len()
}

/// Depth of messages and the number of fields, values and the like.
pub(super) fn check_descriptor(file: &FileDescriptorProto) -> Result<(), ParseError> {
    let values: usize = file.enum_type.iter().map(|inner| inner.value.len() + 1).sum();
    let methods: usize = file.service.iter().map(|service| service.method.len() + 1).sum();
    let mut count = file.extension.len() + file.dependency.len() + values + methods;
    let mut open: Vec<(&DescriptorProto, usize)> = file.message_type.iter().map(|message| (message, 1)).collect();
    while let Some((message, depth)) = open.pop() {
        if depth > limits::NESTING_MAX {
            return Err(too_deep());
        }
        count += 1 + message.field.len() + message.extension.len() + message.oneof_decl.len();
        count += message.enum_type.iter().map(|inner| inner.value.len() + 1).sum::<usize>();
        if count > limits::SCHEMA_FIELDS_MAX {
            break;
        }
        open.extend(message.nested_type.iter().map(|message| (message, depth + 1)));
    }
    if count > limits::SCHEMA_FIELDS_MAX {
        return Err(ParseError::new(format!(
            "the schema has more than {} messages, fields and values",
            limits::SCHEMA_FIELDS_MAX
        )));
    }
    Ok(())
}

/// Imports form a chain that is followed recursively.
pub(super) fn check_imports(root: &FileDescriptorProto, files: &BTreeMap<String, File>) -> Result<(), ParseError> {
    let mut level: Vec<&FileDescriptorProto> = vec![root];
    for _ in 0..=limits::NESTING_MAX {
        let mut names: Vec<&String> = level.iter().flat_map(|file| &file.dependency).collect();
        names.sort();
        names.dedup();
        level = names.into_iter().filter_map(|name| files.get(name)).map(File::file_descriptor_proto).collect();
        if level.is_empty() {
            return Ok(());
        }
    }
    Err(ParseError::new(format!("the imports of the schema form a chain of more than {}", limits::NESTING_MAX)))
}

fn too_deep() -> ParseError {
    ParseError::new(format!("the schema nests deeper than {} levels", limits::NESTING_MAX))
}
