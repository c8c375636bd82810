//! Who still has the records that the log of a core no longer holds?
//!
//! A port: the archive in the object store implements it. Offsets from a partition's log start up to its local start
//! are read here; whoever asks from a shard only waits for a future, which some other thread completes.

use std::future::{Future, ready};
use std::pin::Pin;

use bytes::Bytes;
use model::{Error, Offset, Result, Timestamp, TopicId};

/// A partition as it is known beyond this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Origin {
    pub topic: TopicId,
    pub partition: i32,
}

/// An answer to come; it can be awaited on any thread, and dropping it takes back the question.
pub type Telling<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

/// The records of all partitions, as far as they are archived. Errors: `Damaged` for exactly the offsets that cannot
/// be read, `Missing` where there never was such a record, `Busy` where asking again later helps.
pub trait History: Send + Sync {
    /// Whole batches as they stood in the log, with base offset and leader epoch placed, in order and without a gap:
    /// first the one that holds `from`, then more up to `bytes_max`. At least one; CRCs are checked.
    fn read(&self, of: Origin, from: Offset, bytes_max: usize) -> Telling<Vec<Bytes>>;

    /// The first record from `from` on with a timestamp of at least `at`: its offset and timestamp.
    fn offset_for_time(&self, of: Origin, from: Offset, at: Timestamp) -> Telling<Option<(Offset, Timestamp)>>;

    /// The record from `from` on with the largest timestamp, the first of them if there are several.
    fn newest(&self, of: Origin, from: Offset) -> Telling<Option<(Offset, Timestamp)>>;
}

/// A node without an archive: what is not in the log is nowhere.
pub struct NoHistory;

impl History for NoHistory {
    fn read(&self, of: Origin, from: Offset, _: usize) -> Telling<Vec<Bytes>> {
        Box::pin(ready(Err(Error::busy(format!(
            "offset {from} of partition {} of topic {} is in the archive, but this node is started without one; start \
             it with the object store that it had before",
            of.partition, of.topic
        )))))
    }

    fn offset_for_time(&self, _: Origin, _: Offset, _: Timestamp) -> Telling<Option<(Offset, Timestamp)>> {
        Box::pin(ready(Ok(None)))
    }

    fn newest(&self, _: Origin, _: Offset) -> Telling<Option<(Offset, Timestamp)>> {
        Box::pin(ready(Ok(None)))
    }
}
