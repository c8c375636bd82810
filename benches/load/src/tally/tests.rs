//! Is each request counted where it belongs?

use super::*;

const WINDOW: Window = Window { start_ns: 0, measured_ns: 1_000_000, end_ns: 2_000_000, give_up_ns: 3_000_000 };

#[test]
fn the_warm_up_is_not_measured() {
    let mut tally = Tally::new();
    tally.sent(WINDOW, 999_999, 1_000_000);
    tally.answered(WINDOW, 999_999, 999_999);
    tally.late(WINDOW, 999_999, 3_000_000);
    assert_eq!((tally.latency.0.len(), tally.delay.0.len(), tally.answered, tally.late), (0, 0, 0, 0));
    assert_eq!(tally.latency.figures(), Value::Null);
}

#[test]
fn an_answer_counts_when_it_arrives_and_its_latency_when_it_was_due() {
    let mut tally = Tally::new();
    tally.answered(WINDOW, 900_000, 1_500_000);
    assert_eq!((tally.latency.0.len(), tally.answered), (0, 1));
    tally.answered(WINDOW, 1_900_000, 2_500_000);
    assert_eq!((tally.latency.0.len(), tally.answered), (1, 1));
}

#[test]
fn what_never_came_is_not_left_out() {
    let (mut tally, mut other) = (Tally::new(), Tally::new());
    for slot in 0..99 {
        tally.answered(WINDOW, 1_000_000 + slot, 1_100_000 + slot);
    }
    other.late(WINDOW, 1_000_000, 3_000_000);
    other.failed("first".into());
    other.failed("second".into());
    tally.add(other);
    assert_eq!((tally.late, tally.failed, tally.first_failure.as_deref()), (1, 2, Some("first")));
    let figures = tally.latency.figures();
    assert_eq!(figures["count"], 100);
    assert!((99.9..100.2).contains(&figures["p50"].as_f64().unwrap()));
    assert!((1999.0..2003.0).contains(&figures["p999"].as_f64().unwrap()));
    assert!(tally.latency.line().starts_with("p50 100 us, p99 100 us, p99.9 2"));
}
