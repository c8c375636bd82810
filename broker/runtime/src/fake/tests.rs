//! Does the same seed give the same world, and does its disk lose what a disk may lose?

use std::cell::RefCell;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use model::limits::IO_ALIGN;

use super::*;
use crate::driver::{Listener, LogFile, Stream, StreamRead, StreamWrite, TaskHandle};
use crate::mailbox::mailbox;

const ALIGN: u64 = IO_ALIGN as u64;

fn path(name: &str) -> PathBuf {
    Path::new("/disk").join(name)
}

/// An empty disk with one folder.
fn fresh(seed: u64) -> Fake {
    Fake::new(Image::from([(path("there"), vec![1; 100])]), seed)
}

/// Tasks, mail, timers, disk and network, all at once; returns who came when.
async fn bustle(fake: Fake) -> Vec<u64> {
    let order = Rc::new(RefCell::new(Vec::new()));
    let (sender, receiver) = mailbox(2);
    let log = fake.create_log(&path("log"), 16 * ALIGN).await.unwrap();
    let mut tasks = Vec::new();
    for n in 0..8 {
        let (fake, order, log, sender) = (fake.clone(), order.clone(), log.clone(), sender.clone());
        tasks.push(fake.clone().spawn("one of many", async move {
            let mut buffer = log.alloc(IO_ALIGN);
            buffer.fill(n as u8);
            log.write_at(n * ALIGN, buffer).await.unwrap();
            order.borrow_mut().push(n);
            fake.sleep_until(fake.now().plus_ms(fake.below(5))).await;
            order.borrow_mut().push(100 + n);
            sender.send(n).await.unwrap();
        }));
    }
    drop(sender);
    while let Some(n) = receiver.recv().await {
        order.borrow_mut().push(200 + n);
    }
    for task in tasks {
        task.await.unwrap();
    }
    talk(&fake).await;
    order.take()
}

async fn talk(fake: &Fake) {
    let listener = fake.listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let (_, mut write) = fake.connect(listener.local_addr().unwrap()).unwrap().split();
    let (mut read, _) = listener.accept().await.unwrap().0.split();
    let sent = Bytes::from((0..200_000).map(|n: u32| n as u8).collect::<Vec<_>>());
    let sending = sent.clone();
    let sender = fake.spawn("sender", async move { write.write_all(&[sending]).await.unwrap() });
    let mut received = BytesMut::new();
    while read.read(&mut received).await.unwrap() > 0 {}
    sender.await.unwrap();
    assert!(received == sent);
}

#[test]
fn the_same_seed_gives_the_same_events_and_another_seed_others() {
    let run = |seed| {
        let fake = fresh(seed);
        let order = fake.run(bustle(fake.clone()));
        (order, fake.trace(), fake.now(), fake.random(), fake.crash_image())
    };
    let mut traces = HashSet::new();
    let mut orders = HashSet::new();
    for seed in 0..50 {
        let (first, second) = (run(seed), run(seed));
        assert!(first == second, "seed {seed} runs in two ways");
        traces.insert(first.1);
        orders.insert(first.0);
    }
    assert_eq!((traces.len(), orders.len()), (50, 50));
}

#[test]
fn a_crash_leaves_any_sectors_of_what_is_in_flight_and_all_of_what_is_durable() {
    let (mut seen, mut torn) = (HashSet::new(), 0);
    for seed in 0..200 {
        let fake = fresh(seed);
        let driver = fake.clone();
        fake.run(async move {
            let log = driver.create_log(&path("log"), 4 * ALIGN).await.unwrap();
            let mut first = log.alloc(IO_ALIGN);
            first.fill(1);
            log.write_at(0, first).await.unwrap();
            for n in 1..3 {
                let mut next = log.alloc(IO_ALIGN);
                next.fill(2);
                driver.spawn("write", log.write_at(n * ALIGN, next)).keep();
            }
            driver.yield_now().await;
            driver.yield_now().await;
        });
        let image = fake.crash_image();
        let log = &image[&path("log")];
        assert!(log[..IO_ALIGN].iter().all(|byte| *byte == 1), "durable bytes are lost");
        let sectors: Vec<bool> = log.chunks(512).map(|sector| sector[0] == 2).collect();
        assert!(log.chunks(512).all(|sector| sector.iter().all(|byte| *byte == sector[0])), "a torn sector");
        torn += usize::from(sectors[8..16].contains(&true) && sectors[8..16].contains(&false));
        seen.insert(sectors);
    }
    assert!(seen.len() > 40 && torn > 20, "{} states, {torn} torn writes", seen.len());
}

