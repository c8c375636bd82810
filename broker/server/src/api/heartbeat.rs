//! Heartbeat: I am still here; is there anything new?

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{HeartbeatRequest, HeartbeatResponse};
use runtime::Driver;

use super::{Answer, Call, Handled, encode};
use crate::errors::NONE;
use crate::groups::{Reply, Request};

pub async fn handle<D: Driver>(call: Call<D>) -> Handled {
    let request: HeartbeatRequest = call.decode()?;
    let group = request.group_id.to_string();
    let heartbeat = Request::Heartbeat {
        group: group.clone(),
        member: request.member_id.to_string(),
        instance: request.group_instance_id.map(|id| id.to_string()),
        generation: request.generation_id,
    };
    let asked = call.shard.ask_group(&group, heartbeat).await;
    let head = call.head;
    Ok(Answer::Later(Box::pin(async move {
        let reply = asked.await;
        let code = match reply {
            Some(Reply::Heartbeat(outcome)) => outcome.err().map_or(NONE, |error| error.code()),
            _ => ResponseError::CoordinatorNotAvailable.code(),
        };
        encode(&head, &HeartbeatResponse::default().with_error_code(code))
    })))
}
