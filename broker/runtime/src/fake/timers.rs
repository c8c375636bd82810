//! What happens at which time?

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::driver::Instant;
use crate::fake::world::World;

/// What comes with a time.
pub(super) enum Due {
    Wake(Waker),
    /// The log write of this number ends.
    Write(u64),
}

/// All that is to come, in order.
#[derive(Default)]
pub(super) struct Timers {
    queue: RefCell<BTreeMap<(u64, u64), Due>>,
    next: Cell<u64>,
}

impl Timers {
    pub(super) fn add(&self, at: u64, due: Due) -> (u64, u64) {
        let key = (at, self.next.get());
        self.next.set(key.1 + 1);
        self.queue.borrow_mut().insert(key, due);
        key
    }

    pub(super) fn first_at(&self) -> Option<u64> {
        self.queue.borrow().first_key_value().map(|((at, _), _)| *at)
    }

    pub(super) fn take_first(&self) -> Option<(u64, Due)> {
        let ((at, _), due) = self.queue.borrow_mut().pop_first()?;
        Some((at, due))
    }

    pub(super) fn clear(&self) {
        let queue = std::mem::take(&mut *self.queue.borrow_mut());
        drop(queue);
    }
}

/// Ends at a time.
pub(super) struct Sleep {
    world: Rc<World>,
    at: Instant,
    key: Option<(u64, u64)>,
}

impl Sleep {
    pub(super) fn new(world: Rc<World>, at: Instant) -> Sleep {
        Sleep { world, at, key: None }
    }

    fn forget(&mut self) {
        if let Some(key) = self.key.take() {
            let due = self.world.timers.queue.borrow_mut().remove(&key);
            drop(due);
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.forget();
        if self.world.now() >= self.at {
            return Poll::Ready(());
        }
        if self.at == Instant(u64::MAX) {
            // For ever: time shall not jump there.
            return Poll::Pending;
        }
        self.key = Some(self.world.timers.add(self.at.0, Due::Wake(context.waker().clone())));
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.forget();
    }
}
