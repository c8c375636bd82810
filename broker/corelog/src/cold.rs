//! Which old frames were read from the disk a moment ago, and which will be wanted next?

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;
use model::limits::{FOLLOWED_READERS_MAX, READ_AHEAD_BYTES_MAX, READ_AHEAD_BYTES_MIN};
use model::{Offset, PartitionId, Position};

/// Pieces before a position that are looked into: they may overlap.
const LOOKS_MAX: usize = 4;

/// Pieces of the log as they were read, up to a number of bytes; what was used least recently makes room.
#[derive(Debug)]
pub(crate) struct Cold {
    pieces: BTreeMap<Position, (Bytes, u64)>,
    by_use: BTreeMap<u64, Position>,
    uses: u64,
    bytes: usize,
    bytes_max: usize,
}

impl Cold {
    pub fn new(bytes_max: usize) -> Cold {
        Cold { pieces: BTreeMap::new(), by_use: BTreeMap::new(), uses: 0, bytes: 0, bytes_max }
    }

    pub fn keep(&mut self, position: Position, piece: Bytes) {
        let longer = self.pieces.get(&position).is_some_and(|(kept, _)| kept.len() >= piece.len());
        if longer || piece.len() > self.bytes_max {
            return;
        }
        self.forget(position);
        self.uses += 1;
        self.bytes += piece.len();
        self.by_use.insert(self.uses, position);
        self.pieces.insert(position, (piece, self.uses));
        while self.bytes > self.bytes_max {
            let (_, oldest) = self.by_use.first_key_value().expect("something takes up the bytes");
            self.forget(*oldest);
        }
    }

    /// The piece that holds `len` bytes from `position` on, and where it begins.
    pub fn get(&mut self, position: Position, len: usize) -> Option<(Position, Bytes)> {
        let end = position.0 + len as u64;
        let mut before = self.pieces.range(..=position).rev().take(LOOKS_MAX);
        let start = *before.find(|(start, (piece, _))| end <= start.0 + piece.len() as u64)?.0;
        let (piece, used) = self.pieces.get_mut(&start).expect("just found");
        self.by_use.remove(used);
        self.uses += 1;
        *used = self.uses;
        self.by_use.insert(self.uses, start);
        Some((start, piece.clone()))
    }

    pub fn forget(&mut self, position: Position) {
        if let Some((piece, used)) = self.pieces.remove(&position) {
            self.by_use.remove(&used);
            self.bytes -= piece.len();
        }
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Readers of old frames that go on where they stopped. Those at the same place are one.
#[derive(Debug, Default)]
pub(crate) struct Followed {
    /// How much is read ahead of who reads on here.
    windows: HashMap<(PartitionId, Offset), usize>,
    order: VecDeque<(PartitionId, Offset)>,
}

impl Followed {
    /// Old frames were read from `from` up to `end`: how much behind them is worth reading now? Nothing at the first
    /// read, as it may be the only one; then more each time.
    pub fn read(&mut self, partition: PartitionId, from: Offset, end: Offset) -> usize {
        let window = self.windows.get(&(partition, from)).copied();
        let next = window.map_or(READ_AHEAD_BYTES_MIN, |window| (2 * window).min(READ_AHEAD_BYTES_MAX));
        if self.windows.insert((partition, end), next).is_none() {
            self.order.push_back((partition, end));
        }
        if self.order.len() > FOLLOWED_READERS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.windows.remove(&oldest);
        }
        window.unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
