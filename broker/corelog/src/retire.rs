//! What follows when frames are durable, or never will be?

use std::collections::BTreeMap;

use model::{Error, Offset, PartitionId};
use runtime::Driver;

use crate::commit::Retired;
use crate::frame::Kind;
use crate::log::{Shared, State};

impl<D: Driver> Shared<D> {
    /// Nothing more becomes durable: tells all who wait.
    pub fn fail(&self, error: Error) {
        self.acks.fail(error.clone());
        self.relief.notify();
        let waiting = std::mem::take(&mut self.state.borrow_mut().flushed);
        waiting.into_iter().for_each(|(_, flushed)| flushed(Err(error.clone())));
    }

    /// Frames are durable, in order: moves high watermarks, then acknowledges, then tells who listens.
    pub fn retire(&self, retired: &[Retired]) {
        let Some(last) = retired.last() else { return };
        let advanced = self.state.borrow_mut().retire(retired);
        self.acks.advance(last.sequence + 1);
        self.relief.notify();
        loop {
            let mut state = self.state.borrow_mut();
            let Some((_, flushed)) = state.flushed.pop_front_if(|(sequence, _)| *sequence <= last.sequence) else {
                break;
            };
            drop(state);
            flushed(Ok(()));
        }
        self.tell(advanced);
    }

    /// Tells who listens which high watermarks have moved.
    pub fn tell(&self, advanced: BTreeMap<PartitionId, Offset>) {
        if advanced.is_empty() {
            return;
        }
        let listeners = self.on_advance.borrow().clone();
        for (partition, high_watermark) in advanced {
            listeners.iter().for_each(|listener| listener(partition, high_watermark));
        }
    }
}

impl State {
    /// Lists durable frames. Returns each partition whose high watermark moved, with the newest.
    fn retire(&mut self, retired: &[Retired]) -> BTreeMap<PartitionId, Offset> {
        let (mut advanced, mut led) = (BTreeMap::new(), Vec::new());
        for frame in retired {
            let Retired { sequence, entry, position, payload_bytes } = frame;
            match entry.kind {
                Kind::Batch | Kind::Entry => {
                    self.notes.ends.entry(entry.group).and_modify(|(_, at)| *at = *position);
                    if let Some(group) = self.notes.groups.get_mut(&entry.group).filter(|group| group.led) {
                        group.durable(frame);
                        if led.last() != Some(&entry.group) {
                            led.push(entry.group);
                        }
                    } else if let Some(end) = self.partitions.list(*sequence, entry, Some(*position), *payload_bytes) {
                        advanced.insert(entry.partition, end);
                    }
                }
                Kind::LogStart => {
                    self.partitions.start_noted(*sequence, entry, *position);
                    self.reclaim_due = true;
                }
                Kind::Closed => self.closed = true,
                _ => {
                    self.notes.durable(entry, *position);
                    self.reclaim_due = true;
                }
            }
        }
        self.list_groups(&led, &mut advanced);
        advanced
    }
}
