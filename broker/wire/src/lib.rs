//! What do Kafka's bytes mean?
//!
//! Three layers: frames on a socket, requests and responses in them (structs from `kafka-protocol`, decoded only
//! behind a guard of our own), and record batches, which stay bytes from the producer to the consumer.

mod read;
pub mod frame;
mod layout;
mod guard;
pub mod request;
pub mod response;
pub mod fetch_response;
pub mod batch;
mod records;
mod compress;
mod build;

pub use batch::{BatchBuilder, Compression, Headers, RecordIter, RecordView, Records};
pub use layout::{LAYOUTS, Layout, layout};

#[cfg(test)]
mod test_memory;
