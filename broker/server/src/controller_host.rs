//! How do the controller's decisions become durable and known? Runs on shard 0.

use std::sync::Arc;

use corelog::CoreLog;
use model::limits::{CONTROLLER_COMMANDS_MAX, IO_BYTES_MAX, UNPACKED_BATCH_BYTES_MAX};
use model::{Error, Offset, PartitionId, Result, ShardId};
use runtime::Driver;
use uuid::Uuid;
use wire::batch::{self, BatchBuilder, Compression};

use crate::cluster::Topic;
use crate::controller::{Command, Context, Controller, ControllerError, Outcome, Record};
use crate::message::{Reply, ShardMessage};
use crate::node::Node;
use crate::shard::LEADER_TERM;

/// A command and where its outcome goes.
pub type Errand = (Command, Reply<Result<Outcome, ControllerError>>);

/// The controller with what it needs to act.
pub struct ControllerHost<D: Driver> {
    driver: D,
    log: CoreLog<D>,
    node: Arc<Node>,
    controller: Controller,
    is_new: bool,
}

impl<D: Driver> ControllerHost<D> {
    /// The cluster was founded in this start.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Reads what was decided before, or founds the cluster, and publishes the state.
    pub async fn open(driver: D, log: CoreLog<D>, node: Arc<Node>) -> Result<ControllerHost<D>> {
        let mut controller = Controller::default();
        let end = log.frontiers(PartitionId::CONTROLLER).high_watermark();
        let mut next = Offset::ZERO;
        while next < end {
            for bytes in log.read(PartitionId::CONTROLLER, next, end, IO_BYTES_MAX).await? {
                let damaged = |error: batch::BatchError| {
                    Error::damaged(format!("the controller's log cannot be read: {error}; restore the data directory"))
                };
                let records = batch::records(&bytes, UNPACKED_BATCH_BYTES_MAX).map_err(damaged)?;
                for record in records.iter() {
                    controller.apply(&Record::decode(record.map_err(damaged)?.value.unwrap_or_default())?);
                }
                next = Offset(records.header().last_offset() + 1);
            }
        }
        let mut host = ControllerHost { driver, log, node, controller, is_new: false };
        if let Some(record) = host.controller.found(host.fresh()) {
            host.is_new = true;
            host.write(std::slice::from_ref(&record)).await?;
            host.controller.apply(&record);
        }
        host.check_shards()?;
        host.publish();
        Ok(host)
    }

    /// Serves commands, all that wait together with one write, until their sender is gone.
    pub async fn run(mut self, errands: flume::Receiver<Errand>) {
        while let Ok(first) = errands.recv_async().await {
            let errands = std::iter::once(first).chain(errands.try_iter().take(CONTROLLER_COMMANDS_MAX - 1)).collect();
            self.serve(errands).await;
        }
    }

    async fn serve(&mut self, errands: Vec<Errand>) {
        let mut after = self.controller.clone();
        let (mut records, mut answers) = (Vec::new(), Vec::new());
        for (command, reply) in errands {
            match self.decide(&after, &command) {
                Ok((more, outcome)) => {
                    more.iter().for_each(|record| after.apply(record));
                    records.extend(more);
                    answers.push((reply, Ok(outcome)));
                }
                Err(error) => answers.push((reply, Err(error))),
            }
        }
        let written = if records.is_empty() { Ok(()) } else { self.write(&records).await };
        if written.is_ok() {
            self.controller = after;
            self.publish();
        }
        for (reply, outcome) in answers {
            let outcome = outcome.and_then(|outcome| written.clone().map(|()| outcome).map_err(ControllerError::Log));
            match &outcome {
                Ok(Outcome::Deleted(topic)) => self.forget(topic).await,
                Ok(Outcome::Topic(topic)) => self.tell_risk(topic),
                _ => {}
            }
            // Whoever asked may have given up; what was decided holds all the same.
            let _ = reply.try_send(outcome);
        }
    }

    fn decide(&self, state: &Controller, command: &Command) -> Result<(Vec<Record>, Outcome), ControllerError> {
        // What is left on a full disk is for changes that free some of it.
        if let (Command::Create(_) | Command::Grow { .. }, Some(error)) = (command, self.log.health().full) {
            return Err(ControllerError::Log(error));
        }
        let gate = &self.node.config.gate;
        let admit = |name, settings: &_| gate.admit(name, settings, state.cluster()).map_err(ControllerError::Refused);
        match command {
            Command::Create(new) if !new.by_node && state.cluster().topic(new.name.as_str()).is_none() => {
                admit(&new.name, &new.settings)?;
            }
            Command::Alter { name, changes, .. } => admit(name, &state.changed(name, changes)?)?,
            _ => {}
        }
        let context = Context { now_ms: self.driver.wall_ms(), fresh: self.fresh(), shards: self.node.config.shards };
        state.decide(command, context)
    }

    /// Returns once the records are durable.
    async fn write(&self, records: &[Record]) -> Result<()> {
        let now_ms = self.driver.wall_ms();
        let mut builder = BatchBuilder::new(Compression::None);
        records.iter().for_each(|record| builder.push(now_ms, None, Some(&record.encode()), &[]));
        self.log.append_own(PartitionId::CONTROLLER, builder.build(), LEADER_TERM)?.durable.await
    }

    fn publish(&self) {
        self.node.published.store(Arc::new(self.controller.cluster().clone()));
    }

    /// Says so when a topic's records may be lost although they were acknowledged.
    fn tell_risk(&self, topic: &Topic) {
        if self.node.config.is_cached(&topic.settings) {
            tracing::warn!(topic = %topic.name, "write.caching is on: records that were acknowledged in the last moments \
                before a crash or a power cut are lost");
        }
    }

    /// Tells all shards that a topic is deleted: its partitions go, and so do the offsets of groups in it.
    async fn forget(&self, topic: &Topic) {
        for shard in self.node.shards() {
            let here = topic.partitions.iter().filter(|place| place.shard == shard);
            let partitions: Vec<PartitionId> = here.map(|place| place.id).collect();
            // A shard that is gone forgets all that at its next start.
            let message = ShardMessage::Forget { topic: topic.name.clone(), partitions };
            if self.node.send(shard, message).await.is_err() {
                tracing::debug!(shard = shard.0, topic = %topic.name, "the shard has stopped");
            }
        }
    }

    /// The layout file says so as well; a restored directory may lack it.
    fn check_shards(&self) -> Result<()> {
        let places = self.controller.cluster().topics().flat_map(|topic| topic.partitions.iter());
        let needed = places.map(|place| place.shard).max().unwrap_or(ShardId(0)).0 + 1;
        match needed <= self.node.config.shards {
            true => Ok(()),
            false => Err(Error::invalid(format!(
                "partitions of this data directory lie on {needed} shards; start with at least that many, not {}",
                self.node.config.shards
            ))),
        }
    }

    fn fresh(&self) -> Uuid {
        let halves = (u128::from(self.driver.random()) << 64) | u128::from(self.driver.random());
        uuid::Builder::from_random_bytes(halves.to_be_bytes()).into_uuid()
    }
}
