//! What does a shard read from its own log for others?

use kafka_protocol::error::ResponseError;
use model::{Frontiers, Kind, Offset, PartitionId};
use runtime::Driver;

use crate::errors::Fault;
use crate::message::{Facts, Got, Question, Reply, Trim, Want, reply};
use crate::shard::Shard;

impl<D: Driver> Shard<D> {
    /// Reads partitions of this shard, in order, until `bytes_max` are read; the rest only tells its frontiers.
    pub async fn read(&self, wants: Vec<Want>, bytes_max: usize) -> Vec<Result<Got, Fault>> {
        let mut left = bytes_max;
        let mut outcomes = Vec::with_capacity(wants.len());
        for mut want in wants {
            want.bytes_max = want.bytes_max.min(left);
            let outcome = self.read_one(want).await;
            if let Ok(got) = &outcome {
                left = left.saturating_sub(got.batches.iter().map(bytes::Bytes::len).sum());
            }
            outcomes.push(outcome);
        }
        outcomes
    }

    async fn read_one(&self, want: Want) -> Result<Got, Fault> {
        let frontiers = self.log.frontiers(want.partition);
        check_range(want.from, &frontiers)?;
        let below = if want.stable_only { frontiers.last_stable() } else { frontiers.high_watermark() };
        if want.from >= below || want.bytes_max == 0 {
            return Ok(Got { batches: Vec::new(), frontiers });
        }
        let read = self.log.read(want.partition, want.from, below, want.bytes_max).await;
        let batches = read.map_err(|error| match error.kind {
            // Retention took the segment away between the look and the read.
            Kind::Missing => Fault::new(ResponseError::OffsetOutOfRange, error.message),
            _ => Fault::from(error),
        })?;
        Ok(Got { batches, frontiers })
    }

    /// Reads one partition and waits for its next record where there is none. For an offset that was dropped there
    /// is nothing to wait for: the frontiers tell where to go on.
    pub async fn poll(&self, want: Want, wait_ms: u32) -> Result<Got, Fault> {
        let frontiers = self.log.frontiers(want.partition);
        if want.from < frontiers.log_start() {
            return Ok(Got { batches: Vec::new(), frontiers });
        }
        let until = self.driver.now().plus_ms(u64::from(wait_ms));
        loop {
            let got = self.read_one(want).await?;
            if !got.batches.is_empty() {
                return Ok(got);
            }
            let (wake, woken) = reply();
            self.watch(&[(want.partition, want.from)], wake);
            if self.before(until, woken.recv_async()).await.is_none() {
                return Ok(got);
            }
        }
    }

    /// Wakes at once if a high watermark is beyond its mark already.
    pub fn watch(&self, marks: &[(PartitionId, Offset)], wake: Reply<()>) {
        if marks.iter().any(|(partition, mark)| self.log.frontiers(*partition).high_watermark() > *mark) {
            // Full means that it is awake.
            let _ = wake.try_send(());
            return;
        }
        for (partition, _) in marks {
            self.watches.add(*partition, wake.clone());
        }
    }

    pub async fn look(&self, questions: Vec<(PartitionId, Question)>) -> Vec<Result<Facts, Fault>> {
        let mut facts = Vec::with_capacity(questions.len());
        for (partition, question) in questions {
            facts.push(self.look_at(partition, question).await);
        }
        facts
    }

    async fn look_at(&self, partition: PartitionId, question: Question) -> Result<Facts, Fault> {
        let at = match question {
            Question::Frontiers => None,
            Question::Time(time) => self.log.offset_for_time(partition, time).await?,
            Question::Newest => self.log.max_timestamp(partition),
        };
        Ok(Facts { frontiers: self.log.frontiers(partition), at, bytes: self.log.bytes_of(partition) })
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
