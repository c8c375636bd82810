//! Do waits end when they should, and not before?

use super::*;

/// Machines under load may be late, but never early.
const LATE_NS_MAX: u64 = 2 * NANOS_PER_S;

#[test]
fn a_thread_sleeps_until_the_time_asked_for() {
    let at = now_ns() + 3_000_000;
    sleep_until(at);
    assert!((at..at + LATE_NS_MAX).contains(&now_ns()));
}

#[tokio::test]
async fn a_timer_fires_on_time_and_again_after_it_was_left() {
    let mut timer = Timer::new().unwrap();
    let far = now_ns() + 3600 * NANOS_PER_S;
    tokio::select! {
        biased;
        _ = timer.until(far) => panic!("an hour early"),
        () = tokio::task::yield_now() => {}
    }
    for wait_ns in [2_000_000, 300_000] {
        let at = now_ns() + wait_ns;
        timer.until(at).await.unwrap();
        assert!((at..at + LATE_NS_MAX).contains(&now_ns()));
    }
    timer.until(0).await.unwrap();
}
