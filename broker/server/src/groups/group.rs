//! In which state is one group, and who belongs to it?

use std::collections::{BTreeMap, HashMap};

use kafka_protocol::ResponseError;

use super::coordinator::Token;
use super::member::Member;
use super::record::{StoredGroup, StoredOffset};
use super::request::{Described, Joined, JoinedMember, Place, Reply, Synced};

/// The states of the classic protocol. A group without members is `Empty`; one that was deleted is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Empty,
    /// Members are asked to join again, until all have or the time is up.
    PreparingRebalance {
        until_ms: i64,
    },
    /// All have joined; the leader's assignment is awaited.
    CompletingRebalance {
        until_ms: i64,
    },
    Stable,
}

impl State {
    /// The name that ListGroups and DescribeGroups give.
    pub fn name(self) -> &'static str {
        match self {
            State::Empty => "Empty",
            State::PreparingRebalance { .. } => "PreparingRebalance",
            State::CompletingRebalance { .. } => "CompletingRebalance",
            State::Stable => "Stable",
        }
    }
}

#[derive(Debug)]
pub struct Group {
    pub id: String,
    pub state: State,
    pub generation: i32,
    pub protocol_type: String,
    pub protocol: String,
    pub leader: String,
    /// By id; ordered, so that the same history gives the same answers.
    pub members: BTreeMap<String, Member>,
    /// Member id of each static member, by its instance id.
    pub instances: HashMap<String, String>,
    /// Ids that were given out (KIP-394) and not yet used, with the time when they lapse.
    pub promised: HashMap<String, i64>,
    pub offsets: BTreeMap<Place, StoredOffset>,
    /// The assignment is being written: syncs wait for it.
    pub writing: Option<i32>,
}

impl Group {
    pub fn new(id: &str) -> Group {
        Group {
            id: id.to_owned(),
            state: State::Empty,
            generation: 0,
            protocol_type: String::new(),
            protocol: String::new(),
            leader: String::new(),
            members: BTreeMap::new(),
            instances: HashMap::new(),
            promised: HashMap::new(),
            offsets: BTreeMap::new(),
            writing: None,
        }
    }

    /// A group as it was written; its members get a whole session to be heard of.
    pub fn restore(&mut self, stored: StoredGroup, now_ms: i64) {
        self.protocol_type = stored.protocol_type;
        self.generation = stored.generation;
        self.protocol = stored.protocol.unwrap_or_default();
        self.leader = stored.leader.unwrap_or_default();
        self.members.clear();
        self.instances.clear();
        for stored in stored.members {
            self.add(Member::restored(stored, &self.protocol, now_ms));
        }
        self.state = if self.members.is_empty() { State::Empty } else { State::Stable };
    }

    pub fn stored(&self, now_ms: i64) -> StoredGroup {
        let present = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        StoredGroup {
            protocol_type: self.protocol_type.clone(),
            generation: self.generation,
            protocol: present(&self.protocol),
            leader: present(&self.leader),
            changed_at_ms: now_ms,
            members: self.members.values().map(|member| member.stored(&self.protocol)).collect(),
        }
    }

    pub fn add(&mut self, member: Member) {
        if let Some(instance) = &member.instance {
            self.instances.insert(instance.clone(), member.id.clone());
        }
        self.promised.remove(&member.id);
        self.members.insert(member.id.clone(), member);
    }

    pub fn remove(&mut self, id: &str) -> Option<Member> {
        let member = self.members.remove(id)?;
        if let Some(instance) = &member.instance {
            self.instances.remove(instance);
        }
        if self.leader == id {
            self.leader = self.members.keys().next().cloned().unwrap_or_default();
        }
        Some(member)
    }

    /// The member of a request: known, and not fenced by another with the same instance id.
    pub fn member(&mut self, id: &str, instance: Option<&str>) -> Result<&mut Member, ResponseError> {
        if let Some(instance) = instance {
            match self.instances.get(instance) {
                None => return Err(ResponseError::UnknownMemberId),
                Some(current) if current != id => return Err(ResponseError::FencedInstanceId),
                Some(_) => {}
            }
        }
        self.members.get_mut(id).ok_or(ResponseError::UnknownMemberId)
    }

