//! Which schema does a record name, and where do its own bytes begin?
//!
//! Confluent's three forms:
//! ```text
//! v0      00 | id, int32 big endian | [message indexes] | payload
//! v1      01 | guid, 16 bytes       | [message indexes] | payload
//! header  __value_schema_id or __key_schema_id = v0 or v1 with its indexes; key or value = payload
//! ```
//! Message indexes come with Protobuf schemas only: a zigzag varint that counts them, then one zigzag varint each, the
//! path to a message by order of declaration. A single byte 00 is the path [0].

use std::ops::Deref;

use model::limits::MESSAGE_INDEXES_MAX;
use uuid::Uuid;

use crate::check::cursor::Cursor;
use crate::schema::SchemaType;

/// The record header with the schema of the key.
pub const KEY_HEADER: &str = "__key_schema_id";
/// The record header with the schema of the value.
pub const VALUE_HEADER: &str = "__value_schema_id";

/// How a record names a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaRef {
    Id(u32),
    Guid(Uuid),
}

/// A key or value that names its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Framed<'a> {
    pub schema: SchemaRef,
    /// What follows the reference in the place where it stands.
    rest: &'a [u8],
    /// The whole key or value, when the reference stands in a header.
    bare: Option<&'a [u8]>,
}

/// The path to a message in its .proto file, by order of declaration. Bounded, so that it is copied for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Indexes {
    count: u8,
    path: [i32; MESSAGE_INDEXES_MAX],
}

/// Why a key or value does not tell its schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    #[error(
        "no schema id stands in front, the first byte is {first:#04x}; write with a serializer of the schema registry"
    )]
    NoMagic { first: u8 },
    #[error(
        "no schema id stands in front, there are only {bytes} bytes; write with a serializer of the schema registry"
    )]
    Short { bytes: usize },
    #[error("the header with the schema's id is no schema id: it begins with 00 and 4 bytes or with 01 and 16 bytes")]
    Header,
    #[error("the header with the schema's id has bytes behind the id")]
    HeaderTail,
    #[error("the message indexes behind the schema id are broken")]
    Indexes,
}

/// Splits off the reference to the schema. `header` is the value of the last header called `KEY_HEADER` or
/// `VALUE_HEADER`; one without a value counts as none.
pub fn split<'a>(bytes: &'a [u8], header: Option<&'a [u8]>) -> Result<Framed<'a>, FramingError> {
    if let Some(header) = header {
        let (schema, rest) = reference(header).map_err(|_| FramingError::Header)?;
        return Ok(Framed { schema, rest, bare: Some(bytes) });
    }
    let (schema, rest) = reference(bytes)?;
    Ok(Framed { schema, rest, bare: None })
}

fn reference(bytes: &[u8]) -> Result<(SchemaRef, &[u8]), FramingError> {
    let short = FramingError::Short { bytes: bytes.len() };
    match bytes.split_first() {
        Some((0, behind)) => {
            let (id, rest) = behind.split_first_chunk::<4>().ok_or(short)?;
            Ok((SchemaRef::Id(u32::from_be_bytes(*id)), rest))
        }
        Some((1, behind)) => {
            let (guid, rest) = behind.split_first_chunk::<16>().ok_or(short)?;
            Ok((SchemaRef::Guid(Uuid::from_bytes(*guid)), rest))
        }
        Some((first, _)) => Err(FramingError::NoMagic { first: *first }),
        None => Err(short),
    }
}

impl<'a> Framed<'a> {
    /// The schema's own bytes, and for Protobuf the message they are of; for the other types the path is empty.
    pub fn open(&self, schema_type: SchemaType) -> Result<(Indexes, &'a [u8]), FramingError> {
        let (indexes, rest) = match schema_type {
            SchemaType::Protobuf => Indexes::split(self.rest)?,
            SchemaType::Avro | SchemaType::Json => (Indexes::default(), self.rest),
        };
        match self.bare {
            None => Ok((indexes, rest)),
            Some(bare) if rest.is_empty() => Ok((indexes, bare)),
            Some(_) => Err(FramingError::HeaderTail),
        }
    }

    /// Whether the reference stands in a header.
    pub fn is_in_header(&self) -> bool {
        self.bare.is_some()
    }
}

impl Indexes {
    /// None when the path is longer than any file can nest.
    pub fn new(path: &[i32]) -> Option<Indexes> {
        let mut indexes = Indexes { count: u8::try_from(path.len()).ok()?, ..Indexes::default() };
        indexes.path.get_mut(..path.len())?.copy_from_slice(path);
        Some(indexes)
    }

    /// Reads the path in front of `bytes`.
    fn split(bytes: &[u8]) -> Result<(Indexes, &[u8]), FramingError> {
        let mut cursor = Cursor::new(bytes);
        let mut next = || cursor.zigzag().map_err(|_| FramingError::Indexes);
        let count = usize::try_from(next()?).map_err(|_| FramingError::Indexes)?;
        if count > MESSAGE_INDEXES_MAX {
            return Err(FramingError::Indexes);
        }
        let mut indexes = Indexes { count: count.max(1) as u8, ..Indexes::default() };
        for index in &mut indexes.path[..count] {
            *index = i32::try_from(next()?).ok().filter(|index| *index >= 0).ok_or(FramingError::Indexes)?;
        }
        Ok((indexes, &bytes[cursor.at()..]))
    }
}

impl Deref for Indexes {
    type Target = [i32];

    fn deref(&self) -> &[i32] {
        &self.path[..usize::from(self.count)]
    }
}

#[cfg(test)]
mod tests;
