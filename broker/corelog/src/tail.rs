//! Which recent frames are still in memory?
//!
//! The buffers of the last group commits, as they went to the disk: consumers get slices of them.

use std::collections::BTreeMap;

use bytes::Bytes;
use model::Position;

/// The newest groups of the log, up to a number of bytes.
#[derive(Debug)]
pub(crate) struct Tail {
    groups: BTreeMap<Position, Bytes>,
    bytes: usize,
    bytes_max: usize,
}

impl Tail {
    pub fn new(bytes_max: usize) -> Tail {
        Tail { groups: BTreeMap::new(), bytes: 0, bytes_max }
    }

    /// Keeps a group that begins at `position`; the oldest make room.
    pub fn keep(&mut self, position: Position, group: Bytes) {
        self.bytes += group.len();
        self.groups.insert(position, group);
        while self.bytes > self.bytes_max {
            let Some((_, oldest)) = self.groups.pop_first() else { break };
            self.bytes -= oldest.len();
        }
    }

    /// `len` bytes of the log from `position` on, if they lie in one group that is kept.
    pub fn get(&self, position: Position, len: usize) -> Option<Bytes> {
        let (start, group) = self.groups.range(..=position).next_back()?;
        let from = usize::try_from(position.0 - start.0).ok()?;
        let to = from.checked_add(len)?;
        (to <= group.len()).then(|| group.slice(from..to))
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests;
