//! How does everything reach object storage?
//!
//! The wall around `object_store`: a folder, a bucket or memory behind one handle. All paths are relative to the root
//! that was opened; full URIs (`file:///…`, `s3://…`) appear only where Iceberg wants them.

mod bucket;
mod folder;
mod objects;

pub use object_store::path::Path;
pub use object_store::{ObjectMeta, ObjectStore};
pub use objects::Objects;
