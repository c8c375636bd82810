//! Which requests does a node answer, in which versions, and by which file?

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;

use bytes::Bytes;
use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::{Encodable, Request};
use runtime::Driver;
use wire::request::{self, Head, RequestError};
use wire::response::{self, header_version};

use crate::shard::Shard;

pub mod api_versions;
mod metadata;
mod produce;
mod fetch;
mod list_offsets;
mod offset_for_leader_epoch;
mod init_producer_id;
mod create_topics;
mod delete_topics;
mod create_partitions;
mod delete_records;
mod configs;
mod describe_configs;
mod alter_configs;
mod incremental_alter_configs;
mod describe_cluster;
mod describe_log_dirs;
mod find_coordinator;
mod join_group;
mod sync_group;
mod heartbeat;
mod leave_group;
mod offset_commit;
mod offset_fetch;
mod offset_delete;
mod describe_groups;
mod list_groups;
mod delete_groups;

/// A frame as pieces to be written one after the other, length included.
pub type Frame = Vec<Bytes>;

/// A boxed future of one shard.
pub type Local<T> = Pin<Box<dyn Future<Output = T>>>;

/// One request on its way through a shard.
pub struct Call<D: Driver> {
    pub shard: Rc<Shard<D>>,
    pub head: Rc<Head>,
    pub body: Bytes,
    pub peer: SocketAddr,
}

/// What a handler gives back once the request has taken effect; the next request of the connection waits until then.
pub enum Answer {
    Ready(Frame),
    /// The answer takes time that later requests need not wait for.
    Later(Local<Result<Frame, CallError>>),
}

/// Why a request gets no answer: its connection is closed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    Response(#[from] response::ResponseError),
    #[error("{0}")]
    Refused(String),
}

pub type Handled = Result<Answer, CallError>;

type Handler<D> = fn(Call<D>) -> Local<Handled>;

/// One row of the table.
pub struct Api<D: Driver> {
    pub key: ApiKey,
    /// The first version that is advertised.
    pub first: i16,
    pub last: i16,
    pub handler: Handler<D>,
}

/// All APIs, by key.
pub struct ApiTable<D: Driver> {
    rows: Vec<Api<D>>,
}

macro_rules! table {
    ($($key:ident $first:literal..=$last:literal $file:ident),* $(,)?) => {
        /// Everything that is served. What is advertised here is used by clients: each row must keep its promise.
        fn rows<D: Driver>() -> Vec<Api<D>> {
            vec![$(Api {
                key: ApiKey::$key,
                first: $first,
                last: $last,
                handler: |call| Box::pin($file::handle(call)),
            }),*]
        }
    };
}

table! {
    // Produce 0 to 2 are advertised as Kafka 4 does, because librdkafka looks for them; they are refused (KAFKA-18659).
    Produce 0..=12 produce,
    Fetch 4..=17 fetch,
    ListOffsets 1..=10 list_offsets,
    Metadata 0..=13 metadata,
    OffsetCommit 2..=9 offset_commit,
    OffsetFetch 1..=9 offset_fetch,
    FindCoordinator 0..=6 find_coordinator,
    JoinGroup 0..=9 join_group,
    Heartbeat 0..=4 heartbeat,
    LeaveGroup 0..=5 leave_group,
    SyncGroup 0..=5 sync_group,
    DescribeGroups 0..=6 describe_groups,
    ListGroups 0..=5 list_groups,
    ApiVersions 0..=4 api_versions,
    CreateTopics 2..=7 create_topics,
    DeleteTopics 1..=6 delete_topics,
    DeleteRecords 0..=2 delete_records,
    InitProducerId 0..=5 init_producer_id,
    OffsetForLeaderEpoch 2..=4 offset_for_leader_epoch,
    DescribeConfigs 1..=4 describe_configs,
    AlterConfigs 0..=2 alter_configs,
    DescribeLogDirs 1..=4 describe_log_dirs,
    CreatePartitions 0..=3 create_partitions,
    DeleteGroups 0..=2 delete_groups,
    IncrementalAlterConfigs 0..=1 incremental_alter_configs,
    OffsetDelete 0..=0 offset_delete,
    DescribeCluster 0..=2 describe_cluster,
}

impl<D: Driver> ApiTable<D> {
    pub fn new() -> ApiTable<D> {
        ApiTable { rows: rows() }
    }

    pub fn rows(&self) -> &[Api<D>] {
        &self.rows
    }

    fn find(&self, key: i16) -> Option<&Api<D>> {
        self.rows.iter().find(|row| row.key as i16 == key)
    }
}

impl<D: Driver> Default for ApiTable<D> {
    fn default() -> ApiTable<D> {
        ApiTable::new()
    }
}

/// Gives a request to its handler.
pub async fn dispatch<D: Driver>(call: Call<D>) -> Handled {
    let (key, version) = (call.head.api_key, call.head.api_version);
    let Some(row) = call.shard.apis.find(key) else {
        return Err(CallError::Refused(format!("requests of API key {key} are not served")));
    };
    let known = (row.first..=row.last).contains(&version);
    match row.key {
        ApiKey::ApiVersions if !known => api_versions::fallback(&call),
        _ if !known => Err(CallError::Refused(format!(
            "{:?} requests are served in versions {} to {}, not {version}",
            row.key, row.first, row.last
        ))),
        _ => (row.handler)(call).await,
    }
}

impl<D: Driver> Call<D> {
    pub fn version(&self) -> i16 {
        self.head.api_version
    }

    pub fn decode<T: Request>(&self) -> Result<T, CallError> {
        assert_eq!(T::KEY, self.head.api_key, "a handler decodes its own API");
        Ok(request::decode(self.head.api_key, self.head.api_version, self.body.clone())?)
    }

    pub fn answer<T: Encodable>(&self, message: &T) -> Handled {
        Ok(Answer::Ready(encode(&self.head, message)?))
    }
}

/// A whole response frame.
pub fn encode<T: Encodable>(head: &Head, message: &T) -> Result<Frame, CallError> {
    let header = header_version(head.api_key, head.api_version);
    Ok(vec![response::encode(head, head.api_version, header, message)?])
}

#[cfg(test)]
mod tests;
