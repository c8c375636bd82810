//! How does a node answer Kafka clients?
//!
//! In reading order: the cluster's state and who changes it, the shards that hold the data, the connections that
//! ask for it. A produce request passes `connection`, `api/produce`, `route`, `partition`, `producers`.

mod errors;
mod cluster;
mod internal;
mod layout;
mod history;
pub mod controller;
mod message;
mod node;
mod shard;
mod controller_host;
mod admission;
mod answers;
mod connection;
mod api;
mod route;
mod backlog;
mod partition;
mod throttle;
mod producers;
mod checkers;
mod reads;
mod recalls;
mod retention;
mod archiving;
mod restore;
mod watches;
pub mod groups;
mod group_host;

pub use corelog::{LogHealth, LogStats};

pub use archiving::Held;
pub use cluster::{Cluster, Place, Topic};
pub use history::{History, NoHistory, Origin, Telling};
pub use internal::is_internal;
pub use layout::shard_dir;
pub use node::{Fetched, NodeConfig, NodeHandle, OpenGate, ShardSeed, TopicGate, plan};
pub use restore::{Part, RestoreSeed, committed_offsets, restore_shard};
pub use shard::run_shard;
