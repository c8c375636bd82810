//! What does one core of the node own, and how does it live from start to stop?

use std::cell::{Cell, RefCell, RefMut};
use std::collections::HashSet;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use corelog::{CoreLog, LogConfig};
use futures_util::future::{Either, select};
use model::limits::{
    CHECKPOINT_EVERY_BYTES, CONNECTIONS_PER_SHARD_MAX, MAILBOX_MESSAGES_MAX, REQUEST_BYTES_IN_FLIGHT_MAX,
};
use model::{Error, PartitionId, Result, ShardId, Term};
use runtime::{Driver, Instant, Listener, MailReceiver, TaskHandle};

use crate::admission::Admissions;
use crate::api::ApiTable;
use crate::backlog::Backlog;
use crate::checkers::Checkers;
use crate::connection;
use crate::controller::ControllerError;
use crate::controller_host::{ControllerHost, Errand};
use crate::group_host::GroupHost;
use crate::layout;
use crate::message::ShardMessage;
use crate::node::{Founding, Node, ShardSeed};
use crate::producers::{Kept, Producers};
use crate::recalls::Recalls;
use crate::watches::Watches;

/// The term of a log group of one, and so the leader epoch that clients see: it never has another leader.
pub const LEADER_TERM: Term = Term(1);
pub const LEADER_EPOCH: i32 = 1;

/// How often silent producers are looked for.
const EXPIRY_EVERY_MS: u64 = 600_000;
/// How long tasks get to end after the log is closed.
const STOP_MS: u64 = 1_000;
/// The pause after a failed accept, for instance when descriptors have run out.
const ACCEPT_PAUSE_MS: u64 = 50;

/// All state of one shard; every task of the shard holds it by `Rc`.
pub struct Shard<D: Driver> {
    pub driver: D,
    pub id: ShardId,
    pub node: Arc<Node>,
    pub log: CoreLog<D>,
    pub watches: Rc<Watches>,
    pub recalls: RefCell<Recalls>,
    /// Who waits for the archive.
    pub recall_watches: Watches,
    kept: Rc<Kept>,
    pub checkers: RefCell<Checkers>,
    pub admission: Admissions,
    pub backlog: Backlog,
    pub apis: ApiTable<D>,
    pub groups: GroupHost,
    /// Producer ids that this shard may give out.
    pub producer_ids: RefCell<std::ops::Range<i64>>,
    pub connections: Cell<usize>,
    /// Shard 0 only.
    errands: Option<flume::Sender<Errand>>,
}

/// Runs one shard until it is told to stop, or cannot start; then the handle's `ready` says why.
pub async fn run_shard<D: Driver>(driver: D, seed: ShardSeed) {
    let ShardSeed { shard: id, node, mailbox, ready, founding } = seed;
    let started = start(driver, id, node, founding).await;
    let outcome = started.as_ref().map(|_| ()).map_err(Clone::clone);
    if let Err(error) = &outcome {
        tracing::error!(shard = id.0, "the shard cannot start: {error}");
    }
    if ready.send(outcome).is_err() {
        tracing::debug!(shard = id.0, "nobody waits for the shard to be ready");
    }
    if let Ok((shard, retaining)) = started {
        shard.serve(mailbox, retaining).await;
    }
}

async fn start<D: Driver>(
    driver: D,
    id: ShardId,
    node: Arc<Node>,
    founding: Founding,
) -> Result<(Rc<Shard<D>>, D::Task<()>)> {
    let watches = Rc::new(Watches::default());
    let config = LogConfig {
        dir: layout::shard_dir(&node.config.data_dir, id),
        shard: id,
        segment_bytes: node.config.segment_bytes,
        tail_cache_bytes: node.config.tail_cache_bytes,
        checkpoint_bytes: CHECKPOINT_EVERY_BYTES,
    };
    let kept = Rc::new(Kept { producers: RefCell::default(), now_ms: driver.wall_ms() });
    let log = CoreLog::open_for(driver.clone(), config, kept.clone()).await?;
    log.on_advance({
        let watches = watches.clone();
        move |partition, _| watches.wake(partition)
    });
    let errands = found(&driver, &log, &node, founding).await?;
    let shard = Rc::new(Shard {
        id,
        log,
        watches,
        recalls: RefCell::default(),
        recall_watches: Watches::default(),
        kept,
        checkers: RefCell::default(),
        admission: Admissions::new(REQUEST_BYTES_IN_FLIGHT_MAX),
        backlog: Backlog::default(),
        apis: ApiTable::new(),
        groups: GroupHost::new(node.config.groups.clone()),
        producer_ids: RefCell::new(0..0),
        connections: Cell::new(0),
        errands,
        node,
        driver,
    });
    shard.forget_orphans();
    shard.load_groups().await?;
    let cluster = shard.node.cluster();
    shard.forget_offsets(|topic| cluster.topic(topic).is_none());
    shard.start("expire producers", shard.clone().expire_producers());
    shard.start("work off the backlog", shard.clone().work_off());
    shard.start("tick groups", shard.clone().tick_groups());
    let retaining = shard.driver.spawn("retention", shard.clone().retain());
    Ok((shard, retaining))
}

