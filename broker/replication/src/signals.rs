//! How do tasks of one thread hand over one value, watch one that changes, and take turns?

use std::cell::{Cell, Ref, RefCell, RefMut};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use openraft_rt::watch::SendError;
use openraft_rt::{Mutex, Oneshot, OneshotSender, RecvError, Watch, WatchReceiver, WatchSender};

/// Values that are handed over once.
pub(crate) struct Handovers;

/// The sender is gone.
#[derive(Debug, thiserror::Error)]
#[error("nobody is left who could answer")]
pub(crate) struct Unanswered;

struct Slot<T> {
    value: Option<T>,
    waker: Option<Waker>,
    over: bool,
}

pub(crate) struct Giver<T>(Rc<RefCell<Slot<T>>>);
pub(crate) struct Taker<T>(Rc<RefCell<Slot<T>>>);

impl Oneshot for Handovers {
    type Sender<T> = Giver<T>;
    type Receiver<T> = Taker<T>;
    type ReceiverError = Unanswered;

    fn channel<T>() -> (Giver<T>, Taker<T>) {
        let slot = Rc::new(RefCell::new(Slot { value: None, waker: None, over: false }));
        (Giver(slot.clone()), Taker(slot))
    }
}

impl<T> OneshotSender<T> for Giver<T> {
    fn send(self, value: T) -> Result<(), T> {
        let mut slot = self.0.borrow_mut();
        if slot.over {
            return Err(value);
        }
        slot.value = Some(value);
        Ok(())
    }
}

impl<T> Drop for Giver<T> {
    fn drop(&mut self) {
        let mut slot = self.0.borrow_mut();
        slot.over = true;
        let waker = slot.waker.take();
        drop(slot);
        waker.into_iter().for_each(Waker::wake);
    }
}

impl<T> Future for Taker<T> {
    type Output = Result<T, Unanswered>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut slot = self.0.borrow_mut();
        if let Some(value) = slot.value.take() {
            return Poll::Ready(Ok(value));
        }
        if slot.over {
            return Poll::Ready(Err(Unanswered));
        }
        slot.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl<T> Drop for Taker<T> {
    fn drop(&mut self) {
        self.0.borrow_mut().over = true;
    }
}

/// Values that change and are watched.
pub(crate) struct Watches;

struct Watched<T> {
    value: RefCell<T>,
    version: Cell<u64>,
    senders: Cell<usize>,
    receivers: Cell<usize>,
    waiting: RefCell<Vec<Waker>>,
}

pub(crate) struct Changer<T>(Rc<Watched<T>>);
pub(crate) struct Watcher<T> {
    watched: Rc<Watched<T>>,
    seen: u64,
}

impl<T> Watched<T> {
    fn wake(&self) {
        let waiting = self.waiting.take();
        waiting.into_iter().for_each(Waker::wake);
    }

    fn changed(&self) {
        self.version.set(self.version.get() + 1);
        self.wake();
    }
}

impl Watch for Watches {
    type Sender<T> = Changer<T>;
    type Receiver<T> = Watcher<T>;
    type Ref<'a, T: 'a> = Ref<'a, T>;

    fn channel<T>(value: T) -> (Changer<T>, Watcher<T>) {
        let (version, senders, receivers) = (Cell::new(0), Cell::new(1), Cell::new(1));
        let value = RefCell::new(value);
        let watched = Rc::new(Watched { value, version, senders, receivers, waiting: RefCell::default() });
        (Changer(watched.clone()), Watcher { watched, seen: 0 })
    }
}

impl<T> Clone for Changer<T> {
    fn clone(&self) -> Self {
        self.0.senders.set(self.0.senders.get() + 1);
        Changer(self.0.clone())
    }
}

impl<T> Drop for Changer<T> {
    fn drop(&mut self) {
        self.0.senders.set(self.0.senders.get() - 1);
        if self.0.senders.get() == 0 {
            self.0.wake();
        }
    }
}

impl<T> WatchSender<Watches, T> for Changer<T> {
    fn send(&self, value: T) -> Result<(), SendError<T>> {
        if self.0.receivers.get() == 0 {
            return Err(SendError(value));
        }
        drop(self.0.value.replace(value));
        self.0.changed();
        Ok(())
    }

    fn send_if_modified<F: FnOnce(&mut T) -> bool>(&self, modify: F) -> bool {
        let modified = modify(&mut self.0.value.borrow_mut());
        if modified {
            self.0.changed();
        }
        modified
    }

    fn borrow_watched(&self) -> Ref<'_, T> {
        self.0.value.borrow()
    }

    fn subscribe(&self) -> Watcher<T> {
        self.0.receivers.set(self.0.receivers.get() + 1);
        Watcher { watched: self.0.clone(), seen: self.0.version.get() }
    }
}

impl<T> Clone for Watcher<T> {
    fn clone(&self) -> Self {
        self.watched.receivers.set(self.watched.receivers.get() + 1);
        Watcher { watched: self.watched.clone(), seen: self.seen }
    }
}

impl<T> Drop for Watcher<T> {
    fn drop(&mut self) {
        self.watched.receivers.set(self.watched.receivers.get() - 1);
    }
}

impl<T> WatchReceiver<Watches, T> for Watcher<T> {
    async fn changed(&mut self) -> Result<(), RecvError> {
        let watched = self.watched.clone();
        poll_fn(|context| {
            let version = watched.version.get();
            if version != self.seen {
                self.seen = version;
                return Poll::Ready(Ok(()));
            }
            if watched.senders.get() == 0 {
                return Poll::Ready(Err(RecvError(())));
            }
            let mut waiting = watched.waiting.borrow_mut();
            if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                waiting.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await
    }

    fn borrow_watched(&self) -> Ref<'_, T> {
        self.watched.value.borrow()
    }

    fn borrow_and_update(&mut self) -> Ref<'_, T> {
        self.seen = self.watched.version.get();
        self.watched.value.borrow()
    }
}

/// A value that one task at a time may use, over waits as well.
pub(crate) struct Turns<T> {
    value: RefCell<T>,
    waiting: RefCell<VecDeque<Waker>>,
}

pub(crate) struct Turn<'a, T> {
    value: Option<RefMut<'a, T>>,
    waiting: &'a RefCell<VecDeque<Waker>>,
}

impl<T: 'static> Mutex<T> for Turns<T> {
    type Guard<'a> = Turn<'a, T>;

    fn new(value: T) -> Self {
        Turns { value: RefCell::new(value), waiting: RefCell::default() }
    }

    async fn lock(&self) -> Turn<'_, T> {
        let value = poll_fn(|context| match self.value.try_borrow_mut() {
            Ok(value) => Poll::Ready(value),
            Err(_) => {
                self.waiting.borrow_mut().push_back(context.waker().clone());
                Poll::Pending
            }
        });
        Turn { value: Some(value.await), waiting: &self.waiting }
    }
}

impl<T> Deref for Turn<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect("it is there until the end")
    }
}

impl<T> DerefMut for Turn<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect("it is there until the end")
    }
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        self.value = None;
        // All of them: one that has given up would keep the others waiting.
        let waiting = self.waiting.take();
        waiting.into_iter().for_each(Waker::wake);
    }
}
