//! What does a coordinator do with a request, a finished write, or the passing of time?

use std::collections::{BTreeMap, HashMap};

use kafka_protocol::ResponseError;
use model::limits::{CLIENT_ID_BYTES_MAX, COMMIT_BYTES_MAX, GROUP_ID_BYTES_MAX};

use super::group::{Group, State};
use super::rebalance::Outcome;
use super::record::{self, Fact, GroupRecord, StoredOffset};
use super::request::{Commit, CommitOffset, Join, Listed, Offsets, Place, Reply, Request};

/// Names a request whose reply may come later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token(pub u64);

/// Names a write whose outcome is told by [`Coordinator::persisted`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket(pub u64);

#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    Reply(Token, Reply),
    /// Append these to the group's partition of `__consumer_offsets`, then call `persisted`.
    Persist {
        ticket: Ticket,
        group: String,
        records: Vec<GroupRecord>,
    },
}

#[derive(Debug, Clone)]
pub struct GroupSettings {
    pub session_timeout_min_ms: i32,
    pub session_timeout_max_ms: i32,
    pub initial_rebalance_delay_ms: i64,
    pub members_max: usize,
    pub metadata_bytes_max: usize,
}

impl Default for GroupSettings {
    /// Kafka's defaults, but no wait for more members: most groups are small, and a new one should start at once.
    fn default() -> Self {
        GroupSettings {
            session_timeout_min_ms: 1_000,
            session_timeout_max_ms: 1_800_000,
            initial_rebalance_delay_ms: 0,
            members_max: 5_000,
            metadata_bytes_max: 4_096,
        }
    }
}

/// What happens once a write is durable.
enum Pending {
    Assignment {
        generation: i32,
    },
    Commit {
        token: Token,
        offsets: Vec<(Place, StoredOffset)>,
        refused: Vec<(Place, ResponseError)>,
        order: Vec<Place>,
    },
    Delete {
        token: Token,
    },
    DeleteOffsets {
        token: Token,
        answers: Vec<(Place, Option<ResponseError>)>,
    },
    Nothing,
}

/// All groups of one shard.
pub struct Coordinator {
    settings: GroupSettings,
    groups: HashMap<String, Group>,
    pending: HashMap<Ticket, (String, Pending)>,
    tickets: u64,
}

impl Coordinator {
    pub fn new(settings: GroupSettings) -> Coordinator {
        Coordinator { settings, groups: HashMap::new(), pending: HashMap::new(), tickets: 0 }
    }

    /// Takes in a record of `__consumer_offsets` at start, in the order of the log.
    pub fn replay(&mut self, key: &[u8], value: Option<&[u8]>, now_ms: i64) {
        match record::parse(key, value) {
            Some(Fact::Offset { group, place, offset: Some(offset) }) => {
                self.group(&group).offsets.insert(place, offset);
            }
            Some(Fact::Offset { group, place, offset: None }) => {
                self.group(&group).offsets.remove(&place);
            }
            Some(Fact::Group { group, metadata: Some(metadata) }) => self.group(&group).restore(metadata, now_ms),
            Some(Fact::Group { group, metadata: None }) => {
                self.groups.remove(&group);
            }
            Some(Fact::Other) => {}
            None => tracing::warn!("a record of __consumer_offsets cannot be read and is passed over"),
        }
    }

    /// `fresh_id` is a suffix that no other member has ever got.
    pub fn handle(&mut self, now_ms: i64, token: Token, request: Request, fresh_id: &str) -> Vec<Effect> {
        match request {
            Request::Join(join) => self.join(now_ms, token, join, fresh_id),
            Request::Sync(sync) => {
                let id = sync.group.clone();
                self.within(now_ms, &id, |group| group.sync(token, sync, now_ms))
                    .unwrap_or_else(|| reply(token, Reply::Sync(Err(ResponseError::UnknownMemberId))))
            }
            Request::Heartbeat { group, member, instance, generation } => {
                let found = self.groups.get_mut(&group).ok_or(ResponseError::UnknownMemberId);
                let answer = found.and_then(|g| heartbeat(g, &member, instance.as_deref(), generation, now_ms));
                reply(token, Reply::Heartbeat(answer))
            }
            Request::Leave(leave) => {
                let id = leave.group.clone();
                self.within(now_ms, &id, |group| group.leave(token, leave, now_ms))
                    .unwrap_or_else(|| reply(token, Reply::Leave(Err(ResponseError::UnknownMemberId))))
            }
            Request::Commit(commit) => self.commit(now_ms, token, commit),
            Request::Offsets { group, places } => reply(token, Reply::Offsets(self.offsets(&group, places))),
            Request::Describe { group } => {
                let described = self.groups.get(&group).map(Group::described);
                reply(token, Reply::Describe(described.ok_or(ResponseError::GroupIdNotFound)))
            }
            Request::List { states, types } => reply(token, Reply::List(self.list(&states, &types))),
            Request::Delete { group } => self.delete(token, &group),
            Request::DeleteOffsets { group, places } => self.delete_offsets(token, &group, places),
        }
    }

