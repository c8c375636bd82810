//! What does a shard read from its own log for others?

use std::rc::Rc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use kafka_protocol::error::ResponseError;
use model::limits::{RECALL_BYTES, RECALL_MS_MAX};
use model::{Error, Frontiers, Kind, Offset, Timestamp};
use runtime::Driver;
use wire::batch::BatchHeader;

use crate::errors::Fault;
use crate::message::{Facts, Got, Look, Mark, Question, Reply, Trim, Want, reply};
use crate::recalls::Asked;
use crate::shard::Shard;

/// Questions of one request that are looked up at once.
const LOOKS_MAX: usize = 16;

impl<D: Driver> Shard<D> {
    /// Reads partitions of this shard, in order, until `bytes_max` are read; the rest only tells its frontiers.
    pub async fn read(self: &Rc<Self>, wants: Vec<Want>, bytes_max: usize) -> Vec<Result<Got, Fault>> {
        let mut left = bytes_max;
        let mut outcomes = Vec::with_capacity(wants.len());
        for mut want in wants {
            want.bytes_max = want.bytes_max.min(left);
            let outcome = self.read_one(want).await;
            if let Ok(got) = &outcome {
                left = left.saturating_sub(got.batches.iter().map(Bytes::len).sum());
            }
            outcomes.push(outcome);
        }
        outcomes
    }

    /// After a restore, records may be missing between those of the archive and those of this log: they are lost, and
    /// who asks for one of them gets what follows.
    fn past_lost(&self, want: Want) -> Want {
        let at = self.log.frontiers(want.partition);
        let is_lost = at.archived().is_some_and(|end| (end..at.local_start()).contains(&want.from));
        Want { from: if is_lost { at.local_start() } else { want.from }, ..want }
    }

    async fn read_one(self: &Rc<Self>, want: Want) -> Result<Got, Fault> {
        let want = self.past_lost(want);
        let frontiers = self.log.frontiers(want.partition);
        check_range(want.from, &frontiers)?;
        let below = if want.stable_only { frontiers.last_stable() } else { frontiers.high_watermark() };
        if want.from >= below || want.bytes_max == 0 {
            return Ok(Got { batches: Vec::new(), frontiers, is_recalled: false });
        }
        if want.from < frontiers.local_start() {
            return self.recall(want, frontiers);
        }
        match self.log.read(want.partition, want.from, below, want.bytes_max).await {
            Ok(batches) => Ok(Got { batches, frontiers, is_recalled: false }),
            // What is damaged here may be whole in the archive.
            Err(error) if error.kind == Kind::Damaged && frontiers.archived().is_some_and(|end| want.from < end) => {
                self.recall(want, frontiers)
            }
            // Retention took the segment away between the look and the read.
            Err(error) if error.kind == Kind::Missing => {
                Err(Fault::new(ResponseError::OffsetOutOfRange, error.message))
            }
            Err(error) => Err(Fault::from(error)),
        }
    }

    /// Takes from the archive what has come, or has it brought.
    fn recall(self: &Rc<Self>, want: Want, frontiers: Frontiers) -> Result<Got, Fault> {
        let asked = self.recalls.borrow_mut().ask(want.partition, want.from);
        let batches = match asked {
            Asked::Here(outcome) => outcome.map_err(|error| match error.kind {
                // The client must not take this for the end of the log and skip what is there.
                Kind::Missing => Fault::new(ResponseError::KafkaStorageError, error.message),
                _ => Fault::from(error),
            })?,
            Asked::UnderWay => return Ok(Got { batches: Vec::new(), frontiers, is_recalled: true }),
            Asked::Begin => {
                self.start("recall", self.clone().bring(want));
                return Ok(Got { batches: Vec::new(), frontiers, is_recalled: true });
            }
        };
        if let Some(next) = end_of(&batches)
            && next < frontiers.local_start()
            && self.recalls.borrow_mut().begin_ahead(want.partition, next)
        {
            self.start("recall ahead", self.clone().bring(Want { from: next, ..want }));
        }
        Ok(Got { batches: up_to(batches, want.bytes_max), frontiers, is_recalled: false })
    }

    async fn bring(self: Rc<Self>, want: Want) {
        let Want { partition, origin, from, .. } = want;
        let until = self.driver.now().plus_ms(RECALL_MS_MAX);
        let told = self.before(until, self.node.config.history.read(origin, from, RECALL_BYTES)).await;
        let slow =
            || Err(Error::busy(format!("the archive did not answer within {RECALL_MS_MAX} ms; ask again later")));
        let outcome = told.unwrap_or_else(slow).and_then(|batches| match batches.is_empty() {
            true => Err(Error::missing(format!("the archive does not have offset {from} of partition {partition}"))),
            false => Ok(batches),
        });
        if let Err(error) = &outcome {
            tracing::warn!(%partition, %from, "the archive could not be read: {error}");
        }
        let waiting = self.recalls.borrow_mut().ended(partition, from, outcome);
        waiting.into_iter().for_each(|partition| self.recall_watches.wake(partition));
    }

