//! Does every task end with its shard, destructors included?

use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};

use super::outside::Peer;
use super::{Tested, run, start};
use crate::driver::{Listener, Stream, StreamRead, StreamWrite, TaskHandle};
use crate::mailbox::mailbox;

/// Counts how often it is dropped.
#[derive(Clone)]
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

pub(super) fn shutdown_runs_every_destructor<D: Tested>() {
    let drops = Arc::new(AtomicUsize::new(0));
    let dir = D::scratch();
    let (counter, path) = (drops.clone(), dir.path().join("0.log"));
    run(move |driver: D| async move {
        let listener = driver.listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let addr = listener.local_addr().unwrap();
        let (_sender, receiver) = mailbox::<()>(1);
        let receiver = Rc::new(receiver);
        let _log = driver.create_log(&path, 4096).await.unwrap();
        let mut peers = Vec::new();
        for _ in 0..20 {
            let mut peer = D::Peer::connect(addr);
            peer.write_all(b"hello").unwrap();
            peers.push(peer);
            let (mut read, mut write) = listener.accept().await.unwrap().0.split();
            let counted = [Counted(counter.clone()), Counted(counter.clone())];
            let [reads, writes] = counted;
            let reading = driver.spawn("read", async move {
                let _reads = reads;
                let mut buf = BytesMut::new();
                while read.read(&mut buf).await.unwrap() > 0 {}
                unreachable!("the peer says no more and does not close");
            });
            let writing = driver.spawn("write", async move {
                let _writes = writes;
                write.write_all(&[Bytes::from(vec![0; 16 << 20])]).await.unwrap();
                unreachable!("the peer reads nothing");
            });
            let (sleeps, waits) = (Counted(counter.clone()), Counted(counter.clone()));
            let (clock, receiver) = (driver.clone(), receiver.clone());
            let sleeping = driver.spawn("sleep", async move {
                let _sleeps = sleeps;
                clock.sleep_until(clock.now().plus_ms(3_600_000)).await;
            });
            let waiting = driver.spawn("wait", async move {
                let _waits = waits;
                receiver.recv().await;
            });
            reading.keep();
            writing.keep();
            sleeping.keep();
            waiting.keep();
        }
        driver.sleep_until(driver.now().plus_ms(20)).await;
        assert_eq!(counter.load(Ordering::SeqCst), 0);
        let began = driver.now();
        assert_eq!(driver.shutdown(began.plus_ms(5_000)).await, 0);
        assert_eq!(counter.load(Ordering::SeqCst), 80);
        assert_eq!(driver.spawn("late", async {}).await, None, "nothing starts after the end");
    });
    assert_eq!(drops.load(Ordering::SeqCst), 80);
}

pub(super) fn the_end_of_main_is_the_end_of_all<D: Tested>() {
    let drops = Arc::new(AtomicUsize::new(0));
    let counted = Counted(drops.clone());
    let shard = start(0, move |driver: D| async move {
        let spawner = driver.clone();
        let outer = driver.spawn("outer", async move {
            let copy = counted.clone();
            let inner = spawner.spawn("inner", async move {
                let _copy = copy;
                std::future::pending::<()>().await;
            });
            inner.keep();
            let _counted = counted;
            std::future::pending::<()>().await;
        });
        outer.keep();
        driver.yield_now().await;
        driver.yield_now().await;
    });
    let heartbeat = shard.heartbeat.clone();
    shard.join().unwrap();
    assert_eq!(drops.load(Ordering::SeqCst), 2);
    assert!(heartbeat.is_finished() && heartbeat.beats() > 0);
}

pub(super) fn a_cancelled_task_gives_none<D: Tested>() {
    run(|driver: D| async move {
        let drops = Arc::new(AtomicUsize::new(0));
        let counted = Counted(drops.clone());
        let task = driver.spawn("sleeper", async move {
            let _counted = counted;
            std::future::pending::<u8>().await
        });
        driver.yield_now().await;
        let result = driver.spawn("seven", async { 7 });
        assert_eq!(result.await, Some(7));
        task.cancel();
        driver.sleep_until(driver.now().plus_ms(5)).await;
        assert_eq!(drops.load(Ordering::SeqCst), 1);
        let never = driver.spawn("never", std::future::pending::<u8>());
        assert_eq!(driver.shutdown(driver.now().plus_ms(1_000)).await, 0);
        assert_eq!(never.await, None);
    });
}

pub(super) fn nothing_runs_inside_spawn<D: Tested>() {
    run(|driver: D| async move {
        let list = Rc::new(RefCell::new(vec![1]));
        let borrowed = list.borrow_mut();
        let task = driver.spawn("push", {
            let list = list.clone();
            async move { list.borrow_mut().push(2) }
        });
        drop(borrowed);
        task.await.unwrap();
        assert_eq!(*list.borrow(), [1, 2]);
    });
}

pub(super) fn a_panic_ends_the_shard<D: Tested>() {
    let drops = Arc::new(AtomicUsize::new(0));
    let counted = Counted(drops.clone());
    let shard = start(3, move |driver: D| async move {
        let _counted = counted;
        driver.spawn("bad", async { panic!("out of cheese") }).keep();
        std::future::pending::<()>().await;
    });
    let heartbeat = shard.heartbeat.clone();
    let error = shard.join().unwrap_err();
    assert_eq!(error.to_string(), "a task panicked: out of cheese");
    assert_eq!(drops.load(Ordering::SeqCst), 1, "the main task ends too");
    assert!(!heartbeat.is_finished(), "the watchdog must notice");
}
