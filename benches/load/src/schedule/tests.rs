//! Are the slots of all hands together the schedule, evenly and to the end?

use super::*;

const WINDOW: Window =
    Window { start_ns: 1_000, measured_ns: 2_000, end_ns: 1_000 + NANOS_PER_S, give_up_ns: u64::MAX };

fn all(mut slots: Slots) -> Vec<(u64, u64)> {
    std::iter::from_fn(|| slots.due_ns(0).map(|due| (due, slots.take()))).collect()
}

#[test]
fn hands_share_a_schedule_without_gap_or_overlap() {
    let hands = 3;
    let mut dealt: Vec<_> =
        (0..hands).flat_map(|hand| all(Slots::new(Pace::Open { per_s: 2000.0 }, WINDOW, hand, hands))).collect();
    dealt.sort_unstable();
    let expected: Vec<_> = (0..2000).map(|slot| (1_000 + slot * 500_000, slot)).collect();
    assert_eq!(dealt, expected);
}

#[test]
fn odd_rates_do_not_drift() {
    let slots = all(Slots::new(Pace::Open { per_s: 7.0 }, WINDOW, 0, 1));
    assert_eq!(slots.len(), 7);
    assert_eq!(slots[6].0, 1_000 + 857_142_857);
}

#[test]
fn a_closed_loop_is_due_at_once_until_the_end() {
    let slots = Slots::new(Pace::Closed, WINDOW, 0, 1);
    assert_eq!(slots.due_ns(0), Some(1_000));
    assert_eq!(slots.due_ns(5_000), Some(5_000));
    assert_eq!(slots.due_ns(WINDOW.end_ns), None);
}

#[test]
fn times_are_bounded() {
    let times = Times { warmup_s: 1.0, duration_s: 2.0, drain_s: 3.0 };
    let window = times.check().unwrap().window();
    assert_eq!(window.end_ns - window.start_ns, 3 * NANOS_PER_S);
    assert_eq!(window.give_up_ns - window.end_ns, 3 * NANOS_PER_S);
    for wrong in
        [Times { duration_s: 0.0, ..times }, Times { drain_s: 1e9, ..times }, Times { warmup_s: f64::NAN, ..times }]
    {
        assert!(wrong.check().is_err(), "{wrong:?}");
    }
}
