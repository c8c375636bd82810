//! What time is it, and how does one wait for a point in time to the microsecond?
//!
//! Tokio's timers tick in milliseconds, many times what is measured here, so waiting is left to the kernel's timers.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

use tokio::io::unix::AsyncFd;

pub const NANOS_PER_S: u64 = 1_000_000_000;

/// Nanoseconds of the monotonic clock.
pub fn now_ns() -> u64 {
    let mut now = timespec(0);
    // SAFETY: the kernel fills the struct that the pointer names, and it lives until the call is over.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    assert_eq!(failed, 0, "every Linux has a monotonic clock");
    now.tv_sec as u64 * NANOS_PER_S + now.tv_nsec as u64
}

pub fn nanos(seconds: f64) -> u64 {
    Duration::from_secs_f64(seconds).as_nanos() as u64
}

pub fn seconds(nanos: u64) -> f64 {
    Duration::from_nanos(nanos).as_secs_f64()
}

/// Blocks this thread until `at_ns`.
pub fn sleep_until(at_ns: u64) {
    let at = timespec(at_ns);
    // SAFETY: `at` lives until the call is over; a null pointer says that the time left is not wanted.
    while unsafe { libc::clock_nanosleep(libc::CLOCK_MONOTONIC, libc::TIMER_ABSTIME, &at, ptr::null_mut()) }
        == libc::EINTR
    {}
}

/// Lets this thread's sleeps end on time; by default the kernel may add 50 microseconds to each.
pub fn wake_on_time() {
    // SAFETY: this option takes a number and no pointer.
    let failed = unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
    assert_eq!(failed, 0, "every Linux lets a thread set its timer slack");
}

fn timespec(nanos: u64) -> libc::timespec {
    // SAFETY: a struct of integers, for which zeroes are a value.
    let mut time: libc::timespec = unsafe { mem::zeroed() };
    time.tv_sec = (nanos / NANOS_PER_S) as libc::time_t;
    time.tv_nsec = (nanos % NANOS_PER_S) as libc::c_long;
    time
}

/// A timer of the kernel that a task can wait for.
pub struct Timer {
    fd: AsyncFd<OwnedFd>,
    armed_ns: Option<u64>,
}

impl Timer {
    pub fn new() -> io::Result<Timer> {
        // SAFETY: no pointer is passed.
        let fd = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_NONBLOCK | libc::TFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new and nobody else's.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        // SAFETY: an `OwnedFd` stays open and the same until it is dropped, and nothing here takes it out.
        let fd = unsafe { AsyncFd::register(fd)? };
        Ok(Timer { fd, armed_ns: None })
    }

    /// Waits until `at_ns`. May be dropped and asked again.
    pub async fn until(&mut self, at_ns: u64) -> io::Result<()> {
        if self.armed_ns != Some(at_ns) {
            self.arm(at_ns)?;
        }
        loop {
            let mut ready = self.fd.readable().await?;
            if let Ok(fired) = ready.try_io(|fd| take_expirations(fd.as_raw_fd())) {
                self.armed_ns = None;
                return fired;
            }
        }
    }

    fn arm(&mut self, at_ns: u64) -> io::Result<()> {
        // A time of zero would disarm it.
        let when = libc::itimerspec { it_interval: timespec(0), it_value: timespec(at_ns.max(1)) };
        let fd = self.fd.as_raw_fd();
        // SAFETY: `when` lives until the call is over; a null pointer says that the old setting is not wanted.
        match unsafe { libc::timerfd_settime(fd, libc::TFD_TIMER_ABSTIME, &when, ptr::null_mut()) } {
            0 => {
                self.armed_ns = Some(at_ns);
                Ok(())
            }
            _ => Err(io::Error::last_os_error()),
        }
    }
}

fn take_expirations(fd: i32) -> io::Result<()> {
    let mut count = 0u64;
    // SAFETY: a timer gives exactly eight bytes, and `count` has room for them.
    match unsafe { libc::read(fd, (&raw mut count).cast(), mem::size_of::<u64>()) } {
        8 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests;
