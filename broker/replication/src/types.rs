//! Which types does openraft work with here?

use std::fmt;
use std::rc::Rc;

use bytes::Bytes;
use corelog::{EntryId, Spot};
use model::{LogIndex, Term};
use openraft::impls::{BoxedErrorSource, InlineBatch, leader_id_std};
use openraft::raft::responder::Responder;
use openraft::type_config::alias::{CommittedLeaderIdOf, LogIdOf};
use openraft::vote::RaftLeaderId;
use openraft::{EntryPayload, RaftTypeConfig};

use crate::host::ShardRuntime;

pub(crate) type Node = u64;
pub(crate) type LogId = LogIdOf<Types>;
pub(crate) type Entry = openraft::Entry<CommittedLeaderIdOf<Types>, EntryPayload<Proposal, Node, ()>>;
pub(crate) type Membership = openraft::Membership<Node, ()>;
pub(crate) type StoredMembership = openraft::type_config::alias::StoredMembershipOf<Types>;
pub(crate) type Vote = openraft::type_config::alias::VoteOf<Types>;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Types;

impl RaftTypeConfig for Types {
    type D = Proposal;
    type R = ();
    type NodeId = Node;
    type Node = ();
    type Term = u64;
    type LeaderId = leader_id_std::LeaderId<u64, Node>;
    type Vote = openraft::Vote<Self::LeaderId>;
    type Payload = EntryPayload<Proposal, Node, ()>;
    type Entry = openraft::Entry<<Self::LeaderId as RaftLeaderId>::Committed, Self::Payload>;
    type AsyncRuntime = ShardRuntime;
    type Responder<T>
        = Answer<T>
    where
        T: 'static;
    type Batch<T>
        = InlineBatch<T>
    where
        T: 'static;
    type ErrorSource = BoxedErrorSource;
}

/// A batch that has its offsets.
#[derive(Clone)]
pub(crate) struct Proposal {
    /// Counts the proposals of a group in this process; 0 in entries that were read.
    pub number: u64,
    pub spot: Spot,
    pub batch: Bytes,
}

impl fmt::Debug for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Spot { partition, base, .. } = self.spot;
        write!(f, "batch of {} bytes at offset {base} of partition {partition}", self.batch.len())
    }
}

/// Gets the outcome of a proposal; one for all of a group.
pub(crate) struct Answer<T>(pub Rc<dyn Fn(T)>);

impl<T: 'static> Responder<Types, T> for Answer<T> {
    fn on_complete(self, outcome: T) {
        (self.0)(outcome);
    }
}

/// openraft counts entries from 0, the log from 1: there 0 stands before the first.
pub(crate) fn entry_id(id: &LogId) -> EntryId {
    EntryId { term: Term(id.committed_leader_id().term), index: LogIndex(id.index() + 1) }
}

pub(crate) fn entry_id_or_none(id: Option<&LogId>) -> EntryId {
    id.map_or(EntryId::default(), entry_id)
}

/// `None` before the first entry.
pub(crate) fn log_id(id: EntryId) -> Option<LogId> {
    let index = id.index.0.checked_sub(1)?;
    let leader = leader_id_std::LeaderId::new(id.term.0, 0).to_committed();
    Some(LogId::new(leader, index))
}
