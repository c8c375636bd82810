//! Are fetch responses byte for byte those of the protocol's own encoder?

use kafka_protocol::messages::fetch_response::{AbortedTransaction, FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::{FetchResponse, TopicName};
use proptest::prelude::*;

use super::*;
use crate::response;

fn head(api_version: i16) -> Head {
    Head { api_key: API_KEY, api_version, correlation_id: 77, client_id: None }
}

/// What the crate writes for the same answer: the oracle.
fn theirs(version: i16, fetched: &Fetched) -> Bytes {
    let aborted = |(producer_id, first): &(i64, i64)| {
        AbortedTransaction::default().with_producer_id((*producer_id).into()).with_first_offset(*first)
    };
    let partition = |p: &FetchedPartition| {
        PartitionData::default()
            .with_partition_index(p.index)
            .with_error_code(p.error_code)
            .with_high_watermark(p.high_watermark)
            .with_last_stable_offset(p.last_stable)
            .with_log_start_offset(p.log_start)
            .with_aborted_transactions(Some(p.aborted.iter().map(aborted).collect()))
            .with_records(Some(p.batches.concat().into()))
    };
    let topic = |t: &FetchedTopic| {
        FetchableTopicResponse::default()
            .with_topic(TopicName(t.name.clone()))
            .with_topic_id(t.id)
            .with_partitions(t.partitions.iter().map(partition).collect())
    };
    let message = FetchResponse::default()
        .with_throttle_time_ms(fetched.throttle_time_ms)
        .with_error_code(fetched.error_code)
        .with_session_id(if version >= 7 { fetched.session_id } else { 0 })
        .with_responses(fetched.topics.iter().map(topic).collect());
    response::encode(&head(version), version, response::header_version(API_KEY, version), &message).unwrap()
}

fn partition() -> impl Strategy<Value = FetchedPartition> {
    let batch = (0u8..255, prop_oneof![0usize..3, 500usize..600]).prop_map(|(byte, n)| Bytes::from(vec![byte; n]));
    let numbers = (any::<i32>(), any::<i16>(), any::<i64>(), any::<i64>(), any::<i64>());
    let aborted = proptest::collection::vec(any::<(i64, i64)>(), 0..3);
    (numbers, aborted, proptest::collection::vec(batch, 0..4)).prop_map(|(numbers, aborted, batches)| {
        let (index, error_code, high_watermark, last_stable, log_start) = numbers;
        FetchedPartition { index, error_code, high_watermark, last_stable, log_start, aborted, batches }
    })
}

fn fetched() -> impl Strategy<Value = Fetched> {
    let topic = ("[a-z]{0,140}", any::<u128>(), proptest::collection::vec(partition(), 0..4)).prop_map(
        |(name, id, partitions)| FetchedTopic {
            name: StrBytes::from_string(name),
            id: Uuid::from_u128(id),
            partitions,
        },
    );
    (any::<i32>(), any::<i16>(), any::<i32>(), proptest::collection::vec(topic, 0..4)).prop_map(
        |(throttle_time_ms, error_code, session_id, topics)| Fetched {
            throttle_time_ms,
            error_code,
            session_id,
            topics,
        },
    )
}

proptest! {
    #[test]
    fn the_pieces_are_what_the_crate_writes(version in 4i16..=17, fetched in fetched()) {
        let pieces = encode(&head(version), &fetched).unwrap();
        prop_assert_eq!(Bytes::from(pieces.concat()), theirs(version, &fetched));
        prop_assert!(pieces.iter().all(|piece| !piece.is_empty()));
    }
}

#[test]
fn large_batches_are_lent_and_small_ones_are_not_pieces() {
    let (large, small) = (Bytes::from(vec![1; 4096]), Bytes::from(vec![2; 100]));
    let mut partition = FetchedPartition::failed(0, 0);
    partition.batches = vec![small, large.clone(), large.clone()];
    let topic = FetchedTopic { name: "t".to_owned().into(), id: Uuid::nil(), partitions: vec![partition] };
    let pieces = encode(&head(12), &Fetched { topics: vec![topic], ..Fetched::default() }).unwrap();
    let lent: Vec<_> = pieces.iter().filter(|piece| piece.as_ptr() == large.as_ptr()).collect();
    assert_eq!((pieces.len(), lent.len()), (4, 2), "text, two lent batches, text");
}

#[test]
fn versions_without_a_layout_are_refused() {
    for version in [-1, 3, 18] {
        assert!(encode(&head(version), &Fetched::default()).is_err(), "{version}");
    }
}
