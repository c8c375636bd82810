//! What does a process do to a log in one life?

use std::cell::RefCell;
use std::rc::Rc;

use ::model::{Kind, Offset, PartitionId};
use runtime::{Driver, TaskHandle};
use wire::batch::BatchHeader;

use super::model::Model;
use super::{Summary, verify};
use crate::log::{CoreLog, LogConfig};
use crate::tests::fake::Fake;
use crate::tests::planted::{Bug, is_planted};
use crate::tests::tools::{TERM, batch, body};

const PARTITIONS: u64 = 9;
/// Partitions from this one on are made and soon deleted.
const BRIEF: u64 = 1_000;

/// What is wrong with the disk in this life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Calm,
    Slow,
    /// Writes fail, at some time.
    Broken,
    /// Reads fail, now and then.
    Unreadable,
    /// There is no room for another segment, until later.
    Full,
}

#[derive(Clone)]
pub(super) struct Life {
    pub fake: Fake,
    pub config: LogConfig,
    pub model: Rc<RefCell<Model>>,
    pub summary: Rc<RefCell<Summary>>,
    mood: Mood,
}

impl Life {
    pub fn new(fake: Fake, config: LogConfig, model: Rc<RefCell<Model>>, summary: Rc<RefCell<Summary>>) -> Life {
        use Mood::{Broken, Calm, Full, Slow, Unreadable};
        let mood = [Calm, Calm, Slow, Broken, Full, Unreadable][fake.below(6) as usize];
        Life { fake, config, model, summary, mood }
    }

    /// The same on a disk without faults.
    pub fn calm(self) -> Life {
        Life { mood: Mood::Calm, ..self }
    }

    pub async fn live(self) {
        self.model.borrow_mut().begin_life();
        self.fake.faults().forgets.set(is_planted(Bug::SkippedFlush));
        let Some(log) = self.open().await else { return };
        let known = self.model.borrow().clone();
        let now = verify::whole(&log, known).await;
        self.model.replace(now);
        // As the server does after a start.
        let left: Vec<PartitionId> =
            log.partitions().into_iter().filter(|p| !self.model.borrow().kept().contains(p)).collect();
        left.into_iter().for_each(|p| log.forget(p));
        let model = self.model.clone();
        log.on_advance(move |p, end| model.borrow_mut().advanced(p, end));
        self.set_faults();
        self.lose_patience(&log);
        let workers: Vec<_> = (0..1 + self.fake.below(4))
            .map(|_| self.fake.spawn("worker", self.clone().work(log.clone(), 10 + self.fake.below(60))))
            .collect();
        for worker in workers {
            worker.await.expect("workers come to their end");
        }
        self.recover_from_full(&log).await;
        self.end(log).await;
    }

    /// A life is over in an hour, or somebody waits for ever.
    fn lose_patience(&self, log: &CoreLog<Fake>) {
        let (life, log) = (self.clone(), log.clone());
        let patience = self.fake.spawn("patience", async move {
            life.sleep(3_600_000).await;
            // A broken disk took no further segment. Once it is in order, the log goes on by itself.
            if life.mood == Mood::Broken && log.health().full.is_some() {
                life.fake.faults().writes_left.set(None);
                life.sleep(3_600_000).await;
            }
            panic!("a life that is {:?} does not end: {:?}, {:?}", life.mood, log.stats(), log.health());
        });
        patience.keep();
    }

    async fn open(&self) -> Option<CoreLog<Fake>> {
        let log = match CoreLog::open(self.fake.clone(), self.config.clone(), |_, _| {}).await {
            Ok(log) => log,
            Err(error) => panic!("the disk works, and the log does not open: {error}"),
        };
        assert_eq!(log.damage(), [], "nothing was damaged");
        Some(log)
    }

    fn set_faults(&self) {
        let (fake, faults) = (&self.fake, self.fake.faults());
        faults.once.set(fake.below(2) == 0);
        let hidden = if self.mood == Mood::Full { Bug::HiddenFull } else { Bug::RetriedWrite };
        faults.hides_errors.set(is_planted(hidden));
        match self.mood {
            Mood::Calm => {}
            Mood::Slow => faults.slow_ms.set(1 + fake.below(300)),
            Mood::Broken => faults.writes_left.set(Some(fake.below(40))),
            Mood::Unreadable => faults.reads_left.set(Some(fake.below(20))),
            Mood::Full => {
                let used: u64 = fake.image().values().map(|file| file.len() as u64).sum();
                // And for the beginning of one more.
                let some = 4096 * (1 + fake.below(8));
                faults.quota_bytes.set(Some(used + fake.below(3) * self.config.segment_bytes + some));
            }
        }
    }

