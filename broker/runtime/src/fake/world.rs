//! Which task runs next, and what time is it?

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};
use std::thread::{self, Thread};

use crate::clock::Random;
use crate::driver::Instant;
use crate::fake::disk::{Disk, Faults};
use crate::fake::log::Answer;
use crate::fake::net::Net;
use crate::fake::timers::{Due, Sleep, Timers};
use crate::tasks::Registry;

/// The longest time that one poll of a task takes.
const POLL_NS_MAX: u64 = 4_000;
/// How long an operation of the disk takes: any order among those that are under way is possible.
const OPERATION_NS_MAX: u64 = 200_000;
/// Questions after which a task has had its share, at most.
const SHARE_MAX: u64 = 32;

pub(super) type Job = Pin<Box<dyn Future<Output = ()>>>;

/// A shard with all that surrounds it.
pub(super) struct World {
    pub(super) dice: Random,
    pub(super) trace: Cell<u64>,
    /// Bytes that were read from files, and files that were made full of zeros.
    pub(super) bytes_read: Cell<u64>,
    pub(super) zeroed: Cell<usize>,
    pub(super) timers: Timers,
    pub(super) faults: Faults,
    pub(super) registry: Rc<Registry>,
    pub(super) net: Net,
    /// Who waits for the log writes that are in flight, by their numbers.
    pub(super) answers: RefCell<HashMap<u64, Rc<Answer>>>,
    /// Looks at the world between its steps.
    pub(super) observer: RefCell<Option<Box<dyn FnMut()>>>,
    disk: Arc<Mutex<Disk>>,
    now: Cell<u64>,
    tasks: RefCell<HashMap<u64, (Waker, Job)>>,
    next_task: Cell<u64>,
    ready: Arc<Ready>,
    /// How often the running task may ask before it is told to yield.
    share: Cell<u64>,
}

/// The tasks that were woken, perhaps by another thread.
struct Ready {
    woken: Mutex<Vec<Arc<Flag>>>,
    thread: Thread,
}

/// Wakes one task.
struct Flag {
    task: u64,
    woken: AtomicBool,
    ready: Arc<Ready>,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        if !self.woken.swap(true, Ordering::SeqCst) {
            let ready = self.ready.clone();
            locked(&ready.woken).push(self);
            ready.thread.unpark();
        }
    }
}

