//! May this batch be stored, and where does it lie then?
//!
//! One batch, one partition, without waiting in between: check, dedupe, append. The shards' mailboxes are in
//! order, so batches of one connection are appended in the order in which they were sent.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use model::limits::{RECORD_ERRORS_MAX, THROTTLE_MS_MAX, UNPACKED_BATCH_BYTES_MAX};
use model::{CheckAction, Kind, Offset, PartitionId, Timestamp};
use runtime::Driver;
use wire::batch::{self, BatchHeader, Compression};

use crate::cluster::Topic;
use crate::errors::Fault;
use crate::internal;
use crate::message::{Append, Appended, Refused, Stored, Writer};
use crate::producers::{Claim, Verdict};
use crate::shard::{LEADER_TERM, Shard};
use crate::throttle::throttle_ms;

/// The last millisecond of the year 9999: tables and clients cannot show more.
const TIMESTAMP_MS_MAX: i64 = 253_402_300_799_999;
/// Produce requests of this version and later know Zstandard (KIP-110).
const ZSTD_SINCE: i16 = 7;
/// How long a repeated batch waits for its first copy to become durable.
const DUPLICATE_WAIT_MS: u64 = 30_000;

/// A batch that lies in the log, perhaps not yet durable.
pub struct Placed {
    stored: Stored,
    wait: Wait,
}

impl Placed {
    /// It had to wait for room: its producer is asked for the longest pause.
    pub fn waited(&mut self) {
        self.stored.throttle_ms = THROTTLE_MS_MAX;
    }

    /// As acknowledged already, if the topic does not wait for the disk.
    fn at_once(self, is_cached: bool) -> Placed {
        Placed { wait: if is_cached { Wait::Nothing } else { self.wait }, ..self }
    }
}

enum Wait {
    /// `write.caching`: in the log's buffer is enough.
    Nothing,
    Frame(corelog::Durable),
    /// The first copy of this duplicate is durable when the high watermark has reached this offset.
    Mark(PartitionId, Offset),
}

impl<D: Driver> Shard<D> {
    /// Checks one batch and puts it into the next group commit.
    pub fn append(&self, append: Append) -> Result<Placed, Refused> {
        let Append { topic, partition, batch, by } = append;
        let place = topic.place(partition).filter(|_| self.node.cluster().has(&topic));
        let unknown = || Fault::unknown_partition(format_args!("partition {}-{partition}", topic.name));
        let place = place.ok_or_else(unknown)?;
        assert_eq!(place.shard, self.id, "appends are routed to the owner");
        let header = check_envelope(&topic, &batch, by)?;
        let is_cached = by != Writer::Node && self.node.config.is_cached(&topic.settings);
        let claim = Claim::of(&header);
        if let Some(claim) = claim
            && let Verdict::Duplicate(base) = self.recognise(place.id, claim)?
        {
            let wait = Wait::Mark(place.id, base.plus(i64::from(header.record_count)));
            let placed = Placed { stored: self.stored(place.id, base, Timestamp::NONE), wait };
            return Ok(placed.at_once(is_cached));
        }
        let now = Timestamp(self.driver.wall_ms());
        let placed = self.place(&topic, place.id, batch, by, now);
        if let Some(claim) = claim {
            match &placed {
                Ok(placed) => self.producers().appended(place.id, claim, placed.stored.base, now.0),
                // The batches behind it must not overtake it, not even those of a new producer.
                Err(_) => self.producers().refused(place.id, claim, now.0),
            }
        }
        Ok(placed?.at_once(is_cached))
    }

    /// Puts a batch into the log, if its records are as the topic wants them.
    fn place(
        &self,
        topic: &Arc<Topic>,
        partition: PartitionId,
        mut batch: Bytes,
        by: Writer,
        now: Timestamp,
    ) -> Result<Placed, Refused> {
        if by != Writer::Node {
            self.check_records(topic, &batch)?;
        }
        let mut append_time = Timestamp::NONE;
        if topic.settings.is_log_append_time() {
            append_time = now;
            let mut copy = BytesMut::from(batch);
            batch::stamp_append_time(&mut copy, now);
            batch = copy.freeze();
        }
        // On a full disk offsets of groups must not take what is kept back for deletions.
        let appended = match by == Writer::Node && !self.log.is_full() {
            true => self.log.append_own(partition, batch, LEADER_TERM),
            false => self.log.append(partition, batch, LEADER_TERM),
        };
        let appended = appended.map_err(|error| match error.kind {
            // The batch was checked above: all that the log can mind is its size.
            Kind::Invalid => Fault::new(ResponseError::MessageTooLarge, error.message),
            _ => Fault::from(error),
        })?;
        let wait = Wait::Frame(appended.durable);
        Ok(Placed { stored: self.stored(partition, appended.base, append_time), wait })
    }

    /// Where an idempotent batch stands in its producer's order. A batch behind one that the log refused is refused for the
    /// same reason: for a missing sequence its producer would begin anew, and send again what may be stored.
    fn recognise(&self, partition: PartitionId, claim: Claim) -> Result<Verdict, Fault> {
        let verdict = self.producers().check(partition, claim);
        verdict.map_err(|fault| self.log.trouble().map_or(fault, Fault::from))
    }

    /// Waits until the batch is durable, unless its topic does not ask for that.
    pub async fn finish(&self, placed: Placed) -> Appended {
        match placed.wait {
            Wait::Nothing => {}
            Wait::Frame(durable) => durable.await.map_err(in_doubt)?,
            Wait::Mark(partition, mark) => self.wait_for(partition, mark).await?,
        }
        Ok(placed.stored)
    }