    /// Drops the offsets in topics that are deleted; a group without members and other offsets goes with them.
    pub fn forget_topics(&mut self, deleted: impl Fn(&str) -> bool) -> Vec<Effect> {
        let mut writes = Vec::new();
        self.groups.retain(|id, group| {
            let gone: Vec<Place> = group.offsets.keys().filter(|place| deleted(&place.0)).cloned().collect();
            if gone.is_empty() {
                return true;
            }
            gone.iter().for_each(|place| drop(group.offsets.remove(place)));
            let mut records: Vec<GroupRecord> =
                gone.iter().map(|place| record::offset_record(id, place, None)).collect();
            let is_over = group.is_forgotten() && group.state == State::Empty;
            if is_over {
                records.push(record::group_record(id, None));
            }
            writes.push((id.clone(), records));
            !is_over
        });
        writes.into_iter().map(|(id, records)| self.persist(&id, records, Pending::Nothing)).collect()
    }

    /// The outcome of a write that [`Effect::Persist`] asked for.
    pub fn persisted(&mut self, now_ms: i64, ticket: Ticket, durable: bool) -> Vec<Effect> {
        let Some((id, pending)) = self.pending.remove(&ticket) else { return Vec::new() };
        match pending {
            Pending::Nothing => Vec::new(),
            Pending::Assignment { generation } => {
                self.within(now_ms, &id, |group| group.written(generation, durable, now_ms)).unwrap_or_default()
            }
            Pending::Commit { token, offsets, refused, order } => {
                let failed = (!durable).then_some(ResponseError::CoordinatorNotAvailable);
                if durable {
                    self.group(&id).offsets.extend(offsets);
                }
                let error = |place: &Place| refused.iter().find(|(p, _)| p == place).map(|(_, error)| *error);
                let answers = order.into_iter().map(|place| (place.clone(), error(&place).or(failed))).collect();
                reply(token, Reply::Commit(answers))
            }
            Pending::Delete { token } => {
                if durable {
                    self.buried(&id);
                }
                let outcome = if durable { Ok(()) } else { Err(ResponseError::CoordinatorNotAvailable) };
                reply(token, Reply::Delete(outcome))
            }
            Pending::DeleteOffsets { token, answers } => {
                if !durable {
                    let error = ResponseError::CoordinatorNotAvailable;
                    return reply(token, Reply::DeleteOffsets(Err(error)));
                }
                let group = self.group(&id);
                for (place, _) in answers.iter().filter(|(_, error)| error.is_none()) {
                    group.offsets.remove(place);
                }
                reply(token, Reply::DeleteOffsets(Ok(answers)))
            }
        }
    }

    /// A group's deletion is durable. Members that came meanwhile stay, and write the group anew.
    fn buried(&mut self, id: &str) {
        match self.groups.get_mut(id) {
            Some(group) if group.state != State::Empty => group.offsets.clear(),
            _ => drop(self.groups.remove(id)),
        }
    }

    /// To be called at [`Coordinator::next_deadline_ms`].
    pub fn tick(&mut self, now_ms: i64) -> Vec<Effect> {
        let due = |group: &&Group| group.next_deadline_ms().is_some_and(|at| at <= now_ms);
        let due: Vec<String> = self.groups.values().filter(due).map(|group| group.id.clone()).collect();
        due.iter().filter_map(|id| self.within(now_ms, id, |group| group.tick(now_ms))).flatten().collect()
    }

    pub fn next_deadline_ms(&self) -> Option<i64> {
        self.groups.values().filter_map(Group::next_deadline_ms).min()
    }

