//! How does everything reach object storage?
//!
//! The wall around `object_store`: a folder, a bucket (S3, Google Cloud Storage, Azure) or memory behind one handle.
//! All paths are relative to the root that was opened; full URIs (`file:///…`, `s3://…`) appear only where Iceberg
//! wants them.

mod place;
mod endpoint;
mod folder;
mod s3;
mod gcs;
mod azure;
mod upload;
mod trouble;
mod objects;

pub use object_store::path::Path;
pub use object_store::{ObjectMeta, ObjectStore};
pub use objects::Objects;
