//! Who are the members of a consumer group, which partitions does each own, how far have they read?
//!
//! A pure core: requests, the outcome of writes and the time go in; replies and records to write come out.
//! The classic protocol (KIP-394 member ids, KIP-345 static members); what members tell each other in
//! their subscriptions and assignments is opaque here, as in Kafka.

mod request;
mod record;
mod member;
mod group;
mod rebalance;
mod coordinator;

pub use coordinator::{Coordinator, Effect, GroupSettings, Ticket, Token};
pub use record::GroupRecord;
pub(crate) use record::{Fact, parse as parse_fact};
pub use request::{
    Commit, CommitOffset, Committed, Described, DescribedMember, Join, Joined, JoinedMember, Leave, LeaveMember,
    Listed, Offsets, Reply, Request, Sync, Synced,
};

#[cfg(test)]
mod tests;
