//! Crash after crash on one disk: what was acknowledged is there, and what is there is what was sent.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use bytes::Bytes;
use model::{Offset, PartitionId};
use runtime::Driver;
use wire::batch::{BatchHeader, check};

use super::fake::{Fake, Image};
use super::tools::{TERM, batch, body, config, open, read_all};
use crate::log::{CoreLog, LogConfig};
use crate::segment::number_of;

const PARTITIONS: u64 = 9;
/// Partitions from this one on live for a moment only.
const BRIEF: u64 = 1_000;

/// What a partition should hold.
#[derive(Clone, Default)]
struct Expected {
    /// Everything that was appended, from offset 0: base offset and bytes.
    sent: Vec<(Offset, Bytes)>,
    /// High watermark that was announced.
    durable: Offset,
    /// Log start that was set, and the one known to be durable.
    start_set: Offset,
    start_durable: Offset,
    /// The partition is forgotten, and durably so.
    forgotten: bool,
}

type Model = Rc<RefCell<HashMap<PartitionId, Expected>>>;

fn small() -> LogConfig {
    LogConfig { segment_bytes: 96 * 1024, tail_cache_bytes: 32 * 1024, ..config() }
}

#[test]
fn crashes_lose_nothing_that_was_acknowledged() {
    let (mut ended_in_order, mut removed, mut gaps) = (0, false, 0);
    for seed in 0..60 {
        let model = Model::default();
        let mut image = Image::new();
        for round in 0..6 {
            let fake = Fake::new(image, seed * 100 + round);
            let steps = fake.below(600);
            if fake.run_for(steps, live(fake.clone(), model.clone())).is_some() {
                ended_in_order += 1;
            }
            image = fake.crash_image();
            gaps += usize::from(has_gap(&image));
            removed |= !image.keys().any(|path| path.ends_with("core-0000000001.log"));
        }
        let fake = Fake::new(image, seed);
        let driver = fake.clone();
        fake.run(async move { verify(&open(driver, small()).await, &model).await });
    }
    assert!(ended_in_order > 10 && removed, "the runs are long enough: {ended_in_order}, {removed}");
    assert!(gaps > 5, "segments went from the middle: {gaps} times");
}

/// True if a segment is missing between others.
fn has_gap(image: &Image) -> bool {
    let mut numbers: Vec<u64> = image.keys().filter_map(|path| number_of(path.file_name()?.to_str()?)).collect();
    numbers.sort();
    numbers.windows(2).any(|pair| pair[1] != pair[0] + 1)
}

/// One life of the process.
async fn live(fake: Fake, model: Model) {
    let log = open(fake.clone(), small()).await;
    assert_eq!(log.damage(), []);
    verify(&log, &model).await;
    // As the server does after a start.
    log.partitions().into_iter().filter(|p| p.0 >= BRIEF).for_each(|p| log.forget(p));
    let seen = model.clone();
    log.on_advance(move |p, end| {
        let mut model = seen.borrow_mut();
        let expected = model.get_mut(&p).expect("it was appended to");
        assert!(end > expected.durable, "each advance is one");
        expected.durable = end;
    });
    let mut waiting = VecDeque::new();
    for _ in 0..fake.below(60) {
        let p = PartitionId(fake.below(PARTITIONS));
        if fake.below(12) == 0 {
            trim(&log, &fake, &model, p).await;
        }
        if fake.below(10) == 0 {
            come_and_go(&log, &fake, &model).await;
        }
        let (salt, count) = (fake.below(1 << 20), 1 + fake.below(4));
        let sent = batch(salt, count, [20, 500, 5_000, 20_000][fake.below(4) as usize]);
        let appended = log.append(p, sent.clone(), TERM).expect("there is room");
        model.borrow_mut().entry(p).or_default().sent.push((appended.base, body(&sent)));
        waiting.push_back(appended.durable);
        if waiting.len() as u64 > fake.below(8) {
            waiting.pop_front().expect("just pushed").await.expect("the disk works");
        }
        if fake.below(30) == 0 {
            let at = fake.now().plus_ms(1_100);
            fake.sleep_until(at).await;
        }
    }
    log.close().await.expect("the disk works");
}

async fn trim(log: &CoreLog<Fake>, fake: &Fake, model: &Model, p: PartitionId) {
    let start = {
        let mut model = model.borrow_mut();
        let expected = model.entry(p).or_default();
        let start = Offset(fake.below(1 + expected.durable.0.unsigned_abs()) as i64);
        expected.start_set = expected.start_set.max(start);
        expected.start_set
    };
    log.set_log_start(p, start);
    if fake.below(2) == 0 {
        log.flushed().await.expect("the disk works");
        let mut model = model.borrow_mut();
        model.get_mut(&p).expect("just made").start_durable = start;
    }
}

/// A topic that is made and deleted.
async fn come_and_go(log: &CoreLog<Fake>, fake: &Fake, model: &Model) {
    // Positions are never used twice, so this id is new.
    let p = PartitionId(BRIEF + log.stats().log_end.0);
    model.borrow_mut().entry(p).or_default();
    log.append(p, batch(1, 1, 5_000), TERM).expect("there is room");
    if fake.below(2) == 0 {
        log.flushed().await.expect("the disk works");
    }
    log.forget(p);
    log.flushed().await.expect("the disk works");
    model.borrow_mut().get_mut(&p).expect("just made").forgotten = true;
}

/// Compares the log with what was sent, and takes over what of the unacknowledged survived.
async fn verify(log: &CoreLog<Fake>, model: &Model) {
    // A crash in here leaves the model as it was.
    let mut now = model.borrow().clone();
    for p in log.partitions() {
        assert!(now.contains_key(&p), "partition {p} was never appended to");
    }
    let there = log.partitions();
    for (p, expected) in &mut now {
        if p.0 >= BRIEF {
            assert!(!expected.forgotten || !there.contains(p), "partition {p} is back");
            continue;
        }
        let frontiers = log.frontiers(*p);
        let (start, end) = (frontiers.log_start(), frontiers.high_watermark());
        assert!(end >= expected.durable, "partition {p} lost offset {end}: {} was acknowledged", expected.durable);
        assert!(start >= expected.start_durable && start <= expected.start_set, "partition {p} starts at {start}");
        let mut batches = Vec::new();
        for batch in read_all(log, *p).await.expect("nothing is damaged") {
            let header: BatchHeader = check(&batch).expect("only whole batches come back");
            batches.push((Offset(header.base_offset), body(&batch)));
        }
        expected.sent.retain(|(base, _)| *base < end);
        let first = batches.first().map_or(end, |(base, _)| *base);
        let sent: Vec<_> = expected.sent.iter().filter(|(base, _)| *base >= first).cloned().collect();
        assert!(batches == sent, "partition {p} from {start} to {end} is not what was sent");
        assert!(first <= start || batches.is_empty(), "partition {p} has a gap from {start} to {first}");
        (expected.durable, expected.start_set, expected.start_durable) = (end, start, start);
    }
    model.replace(now);
}
