//! Does a log that was opened again hold what the model says?

use std::cell::RefCell;
use std::rc::Rc;

use ::model::{Frontiers, Kind, Offset, PartitionId};
use bytes::Bytes;
use runtime::Driver;
use wire::batch::check;

use super::Summary;
use super::model::{Expected, Model};
use crate::log::{CoreLog, LogConfig};
use crate::segment::Segment;
use crate::tests::fake::{Fake, Image};
use crate::tests::tools::{body, open, read_all, without_checkpoints};

/// Compares all of a log with the model; returns the model as it is now, without what was lost rightly.
pub(super) async fn whole(log: &CoreLog<Fake>, mut model: Model) -> Model {
    let there = log.partitions();
    for p in &there {
        let known = model.partitions.get(p);
        assert!(known.is_some(), "partition {p} was never appended to");
        assert!(!known.expect("just seen").forgotten, "partition {p} was deleted and is back");
    }
    let (mut survivor, mut lost) = (0, u64::MAX);
    for (p, expected) in &mut model.partitions {
        if expected.forget_asked {
            continue;
        }
        let end = partition(log, *p, expected).await;
        for sent in &expected.sent {
            if sent.base < end { survivor = survivor.max(sent.number) } else { lost = lost.min(sent.number) }
        }
        expected.sent.retain(|sent| sent.base < end);
        let start = log.frontiers(*p).log_start();
        (expected.acked, expected.start_asked, expected.start_durable) = (end, start, start);
    }
    assert!(lost > survivor, "batch {lost} of the log is lost, and {survivor} behind it is there");
    model
}

/// Returns where the partition ends.
async fn partition(log: &CoreLog<Fake>, p: PartitionId, expected: &Expected) -> Offset {
    let frontiers = log.frontiers(p);
    let (start, end) = (frontiers.log_start(), frontiers.high_watermark());
    assert_eq!(frontiers.log_end(), end, "all that is recovered is durable");
    assert!(end >= expected.acked, "partition {p} ends at {end}: {} was acknowledged", expected.acked);
    let asked = expected.start_durable <= start && start <= expected.start_asked;
    assert!(asked, "partition {p} starts at {start}, not {} to {}", expected.start_durable, expected.start_asked);
    let mut batches: Vec<(Offset, Bytes)> = Vec::new();
    for batch in read_all(log, p).await.expect("nothing is damaged") {
        let header = check(&batch).expect("only whole batches come back");
        batches.push((Offset(header.base_offset), body(&batch)));
    }
    let sent = expected.sent.iter().filter(|sent| sent.last >= start && sent.base < end);
    let wanted: Vec<(Offset, Bytes)> = sent.map(|sent| (sent.base, sent.body.clone())).collect();
    assert!(batches == wanted, "partition {p} from {start} to {end} is not what was sent");
    end
}

/// What a log says of its partitions.
fn told(log: &CoreLog<Fake>) -> Vec<(PartitionId, Frontiers, u64)> {
    let mut partitions = log.partitions();
    partitions.sort();
    partitions.into_iter().map(|p| (p, log.frontiers(p), log.bytes_of(p))).collect()
}

/// Recovers what a crash has left, twice: a log that was recovered is recovered to the same.
pub(super) fn look(image: Image, seed: u64, config: &LogConfig, model: &Model) {
    let fake = Fake::new(image, seed);
    let first = recovered(&fake, config, model);
    let fake = Fake::new(fake.crash_image(), seed);
    let (driver, opened) = (fake.clone(), config.clone());
    let second = fake.run(async move { told(&open(driver, opened).await) });
    assert!(first == second, "a second recovery finds something else");
}

/// Recovers what a crash has left and compares it with the model; returns what the log says of its partitions.
pub(super) fn recovered(fake: &Fake, config: &LogConfig, model: &Model) -> Vec<(PartitionId, Frontiers, u64)> {
    let (driver, opened, known) = (fake.clone(), config.clone(), model.clone());
    fake.run(async move {
        let log = open(driver, opened).await;
        assert_eq!(log.damage(), [], "nothing was damaged");
        whole(&log, known).await;
        told(&log)
    })
}

/// Verifies what is left of a history, then damages a few bits of a log that was closed in order: each costs a batch
/// at most, and none is served.
pub(super) fn last_life(
    seed: u64,
    image: Image,
    config: &LogConfig,
    model: &Rc<RefCell<Model>>,
    summary: &RefCell<Summary>,
) {
    look(image.clone(), seed, config, &model.borrow());
    let fake = Fake::new(image, seed);
    let (driver, opened, known) = (fake.clone(), config.clone(), model.borrow().clone());
    let model = fake.run(async move {
        let log = open(driver, opened).await;
        let model = whole(&log, known).await;
        log.close().await.expect("the disk works");
        model
    });
    for round in 0..3 {
        // What a checkpoint tells is not read again, so it must also be tried without.
        let image = if round == 0 { fake.image() } else { without_checkpoints(fake.image()) };
        let fake = Fake::new(image, fake.random());
        let n = fake.below(fake.image().len() as u64) as usize;
        let (path, bytes) = fake.image().into_iter().nth(n).expect("there is such a file");
        let is_segment = path.extension().is_some_and(|end| end == "log");
        if is_segment && Segment::parse(&bytes).is_err() {
            // A segment that was never begun: only zeros are taken for one.
            continue;
        }
        // One intact header of a segment is enough, so only one of the two is hit.
        let least = if is_segment { 4096 } else { 0 };
        fake.flip(n, least + fake.below((bytes.len() - least) as u64) as usize);
        let (driver, opened, known) = (fake.clone(), config.clone(), model.clone());
        let missing = fake.run(async move { damaged(&open(driver, opened).await, &known).await });
        assert!(missing <= 1, "one bit costs {missing} batches");
        summary.borrow_mut().flips += missing;
    }
}

/// Counts the batches that cannot be read; all others are what was sent.
async fn damaged(log: &CoreLog<Fake>, model: &Model) -> u64 {
    let (mut missing, mut untold) = (0, 0);
    for p in model.kept() {
        let expected = &model.partitions[&p];
        let start = log.frontiers(p).log_start();
        assert!(start <= expected.start_asked, "partition {p} starts at {start}");
        for sent in expected.sent.iter().filter(|sent| sent.last >= expected.start_asked) {
            match log.read(p, sent.base.max(start), Offset(i64::MAX), 1).await {
                Ok(batches) if batches.is_empty() => untold += 1,
                Ok(batches) => {
                    let header = check(&batches[0]).expect("nothing damaged is served");
                    assert_eq!(Offset(header.base_offset), sent.base, "partition {p}");
                    assert!(
                        body(&batches[0]) == sent.body,
                        "partition {p} at {}: a damaged batch is served",
                        sent.base
                    );
                }
                Err(error) if error.kind == Kind::Damaged => missing += 1,
                // Beyond the end: the partition has lost its last batch, head and all.
                Err(error) if error.kind == Kind::Invalid => untold += 1,
                Err(error) => panic!("{error}"),
            }
        }
    }
    assert!(untold == 0 || !log.damage().is_empty(), "what is lost is not reported");
    missing + untold
}
