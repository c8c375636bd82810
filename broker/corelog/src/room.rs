//! Is there room in a log for another batch, now or after a wait?

use std::future::poll_fn;
use std::task::Poll;

use model::limits::LOG_BACKLOG_BYTES_MAX;
use model::{Error, Result};
use runtime::Driver;

use crate::frame::frame_bytes;
use crate::log::{CoreLog, Shared, State};

/// Where a frame would go.
#[derive(Debug)]
pub(crate) enum Room {
    Now,
    /// To a segment that does not exist yet.
    WithNextSegment,
    /// Too much waits for the disk.
    Later,
    /// No further segment can be made, and what is left of the last one is kept back.
    Full(Error),
}

/// What keeps a log from working as it should. All of it is for people: they have to do something.
#[derive(Debug, Clone, Default)]
pub struct LogHealth {
    /// Why nothing can be appended any more, until the process is restarted.
    pub fenced: Option<Error>,
    /// Why no further segment can be made at the moment.
    pub full: Option<Error>,
    /// Ranges of offsets whose frames are damaged.
    pub lost_ranges: usize,
}

impl State {
    /// Where a frame of this size would go, with so much kept back.
    pub fn room(&self, frame_bytes: usize, reserve: usize) -> Room {
        let wanted = (self.commit.waiting_bytes() + self.reserved_bytes + frame_bytes + reserve) as u64;
        let has_place = wanted <= self.commit.room_bytes() + self.spare_bytes;
        match &self.full {
            Some(error) if !has_place => Room::Full(error.clone()),
            // The node's own batches, which keep less back, pass those that wait.
            _ if self.backlog_bytes() + frame_bytes + reserve > LOG_BACKLOG_BYTES_MAX => Room::Later,
            _ if has_place => Room::Now,
            _ => Room::WithNextSegment,
        }
    }
}

impl<D: Driver> CoreLog<D> {
    /// Resolves when a batch of so many bytes can be appended without a refusal. For one task at a time: of several
    /// that wait only the last one is woken.
    ///
    /// `Storage`: the disk is full; `Fenced`: a write has failed, or the log is closed.
    pub async fn room(&self, batch_bytes: usize) -> Result<()> {
        poll_fn(|context| {
            loop {
                if let Some(verdict) = self.shared.has_room(batch_bytes) {
                    return Poll::Ready(verdict);
                }
                if self.shared.relief.poll(context).is_pending() {
                    return Poll::Pending;
                }
            }
        })
        .await
    }

    /// True if a batch of so many bytes can be appended now without waiting: then [`CoreLog::room`] yields at once.
    pub fn has_room(&self, batch_bytes: usize) -> bool {
        self.shared.has_room(batch_bytes).is_some()
    }

    /// Why nothing can be appended any more.
    pub fn fenced(&self) -> Option<Error> {
        self.shared.acks.failed()
    }

    /// True while no further segment can be made.
    pub fn is_full(&self) -> bool {
        self.shared.state.borrow().full.is_some()
    }

    /// Why batches may be refused at the moment, whatever is in them.
    pub fn trouble(&self) -> Option<Error> {
        self.fenced().or_else(|| self.shared.state.borrow().full.clone())
    }

    pub fn health(&self) -> LogHealth {
        let state = self.shared.state.borrow();
        let lost_ranges = state.partitions.iter().map(|(_, partition)| partition.lost.len()).sum();
        LogHealth { fenced: self.fenced(), full: state.full.clone(), lost_ranges }
    }
}

impl<D: Driver> Shared<D> {
    /// `None`: not now.
    fn has_room(&self, batch_bytes: usize) -> Option<Result<()>> {
        if let Some(error) = self.acks.failed() {
            return Some(Err(error));
        }
        let mut state = self.state.borrow_mut();
        match state.room(frame_bytes(batch_bytes), self.reserve_bytes) {
            Room::Now => Some(Ok(())),
            Room::Full(error) => Some(Err(error)),
            Room::Later => None,
            Room::WithNextSegment => {
                if !std::mem::replace(&mut state.segment_wanted, true) {
                    self.work.notify();
                }
                None
            }
        }
    }

    /// Why what waits cannot be written.
    pub fn stuck(&self) -> Option<Error> {
        let state = self.state.borrow();
        let starved = || state.full.clone().filter(|_| state.commit.needs_segment());
        self.acks.failed().or_else(starved)
    }
}
