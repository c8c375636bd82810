//! DescribeGroups: the members of groups, and what each has.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::{DescribeGroupsRequest, DescribeGroupsResponse, GroupId};
use kafka_protocol::protocol::StrBytes;
use runtime::Driver;

use super::{Call, Handled};
use crate::groups::{Described, Reply, Request};

/// Earlier versions show a group that does not exist as a dead one (KIP-1043).
const NOT_FOUND_SINCE: i16 = 6;
const INSTANCE_SINCE: i16 = 4;

pub async fn handle<D: Driver>(call: Call<D>) -> Handled {
    let request: DescribeGroupsRequest = call.decode()?;
    let version = call.version();
    let mut groups = Vec::new();
    for id in request.groups {
        let describe = Request::Describe { group: id.to_string() };
        let reply = call.shard.ask_group(id.as_str(), describe).await.await;
        let described = match reply {
            Some(Reply::Describe(outcome)) => outcome,
            _ => Err(ResponseError::CoordinatorNotAvailable),
        };
        groups.push(respond(id, described, version));
    }
    call.answer(&DescribeGroupsResponse::default().with_groups(groups))
}

fn respond(id: GroupId, described: Result<Described, ResponseError>, version: i16) -> DescribedGroup {
    let group = DescribedGroup::default().with_group_id(id);
    let described = match described {
        Ok(described) => described,
        Err(ResponseError::GroupIdNotFound) => {
            let group = group.with_group_state(StrBytes::from_static_str("Dead"));
            return match version >= NOT_FOUND_SINCE {
                true => group.with_error_code(ResponseError::GroupIdNotFound.code()),
                false => group,
            };
        }
        Err(error) => return group.with_error_code(error.code()),
    };
    let members = described.members.into_iter().map(|member| {
        let instance = member.instance.filter(|_| version >= INSTANCE_SINCE);
        DescribedGroupMember::default()
            .with_member_id(StrBytes::from_string(member.member))
            .with_group_instance_id(instance.map(StrBytes::from_string))
            .with_client_id(StrBytes::from_string(member.client_id))
            .with_client_host(StrBytes::from_string(member.client_host))
            .with_member_metadata(member.metadata)
            .with_member_assignment(member.assignment)
    });
    group
        .with_group_state(StrBytes::from_static_str(described.state))
        .with_protocol_type(StrBytes::from_string(described.protocol_type))
        .with_protocol_data(StrBytes::from_string(described.protocol))
        .with_members(members.collect())
}
