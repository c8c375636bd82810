//! How does a program talk to a Kafka broker?
//!
//! One connection, one request at a time, a time limit on each; for the command line, the demo and tests. A broken
//! connection is opened again by the next call.

mod error;
mod connection;
mod topics;
mod configs;
mod produce;
mod fetch;
mod groups;

pub use configs::{Change, Config};
pub use connection::Client;
pub use error::{Error, ProduceError};
pub use fetch::{Fetched, OffsetAt, Place};
pub use groups::{Group, GroupOffset, Member, Membership};
pub use produce::Acks;
pub use topics::{Broker, Cluster, Partition, Topic};

#[cfg(test)]
mod tests;
