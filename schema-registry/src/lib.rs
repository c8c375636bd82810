//! Which schemas exist, and which records obey them?
//!
//! Pure: no sockets, no clock, no files. The registry is a value; its records live in topic `_schemas`.

mod base64;
pub mod schema;
mod view;
mod compat;
pub mod http;
pub mod registry;
pub mod framing;
pub mod check;

pub use http::{Method, Request, Response};
pub use registry::{Admission, AdmitAll, Outcome, Record, Registry};
pub use schema::{AvroSchema, JsonSchema, ParseError, Parsed, ProtobufSchema, Reference, Schema, SchemaType};
pub use view::View;
