//! How is the log of a shard used?

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use model::{Error, Frontiers, LogGroup, LogIndex, Offset, PartitionId, Position, Result, ShardId, Term, Timestamp};
use runtime::Driver;
use wire::batch::BatchHeader;

use crate::checkpoint::{Marks, Owner};
use crate::commit::Commit;
use crate::durable::{Acks, Durable};
use crate::entries::Flushed;
use crate::found::Takeover;
use crate::frame::{Entry, GroupEnd, Kind, frame_bytes};
use crate::group::Pending;
use crate::notes::Notes;
use crate::partitions::{Partition, Partitions};
use crate::raft::Spot;
use crate::read::Reads;
use crate::recovery::Damage;
use crate::room::Room;
use crate::store::Store;
use crate::tail::Tail;

/// Where the log of a shard lies, and how much of it is kept at hand.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// A folder for this log alone.
    pub dir: PathBuf,
    pub shard: ShardId,
    /// Length of new segments: a multiple of 4 KiB. A batch that does not fit in one is refused.
    pub segment_bytes: u64,
    /// Recent group commits that stay in memory.
    pub tail_cache_bytes: usize,
    /// The log has grown by this much when a checkpoint is written.
    pub checkpoint_bytes: u64,
}

/// The log of one shard. Clones are handles on the same log.
pub struct CoreLog<D: Driver> {
    pub(crate) shared: Rc<Shared<D>>,
    pub(crate) flusher: Rc<RefCell<Option<D::Task<()>>>>,
}

/// A batch that has its place in the partition.
#[derive(Debug)]
pub struct Appended {
    pub base: Offset,
    pub last: Offset,
    pub durable: Durable,
}

/// Counters since the log was opened, and sizes as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogStats {
    pub appended_batches: u64,
    pub appended_bytes: u64,
    /// Group commits, and the bytes written with them.
    pub flushes: u64,
    pub flushed_bytes: u64,
    pub writes_in_flight: usize,
    /// Bytes that are appended and not durable.
    pub backlog_bytes: usize,
    pub segments: usize,
    pub log_end: Position,
    pub tail_bytes: usize,
    /// Old frames that were read and are kept for a while.
    pub cold_bytes: usize,
    pub partitions: usize,
    pub index_bytes: usize,
}

pub(crate) type OnAdvance = Rc<dyn Fn(PartitionId, Offset)>;

/// What the handles, the flush loop and the reads of one log share.
pub(crate) struct Shared<D: Driver> {
    pub driver: D,
    pub store: Store<D>,
    pub acks: Acks,
    pub state: RefCell<State>,
    pub work: Work,
    /// Wakes who waits for room.
    pub relief: Work,
    /// What is kept back for the node's own state.
    pub reserve_bytes: usize,
    pub group: LogGroup,
    pub payload_bytes_max: usize,
    pub damage: Vec<Damage>,
    pub owner: Option<Rc<dyn Owner>>,
    pub marks: RefCell<Marks>,
    pub on_advance: RefCell<Vec<OnAdvance>>,
    pub reads: Reads,
}

pub(crate) struct State {
    pub partitions: Partitions,
    pub commit: Commit,
    pub tail: Tail,
    pub notes: Notes,
    pub stats: LogStats,
    /// The sequence of the next frame.
    pub sequence: u64,
    /// Frames of batches that have offsets, and are not appended yet.
    pub reserved_bytes: usize,
    /// Who is told when the frame of a sequence is durable, in order.
    pub flushed: VecDeque<(u64, Flushed)>,
    /// Room in segments made ahead.
    pub spare_bytes: u64,
    /// Why the last attempt to make a segment failed.
    pub full: Option<Error>,
    /// An append waits for a further segment.
    pub segment_wanted: bool,
    pub closing: bool,
    /// The last frame is Closed, and durable.
    pub closed: bool,
    /// Notes are durable that may have left old segments without a live batch.
    pub reclaim_due: bool,
}

/// Wakes one task that waits for something to do.
#[derive(Default)]
pub(crate) struct Work {
    there: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

impl Work {
    pub fn notify(&self) {
        self.there.set(true);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    pub fn poll(&self, context: &Context<'_>) -> Poll<()> {
        if self.there.take() {
            return Poll::Ready(());
        }
        self.waker.set(Some(context.waker().clone()));
        Poll::Pending
    }
}

impl<D: Driver> Clone for CoreLog<D> {
    fn clone(&self) -> Self {
        CoreLog { shared: self.shared.clone(), flusher: self.flusher.clone() }
    }
}

impl<D: Driver> CoreLog<D> {
    /// The partitions that have, or had, records.
    pub fn partitions(&self) -> Vec<PartitionId> {
        self.shared.state.borrow().partitions.iter().map(|(id, _)| id).collect()
    }

    /// All 0 for a partition without records.
    pub fn frontiers(&self, partition: PartitionId) -> Frontiers {
        self.shared.state.borrow().partitions.frontiers(partition)
    }

