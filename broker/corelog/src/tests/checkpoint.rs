//! Starts with checkpoints: how little they read, and what becomes of damaged ones.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

use model::{Offset, PartitionId, Result};
use wire::batch::BatchHeader;

use super::fake::{Fake, Image};
use super::tools::{TERM, batch, body, config, open, read_all, segments, without_checkpoints};
use crate::checkpoint::Owner;
use crate::log::{CoreLog, LogConfig};

const PARTITIONS: u64 = 7;

/// Counts the records of each partition.
#[derive(Default)]
struct Counts(RefCell<BTreeMap<PartitionId, i64>>);

impl Owner for Counts {
    fn reset(&self) {
        self.0.borrow_mut().clear();
    }

    fn restore(&self, partition: PartitionId, saved: &[u8]) -> Result<()> {
        let saved = saved.try_into().expect("as it was saved");
        self.0.borrow_mut().insert(partition, i64::from_le_bytes(saved));
        Ok(())
    }

    fn seen(&self, partition: PartitionId, header: &BatchHeader) {
        let mut counts = self.0.borrow_mut();
        let count = counts.entry(partition).or_default();
        assert!(header.base_offset <= *count, "nothing is passed over");
        *count = (*count).max(header.last_offset() + 1);
    }

    fn save(&self, partition: PartitionId, saved: &mut Vec<u8>) {
        let count = self.0.borrow().get(&partition).copied().unwrap_or(0);
        saved.extend_from_slice(&count.to_le_bytes());
    }
}

/// A log of some segments that ended in order; the tail behind its last checkpoint but one is not empty.
fn written(seed: u64, batches: u64) -> Image {
    let fake = Fake::new(Image::new(), seed);
    let driver = fake.clone();
    fake.run(async move {
        let counts = Rc::new(Counts::default());
        let log = CoreLog::open_for(driver.clone(), config(), counts.clone()).await.expect("the log opens");
        for n in 0..batches {
            let p = PartitionId(n % PARTITIONS);
            let appended = log.append(p, batch(n, 1, 900), TERM).expect("there is room");
            *counts.0.borrow_mut().entry(p).or_default() += 1;
            if driver.below(4) == 0 {
                appended.durable.await.expect("the disk works");
            }
        }
        log.set_log_start(PartitionId(0), Offset(30));
        log.forget(PartitionId(1));
        counts.0.borrow_mut().remove(&PartitionId(1));
        log.flushed().await.expect("the disk works");
        log.close().await.expect("the disk works");
    });
    fake.image()
}

/// Opens what is on the disk, and compares it with what was written.
async fn expect_all(driver: Fake, batches: u64) {
    let counts = Rc::new(Counts::default());
    let log = CoreLog::open_for(driver, config(), counts.clone()).await.expect("the log opens");
    assert_eq!(log.damage(), []);
    for p in (0..PARTITIONS).filter(|p| *p != 1) {
        let id = PartitionId(p);
        let all = (0..batches).filter(|n| n % PARTITIONS == p).skip(if p == 0 { 30 } else { 0 });
        let read = read_all(&log, id).await.expect("nothing is damaged");
        assert!(read.iter().map(body).eq(all.map(|n| body(&batch(n, 1, 900)))), "partition {p}");
        assert_eq!(counts.0.borrow()[&id], log.frontiers(id).log_end().0, "what its owner keeps");
    }
    assert!(!log.partitions().contains(&PartitionId(1)));
    assert_eq!(log.frontiers(PartitionId(0)).log_start(), Offset(30));
}

fn checkpoints(image: &Image) -> Vec<PathBuf> {
    image.keys().filter(|path| path.to_string_lossy().contains("checkpoint-")).cloned().collect()
}

fn indexes(image: &Image) -> Vec<PathBuf> {
    image.keys().filter(|path| path.extension().is_some_and(|end| end == "idx")).cloned().collect()
}

fn start(image: Image, seed: u64, batches: u64) -> Image {
    let fake = Fake::new(image, seed);
    let driver = fake.clone();
    fake.run(expect_all(driver, batches));
    fake.image()
}

#[test]
fn the_newest_checkpoint_that_is_right_is_used() {
    let image = written(1, 2_000);
    let names = checkpoints(&image);
    assert_eq!(names.len(), 2, "two are kept: {names:?}");
    assert!(names[1].to_string_lossy().ends_with(".clean"), "{names:?}");
    assert!(!indexes(&image).is_empty() && segments(&image).len() > 5);
    let after = start(image.clone(), 2, 2_000);
    assert!(!checkpoints(&after).iter().any(|path| path.to_string_lossy().ends_with(".clean")), "it was used");
    for gone in [vec![&names[1]], vec![&names[0]], names.iter().collect()] {
        let mut image = image.clone();
        image.retain(|path, _| !gone.contains(&path));
        start(image, 3, 2_000);
    }
    start(without_checkpoints(image), 4, 2_000);
}

