//! How does a group coordinator get its requests, its time and its records onto the log?

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::rc::Rc;

use bytes::Bytes;
use model::limits::{IO_BYTES_MAX, UNPACKED_BATCH_BYTES_MAX};
use model::{Error, Result, ShardId};
use runtime::Driver;
use wire::batch::{self, BatchBuilder, Compression};

use crate::cluster::Place;
use crate::errors::Fault;
use crate::groups::{self, Coordinator, Effect, GroupRecord, GroupSettings, Ticket, Token};
use crate::internal::{self, GROUPS_TOPIC};
use crate::message::{Append, Reply, ShardMessage, Writer, reply};
use crate::shard::Shard;

/// How exact the timeouts of groups are.
const TICK_MS: u64 = 50;

/// The groups of one shard: those whose partition of the groups topic lies here.
pub struct GroupHost {
    coordinator: RefCell<Coordinator>,
    waiting: RefCell<HashMap<Token, Reply<groups::Reply>>>,
    tokens: Cell<u64>,
    /// Says that something happened: the clock of a shard without groups stands still.
    stir: flume::Sender<()>,
    stirred: flume::Receiver<()>,
}

impl GroupHost {
    pub fn new(settings: GroupSettings) -> GroupHost {
        let coordinator = RefCell::new(Coordinator::new(settings));
        let (stir, stirred) = flume::bounded(1);
        GroupHost { coordinator, waiting: RefCell::default(), tokens: Cell::new(0), stir, stirred }
    }
}

impl<D: Driver> Shard<D> {
    /// Hands a request to the group's owner, wherever that is; requests of one connection keep their order.
    /// The future yields the reply; `None` while the owner cannot be reached.
    pub async fn ask_group(
        &self,
        group: &str,
        request: groups::Request,
    ) -> impl Future<Output = Option<groups::Reply>> + use<D> {
        let (reply, answer) = reply();
        let sent = match self.group_owner(group).await {
            Ok(owner) => self.node.send(owner, ShardMessage::Group { request, reply }).await,
            Err(fault) => Err(fault),
        };
        if let Err(fault) = sent {
            tracing::warn!(group, "the group's coordinator cannot be reached: {fault}");
        }
        async move { answer.recv_async().await.ok() }
    }

    async fn group_owner(&self, group: &str) -> Result<ShardId, Fault> {
        let topic = self.node.topic_for_node(GROUPS_TOPIC).await?;
        Ok(topic.place(internal::partition_of_group(group)).ok_or_else(Fault::stopping)?.shard)
    }

    /// For the owner.
    pub fn group(self: &Rc<Self>, request: groups::Request, reply: Reply<groups::Reply>) {
        let token = Token(self.groups.tokens.replace(self.groups.tokens.get() + 1));
        self.groups.waiting.borrow_mut().insert(token, reply);
        let fresh_id = uuid(self.driver.random(), self.driver.random());
        let now_ms = self.driver.wall_ms();
        let effects = self.groups.coordinator.borrow_mut().handle(now_ms, token, request, &fresh_id);
        self.perform(effects);
    }

    fn perform(self: &Rc<Self>, effects: Vec<Effect>) {
        // Full: it is stirred already.
        let _ = self.groups.stir.try_send(());
        for effect in effects {
            match effect {
                Effect::Reply(token, reply) => {
                    // Whoever asked may have hung up.
                    if let Some(waiting) = self.groups.waiting.borrow_mut().remove(&token) {
                        let _ = waiting.try_send(reply);
                    }
                }
                Effect::Persist { ticket, group, records } => self.persist(ticket, &group, &records),
            }
        }
    }

    fn persist(self: &Rc<Self>, ticket: Ticket, group: &str, records: &[GroupRecord]) {
        let placed = self.group_batch(group, records).map(|append| self.append(append));
        let shard = self.clone();
        self.start("persist group", async move {
            let durable = match placed {
                Some(Ok(placed)) => shard.finish(placed).await.map_err(|refused| refused.fault),
                Some(Err(refused)) => Err(refused.fault),
                None => Err(Fault::stopping()),
            };
            if let Err(fault) = &durable {
                tracing::warn!("a change of a consumer group could not be stored: {fault}");
            }
            let now_ms = shard.driver.wall_ms();
            let effects = shard.groups.coordinator.borrow_mut().persisted(now_ms, ticket, durable.is_ok());
            shard.perform(effects);
        });
    }

    fn group_batch(&self, group: &str, records: &[GroupRecord]) -> Option<Append> {
        let topic = self.node.cluster().topic(GROUPS_TOPIC)?.clone();
        let now_ms = self.driver.wall_ms();
        let mut builder = BatchBuilder::new(Compression::None);
        for record in records {
            builder.push(now_ms, Some(&record.key), record.value.as_deref(), &[]);
        }
        let partition = internal::partition_of_group(group);
        Some(Append { topic, partition, batch: builder.build(), by: Writer::Node })
    }

    /// Offsets in topics that do not exist any more are dropped.
    pub fn forget_offsets(self: &Rc<Self>, deleted: impl Fn(&str) -> bool) {
        let effects = self.groups.coordinator.borrow_mut().forget_topics(deleted);
        if !effects.is_empty() {
            self.perform(effects);
        }
    }

    /// Reads the groups of this shard from the log, before clients are let in.
    pub async fn load_groups(&self) -> Result<()> {
        let cluster = self.node.cluster();
        let Some(topic) = cluster.topic(GROUPS_TOPIC) else { return Ok(()) };
        for place in topic.partitions.iter().filter(|place| place.shard == self.id) {
            self.load_partition(*place).await?;
        }
        Ok(())
    }

    async fn load_partition(&self, place: Place) -> Result<()> {
        let frontiers = self.log.frontiers(place.id);
        let (mut next, end) = (frontiers.log_start(), frontiers.high_watermark());
        while next < end {
            for bytes in self.log.read(place.id, next, end, IO_BYTES_MAX).await? {
                next = self.replay(&bytes)?;
            }
            self.driver.yield_now().await;
        }
        Ok(())
    }

    /// Returns the offset after the batch.
    fn replay(&self, bytes: &Bytes) -> Result<model::Offset> {
        let damaged = |error: batch::BatchError| {
            Error::damaged(format!("the groups' log cannot be read: {error}; restore the data directory"))
        };
        let now_ms = self.driver.wall_ms();
        let records = batch::records(bytes, UNPACKED_BATCH_BYTES_MAX).map_err(damaged)?;
        let mut coordinator = self.groups.coordinator.borrow_mut();
        for record in records.iter() {
            let record = record.map_err(damaged)?;
            coordinator.replay(record.key.unwrap_or_default(), record.value, now_ms);
        }
        Ok(model::Offset(records.header().last_offset() + 1))
    }

    /// Tells the coordinator the time, for ever.
    pub async fn tick_groups(self: Rc<Self>) {
        loop {
            let deadline_ms = self.groups.coordinator.borrow().next_deadline_ms();
            let Some(deadline_ms) = deadline_ms else {
                // The sender lives as long as the shard.
                let _ = self.groups.stirred.recv_async().await;
                continue;
            };
            self.driver.sleep_until(self.driver.now().plus_ms(TICK_MS)).await;
            let now_ms = self.driver.wall_ms();
            if deadline_ms <= now_ms {
                let effects = self.groups.coordinator.borrow_mut().tick(now_ms);
                self.perform(effects);
            }
        }
    }
}

fn uuid(high: u64, low: u64) -> String {
    let random = (u128::from(high) << 64) | u128::from(low);
    uuid::Builder::from_random_bytes(random.to_be_bytes()).into_uuid().to_string()
}