    /// Takes one checked batch, whose records get the next offsets of the partition; it joins the next group commit.
    ///
    /// `Busy`: too much waits for the disk, see [`CoreLog::room`]; `Storage`: the disk is full; `Fenced`: a write has
    /// failed, or the log is closed; `Invalid`: no batch, or too large; `Conflict`: the term is over.
    pub fn append(&self, partition: PartitionId, batch: Bytes, term: Term) -> Result<Appended> {
        self.append_beside(partition, batch, term, self.shared.reserve_bytes)
    }

    /// As [`CoreLog::append`], for what the node itself has to write down: it may take half of what is kept back.
    pub fn append_own(&self, partition: PartitionId, batch: Bytes, term: Term) -> Result<Appended> {
        self.append_beside(partition, batch, term, self.shared.reserve_bytes / 2)
    }

    fn append_beside(&self, partition: PartitionId, batch: Bytes, term: Term, reserve: usize) -> Result<Appended> {
        let header = self.shared.admit(&batch, reserve)?;
        let mut state = self.shared.state.borrow_mut();
        let (group, sequence) = (self.shared.group, state.sequence);
        let index = state.next_entry(group, term)?;
        let count = i64::from(header.last_offset_delta) + 1;
        let base = state.partitions.reserve(partition, count, sequence);
        let entry = Entry::batch(group, term, index, partition, base, &header);
        state.partitions.place(&Spot::of(&entry), sequence)?;
        state.stats.appended_batches += 1;
        state.stats.appended_bytes += batch.len() as u64;
        state.push(entry, batch);
        self.shared.work.notify();
        Ok(Appended { base, last: entry.last(), durable: self.shared.acks.wait(sequence) })
    }

    /// Resolves once everything appended, forgotten or trimmed so far is durable.
    pub fn flushed(&self) -> Durable {
        self.shared.acks.wait(self.shared.state.borrow().sequence.saturating_sub(1))
    }

    /// `f` is called after each group commit, once per partition whose high watermark it moved.
    pub fn on_advance(&self, f: impl Fn(PartitionId, Offset) + 'static) {
        self.shared.on_advance.borrow_mut().push(Rc::new(f));
    }

    /// The topic is deleted: the partition's records are dead at once, durably so after [`CoreLog::flushed`].
    pub fn forget(&self, partition: PartitionId) {
        if !self.shared.is_closing() && self.shared.state.borrow_mut().partitions.forget(partition) {
            self.shared.note(Entry::note(Kind::Forgotten, partition, Offset::ZERO), Bytes::new());
        }
    }

    /// How far the lake has come; kept in memory only, since the table's own summary is the truth. Values outside
    /// `log_start..=last_stable` are taken as the nearest of these.
    pub fn set_lake(&self, partition: PartitionId, committed: Offset, projected: Offset) {
        if let Some(partition) = self.shared.state.borrow_mut().partitions.get_mut(partition) {
            let (least, most) = (partition.frontiers.log_start(), partition.frontiers.last_stable());
            let committed = committed.clamp(least, most);
            partition.frontiers.lake(committed, projected.clamp(committed, most));
        }
    }

    /// How far the archive has come; kept in memory only, since the archive's own manifest is the truth. Values
    /// outside `log_start..=high_watermark` are taken as the nearest of these.
    pub fn set_archived(&self, partition: PartitionId, end: Offset) {
        if let Some(partition) = self.shared.state.borrow_mut().partitions.get_mut(partition) {
            let (least, most) = (partition.frontiers.log_start(), partition.frontiers.high_watermark());
            partition.frontiers.archive(end.clamp(least, most));
        }
    }

    /// Bytes of the partition's durable batches from the one with `from` on, as sent.
    pub fn bytes_from(&self, partition: PartitionId, from: Offset) -> u64 {
        let state = self.shared.state.borrow();
        let partition = state.partitions.get(partition);
        let first = |partition: &Partition| from.max(partition.frontiers.local_start());
        partition.map_or(0, |partition| partition.frames.payload_bytes(first(partition)))
    }

    /// Bytes of the partition's durable batches, as sent.
    pub fn bytes_of(&self, partition: PartitionId) -> u64 {
        let state = self.shared.state.borrow();
        let partition = state.partitions.get(partition);
        partition.map_or(0, |partition| partition.frames.payload_bytes(partition.frontiers.local_start()))
    }

    /// Bytes that are appended and not durable.
    pub fn backlog_bytes(&self) -> usize {
        self.shared.state.borrow().backlog_bytes()
    }

    /// The offset behind the durable batches at the front that are all older than `at`; `None` if there are none.
    pub fn older(&self, partition: PartitionId, at: Timestamp) -> Option<Offset> {
        let state = self.shared.state.borrow();
        let partition = state.partitions.get(partition)?;
        partition.frames.older(partition.frontiers.local_start(), at)
    }

    /// The offset behind the durable batches at the front without which the partition still has `bytes`; `None` if
    /// it needs them all.
    pub fn beyond(&self, partition: PartitionId, bytes: u64) -> Option<Offset> {
        let state = self.shared.state.borrow();
        let partition = state.partitions.get(partition)?;
        partition.frames.beyond(partition.frontiers.local_start(), bytes)
    }

