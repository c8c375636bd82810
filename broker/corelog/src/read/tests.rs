//! Are batches found in memory and on disk alike?

use model::Timestamp;

use super::*;
use crate::log::LogConfig;
use crate::tests::fake::{Fake, Image};
use crate::tests::tools::{TERM, batch, body, config, open, read_all};

/// A log whose tail cache holds next to nothing.
fn cold() -> LogConfig {
    LogConfig { tail_cache_bytes: 4096, segment_bytes: 4 << 20, ..config() }
}

#[test]
fn scattered_frames_are_read_from_the_disk_in_order() {
    let fake = Fake::new(Image::new(), 1);
    let driver = fake.clone();
    fake.run(async move {
        let log = open(driver, cold()).await;
        for n in 0..2_000 {
            log.append(PartitionId(n % 7), batch(n, 1 + n % 3, (n as usize * 37) % 4000), TERM).expect("there is room");
        }
        log.flushed().await.expect("the disk works");
        for p in 0..7 {
            let expected: Vec<Bytes> = (0..2_000)
                .filter(|n| n % 7 == p)
                .map(|n| body(&batch(n, 1 + n % 3, (n as usize * 37) % 4000)))
                .collect();
            let batches = read_all(&log, PartitionId(p)).await.expect("nothing is damaged");
            assert!(batches.iter().map(body).collect::<Vec<_>>() == expected);
            let at_once = log.read(PartitionId(p), Offset(0), Offset(i64::MAX), usize::MAX).await.expect("in range");
            assert!(at_once == batches);
        }
    });
}

#[test]
fn damage_after_recovery_is_found_when_it_is_read() {
    let fake = Fake::new(Image::new(), 2);
    let driver = fake.clone();
    fake.run(async move {
        let log = open(driver.clone(), cold()).await;
        let p = PartitionId(1);
        for n in 0..20 {
            log.append(p, batch(n, 2, 5_000), TERM).expect("there is room").durable.await.expect("the disk works");
        }
        let position = log.shared.frame_reaching(p, Offset(10), Timestamp(0)).expect("it is listed").position;
        let log_file = driver.image().keys().position(|path| path.extension().is_some_and(|end| end == "log"));
        driver.flip(log_file.expect("there is a segment"), usize::try_from(position.0).expect("small") + 3_000);
        let error = log.read(p, Offset(11), Offset(40), 1).await.expect_err("it is damaged");
        assert_eq!(error.kind, model::Kind::Damaged);
        assert!(error.message.contains("offsets 10 to 11 of partition 1"), "{error}");
        let before = log.read(p, Offset(0), Offset(40), usize::MAX).await.expect("up to the damage");
        assert_eq!(before.len(), 5);
        let after = log.read(p, Offset(12), Offset(40), usize::MAX).await.expect("behind the damage");
        assert_eq!(after.len(), 14);
    });
}