    async fn wait_for(&self, partition: PartitionId, mark: Offset) -> Result<(), Fault> {
        let until = self.driver.now().plus_ms(DUPLICATE_WAIT_MS);
        while self.log.frontiers(partition).high_watermark() < mark {
            if let Some(error) = self.log.fenced() {
                return Err(in_doubt(error));
            }
            let (wake, woken) = crate::message::reply();
            self.watches.add(partition, wake);
            if self.before(until, woken.recv_async()).await.is_none() {
                let why = "the first copy of this batch is not durable yet; send it again later";
                return Err(Fault::new(ResponseError::RequestTimedOut, why));
            }
        }
        Ok(())
    }

    fn stored(&self, partition: PartitionId, base: Offset, append_time: Timestamp) -> Stored {
        let log_start = self.log.frontiers(partition).log_start();
        Stored { base, append_time, log_start, throttle_ms: throttle_ms(self.log.backlog_bytes()) }
    }

    /// Looks into the records, where the topic's settings make that necessary.
    fn check_records(&self, topic: &Arc<Topic>, batch: &Bytes) -> Result<(), Refused> {
        let settings = &topic.settings;
        let mut checkers = self.checkers.borrow_mut();
        let mut checker = match settings.check_action() {
            CheckAction::Reject => checkers.of(topic),
            CheckAction::DeadLetter => None,
        };
        // What cannot be unpacked would stop the projection.
        let readable = topic.is_table();
        if checker.is_none() && !settings.is_compacted() && !readable {
            return Ok(());
        }
        let view = self.node.registry.load();
        let broken = |error: batch::BatchError| Fault::new(ResponseError::CorruptMessage, error.to_string());
        let records = batch::records(batch, UNPACKED_BATCH_BYTES_MAX).map_err(broken)?;
        let mut bad: Vec<(i32, String)> = Vec::new();
        for (index, record) in (0..).zip(records.iter()) {
            let record = record.map_err(broken)?;
            check_time(record.timestamp)?;
            let verdict = match (&mut checker, record.key) {
                (_, None) if settings.is_compacted() => Err(format!(
                    "the record has no key, but topic '{}' is compacted by key; give every record one",
                    topic.name
                )),
                (Some(checker), key) => checker.check(&view, key, record.value, record.headers().flatten()),
                (None, _) => Ok(()),
            };
            if let Err(why) = verdict {
                bad.push((index, why));
                if bad.len() == RECORD_ERRORS_MAX {
                    break;
                }
            }
        }
        match bad.first() {
            None => Ok(()),
            Some((index, why)) => {
                let summary = format!("record {index} of the batch is refused: {why}");
                Err(Refused { fault: Fault::new(ResponseError::InvalidRecord, summary), records: bad })
            }
        }
    }
}

/// The batch is appended, and perhaps on the disk, though its write failed: it must not be refused with a code that says
/// that it is not stored, as KAFKA_STORAGE_ERROR does. An idempotent producer that sends the same again after this one
/// finds it if it is there.
fn in_doubt(error: model::Error) -> Fault {
    Fault::new(ResponseError::RequestTimedOut, error.message)
}

/// All that can be told without looking at the records.
fn check_envelope(topic: &Topic, bytes: &Bytes, by: Writer) -> Result<BatchHeader, Fault> {
    if internal::find(topic.name.as_str()).is_some() && by != Writer::Node {
        let why = format!("topic '{}' is written by the node only", topic.name);
        return Err(Fault::new(ResponseError::InvalidTopicException, why));
    }
    let limit = topic.settings.batch_bytes_max();
    if bytes.len() > limit && by != Writer::Node {
        let why = format!(
            "the batch has {} bytes, topic '{}' takes {limit}; send smaller ones or raise max.message.bytes",
            bytes.len(),
            topic.name
        );
        return Err(Fault::new(ResponseError::MessageTooLarge, why));
    }
    let header = batch::check(bytes).map_err(|error| {
        let code = match error {
            batch::BatchError::Crc { .. } | batch::BatchError::Short { .. } | batch::BatchError::Length(_) => {
                ResponseError::CorruptMessage
            }
            batch::BatchError::Codec(_) => ResponseError::UnsupportedCompressionType,
            _ => ResponseError::InvalidRecord,
        };
        Fault::new(code, error.to_string())
    })?;
    if header.is_control() || header.is_transactional() {
        let why = "transactional and control batches are not supported yet; use a producer without a transactional.id";
        return Err(Fault::new(ResponseError::InvalidRecord, why));
    }
    if let Writer::Client { version } = by
        && header.compression() == Compression::Zstd
        && version < ZSTD_SINCE
    {
        let why = format!("Zstandard needs version {ZSTD_SINCE} of Produce, this request has {version}");
        return Err(Fault::new(ResponseError::UnsupportedCompressionType, why));
    }
    check_time(header.base_timestamp)?;
    check_time(header.max_timestamp)?;
    Ok(header)
}

fn check_time(timestamp: i64) -> Result<(), Fault> {
    match (-1..=TIMESTAMP_MS_MAX).contains(&timestamp) {
        true => Ok(()),
        false => {
            let why = format!("{timestamp} is no time in milliseconds between 1970 and the year 9999");
            Err(Fault::new(ResponseError::InvalidTimestamp, why))
        }
    }
}
