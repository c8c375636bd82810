//! How do committed records become Iceberg tables, exactly once?

pub mod types;
pub mod project;
pub mod file;
pub mod catalog;
pub mod commit;
pub mod lake;
pub mod rest;

#[cfg(test)]
mod testing;