    /// As `member`, and of the current generation.
    pub fn current(&mut self, id: &str, instance: Option<&str>, generation: i32) -> Result<&mut Member, ResponseError> {
        let wanted = self.generation;
        let member = self.member(id, instance)?;
        if generation != wanted { Err(ResponseError::IllegalGeneration) } else { Ok(member) }
    }

    /// Whether a member with these protocols can be in the group.
    pub fn accepts(&self, protocol_type: &str, protocols: &[(String, bytes::Bytes)], except: Option<&str>) -> bool {
        let others: Vec<&Member> = self.members.values().filter(|m| Some(m.id.as_str()) != except).collect();
        if others.is_empty() {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        let common = |name: &String| others.iter().all(|m| m.protocols.iter().any(|(other, _)| other == name));
        protocol_type == self.protocol_type && protocols.iter().any(|(name, _)| common(name))
    }

    /// The protocol that all members know and most prefer.
    pub fn vote(&self) -> String {
        let known_to_all = |name: &str| self.members.values().all(|m| m.protocols.iter().any(|(p, _)| p == name));
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            if let Some((name, _)) = member.protocols.iter().find(|(name, _)| known_to_all(name)) {
                *votes.entry(name).or_default() += 1;
            }
        }
        let best = votes.iter().max_by_key(|(name, count)| (**count, std::cmp::Reverse(**name)));
        best.map(|(name, _)| (*name).to_owned()).unwrap_or_default()
    }

    pub fn rebalance_timeout_ms(&self) -> i64 {
        self.members.values().map(|m| i64::from(m.rebalance_timeout_ms)).max().unwrap_or(0)
    }

    pub fn joined(&self, member: &str, skip_assignment: bool) -> Reply {
        let leads = self.leader == member;
        let members = self.members.values().map(|m| JoinedMember {
            member: m.id.clone(),
            instance: m.instance.clone(),
            metadata: m.metadata(&self.protocol),
        });
        Reply::Join(Ok(Joined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            skip_assignment: leads && skip_assignment,
            member: member.to_owned(),
            members: if leads { members.collect() } else { Vec::new() },
        }))
    }

    pub fn synced(&self, member: &Member) -> Reply {
        Reply::Sync(Ok(Synced {
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            assignment: member.assignment.clone(),
        }))
    }

    pub fn described(&self) -> Described {
        Described {
            state: self.state.name(),
            protocol_type: self.protocol_type.clone(),
            protocol: if self.state == State::Stable { self.protocol.clone() } else { String::new() },
            members: self.members.values().map(|m| m.described(&self.protocol)).collect(),
        }
    }

    /// Answers all syncs that wait, each by `answer`.
    pub fn answer_syncs(&mut self, answer: impl Fn(&Group, &Member) -> Reply) -> Vec<(Token, Reply)> {
        let waiting: Vec<(Token, String)> =
            self.members.values_mut().filter_map(|m| Some((m.syncing.take()?, m.id.clone()))).collect();
        waiting.into_iter().map(|(token, id)| (token, answer(self, &self.members[&id]))).collect()
    }

    /// Whether a member reads this topic. Members whose subscription cannot be read may read any.
    pub fn is_subscribed(&self, topic: &str) -> bool {
        self.members.values().any(|member| match subscribed_topics(&member.metadata(&self.protocol)) {
            Some(topics) => topics.iter().any(|subscribed| subscribed == topic),
            None => true,
        })
    }

    /// Nothing in it is worth keeping.
    pub fn is_forgotten(&self) -> bool {
        self.members.is_empty() && self.offsets.is_empty() && self.promised.is_empty()
    }
}

/// The topics that a member of a "consumer" group subscribed to; the layout is ConsumerProtocolSubscription's.
fn subscribed_topics(mut metadata: &[u8]) -> Option<Vec<String>> {
    use bytes::Buf;
    metadata.try_get_i16().ok()?;
    let mut topics = Vec::new();
    for _ in 0..metadata.try_get_i32().ok()? {
        let len = usize::try_from(metadata.try_get_i16().ok()?).ok()?;
        let (name, rest) = metadata.split_at_checked(len)?;
        topics.push(std::str::from_utf8(name).ok()?.to_owned());
        metadata = rest;
    }
    Some(topics)
}
