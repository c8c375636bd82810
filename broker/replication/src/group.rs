//! How does a shard propose batches to one of its log groups?

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use corelog::{Content, CoreLog, Durable, EntryId, GroupEntry, Spot};
use futures_util::FutureExt;
use futures_util::future::{Either, select};
use model::{Error, LogGroup, PartitionId, Result, Term};
use openraft::raft::ClientWriteResult;
use openraft::{Config, Raft, SnapshotPolicy};
use runtime::Driver;

use crate::host::{Host, on, within};
use crate::machine::{Machine, Progress};
use crate::network::Nobody;
use crate::own;
use crate::store::{Store, alone, founding};
use crate::types::{Answer, Proposal, Types};

/// Entries after which the group's applied entries are purged.
const PURGE_EVERY: u64 = 512;
/// Proposals that openraft has and that are not committed; more wait here. Its queue has room for more.
const PROPOSED_MAX: u64 = 16_384;
/// How long a group that is closed waits for its proposals.
const CLOSE_MS: u64 = 5_000;

/// A log group whose leader this node is. Clones are handles on the same group.
pub struct Group<D: Driver> {
    shared: Rc<Shared<D>>,
}

/// A batch that has its place in the partition.
#[derive(Debug)]
pub struct Proposed {
    pub spot: Spot,
    /// Resolves when the batch is committed; `Fenced` if that will never be known.
    pub committed: Durable,
}

struct Shared<D: Driver> {
    driver: D,
    host: Rc<dyn Host>,
    log: CoreLog<D>,
    raft: Raft<Types, Machine<D>>,
    progress: Progress,
    answer: Rc<dyn Fn(ClientWriteResult<Types>)>,
    term: Term,
    /// The number of the next proposal; the first is 1.
    next: Cell<u64>,
    /// Proposals with smaller numbers have been handed over.
    sent: Cell<u64>,
    waiting: RefCell<VecDeque<Proposal>>,
    /// A task waits to hand over more.
    pumping: Cell<bool>,
    closed: Cell<bool>,
}

impl<D: Driver> Clone for Group<D> {
    fn clone(&self) -> Self {
        Group { shared: self.shared.clone() }
    }
}

impl<D: Driver> Group<D> {
    /// Opens a group of which this node is the only one. When it returns, the node leads it, and all that was found in
    /// the log is committed.
    ///
    /// `Invalid`: another node has the group's vote, or a newer version wrote it; others as of the log.
    pub async fn open(driver: D, log: CoreLog<D>, group: LogGroup, node: u64) -> Result<Group<D>> {
        let term = found(&log, group, node).await?;
        let facts = log.group_facts(group);
        let progress = Progress::default();
        progress.restore(facts.purged, &facts.state)?;
        progress.begin();
        let host: Rc<dyn Host> = Rc::new(driver.clone());
        let store = Store { log: log.clone(), group, progress: progress.clone(), begins_anywhere: false };
        let machine = Machine { log: log.clone(), group, progress: progress.clone() };
        let start = async {
            let config = Arc::new(config().validate().map_err(|error| Error::invalid(error.to_string()))?);
            let raft = Raft::new(node, config, Nobody, store, machine).await.map_err(|error| stopped(&error))?;
            // Its commit commits all before it.
            raft.write_blank().await.map_err(|error| stopped(&error))?;
            Ok::<_, Error>(raft)
        };
        let raft = on(host.clone(), start).await?;
        let failing = progress.clone();
        let answer = Rc::new(move |outcome: ClientWriteResult<Types>| {
            if let Err(error) = outcome {
                failing.fail(Error::busy(format!("this node does not lead the log group any more: {error}")));
            }
        });
        let (next, sent, waiting) = (Cell::new(1), Cell::new(1), RefCell::default());
        let (pumping, closed) = (Cell::new(false), Cell::new(false));
        let shared = Shared { driver, host, log, raft, progress, answer, term, next, sent, waiting, pumping, closed };
        Ok(Group { shared: Rc::new(shared) })
    }

    /// The term that this node leads; batches get it as their leader epoch.
    pub fn term(&self) -> Term {
        self.shared.term
    }

    /// Takes one checked batch, whose records get the next offsets of the partition, and proposes it.
    ///
    /// Errors as of [`CoreLog::reserve`].
    pub fn propose(&self, partition: PartitionId, batch: Bytes) -> Result<Proposed> {
        self.propose_with(batch, |log, batch| log.reserve(partition, batch))
    }