    async fn work(self, log: CoreLog<Fake>, steps: u64) {
        for _ in 0..steps {
            match self.fake.below(24) {
                0 => self.trim(&log).await,
                1 => self.come_and_go(&log).await,
                2 | 3 => self.read(&log).await,
                4 => self.flush(&log).await,
                5 => self.sleep(self.fake.below(2_500)).await,
                6 | 7 => self.sleep(self.fake.below(3)).await,
                8 => self.look().await,
                9 => self.sweep(&log).await,
                // Some partitions are busier than others.
                10..16 => self.append(&log, PartitionId(self.fake.below(PARTITIONS))),
                _ => self.append(&log, PartitionId(self.fake.below(PARTITIONS / 3))),
            }
            self.check_bounds(&log);
            // As a server would, that reads no further requests while too much waits.
            if log.stats().backlog_bytes > 400_000 {
                self.flush(&log).await;
            }
        }
    }

    fn append(&self, log: &CoreLog<Fake>, p: PartitionId) {
        let large = self.config.segment_bytes > 1 << 20 && self.fake.below(12) == 0;
        let bytes = if large { 1_200_000 } else { [20, 500, 5_000, 20_000][self.fake.below(4) as usize] };
        let sent = batch(self.fake.below(1 << 20), 1 + self.fake.below(3), bytes / 2);
        let appended = match log.append(p, sent.clone(), TERM) {
            Ok(appended) => appended,
            Err(error) => return self.expect_refusal(log, &error),
        };
        let number = self.model.borrow_mut().appended(p, appended.base, appended.last, &sent);
        let (life, log) = (self.clone(), log.clone());
        let watch = self.fake.spawn("watch", async move {
            match appended.durable.await {
                Ok(()) => life.acknowledged(&log, number),
                Err(error) => life.expect_failure(&log, &error),
            }
        });
        watch.keep();
    }

    /// Once a batch is acknowledged, all before it in the log are durable and can be seen.
    fn acknowledged(&self, log: &CoreLog<Fake>, number: u64) {
        let told = self.model.borrow_mut().acknowledged(number);
        self.summary.borrow_mut().acknowledged += told.len() as u64;
        for (p, last) in told {
            if !self.model.borrow().partitions[&p].forget_asked {
                let end = log.frontiers(p).high_watermark();
                assert!(end > last, "{p} is acknowledged to {last} with a high watermark of {end}");
            }
        }
    }

    fn expect_refusal(&self, log: &CoreLog<Fake>, error: &::model::Error) {
        match error.kind {
            Kind::Storage => {
                // A segment that cannot be made is as good as no room for one.
                assert!(matches!(self.mood, Mood::Full | Mood::Broken), "there is room, and still: {error}");
                self.summary.borrow_mut().refused_for_room += 1;
            }
            _ => self.expect_failure(log, error),
        }
    }

    fn expect_failure(&self, log: &CoreLog<Fake>, error: &::model::Error) {
        assert_eq!(error.kind, Kind::Fenced, "{error}");
        let why = log.fenced().expect("the log says so as well");
        assert_eq!(self.mood, Mood::Broken, "no write has failed, and still: {why}");
    }

    async fn flush(&self, log: &CoreLog<Fake>) {
        let asked = self.model.borrow().clone();
        // A log on a full disk gets there later.
        if self.mood == Mood::Full {
            return;
        }
        match log.flushed().await {
            Ok(()) => self.model.borrow_mut().flushed(&asked),
            Err(error) => self.expect_failure(log, &error),
        }
    }

    async fn trim(&self, log: &CoreLog<Fake>) {
        let p = PartitionId(self.fake.below(PARTITIONS));
        let start = {
            let mut model = self.model.borrow_mut();
            let Some(expected) = model.partitions.get_mut(&p) else { return };
            let start = Offset(self.fake.below(1 + expected.acked.0.unsigned_abs()) as i64);
            expected.start_asked = expected.start_asked.max(start);
            expected.start_asked
        };
        log.set_log_start(p, start);
        assert_eq!(log.frontiers(p).log_start(), start, "partition {p}");
        if self.fake.below(2) == 0 {
            self.flush(log).await;
        }
    }

    /// As retention does: all that is acknowledged of most partitions goes.
    async fn sweep(&self, log: &CoreLog<Fake>) {
        let kept = self.model.borrow().kept();
        for p in kept {
            // Some are kept for long: segments go from the middle of the log.
            if p.0 + 1 == PARTITIONS || self.fake.below(8) == 0 {
                continue;
            }
            let start = {
                let mut model = self.model.borrow_mut();
                let expected = model.partitions.get_mut(&p).expect("just listed");
                expected.start_asked = expected.acked;
                expected.start_asked
            };
            log.set_log_start(p, start);
        }
        self.sleep(self.fake.below(4_000)).await;
    }

