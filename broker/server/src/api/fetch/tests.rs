//! Does a response keep to its limit, and does it always get on?

use bytes::Bytes;
use model::Frontiers;
use uuid::Uuid;

use super::*;

fn asked(count: i32) -> (Vec<FetchTopic>, Vec<Vec<Ask>>) {
    let partitions = (0..count).map(|index| FetchPartition::default().with_partition(index)).collect();
    let topic = FetchTopic::default().with_topic_id(Uuid::from_u128(7)).with_partitions(partitions);
    let ask = |index| Ask { index, want: Err(Fault::stopping()) };
    (vec![topic], vec![(0..count).map(ask).collect()])
}

fn got(sizes: &[usize]) -> Result<Got, Fault> {
    let batches = sizes.iter().map(|size| Bytes::from(vec![0; *size])).collect();
    Ok(Got { batches, frontiers: Frontiers::recovered(Offset(0), Offset(9)), is_recalled: false })
}

fn sizes(fetched: &Fetched) -> Vec<Vec<usize>> {
    fetched.topics[0].partitions.iter().map(|p| p.batches.iter().map(Bytes::len).collect()).collect()
}

#[test]
fn batches_are_taken_in_order_until_the_limit() {
    let (topics, asks) = asked(3);
    let fetched = assemble(&topics, &asks, vec![got(&[40, 40]), got(&[30, 5]), got(&[5])], 100);
    assert_eq!(sizes(&fetched), [vec![40, 40], vec![], vec![]], "no batch passes by one that did not fit");
}

#[test]
fn the_first_batch_passes_whatever_its_size() {
    let (topics, asks) = asked(2);
    let fetched = assemble(&topics, &asks, vec![got(&[]), got(&[500, 1])], 100);
    assert_eq!(sizes(&fetched), [vec![], vec![500]]);
}

#[test]
fn errors_stand_beside_data() {
    let (topics, asks) = asked(2);
    let fetched = assemble(&topics, &asks, vec![Err(Fault::stopping()), got(&[5])], 100);
    let codes: Vec<i16> = fetched.topics[0].partitions.iter().map(|p| p.error_code).collect();
    assert_eq!(codes, [ResponseError::NotLeaderOrFollower.code(), NONE]);
    assert_eq!(fetched.topics[0].partitions[0].high_watermark, -1);
}

#[test]
fn leader_epochs_are_compared() {
    assert!(check_epoch(-1).is_ok() && check_epoch(LEADER_EPOCH).is_ok());
    assert_eq!(check_epoch(LEADER_EPOCH - 1).unwrap_err().error, ResponseError::FencedLeaderEpoch);
    assert_eq!(check_epoch(LEADER_EPOCH + 1).unwrap_err().error, ResponseError::UnknownLeaderEpoch);
}
