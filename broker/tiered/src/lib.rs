//! How do record batches get to the bucket, and how do they come back?
//!
//! Formats: `docs/formats/archive.md`. What decides is [`archive::Archive`], a value without clock and I/O; the worker
//! performs its effects on tokio.

mod code;
mod run;
mod object;
mod edit;
mod root;
pub mod names;
pub mod cluster;
mod index;
mod plan;
mod merge;
pub mod archive;
pub mod source;
mod bucket;
mod status;
mod worker;
mod cache;
mod history;
mod verify;
mod restore;

pub use bucket::{Bucket, Loaded};
pub use cache::{CHUNK_BYTES, CacheConfig, ChunkCache};
pub use history::History;
pub use index::{Held, Index, Object, Part};
pub use object::{Footer, Mark, ObjectBuilder, TRAILER_BYTES};
pub use restore::Holdings;
pub use run::{Run, TopicRef};
pub use status::{ShardStatus, Status};
pub use verify::Report;
pub use worker::{Archiver, ArchiverConfig};
