//! Who holds all tasks of a shard, gives each its share, and ends them?

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use crate::clock;
use crate::driver::Instant;
use crate::tasks::task::{Control, Task, Tracked};

/// How long a task may run before it should yield.
const SLICE_NS: u64 = 500_000;

/// Lets the reactor of an executor run although its run queue never empties; see `uring/gate.rs`.
pub(crate) trait Gate {
    /// True when tasks must wait until the reactor has run.
    fn shut(&self, now: Instant) -> bool;
}

pub(crate) struct Registry {
    tasks: RefCell<BTreeMap<u64, Rc<Control>>>,
    next_id: Cell<u64>,
    closing: Cell<bool>,
    /// True while an executor that polls at once is starting a task.
    starting: Cell<bool>,
    slice_began: Cell<Instant>,
    gate: Option<Box<dyn Gate>>,
    held_back: RefCell<Vec<Rc<Control>>>,
    panic: RefCell<Option<Box<dyn Any + Send>>>,
    main: RefCell<Option<Waker>>,
}

impl Registry {
    pub(crate) fn new(gate: Option<Box<dyn Gate>>) -> Rc<Registry> {
        Rc::new(Registry {
            tasks: RefCell::new(BTreeMap::new()),
            next_id: Cell::new(0),
            closing: Cell::new(false),
            starting: Cell::new(false),
            slice_began: Cell::new(clock::now()),
            gate,
            held_back: RefCell::new(Vec::new()),
            panic: RefCell::new(None),
            main: RefCell::new(None),
        })
    }

    /// Makes a task known; the driver hands the second value to its executor. After shutdown began it never runs.
    pub(crate) fn track<F: Future>(self: &Rc<Self>, name: &'static str, future: F) -> (Task<F::Output>, Tracked<F>) {
        let control = self.control(name);
        if self.closing.get() {
            control.cancel();
        }
        self.tasks.borrow_mut().insert(control.id, control.clone());
        Tracked::new(control, self.clone(), future)
    }

    /// The shard's main task, which may itself call for the end of all others.
    pub(crate) fn track_main<F: Future>(self: &Rc<Self>, future: F) -> (Task<F::Output>, Tracked<F>) {
        Tracked::new(self.control("main"), self.clone(), future)
    }

    fn control(&self, name: &'static str) -> Rc<Control> {
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        Control::new(id, name)
    }

    /// Runs `start`, during which the executor may poll the new task: nothing of it runs before the caller is done.
    pub(crate) fn start(&self, start: impl FnOnce()) {
        let before = self.starting.replace(true);
        start();
        self.starting.set(before);
    }

    pub(crate) fn forget(&self, id: u64) {
        self.tasks.borrow_mut().remove(&id);
    }

    /// Called before a task is polled. Pending: not now; the task is woken again.
    pub(crate) fn begin_slice(&self, control: &Rc<Control>) -> Poll<()> {
        if self.starting.get() {
            control.wake();
            return Poll::Pending;
        }
        let now = clock::now();
        if self.gate.as_ref().is_some_and(|gate| gate.shut(now)) {
            if !control.held_back.replace(true) {
                self.held_back.borrow_mut().push(control.clone());
            }
            return Poll::Pending;
        }
        self.slice_began.set(now);
        Poll::Ready(())
    }

    /// The reactor has run: those who waited for it go on.
    pub(crate) fn release(&self) {
        let waiting = std::mem::take(&mut *self.held_back.borrow_mut());
        for control in waiting {
            control.held_back.set(false);
            control.wake();
        }
    }

    pub(crate) fn slice_is_over(&self) -> bool {
        clock::now().0.saturating_sub(self.slice_began.get().0) >= SLICE_NS
    }

    /// A panic in one task ends its shard (the process, where panics abort).
    pub(crate) fn panicked(&self, panic: Box<dyn Any + Send>) {
        self.panic.borrow_mut().get_or_insert(panic);
        let main = self.main.borrow_mut().take();
        if let Some(main) = main {
            main.wake();
        }
    }

    /// Runs the shard's main task until its end, or until some task has panicked.
    pub(crate) async fn supervise(&self, main: Task<()>) -> Result<(), Box<dyn Any + Send>> {
        let control = main.control();
        let mut main = pin!(main);
        std::future::poll_fn(|cx| {
            if let Some(panic) = self.panic.borrow_mut().take() {
                // From now on the main task is one of those to be ended.
                self.tasks.borrow_mut().insert(control.id, control.clone());
                return Poll::Ready(Err(panic));
            }
            *self.main.borrow_mut() = Some(cx.waker().clone());
            main.as_mut().poll(cx).map(|_| Ok(()))
        })
        .await
    }

    /// Cancels all tasks; returns how many are left at `by`. `pause` lets the executor run.
    pub(crate) async fn end_all<P: Future<Output = ()>>(
        &self,
        by: Instant,
        now: impl Fn() -> Instant,
        pause: impl Fn() -> P,
    ) -> usize {
        self.closing.set(true);
        loop {
            let left: Vec<Rc<Control>> = self.tasks.borrow().values().cloned().collect();
            if left.is_empty() {
                return 0;
            }
            if now() >= by {
                let names: Vec<&str> = left.iter().map(|control| control.name).take(8).collect();
                tracing::warn!(left = left.len(), ?names, "tasks did not end in time");
                return left.len();
            }
            left.iter().for_each(|control| control.cancel());
            drop(left);
            pause().await;
        }
    }
}
