//! What should a log hold that was told all this?

use std::collections::{BTreeMap, VecDeque};

use ::model::{Offset, PartitionId};
use bytes::Bytes;

use crate::tests::tools::body;

/// A batch that was appended.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    /// In the order of the log, over all lives.
    pub number: u64,
    pub base: Offset,
    pub last: Offset,
    pub body: Bytes,
}

/// One partition.
#[derive(Debug, Clone, Default)]
pub(super) struct Expected {
    /// From offset 0 on, those of earlier lives that were lost unacknowledged left out.
    pub sent: Vec<Sent>,
    /// Everything below was acknowledged.
    pub acked: Offset,
    /// Log start that was asked for, and the one that is durable.
    pub start_asked: Offset,
    pub start_durable: Offset,
    pub forget_asked: bool,
    pub forgotten: bool,
}

/// Partitions and what became of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    pub partitions: BTreeMap<PartitionId, Expected>,
    next: u64,
    /// Appended in this life and not acknowledged, in the order of the log.
    waiting: VecDeque<(u64, PartitionId, Offset)>,
}

impl Model {
    /// A process begins: nobody waits any more.
    pub fn begin_life(&mut self) {
        self.waiting.clear();
    }

    /// A batch was appended; returns its number.
    pub fn appended(&mut self, p: PartitionId, base: Offset, last: Offset, batch: &Bytes) -> u64 {
        self.next += 1;
        let expected = self.partitions.entry(p).or_default();
        let end = expected.sent.last().map_or(Offset::ZERO, |sent| sent.last.plus(1));
        assert_eq!(base, end.max(expected.start_asked), "offsets of partition {p} are contiguous");
        expected.sent.push(Sent { number: self.next, base, last, body: body(batch) });
        self.waiting.push_back((self.next, p, last));
        self.next
    }

    /// A batch is acknowledged, and so is every one before it: returns them.
    pub fn acknowledged(&mut self, number: u64) -> Vec<(PartitionId, Offset)> {
        let mut told = Vec::new();
        while self.waiting.front().is_some_and(|(first, ..)| *first <= number) {
            let (_, p, last) = self.waiting.pop_front().expect("just seen");
            let expected = self.partitions.get_mut(&p).expect("it was appended to");
            expected.acked = expected.acked.max(last.plus(1));
            told.push((p, last));
        }
        told
    }

    /// The high watermark of a partition moved: what lies below is acknowledged.
    pub fn advanced(&mut self, p: PartitionId, end: Offset) {
        let expected = self.partitions.get_mut(&p).expect("it was appended to");
        assert!(end >= expected.acked, "the high watermark of {p} went back to {end} from {}", expected.acked);
        let sent = expected.sent.iter().any(|sent| sent.last.plus(1) == end);
        assert!(sent, "the high watermark {end} of {p} lies inside a batch");
        expected.acked = end;
    }

    /// What was asked for before is durable.
    pub fn flushed(&mut self, asked: &Model) {
        for (p, before) in &asked.partitions {
            let expected = self.partitions.get_mut(p).expect("partitions stay in the model");
            expected.start_durable = expected.start_durable.max(before.start_asked);
            expected.forgotten |= before.forget_asked;
        }
    }

    /// A number that changes whenever more is promised.
    pub fn promises(&self) -> u64 {
        let of = |expected: &Expected| {
            expected.acked.0 + expected.start_durable.0 + expected.sent.len() as i64 + i64::from(expected.forgotten)
        };
        self.partitions.values().map(of).sum::<i64>().unsigned_abs()
    }

    /// Partitions that were not deleted.
    pub fn kept(&self) -> Vec<PartitionId> {
        self.partitions.iter().filter(|(_, expected)| !expected.forget_asked).map(|(p, _)| *p).collect()
    }
}
