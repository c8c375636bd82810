//! What do Kafka's bytes mean?
//!
//! Three layers: frames on a socket, requests and responses in them (structs from `kafka-protocol`, decoded only
//! behind a guard of our own), and record batches, which stay bytes from the producer to the consumer.

pub mod batch;
mod build;
mod compress;
mod read;
mod records;

pub use build::BatchBuilder;
pub use compress::Compression;
pub use records::{Headers, RecordIter, RecordView, Records};

#[cfg(test)]
mod test_memory;
