//! JoinGroup: become a member, or stay one in the next generation.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::{JoinGroupRequest, JoinGroupResponse};
use kafka_protocol::protocol::StrBytes;
use runtime::Driver;

use super::{Answer, Call, Handled, encode};
use crate::groups::{Join, Joined, Reply, Request};

/// New members must come back with the id they are given from this version on (KIP-394).
const ID_REQUIRED_SINCE: i16 = 4;
const SKIP_ASSIGNMENT_SINCE: i16 = 9;
const NO_GENERATION: i32 = -1;

pub async fn handle<D: Driver>(call: Call<D>) -> Handled {
    let request: JoinGroupRequest = call.decode()?;
    let (group, member) = (request.group_id.to_string(), request.member_id.clone());
    let join = Join {
        group: group.clone(),
        member: member.to_string(),
        instance: request.group_instance_id.map(|id| id.to_string()),
        client_id: call.head.client_id.clone().unwrap_or_default(),
        client_host: format!("/{}", call.peer.ip()),
        session_timeout_ms: request.session_timeout_ms,
        // Version 0 has one timeout for both.
        rebalance_timeout_ms: if call.version() < 1 {
            request.session_timeout_ms
        } else {
            request.rebalance_timeout_ms
        },
        protocol_type: request.protocol_type.to_string(),
        protocols: request.protocols.into_iter().map(|p| (p.name.to_string(), p.metadata)).collect(),
        id_required: call.version() >= ID_REQUIRED_SINCE,
        may_skip_assignment: call.version() >= SKIP_ASSIGNMENT_SINCE,
    };
    let asked = call.shard.ask_group(&group, Request::Join(join)).await;
    let head = call.head;
    Ok(Answer::Later(Box::pin(async move {
        let reply = asked.await;
        let response = match reply {
            Some(Reply::Join(Ok(joined))) => accepted(joined),
            Some(Reply::Join(Err((error, id)))) => refused(error, StrBytes::from_string(id)),
            _ => refused(ResponseError::CoordinatorNotAvailable, member),
        };
        encode(&head, &response)
    })))
}

fn accepted(joined: Joined) -> JoinGroupResponse {
    let members = joined.members.into_iter().map(|member| {
        JoinGroupResponseMember::default()
            .with_member_id(StrBytes::from_string(member.member))
            .with_group_instance_id(member.instance.map(StrBytes::from_string))
            .with_metadata(member.metadata)
    });
    JoinGroupResponse::default()
        .with_generation_id(joined.generation)
        .with_protocol_type(Some(StrBytes::from_string(joined.protocol_type)))
        .with_protocol_name(Some(StrBytes::from_string(joined.protocol)))
        .with_leader(StrBytes::from_string(joined.leader))
        .with_skip_assignment(joined.skip_assignment)
        .with_member_id(StrBytes::from_string(joined.member))
        .with_members(members.collect())
}

fn refused(error: ResponseError, member: StrBytes) -> JoinGroupResponse {
    JoinGroupResponse::default().with_error_code(error.code()).with_generation_id(NO_GENERATION).with_member_id(member)
}
