//! What does the coordinator know of one member?

use bytes::Bytes;

use super::coordinator::Token;
use super::record::StoredMember;
use super::request::{DescribedMember, Join};

#[derive(Debug, Clone)]
pub struct Member {
    pub id: String,
    pub instance: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub session_timeout_ms: i32,
    pub rebalance_timeout_ms: i32,
    /// In the order of the member's preference.
    pub protocols: Vec<(String, Bytes)>,
    pub assignment: Bytes,
    /// When it counts as gone unless it is heard of.
    pub expires_at_ms: i64,
    /// A join or sync of this member that has not been answered.
    pub joining: Option<Token>,
    pub syncing: Option<Token>,
}

impl Member {
    pub fn new(id: String, join: &Join, now_ms: i64) -> Member {
        let mut member = Member {
            id,
            instance: join.instance.clone(),
            client_id: join.client_id.clone(),
            client_host: join.client_host.clone(),
            session_timeout_ms: join.session_timeout_ms,
            rebalance_timeout_ms: 0,
            protocols: Vec::new(),
            assignment: Bytes::new(),
            expires_at_ms: 0,
            joining: None,
            syncing: None,
        };
        member.update(join, now_ms);
        member
    }

    pub fn update(&mut self, join: &Join, now_ms: i64) {
        self.session_timeout_ms = join.session_timeout_ms;
        // Version 0 of JoinGroup has no rebalance timeout: the session's counts.
        self.rebalance_timeout_ms =
            if join.rebalance_timeout_ms > 0 { join.rebalance_timeout_ms } else { join.session_timeout_ms };
        self.protocols = join.protocols.clone();
        self.heard_of(now_ms);
    }

    pub fn restored(stored: StoredMember, protocol: &str, now_ms: i64) -> Member {
        let mut member = Member {
            id: stored.member,
            instance: stored.instance,
            client_id: stored.client_id,
            client_host: stored.client_host,
            session_timeout_ms: stored.session_timeout_ms,
            rebalance_timeout_ms: stored.rebalance_timeout_ms,
            protocols: vec![(protocol.to_owned(), stored.metadata)],
            assignment: stored.assignment,
            expires_at_ms: 0,
            joining: None,
            syncing: None,
        };
        member.heard_of(now_ms);
        member
    }

    pub fn heard_of(&mut self, now_ms: i64) {
        self.expires_at_ms = now_ms + i64::from(self.session_timeout_ms);
    }

    /// A member whose request we hold is alive: it waits for us.
    pub fn is_waiting(&self) -> bool {
        self.joining.is_some() || self.syncing.is_some()
    }

    pub fn metadata(&self, protocol: &str) -> Bytes {
        let found = self.protocols.iter().find(|(name, _)| name == protocol);
        found.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
    }

    pub fn stored(&self, protocol: &str) -> StoredMember {
        StoredMember {
            member: self.id.clone(),
            instance: self.instance.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            session_timeout_ms: self.session_timeout_ms,
            metadata: self.metadata(protocol),
            assignment: self.assignment.clone(),
        }
    }

    pub fn described(&self, protocol: &str) -> DescribedMember {
        DescribedMember {
            member: self.id.clone(),
            instance: self.instance.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            metadata: self.metadata(protocol),
            assignment: self.assignment.clone(),
        }
    }
}
