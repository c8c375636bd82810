//! Does the log begin where it was told to, for consumers and by itself, also after a restart?

use bytes::Bytes;
use model::{Kind, Offset, PartitionId};
use runtime::Driver;

use crate::frame::{encode_start, parse_start};
use crate::tests::fake::{Fake, Image};
use crate::tests::tools::{TERM, batch, config, open};

#[test]
fn a_start_is_read_as_it_was_written_and_never_lies_behind_the_local_one() {
    for (start, local) in [(0, 5), (5, 5), (4, 5)] {
        assert_eq!(parse_start(&encode_start(Offset(start), Offset(local)), Offset(local)), Offset(start));
    }
    assert!(encode_start(Offset(5), Offset(5)).is_empty());
    assert_eq!(parse_start(&9i64.to_le_bytes(), Offset(5)), Offset(5));
    assert_eq!(parse_start(&(-9i64).to_le_bytes(), Offset(5)), Offset(0));
    assert_eq!(parse_start(&[1, 2], Offset(5)), Offset(5));
}

#[test]
fn what_is_dropped_locally_makes_room_and_stays_readable_elsewhere() {
    let fake = Fake::new(Image::new(), 1);
    let driver = fake.clone();
    let (kept, busy) = (PartitionId(1), PartitionId(2));
    let starts = |at: model::Frontiers| (at.log_start().0, at.local_start().0);
    fake.run(async move {
        let log = open(driver.clone(), config()).await;
        for n in 0..100 {
            log.append(kept, batch(n, 1, 20_000), TERM).expect("there is room");
            log.append(busy, batch(n, 1, 20_000), TERM).expect("there is room");
            log.flushed().await.expect("the disk works");
        }
        log.set_log_start(kept, Offset(3));
        log.set_local_start(kept, Offset(50));
        assert_eq!(starts(log.frontiers(kept)), (3, 3), "nothing goes that is not archived");
        log.set_archived(kept, Offset(100));
        log.set_local_start(kept, Offset(1_000));
        assert_eq!(starts(log.frontiers(kept)), (3, 100));
        log.set_log_start(busy, Offset(100));
        let error = log.read(kept, Offset(99), Offset(i64::MAX), 1).await.expect_err("it is gone");
        assert_eq!(error.kind, Kind::Invalid);
        driver.sleep_until(driver.now().plus_ms(10_000)).await;
        assert!(log.stats().segments <= 3, "{:?}", log.stats());
        log.close().await.expect("the disk works");
    });
    let fake = Fake::new(fake.crash_image(), 2);
    let driver = fake.clone();
    fake.run(async move {
        let log = open(driver, config()).await;
        assert_eq!(log.damage(), []);
        assert_eq!((starts(log.frontiers(kept)), starts(log.frontiers(busy))), ((3, 100), (100, 100)));
        log.set_log_start(kept, Offset(50));
        assert_eq!(starts(log.frontiers(kept)), (50, 100), "deletion goes on in the archive's part");
        log.append(kept, batch(7, 1, 10), TERM).expect("there is room").durable.await.expect("the disk works");
        let read: Vec<Bytes> = log.read(kept, Offset(100), Offset(i64::MAX), 1).await.expect("it is there");
        assert_eq!(read.len(), 1);
    });
}

#[test]
fn a_partition_can_go_on_where_an_archive_ends() {
    let fake = Fake::new(Image::new(), 1);
    let driver = fake.clone();
    let (a, b) = (PartitionId(1), PartitionId(2));
    let starts = |at: model::Frontiers| (at.log_start().0, at.local_start().0, at.high_watermark().0);
    fake.run(async move {
        let log = open(driver, config()).await;
        log.begin_at(a, Offset(3), Offset(50)).expect("is new");
        log.begin_at(b, Offset(7), Offset(7)).expect("is new");
        assert_eq!(log.begin_at(a, Offset(3), Offset(60)).expect_err("is not new").kind, Kind::Conflict);
        let appended = log.append(b, batch(1, 2, 10), TERM).expect("there is room");
        assert_eq!((appended.base, appended.last), (Offset(7), Offset(8)));
        log.flushed().await.expect("the disk works");
        assert_eq!((starts(log.frontiers(a)), starts(log.frontiers(b))), ((3, 50, 50), (7, 7, 9)));
        log.close().await.expect("the disk works");
    });
    let fake = Fake::new(fake.crash_image(), 2);
    let driver = fake.clone();
    fake.run(async move {
        let log = open(driver, config()).await;
        assert_eq!(log.damage(), []);
        assert_eq!((starts(log.frontiers(a)), starts(log.frontiers(b))), ((3, 50, 50), (7, 7, 9)));
        assert_eq!(log.append(a, batch(1, 1, 10), TERM).expect("there is room").base, Offset(50));
    });
}
