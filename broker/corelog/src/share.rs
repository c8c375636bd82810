//! Who may read old frames from the disk now?
//!
//! Readers that catch up have a share of the disk of their own: so many reads are on their way at once, the rest waits
//! its turn. Group commits never wait for them.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// So many slots, first come, first served.
pub(crate) struct Share {
    free: Cell<usize>,
    waiting: RefCell<VecDeque<Rc<Turn>>>,
}

#[derive(Default)]
struct Turn {
    state: Cell<TurnState>,
    waker: Cell<Option<Waker>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum TurnState {
    #[default]
    Waiting,
    /// A slot is taken for it.
    Come,
    GivenUp,
}

/// One read that is on its way; the next one may go when it is dropped.
pub(crate) struct Slot(Rc<Share>);

/// Gives the slot back if its future is dropped between its turn and the next poll.
struct Place(Rc<Share>, Rc<Turn>);

impl Share {
    pub fn new(slots: usize) -> Rc<Share> {
        Rc::new(Share { free: Cell::new(slots), waiting: RefCell::default() })
    }

    pub async fn slot(self: &Rc<Self>) -> Slot {
        if self.is_free() {
            self.free.set(self.free.get() - 1);
            return Slot(self.clone());
        }
        let turn = Rc::new(Turn::default());
        self.waiting.borrow_mut().push_back(turn.clone());
        let place = Place(self.clone(), turn.clone());
        poll_fn(|context| {
            if turn.state.get() == TurnState::Come {
                return Poll::Ready(());
            }
            turn.waker.set(Some(context.waker().clone()));
            Poll::Pending
        })
        .await;
        // From here on the slot gives it back.
        turn.state.set(TurnState::GivenUp);
        drop(place);
        Slot(self.clone())
    }

    /// True if a slot is free, and nobody waits for one.
    pub fn is_free(&self) -> bool {
        self.free.get() > 0 && self.waiting.borrow().is_empty()
    }

    fn give_back(&self) {
        loop {
            let Some(turn) = self.waiting.borrow_mut().pop_front() else {
                self.free.set(self.free.get() + 1);
                return;
            };
            if turn.state.get() == TurnState::Waiting {
                turn.state.set(TurnState::Come);
                turn.waker.take().into_iter().for_each(Waker::wake);
                return;
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.1.state.replace(TurnState::GivenUp) == TurnState::Come {
            self.0.give_back();
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

#[cfg(test)]
mod tests;
