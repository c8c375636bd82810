//! LeaveGroup: members say goodbye.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};
use kafka_protocol::protocol::StrBytes;
use runtime::Driver;

use super::{Answer, Call, Handled, encode};
use crate::errors::NONE;
use crate::groups::{Leave, LeaveMember, Reply, Request};

/// Several members, also static ones, may leave in one request from this version on (KIP-345).
const MEMBERS_SINCE: i16 = 3;

pub async fn handle<D: Driver>(call: Call<D>) -> Handled {
    let request: LeaveGroupRequest = call.decode()?;
    let group = request.group_id.to_string();
    let version = call.version();
    let members = match version < MEMBERS_SINCE {
        true => vec![LeaveMember { member: request.member_id.to_string(), instance: None }],
        false => request.members.iter().map(identity).collect(),
    };
    let leave = Leave { group: group.clone(), members };
    let asked = call.shard.ask_group(&group, Request::Leave(leave)).await;
    let head = call.head;
    Ok(Answer::Later(Box::pin(async move {
        let reply = asked.await;
        let left = match reply {
            Some(Reply::Leave(outcome)) => outcome,
            _ => Err(ResponseError::CoordinatorNotAvailable),
        };
        encode(&head, &respond(left, version))
    })))
}

fn identity(member: &kafka_protocol::messages::leave_group_request::MemberIdentity) -> LeaveMember {
    LeaveMember {
        member: member.member_id.to_string(),
        instance: member.group_instance_id.as_ref().map(|id| id.to_string()),
    }
}

fn respond(left: Result<Vec<(LeaveMember, Option<ResponseError>)>, ResponseError>, version: i16) -> LeaveGroupResponse {
    let response = LeaveGroupResponse::default();
    let code = |error: Option<ResponseError>| error.map_or(NONE, |error| error.code());
    let members = match left {
        Err(error) => return response.with_error_code(error.code()),
        Ok(members) => members,
    };
    if version < MEMBERS_SINCE {
        return response.with_error_code(code(members.into_iter().find_map(|(_, error)| error)));
    }
    let members = members.into_iter().map(|(member, error)| {
        MemberResponse::default()
            .with_member_id(StrBytes::from_string(member.member))
            .with_group_instance_id(member.instance.map(StrBytes::from_string))
            .with_error_code(code(error))
    });
    response.with_members(members.collect())
}
