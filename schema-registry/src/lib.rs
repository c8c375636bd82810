//! Which schemas exist, and which records obey them?
//!
//! Pure: no sockets, no clock, no files. The registry is a value; its records live in topic `_schemas`.

mod base64;
pub mod schema;
mod view;
pub mod framing;
pub mod check;

pub use schema::{AvroSchema, JsonSchema, ParseError, Parsed, ProtobufSchema, Reference, Schema, SchemaType};
pub use view::View;