/// Returns when the cluster's state is published: by this shard if it is the first, else by the first one.
async fn found<D: Driver>(
    driver: &D,
    log: &CoreLog<D>,
    node: &Arc<Node>,
    founding: Founding,
) -> Result<Option<flume::Sender<Errand>>> {
    match founding {
        Founding::Tell(others) => {
            let host = ControllerHost::open(driver.clone(), log.clone(), node.clone()).await?;
            let is_new = host.is_new();
            let (errands, inbox) = flume::bounded(MAILBOX_MESSAGES_MAX);
            drop(driver.spawn("controller", host.run(inbox)));
            for _ in 1..node.config.shards {
                // A shard that could not start does not listen any more.
                let _ = others.try_send(is_new);
            }
            Ok(Some(errands))
        }
        Founding::Hear(first) => {
            let stopped = |_| Error::fenced("the first shard could not start; see the log for the cause");
            let cluster_is_new = first.recv_async().await.map_err(stopped)?;
            if cluster_is_new && !log.partitions().is_empty() {
                return Err(Error::damaged(
                    "this shard has records, but the log of shard 0, which knows the topics, is empty: bring the folder \
                     shards/0 of this data folder back, or start on an empty one",
                ));
            }
            Ok(None)
        }
    }
}

impl<D: Driver> Shard<D> {
    /// The idempotent producers of this shard's partitions.
    pub fn producers(&self) -> RefMut<'_, Producers> {
        self.kept.producers.borrow_mut()
    }

    /// Starts a task that nobody waits for; it ends with the shard at the latest.
    pub fn start(&self, name: &'static str, task: impl Future<Output = ()> + 'static) {
        drop(self.driver.spawn(name, task));
    }

    /// What `future` yields, unless `until` comes first.
    pub async fn before<T>(&self, until: Instant, future: impl Future<Output = T>) -> Option<T> {
        match select(pin!(future), pin!(self.driver.sleep_until(until))).await {
            Either::Left((value, _)) => Some(value),
            Either::Right(_) => None,
        }
    }

    /// Partitions whose topic was deleted just before the node stopped.
    fn forget_orphans(&self) {
        let cluster = self.node.cluster();
        let places = cluster.topics().flat_map(|topic| topic.partitions.iter());
        let known: HashSet<PartitionId> = places.map(|p| p.id).chain([PartitionId::CONTROLLER]).collect();
        self.producers().forget(|partition| !known.contains(&partition));
        let orphans: Vec<PartitionId> = self.log.partitions().into_iter().filter(|p| !known.contains(p)).collect();
        if !orphans.is_empty() {
            tracing::info!(shard = self.id.0, partitions = orphans.len(), "forgets the partitions of deleted topics");
            self.forget(&orphans);
        }
    }

    fn forget(&self, partitions: &[PartitionId]) {
        let gone: HashSet<PartitionId> = partitions.iter().copied().collect();
        self.recalls.borrow_mut().forget(&gone);
        self.producers().forget(|partition| gone.contains(&partition));
        let cluster = self.node.cluster();
        self.checkers.borrow_mut().forget(|topic| !cluster.has(topic));
        for partition in partitions {
            self.log.forget(*partition);
            self.watches.wake(*partition);
            self.recall_watches.wake(*partition);
        }
    }

    fn listen(self: &Rc<Self>) -> Result<D::Task<()>> {
        let address = self.node.config.kafka;
        let failed = |error| Error::fenced(format!("cannot listen for Kafka clients on {address}: {error}"));
        let listener = self.driver.listen(address).map_err(failed)?;
        let shard = self.clone();
        Ok(self.driver.spawn("accept", async move {
            loop {
                match listener.accept().await {
                    Ok((_, peer)) if shard.connections.get() >= CONNECTIONS_PER_SHARD_MAX => {
                        tracing::warn!(%peer, "connection refused: this shard has {CONNECTIONS_PER_SHARD_MAX} already");
                    }
                    Ok((stream, peer)) => connection::start(shard.clone(), stream, peer),
                    Err(error) => {
                        tracing::warn!(shard = shard.id.0, "a connection could not be accepted: {error}");
                        shard.driver.sleep_until(shard.driver.now().plus_ms(ACCEPT_PAUSE_MS)).await;
                    }
                }
            }
        }))
    }

    async fn expire_producers(self: Rc<Self>) {
        loop {
            self.driver.sleep_until(self.driver.now().plus_ms(EXPIRY_EVERY_MS)).await;
            self.producers().expire(self.driver.wall_ms());
        }
    }

    /// Takes letters from the mailbox, in order, until one says stop.
    async fn serve(self: Rc<Self>, mailbox: MailReceiver<ShardMessage>, retaining: D::Task<()>) {
        let mut until_stop = vec![retaining];
        while let Some(message) = mailbox.recv().await {
            if let ShardMessage::Serve { reply } = message {
                let listening = self.listen().map(|accepting| until_stop.push(accepting));
                let _ = reply.try_send(listening);
                continue;
            }
            if let ShardMessage::Stop { reply } = message {
                until_stop.into_iter().for_each(TaskHandle::cancel);
                if let Err(error) = self.log.clone().close().await {
                    tracing::error!(shard = self.id.0, "the log was not closed cleanly: {error}");
                }
                let left = self.driver.shutdown(self.driver.now().plus_ms(STOP_MS)).await;
                tracing::info!(shard = self.id.0, tasks_left = left, "the shard has stopped");
                // The asker may have gone; the shard stops all the same.
                let _ = reply.try_send(());
                return;
            }
            self.take(message);
            if self.driver.should_yield() {
                self.driver.yield_now().await;
            }
        }
    }

    /// Deals with one letter without waiting; what takes time becomes a task. A lost reply is the asker's choice.
    fn take(self: &Rc<Self>, message: ShardMessage) {
        let shard = self.clone();
        match message {
            ShardMessage::Append { appends, reply } => {
                let turn = self.take_up(appends);
                self.start("finish appends", async move {
                    let _ = reply.try_send(shard.finish_all(turn.taken().await).await);
                });
            }
            ShardMessage::Read { wants, bytes_max, reply } => {
                self.start("read", async move {
                    let _ = reply.try_send(shard.read(wants, bytes_max).await);
                });
            }
            ShardMessage::Poll { want, wait_ms, reply } => {
                self.start("poll", async move {
                    let _ = reply.try_send(shard.poll(want, wait_ms).await);
                });
            }
            ShardMessage::Look { questions, reply } => {
                self.start("look", async move {
                    let _ = reply.try_send(shard.look(questions).await);
                });
            }
            ShardMessage::Watch { marks, wake } => self.watch(&marks, wake),
            ShardMessage::Trim { trims, reply } => {
                self.start("trim", async move {
                    let _ = reply.try_send(shard.trim(trims).await);
                });
            }
            ShardMessage::Lake { partition, committed, projected } => {
                self.log.set_lake(partition, committed, projected);
            }
            ShardMessage::Archived { partition, end } => self.log.set_archived(partition, end),
            ShardMessage::Archiving(question) => {
                self.start("archiving", async move { shard.archiving(question).await });
            }
            ShardMessage::DropLocally { partition, start } => self.log.set_local_start(partition, start),
            ShardMessage::Change { command, reply } => {
                let Some(errands) = &self.errands else { return };
                if let Err(flume::TrySendError::Full((_, reply))) = errands.try_send((*command, reply)) {
                    let _ = reply.try_send(Err(ControllerError::Busy));
                }
            }
            ShardMessage::Group { request, reply } => self.group(request, reply),
            ShardMessage::Stats { reply } => {
                let _ = reply.try_send(self.log.stats());
            }
            ShardMessage::Health { reply } => {
                let _ = reply.try_send(self.log.health());
            }
            ShardMessage::Forget { topic, partitions } => {
                self.forget(&partitions);
                self.forget_offsets(|name| name == topic.as_str());
            }
            ShardMessage::Serve { .. } | ShardMessage::Stop { .. } => unreachable!("handled by the caller"),
        }
    }
}
