//! How do batches become entries of a Raft group, and when are they committed?
//!
//! A [`Group`] gives batches their offsets at once and proposes them to openraft, whose log is the core log of the shard
//! (`store`) and whose state machine is that log as well (`machine`): applying an entry shows its batch to consumers.
//! No type of openraft leaves this crate; what it stores is drawn in `docs/formats/core-log.md`.

mod channel;
mod group;
mod host;
mod machine;
mod network;
mod own;
mod signals;
mod store;
mod types;

#[cfg(test)]
mod tests;

pub use group::{Group, Proposed};
