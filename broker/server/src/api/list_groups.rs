//! ListGroups: all groups of the node, from all shards.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{GroupId, ListGroupsRequest, ListGroupsResponse};
use kafka_protocol::protocol::StrBytes;
use runtime::Driver;

use super::{Call, Handled};
use crate::groups::{Reply, Request};
use crate::message::ShardMessage;

const STATE_SINCE: i16 = 4;
const TYPE_SINCE: i16 = 5;

pub async fn handle<D: Driver>(call: Call<D>) -> Handled {
    let request: ListGroupsRequest = call.decode()?;
    let texts = |list: &[StrBytes]| list.iter().map(|text| text.to_string()).collect::<Vec<String>>();
    let (states, types) = (texts(&request.states_filter), texts(&request.types_filter));
    let version = call.version();
    let mut response = ListGroupsResponse::default();
    for shard in call.shard.node.shards() {
        let request = Request::List { states: states.clone(), types: types.clone() };
        match call.shard.node.ask(shard, |reply| ShardMessage::Group { request, reply }).await {
            Ok(Reply::List(listed)) => response.groups.extend(listed.into_iter().map(|group| {
                let listed = ListedGroup::default()
                    .with_group_id(GroupId(StrBytes::from_string(group.group)))
                    .with_protocol_type(StrBytes::from_string(group.protocol_type));
                let state = if version >= STATE_SINCE { group.state } else { "" };
                let kind = if version >= TYPE_SINCE { "classic" } else { "" };
                listed
                    .with_group_state(StrBytes::from_static_str(state))
                    .with_group_type(StrBytes::from_static_str(kind))
            })),
            _ => response.error_code = ResponseError::CoordinatorNotAvailable.code(),
        }
    }
    call.answer(&response)
}
