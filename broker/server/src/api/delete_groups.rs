//! DeleteGroups: forget groups without members, and their offsets.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::{DeleteGroupsRequest, DeleteGroupsResponse};
use runtime::Driver;

use super::{Call, Handled};
use crate::errors::NONE;
use crate::groups::{Reply, Request};

pub async fn handle<D: Driver>(call: Call<D>) -> Handled {
    let request: DeleteGroupsRequest = call.decode()?;
    let mut results = Vec::new();
    for id in request.groups_names {
        let delete = Request::Delete { group: id.to_string() };
        let reply = call.shard.ask_group(id.as_str(), delete).await.await;
        let code = match reply {
            Some(Reply::Delete(outcome)) => outcome.err().map_or(NONE, |error| error.code()),
            _ => ResponseError::CoordinatorNotAvailable.code(),
        };
        results.push(DeletableGroupResult::default().with_group_id(id).with_error_code(code));
    }
    call.answer(&DeleteGroupsResponse::default().with_results(results))
}
