//! Are batches accepted whole, and refused when anything about them is wrong?

use proptest::prelude::*;

use super::*;

pub(crate) fn three_records(codec: Compression) -> Bytes {
    let mut builder = BatchBuilder::new(codec).producer(7, 1, 40);
    builder.push(1_000, Some(b"a"), Some(&[9; 300]), &[("h", Some(b"1")), ("h", None)]);
    builder.push(990, None, None, &[]);
    builder.push(1_010, Some(b""), Some(b""), &[]);
    builder.build()
}

#[test]
fn a_built_batch_passes_and_says_what_it_is() {
    for codec in Compression::ALL {
        let batch = three_records(codec);
        let header = check(&batch).expect("built by us");
        assert_eq!(header.total_bytes(), batch.len());
        assert_eq!(header.compression(), codec);
        assert_eq!((header.record_count, header.last_offset_delta), (3, 2));
        assert_eq!((header.base_timestamp, header.max_timestamp), (1_000, 1_010));
        assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence), (7, 1, 40));
        assert!(!header.is_control() && !header.is_transactional() && !header.is_log_append_time());
    }
}

#[test]
fn every_truncation_and_every_flipped_bit_is_refused() {
    let batch = three_records(Compression::None);
    for length in 0..batch.len() {
        let cut = check(&batch[..length]);
        assert!(matches!(cut, Err(BatchError::Short { .. })), "{length}: {cut:?}");
    }
    for bit in 0..batch.len() * 8 {
        let mut flipped = batch.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        // Base offset and leader epoch are the broker's and lie outside the CRC.
        let free = bit / 8 < 8 || (LEADER_EPOCH..MAGIC).contains(&(bit / 8));
        assert_eq!(check(&flipped).is_ok(), free, "bit {bit}");
    }
}

#[test]
fn what_follows_a_batch_is_refused() {
    let batch = [three_records(Compression::None), Bytes::from_static(b"x")].concat();
    assert_eq!(check(&batch), Err(BatchError::Trailing { extra: 1 }));
}

fn with(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut batch = three_records(Compression::None).to_vec();
    batch[at..at + bytes.len()].copy_from_slice(bytes);
    seal(&mut batch);
    batch
}

#[test]
fn headers_that_cannot_be_are_refused_although_their_crc_is_right() {
    assert_eq!(check(&with(MAGIC, &[1])), Err(BatchError::Magic(1)));
    assert_eq!(check(&with(8, &48i32.to_be_bytes())), Err(BatchError::Length(48)));
    assert_eq!(check(&with(8, &(-1i32).to_be_bytes())), Err(BatchError::Length(-1)));
    assert_eq!(check(&with(ATTRIBUTES, &5i16.to_be_bytes())), Err(BatchError::Codec(5)));
    assert_eq!(check(&with(57, &0i32.to_be_bytes())), Err(BatchError::Count { count: 0, last_offset_delta: 2 }));
    assert_eq!(check(&with(23, &i32::MAX.to_be_bytes())).map(drop), {
        Err(BatchError::Count { count: 3, last_offset_delta: i32::MAX })
    });
    let least = check(&with(57, &i32::MIN.to_be_bytes()));
    assert_eq!(least, Err(BatchError::Count { count: i32::MIN, last_offset_delta: 2 }));
}

#[test]
fn placing_keeps_the_crc_valid() {
    let mut batch = three_records(Compression::Zstd).to_vec();
    place(&mut batch, Offset(1 << 40), 17);
    let header = check(&batch).expect("still valid");
    assert_eq!((header.base_offset, header.leader_epoch), (1 << 40, 17));
    assert_eq!(header.last_offset(), (1 << 40) + 2);
    place(&mut batch, Offset(i64::MAX), 17);
    assert_eq!(check(&batch).expect("still valid").last_offset(), i64::MAX, "no overflow");
}

#[test]
fn stamping_replaces_the_times_of_all_records() {
    let mut batch = three_records(Compression::Lz4).to_vec();
    stamp_append_time(&mut batch, Timestamp(5_000));
    let batch = Bytes::from(batch);
    let header = check(&batch).expect("stamped with a new CRC");
    assert!(header.is_log_append_time());
    assert_eq!((header.max_timestamp, header.compression()), (5_000, Compression::Lz4));
    let records = records(&batch, 1 << 20).unwrap();
    assert!(records.iter().all(|record| record.unwrap().timestamp == 5_000));
}

#[test]
fn split_lends_whole_batches_and_drops_a_partial_last_one() {
    let (one, two) = (three_records(Compression::None), three_records(Compression::Gzip));
    let both: Bytes = [&one[..], &two[..]].concat().into();
    assert_eq!(split(both.clone()).collect::<Result<Vec<_>, _>>().unwrap(), [one.clone(), two.clone()]);
    for length in one.len()..both.len() {
        let parts = split(both.slice(..length)).collect::<Result<Vec<_>, _>>().unwrap();
        assert_eq!(parts, std::slice::from_ref(&one), "{length}");
    }
    let first = split(both.clone()).next().unwrap().unwrap();
    assert_eq!(first.as_ptr(), both.as_ptr(), "nothing is copied");
}

#[test]
fn split_ends_after_an_impossible_length_or_magic() {
    let good = three_records(Compression::None);
    for (bad, error) in
        [(with(8, &7i32.to_be_bytes()), BatchError::Length(7)), (with(MAGIC, &[0]), BatchError::Magic(0))]
    {
        let parts: Vec<_> = split([&good[..], &bad[..], &good[..]].concat().into()).collect();
        assert_eq!(parts, [Ok(good.clone()), Err(error)]);
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = check(&bytes);
        let bytes = Bytes::from(bytes);
        let total: usize = split(bytes.clone()).flatten().map(|part| part.len()).sum();
        prop_assert!(total <= bytes.len());
        let _ = records(&bytes, 1 << 20);
    }
}
