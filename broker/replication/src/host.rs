//! How does openraft reach clock, chance and tasks of the shard it runs on?
//!
//! openraft asks for them by type, not by value, so the driver of the shard that is being polled stands in a variable of
//! the thread. Each future of a group sets it for as long as it is polled: several shards may share a thread.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::Future;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use openraft_rt::{AsyncRuntime, Oneshot, OneshotSender};
use rand::TryRng;
use runtime::{Driver, Instant};

use crate::channel::Queues;
use crate::signals::{Handovers, Taker, Turns, Watches};

type Job = Pin<Box<dyn Future<Output = ()>>>;

/// What openraft needs of a driver.
pub(crate) trait Host {
    fn now(&self) -> Instant;
    fn random(&self) -> u64;
    fn sleep_until(&self, at: Instant) -> Job;
    fn spawn(&self, job: Job);
}

impl<D: Driver> Host for D {
    fn now(&self) -> Instant {
        Driver::now(self)
    }

    fn random(&self) -> u64 {
        Driver::random(self)
    }

    fn sleep_until(&self, at: Instant) -> Job {
        Box::pin(Driver::sleep_until(self, at))
    }

    fn spawn(&self, job: Job) {
        drop(Driver::spawn(self, "raft", job));
    }
}

thread_local! {
    static HOST: RefCell<Option<Rc<dyn Host>>> = const { RefCell::new(None) };
}

fn host() -> Rc<dyn Host> {
    HOST.with_borrow(|host| host.clone().expect("openraft runs inside of `on`"))
}

/// Runs `call` on a shard.
pub(crate) fn within<T>(host: &Rc<dyn Host>, call: impl FnOnce() -> T) -> T {
    let before = HOST.replace(Some(host.clone()));
    let result = call();
    HOST.set(before);
    result
}

/// A future that runs on a shard.
pub(crate) struct On<F> {
    host: Rc<dyn Host>,
    future: Pin<Box<F>>,
}

pub(crate) fn on<F: Future>(host: Rc<dyn Host>, future: F) -> On<F> {
    On { host, future: Box::pin(future) }
}

impl<F: Future> Future for On<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let On { host, future } = &mut *self;
        within(host, || future.as_mut().poll(context))
    }
}

/// The shard's driver, as openraft sees it.
#[derive(Debug)]
pub(crate) struct ShardRuntime;

/// A moment of the shard's clock, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

/// Chance from the shard's driver.
pub(crate) struct Chance(Rc<dyn Host>);

/// A task that was cancelled.
#[derive(Debug, thiserror::Error)]
#[error("the task was cancelled")]
pub(crate) struct Cancelled;

#[derive(Debug, thiserror::Error)]
#[error("the time is over")]
pub(crate) struct TimeOver;

/// The outcome of a task.
pub(crate) struct Handle<T>(Taker<T>);

/// A future with an end.
pub(crate) struct Limited<F> {
    future: Pin<Box<F>>,
    end: Job,
}

impl<T> Future for Handle<T> {
    type Output = Result<T, Cancelled>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map_err(|_| Cancelled)
    }
}

impl<F: Future> Future for Limited<F> {
    type Output = Result<F::Output, TimeOver>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(value) = self.future.as_mut().poll(context) {
            return Poll::Ready(Ok(value));
        }
        self.end.as_mut().poll(context).map(|()| Err(TimeOver))
    }
}

impl AsyncRuntime for ShardRuntime {
    type JoinError = Cancelled;
    type JoinHandle<T: 'static> = Handle<T>;
    type Sleep = Job;
    type Instant = Moment;
    type TimeoutError = TimeOver;
    type Timeout<R, T: Future<Output = R>> = Limited<T>;
    type ThreadLocalRng = Chance;
    type Mpsc = Queues;
    type Watch = Watches;
    type Oneshot = Handovers;
    type Mutex<T: 'static> = Turns<T>;

    fn spawn<T>(future: T) -> Handle<T::Output>
    where
        T: Future + 'static,
        T::Output: 'static,
    {
        let (giver, taker) = Handovers::channel();
        let host = host();
        let job = on(host.clone(), async move {
            // Whoever started it need not wait for it.
            let _ = giver.send(future.await);
        });
        host.spawn(Box::pin(job));
        Handle(taker)
    }

    fn sleep(duration: Duration) -> Job {
        ShardRuntime::sleep_until(<Moment as openraft_rt::Instant>::now() + duration)
    }

    fn sleep_until(deadline: Moment) -> Job {
        host().sleep_until(Instant(deadline.0))
    }

    fn timeout<R, F: Future<Output = R>>(duration: Duration, future: F) -> Limited<F> {
        Limited { future: Box::pin(future), end: ShardRuntime::sleep(duration) }
    }

    fn timeout_at<R, F: Future<Output = R>>(deadline: Moment, future: F) -> Limited<F> {
        Limited { future: Box::pin(future), end: ShardRuntime::sleep_until(deadline) }
    }

    fn is_panic(_: &Cancelled) -> bool {
        false
    }

    fn thread_rng() -> Chance {
        Chance(host())
    }

    fn new(_threads: usize) -> Self {
        ShardRuntime
    }

    /// Waits without running other tasks: those belong to the driver of the shard.
    fn block_on<F: Future<Output = T>, T>(&mut self, future: F) -> T {
        struct Unpark(Thread);
        impl Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let (mut context, mut future) = (Context::from_waker(&waker), pin!(future));
        loop {
            match future.as_mut().poll(&mut context) {
                Poll::Ready(value) => return value,
                Poll::Pending => thread::park(),
            }
        }
    }
}

impl TryRng for Chance {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.0.random() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.random())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.0.random().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl openraft_rt::Instant for Moment {
    fn now() -> Moment {
        Moment(host().now().0)
    }
}

impl Add<Duration> for Moment {
    type Output = Moment;

    fn add(self, duration: Duration) -> Moment {
        Moment(self.0.saturating_add(nanos(duration)))
    }
}

impl AddAssign<Duration> for Moment {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub<Duration> for Moment {
    type Output = Moment;

    fn sub(self, duration: Duration) -> Moment {
        Moment(self.0.saturating_sub(nanos(duration)))
    }
}

impl SubAssign<Duration> for Moment {
    fn sub_assign(&mut self, duration: Duration) {
        *self = *self - duration;
    }
}

impl Sub for Moment {
    type Output = Duration;

    fn sub(self, earlier: Moment) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}
