//! How does a task hand values to another one of its thread?

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::task::{Poll, Waker};

use openraft_rt::{Mpsc, MpscReceiver, MpscSender, MpscWeakSender, SendError, TryRecvError};

/// Bounded queues with many senders and one receiver.
pub(crate) struct Queues;

struct Queue<T> {
    values: VecDeque<T>,
    room: usize,
    closed: bool,
    receiver: Option<Waker>,
    senders: Vec<Waker>,
}

type Shared<T> = RefCell<Queue<T>>;

/// Its end is noticed when the last one goes.
struct Alive<T>(Rc<Shared<T>>);

pub(crate) struct Sender<T>(Rc<Alive<T>>);
pub(crate) struct WeakSender<T>(Weak<Alive<T>>);
pub(crate) struct Receiver<T> {
    queue: Rc<Shared<T>>,
    senders: Weak<Alive<T>>,
}

impl Mpsc for Queues {
    type Sender<T> = Sender<T>;
    type Receiver<T> = Receiver<T>;
    type WeakSender<T> = WeakSender<T>;

    fn channel<T>(room: usize) -> (Sender<T>, Receiver<T>) {
        let queue = Queue { values: VecDeque::new(), room, closed: false, receiver: None, senders: Vec::new() };
        let queue = Rc::new(RefCell::new(queue));
        let alive = Rc::new(Alive(queue.clone()));
        let senders = Rc::downgrade(&alive);
        (Sender(alive), Receiver { queue, senders })
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Sender(self.0.clone())
    }
}

impl<T> Clone for WeakSender<T> {
    fn clone(&self) -> Self {
        WeakSender(self.0.clone())
    }
}

impl<T> MpscSender<Queues, T> for Sender<T> {
    async fn send(&self, value: T) -> Result<(), SendError<T>> {
        let mut value = Some(value);
        let sent = poll_fn(|context| {
            let mut queue = self.0.0.borrow_mut();
            if queue.closed {
                return Poll::Ready(false);
            }
            if queue.values.len() >= queue.room {
                queue.senders.push(context.waker().clone());
                return Poll::Pending;
            }
            queue.values.extend(value.take());
            if let Some(receiver) = queue.receiver.take() {
                drop(queue);
                receiver.wake();
            }
            Poll::Ready(true)
        });
        match sent.await {
            true => Ok(()),
            false => Err(SendError(value.take().expect("it was not sent"))),
        }
    }

    fn downgrade(&self) -> WeakSender<T> {
        WeakSender(Rc::downgrade(&self.0))
    }
}

impl<T> MpscWeakSender<Queues, T> for WeakSender<T> {
    fn upgrade(&self) -> Option<Sender<T>> {
        self.0.upgrade().map(Sender)
    }
}

impl<T> MpscReceiver<T> for Receiver<T> {
    async fn recv(&mut self) -> Option<T> {
        poll_fn(|context| match self.try_recv() {
            Ok(value) => Poll::Ready(Some(value)),
            Err(TryRecvError::Disconnected) => Poll::Ready(None),
            Err(TryRecvError::Empty) => {
                self.queue.borrow_mut().receiver = Some(context.waker().clone());
                Poll::Pending
            }
        })
        .await
    }

    fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let mut queue = self.queue.borrow_mut();
        let Some(value) = queue.values.pop_front() else {
            let gone = self.senders.strong_count() == 0;
            return Err(if gone { TryRecvError::Disconnected } else { TryRecvError::Empty });
        };
        let waiting = std::mem::take(&mut queue.senders);
        drop(queue);
        waiting.into_iter().for_each(Waker::wake);
        Ok(value)
    }
}

impl<T> Drop for Alive<T> {
    fn drop(&mut self) {
        let receiver = self.0.borrow_mut().receiver.take();
        receiver.into_iter().for_each(Waker::wake);
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut queue = self.queue.borrow_mut();
        queue.closed = true;
        let (values, waiting) = (std::mem::take(&mut queue.values), std::mem::take(&mut queue.senders));
        drop(queue);
        drop(values);
        waiting.into_iter().for_each(Waker::wake);
    }
}
