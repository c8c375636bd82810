//! Which columns does a schema have, and can a table take them?
//!
//! A registered schema is lowered once into a tree of its format (`avro`, `protobuf`, `json`): every reference is
//! resolved, and what has no column is refused with its path. That tree yields the columns, and later drives the
//! walker that turns payloads into rows (`crate::project`), so that the two cannot disagree.

pub mod fault;
pub mod kind;
pub mod shape;
pub mod avro;
pub mod protobuf;
pub mod json;
pub mod source;
pub mod table;
pub mod merge;
#[cfg(test)]
pub(crate) mod tests;

pub use fault::{Conflict, Fault, Refused};
pub use kind::{Column, Kind};
pub use merge::merge;
pub use source::{Root, Source, columns};
pub use table::{COORDINATES, PARTITION, dead_letter_schema, key_value_schema, table_schema, value_column};
