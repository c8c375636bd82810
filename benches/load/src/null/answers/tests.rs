//! Can clients read what the null broker answers?

use kafka_protocol::messages::{FetchResponse, ProduceResponse};
use wire::batch::{self, BatchHeader};
use wire::{Compression, frame};

use super::*;
use crate::payload::{self, PRODUCE, Shape};

fn asked(frame: &Bytes) -> Asked {
    let mut received = BytesMut::from(&frame[..]);
    let frame = frame::take(&mut received, 1 << 20).unwrap().unwrap();
    let (head, body) = request::split_head(frame).unwrap();
    Asked { head, body }
}

fn opened(frame: Bytes) -> Bytes {
    let mut received = BytesMut::from(&frame[..]);
    let frame = frame::take(&mut received, 1 << 20).unwrap().unwrap();
    assert!(received.is_empty(), "the length in front is right");
    frame
}

fn three_records() -> Bytes {
    payload::batch(Shape { records: 3, record_bytes: 40, key_bytes: 8, codec: Compression::None }, 1, 0)
}

#[test]
fn a_batch_is_checked_and_answered() {
    let request = payload::request("t", 5, -1, three_records()).unwrap();
    let produced = asked(&request).produced().unwrap();
    assert_eq!((produced.partition, produced.records, &produced.batch), (5, 3, &three_records()));
    let (id, answer): (_, ProduceResponse) =
        response::decode(PRODUCE, PRODUCE_VERSION, opened(produced.answer(7))).unwrap();
    let partition = &answer.responses[0].partition_responses[0];
    assert_eq!((id, partition.index, partition.base_offset, partition.error_code), (5, 5, 7, 0));
}

#[test]
fn a_damaged_batch_is_noticed() {
    let mut request = BytesMut::from(&payload::request("t", 5, -1, three_records()).unwrap()[..]);
    *request.last_mut().unwrap() ^= 1;
    assert!(asked(&request.freeze()).produced().is_err());
}

#[test]
fn consumers_get_whole_batches_in_their_places() {
    let partition = Partition { end: 9, batch: three_records(), records: 3 };
    let bytes = partition.batch.len();
    let waiting = |from, bytes_max| Waiting {
        correlation_id: 4,
        topic: "t".into(),
        bytes_max,
        wants: vec![(0, from, bytes_max)],
    };
    let partitions = [partition];
    let bases = |from, bytes_max| {
        let pieces = waiting(from, bytes_max).answer(&partitions).unwrap();
        let (_, answer): (_, FetchResponse) = response::decode(1, 11, opened(pieces.concat().into())).unwrap();
        let records = answer.responses[0].partitions[0].records.clone().unwrap();
        batch::split(records).map(|batch| BatchHeader::parse(&batch.unwrap()).unwrap().base_offset).collect::<Vec<_>>()
    };
    assert_eq!(bases(0, 1 << 20), [0, 3, 6]);
    assert_eq!(bases(3, 1 << 20), [3, 6]);
    assert_eq!(bases(0, 2 * bytes), [0, 3]);
    assert_eq!(bases(0, 1), [0], "one batch at least");
    assert!(waiting(9, 1 << 20).answer(&partitions).is_none());
}