    /// A topic that is made and deleted.
    async fn come_and_go(&self, log: &CoreLog<Fake>) {
        let p = PartitionId(BRIEF + self.fake.random() % (1 << 40));
        self.append(log, p);
        if self.fake.below(2) == 0 {
            self.flush(log).await;
        }
        if self.fake.below(2) == 0 {
            self.sleep(self.fake.below(8_000)).await;
        }
        if let Some(expected) = self.model.borrow_mut().partitions.get_mut(&p) {
            expected.forget_asked = true;
        }
        log.forget(p);
        if self.fake.below(2) == 0 {
            self.flush(log).await;
        }
    }

    async fn read(&self, log: &CoreLog<Fake>) {
        let p = PartitionId(self.fake.below(PARTITIONS));
        let frontiers = log.frontiers(p);
        let (start, end) = (frontiers.log_start(), frontiers.high_watermark());
        let from = Offset(start.0 + self.fake.below((end.0 - start.0 + 1).unsigned_abs()) as i64);
        let bytes_max = [1, 10_000, 100_000][self.fake.below(3) as usize];
        match log.read(p, from, Offset(i64::MAX), bytes_max).await {
            Ok(batches) => self.check_read(p, from, end, &batches),
            Err(error) if error.kind == Kind::Storage && self.mood == Mood::Unreadable => {
                self.summary.borrow_mut().failed_reads += 1;
            }
            Err(error) => assert!(log.frontiers(p).log_start() > from, "{p} from {from} cannot be read: {error}"),
        }
    }

    fn check_read(&self, p: PartitionId, from: Offset, end: Offset, batches: &[bytes::Bytes]) {
        self.summary.borrow_mut().reads += 1;
        assert!(from == end || !batches.is_empty(), "{p} has records from {from} to {end}, and none were read");
        let model = self.model.borrow();
        let Some(expected) = model.partitions.get(&p) else { return assert!(batches.is_empty()) };
        let sent = expected.sent.iter().filter(|sent| sent.last >= from);
        for (batch, sent) in batches.iter().zip(sent) {
            let header = BatchHeader::parse(batch).expect("only batches come back");
            assert_eq!(Offset(header.base_offset), sent.base, "{p} read from {from}");
            assert!(body(batch) == sent.body, "{p} at {}: not what was sent", sent.base);
        }
    }

    /// What a crash at this very moment would leave.
    async fn look(&self) {
        self.summary.borrow_mut().looks += 1;
        verify::look(self.fake.crash_image(), self.fake.random(), &self.config, &self.model.borrow());
    }

    async fn sleep(&self, ms: u64) {
        self.fake.sleep_until(self.fake.now().plus_ms(ms)).await;
    }

    fn check_bounds(&self, log: &CoreLog<Fake>) {
        let stats = log.stats();
        assert!(stats.tail_bytes <= self.config.tail_cache_bytes, "{stats:?}");
        assert!(stats.backlog_bytes <= ::model::limits::LOG_BACKLOG_BYTES_MAX, "{stats:?}");
        assert!(self.fake.in_flight_most() <= ::model::limits::WRITES_IN_FLIGHT_MAX + 1, "and one header");
    }

    /// With room again the log goes on by itself.
    async fn recover_from_full(&self, log: &CoreLog<Fake>) {
        if self.mood != Mood::Full {
            return;
        }
        self.fake.faults().quota_bytes.set(None);
        self.sleep(3_000).await;
        let sent = batch(1, 1, 100);
        let appended = log.append(PartitionId(0), sent.clone(), TERM).expect("there is room again");
        let number = self.model.borrow_mut().appended(PartitionId(0), appended.base, appended.last, &sent);
        appended.durable.await.expect("the disk works");
        self.acknowledged(log, number);
    }

    async fn end(&self, log: CoreLog<Fake>) {
        let asked = self.model.borrow().clone();
        match log.close().await {
            Ok(()) => {
                self.model.borrow_mut().flushed(&asked);
                self.summary.borrow_mut().ended_in_order += 1;
            }
            Err(error) => {
                // A segment that cannot be made fences nothing, but what waits for it is not written either.
                assert!(matches!(error.kind, Kind::Fenced | Kind::Storage), "{error}");
                assert_eq!(self.mood, Mood::Broken, "{error}");
                self.summary.borrow_mut().fenced += u64::from(error.kind == Kind::Fenced);
            }
        }
    }
}
