//! What do many partitions cost?

use model::{Offset, PartitionId};

use super::fake::{Fake, Image};
use super::tools::{TERM, batch, config, open};
use crate::log::LogConfig;

const PARTITIONS: u64 = 20_000;
const IDLE_BYTES_MAX: usize = 1024;

#[test]
fn an_idle_partition_is_small() {
    let fake = Fake::new(Image::new(), 1);
    let config = || LogConfig { segment_bytes: 16 << 20, ..config() };
    let driver = fake.clone();
    fake.run(async move {
        let log = open(driver, config()).await;
        for p in 0..PARTITIONS {
            log.append(PartitionId(p), batch(p, 1, 50), TERM).expect("there is room");
        }
        log.flushed().await.expect("the disk works");
        let stats = log.stats();
        assert_eq!(stats.partitions as u64, PARTITIONS);
        let bytes = stats.index_bytes / PARTITIONS as usize;
        assert!(bytes <= IDLE_BYTES_MAX, "{bytes} bytes per partition");
        assert!(stats.flushes < 20, "{} group commits", stats.flushes);
    });
    let fake = Fake::new(fake.crash_image(), 2);
    let driver = fake.clone();
    fake.run(async move {
        let mut seen = 0;
        let log = crate::CoreLog::open(driver, config(), |_, _| seen += 1).await.expect("the log opens");
        assert_eq!(seen, PARTITIONS);
        assert_eq!(log.frontiers(PartitionId(PARTITIONS - 1)).high_watermark(), Offset(1));
        assert!(log.stats().index_bytes / PARTITIONS as usize <= IDLE_BYTES_MAX);
    });
}
