//! Do many short-lived io_uring shards, on more threads than there are cores, all come to an end and leave nothing?
//!
//! glommio can park for ever with runnable tasks (docs/adr/0001-glommio-with-guards.md). This is the load under which
//! it did so in every run without the guards. In a process of its own, because it counts descriptors and threads.

use std::cell::Cell;
use std::fs;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use model::ShardId;
use model::limits::IO_ALIGN;
use runtime::uring::Uring;
use runtime::{Driver, LogFile, MailSender, ShardOptions, TaskHandle, mailbox, probe_uring, start_shard_uring};

/// With an ordinary limit of locked memory (8 MiB) there is room for about thirty rings.
const THREADS: usize = 16;
const SHARDS_PER_THREAD: usize = 40;
const DEADLINE: Duration = Duration::from_secs(120);

/// A short life with a bit of everything: timers, tasks that wait for each other, disk, mail, an abrupt end.
async fn live(driver: Uring, folder: std::path::PathBuf, report: MailSender<u64>) {
    let log = driver.create_log(&folder.join("0.log"), 4 * IO_ALIGN as u64).await.unwrap();
    let sum = Rc::new(Cell::new(0));
    let mut tasks = Vec::new();
    for n in 0..4u64 {
        let (clock, log, sum) = (driver.clone(), log.clone(), sum.clone());
        tasks.push(driver.spawn("worker", async move {
            clock.sleep_until(clock.now().plus_ms(n)).await;
            let mut buf = log.alloc(IO_ALIGN);
            buf.fill(n as u8 + 1);
            log.write_at(n * IO_ALIGN as u64, buf).await.unwrap();
            clock.yield_now().await;
            sum.set(sum.get() + n);
        }));
    }
    // Never ends by itself, and holds the log open.
    let idler = (driver.clone(), log.clone());
    driver.spawn("idler", async move { idler.0.sleep_until(idler.0.now().plus_ms(3_600_000)).await }).keep();
    for task in tasks {
        task.await.unwrap();
    }
    let written = log.read_at(3 * IO_ALIGN as u64, IO_ALIGN).await.unwrap();
    assert!(written.iter().all(|byte| *byte == 4));
    report.send(sum.get()).await.unwrap();
}

fn run_shards(thread: usize, root: &Path, report: &MailSender<u64>) -> io::Result<()> {
    for n in 0..SHARDS_PER_THREAD {
        let folder = root.join(format!("{thread}-{n}"));
        fs::create_dir(&folder).unwrap();
        let report = report.clone();
        let shard = u16::try_from(thread).unwrap();
        let options = ShardOptions { shard: ShardId(shard), core: None, ring_depth: 128, io_memory_bytes: 64 * 1024 };
        start_shard_uring(options, move |driver| live(driver, folder, report))?.join()?;
    }
    Ok(())
}

/// Descriptors and threads of this process.
fn held() -> (usize, usize) {
    (fs::read_dir("/proc/self/fd").unwrap().count(), fs::read_dir("/proc/self/task").unwrap().count())
}

#[test]
fn every_shard_ends_and_leaves_nothing() {
    if let Err(reason) = probe_uring() {
        println!("Skipped: {reason}");
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let before = held();
    let started = Instant::now();
    let (report, reports) = mailbox(THREADS * SHARDS_PER_THREAD);
    let (done, finished) = flume::unbounded();
    for thread in 0..THREADS {
        let (root, report, done) = (root.path().to_owned(), report.clone(), done.clone());
        thread::spawn(move || {
            done.send(run_shards(thread, &root, &report)).unwrap();
        });
    }
    for ended in 0..THREADS {
        let left = DEADLINE.saturating_sub(started.elapsed());
        let result = finished.recv_timeout(left);
        result.unwrap_or_else(|_| panic!("{ended} of {THREADS} threads ended, then none: a shard hangs")).unwrap();
    }
    for _ in 0..THREADS * SHARDS_PER_THREAD {
        assert_eq!(reports.try_recv(), Some(6));
    }
    // glommio's own helper threads end a moment after their executor.
    let patience = Instant::now() + Duration::from_secs(10);
    // Fewer than before is fine: the probe's thread may have been one of them.
    let more = || held().0 > before.0 || held().1 > before.1;
    while more() && Instant::now() < patience {
        thread::sleep(Duration::from_millis(10));
    }
    assert!(!more(), "descriptors and threads left behind: {:?}, before {before:?}", held());
    println!("{} shards in {:?}", THREADS * SHARDS_PER_THREAD, started.elapsed());
}
