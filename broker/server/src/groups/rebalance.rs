//! How do members come to share a generation?
//!
//! `join → prepare → (all joined or time up) complete → sync by the leader → written → stable`.

use kafka_protocol::ResponseError;

use super::coordinator::{GroupSettings, Token};
use super::group::{Group, State};
use super::member::Member;
use super::request::{Join, Leave, LeaveMember, Reply, Sync};

/// Answers that are due, and whether the group must be written.
#[derive(Debug, Default)]
pub struct Outcome {
    pub replies: Vec<(Token, Reply)>,
    pub write: bool,
}

impl Outcome {
    fn reply(token: Token, reply: Reply) -> Outcome {
        Outcome { replies: vec![(token, reply)], write: false }
    }

    fn and(mut self, other: Outcome) -> Outcome {
        self.replies.extend(other.replies);
        self.write |= other.write;
        self
    }
}

fn refuse_join(token: Token, error: ResponseError, member: &str) -> Outcome {
    Outcome::reply(token, Reply::Join(Err((error, member.to_owned()))))
}

impl Group {
    /// `fresh_id` is used if the member has none yet.
    pub fn join(
        &mut self,
        token: Token,
        join: Join,
        fresh_id: String,
        now_ms: i64,
        settings: &GroupSettings,
    ) -> Outcome {
        if !self.accepts(&join.protocol_type, &join.protocols, Some(&join.member)) {
            return refuse_join(token, ResponseError::InconsistentGroupProtocol, &join.member);
        }
        if join.member.is_empty() {
            return self.join_new(token, join, fresh_id, now_ms, settings);
        }
        if self.promised.contains_key(&join.member) {
            let id = join.member.clone();
            return self.admit(token, join, id, now_ms, settings);
        }
        match self.member(&join.member, join.instance.as_deref()) {
            Err(error) => refuse_join(token, error, &join.member),
            Ok(_) => self.rejoin(token, join, now_ms, settings),
        }
    }

    fn join_new(&mut self, token: Token, join: Join, id: String, now_ms: i64, settings: &GroupSettings) -> Outcome {
        if let Some(instance) = &join.instance {
            return match self.instances.get(instance).cloned() {
                Some(old) => self.replace(token, join, &old, id, now_ms, settings),
                None => self.admit(token, join, id, now_ms, settings),
            };
        }
        if !join.id_required {
            return self.admit(token, join, id, now_ms, settings);
        }
        if self.members.len() + self.promised.len() >= settings.members_max {
            return refuse_join(token, ResponseError::GroupMaxSizeReached, "");
        }
        self.promised.insert(id.clone(), now_ms + i64::from(join.session_timeout_ms));
        refuse_join(token, ResponseError::MemberIdRequired, &id)
    }

    fn admit(&mut self, token: Token, join: Join, id: String, now_ms: i64, settings: &GroupSettings) -> Outcome {
        if self.members.len() >= settings.members_max {
            return refuse_join(token, ResponseError::GroupMaxSizeReached, &join.member);
        }
        let mut member = Member::new(id.clone(), &join, now_ms);
        member.joining = Some(token);
        if self.members.is_empty() {
            self.leader = id;
            self.protocol_type = join.protocol_type;
        }
        let first = self.state == State::Empty;
        self.add(member);
        match self.state {
            State::PreparingRebalance { until_ms } => {
                // More members within the initial delay push its end a little further, as in Kafka.
                if self.generation_is_first() {
                    let delayed = now_ms + settings.initial_rebalance_delay_ms;
                    self.state = State::PreparingRebalance { until_ms: until_ms.max(delayed) };
                }
                self.complete_if_ready(now_ms, false)
            }
            _ => self.prepare(now_ms, first.then_some(settings.initial_rebalance_delay_ms)),
        }
    }

    /// Nobody has got a generation of this group yet: all who join are new.
    fn generation_is_first(&self) -> bool {
        self.protocol.is_empty()
    }

    /// A static member came back under a new id: the old one is fenced (KIP-345).
    fn replace(
        &mut self,
        token: Token,
        join: Join,
        old: &str,
        id: String,
        now_ms: i64,
        settings: &GroupSettings,
    ) -> Outcome {
        let mut member = self.members.remove(old).expect("instances name members");
        let mut outcome = Outcome::default();
        if let Some(waiting) = member.joining.take() {
            outcome.replies.push((waiting, Reply::Join(Err((ResponseError::FencedInstanceId, old.to_owned())))));
        }
        if let Some(waiting) = member.syncing.take() {
            outcome.replies.push((waiting, Reply::Sync(Err(ResponseError::FencedInstanceId))));
        }
        let unchanged = member.protocols == join.protocols;
        member.id = id.clone();
        member.update(&join, now_ms);
        if self.leader == old {
            self.leader = id.clone();
        }
        self.add(member);
        if self.state == State::Stable && unchanged {
            let mut answer = Outcome::reply(token, self.joined(&id, join.may_skip_assignment));
            answer.write = true;
            return outcome.and(answer);
        }
        let join = Join { member: id, ..join };
        outcome.and(self.rejoin(token, join, now_ms, settings))
    }

