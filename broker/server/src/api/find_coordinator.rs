//! FindCoordinator: who looks after this group? This node does.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::{BrokerId, FindCoordinatorRequest, FindCoordinatorResponse};
use kafka_protocol::protocol::StrBytes;
use runtime::Driver;

use super::{Call, Handled};
use crate::errors::{Fault, parts};
use crate::internal::GROUPS_TOPIC;
use crate::node::Node;

const GROUP: i8 = 0;
/// Several keys in one request from this version on (KIP-699).
const KEYS_SINCE: i16 = 4;

pub async fn handle<D: Driver>(call: Call<D>) -> Handled {
    let request: FindCoordinatorRequest = call.decode()?;
    let node = &call.shard.node;
    let outcome = find(node, request.key_type).await;
    let (code, message) = parts(&outcome);
    let (id, host, port) = match &outcome {
        Ok(()) => (node.config.node.0, node.config.advertised_host.clone(), i32::from(node.config.advertised_port)),
        Err(_) => (-1, String::new(), -1),
    };
    let host = StrBytes::from_string(host);
    if call.version() < KEYS_SINCE {
        let response = FindCoordinatorResponse::default().with_error_code(code).with_error_message(message);
        return call.answer(&response.with_node_id(BrokerId(id)).with_host(host).with_port(port));
    }
    let coordinators = request.coordinator_keys.into_iter().map(|key| {
        Coordinator::default()
            .with_key(key)
            .with_node_id(BrokerId(id))
            .with_host(host.clone())
            .with_port(port)
            .with_error_code(code)
            .with_error_message(message.clone())
    });
    call.answer(&FindCoordinatorResponse::default().with_coordinators(coordinators.collect()))
}

async fn find(node: &Node, key_type: i8) -> Result<(), Fault> {
    if key_type != GROUP {
        let why = "transactions and share groups are not supported yet; use consumer groups and idempotent producers";
        return Err(Fault::new(ResponseError::TransactionalIdAuthorizationFailed, why));
    }
    node.topic_for_node(GROUPS_TOPIC).await?;
    Ok(())
}
