//! How do timers and completions get their turn on a shard whose run queue never empties?
//!
//! glommio looks at its rings when no task is ready or when its preempt timer fires. A short timer makes it hang
//! (docs/adr/0001), so ours is ten seconds, and two tasks that keep waking each other would stop all I/O for so long.
//! Instead tasks are held back once the queue has run for two milliseconds without a break: it empties, glommio turns
//! to its rings, and the pump, which waits for a completion from them, lets the tasks go on.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use glommio::io::BufferedFile;

use crate::clock;
use crate::driver::Instant;
use crate::tasks::{Gate, Registry};
use crate::uring::run::pause;

/// How long the run queue may go on without a look at the rings.
const RUN_NS: u64 = 2_000_000;

/// One per shard; clones are the same.
#[derive(Clone, Default)]
pub(crate) struct RingGate(Rc<State>);

#[derive(Default)]
struct State {
    shut: Cell<bool>,
    /// When the run queue was last seen to start anew.
    began: Cell<Option<Instant>>,
    pump: RefCell<Option<Waker>>,
}

impl Gate for RingGate {
    fn shut(&self, now: Instant) -> bool {
        let state = &self.0;
        if state.shut.get() {
            return true;
        }
        // Reading the statistics resets them: a run counted since means that the queue was empty in between.
        let anew = glommio::executor().executor_stats().scheduler_runs() > 0;
        match state.began.get() {
            Some(began) if !anew => {
                let too_long = now.0.saturating_sub(began.0) >= RUN_NS;
                if too_long {
                    state.shut.set(true);
                    let pump = state.pump.borrow().clone();
                    pump.into_iter().for_each(Waker::wake);
                }
                too_long
            }
            _ => {
                state.began.set(Some(now));
                false
            }
        }
    }
}

/// Opens the gate whenever the rings were looked at. Runs as long as the shard, outside of the registry.
pub(crate) async fn pump(gate: RingGate, registry: Rc<Registry>) {
    // Any file does: what counts is that its answer comes from the ring.
    let null = BufferedFile::open("/dev/null").await.ok();
    let state = gate.0;
    loop {
        poll_fn(|cx| {
            *state.pump.borrow_mut() = Some(cx.waker().clone());
            if state.shut.get() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        let answered = match &null {
            Some(null) => null.read_at(0, 1).await.is_ok(),
            None => false,
        };
        if !answered {
            pause().await;
        }
        state.shut.set(false);
        state.began.set(Some(clock::now()));
        registry.release();
    }
}
