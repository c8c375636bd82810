//! What happens to one task between spawn and end?

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::driver::TaskHandle;
use crate::tasks::registry::Registry;

/// What the registry holds of a task: enough to wake and to cancel it.
pub(crate) struct Control {
    pub(crate) id: u64,
    pub(crate) name: &'static str,
    cancelled: Cell<bool>,
    /// Waits behind the gate: see [`crate::tasks::Gate`].
    pub(crate) held_back: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Control {
    pub(crate) fn new(id: u64, name: &'static str) -> Rc<Control> {
        let (cancelled, held_back, waker) = (Cell::new(false), Cell::new(false), RefCell::new(None));
        Rc::new(Control { id, name, cancelled, held_back, waker })
    }

    /// The executor drops the future when it next polls the task, so never inside the caller's borrows.
    pub(crate) fn cancel(&self) {
        self.cancelled.set(true);
        self.wake();
    }

    pub(crate) fn wake(&self) {
        let waker = self.waker.borrow().clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn remember(&self, waker: &Waker) {
        let mut known = self.waker.borrow_mut();
        if !known.as_ref().is_some_and(|old| old.will_wake(waker)) {
            *known = Some(waker.clone());
        }
    }
}

/// Where a task leaves its result for its handle.
struct Slot<T> {
    state: RefCell<State<T>>,
    waiter: RefCell<Option<Waker>>,
}

enum State<T> {
    Running,
    Done(T),
    /// Cancelled, or its result was taken.
    Gone,
}

impl<T> Slot<T> {
    fn finish(&self, state: State<T>) {
        *self.state.borrow_mut() = state;
        let waiter = self.waiter.borrow_mut().take();
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }
}

/// A task of a shard. Awaiting it gives its result, or `None` if it was cancelled. Dropping it leaves the task
/// running under the registry.
pub struct Task<T> {
    control: Rc<Control>,
    slot: Rc<Slot<T>>,
}

impl<T> Task<T> {
    pub(crate) fn control(&self) -> Rc<Control> {
        self.control.clone()
    }
}

impl<T> Future for Task<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.slot.state.borrow_mut();
        match std::mem::replace(&mut *state, State::Gone) {
            State::Done(value) => Poll::Ready(Some(value)),
            State::Gone => Poll::Ready(None),
            State::Running => {
                *state = State::Running;
                *self.slot.waiter.borrow_mut() = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl<T: 'static> TaskHandle<T> for Task<T> {
    fn cancel(self) {
        self.control.cancel();
    }
}

/// The future that the executor runs: the task's own, watched by the registry.
pub(crate) struct Tracked<F: Future> {
    /// `None` after its end; boxed so that it can be dropped in place at any time.
    future: Option<Pin<Box<F>>>,
    control: Rc<Control>,
    slot: Rc<Slot<F::Output>>,
    registry: Rc<Registry>,
}

impl<F: Future> Tracked<F> {
    pub(crate) fn new(control: Rc<Control>, registry: Rc<Registry>, future: F) -> (Task<F::Output>, Tracked<F>) {
        let slot = Rc::new(Slot { state: RefCell::new(State::Running), waiter: RefCell::new(None) });
        let task = Task { control: control.clone(), slot: slot.clone() };
        (task, Tracked { future: Some(Box::pin(future)), control, slot, registry })
    }

    fn end(&mut self, state: State<F::Output>) -> Poll<()> {
        self.future = None;
        self.slot.finish(state);
        Poll::Ready(())
    }
}

impl<F: Future> Future for Tracked<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if this.control.cancelled.get() {
            return this.end(State::Gone);
        }
        this.control.remember(cx.waker());
        if this.registry.begin_slice(&this.control).is_pending() {
            return Poll::Pending;
        }
        let Some(future) = this.future.as_mut() else { return Poll::Ready(()) };
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => this.end(State::Done(value)),
            Err(panic) => {
                this.registry.panicked(panic);
                this.end(State::Gone)
            }
        }
    }
}

impl<F: Future> Drop for Tracked<F> {
    fn drop(&mut self) {
        self.future = None;
        self.registry.forget(self.control.id);
        let unfinished = matches!(*self.slot.state.borrow(), State::Running);
        if unfinished {
            self.slot.finish(State::Gone);
        }
    }
}

/// Lets the other tasks of the shard run once.
pub(crate) async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
