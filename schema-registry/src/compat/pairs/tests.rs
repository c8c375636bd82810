//! Is what leaned on a wrong assumption forgotten?

use super::{Begin, Pairs};

fn open(pairs: &mut Pairs<u32>, pair: u32, quiet: bool) -> usize {
    match pairs.begin(pair, quiet) {
        Begin::Open(mark) => mark,
        _ => panic!("{pair} was to be compared"),
    }
}

#[test]
fn what_leaned_on_a_failed_pair_is_compared_again() {
    let mut pairs = Pairs::new();
    let outer = open(&mut pairs, 1, true);
    let inner = open(&mut pairs, 2, true);
    assert!(matches!(pairs.begin(1, true), Begin::Known(true)), "an open pair is taken to fit");
    pairs.end(inner, true, true);
    assert!(matches!(pairs.begin(2, true), Begin::Known(true)));
    pairs.end(outer, false, true);
    assert!(matches!(pairs.begin(1, true), Begin::Known(false)));
    open(&mut pairs, 2, true);
}

#[test]
fn a_quiet_failure_is_told_once() {
    let mut pairs = Pairs::new();
    let mark = open(&mut pairs, 1, true);
    pairs.end(mark, false, true);
    let mark = open(&mut pairs, 1, false);
    pairs.end(mark, false, false);
    assert!(matches!(pairs.begin(1, false), Begin::Known(false)));
}

#[test]
fn depth_and_steps_are_bounded() {
    let mut pairs = Pairs::new();
    let deepest = (0..1_000_000u32).find(|pair| matches!(pairs.begin(*pair, true), Begin::TooMuch));
    assert_eq!(deepest, Some(2_000));
    let mut pairs = Pairs::new();
    let last = (0..1_000_000u32).find(|pair| match pairs.begin(*pair, true) {
        Begin::Open(mark) => {
            pairs.end(mark, true, true);
            false
        }
        Begin::Known(_) => false,
        Begin::TooMuch => true,
    });
    assert_eq!(last, Some(500_000));
}
