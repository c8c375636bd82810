//! Which answers does a connection owe, in the order of its requests?
//!
//! A queue between the task that reads and the one that writes. Only the first answer is asked whether it is there:
//! none can leave before it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use model::limits::REQUESTS_IN_FLIGHT_MAX;

use crate::admission::Permit;
use crate::api::{Answer, CallError, Frame};

/// An answer on its way, with the room that its request takes up.
pub struct Owed {
    pub answer: Answer,
    pub permit: Permit,
}

/// An answer, ready to be written.
pub type Due = (Result<Frame, CallError>, Permit);

/// The reader's end. Without it no more answers come.
pub struct Asker(Rc<Queue>);

/// The writer's end. Without it nothing is answered any more.
pub struct Answerer(Rc<Queue>);

#[derive(Default)]
struct Queue {
    owed: RefCell<VecDeque<Owed>>,
    /// One of the ends is gone.
    ended: Cell<bool>,
    reader: Cell<Option<Waker>>,
    writer: Cell<Option<Waker>>,
}

pub fn answers() -> (Asker, Answerer) {
    let queue = Rc::new(Queue::default());
    (Asker(queue.clone()), Answerer(queue))
}

impl Asker {
    /// Waits for room. `Err`: nobody writes any more.
    pub async fn push(&self, owed: Owed) -> Result<(), ()> {
        poll_fn(|cx| self.0.poll_room(cx)).await;
        if self.0.ended.get() {
            return Err(());
        }
        self.0.owed.borrow_mut().push_back(owed);
        wake(&self.0.writer);
        Ok(())
    }
}

impl Answerer {
    /// `None`: the reader has ended, and all is answered.
    pub async fn next(&self) -> Option<Due> {
        poll_fn(|cx| self.0.poll_first(cx)).await
    }

    /// As [`Answerer::next`], but only if it is there already.
    pub async fn next_if_ready(&self) -> Option<Due> {
        poll_fn(|cx| match self.0.poll_first(cx) {
            Poll::Ready(due) => Poll::Ready(due),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }
}

impl Queue {
    fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        if self.ended.get() || self.owed.borrow().len() < REQUESTS_IN_FLIGHT_MAX {
            return Poll::Ready(());
        }
        self.reader.set(Some(cx.waker().clone()));
        Poll::Pending
    }

    fn poll_first(&self, cx: &mut Context<'_>) -> Poll<Option<Due>> {
        // Taken out meanwhile: what an answer does is its own business.
        let first = self.owed.borrow_mut().pop_front();
        let Some(Owed { answer, permit }) = first else {
            if self.ended.get() {
                return Poll::Ready(None);
            }
            self.writer.set(Some(cx.waker().clone()));
            return Poll::Pending;
        };
        let mut later = match answer {
            Answer::Ready(frame) => return self.leaves(Ok(frame), permit),
            Answer::Later(later) => later,
        };
        match later.as_mut().poll(cx) {
            Poll::Ready(frame) => self.leaves(frame, permit),
            Poll::Pending => {
                self.owed.borrow_mut().push_front(Owed { answer: Answer::Later(later), permit });
                Poll::Pending
            }
        }
    }

    fn leaves(&self, frame: Result<Frame, CallError>, permit: Permit) -> Poll<Option<Due>> {
        wake(&self.reader);
        Poll::Ready(Some((frame, permit)))
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.0.ended.set(true);
        wake(&self.0.writer);
    }
}

impl Drop for Answerer {
    fn drop(&mut self) {
        self.0.ended.set(true);
        // What is owed holds room, for which the reader may be waiting.
        self.0.owed.take();
        wake(&self.0.reader);
    }
}

fn wake(waker: &Cell<Option<Waker>>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

#[cfg(test)]
mod tests;
