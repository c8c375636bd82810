//! Do tasks end when they are told to?

use std::rc::Rc;

use futures_util::FutureExt;
use futures_util::task::noop_waker;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll};

use super::task::Tracked;
use super::*;
use crate::driver::TaskHandle;

/// Tells when it is dropped.
struct Alive(#[expect(dead_code, reason = "only its drop matters")] Rc<()>);

fn poll_once<F: Future<Output = ()>>(tracked: &mut Tracked<F>) -> Poll<()> {
    pin!(tracked).poll(&mut Context::from_waker(&noop_waker()))
}

#[test]
fn a_cancelled_task_drops_its_future_when_polled_and_not_before() {
    let registry = Registry::new(None);
    let witness = Rc::new(());
    let alive = Alive(witness.clone());
    let (task, mut tracked) = registry.track("sleeper", async move {
        let _alive = alive;
        std::future::pending::<()>().await;
    });
    assert!(poll_once(&mut tracked).is_pending());
    let control = task.control();
    control.cancel();
    assert_eq!(Rc::strong_count(&witness), 2);
    assert!(poll_once(&mut tracked).is_ready());
    assert_eq!(Rc::strong_count(&witness), 1);
    assert_eq!(task.now_or_never(), Some(None));
}

#[test]
fn a_task_gives_its_result_once() {
    let registry = Registry::new(None);
    let (mut task, mut tracked) = registry.track("seven", async { 7 });
    assert_eq!((&mut task).now_or_never(), None);
    assert!(pin!(&mut tracked).poll(&mut Context::from_waker(&noop_waker())).is_ready());
    assert_eq!((&mut task).now_or_never(), Some(Some(7)));
    assert_eq!((&mut task).now_or_never(), Some(None));
}

#[test]
fn nothing_runs_after_the_end() {
    let registry = Registry::new(None);
    let left = registry.end_all(crate::clock::now(), crate::clock::now, || std::future::ready(())).now_or_never();
    assert_eq!(left, Some(0));
    let (task, mut tracked) = registry.track("late", async { unreachable!("the shard has ended") });
    assert!(poll_once(&mut tracked).is_ready());
    assert_eq!(task.now_or_never(), Some(None::<()>));
}

#[test]
fn the_end_counts_who_will_not_go() {
    let registry = Registry::new(None);
    let (task, tracked) = registry.track("stuck", std::future::pending::<()>());
    let left = registry.end_all(crate::clock::now(), crate::clock::now, || std::future::ready(())).now_or_never();
    assert_eq!(left, Some(1));
    drop(tracked);
    assert_eq!(task.now_or_never(), Some(None));
}

#[test]
fn dropping_the_handle_does_not_cancel() {
    let registry = Registry::new(None);
    let (task, mut tracked) = registry.track("free", std::future::pending::<()>());
    drop(task);
    assert!(poll_once(&mut tracked).is_pending());
    let (task, _tracked) = registry.track("bound", std::future::pending::<()>());
    task.cancel();
}
