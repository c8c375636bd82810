//! Are records lent as they were written, and broken ones told?

use proptest::prelude::*;

use super::*;
use crate::batch::{self, BatchBuilder, Compression, check, seal};
use crate::read::put_varlong;
use crate::test_memory::peak_bytes;

const LIMIT: usize = 1 << 20;

/// A record as tests write it down: key, value, headers, timestamp.
type Row = (Option<Vec<u8>>, Option<Vec<u8>>, Vec<(String, Option<Vec<u8>>)>, i64);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let bytes = || proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40));
    let headers = proptest::collection::vec(("[a-c]{0,2}", bytes()), 0..4);
    proptest::collection::vec((bytes(), bytes(), headers, any::<i64>()), 1..20)
}

fn build(codec: Compression, rows: &[Row]) -> Bytes {
    let mut builder = BatchBuilder::new(codec);
    for (key, value, headers, at) in rows {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
        builder.push(*at, key.as_deref(), value.as_deref(), &headers);
    }
    builder.build()
}

fn read(batch: &Bytes) -> Result<Vec<Row>, BatchError> {
    let records = records(batch, LIMIT)?;
    let row = |record: Result<RecordView<'_>, BatchError>| {
        let record = record?;
        let headers = record.headers().map(|header| {
            let (key, value) = header?;
            Ok((String::from_utf8_lossy(key).into_owned(), value.map(<[u8]>::to_vec)))
        });
        let headers = headers.collect::<Result<_, BatchError>>()?;
        Ok((record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec), headers, record.timestamp))
    };
    records.iter().map(row).collect()
}

/// A batch whose body is exactly these bytes.
fn batch_of(body: &[u8], count: i32) -> Bytes {
    let mut builder = BatchBuilder::new(Compression::None);
    (0..count).for_each(|_| builder.push(0, None, None, &[]));
    let mut bytes = builder.build().to_vec();
    bytes.truncate(HEADER_BYTES);
    bytes.extend_from_slice(body);
    let length = i32::try_from(bytes.len() - 12).unwrap();
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    seal(&mut bytes);
    bytes.into()
}

/// A record body with its length in front.
fn record(offset_delta: i64, tail: &[u8]) -> Vec<u8> {
    let mut body = vec![0, 0];
    put_varlong(&mut body, offset_delta);
    body.extend_from_slice(tail);
    let mut bytes = Vec::new();
    put_varlong(&mut bytes, i64::try_from(body.len()).unwrap());
    bytes.extend(body);
    bytes
}

/// No key, no value, no headers.
const EMPTY: &[u8] = &[1, 1, 0];

#[test]
fn headers_are_a_multimap_of_any_bytes() {
    // Two headers with the key ff fe, values null and "x".
    let body = record(0, &[1, 1, 4, 4, 0xff, 0xfe, 1, 4, 0xff, 0xfe, 2, b'x']);
    let records = records(&batch_of(&body, 1), LIMIT).unwrap();
    let record = records.iter().next().unwrap().unwrap();
    let headers: Vec<_> = record.headers().collect::<Result<_, _>>().unwrap();
    assert_eq!(headers, [(&[0xff, 0xfe][..], None), (&[0xff, 0xfe], Some(&b"x"[..]))]);
    assert_eq!(record.headers().count(), 2);
}

#[test]
fn offsets_are_absolute_and_uncompressed_records_are_lent() {
    let mut bytes = build(Compression::None, &[(None, Some(vec![1]), vec![], 0), (None, None, vec![], 5)]).to_vec();
    batch::place(&mut bytes, model::Offset(100), 3);
    let bytes = Bytes::from(bytes);
    let records = records(&bytes, LIMIT).unwrap();
    let offsets: Vec<_> = records.iter().map(|record| record.unwrap().offset).collect();
    assert_eq!(offsets, [100, 101]);
    let value = records.iter().next().unwrap().unwrap().value.unwrap();
    assert!(bytes.as_ptr_range().contains(&value.as_ptr()));
}

#[test]
fn malformed_records_are_named_and_end_the_list() {
    let good = record(0, EMPTY);
    for (bad, why) in [
        (vec![], "there is none, or its length is no number"),
        (vec![1], "its length is negative"),
        (vec![200, 1, 0], "it is longer than the batch"),
        (vec![2, 0], "it is cut off"),
        (record(0, EMPTY), "its offset delta is out of order"),
        (record(2, EMPTY), "its offset delta is out of order"),
        (record(-1, EMPTY), "its offset delta is out of order"),
        (record(1, &[20, 1, 0]), "its key is longer than the record"),
        (record(1, &[3, 1, 0]), "its key is longer than the record"),
        (record(1, &[1, 20, 0]), "its value is longer than the record"),
        (record(1, &[1, 1, 1]), "its count of headers is negative"),
        (record(1, &[1, 1]), "it is cut off"),
    ] {
        let records = records(&batch_of(&[&good[..], &bad].concat(), 2), LIMIT).unwrap();
        let all: Vec<_> = records.iter().map(|record| record.map(|record| record.offset)).collect();
        assert_eq!(all, [Ok(0), Err(BatchError::Record { index: 1, why })]);
    }
    let records = records(&batch_of(&[&good[..], &[0]].concat(), 1), LIMIT).unwrap();
    let all: Vec<_> = records.iter().map(|record| record.map(|record| record.offset)).collect();
    assert_eq!(all, [Ok(0), Err(BatchError::Record { index: 1, why: "bytes follow the last record" })]);
}

