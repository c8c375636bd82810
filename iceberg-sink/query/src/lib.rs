//! How are tables asked in SQL?
//!
//! DataFusion lives behind this wall. A statement sees the tables as they are when it starts: each name is
//! looked up in the catalog anew, files of every age are read into the table's present columns by field id.

mod tables;
mod table;
mod conform;
mod adapter;
mod format;
mod sql;

pub use format::{Format, render};
pub use sql::Sql;
pub use tables::{NAMESPACE, Tables};
