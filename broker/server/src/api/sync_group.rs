//! SyncGroup: the leader tells who gets what, everybody learns its share.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{SyncGroupRequest, SyncGroupResponse};
use kafka_protocol::protocol::StrBytes;
use runtime::Driver;

use super::{Answer, Call, Handled, encode};
use crate::groups::{Reply, Request, Sync};

pub async fn handle<D: Driver>(call: Call<D>) -> Handled {
    let request: SyncGroupRequest = call.decode()?;
    let group = request.group_id.to_string();
    let sync = Sync {
        group: group.clone(),
        member: request.member_id.to_string(),
        instance: request.group_instance_id.map(|id| id.to_string()),
        generation: request.generation_id,
        protocol_type: request.protocol_type.map(|text| text.to_string()),
        protocol: request.protocol_name.map(|text| text.to_string()),
        assignments: request.assignments.into_iter().map(|a| (a.member_id.to_string(), a.assignment)).collect(),
    };
    let asked = call.shard.ask_group(&group, Request::Sync(sync)).await;
    let head = call.head;
    Ok(Answer::Later(Box::pin(async move {
        let reply = asked.await;
        let response = SyncGroupResponse::default();
        let response = match reply {
            Some(Reply::Sync(Ok(synced))) => response
                .with_protocol_type(Some(StrBytes::from_string(synced.protocol_type)))
                .with_protocol_name(Some(StrBytes::from_string(synced.protocol)))
                .with_assignment(synced.assignment),
            Some(Reply::Sync(Err(error))) => response.with_error_code(error.code()),
            _ => response.with_error_code(ResponseError::CoordinatorNotAvailable.code()),
        };
        encode(&head, &response)
    })))
}
