//! Does the status of a table that does not move tell how far it lags?

use super::*;
use crate::testing::{Fault, Faulty};

struct Stopped {
    source: Arc<Memory>,
    faulty: Arc<Faulty>,
    lake: Lake,
}

impl Stopped {
    fn start(source: Arc<Memory>, objects: &Objects, fails: bool) -> Stopped {
        let (faulty, objects) = Faulty::over(objects);
        if fails {
            faulty.fail(0, 1, Fault::Before);
        }
        let catalog = Arc::new(Catalog::new(objects, "topics").expect("opens"));
        let lake = Lake::start(source.clone(), catalog, LakeConfig::new("c", Term(1)));
        Stopped { source, faulty, lake }
    }

    fn append(&self, partition: i32, records: usize) {
        let record: (Option<&[u8]>, Option<&[u8]>) = (None, Some(b"x"));
        self.source.append("t", partition, &vec![record; records]);
    }

    /// Waits for the status with this lag; it fails, or not, and this is where its partitions are.
    async fn lags(&self, lag: i64, fails: bool) -> Vec<(i64, i64)> {
        for _ in 0..200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            if let [status] = &self.lake.status()[..]
                && status.lag_records == lag
                && status.last_error.is_some() == fails
                && !status.partitions.is_empty()
            {
                return status.partitions.iter().map(|p| (p.committed.0, p.last_stable.0)).collect();
            }
        }
        panic!("no lag of {lag}: {:?}", self.lake.status());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lag_grows_and_ends_with_the_failure() {
    let (source, objects) = (Arc::new(Memory::default()), Objects::memory());
    source.topic("t", 2, KEY_VALUE);
    let stopped = Stopped::start(source, &objects, false);
    stopped.append(1, 4);
    while stopped.lake.status().first().is_none_or(|status| status.commits == 0) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stopped.faulty.fail(0, 1, Fault::Before);
    stopped.append(1, 3);
    assert_eq!(stopped.lags(3, true).await, [(0, 0), (4, 7)]);
    stopped.append(0, 2);
    assert_eq!(stopped.lags(5, true).await, [(0, 2), (4, 7)]);
    stopped.faulty.heal();
    assert_eq!(stopped.lags(0, false).await, [(2, 2), (7, 7)]);
    stopped.lake.stop().await;
}

/// Nobody knows yet where the table is: it is taken to lack all that the log has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_cannot_be_made_lags_too() {
    let (source, objects) = (Arc::new(Memory::default()), Objects::memory());
    source.topic("t", 1, KEY_VALUE);
    source.append("t", 0, &[(None, Some(b"a")), (None, Some(b"b")), (None, Some(b"c"))]);
    source.delete_records("t", 0, 1);
    let stopped = Stopped::start(source, &objects, true);
    assert_eq!(stopped.lags(2, true).await, [(1, 3)]);
    stopped.append(0, 1);
    assert_eq!(stopped.lags(3, true).await, [(1, 4)]);
    stopped.lake.stop().await;
}
