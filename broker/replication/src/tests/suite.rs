//! Does openraft's own suite pass on the core log, on all drivers?

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};

use corelog::CoreLog;
use model::LogGroup;
use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use runtime::Driver;
use runtime::fake::{Fake, Image};

use super::tools::{Scene, on_portable, on_uring, open};
use crate::host::{Host, on};
use crate::machine::{Machine, Progress};
use crate::store::Store;
use crate::types::Types;

/// Each store is a group of its own in one log.
struct Builder<D: Driver> {
    log: CoreLog<D>,
    next: AtomicU32,
}

// SAFETY: the suite asks for it, and runs on the one thread of the shard on which the builder was made.
unsafe impl<D: Driver> Send for Builder<D> {}
// SAFETY: as above.
unsafe impl<D: Driver> Sync for Builder<D> {}

impl<D: Driver> StoreBuilder<Types, Store<D>, Machine<D>> for Builder<D> {
    async fn build(&self) -> Result<((), Store<D>, Machine<D>), StorageError<Types>> {
        let group = LogGroup(self.next.fetch_add(1, Ordering::Relaxed));
        self.log.open_group(group);
        let (log, progress) = (self.log.clone(), Progress::default());
        let store = Store { log: log.clone(), group, progress: progress.clone(), begins_anywhere: true };
        Ok(((), store, Machine { log, group, progress }))
    }
}

async fn run_suite<D: Driver>(driver: D, log: CoreLog<D>) {
    let host: Rc<dyn Host> = Rc::new(driver);
    let builder = Builder { log: log.clone(), next: AtomicU32::new(0) };
    on(host, Suite::test_all(builder)).await.expect("the core log is a log for Raft");
    assert!(log.stats().flushes > 100, "it went to the disk");
    log.close().await.expect("the disk works");
}

struct OnFiles;

impl Scene for OnFiles {
    async fn play<D: Driver>(self, driver: D) {
        let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).expect("a scratch folder");
        let log = open(driver.clone(), dir.path().to_owned()).await;
        run_suite(driver, log).await;
    }
}

#[test]
fn the_suite_passes_on_the_portable_driver() {
    on_portable(OnFiles);
}

#[test]
fn the_suite_passes_on_io_uring() {
    on_uring(OnFiles);
}

#[test]
fn the_suite_passes_in_a_seeded_world() {
    for seed in 0..20 {
        let fake = Fake::new(Image::new(), seed);
        let (driver, done) = (fake.clone(), Rc::new(Cell::new(false)));
        let told = done.clone();
        fake.run(async move {
            let log = open(driver.clone(), "/log".into()).await;
            run_suite(driver, log).await;
            told.set(true);
        });
        assert!(done.get());
    }
}
