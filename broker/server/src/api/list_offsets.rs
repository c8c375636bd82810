//! ListOffsets: at which offset does a partition begin, end, or pass a time? (KIP-79, KIP-734, KIP-405)

use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use kafka_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};
use model::{Offset, Timestamp};
use runtime::Driver;

use super::fetch::check_epoch;
use super::{Call, Handled};
use crate::cluster::Topic;
use crate::errors::{Fault, NONE};
use crate::message::{Facts, Look, Question};
use crate::shard::LEADER_EPOCH;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const READ_COMMITTED: i8 = 1;

pub async fn handle<D: Driver>(call: Call<D>) -> Handled {
    let request: ListOffsetsRequest = call.decode()?;
    let stable_only = request.isolation_level == READ_COMMITTED;
    let cluster = call.shard.node.cluster();
    let (mut questions, mut refused) = (Vec::new(), Vec::new());
    for asked in &request.topics {
        for partition in &asked.partitions {
            let name = asked.name.as_str();
            let unknown = || Fault::unknown_partition(format_args!("partition {name}-{}", partition.partition_index));
            let look = |topic: &Arc<Topic>| Look::at(topic, partition.partition_index, question(partition.timestamp));
            let look = check_epoch(partition.current_leader_epoch)
                .and_then(|()| check_version(partition.timestamp, call.version()))
                .and_then(|()| cluster.topic(name).and_then(look).ok_or_else(unknown));
            refused.push(look.as_ref().err().cloned());
            questions.extend(look);
        }
    }
    let mut facts = call.shard.look_anywhere(questions).await.into_iter();
    let mut refused = refused.into_iter();
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let refused = refused.next().expect("one entry per partition");
            let outcome = match refused {
                Some(fault) => Err(fault),
                None => facts.next().expect("one answer per question"),
            };
            let found = outcome.map(|facts| answer(partition.timestamp, &facts, stable_only));
            respond(partition.partition_index, found, call.version())
        });
        ListOffsetsTopicResponse::default().with_partitions(partitions.collect()).with_name(topic.name)
    });
    let response = ListOffsetsResponse::default().with_topics(topics.collect());
    call.answer(&response)
}

/// Does this version know what the timestamp stands for?
fn check_version(timestamp: i64, version: i16) -> Result<(), Fault> {
    let since = match timestamp {
        0.. | LATEST | EARLIEST => 1,
        MAX_TIMESTAMP => 7,
        EARLIEST_LOCAL => 8,
        LATEST_TIERED => 9,
        _ => i16::MAX,
    };
    match version >= since {
        true => Ok(()),
        false => {
            let why = format!("{timestamp} stands for no offset in version {version} of ListOffsets");
            Err(Fault::new(ResponseError::UnsupportedVersion, why))
        }
    }
}

fn question(timestamp: i64) -> Question {
    match timestamp {
        MAX_TIMESTAMP => Question::Newest,
        time if time >= 0 => Question::Time(Timestamp(time)),
        _ => Question::Frontiers,
    }
}

/// Offset and time; both -1 where there is no such record.
fn answer(timestamp: i64, facts: &Facts, stable_only: bool) -> (Offset, Timestamp) {
    let at = &facts.frontiers;
    let end = if stable_only { at.last_stable() } else { at.high_watermark() };
    let nowhere = (Offset(-1), Timestamp::NONE);
    match timestamp {
        LATEST => (end, Timestamp::NONE),
        EARLIEST => (at.log_start(), Timestamp::NONE),
        EARLIEST_LOCAL => (at.local_start(), Timestamp::NONE),
        // The last one, not the first that is not there.
        LATEST_TIERED => match at.archived().filter(|end| *end > at.log_start()) {
            Some(end) => (end.plus(-1), Timestamp::NONE),
            None => nowhere,
        },
        _ => facts.at.filter(|(offset, _)| *offset < end).unwrap_or(nowhere),
    }
}

fn respond(index: i32, found: Result<(Offset, Timestamp), Fault>, version: i16) -> ListOffsetsPartitionResponse {
    let response = ListOffsetsPartitionResponse::default().with_partition_index(index);
    match found {
        Ok((offset, time)) => {
            let epoch = if version >= 4 && offset.0 >= 0 { LEADER_EPOCH } else { -1 };
            response.with_error_code(NONE).with_offset(offset.0).with_timestamp(time.0).with_leader_epoch(epoch)
        }
        Err(fault) => response.with_error_code(fault.code()).with_offset(-1).with_timestamp(-1).with_leader_epoch(-1),
    }
}

#[cfg(test)]
mod tests {
    use model::Frontiers;

    use super::*;

    fn facts(at: Option<(i64, i64)>) -> Facts {
        let at = at.map(|(offset, time)| (Offset(offset), Timestamp(time)));
        Facts { frontiers: Frontiers::recovered(Offset(3), Offset(9)), at, bytes: 0 }
    }

    #[test]
    fn special_times_stand_for_places() {
        let offset = |timestamp, facts: &Facts| answer(timestamp, facts, false).0.0;
        let all = |facts: &Facts| [LATEST, EARLIEST, EARLIEST_LOCAL, LATEST_TIERED].map(|t| offset(t, facts));
        let mut facts = facts(None);
        assert_eq!(all(&facts), [9, 3, 3, -1], "without an archive");
        facts.frontiers.archive(Offset(3));
        assert_eq!(all(&facts), [9, 3, 3, -1], "nothing is archived");
        facts.frontiers.archive(Offset(7));
        facts.frontiers.dropped_locally(Offset(5));
        assert_eq!(all(&facts), [9, 3, 5, 6]);
    }

    #[test]
    fn special_times_are_known_from_some_version_on() {
        for (timestamp, since) in [(LATEST, 1), (MAX_TIMESTAMP, 7), (EARLIEST_LOCAL, 8), (LATEST_TIERED, 9), (0, 1)] {
            assert!(check_version(timestamp, since).is_ok());
            assert!(check_version(timestamp, since - 1).is_err());
        }
        assert_eq!(check_version(-6, 10).unwrap_err().error, ResponseError::UnsupportedVersion);
    }

    #[test]
    fn records_beyond_the_end_are_not_found_yet() {
        assert_eq!(answer(5, &facts(Some((8, 6))), false), (Offset(8), Timestamp(6)));
        assert_eq!(answer(5, &facts(Some((9, 6))), false), (Offset(-1), Timestamp::NONE));
        assert_eq!(answer(5, &facts(None), false), (Offset(-1), Timestamp::NONE));
    }
}
