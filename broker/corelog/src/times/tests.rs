//! Are records found by their time, however their batches lie?

use wire::batch::{BatchBuilder, Compression, check};

use super::*;
use crate::log::LogConfig;
use crate::tests::fake::{Fake, Image};
use crate::tests::tools::{TERM, batch, config, open};

/// A log whose tail cache holds next to nothing.
fn cold() -> LogConfig {
    LogConfig { tail_cache_bytes: 4096, segment_bytes: 4 << 20, ..config() }
}

#[test]
fn times_are_looked_up_exactly_and_lying_headers_end_the_search() {
    let fake = Fake::new(Image::new(), 3);
    let driver = fake.clone();
    fake.run(async move {
        let log = open(driver, cold()).await;
        let p = PartitionId(1);
        let mut zstd = BatchBuilder::new(Compression::Zstd);
        [5, 30, 20].into_iter().for_each(|ms| zstd.push(ms, None, Some(b"x"), &[]));
        log.append(p, zstd.build(), TERM).expect("there is room");
        let mut lying = batch(40, 1, 10).to_vec();
        // The largest timestamp of the header, and the CRC over it.
        lying[35..43].copy_from_slice(&900i64.to_be_bytes());
        let crc = crc32c::crc32c(&lying[21..]);
        lying[17..21].copy_from_slice(&crc.to_be_bytes());
        check(&lying).expect("a legal batch");
        for _ in 0..40 {
            log.append(p, Bytes::from(lying.clone()), TERM).expect("there is room");
        }
        log.flushed().await.expect("the disk works");
        let find = async |ms| log.offset_for_time(p, Timestamp(ms)).await.expect("readable");
        assert_eq!(find(-1).await, Some((Offset(0), Timestamp(5))));
        assert_eq!(find(6).await, Some((Offset(1), Timestamp(30))));
        assert_eq!(find(31).await, Some((Offset(3), Timestamp(40))));
        assert_eq!(find(500).await, Some((Offset(19), Timestamp(900))), "after 16 batches without such a record");
        assert_eq!(find(901).await, None);
        assert_eq!(
            log.newest(p).await.expect("readable"),
            Some((Offset(3), Timestamp(40))),
            "the record, not its header"
        );
        log.set_log_start(p, Offset(2));
        assert_eq!(find(6).await, Some((Offset(2), Timestamp(20))), "deleted records are not found");
    });
}

#[test]
fn the_largest_timestamp_is_that_of_a_record_the_first_of_several() {
    let fake = Fake::new(Image::new(), 4);
    let driver = fake.clone();
    fake.run(async move {
        let log = open(driver, cold()).await;
        let p = PartitionId(1);
        assert_eq!(log.newest(p).await.expect("readable"), None);
        for times in [[5, 30, 20], [30, 1, 2], [3, 4, 29]] {
            let mut batch = BatchBuilder::new(Compression::Lz4);
            times.into_iter().for_each(|ms| batch.push(ms, None, Some(b"x"), &[]));
            log.append(p, batch.build(), TERM).expect("there is room");
        }
        log.flushed().await.expect("the disk works");
        assert_eq!(log.newest(p).await.expect("readable"), Some((Offset(1), Timestamp(30))));
        log.set_log_start(p, Offset(2));
        assert_eq!(log.newest(p).await.expect("readable"), Some((Offset(3), Timestamp(30))));
        log.set_log_start(p, Offset(4));
        assert_eq!(log.newest(p).await.expect("readable"), Some((Offset(8), Timestamp(29))));
    });
}
