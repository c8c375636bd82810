//! What came of the requests?

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::schedule::Window;

/// An hour: no run is longer.
const LATENCY_NS_MAX: u64 = 3_600_000_000_000;

/// Latencies in nanoseconds, to a thousandth of each.
#[derive(Debug, Clone)]
pub struct Latencies(Histogram<u64>);

impl Latencies {
    pub fn new() -> Latencies {
        Latencies(Histogram::new_with_bounds(1, LATENCY_NS_MAX, 3).expect("these bounds are in order"))
    }

    pub fn record(&mut self, nanos: u64) {
        self.0.saturating_record(nanos);
    }

    pub fn add(&mut self, other: &Latencies) {
        self.0.add(&other.0).expect("all have the same bounds");
    }

    fn quantile_us(&self, quantile: f64) -> f64 {
        self.0.value_at_quantile(quantile) as f64 / 1000.0
    }

    /// In microseconds; null without a single one.
    pub fn figures(&self) -> Value {
        if self.0.is_empty() {
            return Value::Null;
        }
        json!({
            "p50": self.quantile_us(0.5),
            "p99": self.quantile_us(0.99),
            "p999": self.quantile_us(0.999),
            "max": self.0.max() as f64 / 1000.0,
            "mean": self.0.mean().round() / 1000.0,
            "count": self.0.len(),
        })
    }

    pub fn line(&self) -> String {
        let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|quantile| self.quantile_us(quantile));
        let max = self.0.max() as f64 / 1000.0;
        format!("p50 {p50:.0} us, p99 {p99:.0} us, p99.9 {p999:.0} us, max {max:.0} us, n {}", self.0.len())
    }
}

/// What one connection or writer saw.
#[derive(Debug, Clone)]
pub struct Tally {
    /// From when a request was due to its answer.
    pub latency: Latencies,
    /// From when a request was due to when it was sent: high when the generator or the window in flight is the limit.
    pub delay: Latencies,
    /// Answers that arrived within the measured time.
    pub answered: u64,
    /// Measured requests without an answer at the end; their latency is recorded as the time they had waited.
    pub late: u64,
    /// Requests that were refused, in the whole run; they are not in `latency`.
    pub failed: u64,
    pub first_failure: Option<String>,
}

impl Tally {
    pub fn new() -> Tally {
        Tally {
            latency: Latencies::new(),
            delay: Latencies::new(),
            answered: 0,
            late: 0,
            failed: 0,
            first_failure: None,
        }
    }

    pub fn sent(&mut self, window: Window, due_ns: u64, now_ns: u64) {
        if due_ns >= window.measured_ns {
            self.delay.record(now_ns.saturating_sub(due_ns));
        }
    }

    pub fn answered(&mut self, window: Window, due_ns: u64, now_ns: u64) {
        if due_ns >= window.measured_ns {
            self.latency.record(now_ns.saturating_sub(due_ns));
        }
        if (window.measured_ns..window.end_ns).contains(&now_ns) {
            self.answered += 1;
        }
    }

    pub fn late(&mut self, window: Window, due_ns: u64, now_ns: u64) {
        if due_ns >= window.measured_ns {
            self.latency.record(now_ns.saturating_sub(due_ns));
            self.late += 1;
        }
    }

    pub fn failed(&mut self, why: String) {
        self.failed += 1;
        self.first_failure.get_or_insert(why);
    }

    pub fn add(&mut self, other: Tally) {
        self.latency.add(&other.latency);
        self.delay.add(&other.delay);
        self.answered += other.answered;
        self.late += other.late;
        self.failed += other.failed;
        self.first_failure = self.first_failure.take().or(other.first_failure);
    }
}

#[cfg(test)]
mod tests;