#[test]
fn names_are_lost_until_their_folder_is_synced() {
    let mut states = HashSet::new();
    for seed in 0..300 {
        let fake = fresh(seed);
        let driver = fake.clone();
        let steps = fake.below(9);
        let ended = fake.run_for(steps, async move {
            driver.replace_file(&path("there"), &[2; 9_000]).await.unwrap();
            driver.remove(&path("there")).await.unwrap();
        });
        let image = fake.crash_image();
        let there = image.get(&path("there"));
        let state = match there.map(Vec::as_slice) {
            Some(bytes) if bytes == [1; 100] => 'o',
            Some(bytes) if bytes == [2; 9_000] => 'n',
            Some(bytes) => panic!("seed {seed}: the file has {} bytes of neither", bytes.len()),
            None => '-',
        };
        states.insert((ended.is_some(), state, image.contains_key(&path("there.tmp"))));
        assert!(ended.is_none() || state == '-', "seed {seed}: it was removed durably");
    }
    for wanted in
        [(false, 'o', false), (false, 'o', true), (false, 'n', false), (false, '-', false), (true, '-', false)]
    {
        assert!(states.contains(&wanted), "{wanted:?} never came");
    }
}

#[test]
fn a_new_log_is_short_or_zero_until_it_is_synced() {
    let mut lengths = HashSet::new();
    for seed in 0..200 {
        let fake = fresh(seed);
        let (driver, steps) = (fake.clone(), fake.below(5));
        let ended = fake.run_for(steps, async move { driver.create_log(&path("log"), 4 * ALIGN).await.map(drop) });
        let image = fake.crash_image();
        let log = image.get(&path("log"));
        assert!(log.is_none_or(|bytes| bytes.iter().all(|byte| *byte == 0)));
        assert!(ended.is_none() || log.map(Vec::len) == Some(4 * IO_ALIGN), "seed {seed}: it is durable");
        lengths.insert(log.map(Vec::len));
    }
    assert!(lengths.contains(&None) && lengths.contains(&Some(4 * IO_ALIGN)) && lengths.len() > 4, "{lengths:?}");
}

#[test]
fn faults_come_when_they_are_due_and_end_when_they_should() {
    let fake = fresh(1);
    let driver = fake.clone();
    fake.run(async move {
        let faults = driver.faults();
        faults.quota_bytes.set(Some(100 + 2 * ALIGN));
        let error = driver.create_log(&path("log"), 4 * ALIGN).await.err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(driver.list(Path::new("/disk")).await.unwrap()[0].len, 2 * ALIGN, "what there was room for");
        driver.remove(&path("log")).await.unwrap();
        faults.quota_bytes.set(None);
        let log = driver.create_log(&path("log"), 4 * ALIGN).await.unwrap();
        faults.writes_left.set(Some(1));
        faults.once.set(true);
        log.write_at(0, log.alloc(IO_ALIGN)).await.unwrap();
        assert_eq!(log.write_at(0, log.alloc(IO_ALIGN)).await.err().unwrap().raw_os_error(), Some(libc::EIO));
        assert!(log.write_at(0, log.alloc(IO_ALIGN)).await.is_err(), "a log that failed once takes no more");
        let again = driver.open_log(&path("log")).await.unwrap();
        again.write_at(0, again.alloc(IO_ALIGN)).await.expect("the disk failed once");
        faults.reads_left.set(Some(0));
        faults.once.set(false);
        assert!(again.read_at(0, IO_ALIGN).await.is_err() && again.read_at(0, IO_ALIGN).await.is_err());
        faults.reads_left.set(None);
        assert!(again.read_at(0, IO_ALIGN).await.is_ok());
    });
}

#[test]
fn a_disk_that_forgets_loses_what_it_called_durable() {
    let mut lost = 0;
    for seed in 0..20 {
        let fake = fresh(seed);
        let driver = fake.clone();
        fake.run(async move {
            let log = driver.create_log(&path("log"), ALIGN).await.unwrap();
            driver.faults().forgets.set(true);
            let mut buffer = log.alloc(IO_ALIGN);
            buffer.fill(1);
            log.write_at(0, buffer).await.unwrap();
            assert!(log.read_at(0, IO_ALIGN).await.unwrap().iter().all(|byte| *byte == 1));
        });
        lost += usize::from(fake.crash_image()[&path("log")] != [1; IO_ALIGN]);
    }
    assert!(lost > 5, "{lost} of 20");
}

#[test]
fn a_shard_that_waits_for_nothing_is_found() {
    let fake = fresh(1);
    let waits = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| fake.run(std::future::pending::<()>())));
    let panic = waits.expect_err("it never ends");
    assert!(panic.downcast_ref::<&str>().is_some_and(|text| text.contains("sleeps for ever")));
}