#[test]
fn malformed_headers_end_their_list() {
    for (tail, why) in [
        (&[1, 1, 2][..], "a header's key is missing or longer than the record"),
        (&[1, 1, 2, 1, 1], "a header's key is missing or longer than the record"),
        (&[1, 1, 2, 0], "a header's value is longer than the record"),
        (&[1, 1, 2, 0, 9], "a header's value is longer than the record"),
        (&[1, 1, 0, 0], "bytes follow its last header"),
        (&[1, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f], "a header's key is missing or longer than the record"),
    ] {
        let records = records(&batch_of(&record(0, tail), 1), LIMIT).unwrap();
        let headers: Vec<_> = records.iter().next().unwrap().unwrap().headers().collect();
        assert_eq!(headers, [Err(BatchError::Record { index: 0, why })], "{tail:?}");
    }
}

#[test]
fn iterating_allocates_nothing() {
    let rows: Vec<Row> = (0..1000).map(|at| (None, Some(vec![1; 50]), vec![("k".into(), None)], at)).collect();
    let records = records(&build(Compression::None, &rows), LIMIT).unwrap();
    let (count, peak) = peak_bytes(|| records.iter().map(|r| r.unwrap().headers().flatten().count()).sum());
    assert_eq!((count, peak), (1000usize, 0));
}

#[test]
fn agrees_with_the_crate_on_what_it_can_express() {
    use kafka_protocol::records::RecordBatchDecoder;
    let rows: Vec<Row> = (0..50i64)
        .map(|at| (Some(at.to_be_bytes().to_vec()), (at % 7 != 0).then(|| vec![at as u8; 30]), vec![], 1_700 - at))
        .collect();
    let mut batch = build(Compression::None, &rows);
    let decoded = RecordBatchDecoder::decode(&mut batch).expect("valid for the crate");
    let theirs: Vec<Row> = decoded
        .records
        .into_iter()
        .map(|r| (r.key.map(|key| key.to_vec()), r.value.map(|value| value.to_vec()), vec![], r.timestamp))
        .collect();
    assert_eq!(theirs, rows);
}

#[test]
fn batches_of_another_implementation_are_read() {
    let header = |value: Option<&[u8]>| ("h".to_owned(), value.map(<[u8]>::to_vec));
    let value = || Some(b"value ".repeat(20));
    let rows: [Row; 3] = [
        (Some(b"key-0".to_vec()), value(), vec![header(Some(b"x")), header(None)], 1_700_000_000_000),
        (None, value(), vec![], 1_700_000_000_001),
        (Some(b"key-2".to_vec()), None, vec![], 1_700_000_000_002),
    ];
    let lines = include_str!("foreign.hex").lines().skip(1).map(|line| line.split_once(' ').unwrap());
    let mut codecs = Compression::ALL.into_iter();
    for (codec, hex) in lines {
        let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        let batch: Bytes = (0..hex.len()).step_by(2).map(byte).collect::<Vec<_>>().into();
        let header = check(&batch).unwrap();
        assert_eq!((Some(header.compression()), header.compression().name()), (codecs.next(), codec));
        assert_eq!(read(&batch).unwrap(), rows, "{codec}");
    }
    assert_eq!(codecs.next(), None, "all codecs were there");
}

proptest! {
    #[test]
    fn what_is_built_is_read_back(rows in rows(), codec in proptest::sample::select(&Compression::ALL)) {
        let batch = build(codec, &rows);
        let header = check(&batch).unwrap();
        prop_assert_eq!(header.max_timestamp, rows.iter().map(|row| row.3).max().unwrap());
        prop_assert_eq!(read(&batch).unwrap(), rows);
    }

    /// Damage that its CRC does not show: unpacking and reading neither panic nor ask for much memory.
    #[test]
    fn damaged_bodies_never_panic(
        rows in rows(),
        codec in proptest::sample::select(&Compression::ALL),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = build(codec, &rows).to_vec();
        for (at, byte) in damage {
            let at = HEADER_BYTES + at.index(bytes.len() - HEADER_BYTES);
            bytes[at] = byte;
        }
        seal(&mut bytes);
        let bytes = Bytes::from(bytes);
        let (_, peak) = peak_bytes(|| {
            if let Ok(records) = records(&bytes, 1 << 16) {
                records.iter().flatten().for_each(|record| record.headers().for_each(drop));
            }
        });
        // The limit, growth by doubling, and the fixed tables of a decoder (an LZ4 block may have 4 MiB).
        prop_assert!(peak < 10 << 20, "{} bytes for {}", peak, codec);
    }

    #[test]
    fn arbitrary_bodies_never_panic(body in proptest::collection::vec(any::<u8>(), 0..300), count in 1..50i32) {
        if let Ok(records) = records(&batch_of(&body, count), LIMIT) {
            let (read, peak) = peak_bytes(|| records.iter().count());
            prop_assert!(read <= usize::try_from(count).unwrap() + 1);
            prop_assert_eq!(peak, 0);
        }
    }
}