/// What another thread left behind when it panicked is still whole: no state here is changed in two steps.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    pub(super) fn new(disk: Disk, net: Net, seed: u64) -> Rc<World> {
        World::on(Arc::new(Mutex::new(disk)), net, seed)
    }

    /// A shard on a disk and a network that others use as well.
    pub(super) fn on(disk: Arc<Mutex<Disk>>, net: Net, seed: u64) -> Rc<World> {
        let dice = Random::of(seed);
        let faults = Faults::default();
        faults.sector_bytes.set([512, 4096][usize::from(dice.next().is_multiple_of(2))]);
        Rc::new(World {
            dice,
            trace: Cell::new(seed),
            bytes_read: Cell::new(0),
            zeroed: Cell::new(0),
            timers: Timers::default(),
            faults,
            registry: Registry::new(None),
            net,
            answers: RefCell::default(),
            observer: RefCell::default(),
            disk,
            now: Cell::new(0),
            tasks: RefCell::default(),
            next_task: Cell::new(0),
            ready: Arc::new(Ready { woken: Mutex::default(), thread: thread::current() }),
            share: Cell::new(0),
        })
    }

    pub(super) fn now(&self) -> Instant {
        Instant(self.now.get())
    }

    pub(super) fn disk(&self) -> MutexGuard<'_, Disk> {
        locked(&self.disk)
    }

    /// Adds an event to the trace.
    pub(super) fn note(&self, what: &'static str, a: u64, b: u64) {
        let mut hash = self.trace.get() ^ (what.len() as u64) << 56 ^ u64::from(what.as_bytes()[0]);
        for number in [a, b, self.now.get()] {
            hash = (hash ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
        }
        self.trace.set(hash);
    }

    pub(super) fn note_read(&self, pos: u64, len: usize) {
        self.note("read", pos, len as u64);
        self.bytes_read.set(self.bytes_read.get() + len as u64);
    }

    /// Takes a new task; it runs when its turn comes.
    pub(super) fn start(&self, job: Job) {
        let task = self.next_task.get();
        self.next_task.set(task + 1);
        let flag = Arc::new(Flag { task, woken: AtomicBool::new(false), ready: self.ready.clone() });
        let waker = Waker::from(flag);
        waker.wake_by_ref();
        self.tasks.borrow_mut().insert(task, (waker, job));
    }

    /// Polls one of the tasks that were woken; false if there is none.
    pub(super) fn run_one(&self) -> bool {
        let flag = {
            let mut woken = locked(&self.ready.woken);
            if woken.is_empty() {
                return false;
            }
            let dice = self.dice.next();
            self.now.set(self.now.get() + 1 + (dice >> 32) % POLL_NS_MAX);
            let at = usize::try_from(dice & 0xFFFF_FFFF).expect("32 bits") % woken.len();
            woken.swap_remove(at)
        };
        flag.woken.store(false, Ordering::SeqCst);
        // Gone if it has ended since it was woken.
        let taken = self.tasks.borrow_mut().remove(&flag.task);
        let Some((waker, mut job)) = taken else { return true };
        self.note("poll", flag.task, 0);
        self.share.set(1 + self.dice.next() % SHARE_MAX);
        if job.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            self.tasks.borrow_mut().insert(flag.task, (waker, job));
        }
        true
    }

    pub(super) fn share_is_over(&self) -> bool {
        let left = self.share.get();
        self.share.set(left.saturating_sub(1));
        left == 0
    }

    /// True if the time of a timer has come.
    pub(super) fn is_due(&self) -> bool {
        self.timers.first_at().is_some_and(|at| at <= self.now.get())
    }

    /// Goes on to the next timer and fires it; false if there is none.
    pub(super) fn fire_one(&self) -> bool {
        if let Some(look) = &mut *self.observer.borrow_mut() {
            look();
        }
        let Some((at, due)) = self.timers.take_first() else { return false };
        self.now.set(self.now.get().max(at));
        match due {
            Due::Wake(waker) => waker.wake(),
            Due::Write(write) => self.end_write(write),
        }
        true
    }

    /// Lets something happen; false if nothing can.
    pub(super) fn turn(&self) -> bool {
        if self.is_due() { self.fire_one() } else { self.run_one() || self.fire_one() }
    }

    /// A log write comes to its end, good or bad.
    pub(super) fn end_write(&self, id: u64) {
        let fault = self.faults.write();
        let ended = self.disk().end_write(id, fault, &self.dice, &self.faults);
        let Some((at, result, buffer)) = ended else { return };
        self.note("write", at, u64::from(crc32c::crc32c(&buffer)) << 1 | u64::from(result.is_ok()));
        if let Some(answer) = self.answers.borrow_mut().remove(&id) {
            answer.give(result, buffer);
        }
    }

    /// Waits as long as an operation of the disk takes.
    pub(super) fn pause(self: &Rc<Self>) -> Sleep {
        Sleep::new(self.clone(), Instant(self.operation_ends()))
    }

    /// When an operation that begins now ends.
    pub(super) fn operation_ends(&self) -> u64 {
        let usual = 1 + self.dice.next() % OPERATION_NS_MAX;
        let slow_ns = self.faults.slow_ms.get() * 1_000_000;
        let slow = if slow_ns > 0 && self.dice.next().is_multiple_of(4) { self.dice.next() % slow_ns } else { 0 };
        self.now.get() + usual + slow
    }

    /// The process is gone, and with it all its tasks.
    pub(super) fn end(&self) {
        loop {
            let tasks = std::mem::take(&mut *self.tasks.borrow_mut());
            if tasks.is_empty() {
                break;
            }
            let mut tasks: Vec<_> = tasks.into_iter().collect();
            tasks.sort_by_key(|(task, _)| *task);
        }
        self.timers.clear();
        self.observer.borrow_mut().take();
        self.answers.borrow_mut().clear();
        locked(&self.ready.woken).clear();
    }
}
