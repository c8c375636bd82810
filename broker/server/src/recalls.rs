//! Which reads from the archive are under way or done, so that nobody waits for another's?
//!
//! A fetch that wants archived records takes what is here, or lets the read begin and answers with what its other
//! partitions have; the result is here when the fetch comes back. Consumers at the same place share it.

use std::collections::{BTreeMap, HashMap, HashSet};

use bytes::Bytes;
use model::limits::{RECALLED_BYTES_MAX, RECALLS_UNDER_WAY_MAX};
use model::{Offset, PartitionId, Result};

type Key = (PartitionId, Offset);

/// What comes of a wish for archived records.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    Here(Result<Vec<Bytes>>),
    /// Whoever waits for the partition is woken when it has ended.
    UnderWay,
    /// To be read now by whoever asked.
    Begin,
}

enum Recall {
    UnderWay,
    Here { outcome: Result<Vec<Bytes>>, bytes: usize, used: u64 },
}

/// The recalls of one shard, by partition and first offset. What was used least recently makes room.
#[derive(Default)]
pub struct Recalls {
    recalls: HashMap<Key, Recall>,
    by_use: BTreeMap<u64, Key>,
    uses: u64,
    under_way: usize,
    bytes: usize,
    /// Had to wait, as too many were under way; woken when one has ended.
    turned_away: HashSet<PartitionId>,
}

impl Recalls {
    pub fn ask(&mut self, partition: PartitionId, from: Offset) -> Asked {
        let key = (partition, from);
        match self.recalls.get_mut(&key) {
            Some(Recall::UnderWay) => return Asked::UnderWay,
            // A failure is told once; then it is tried again.
            Some(Recall::Here { outcome: Err(_), .. }) => return Asked::Here(self.remove(key).expect("just found")),
            Some(Recall::Here { outcome, used, .. }) => {
                self.by_use.remove(used);
                self.uses += 1;
                *used = self.uses;
                self.by_use.insert(self.uses, key);
                return Asked::Here(outcome.clone());
            }
            None => {}
        }
        match self.begin(partition, from, RECALLS_UNDER_WAY_MAX) {
            true => Asked::Begin,
            false => {
                self.turned_away.insert(partition);
                Asked::UnderWay
            }
        }
    }

    /// True if a read ahead should begin: nobody waits for it, so it leaves room for those that somebody waits for.
    pub fn begin_ahead(&mut self, partition: PartitionId, from: Offset) -> bool {
        let unknown = !self.recalls.contains_key(&(partition, from));
        unknown && self.begin(partition, from, RECALLS_UNDER_WAY_MAX / 2)
    }

    fn begin(&mut self, partition: PartitionId, from: Offset, most: usize) -> bool {
        let begins = self.under_way < most;
        if begins {
            self.under_way += 1;
            self.recalls.insert((partition, from), Recall::UnderWay);
        }
        begins
    }

    /// A read has ended; returns the partitions whose waiters are to be woken.
    pub fn ended(&mut self, partition: PartitionId, from: Offset, outcome: Result<Vec<Bytes>>) -> Vec<PartitionId> {
        let key = (partition, from);
        self.under_way -= 1;
        self.turned_away.insert(partition);
        // Gone: the partition was forgotten meanwhile.
        if self.recalls.remove(&key).is_some() {
            let bytes = outcome.iter().flatten().map(Bytes::len).sum();
            self.uses += 1;
            self.bytes += bytes;
            self.recalls.insert(key, Recall::Here { outcome, bytes, used: self.uses });
            self.by_use.insert(self.uses, key);
            while self.bytes > RECALLED_BYTES_MAX && self.by_use.len() > 1 {
                let (_, oldest) = self.by_use.first_key_value().expect("there are several");
                self.remove(*oldest);
            }
        }
        self.turned_away.drain().collect()
    }

    /// True if asking again may bring something new.
    pub fn is_settled(&self, partition: PartitionId, from: Offset) -> bool {
        match self.recalls.get(&(partition, from)) {
            Some(Recall::UnderWay) => false,
            Some(Recall::Here { .. }) => true,
            None => !self.turned_away.contains(&partition),
        }
    }

    pub fn forget(&mut self, gone: &HashSet<PartitionId>) {
        let keys: Vec<Key> = self.recalls.keys().filter(|(partition, _)| gone.contains(partition)).copied().collect();
        for key in keys {
            self.remove(key);
        }
    }

    fn remove(&mut self, key: Key) -> Option<Result<Vec<Bytes>>> {
        let Recall::Here { outcome, bytes, used } = self.recalls.remove(&key)? else { return None };
        self.by_use.remove(&used);
        self.bytes -= bytes;
        Some(outcome)
    }
}

#[cfg(test)]
mod tests;
