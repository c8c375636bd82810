//! What can be asked of a group coordinator, and what does it answer?

use bytes::Bytes;
use kafka_protocol::ResponseError;

/// A topic's partition by name, as offsets are kept: groups outlive topics.
pub type Place = (String, i32);

#[derive(Debug, Clone)]
pub enum Request {
    Join(Join),
    Sync(Sync),
    Heartbeat {
        group: String,
        member: String,
        instance: Option<String>,
        generation: i32,
    },
    Leave(Leave),
    Commit(Commit),
    /// `places: None` asks for all offsets of the group.
    Offsets {
        group: String,
        places: Option<Vec<Place>>,
    },
    Describe {
        group: String,
    },
    /// Empty filters let everything pass.
    List {
        states: Vec<String>,
        types: Vec<String>,
    },
    Delete {
        group: String,
    },
    DeleteOffsets {
        group: String,
        places: Vec<Place>,
    },
}

#[derive(Debug, Clone)]
pub struct Join {
    pub group: String,
    /// Empty: a new member.
    pub member: String,
    pub instance: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub session_timeout_ms: i32,
    pub rebalance_timeout_ms: i32,
    pub protocol_type: String,
    /// In the order of the member's preference.
    pub protocols: Vec<(String, Bytes)>,
    /// JoinGroup 4 and later: a new member is first told its id (KIP-394).
    pub id_required: bool,
    /// JoinGroup 9 and later: a leader that rejoins unchanged may keep its assignment (KIP-814).
    pub may_skip_assignment: bool,
}

#[derive(Debug, Clone)]
pub struct Sync {
    pub group: String,
    pub member: String,
    pub instance: Option<String>,
    pub generation: i32,
    pub protocol_type: Option<String>,
    pub protocol: Option<String>,
    /// From the leader: what each member gets.
    pub assignments: Vec<(String, Bytes)>,
}

#[derive(Debug, Clone)]
pub struct Leave {
    pub group: String,
    pub members: Vec<LeaveMember>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaveMember {
    pub member: String,
    pub instance: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Commit {
    pub group: String,
    /// Empty with generation -1: a consumer that manages its partitions itself.
    pub member: String,
    pub instance: Option<String>,
    pub generation: i32,
    pub offsets: Vec<CommitOffset>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitOffset {
    pub place: Place,
    pub offset: i64,
    pub leader_epoch: i32,
    pub metadata: String,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// On `MEMBER_ID_REQUIRED` the id comes along.
    Join(Result<Joined, (ResponseError, String)>),
    Sync(Result<Synced, ResponseError>),
    Heartbeat(Result<(), ResponseError>),
    Leave(Result<Vec<(LeaveMember, Option<ResponseError>)>, ResponseError>),
    /// One outcome per offset, in the order asked.
    Commit(Vec<(Place, Option<ResponseError>)>),
    Offsets(Offsets),
    Describe(Result<Described, ResponseError>),
    List(Vec<Listed>),
    Delete(Result<(), ResponseError>),
    DeleteOffsets(Result<Vec<(Place, Option<ResponseError>)>, ResponseError>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Joined {
    pub generation: i32,
    pub protocol_type: String,
    pub protocol: String,
    pub leader: String,
    pub skip_assignment: bool,
    pub member: String,
    /// For the leader all members, for others none.
    pub members: Vec<JoinedMember>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct JoinedMember {
    pub member: String,
    pub instance: Option<String>,
    pub metadata: Bytes,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Synced {
    pub protocol_type: String,
    pub protocol: String,
    pub assignment: Bytes,
}

/// An offset that was committed, with the leader epoch and the metadata that came along.
pub type Committed = (i64, i32, String);

/// `None` for a place without an offset.
#[derive(Debug, Clone, PartialEq)]
pub struct Offsets(pub Vec<(Place, Option<Committed>)>);

#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    pub state: &'static str,
    pub protocol_type: String,
    pub protocol: String,
    pub members: Vec<DescribedMember>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct DescribedMember {
    pub member: String,
    pub instance: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub metadata: Bytes,
    pub assignment: Bytes,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    pub group: String,
    pub protocol_type: String,
    pub state: &'static str,
}