#[test]
fn a_flipped_bit_in_any_byte_of_a_checkpoint_or_an_index_is_noticed() {
    const BATCHES: u64 = 700;
    let image = written(5, BATCHES);
    let (names, tables) = (checkpoints(&image), indexes(&image));
    assert!(names.len() == 2 && !tables.is_empty(), "{names:?} {tables:?}");
    let number: u64 = names[1].file_stem().expect("a name").to_string_lossy()[11..].parse().expect("a number");
    let mut flips = 0;
    for path in names.iter().skip(1).chain(&tables) {
        for at in (0..image[path].len()).step_by(17) {
            let mut image = image.clone();
            image.get_mut(path).expect("it is there")[at] ^= 1 << (at % 8);
            let fake = Fake::new(image.clone(), at as u64);
            let driver = fake.clone();
            let used = fake.run(async move {
                let log = open(driver, config()).await;
                log.shared.marks.borrow().kept.first().map(|name| name.number)
            });
            start(image, at as u64, BATCHES);
            assert_ne!(used, Some(number), "byte {at} of {} was not noticed", path.display());
            flips += 1;
        }
    }
    assert!(flips > 200, "{flips}");
}

#[test]
fn a_checkpoint_of_another_log_is_not_used() {
    let (one, mut other) = (written(6, 300), written(7, 300));
    let names = checkpoints(&one);
    let foreign: Vec<_> = names.iter().map(|name| (name.clone(), one[name].clone())).collect();
    other = without_checkpoints(other);
    other.extend(foreign);
    start(other, 8, 300);
    // Nor one that is newer than the log.
    let (mut older, newer) = (written(9, 300), written(9, 500));
    older = without_checkpoints(older);
    older.extend(checkpoints(&newer).into_iter().map(|name| (name.clone(), newer[&name].clone())));
    start(older, 10, 300);
}

#[test]
fn a_start_after_a_stop_in_order_reads_little() {
    const MANY: u64 = 10_000;
    let config = || LogConfig { segment_bytes: 8 << 20, checkpoint_bytes: 8 << 20, ..config() };
    let fake = Fake::new(Image::new(), 11);
    let driver = fake.clone();
    fake.run(async move {
        let log = open(driver, config()).await;
        for round in 0..8 {
            for p in 0..MANY {
                log.append(PartitionId(p), batch(round, 1, 100), TERM).expect("there is room");
            }
            log.flushed().await.expect("the disk works");
        }
        log.close().await.expect("the disk works");
    });
    let image = fake.image();
    let log_bytes: usize = segments(&image).iter().map(|path| image[*path].len()).sum();
    let saved: usize = checkpoints(&image).iter().map(|path| image[path].len()).max().expect("there is one");
    assert!(saved / MANY as usize <= 250, "{saved} bytes of checkpoint");
    let fake = Fake::new(image, 12);
    let driver = fake.clone();
    fake.run(async move {
        let log = open(driver.clone(), config()).await;
        let read = driver.bytes_read();
        // The header of the last segment and of one made ahead, the last frame, and what stands behind it.
        assert!(read <= saved as u64 + 8 * 4096, "{read} bytes for a checkpoint of {saved}");
        assert!(read * 10 < log_bytes as u64, "{read} of {log_bytes}");
        assert_eq!(log.partitions().len() as u64, MANY);
        assert_eq!(log.frontiers(PartitionId(MANY - 1)).high_watermark(), Offset(8));
    });
}

#[test]
fn a_start_after_a_crash_reads_the_tail() {
    const BATCHES: u64 = 3_000;
    let config = || LogConfig { segment_bytes: 1 << 20, checkpoint_bytes: 400_000, ..config() };
    let fake = Fake::new(Image::new(), 13);
    let driver = fake.clone();
    fake.run(async move {
        let log = open(driver, config()).await;
        for n in 0..BATCHES {
            let appended = log.append(PartitionId(n % PARTITIONS), batch(n, 1, 5_000), TERM).expect("there is room");
            appended.durable.await.expect("the disk works");
        }
    });
    let fake = Fake::new(fake.crash_image(), 14);
    let driver = fake.clone();
    fake.run(async move {
        let log = open(driver.clone(), config()).await;
        assert!(log.stats().segments > 15);
        // The tail, what lies ahead in its segment and in one made ahead, and the checkpoint.
        assert!(driver.bytes_read() < 6 << 20, "{}", driver.bytes_read());
        let ends = (0..PARTITIONS).map(|p| log.frontiers(PartitionId(p)).high_watermark().0).sum::<i64>();
        assert_eq!(ends.cast_unsigned(), BATCHES);
    });
}

#[test]
fn segments_are_recycled() {
    let fake = Fake::new(Image::new(), 15);
    let driver = fake.clone();
    let p = PartitionId(1);
    fake.run(async move {
        let log = open(driver.clone(), config()).await;
        for n in 0..200 {
            log.append(p, batch(n, 1, 20_000), TERM).expect("there is room").durable.await.expect("the disk works");
            log.set_log_start(p, Offset(n.cast_signed() - 3));
            log.flushed().await.expect("the disk works");
            if n % 5 == 0 {
                let at = runtime::Driver::now(&driver).plus_ms(1_500);
                runtime::Driver::sleep_until(&driver, at).await;
            }
        }
        assert!(log.stats().segments <= 4, "{:?}", log.stats());
        assert!(driver.logs_created() <= 6, "{} files were zeroed", driver.logs_created());
        let files = driver.image();
        let spares = files.keys().filter(|path| path.to_string_lossy().contains("spare-")).count();
        assert!(spares <= model::limits::SEGMENT_SPARES_MAX, "{spares} spare files");
    });
    let fake = Fake::new(fake.crash_image(), 16);
    let driver = fake.clone();
    fake.run(async move {
        let log = open(driver, config()).await;
        assert_eq!(log.damage(), []);
        assert_eq!(read_all(&log, p).await.expect("intact").len(), 4);
    });
}