    fn rejoin(&mut self, token: Token, join: Join, now_ms: i64, _settings: &GroupSettings) -> Outcome {
        let leads = self.leader == join.member;
        let state = self.state;
        let member = self.members.get_mut(&join.member).expect("looked up before");
        let unchanged = member.protocols == join.protocols;
        member.update(&join, now_ms);
        match state {
            State::CompletingRebalance { .. } if unchanged => Outcome::reply(token, self.joined(&join.member, false)),
            State::Stable if unchanged && !leads => Outcome::reply(token, self.joined(&join.member, false)),
            _ => {
                let superseded = self.members.get_mut(&join.member).and_then(|m| m.joining.replace(token));
                let mut outcome = Outcome::default();
                if let Some(old) = superseded {
                    let error = (ResponseError::UnknownMemberId, join.member.clone());
                    outcome.replies.push((old, Reply::Join(Err(error))));
                }
                outcome.and(match state {
                    State::PreparingRebalance { .. } => self.complete_if_ready(now_ms, false),
                    _ => self.prepare(now_ms, None),
                })
            }
        }
    }

    /// Asks all members to join again. With a delay: a new group waits for more members first.
    pub fn prepare(&mut self, now_ms: i64, delay_ms: Option<i64>) -> Outcome {
        let replies = self.answer_syncs(|_, _| Reply::Sync(Err(ResponseError::RebalanceInProgress)));
        self.writing = None;
        let wait_ms = delay_ms.unwrap_or_else(|| self.rebalance_timeout_ms());
        self.state = State::PreparingRebalance { until_ms: now_ms + wait_ms };
        let waits_for_more = delay_ms.is_some_and(|delay| delay > 0);
        let outcome = Outcome { replies, write: false };
        if waits_for_more { outcome } else { outcome.and(self.complete_if_ready(now_ms, false)) }
    }

    /// Ends the join phase when all have joined, or when its time is up.
    pub fn complete_if_ready(&mut self, now_ms: i64, time_is_up: bool) -> Outcome {
        let State::PreparingRebalance { until_ms } = self.state else { return Outcome::default() };
        let all_joined = self.promised.is_empty() && self.members.values().all(|m| m.joining.is_some());
        let delayed = self.generation_is_first() && now_ms < until_ms;
        if time_is_up || (all_joined && !delayed) { self.complete(now_ms) } else { Outcome::default() }
    }

    fn complete(&mut self, now_ms: i64) -> Outcome {
        let late: Vec<String> = self
            .members
            .values()
            .filter(|m| m.joining.is_none() && m.instance.is_none())
            .map(|m| m.id.clone())
            .collect();
        for id in late {
            self.remove(&id);
        }
        self.generation += 1;
        if self.members.is_empty() {
            self.state = State::Empty;
            self.protocol.clear();
            self.leader.clear();
            return Outcome { replies: Vec::new(), write: true };
        }
        self.protocol = self.vote();
        self.state = State::CompletingRebalance { until_ms: now_ms + self.rebalance_timeout_ms() };
        let mut waiting = Vec::new();
        for member in self.members.values_mut() {
            member.heard_of(now_ms);
            member.assignment.clear();
            waiting.extend(member.joining.take().map(|token| (token, member.id.clone())));
        }
        if !waiting.iter().any(|(_, id)| *id == self.leader) {
            self.leader = waiting.first().map(|(_, id)| id.clone()).unwrap_or_default();
        }
        let replies = waiting.into_iter().map(|(token, id)| (token, self.joined(&id, false))).collect();
        Outcome { replies, write: false }
    }

    pub fn sync(&mut self, token: Token, sync: Sync, now_ms: i64) -> Outcome {
        let refuse = |error| Outcome::reply(token, Reply::Sync(Err(error)));
        if let Err(error) = self.current(&sync.member, sync.instance.as_deref(), sync.generation) {
            return refuse(error);
        }
        let differs = |given: &Option<String>, ours: &str| given.as_deref().is_some_and(|given| given != ours);
        if differs(&sync.protocol_type, &self.protocol_type) || differs(&sync.protocol, &self.protocol) {
            return refuse(ResponseError::InconsistentGroupProtocol);
        }
        let leads = self.leader == sync.member;
        let member = self.members.get_mut(&sync.member).expect("checked above");
        member.heard_of(now_ms);
        match self.state {
            State::Stable => Outcome::reply(token, self.synced(&self.members[&sync.member])),
            State::CompletingRebalance { .. } => {
                let mut outcome = Outcome::default();
                if let Some(superseded) = member.syncing.replace(token) {
                    outcome.replies.push((superseded, Reply::Sync(Err(ResponseError::RebalanceInProgress))));
                }
                if !leads || self.writing.is_some() {
                    return outcome;
                }
                for (id, assignment) in sync.assignments {
                    if let Some(member) = self.members.get_mut(&id) {
                        member.assignment = assignment;
                    }
                }
                self.writing = Some(self.generation);
                Outcome { write: true, ..outcome }
            }
            State::PreparingRebalance { .. } => refuse(ResponseError::RebalanceInProgress),
            State::Empty => refuse(ResponseError::UnknownMemberId),
        }
    }

