//! Who brings appended frames to the disk, and makes room for them in time?

use std::cell::RefMut;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use model::limits::WRITES_IN_FLIGHT_MAX;
use model::{Error, Offset, PartitionId, Position, Result};
use runtime::{Driver, IoBuf, LogFile};

use crate::commit::{Next, WriteId};
use crate::frame::{Entry, Kind};
use crate::group::Group;
use crate::log::{Shared, State};
use crate::reclaim::{Reclaim, plan};
use crate::segment::{DATA_START, Segment};
use crate::store::close_file;

/// Pause before another attempt to make a segment.
const RETRY_MS: u64 = 1_000;
/// Old segments are looked for at most this often.
const RECLAIM_MS: u64 = 1_000;

/// A write that waits for a slot.
struct Issue<D: Driver> {
    id: WriteId,
    file: D::Log,
    /// In the file.
    at: u64,
    buffer: IoBuf,
    /// Where its group begins, if the write is all of it.
    group: Option<Position>,
}

/// What the flush loop waits for.
enum Event<D: Driver> {
    Written(WriteId, Option<Position>, io::Result<IoBuf>),
    Made(Result<(Segment, D::Log)>),
    /// The file of a segment that is full.
    Closed,
    /// Time to look for segments without a live batch.
    Reclaim,
    Removed(Result<()>),
    Checkpointed(Result<()>),
}

type Chores<D> = FuturesUnordered<Pin<Box<dyn Future<Output = Event<D>>>>>;

/// The one task of a log that writes.
pub(crate) struct Flusher<D: Driver> {
    shared: Rc<Shared<D>>,
    active: (Segment, D::Log),
    /// Made ahead, in order.
    spare: VecDeque<(Segment, D::Log)>,
    making: bool,
    /// The Closed note is appended.
    closed: bool,
    reclaiming: bool,
    checkpointing: bool,
    /// Notes that must be durable before old segments go.
    renewed: u64,
    held_back: VecDeque<Issue<D>>,
    writes_in_flight: usize,
    chores: Chores<D>,
}

impl<D: Driver> Flusher<D> {
    /// `segments`: the one that is written, and those made ahead.
    pub async fn new(shared: Rc<Shared<D>>, segments: &[Segment]) -> Result<Flusher<D>> {
        let mut spare = VecDeque::new();
        for segment in segments {
            spare.push_back((*segment, shared.store.open_file(segment.number).await?));
        }
        let active = spare.pop_front().expect("a log has a segment");
        let flusher = Flusher {
            shared,
            active,
            spare,
            making: false,
            closed: false,
            reclaiming: false,
            checkpointing: false,
            renewed: 0,
            held_back: VecDeque::new(),
            writes_in_flight: 0,
            chores: FuturesUnordered::new(),
        };
        flusher.count_spare();
        Ok(flusher)
    }

    /// Runs until the log is closed and everything is written, or can never be.
    pub async fn run(mut self) {
        loop {
            self.write();
            self.make_ahead();
            self.schedule_reclaim();
            self.schedule_checkpoint();
            if self.is_done() {
                return self.close_files().await;
            }
            if self.mark_closed() {
                continue;
            }
            match self.next_event().await {
                None | Some(Event::Closed) => {}
                Some(Event::Written(id, group, result)) => self.written(id, group, result),
                Some(Event::Made(result)) => self.made(result),
                Some(Event::Reclaim) => self.reclaim(),
                Some(Event::Removed(result)) => self.removed(result),
                Some(Event::Checkpointed(result)) => self.checkpointed(result),
            }
        }
    }

