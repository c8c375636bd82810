//! Do the requests hold what was asked for?

use wire::{batch as batches, request as requests};

use super::*;

const SHAPE: Shape = Shape { records: 20, record_bytes: 100, key_bytes: 8, codec: Compression::Lz4 };

#[test]
fn a_request_can_be_read_back() {
    let sent = request("t", 5, -1, batch(SHAPE, 5, 1_700_000_000_000)).unwrap();
    let (head, body) = requests::split_head(sent.slice(4..)).unwrap();
    assert_eq!((head.api_key, head.correlation_id), (PRODUCE, 5));
    let read: ProduceRequest = requests::decode(PRODUCE, PRODUCE_VERSION, body).unwrap();
    assert_eq!((read.acks, read.topic_data[0].name.as_str()), (-1, "t"));
    let data = &read.topic_data[0].partition_data[0];
    assert_eq!(data.index, 5);
    let header = batches::check(data.records.as_ref().unwrap()).unwrap();
    assert_eq!((header.record_count, header.compression()), (20, Compression::Lz4));
    let records = batches::records(data.records.as_ref().unwrap(), 1 << 20).unwrap();
    let record = records.iter().next().unwrap().unwrap();
    assert_eq!((record.key.unwrap().len(), record.value.unwrap().len()), (8, 92));
}

#[test]
fn records_differ_and_compress_like_logs() {
    let plain = Shape { codec: Compression::None, records: 500, ..SHAPE };
    assert_ne!(batch(plain, 1, 0), batch(plain, 2, 0));
    assert_eq!(batch(plain, 1, 0), batch(plain, 1, 0));
    let packed = batch(Shape { codec: Compression::Lz4, ..plain }, 1, 0);
    let ratio = batch(plain, 1, 0).len() as f64 / packed.len() as f64;
    assert!((1.3..4.0).contains(&ratio), "{ratio}");
}

#[test]
fn a_key_of_no_bytes_is_no_key() {
    let batch = batch(Shape { key_bytes: 0, records: 1, ..SHAPE }, 1, 0);
    let records = batches::records(&batch, 1 << 20).unwrap();
    assert_eq!(records.iter().next().unwrap().unwrap().key, None);
}
