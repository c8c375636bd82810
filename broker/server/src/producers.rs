//! Has an idempotent producer sent this batch before, and is it the next one? (KIP-98, KIP-360)
//!
//! A value: `check` only looks, `appended` moves on. State therefore never advances for a batch that was refused.

use std::collections::{HashMap, VecDeque};

use kafka_protocol::error::ResponseError;
use model::limits::{PRODUCER_EXPIRY_MS, PRODUCERS_PER_SHARD_MAX};
use model::{Offset, PartitionId};

use crate::errors::Fault;

mod saved;

pub use saved::Kept;

/// Batches of one producer that can be recognised when they are sent again: as many as clients have in flight.
const BATCHES_KEPT: usize = 5;

/// The idempotent producers of all partitions of a shard.
#[derive(Debug, Default)]
pub struct Producers {
    states: HashMap<PartitionId, HashMap<i64, State>>,
    /// States, over all partitions.
    count: usize,
}

#[derive(Debug)]
struct State {
    epoch: i16,
    /// Milliseconds since 1970 of the last batch.
    used_ms: i64,
    /// The sequence that must come next.
    next: i32,
    /// The last batches of this epoch, oldest first.
    batches: VecDeque<Sent>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sent {
    first: i32,
    last: i32,
    base: Offset,
}

/// What an idempotent batch says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    pub producer: i64,
    pub epoch: i16,
    pub first: i32,
    pub count: i32,
}

/// What to do with a batch that is not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Append,
    /// It was appended before, at this base offset.
    Duplicate(Offset),
}

impl Claim {
    /// `None`: the batch comes from a producer without idempotence.
    pub fn of(header: &wire::batch::BatchHeader) -> Option<Claim> {
        (header.producer_id >= 0).then_some(Claim {
            producer: header.producer_id,
            epoch: header.producer_epoch,
            first: header.base_sequence,
            count: header.record_count,
        })
    }

    fn last(&self) -> i32 {
        step(self.first, self.count - 1)
    }
}

/// Sequence numbers run from 0 to 2^31-1 and begin again.
fn step(sequence: i32, by: i32) -> i32 {
    let sum = (i64::from(sequence) + i64::from(by)) % (i64::from(i32::MAX) + 1);
    i32::try_from(sum).expect("below 2^31")
}

impl State {
    /// A producer of which nothing is stored, and this batch is to come.
    fn awaiting(claim: Claim, at_ms: i64) -> State {
        State { epoch: claim.epoch, used_ms: at_ms, next: claim.first, batches: VecDeque::new() }
    }
}

impl Producers {
    pub fn check(&self, partition: PartitionId, claim: Claim) -> Result<Verdict, Fault> {
        if claim.epoch < 0 || claim.first < 0 {
            let why = "a batch with a producer id needs an epoch and a sequence number of at least 0";
            return Err(Fault::new(ResponseError::InvalidRecord, why));
        }
        // A producer that we do not know (any more) may begin anywhere, as in Kafka since KIP-360.
        let state = self.states.get(&partition).and_then(|states| states.get(&claim.producer));
        let Some(state) = state else { return Ok(Verdict::Append) };
        if claim.epoch < state.epoch {
            let why = format!("producer {} has epoch {} by now, not {}", claim.producer, state.epoch, claim.epoch);
            return Err(Fault::new(ResponseError::InvalidProducerEpoch, why));
        }
        let expected = match claim.epoch > state.epoch {
            true => 0,
            false => {
                if let Some(sent) = state.batches.iter().find(|s| s.first == claim.first && s.last == claim.last()) {
                    return Ok(Verdict::Duplicate(sent.base));
                }
                state.next
            }
        };
        match claim.first == expected {
            true => Ok(Verdict::Append),
            false => Err(Fault::new(
                ResponseError::OutOfOrderSequenceNumber,
                format!("producer {} must go on with sequence {expected}, not {}", claim.producer, claim.first),
            )),
        }
    }

    /// The batch now lies in the log at `base`, since `at_ms`.
    pub fn appended(&mut self, partition: PartitionId, claim: Claim, base: Offset, at_ms: i64) {
        let sent = Sent { first: claim.first, last: claim.last(), base };
        let fresh = || State { batches: VecDeque::with_capacity(1), ..State::awaiting(claim, at_ms) };
        let state = state_of(&mut self.states, &mut self.count, partition, claim.producer, fresh);
        if state.epoch != claim.epoch {
            *state = fresh();
        }
        state.used_ms = state.used_ms.max(at_ms);
        if state.batches.len() == BATCHES_KEPT {
            state.batches.pop_front();
        }
        state.batches.push_back(sent);
        state.next = step(sent.last, 1);
        self.keep_bound();
    }

    /// As `appended`, for a batch that was found in the log and may be known already.
    pub fn found(&mut self, partition: PartitionId, claim: Claim, base: Offset, at_ms: i64) {
        let state = self.states.get(&partition).and_then(|states| states.get(&claim.producer));
        let newest = state.and_then(|state| state.batches.back());
        if newest.is_none_or(|newest| newest.base < base) {
            self.appended(partition, claim, base, at_ms);
        }
    }

    /// The first batch of a producer was refused. Those behind it are on their way already, and must not be taken for
    /// its beginning: the producer numbers its records anew and sends this sequence again.
    pub fn refused(&mut self, partition: PartitionId, claim: Claim, at_ms: i64) {
        let awaiting = || State::awaiting(claim, at_ms);
        state_of(&mut self.states, &mut self.count, partition, claim.producer, awaiting);
        self.keep_bound();
    }

    /// Forgets the producers of deleted partitions.
    pub fn forget(&mut self, gone: impl Fn(PartitionId) -> bool) {
        self.states.retain(|partition, _| !gone(*partition));
        self.count = self.states.values().map(HashMap::len).sum();
    }

    /// Forgets producers that have been silent for long.
    pub fn expire(&mut self, now_ms: i64) {
        self.retain(|state| now_ms.saturating_sub(state.used_ms) < PRODUCER_EXPIRY_MS);
    }

    fn retain(&mut self, mut keep: impl FnMut(&State) -> bool) {
        self.states.retain(|_, states| {
            states.retain(|_, state| keep(state));
            !states.is_empty()
        });
        self.count = self.states.values().map(HashMap::len).sum();
    }

    fn keep_bound(&mut self) {
        if self.count > PRODUCERS_PER_SHARD_MAX {
            self.make_room();
        }
    }

    /// Forgets the quarter that has been silent for longest.
    fn make_room(&mut self) {
        let mut used: Vec<i64> = self.states.values().flat_map(HashMap::values).map(|state| state.used_ms).collect();
        let at = used.len() / 4;
        let (_, limit, _) = used.select_nth_unstable(at);
        let limit = *limit;
        let mut spare = self.count - at;
        self.retain(|state| {
            let keep = state.used_ms > limit || (state.used_ms == limit && spare > 0);
            spare = spare.saturating_sub(usize::from(keep));
            keep
        });
    }
}

fn state_of<'a>(
    states: &'a mut HashMap<PartitionId, HashMap<i64, State>>,
    count: &mut usize,
    partition: PartitionId,
    producer: i64,
    fresh: impl FnOnce() -> State,
) -> &'a mut State {
    states.entry(partition).or_default().entry(producer).or_insert_with(|| {
        *count += 1;
        fresh()
    })
}

#[cfg(test)]
mod tests;
