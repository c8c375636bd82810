//! Is the right field read, whatever a process is called?

use super::*;

#[test]
fn user_and_system_time_are_added() {
    let line = "42 (a) b (c)) S 1 42 42 0 -1 4194304 100 0 0 0 1234 66 7 8 20 0 3 0 999 1 2";
    assert_eq!(ticks(line), Some(1300));
    assert_eq!(ticks("42 (cut) S 1 2"), None);
    assert_eq!(ticks(""), None);
}

#[test]
fn work_shows_up() {
    let own = std::process::id();
    let before = of_process(own).unwrap();
    let mut x = 1u64;
    while of_process(own).unwrap() < before + 0.02 {
        for _ in 0..100_000 {
            x = std::hint::black_box(x.wrapping_mul(6364136223846793005).wrapping_add(1));
        }
    }
    assert!(of_process(0).is_err());
}