    fn state(&self) -> RefMut<'_, State> {
        self.shared.state.borrow_mut()
    }

    fn is_done(&self) -> bool {
        let stuck = self.shared.stuck().is_some();
        let state = self.state();
        let written = self.closed && state.commit.is_idle() && !self.checkpointing;
        state.closing && (written || stuck) && self.writes_in_flight == 0
    }

    /// Once all is durable, the last frame of a log that is closed says so.
    fn mark_closed(&mut self) -> bool {
        let due = !self.closed && self.state().closing && self.state().commit.is_idle();
        if due {
            self.closed = true;
            self.shared.note(Entry::note(Kind::Closed, PartitionId(0), Offset::ZERO), Bytes::new());
        }
        due
    }

    /// `None`: there may be something to write.
    async fn next_event(&mut self) -> Option<Event<D>> {
        poll_fn(|context| {
            if self.shared.work.poll(context).is_ready() {
                return Poll::Ready(None);
            }
            match self.chores.poll_next_unpin(context) {
                Poll::Ready(Some(event)) => Poll::Ready(Some(event)),
                Poll::Ready(None) | Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    /// Takes what waits, as long as there are slots.
    fn write(&mut self) {
        if self.shared.acks.failed().is_some() {
            self.state().commit.clear();
            self.held_back.clear();
            return;
        }
        loop {
            self.issue();
            if !self.held_back.is_empty() {
                return;
            }
            let next = self.state().commit.next();
            match next {
                Next::Wait => return,
                Next::Group(group, first) => self.hold(&group, first),
                Next::Segment => {
                    let Some(spare) = self.spare.pop_front() else {
                        self.make(0);
                        return;
                    };
                    self.enter(spare);
                    self.count_spare();
                }
            }
        }
    }

    /// Goes on in the next segment; the file of the full one is closed when its last write has ended.
    fn enter(&mut self, segment: (Segment, D::Log)) {
        let mut state = self.shared.state.borrow_mut();
        let before = state.commit.last();
        state.notes.entered(&segment.0, before);
        state.commit.enter(segment.0.data_start(), segment.0.end());
        state.reclaim_due = true;
        let written = self.shared.acks.wait(state.commit.placed());
        let (_, full) = std::mem::replace(&mut self.active, segment);
        self.chores.push(Box::pin(async move {
            // After a failed write this never comes to pass, and all files stay open until the process ends.
            if written.await.is_ok() {
                close_file(full).await;
            }
            Event::Closed
        }));
    }

    async fn close_files(self) {
        for (_, file) in std::iter::once(self.active).chain(self.spare) {
            close_file(file).await;
        }
    }

    /// Packs a group for its writes.
    fn hold(&mut self, group: &Group, first: WriteId) {
        let (segment, file) = &self.active;
        let buffers = group.pack(segment.generation, |bytes| file.alloc(bytes));
        let whole = (buffers.len() == 1).then_some(group.start);
        let mut id = first;
        for (buffer, (position, _)) in buffers.into_iter().zip(group.writes()) {
            let (file, at) = (file.clone(), position.0 - segment.base.0);
            self.held_back.push_back(Issue { id, file, at, buffer, group: whole });
            id = id.next();
        }
        let mut state = self.shared.state.borrow_mut();
        state.stats.flushes += 1;
        state.stats.flushed_bytes += group.bytes as u64;
    }

    /// Starts the writes that have a slot.
    fn issue(&mut self) {
        while let Some(front) = self.held_back.front()
            && self.state().commit.may_issue(front.id)
        {
            let Issue { id, file, at, buffer, group } = self.held_back.pop_front().expect("just seen");
            let write = file.write_at(at, buffer);
            self.writes_in_flight += 1;
            assert!(self.writes_in_flight <= WRITES_IN_FLIGHT_MAX, "writes in flight are bounded");
            self.chores.push(Box::pin(async move { Event::Written(id, group, write.await) }));
        }
    }

    fn written(&mut self, id: WriteId, group: Option<Position>, result: io::Result<IoBuf>) {
        self.writes_in_flight -= 1;
        if self.shared.acks.failed().is_some() {
            return;
        }
        let retired = match result {
            Ok(buffer) => {
                let mut state = self.state();
                if let Some(position) = group {
                    state.tail.keep(position, Bytes::from_owner(buffer));
                }
                state.commit.ended(id)
            }
            Err(error) => {
                tracing::error!(%error, "a write to the log failed; the log is fenced");
                self.shared.fail(Error::fenced(format!(
                    "a write to this shard's log failed ({error}), so nobody knows what its disk holds; restart the \
                     process, which recovers what is there"
                )));
                return;
            }
        };
        self.shared.retire(&retired);
    }

    fn count_spare(&self) {
        self.state().spare_bytes = self.spare.iter().map(|(segment, _)| segment.bytes - DATA_START).sum();
    }

    /// The next segment is made when the last one is half full, or when something waits for it.
    fn make_ahead(&mut self) {
        let (segment, _) = &self.active;
        let end = self.state().commit.durable();
        let stopped = self.state().closing || self.shared.acks.failed().is_some();
        let due = self.spare.is_empty() && end.0 >= segment.base.0 + segment.bytes / 2;
        let wanted = std::mem::take(&mut self.state().segment_wanted);
        if !stopped && (due || wanted) {
            self.make(0);
        }
    }

    fn make(&mut self, after_ms: u64) {
        if self.making {
            return;
        }
        self.making = true;
        let shared = self.shared.clone();
        self.chores.push(Box::pin(async move {
            if after_ms > 0 {
                let driver = &shared.driver;
                driver.sleep_until(driver.now().plus_ms(after_ms)).await;
            }
            Event::Made(shared.store.create().await)
        }));
    }

    fn made(&mut self, result: Result<(Segment, D::Log)>) {
        self.making = false;
        match result {
            Ok(spare) => {
                self.spare.push_back(spare);
                self.count_spare();
                if self.state().full.take().is_some() {
                    tracing::info!("the log can grow again");
                }
            }
            Err(error) => {
                let known = self.state().full.replace(error.clone());
                if known.is_none() {
                    tracing::error!(%error, "no further segment; producers are refused before the last one is full");
                }
                self.make(RETRY_MS);
            }
        }
        self.shared.relief.notify();
    }

    /// What a start must read is bounded: a checkpoint is written each time the log has grown enough.
    fn schedule_checkpoint(&mut self) {
        let Some((end, ..)) = self.state().commit.complete() else { return };
        let stopped = self.state().closing || self.shared.acks.failed().is_some();
        let every_bytes = self.shared.store.checkpoint_bytes();
        if self.checkpointing || stopped || !self.shared.marks.borrow().due(end, every_bytes) {
            return;
        }
        self.checkpointing = true;
        let shared = self.shared.clone();
        self.chores.push(Box::pin(async move { Event::Checkpointed(shared.checkpoint(false).await) }));
    }

    fn checkpointed(&mut self, result: Result<()>) {
        self.checkpointing = false;
        if let Err(error) = result {
            tracing::warn!(%error, "a start would have more to read until the next checkpoint");
        }
    }

    fn schedule_reclaim(&mut self) {
        if self.reclaiming || !std::mem::take(&mut self.state().reclaim_due) {
            return;
        }
        self.reclaiming = true;
        let driver = self.shared.driver.clone();
        self.chores.push(Box::pin(async move {
            driver.sleep_until(driver.now().plus_ms(RECLAIM_MS)).await;
            Event::Reclaim
        }));
    }

    /// Removes the oldest segment that can go; what must outlive it is noted again before.
    fn reclaim(&mut self) {
        self.reclaiming = false;
        let shared = self.shared.clone();
        if shared.acks.failed().is_some() || shared.acks.durable() < self.renewed || self.state().closing {
            return;
        }
        let segments = shared.store.segments();
        let reclaim = {
            let state = self.state();
            plan(&segments, self.active.0.number, state.commit.durable(), &state.partitions, &state.notes)
        };
        match reclaim {
            Reclaim::Nothing => {}
            Reclaim::Renew(renew) => {
                shared.renew(renew);
                self.renewed = shared.state.borrow().sequence;
            }
            Reclaim::Remove(number) => {
                self.reclaiming = true;
                // The notes that made its frames dead are durable before it goes.
                let noted = shared.acks.wait(self.state().sequence - 1);
                self.chores.push(Box::pin(async move {
                    Event::Removed(match noted.await {
                        Ok(()) => shared.store.remove(number).await,
                        Err(error) => Err(error),
                    })
                }));
            }
        }
    }

    fn removed(&mut self, result: Result<()>) {
        self.reclaiming = false;
        match result {
            Ok(()) => {
                if let Some(first) = self.shared.store.segments().first() {
                    self.state().notes.begin_at(first.base);
                }
                self.reclaim();
            }
            Err(error) => tracing::warn!(%error, "an old segment stays for now"),
        }
    }
}
