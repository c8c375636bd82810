//! When is each request meant to leave?
//!
//! Slot `n` of a run is due at start + n ÷ rate, whatever happened to the slots before it. The slots are dealt out to
//! connections (or writers) like cards.

use anyhow::{Result, ensure};

use crate::clock::{NANOS_PER_S, nanos, now_ns};

/// All are ready before the first slot is due.
const HEADROOM_NS: u64 = 50_000_000;
const RUN_S_MAX: f64 = 3600.0;

/// How the time of a run is divided.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Times {
    /// Seconds of load before anything is measured
    #[arg(long, default_value_t = 3.0, value_name = "S")]
    pub warmup_s: f64,
    /// Seconds that are measured
    #[arg(long, default_value_t = 20.0, value_name = "S")]
    pub duration_s: f64,
    /// Seconds to wait after the last slot for what is still open; what is open then counts as late
    #[arg(long, default_value_t = 5.0, value_name = "S")]
    pub drain_s: f64,
}

/// The times of one run, on the monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub start_ns: u64,
    /// From here on requests are measured.
    pub measured_ns: u64,
    /// From here on nothing is due.
    pub end_ns: u64,
    pub give_up_ns: u64,
}

impl Times {
    pub fn check(self) -> Result<Times> {
        let all = [self.warmup_s, self.duration_s, self.drain_s];
        ensure!(
            all.iter().all(|s| (0.0..=RUN_S_MAX).contains(s)),
            "each of the times lies between 0 and {RUN_S_MAX} s"
        );
        ensure!(self.duration_s > 0.0, "--duration-s 0 measures nothing: give it at least a second");
        Ok(self)
    }

    /// A run that is about to begin.
    pub fn window(self) -> Window {
        let start_ns = now_ns() + HEADROOM_NS;
        let measured_ns = start_ns + nanos(self.warmup_s);
        let end_ns = measured_ns + nanos(self.duration_s);
        Window { start_ns, measured_ns, end_ns, give_up_ns: end_ns + nanos(self.drain_s) }
    }
}

/// What makes the next request leave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// The clock.
    Open { per_s: f64 },
    /// An answer to the one before.
    Closed,
}

/// The slots of one connection or writer.
#[derive(Debug, Clone)]
pub struct Slots {
    pace: Pace,
    window: Window,
    next: u64,
    stride: u64,
}

impl Slots {
    /// Those of hand `first` of `stride` hands.
    pub fn new(pace: Pace, window: Window, first: usize, stride: usize) -> Slots {
        assert!(first < stride, "hand {first} of {stride}");
        Slots { pace, window, next: first as u64, stride: stride as u64 }
    }

    /// When the next slot is due, at a time when it may be due at once; `None` when there are no more.
    pub fn due_ns(&self, now_ns: u64) -> Option<u64> {
        let due_ns = match self.pace {
            Pace::Open { per_s } => {
                self.window.start_ns + (self.next as f64 * NANOS_PER_S as f64 / per_s).round() as u64
            }
            Pace::Closed => now_ns.max(self.window.start_ns),
        };
        (due_ns < self.window.end_ns).then_some(due_ns)
    }

    /// Takes the next slot: its number.
    pub fn take(&mut self) -> u64 {
        let slot = self.next;
        self.next += self.stride;
        slot
    }

    pub fn pace(&self) -> Pace {
        self.pace
    }

    pub fn window(&self) -> Window {
        self.window
    }
}

#[cfg(test)]
mod tests;
