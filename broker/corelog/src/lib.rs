//! How does one core keep the batches of many partitions durable?
//!
//! One log per shard, shared by all its partitions; `docs/formats/core-log.md` draws it byte by byte. What decides
//! (frames, group commit, recovery, index) is pure; `log`, `flush`, `store` and `read` perform it on a [`Driver`].
//!
//! [`Driver`]: runtime::Driver

mod checkpoint;
mod commit;
mod durable;
mod entries;
mod fields;
mod flush;
mod found;
mod frame;
mod gaps;
mod group;
mod index;
mod log;
mod notes;
mod open;
mod partitions;
mod raft;
mod read;
mod reclaim;
mod recovery;
mod retire;
mod room;
mod scan;
mod segment;
mod spares;
mod starts;
mod store;
mod tail;
mod times;

#[cfg(test)]
mod tests;

pub use checkpoint::Owner;
pub use durable::{Acks, Durable};
pub use entries::Flushed;
pub use log::{Appended, CoreLog, LogConfig, LogStats};
pub use raft::{Content, EntryId, GroupEntry, GroupFacts, Spot, Vote};
pub use recovery::Damage;
pub use room::LogHealth;
