//! Do timers fire, and does nobody get more than a share?

use std::cell::Cell;
use std::cell::RefCell;
use std::rc::Rc;

use model::limits::IO_ALIGN;

use super::{Tested, run};
use crate::driver::{Instant, LogFile, TaskHandle};

pub(super) fn timers_fire_in_order_and_never_early<D: Tested>() {
    run(|driver: D| async move {
        let start = driver.now();
        let fired = Rc::new(RefCell::new(Vec::new()));
        let mut tasks = Vec::new();
        for ms in [120, 5, 60, 400] {
            let (driver, fired, at) = (driver.clone(), fired.clone(), start.plus_ms(ms));
            tasks.push(driver.clone().spawn("timer", async move {
                driver.sleep_until(at).await;
                assert!(driver.now() >= at, "{ms} ms: too early");
                fired.borrow_mut().push(ms);
            }));
        }
        driver.sleep_until(Instant(0)).await;
        assert!(driver.now().ms_since(start) < 100, "a time that is past is no wait");
        let for_ever = driver.spawn("for ever", driver.sleep_until(Instant(u64::MAX)));
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*fired.borrow(), [5, 60, 120, 400]);
        for_ever.cancel();
        assert!(driver.wall_ms() > 1_700_000_000_000);
        assert_ne!(driver.random(), driver.random());
    });
}

pub(super) fn a_task_that_runs_long_is_told_to_yield<D: Tested>() {
    run(|driver: D| async move {
        driver.yield_now().await;
        let start = driver.now();
        while !driver.should_yield() {
            assert!(driver.now().ms_since(start) < 5_000);
        }
        let ran = Rc::new(Cell::new(false));
        driver
            .spawn("other", {
                let ran = ran.clone();
                async move { ran.set(true) }
            })
            .keep();
        assert!(!ran.get());
        driver.yield_now().await;
        assert!(ran.get(), "yielding lets others run");
        assert!(driver.now().ms_since(start) > 1_000 || !driver.should_yield(), "a new share");
    });
}

pub(super) fn busy_tasks_starve_neither_timers_nor_disk<D: Tested>() {
    let dir = D::scratch();
    let path = dir.path().join("0.log");
    run(move |driver: D| async move {
        for _ in 0..3 {
            let busy = driver.clone();
            let task = driver.spawn("busy", async move {
                loop {
                    busy.yield_now().await;
                }
            });
            task.keep();
        }
        let start = driver.now();
        driver.sleep_until(start.plus_ms(20)).await;
        let log = driver.create_log(&path, IO_ALIGN as u64).await.unwrap();
        for _ in 0..5 {
            log.write_at(0, log.alloc(IO_ALIGN)).await.unwrap();
        }
        // Without care it is the ten seconds of glommio's preempt timer, for each of them.
        let waited = driver.now().ms_since(start);
        assert!(waited < 5_000, "{waited} ms");
    });
}
