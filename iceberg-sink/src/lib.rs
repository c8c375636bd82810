//! How do committed records become Iceberg tables, exactly once?

pub mod types;
pub mod project;
pub mod file;