    /// The assignment of `generation` is durable, or could not be written.
    pub fn written(&mut self, generation: i32, durable: bool, now_ms: i64) -> Outcome {
        if self.writing != Some(generation) {
            return Outcome::default();
        }
        self.writing = None;
        if !durable {
            return self.prepare(now_ms, None);
        }
        self.state = State::Stable;
        for member in self.members.values_mut() {
            member.heard_of(now_ms);
        }
        Outcome { replies: self.answer_syncs(Group::synced), write: false }
    }

    pub fn leave(&mut self, token: Token, leave: Leave, now_ms: i64) -> Outcome {
        let mut answers = Vec::new();
        let mut outcome = Outcome::default();
        let mut left = false;
        for leaving in leave.members {
            let id = match (&leaving.instance, leaving.member.is_empty()) {
                (Some(instance), true) => self.instances.get(instance).cloned(),
                _ => Some(leaving.member.clone()),
            };
            let result = match id {
                Some(id) if self.promised.remove(&id).is_some() => Ok(()),
                Some(id) => self.member(&id, leaving.instance.as_deref()).map(|_| ()).map(|()| {
                    outcome.replies.extend(self.expel(&id));
                    left = true;
                }),
                None => Err(ResponseError::UnknownMemberId),
            };
            answers.push((LeaveMember { ..leaving }, result.err()));
        }
        outcome.replies.push((token, Reply::Leave(Ok(answers))));
        if left {
            outcome.and(self.after_departure(now_ms))
        } else {
            outcome.and(self.complete_if_ready(now_ms, false))
        }
    }

    /// Removes a member and answers what it still waits for.
    fn expel(&mut self, id: &str) -> Vec<(Token, Reply)> {
        let Some(member) = self.remove(id) else { return Vec::new() };
        let unknown = ResponseError::UnknownMemberId;
        let join = member.joining.map(|token| (token, Reply::Join(Err((unknown, id.to_owned())))));
        let sync = member.syncing.map(|token| (token, Reply::Sync(Err(unknown))));
        join.into_iter().chain(sync).collect()
    }

    fn after_departure(&mut self, now_ms: i64) -> Outcome {
        match self.state {
            State::Stable | State::CompletingRebalance { .. } => self.prepare(now_ms, None),
            State::PreparingRebalance { .. } => self.complete_if_ready(now_ms, self.members.is_empty()),
            State::Empty => Outcome::default(),
        }
    }

    /// Lets the time do its work: lapsed ids, silent members, phases that are over.
    pub fn tick(&mut self, now_ms: i64) -> Outcome {
        let promised_before = self.promised.len();
        self.promised.retain(|_, lapses_at_ms| *lapses_at_ms > now_ms);
        let mut outcome = Outcome::default();
        if self.promised.len() < promised_before {
            outcome = outcome.and(self.complete_if_ready(now_ms, false));
        }
        let silent = |m: &&Member| m.expires_at_ms <= now_ms && !m.is_waiting();
        let gone: Vec<String> = self.members.values().filter(silent).map(|m| m.id.clone()).collect();
        for id in &gone {
            outcome.replies.extend(self.expel(id));
        }
        if !gone.is_empty() {
            outcome = outcome.and(self.after_departure(now_ms));
        }
        match self.state {
            State::PreparingRebalance { until_ms } if until_ms <= now_ms => {
                outcome.and(self.complete_if_ready(now_ms, true))
            }
            State::CompletingRebalance { until_ms } if until_ms <= now_ms && self.writing.is_none() => {
                self.expire_unsynced(now_ms, outcome)
            }
            _ => outcome,
        }
    }

    /// Members that joined but never asked for their assignment are gone.
    fn expire_unsynced(&mut self, now_ms: i64, mut outcome: Outcome) -> Outcome {
        let missing: Vec<String> =
            self.members.values().filter(|m| m.syncing.is_none()).map(|m| m.id.clone()).collect();
        for id in &missing {
            outcome.replies.extend(self.expel(id));
        }
        outcome.and(self.prepare(now_ms, None))
    }

    /// When `tick` has something to do next.
    pub fn next_deadline_ms(&self) -> Option<i64> {
        let phase = match self.state {
            State::PreparingRebalance { until_ms } | State::CompletingRebalance { until_ms } => Some(until_ms),
            State::Empty | State::Stable => None,
        };
        let sessions = self.members.values().filter(|m| !m.is_waiting()).map(|m| m.expires_at_ms);
        sessions.chain(self.promised.values().copied()).chain(phase).min()
    }
}
