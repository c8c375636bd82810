//! How is the core log the log of a Raft group?

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds, RangeInclusive};

use corelog::{Content, CoreLog, EntryId, GroupEntry};
use model::{Error, Kind, LogGroup, LogIndex, Term};
use openraft::storage::{IOFlushed, LogState, RaftLogReader, RaftLogStorage};
use openraft::vote::RaftLeaderId;
use openraft::{EntryPayload, Vote as RaftVoteOf};
use runtime::Driver;

use crate::machine::Progress;
use crate::own;
use crate::types::{Entry, LogId, Proposal, StoredMembership, Types, Vote, entry_id, entry_id_or_none, log_id};

/// The entries of one group in the log of a shard.
pub(crate) struct Store<D: Driver> {
    pub log: CoreLog<D>,
    pub group: LogGroup,
    pub progress: Progress,
    /// The first entry of an empty group may have any index. openraft's suite wants that; a group that does not begin
    /// with its first entry has lost some, and is refused.
    pub begins_anywhere: bool,
}

impl<D: Driver> Clone for Store<D> {
    fn clone(&self) -> Self {
        let Store { group, begins_anywhere, .. } = *self;
        Store { log: self.log.clone(), group, progress: self.progress.clone(), begins_anywhere }
    }
}

impl<D: Driver> RaftLogReader<Types> for Store<D> {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug>(&mut self, range: R) -> io::Result<Vec<Entry>> {
        let from = match range.start_bound() {
            Bound::Included(index) => *index,
            Bound::Excluded(index) => index + 1,
            Bound::Unbounded => 0,
        };
        let to = match range.end_bound() {
            Bound::Included(index) => index.saturating_add(1),
            Bound::Excluded(index) => *index,
            Bound::Unbounded => u64::MAX - 1,
        };
        let (from, to) = (LogIndex(from.saturating_add(1)), LogIndex(to.saturating_add(1)));
        let entries = self.log.entries(self.group, from, to).await.map_err(io_error)?;
        let contiguous = entries.windows(2).all(|pair| pair[0].id.index.0 + 1 == pair[1].id.index.0);
        assert!(contiguous, "the entries of log group {} have a hole", self.group);
        entries.into_iter().map(raft_entry).collect()
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        let vote = self.log.group_facts(self.group).vote;
        Ok(vote.map(|vote| match vote.committed {
            true => RaftVoteOf::new_committed(vote.term.0, vote.node),
            false => RaftVoteOf::new(vote.term.0, vote.node),
        }))
    }

    /// The last id of each leader (what the trait's own text says is not what openraft does).
    async fn get_key_log_ids(&mut self, range: RangeInclusive<LogId>) -> io::Result<Vec<LogId>> {
        let (first, last) = (entry_id(range.start()), entry_id(range.end()));
        let mut keys = vec![first];
        for index in first.index.0 + 1..last.index.0 {
            let id = self.log.entry_id(self.group, LogIndex(index));
            let id = id.ok_or_else(|| io::Error::other(format!("entry {index} of the group is gone")))?;
            push_key(&mut keys, id);
        }
        push_key(&mut keys, last);
        Ok(keys.into_iter().filter_map(log_id).collect())
    }
}

/// The newer of two ids of one leader stays.
fn push_key(keys: &mut Vec<EntryId>, id: EntryId) {
    match keys.last_mut().filter(|key| key.term == id.term) {
        Some(key) => *key = id,
        None => keys.push(id),
    }
}

impl<D: Driver> RaftLogStorage<Types> for Store<D> {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<Types>> {
        let facts = self.log.group_facts(self.group);
        Ok(LogState { last_purged_log_id: log_id(facts.purged), last_log_id: log_id(facts.last) })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        let leader = vote.leader_id();
        let vote = corelog::Vote { term: Term(leader.term()), node: *leader.node_id(), committed: vote.is_committed() };
        self.log.save_vote(self.group, vote).map_err(io_error)?.await.map_err(io_error)
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types>) -> io::Result<()>
    where
        I: IntoIterator<Item = Entry>,
    {
        let entries = entries.into_iter().map(|entry| {
            let id = entry_id(&entry.log_id);
            if let EntryPayload::Normal(Proposal { number, .. }) = &entry.payload {
                self.progress.appended(id.index, *number);
            }
            GroupEntry { id, content: content(entry) }
        });
        let entries: Vec<GroupEntry> = entries.collect();
        if let Some(first) = entries.first().filter(|_| self.begins_anywhere) {
            let before = LogIndex(first.id.index.0 - 1);
            self.log.begin_group(self.group, EntryId { term: first.id.term, index: before });
        }
        let progress = self.progress.clone();
        let flushed = move |result: model::Result<()>| {
            if let Err(error) = &result {
                progress.fail(error.clone());
            }
            callback.io_completed(result.map_err(io_error));
        };
        let appended = self.log.append_entries(self.group, entries, Box::new(flushed));
        appended.map_err(|error| {
            self.progress.fail(error.clone());
            io_error(error)
        })
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> io::Result<()> {
        let kept = entry_id_or_none(last.as_ref());
        drop(self.log.truncate_group(self.group, kept).map_err(io_error)?);
        self.progress.cut(kept.index);
        Ok(())
    }

    async fn purge(&mut self, id: LogId) -> io::Result<()> {
        let (id, state) = (entry_id(&id), self.progress.snapshot_state());
        match self.log.purge_group(self.group, id, state.clone()) {
            Err(error) if error.kind == Kind::Conflict => {
                self.log.flushed().await.map_err(io_error)?;
                self.log.purge_group(self.group, id, state).map(drop).map_err(io_error)
            }
            purged => purged.map(drop).map_err(io_error),
        }
    }
}

fn content(entry: Entry) -> Content {
    match entry.payload {
        EntryPayload::Normal(Proposal { spot, batch, .. }) => Content::Batch(spot, batch),
        EntryPayload::Blank => Content::Own(own::blank()),
        EntryPayload::Membership(membership) => {
            Content::Own(own::encode(&StoredMembership::new(Some(entry.log_id), membership)))
        }
    }
}

fn raft_entry(entry: GroupEntry) -> io::Result<Entry> {
    let GroupEntry { id, content } = entry;
    let payload = match content {
        Content::Batch(spot, batch) => EntryPayload::Normal(Proposal { number: 0, spot, batch }),
        Content::Own(bytes) => match own::decode(&bytes).map_err(io_error)? {
            Some(stored) => EntryPayload::Membership(stored.membership().clone()),
            None => EntryPayload::Blank,
        },
    };
    let log_id = log_id(id).ok_or_else(|| io::Error::other("an entry has no index"))?;
    Ok(Entry { log_id, payload })
}

pub(crate) fn io_error(error: Error) -> io::Error {
    io::Error::other(error.to_string())
}

/// The entry that makes a node the only one of a new group.
pub(crate) fn founding(node: u64) -> (EntryId, StoredMembership) {
    let id = EntryId { term: Term(1), index: LogIndex(1) };
    (id, alone(node, id))
}

/// The membership of a group of one, brought by this entry.
pub(crate) fn alone(node: u64, by: EntryId) -> StoredMembership {
    StoredMembership::new(log_id(by), crate::types::Membership::new_with_defaults(vec![[node].into()], []))
}
