//! What happens when an entry is committed? Its batch is shown to consumers, and its producer is told.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;

use bytes::Bytes;
use corelog::{Acks, CoreLog, Durable};
use futures_util::{Stream, TryStreamExt};
use model::{Error, LogGroup, LogIndex, Result};
use openraft::EntryPayload;
use openraft::storage::{EntryResponder, RaftSnapshotBuilder, RaftStateMachine};
use openraft::type_config::alias::{SnapshotMetaOf, SnapshotOf};
use runtime::Driver;

use crate::own;
use crate::types::{LogId, StoredMembership, Types, entry_id, log_id};

type Meta = SnapshotMetaOf<Types>;
type Snapshot = SnapshotOf<Types, ()>;

/// How far a group has come, and who waits for it.
#[derive(Clone, Default)]
pub(crate) struct Progress(Rc<RefCell<State>>);

#[derive(Default)]
struct State {
    applied: Option<LogId>,
    membership: StoredMembership,
    snapshot: Option<Meta>,
    /// Proposals of this process that are appended and not applied: index and number.
    appended: VecDeque<(LogIndex, u64)>,
    acks: Acks,
}

impl Progress {
    /// As a purge mark left it; the entry up to which the group is purged was applied.
    pub fn restore(&self, purged: corelog::EntryId, state: &[u8]) -> Result<()> {
        if let Some(membership) = own::decode(state)? {
            let mut now = self.0.borrow_mut();
            now.applied = log_id(purged);
            now.membership = membership.clone();
            now.snapshot = Some(Meta { last_log_id: now.applied, last_membership: membership });
        }
        Ok(())
    }

    /// Resolves when the proposal of this number is committed.
    pub fn wait(&self, number: u64) -> Durable {
        self.0.borrow().acks.wait(number)
    }

    pub fn appended(&self, index: LogIndex, number: u64) {
        self.0.borrow_mut().appended.push_back((index, number));
    }

    /// The first proposal has number 1.
    pub fn begin(&self) {
        self.0.borrow().acks.advance(1);
    }

    /// Proposals with smaller numbers are committed.
    pub fn done(&self) -> u64 {
        self.0.borrow().acks.durable()
    }

    /// Nothing more will be committed here.
    pub fn fail(&self, error: Error) {
        let acks = self.0.borrow().acks.clone();
        acks.fail(error);
    }

    pub fn failed(&self) -> Option<Error> {
        self.0.borrow().acks.failed()
    }

    /// Entries behind `kept` are gone, and with them what was proposed here.
    pub fn cut(&self, kept: LogIndex) {
        let mut state = self.0.borrow_mut();
        let before = state.appended.len();
        state.appended.retain(|(index, _)| *index <= kept);
        let lost = state.appended.len() < before;
        drop(state);
        if lost {
            self.fail(Error::busy("another node leads this log group now; send the batch again"));
        }
    }

    /// What a purge mark carries.
    pub fn snapshot_state(&self) -> Bytes {
        let state = self.0.borrow();
        state.snapshot.as_ref().map_or(Bytes::new(), |meta| own::encode(&meta.last_membership))
    }

    /// Entries up to `last` are applied: their producers are told.
    fn applied(&self, last: LogIndex) {
        let mut state = self.0.borrow_mut();
        let mut number = None;
        while let Some((_, next)) = state.appended.pop_front_if(|(index, _)| *index <= last) {
            number = Some(next);
        }
        let acks = state.acks.clone();
        drop(state);
        if let Some(number) = number {
            acks.advance(number + 1);
        }
    }
}

/// The state machine of a group: the partitions of its shard.
pub(crate) struct Machine<D: Driver> {
    pub log: CoreLog<D>,
    pub group: LogGroup,
    pub progress: Progress,
}

impl<D: Driver> RaftStateMachine<Types> for Machine<D> {
    type SnapshotData = ();
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        let state = self.progress.0.borrow();
        Ok((state.applied, state.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<Types>>> + Unpin,
    {
        let mut last = None;
        while let Some((entry, responder)) = entries.try_next().await? {
            last = Some(entry.log_id);
            if let EntryPayload::Membership(membership) = entry.payload {
                self.progress.0.borrow_mut().membership = StoredMembership::new(last, membership);
            }
            if let Some(responder) = responder {
                responder.send(());
            }
        }
        if let Some(last) = last {
            self.progress.0.borrow_mut().applied = Some(last);
            let index = entry_id(&last).index;
            self.log.commit_group(self.group, index);
            self.progress.applied(index);
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        let state = self.progress.0.borrow();
        let meta = Meta { last_log_id: state.applied, last_membership: state.membership.clone() };
        Builder { meta, progress: self.progress.clone() }
    }

    /// Batches do not come with it: a node that needs them gets them as entries.
    async fn install_snapshot(&mut self, meta: &Meta, (): ()) -> io::Result<()> {
        let mut state = self.progress.0.borrow_mut();
        state.applied = meta.last_log_id;
        state.membership = meta.last_membership.clone();
        state.snapshot = Some(meta.clone());
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<Snapshot>> {
        let state = self.progress.0.borrow();
        Ok(state.snapshot.clone().map(|meta| Snapshot { meta, snapshot: () }))
    }
}

/// A snapshot says how far the group had come; the batches lie in the log.
pub(crate) struct Builder {
    meta: Meta,
    progress: Progress,
}

impl RaftSnapshotBuilder<Types> for Builder {
    type SnapshotData = ();

    async fn build_snapshot(&mut self) -> io::Result<Snapshot> {
        self.progress.0.borrow_mut().snapshot = Some(self.meta.clone());
        Ok(Snapshot { meta: self.meta.clone(), snapshot: () })
    }
}
