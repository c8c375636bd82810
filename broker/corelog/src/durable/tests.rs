//! Is every waiter told once, and in order?

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use super::*;

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn poll(durable: &mut Durable, count: &Arc<Count>) -> Poll<Result<()>> {
    Pin::new(durable).poll(&mut Context::from_waker(&Waker::from(count.clone())))
}

#[test]
fn each_waits_for_its_own_frame() {
    let (acks, count) = (Acks::default(), Arc::new(Count::default()));
    let mut waiting = [0, 1, 1, 2].map(|sequence| acks.wait(sequence));
    waiting.iter_mut().for_each(|durable| assert!(poll(durable, &count).is_pending()));
    acks.advance(2);
    assert_eq!(count.0.load(Ordering::SeqCst), 3, "both that wait for frame 1 are woken");
    let ready = waiting.each_mut().map(|durable| poll(durable, &count).is_ready());
    assert_eq!(ready, [true, true, true, false]);
}

#[test]
fn a_failure_reaches_those_that_wait_but_not_what_was_durable() {
    let (acks, count) = (Acks::default(), Arc::new(Count::default()));
    let mut waiting = acks.wait(1);
    assert!(poll(&mut waiting, &count).is_pending());
    acks.advance(1);
    acks.fail(Error::fenced("first"));
    acks.fail(Error::fenced("second"));
    assert_eq!(count.0.load(Ordering::SeqCst), 1);
    assert!(matches!(poll(&mut waiting, &count), Poll::Ready(Err(error)) if error.message == "first"));
    assert!(matches!(poll(&mut acks.wait(0), &count), Poll::Ready(Ok(()))));
    assert!(matches!(poll(&mut acks.wait(9), &count), Poll::Ready(Err(_))));
}

#[test]
fn dropped_ones_leave_nothing_behind() {
    let (acks, count) = (Acks::default(), Arc::new(Count::default()));
    let mut waiting = acks.wait(5);
    assert!(poll(&mut waiting, &count).is_pending());
    drop(waiting);
    assert!(acks.0.borrow().waiting.is_empty());
}
