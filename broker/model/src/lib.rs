//! What are the things a broker talks about?
//!
//! Nouns only: offsets, names, ids, limits and the kinds of error. No I/O, no async, no clock.

mod error;
mod frontier;
mod ids;
pub mod limits;
mod name;
mod offset;
mod topic;

pub use error::{Error, Kind, Result};
pub use frontier::Frontiers;
pub use ids::{LogGroup, LogIndex, NodeId, PartitionId, ProducerEpoch, ProducerId, ShardId, Term, TopicId};
pub use name::{NameError, TopicName, TopicPartition};
pub use offset::{Offset, Position, Timestamp};
pub use topic::{BadSetting, CheckAction, CheckMode, LakeMode, SETTINGS, Setting, SubjectStrategy, TopicSettings};
