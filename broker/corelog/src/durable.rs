//! Who waits for which frame to become durable?

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use model::{Error, Result};

/// How far frames are durable, or proposals committed: all have a sequence. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Acks(Rc<RefCell<State>>);

#[derive(Debug, Default)]
struct State {
    /// Frames with a smaller sequence are durable.
    durable: u64,
    failed: Option<Error>,
    /// By sequence, then by ticket: several may wait for one frame.
    waiting: BTreeMap<(u64, u64), Waker>,
    tickets: u64,
}

impl Acks {
    /// Resolves with the frame of this sequence.
    pub fn wait(&self, sequence: u64) -> Durable {
        let mut state = self.0.borrow_mut();
        state.tickets += 1;
        Durable { acks: self.clone(), key: (sequence, state.tickets), waits: false }
    }

    /// All frames below `end` are durable.
    pub fn advance(&self, end: u64) {
        let mut state = self.0.borrow_mut();
        assert!(end >= state.durable, "acknowledged in order: {end} after {}", state.durable);
        state.durable = end;
        let later = state.waiting.split_off(&(end, 0));
        let woken = std::mem::replace(&mut state.waiting, later);
        drop(state);
        woken.into_values().for_each(Waker::wake);
    }

    /// Nothing more becomes durable. The first error stays.
    pub fn fail(&self, error: Error) {
        let mut state = self.0.borrow_mut();
        state.failed.get_or_insert(error);
        let woken = std::mem::take(&mut state.waiting);
        drop(state);
        woken.into_values().for_each(Waker::wake);
    }

    pub fn failed(&self) -> Option<Error> {
        self.0.borrow().failed.clone()
    }

    pub fn durable(&self) -> u64 {
        self.0.borrow().durable
    }
}

/// Resolves once a frame, and all before it, is durable; `Fenced` if that will never be known. Dropping it changes
/// nothing about the frame.
#[derive(Debug)]
pub struct Durable {
    acks: Acks,
    key: (u64, u64),
    /// It is listed among those waiting, or was.
    waits: bool,
}

impl Future for Durable {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let Durable { acks, key, waits } = &mut *self;
        let mut state = acks.0.borrow_mut();
        if key.0 < state.durable {
            return Poll::Ready(Ok(()));
        }
        if let Some(error) = &state.failed {
            return Poll::Ready(Err(error.clone()));
        }
        *waits = true;
        state.waiting.insert(*key, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Durable {
    fn drop(&mut self) {
        if self.waits {
            self.acks.0.borrow_mut().waiting.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests;
