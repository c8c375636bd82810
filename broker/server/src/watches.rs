//! Who waits for a partition to grow?

use std::cell::RefCell;
use std::collections::HashMap;

use model::PartitionId;

use crate::message::Reply;

/// The long polls of a shard's partitions. Each is woken once; those that have given up are dropped in passing.
#[derive(Default)]
pub struct Watches {
    waiting: RefCell<HashMap<PartitionId, List>>,
}

#[derive(Default)]
struct List {
    wakes: Vec<Reply<()>>,
    /// At this length the list is searched for those that have given up: amortised over as many additions.
    sweep_at: usize,
}

const SWEEP_MIN: usize = 8;

impl Watches {
    pub fn add(&self, partition: PartitionId, wake: Reply<()>) {
        let mut waiting = self.waiting.borrow_mut();
        let list = waiting.entry(partition).or_default();
        if list.wakes.len() >= list.sweep_at.max(SWEEP_MIN) {
            list.wakes.retain(|wake| !wake.is_disconnected());
            list.sweep_at = list.wakes.len() * 2;
        }
        list.wakes.push(wake);
    }

    pub fn wake(&self, partition: PartitionId) {
        let list = self.waiting.borrow_mut().remove(&partition);
        for wake in list.into_iter().flat_map(|list| list.wakes) {
            // Full: another partition has woken it already. Disconnected: it has given up.
            let _ = wake.try_send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::reply;

    #[test]
    fn each_is_woken_once_and_only_by_its_partition() {
        let watches = Watches::default();
        let (wake, woken) = reply();
        watches.add(PartitionId(1), wake.clone());
        watches.add(PartitionId(2), wake);
        watches.wake(PartitionId(3));
        assert!(woken.try_recv().is_err());
        watches.wake(PartitionId(1));
        watches.wake(PartitionId(2));
        assert!(woken.try_recv().is_ok() && woken.try_recv().is_err());
    }

    #[test]
    fn those_that_gave_up_do_not_pile_up() {
        let watches = Watches::default();
        for _ in 0..10_000 {
            watches.add(PartitionId(1), reply().0);
        }
        assert!(watches.waiting.borrow()[&PartitionId(1)].wakes.len() <= SWEEP_MIN + 1);
    }
}