    fn group(&mut self, id: &str) -> &mut Group {
        self.groups.entry(id.to_owned()).or_insert_with(|| Group::new(id))
    }

    /// Runs `change` on a group that exists, and turns its outcome into effects.
    fn within(&mut self, now_ms: i64, id: &str, change: impl FnOnce(&mut Group) -> Outcome) -> Option<Vec<Effect>> {
        let group = self.groups.get_mut(id)?;
        let outcome = change(group);
        let write = outcome.write.then(|| {
            let pending = match group.writing {
                Some(generation) => Pending::Assignment { generation },
                None => Pending::Nothing,
            };
            (record::group_record(id, Some(&group.stored(now_ms))), pending)
        });
        if group.is_forgotten() && group.state == State::Empty && write.is_none() {
            self.groups.remove(id);
        }
        let mut effects: Vec<Effect> =
            outcome.replies.into_iter().map(|(token, reply)| Effect::Reply(token, reply)).collect();
        if let Some((record, pending)) = write {
            effects.push(self.persist(id, vec![record], pending));
        }
        Some(effects)
    }

    fn persist(&mut self, group: &str, records: Vec<GroupRecord>, pending: Pending) -> Effect {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.pending.insert(ticket, (group.to_owned(), pending));
        Effect::Persist { ticket, group: group.to_owned(), records }
    }

    fn join(&mut self, now_ms: i64, token: Token, join: Join, fresh_id: &str) -> Vec<Effect> {
        let refuse = |error| reply(token, Reply::Join(Err((error, join.member.clone()))));
        if !is_group_id(&join.group) {
            return refuse(ResponseError::InvalidGroupId);
        }
        let legal = self.settings.session_timeout_min_ms..=self.settings.session_timeout_max_ms;
        if !legal.contains(&join.session_timeout_ms) {
            return refuse(ResponseError::InvalidSessionTimeout);
        }
        if !join.member.is_empty() && !self.groups.contains_key(&join.group) {
            return refuse(ResponseError::UnknownMemberId);
        }
        let stem = cut(join.instance.as_deref().unwrap_or(&join.client_id));
        let fresh_id = format!("{stem}-{fresh_id}");
        let join = Join { client_id: cut(&join.client_id).to_owned(), ..join };
        let (settings, id) = (self.settings.clone(), join.group.clone());
        self.group(&id);
        self.within(now_ms, &id, |group| group.join(token, join, fresh_id, now_ms, &settings)).unwrap_or_default()
    }

    fn commit(&mut self, now_ms: i64, token: Token, commit: Commit) -> Vec<Effect> {
        let order: Vec<Place> = commit.offsets.iter().map(|offset| offset.place.clone()).collect();
        if let Err(error) = self.may_commit(now_ms, &commit) {
            let answers = order.into_iter().map(|place| (place, Some(error))).collect();
            return reply(token, Reply::Commit(answers));
        }
        let (mut offsets, mut refused) = (Vec::new(), Vec::new());
        // A place that is named more than once counts the last time.
        let last: BTreeMap<Place, CommitOffset> = commit.offsets.into_iter().map(|o| (o.place.clone(), o)).collect();
        for offset in last.into_values() {
            if offset.metadata.len() > self.settings.metadata_bytes_max {
                refused.push((offset.place, ResponseError::OffsetMetadataTooLarge));
                continue;
            }
            let stored = StoredOffset {
                offset: offset.offset,
                leader_epoch: offset.leader_epoch,
                metadata: offset.metadata,
                committed_at_ms: now_ms,
            };
            offsets.push((offset.place, stored));
        }
        let records: Vec<GroupRecord> =
            offsets.iter().map(|(place, offset)| record::offset_record(&commit.group, place, Some(offset))).collect();
        if records.is_empty() {
            let answers = refused.into_iter().map(|(place, error)| (place, Some(error))).collect();
            return reply(token, Reply::Commit(answers));
        }
        vec![self.persist(&commit.group, records, Pending::Commit { token, offsets, refused, order })]
    }

