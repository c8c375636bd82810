//! Which batches wait until the disk has caught up, and who is next?
//!
//! As long as the log has room, batches are appended as they come. Else they queue up here, in the order in which they
//! came, whatever connection or shard they come from; nobody overtakes. Meanwhile their connections are not read, and
//! all other requests go on.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use kafka_protocol::error::ResponseError;
use model::limits::APPEND_WAIT_MS_MAX;
use runtime::{Driver, Instant};

use crate::errors::Fault;
use crate::message::{Append, Refused, Reply, reply};
use crate::partition::Placed;
use crate::shard::Shard;

/// One outcome per batch.
type Outcomes = Vec<Result<Placed, Refused>>;

/// Batches of one request that are on their way into the log.
pub enum Turn {
    Taken(Outcomes),
    /// They wait; so many there are.
    Waits(flume::Receiver<Outcomes>, usize),
}

/// The queue of one shard. Its bytes are bounded by the rooms of `admission`, which the requests keep until they are
/// answered.
pub struct Backlog {
    waiting: RefCell<VecDeque<Letter>>,
    /// Says that the queue is not empty.
    stir: flume::Sender<()>,
    stirred: flume::Receiver<()>,
}

struct Letter {
    appends: Vec<Append>,
    until: Instant,
    outcomes: Reply<Outcomes>,
}

impl Default for Backlog {
    fn default() -> Backlog {
        let (stir, stirred) = flume::bounded(1);
        Backlog { waiting: RefCell::default(), stir, stirred }
    }
}

impl Turn {
    /// Returns when the batches have their places in the log, or are refused.
    pub async fn taken(self) -> Outcomes {
        match self {
            Turn::Taken(outcomes) => outcomes,
            Turn::Waits(outcomes, count) => outcomes.recv_async().await.unwrap_or_else(|_| {
                let stopping = || Err(Fault::stopping().into());
                std::iter::repeat_with(stopping).take(count).collect()
            }),
        }
    }
}

impl<D: Driver> Shard<D> {
    /// Appends batches now, or when all that came before them are appended and there is room. The order is fixed when
    /// this returns.
    pub fn take_up(&self, appends: Vec<Append>) -> Turn {
        let is_next = self.backlog.waiting.borrow().is_empty();
        if is_next && self.log.has_room(bytes_of(&appends)) {
            return Turn::Taken(self.append_all(appends));
        }
        let (outcomes, outcome) = reply();
        let (until, count) = (self.driver.now().plus_ms(APPEND_WAIT_MS_MAX), appends.len());
        self.backlog.waiting.borrow_mut().push_back(Letter { appends, until, outcomes });
        // Full: it is stirred already.
        let _ = self.backlog.stir.try_send(());
        Turn::Waits(outcome, count)
    }

    fn append_all(&self, appends: Vec<Append>) -> Outcomes {
        appends.into_iter().map(|append| self.append(append)).collect()
    }

    /// Works the queue off, for ever.
    pub async fn work_off(self: Rc<Self>) {
        loop {
            let front = self.backlog.waiting.borrow().front().map(|letter| (bytes_of(&letter.appends), letter.until));
            let Some((bytes, until)) = front else {
                // The sender lives as long as the shard.
                let _ = self.backlog.stirred.recv_async().await;
                continue;
            };
            // On a log that is full or fenced each append says so by itself.
            let in_time = self.before(until, self.log.room(bytes)).await.is_some();
            let Some(letter) = self.backlog.waiting.borrow_mut().pop_front() else { continue };
            if letter.outcomes.is_disconnected() {
                // Its connection is gone, so nobody would learn that it was stored.
                continue;
            }
            let mut outcomes: Outcomes = match in_time {
                true => self.append_all(letter.appends),
                false => letter.appends.iter().map(|_| Err(too_slow().into())).collect(),
            };
            outcomes.iter_mut().flatten().for_each(Placed::waited);
            let _ = letter.outcomes.try_send(outcomes);
            if self.driver.should_yield() {
                self.driver.yield_now().await;
            }
        }
    }
}

fn bytes_of(appends: &[Append]) -> usize {
    appends.iter().map(|append| append.batch.len()).sum()
}

fn too_slow() -> Fault {
    let why = format!(
        "the disk of this shard has not caught up within {APPEND_WAIT_MS_MAX} ms; nothing of the batch is stored, send \
         it again"
    );
    Fault::new(ResponseError::RequestTimedOut, why)
}
