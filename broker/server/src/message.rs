//! What do the shards of a node ask of each other?

use std::sync::Arc;

use bytes::Bytes;
use corelog::{LogHealth, LogStats};
use model::{Frontiers, Offset, PartitionId, ShardId, Timestamp, TopicName};

use crate::archiving::Archiving;
use crate::cluster::Topic;
use crate::controller::{Command, ControllerError, Outcome};
use crate::errors::Fault;
use crate::groups;
use crate::history::Origin;

/// Where the answer goes; a bounded channel of one. A receiver that is gone has lost interest.
pub type Reply<T> = flume::Sender<T>;

/// One letter in a shard's mailbox. Lists are answered in their order.
pub enum ShardMessage {
    Append {
        appends: Vec<Append>,
        reply: Reply<Vec<Appended>>,
    },
    Read {
        wants: Vec<Want>,
        bytes_max: usize,
        reply: Reply<Vec<Result<Got, Fault>>>,
    },
    /// Wakes once, as soon as one of these partitions has something new, or is gone.
    Watch {
        marks: Vec<Mark>,
        wake: Reply<()>,
    },
    /// One partition, from the process outside the shards: waits for the first record.
    Poll {
        want: Want,
        wait_ms: u32,
        reply: Reply<Result<Got, Fault>>,
    },
    Look {
        questions: Vec<Look>,
        reply: Reply<Vec<Result<Facts, Fault>>>,
    },
    /// Answers the new log starts, once they are durable.
    Trim {
        trims: Vec<Trim>,
        reply: Reply<Vec<Result<Offset, Fault>>>,
    },
    /// The lake has come this far.
    Lake {
        partition: PartitionId,
        committed: Offset,
        projected: Offset,
    },
    /// The archive has come this far.
    Archived {
        partition: PartitionId,
        end: Offset,
    },
    /// The archive asks, or tells.
    Archiving(Archiving),
    /// What is archived may leave the log up to here.
    DropLocally {
        partition: PartitionId,
        start: Offset,
    },
    /// For shard 0, where the controller lives.
    Change {
        command: Box<Command>,
        reply: Reply<Result<Outcome, ControllerError>>,
    },
    /// For the shard that keeps the group's partition of the groups topic.
    Group {
        request: groups::Request,
        reply: Reply<groups::Reply>,
    },
    /// What the shard's log has done so far.
    Stats {
        reply: Reply<LogStats>,
    },
    /// What keeps the shard's log from working as it should.
    Health {
        reply: Reply<LogHealth>,
    },
    /// A topic is deleted; its partitions of this shard are named.
    Forget {
        topic: TopicName,
        partitions: Vec<PartitionId>,
    },
    /// Clients may connect from now on.
    Serve {
        reply: Reply<model::Result<()>>,
    },
    Stop {
        reply: Reply<()>,
    },
}

/// One batch for one partition.
#[derive(Debug)]
pub struct Append {
    pub topic: Arc<Topic>,
    pub partition: i32,
    pub batch: Bytes,
    pub by: Writer,
}

/// Who writes decides what is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// By a Produce request of this version.
    Client {
        version: i16,
    },
    Node,
}

/// A batch that is durable, or why it was refused.
pub type Appended = Result<Stored, Refused>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    pub base: Offset,
    /// -1 while the records keep their own times.
    pub append_time: Timestamp,
    pub log_start: Offset,
    /// How long the producer should pause, as the disk is behind; 0 as a rule.
    pub throttle_ms: u32,
}

/// Nothing of the batch was stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    pub fault: Fault,
    /// Records at fault, by their index in the batch, ascending.
    pub records: Vec<(i32, String)>,
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Refused {
        Refused { fault, records: Vec::new() }
    }
}

/// What to read from a partition.
#[derive(Debug, Clone, Copy)]
pub struct Want {
    pub partition: PartitionId,
    pub origin: Origin,
    pub from: Offset,
    pub bytes_max: usize,
    /// Only what no open transaction can still undo.
    pub stable_only: bool,
}

/// Deletes the records of a partition below an offset; -1 stands for the high watermark.
#[derive(Debug, Clone, Copy)]
pub struct Trim {
    pub partition: PartitionId,
    pub below: Offset,
    /// Records that the topic's table does not have yet are kept.
    pub is_table: bool,
}

#[derive(Debug, Clone)]
pub struct Got {
    pub batches: Vec<Bytes>,
    pub frontiers: Frontiers,
    /// There is more than these batches, but it must come from the archive first, which has been asked.
    pub is_recalled: bool,
}

/// What a long poll has seen of a partition.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    pub partition: PartitionId,
    pub high_watermark: Offset,
    /// Where it waits for the archive.
    pub recall: Option<Offset>,
}

impl Want {
    /// What was seen when this was answered.
    pub fn mark(&self, got: &Got) -> Mark {
        let recall = got.is_recalled.then_some(self.from);
        Mark { partition: self.partition, high_watermark: got.frontiers.high_watermark(), recall }
    }
}

/// What is asked about a partition.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    pub partition: PartitionId,
    pub origin: Origin,
    pub question: Question,
}

impl Look {
    /// With the shard that is to be asked; `None` if there is no such partition.
    pub fn at(topic: &Topic, partition: i32, question: Question) -> Option<(ShardId, Look)> {
        let place = topic.place(partition)?;
        Some((place.shard, Look { partition: place.id, origin: topic.origin(partition), question }))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    Frontiers,
    /// The first record at or after this time.
    Time(Timestamp),
    /// The record with the highest timestamp.
    Newest,
}

#[derive(Debug, Clone, Copy)]
pub struct Facts {
    pub frontiers: Frontiers,
    /// What `Time` and `Newest` found.
    pub at: Option<(Offset, Timestamp)>,
    pub bytes: u64,
}

/// A channel for one answer.
pub fn reply<T>() -> (Reply<T>, flume::Receiver<T>) {
    flume::bounded(1)
}

/// Cuts a list into one list per shard, each item with its place in the original.
pub fn by_shard<T>(items: impl IntoIterator<Item = (ShardId, T)>) -> Vec<(ShardId, Vec<(usize, T)>)> {
    let mut shards: Vec<(ShardId, Vec<(usize, T)>)> = Vec::new();
    for (index, (shard, item)) in items.into_iter().enumerate() {
        match shards.iter_mut().find(|(s, _)| *s == shard) {
            Some((_, list)) => list.push((index, item)),
            None => shards.push((shard, vec![(index, item)])),
        }
    }
    shards
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_go_to_their_shards_in_order_and_keep_their_places() {
        let lists = by_shard([(ShardId(1), 'a'), (ShardId(0), 'b'), (ShardId(1), 'c')]);
        assert_eq!(lists, [(ShardId(1), vec![(0, 'a'), (2, 'c')]), (ShardId(0), vec![(1, 'b')])]);
    }
}