    /// As [`Group::propose`], for what the node itself has to write down: see [`CoreLog::reserve_own`].
    pub fn propose_own(&self, partition: PartitionId, batch: Bytes) -> Result<Proposed> {
        self.propose_with(batch, |log, batch| log.reserve_own(partition, batch))
    }

    fn propose_with(
        &self,
        batch: Bytes,
        reserve: impl FnOnce(&CoreLog<D>, &Bytes) -> Result<Spot>,
    ) -> Result<Proposed> {
        let shared = &self.shared;
        if let Some(error) = shared.progress.failed() {
            return Err(error);
        }
        if shared.closed.get() {
            return Err(Error::fenced("the log is closing, because the node stops; ask another one, or later"));
        }
        let spot = reserve(&shared.log, &batch)?;
        let number = shared.next.replace(shared.next.get() + 1);
        shared.waiting.borrow_mut().push_back(Proposal { number, spot, batch });
        shared.hand_over();
        let committed = shared.progress.wait(number);
        Ok(Proposed { spot, committed })
    }

    /// Waits until all proposals are committed or never will be, then stops the group.
    pub async fn close(&self) {
        let shared = &self.shared;
        shared.closed.set(true);
        let last = shared.progress.wait(shared.next.get() - 1);
        let until = shared.driver.sleep_until(shared.driver.now().plus_ms(CLOSE_MS));
        if let Either::Right(_) = select(last, std::pin::pin!(until)).await {
            tracing::warn!("proposals of a log group were not committed before it was closed");
        }
        if on(shared.host.clone(), shared.raft.shutdown()).await.is_err() {
            tracing::debug!("the tasks of a log group had ended before");
        }
    }
}

impl<D: Driver> Shared<D> {
    /// Hands proposals to openraft, as many as it may have. Its queue has room for them, so nothing waits.
    fn hand_over(self: &Rc<Self>) {
        while self.sent.get() - self.progress.done() < PROPOSED_MAX {
            let Some(proposal) = self.waiting.borrow_mut().pop_front() else { return };
            self.sent.set(proposal.number + 1);
            let answer = Answer(self.answer.clone());
            let sent = within(&self.host, || self.raft.client_write_ff(proposal, Some(answer)).now_or_never());
            match sent {
                Some(Ok(())) => {}
                Some(Err(error)) => self.progress.fail(stopped(&error)),
                None => self.progress.fail(Error::fenced("the queue of a log group is full; restart the process")),
            }
        }
        if self.waiting.borrow().is_empty() || self.pumping.replace(true) {
            return;
        }
        let (shared, done) = (Rc::downgrade(self), self.progress.wait(self.progress.done()));
        drop(self.driver.spawn("propose", async move {
            if done.await.is_ok()
                && let Some(shared) = shared.upgrade()
            {
                shared.pumping.set(false);
                shared.hand_over();
            }
        }));
    }
}

/// Makes this node the only one and the leader of a group that is new, or that has led itself so far. Returns the term.
async fn found<D: Driver>(log: &CoreLog<D>, group: LogGroup, node: u64) -> Result<Term> {
    let facts = log.open_group(group);
    let vote = match facts.vote {
        Some(vote) if vote.node == node && vote.committed => vote,
        Some(vote) => {
            let why = format!("log group {group} belongs to node {}, this one is {node}; start that node", vote.node);
            return Err(Error::invalid(why));
        }
        None => {
            let vote = corelog::Vote { term: facts.last.term.max(Term(1)), node, committed: true };
            log.save_vote(group, vote)?.await?;
            vote
        }
    };
    if facts.last == EntryId::default() {
        let (id, membership) = founding(node);
        let entry = GroupEntry { id, content: Content::Own(own::encode(&membership)) };
        log.append_entries(group, vec![entry], Box::new(drop))?;
        log.flushed().await?;
    } else if facts.purged == facts.last && facts.state.is_empty() {
        log.purge_group(group, facts.last, own::encode(&alone(node, facts.last)))?.await?;
    }
    Ok(vote.term)
}

fn config() -> Config {
    Config {
        cluster_name: "frazil".to_owned(),
        enable_tick: false,
        enable_heartbeat: false,
        enable_elect: false,
        enable_leader_restore: Some(true),
        snapshot_policy: SnapshotPolicy::LogsSinceLast(PURGE_EVERY),
        max_in_snapshot_log_to_keep: 0,
        ..Config::default()
    }
}

fn stopped(error: &dyn std::fmt::Display) -> Error {
    Error::fenced(format!("a log group of this shard has stopped ({error}); restart the process"))
}
