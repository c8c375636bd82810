//! DescribeCluster: who is in the cluster? (KIP-700)

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::{BrokerId, DescribeClusterRequest, DescribeClusterResponse};
use kafka_protocol::protocol::StrBytes;
use runtime::Driver;

use super::metadata::cluster_id;
use super::{Call, Handled};

/// The only endpoints that clients can reach: those of brokers (KIP-919).
const BROKERS: i8 = 1;

pub async fn handle<D: Driver>(call: Call<D>) -> Handled {
    let request: DescribeClusterRequest = call.decode()?;
    let node = &call.shard.node;
    let response = DescribeClusterResponse::default()
        .with_error_message(None)
        .with_cluster_id(StrBytes::from_string(cluster_id(&node.cluster())))
        .with_controller_id(BrokerId(node.config.node.0));
    if call.version() >= 1 && request.endpoint_type != BROKERS {
        let code = ResponseError::MismatchedEndpointType.code();
        let why = StrBytes::from_static_str("this is a broker's endpoint; there are none of controllers");
        return call.answer(&response.with_error_code(code).with_error_message(Some(why)));
    }
    let broker = DescribeClusterBroker::default()
        .with_broker_id(BrokerId(node.config.node.0))
        .with_host(StrBytes::from_string(node.config.advertised_host.clone()))
        .with_port(i32::from(node.config.advertised_port))
        .with_rack(None);
    call.answer(&response.with_brokers(vec![broker]))
}
