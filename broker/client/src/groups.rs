//! Which consumer groups are there, who is in them, and how far have they come?

use std::time::Duration;

use bytes::{Buf, Bytes};
use kafka_protocol::messages::describe_groups_response::DescribedGroupMember;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::{
    DescribeGroupsRequest, DescribeGroupsResponse, GroupId, ListGroupsRequest, ListGroupsResponse, OffsetFetchRequest,
    OffsetFetchResponse,
};
use model::Offset;

use crate::connection::{Api, Client};
use crate::error::{Error, accept};
use crate::topics::text;

const LIST_GROUPS: Api = Api::new(16, "ListGroups", 0, 5);
const DESCRIBE_GROUPS: Api = Api::new(15, "DescribeGroups", 0, 5);
/// Null for "all topics" came with version 2.
const OFFSET_FETCH: Api = Api::new(9, "OffsetFetch", 2, 9);

/// A group in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub id: String,
    /// `consumer`, `connect` …
    pub protocol_type: String,
    /// `Stable`, `Empty` …; empty from nodes that do not say.
    pub state: String,
}

/// A group with its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    pub id: String,
    pub state: String,
    pub protocol_type: String,
    /// How partitions are given out: `range` …
    pub assignor: String,
    pub members: Vec<Member>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub id: String,
    /// The name of a static member (KIP-345).
    pub instance_id: Option<String>,
    pub client_id: String,
    pub host: String,
    /// Topics and partitions, for members that speak the consumer protocol.
    pub assigned: Vec<(String, Vec<i32>)>,
}

/// A committed offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupOffset {
    pub topic: String,
    pub partition: i32,
    /// The next record to be read.
    pub offset: Offset,
    pub metadata: String,
}

impl Client {
    /// All groups, by name.
    pub async fn list_groups(&mut self) -> Result<Vec<Group>, Error> {
        let request = |_| ListGroupsRequest::default();
        let answer: ListGroupsResponse = self.call(LIST_GROUPS, Duration::ZERO, request).await?;
        accept(|| "groups were not listed".to_owned(), answer.error_code, None)?;
        let group = |found: &ListedGroup| Group {
            id: found.group_id.to_string(),
            protocol_type: found.protocol_type.to_string(),
            state: found.group_state.to_string(),
        };
        let mut groups: Vec<_> = answer.groups.iter().map(group).collect();
        groups.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(groups)
    }

    /// A group that does not exist is `Dead`, without members.
    pub async fn describe_group(&mut self, id: &str) -> Result<Membership, Error> {
        let request = |_| DescribeGroupsRequest::default().with_groups(vec![GroupId(text(id))]);
        let answer: DescribeGroupsResponse = self.call(DESCRIBE_GROUPS, Duration::ZERO, request).await?;
        let found = answer.groups.first().ok_or_else(|| self.nonsense(DESCRIBE_GROUPS, "it is empty"))?;
        accept(|| format!("group '{id}'"), found.error_code, found.error_message.as_deref())?;
        Ok(Membership {
            id: found.group_id.to_string(),
            state: found.group_state.to_string(),
            protocol_type: found.protocol_type.to_string(),
            assignor: found.protocol_data.to_string(),
            members: found.members.iter().map(member).collect(),
        })
    }

    /// All offsets that a group has committed, by topic and partition. The lag is what lies between them and
    /// [`OffsetAt::Latest`](crate::OffsetAt::Latest).
    pub async fn group_offsets(&mut self, id: &str) -> Result<Vec<GroupOffset>, Error> {
        let request = |version| match version {
            ..=7 => OffsetFetchRequest::default().with_group_id(GroupId(text(id))).with_topics(None),
            _ => {
                let group = OffsetFetchRequestGroup::default()
                    .with_group_id(GroupId(text(id)))
                    .with_member_id(None)
                    .with_topics(None);
                OffsetFetchRequest::default().with_groups(vec![group])
            }
        };
        let (answer, version): (OffsetFetchResponse, i16) =
            self.call_versioned(OFFSET_FETCH, Duration::ZERO, request).await?;
        let what = || format!("offsets of group '{id}'");
        let mut offsets = Vec::new();
        if version <= 7 {
            accept(what, answer.error_code, None)?;
            for topic in &answer.topics {
                for found in &topic.partitions {
                    accept(what, found.error_code, None)?;
                    let (partition, at) = (found.partition_index, found.committed_offset);
                    offsets.push(group_offset(&topic.name, partition, at, found.metadata.as_deref()));
                }
            }
        } else {
            let group = answer.groups.first().ok_or_else(|| self.nonsense(OFFSET_FETCH, "it is empty"))?;
            accept(what, group.error_code, None)?;
            for topic in &group.topics {
                for found in &topic.partitions {
                    accept(what, found.error_code, None)?;
                    let (partition, at) = (found.partition_index, found.committed_offset);
                    offsets.push(group_offset(&topic.name, partition, at, found.metadata.as_deref()));
                }
            }
        }
        // -1 says that nothing is committed.
        offsets.retain(|offset| offset.offset >= Offset::ZERO);
        offsets.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
        Ok(offsets)
    }
}

fn group_offset(topic: &str, partition: i32, offset: i64, metadata: Option<&str>) -> GroupOffset {
    let metadata = metadata.unwrap_or_default().to_owned();
    GroupOffset { topic: topic.to_owned(), partition, offset: Offset(offset), metadata }
}

fn member(found: &DescribedGroupMember) -> Member {
    Member {
        id: found.member_id.to_string(),
        instance_id: found.group_instance_id.as_ref().map(|id| id.to_string()),
        client_id: found.client_id.to_string(),
        host: found.client_host.to_string(),
        assigned: assigned(found.member_assignment.clone()).unwrap_or_default(),
    }
}

/// What the group's leader gave to a member, in the consumer protocol: a version, then topics with partitions. `None`
/// when it is something else: the broker does not know what members tell each other, and any client can be one, so no
/// count is believed.
fn assigned(mut bytes: Bytes) -> Option<Vec<(String, Vec<i32>)>> {
    if bytes.try_get_i16().ok()? < 0 {
        return None;
    }
    let mut topics = Vec::new();
    for _ in 0..bytes.try_get_i32().ok()? {
        let length = usize::try_from(bytes.try_get_i16().ok()?).ok()?;
        if length > bytes.len() {
            return None;
        }
        let name = String::from_utf8(bytes.split_to(length).into()).ok()?;
        let mut partitions = Vec::new();
        for _ in 0..bytes.try_get_i32().ok()? {
            partitions.push(bytes.try_get_i32().ok()?);
        }
        topics.push((name, partitions));
    }
    Some(topics)
}

#[cfg(test)]
mod tests;
