//! ApiVersions: what does this node speak? (KIP-35, KIP-511)

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use runtime::Driver;
use wire::response;

use super::{Answer, ApiTable, Call, Handled};

pub async fn handle<D: Driver>(call: Call<D>) -> Handled {
    let _: ApiVersionsRequest = call.decode()?;
    call.answer(&versions(&call.shard.apis))
}

/// A client newer than we are is told so in the oldest form, which every client can read.
pub fn fallback<D: Driver>(call: &Call<D>) -> Handled {
    let answer = versions(&call.shard.apis).with_error_code(ResponseError::UnsupportedVersion.code());
    Ok(Answer::Ready(vec![response::encode(&call.head, 0, 0, &answer)?]))
}

fn versions<D: Driver>(apis: &ApiTable<D>) -> ApiVersionsResponse {
    let rows = apis.rows().iter().map(|row| {
        ApiVersion::default().with_api_key(row.key as i16).with_min_version(row.first).with_max_version(row.last)
    });
    ApiVersionsResponse::default().with_api_keys(rows.collect())
}
