//! How do idempotent producers outlive a restart without a look at all of the log?
//!
//! Checkpoints of the log carry them, as `docs/formats/checkpoint.md` draws it.

use std::cell::RefCell;

use corelog::Owner;
use model::{Error, Offset, PartitionId, Result};
use wire::batch::BatchHeader;

use super::{BATCHES_KEPT, Claim, Producers, Sent, State};

const VERSION: u8 = 1;

/// The producers of a shard, as the owner of its log.
pub struct Kept {
    pub producers: RefCell<Producers>,
    /// When the process began, in milliseconds since 1970: batches that are found count as sent now, since their own
    /// times may be old.
    pub now_ms: i64,
}

impl Owner for Kept {
    fn reset(&self) {
        *self.producers.borrow_mut() = Producers::default();
    }

    fn restore(&self, partition: PartitionId, saved: &[u8]) -> Result<()> {
        let restored = self.producers.borrow_mut().restore(partition, saved);
        restored.ok_or_else(|| Error::damaged("the producers in it are those of another version"))
    }

    fn seen(&self, partition: PartitionId, header: &BatchHeader) {
        if let Some(claim) = Claim::of(header) {
            self.producers.borrow_mut().found(partition, claim, Offset(header.base_offset), self.now_ms);
        }
    }

    fn save(&self, partition: PartitionId, saved: &mut Vec<u8>) {
        self.producers.borrow().save(partition, saved);
    }
}

impl Producers {
    /// Appends the producers of a partition; nothing if there are none.
    pub fn save(&self, partition: PartitionId, saved: &mut Vec<u8>) {
        let Some(states) = self.states.get(&partition) else { return };
        saved.push(VERSION);
        for (producer, State { epoch, used_ms, next, batches }) in states {
            saved.extend_from_slice(&producer.to_le_bytes());
            saved.extend_from_slice(&epoch.to_le_bytes());
            saved.extend_from_slice(&used_ms.to_le_bytes());
            saved.extend_from_slice(&next.to_le_bytes());
            saved.push(u8::try_from(batches.len()).expect("a few are kept"));
            for Sent { first, last, base } in batches {
                saved.extend_from_slice(&first.to_le_bytes());
                saved.extend_from_slice(&last.to_le_bytes());
                saved.extend_from_slice(&base.0.to_le_bytes());
            }
        }
    }

    /// Takes back what [`Producers::save`] gave; `None` if it is not that.
    pub fn restore(&mut self, partition: PartitionId, saved: &[u8]) -> Option<()> {
        let Some((version, mut rest)) = saved.split_first() else { return Some(()) };
        if *version != VERSION {
            return None;
        }
        let states = self.states.entry(partition).or_default();
        while !rest.is_empty() {
            let producer = i64::from_le_bytes(take(&mut rest)?);
            let (epoch, used_ms) = (i16::from_le_bytes(take(&mut rest)?), i64::from_le_bytes(take(&mut rest)?));
            let (next, [count]) = (i32::from_le_bytes(take(&mut rest)?), take(&mut rest)?);
            if usize::from(count) > BATCHES_KEPT {
                return None;
            }
            let mut batches = std::collections::VecDeque::with_capacity(usize::from(count));
            for _ in 0..count {
                let (first, last) = (i32::from_le_bytes(take(&mut rest)?), i32::from_le_bytes(take(&mut rest)?));
                batches.push_back(Sent { first, last, base: Offset(i64::from_le_bytes(take(&mut rest)?)) });
            }
            let new = states.insert(producer, State { epoch, used_ms, next, batches }).is_none();
            self.count += usize::from(new);
        }
        Some(())
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (front, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*front)
}
