//! InitProducerId: a number for an idempotent producer, never given out twice (KIP-98).

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};
use model::limits::PRODUCER_IDS_BLOCK;
use runtime::Driver;

use super::{Call, Handled};
use crate::controller::{Command, Outcome};
use crate::errors::{Fault, NONE};
use crate::shard::Shard;

pub async fn handle<D: Driver>(call: Call<D>) -> Handled {
    let request: InitProducerIdRequest = call.decode()?;
    let outcome = match request.transactional_id {
        // Producers do not go on after this code.
        Some(_) => Err(Fault::new(
            ResponseError::TransactionalIdAuthorizationFailed,
            "transactions are not supported yet; use a producer without a transactional.id",
        )),
        None => next_id(&call.shard).await,
    };
    let response = InitProducerIdResponse::default();
    call.answer(&match outcome {
        Ok(id) => response.with_error_code(NONE).with_producer_id(ProducerId(id)).with_producer_epoch(0),
        Err(fault) => response.with_error_code(fault.code()).with_producer_id(ProducerId(-1)).with_producer_epoch(-1),
    })
}

/// From the shard's block, or from a new one; what is left of a block when the node stops is never used.
async fn next_id<D: Driver>(shard: &Shard<D>) -> Result<i64, Fault> {
    if let Some(id) = shard.producer_ids.borrow_mut().next() {
        return Ok(id);
    }
    let command = Command::ProducerIds { count: PRODUCER_IDS_BLOCK };
    let Outcome::ProducerIds(first) = shard.node.change(command).await? else {
        unreachable!("producer ids are answered")
    };
    // Two connections may have asked at once; the block of the slower one replaces the rest of the other.
    *shard.producer_ids.borrow_mut() = first + 1..first + PRODUCER_IDS_BLOCK;
    Ok(first)
}