    /// Reads one partition and waits for its next record where there is none. For an offset that was dropped there
    /// is nothing to wait for: the frontiers tell where to go on.
    pub async fn poll(self: &Rc<Self>, want: Want, wait_ms: u32) -> Result<Got, Fault> {
        let frontiers = self.log.frontiers(want.partition);
        if want.from < frontiers.log_start() {
            return Ok(Got { batches: Vec::new(), frontiers, is_recalled: false });
        }
        let want = self.past_lost(want);
        let until = self.driver.now().plus_ms(u64::from(wait_ms));
        loop {
            let got = self.read_one(want).await?;
            if !got.batches.is_empty() {
                return Ok(got);
            }
            let (wake, woken) = reply();
            self.watch(&[Mark { high_watermark: want.from, ..want.mark(&got) }], wake);
            if self.before(until, woken.recv_async()).await.is_none() {
                return Ok(got);
            }
        }
    }

    /// Wakes at once if a partition has something new already.
    pub fn watch(&self, marks: &[Mark], wake: Reply<()>) {
        let recalls = self.recalls.borrow();
        let is_due = |mark: &Mark| match mark.recall {
            Some(from) => recalls.is_settled(mark.partition, from),
            None => self.log.frontiers(mark.partition).high_watermark() > mark.high_watermark,
        };
        if marks.iter().any(is_due) {
            // Full means that it is awake.
            let _ = wake.try_send(());
            return;
        }
        for mark in marks {
            let watches = if mark.recall.is_some() { &self.recall_watches } else { &*self.watches };
            watches.add(mark.partition, wake.clone());
        }
    }

    pub async fn look(&self, looks: Vec<Look>) -> Vec<Result<Facts, Fault>> {
        stream::iter(looks).map(|look| self.look_at(look)).buffered(LOOKS_MAX).collect().await
    }

    async fn look_at(&self, look: Look) -> Result<Facts, Fault> {
        let partition = look.partition;
        let at = match look.question {
            Question::Frontiers => None,
            Question::Time(time) => self.first_reaching(look, time).await?,
            Question::Newest => self.newest(look).await?,
        };
        Ok(Facts { frontiers: self.log.frontiers(partition), at, bytes: self.log.bytes_of(partition) })
    }

    async fn first_reaching(&self, look: Look, time: Timestamp) -> Result<Option<(Offset, Timestamp)>, Fault> {
        let frontiers = self.log.frontiers(look.partition);
        if frontiers.log_start() < frontiers.local_start() {
            let history = &self.node.config.history;
            if let Some(found) = history.offset_for_time(look.origin, frontiers.log_start(), time).await? {
                return Ok(Some(found));
            }
        }
        Ok(self.log.offset_for_time(look.partition, time).await?)
    }

    async fn newest(&self, look: Look) -> Result<Option<(Offset, Timestamp)>, Fault> {
        let frontiers = self.log.frontiers(look.partition);
        let mut old = None;
        if frontiers.log_start() < frontiers.local_start() {
            old = self.node.config.history.newest(look.origin, frontiers.log_start()).await?;
        }
        let new = self.log.newest(look.partition).await?;
        // Of several records with the same timestamp the first counts.
        let is_newer = |(_, time): &(Offset, Timestamp)| old.is_none_or(|(_, oldest)| *time > oldest);
        Ok(new.filter(is_newer).or(old))
    }

    /// Deletes records; the new log starts are durable when this returns.
    pub async fn trim(&self, trims: Vec<Trim>) -> Vec<Result<Offset, Fault>> {
        let mut outcomes: Vec<Result<Offset, Fault>> = trims.iter().map(|trim| self.trim_one(*trim)).collect();
        if let Err(error) = self.log.flushed().await {
            outcomes.iter_mut().for_each(|outcome| *outcome = Err(error.clone().into()));
        }
        outcomes
    }

    fn trim_one(&self, trim: Trim) -> Result<Offset, Fault> {
        let at = self.log.frontiers(trim.partition);
        let end = at.high_watermark();
        let below = if trim.below.0 == -1 { end } else { trim.below };
        if below.0 < 0 || below > end {
            let why = format!("records end at offset {end}, none below {below} can be deleted");
            return Err(Fault::new(ResponseError::OffsetOutOfRange, why));
        }
        // After a start it is not known how far the table has come, until the lake tells.
        let needed = if trim.is_table { at.lake_committed().unwrap_or(at.log_start()) } else { below };
        if below.min(needed) > at.log_start() {
            self.log.set_log_start(trim.partition, below.min(needed));
        }
        Ok(self.log.frontiers(trim.partition).log_start())
    }
}

fn check_range(from: Offset, frontiers: &Frontiers) -> Result<(), Fault> {
    match (frontiers.log_start()..=frontiers.log_end()).contains(&from) {
        true => Ok(()),
        false => {
            let (start, end) = (frontiers.log_start(), frontiers.high_watermark());
            let why = format!("the partition has the offsets {start} to {end}, not {from}");
            Err(Fault::new(ResponseError::OffsetOutOfRange, why))
        }
    }
}

/// The offset behind the last batch.
fn end_of(batches: &[Bytes]) -> Option<Offset> {
    let last = BatchHeader::parse(batches.last()?).ok()?;
    Some(Offset(last.last_offset()).plus(1))
}

/// The first batch, and those behind it that fit as well.
fn up_to(mut batches: Vec<Bytes>, bytes_max: usize) -> Vec<Bytes> {
    let mut bytes = 0;
    let fits = |batch: &&Bytes| {
        bytes += batch.len();
        bytes <= bytes_max
    };
    let count = batches.iter().take_while(fits).count();
    batches.truncate(count.max(1));
    batches
}