    /// What recovery could not read.
    pub fn damage(&self) -> &[Damage] {
        &self.shared.damage
    }

    pub fn stats(&self) -> LogStats {
        let state = self.shared.state.borrow();
        LogStats {
            writes_in_flight: state.commit.in_flight(),
            backlog_bytes: state.backlog_bytes(),
            segments: self.shared.store.segment_count(),
            log_end: state.commit.durable(),
            tail_bytes: state.tail.bytes(),
            cold_bytes: self.shared.reads.bytes(),
            partitions: state.partitions.iter().count(),
            index_bytes: state.partitions.memory_bytes(),
            ..state.stats
        }
    }

    /// Makes everything appended durable, marks the log as ended in order and closes its files. Other handles can
    /// append nothing afterwards. The error is that of a log that is fenced, or that the disk was full.
    pub async fn close(self) -> Result<()> {
        self.shared.state.borrow_mut().closing = true;
        self.shared.work.notify();
        let flusher = self.flusher.borrow_mut().take();
        if let Some(flusher) = flusher {
            flusher.await;
        }
        let stuck = self.shared.stuck();
        if stuck.is_none()
            && let Err(error) = self.shared.checkpoint(true).await
        {
            tracing::warn!(%error, "the next start reads the log from an older checkpoint");
        }
        self.shared.fail(Error::fenced("the log is closed, because the node stops; ask another one, or later"));
        self.shared.store.close().await;
        stuck.map_or(Ok(()), Err)
    }
}

impl<D: Driver> Shared<D> {
    /// The header of a batch that may be appended now, with so much kept back.
    pub fn admit(&self, batch: &Bytes, reserve: usize) -> Result<BatchHeader> {
        self.writable()?;
        let header = BatchHeader::parse(batch).map_err(|error| Error::invalid(error.to_string()))?;
        let (bytes, bytes_max) = (batch.len(), self.payload_bytes_max);
        if header.total_bytes() != bytes {
            let wanted = header.total_bytes();
            return Err(Error::invalid(format!("a batch of {wanted} bytes cannot be appended as {bytes}")));
        }
        if bytes > bytes_max {
            return Err(Error::invalid(format!("the batch has {bytes} bytes, the log takes at most {bytes_max}")));
        }
        let state = self.state.borrow();
        match state.room(frame_bytes(bytes), reserve) {
            // What waits for a segment that is being made may wait in the log.
            Room::Now | Room::WithNextSegment => Ok(header),
            Room::Later => {
                let backlog = state.backlog_bytes();
                Err(Error::busy(format!("{backlog} bytes wait for the disk of this shard; send again a little later")))
            }
            Room::Full(error) => Err(error),
        }
    }

    /// `Fenced`: nothing can be written any more.
    pub fn writable(&self) -> Result<()> {
        if let Some(error) = self.acks.failed() {
            return Err(error);
        }
        match self.is_closing() {
            true => Err(Error::fenced("the log is closing, because the node stops; ask another one, or later")),
            false => Ok(()),
        }
    }

    /// Notes are not taken any more: nobody would write them.
    pub fn is_closing(&self) -> bool {
        self.state.borrow().closing
    }

    /// A note joins the next group commit, whatever waits. In a log that is fenced it never becomes durable.
    pub fn note(&self, entry: Entry, payload: Bytes) {
        self.state.borrow_mut().push(entry, payload);
        self.work.notify();
    }
}

impl State {
    pub fn new(takeover: Takeover, commit: Commit, tail_bytes: usize) -> State {
        let Takeover { partitions, notes, sequence, .. } = takeover;
        State {
            partitions,
            commit,
            tail: Tail::new(tail_bytes),
            notes,
            stats: LogStats::default(),
            sequence,
            reserved_bytes: 0,
            flushed: VecDeque::new(),
            spare_bytes: 0,
            full: None,
            segment_wanted: false,
            closing: false,
            closed: false,
            reclaim_due: true,
        }
    }

    /// Bytes that have offsets and are not durable.
    pub fn backlog_bytes(&self) -> usize {
        self.commit.backlog_bytes() + self.reserved_bytes
    }

    /// The index of the group's next entry, which is now its last.
    fn next_entry(&mut self, group: LogGroup, term: Term) -> Result<LogIndex> {
        if self.notes.groups.get(&group).is_some_and(|group| group.led) {
            return Err(Error::conflict(format!("Raft appends to log group {group}; propose the batch to it")));
        }
        let none = GroupEnd { group, term, index: LogIndex(0) };
        let (end, _) = self.notes.ends.entry(group).or_insert((none, Position(0)));
        if term < end.term {
            return Err(Error::conflict(format!(
                "term {term} of log group {group} is over, it is in term {}",
                end.term
            )));
        }
        *end = GroupEnd { group, term, index: LogIndex(end.index.0 + 1) };
        Ok(end.index)
    }

    pub fn push(&mut self, entry: Entry, payload: Bytes) {
        self.commit.push(Pending { sequence: self.sequence, entry, payload });
        self.sequence += 1;
    }
}