    fn may_commit(&mut self, now_ms: i64, commit: &Commit) -> Result<(), ResponseError> {
        if !is_group_id(&commit.group) {
            return Err(ResponseError::InvalidGroupId);
        }
        let bytes = |offset: &CommitOffset| commit.group.len() + offset.place.0.len() + offset.metadata.len() + 64;
        if commit.offsets.iter().map(bytes).sum::<usize>() > COMMIT_BYTES_MAX {
            return Err(ResponseError::InvalidRequest);
        }
        let alone = commit.generation < 0 && commit.member.is_empty();
        match self.groups.get_mut(&commit.group) {
            None if commit.generation < 0 => Ok(()),
            None => Err(ResponseError::IllegalGeneration),
            Some(group) if alone && group.state == State::Empty => Ok(()),
            Some(group) => {
                let member = group.current(&commit.member, commit.instance.as_deref(), commit.generation)?;
                member.heard_of(now_ms);
                match group.state {
                    State::CompletingRebalance { .. } => Err(ResponseError::RebalanceInProgress),
                    _ => Ok(()),
                }
            }
        }
    }

    fn offsets(&self, group: &str, places: Option<Vec<Place>>) -> Offsets {
        let known = self.groups.get(group).map(|group| &group.offsets);
        let value = |offset: &StoredOffset| (offset.offset, offset.leader_epoch, offset.metadata.clone());
        let places = match places {
            Some(places) => places,
            None => known.map(|known| known.keys().cloned().collect()).unwrap_or_default(),
        };
        let find = |place: &Place| known.and_then(|known| known.get(place)).map(value);
        Offsets(places.into_iter().map(|place| (place.clone(), find(&place))).collect())
    }

    fn list(&self, states: &[String], types: &[String]) -> Vec<Listed> {
        let passes =
            |wanted: &[String], is: &str| wanted.is_empty() || wanted.iter().any(|w| w.eq_ignore_ascii_case(is));
        let listed = self.groups.values().filter(|g| passes(states, g.state.name()) && passes(types, "classic"));
        let mut listed: Vec<Listed> = listed
            .map(|g| Listed { group: g.id.clone(), protocol_type: g.protocol_type.clone(), state: g.state.name() })
            .collect();
        listed.sort_by(|a, b| a.group.cmp(&b.group));
        listed
    }

    fn delete(&mut self, token: Token, id: &str) -> Vec<Effect> {
        let refuse = |error| reply(token, Reply::Delete(Err(error)));
        match self.groups.get(id) {
            None => refuse(ResponseError::GroupIdNotFound),
            Some(group) if group.state != State::Empty => refuse(ResponseError::NonEmptyGroup),
            Some(group) => {
                let offsets = group.offsets.keys().map(|place| record::offset_record(id, place, None));
                let records = offsets.chain([record::group_record(id, None)]).collect();
                vec![self.persist(id, records, Pending::Delete { token })]
            }
        }
    }

    fn delete_offsets(&mut self, token: Token, id: &str, places: Vec<Place>) -> Vec<Effect> {
        let Some(group) = self.groups.get(id) else {
            return reply(token, Reply::DeleteOffsets(Err(ResponseError::GroupIdNotFound)));
        };
        let answers: Vec<(Place, Option<ResponseError>)> = places
            .into_iter()
            .map(|place| {
                let subscribed = group.is_subscribed(&place.0);
                (place, subscribed.then_some(ResponseError::GroupSubscribedToTopic))
            })
            .collect();
        let removed = answers.iter().filter(|(_, error)| error.is_none());
        let records: Vec<GroupRecord> = removed.map(|(place, _)| record::offset_record(id, place, None)).collect();
        if records.is_empty() {
            return reply(token, Reply::DeleteOffsets(Ok(answers)));
        }
        vec![self.persist(id, records, Pending::DeleteOffsets { token, answers })]
    }
}

fn is_group_id(text: &str) -> bool {
    (1..=GROUP_ID_BYTES_MAX).contains(&text.len())
}

/// The beginning of what a client calls itself: enough for people, and never too long for a record.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(CLIENT_ID_BYTES_MAX)]
}

fn reply(token: Token, reply: Reply) -> Vec<Effect> {
    vec![Effect::Reply(token, reply)]
}

fn heartbeat(
    group: &mut Group,
    member: &str,
    instance: Option<&str>,
    generation: i32,
    now_ms: i64,
) -> Result<(), ResponseError> {
    let state = group.state;
    group.current(member, instance, generation)?.heard_of(now_ms);
    match state {
        State::PreparingRebalance { .. } => Err(ResponseError::RebalanceInProgress),
        _ => Ok(()),
    }
}
