//! Is what was read kept within its bounds, and is only read ahead of those who read on?

use super::*;

const P: PartitionId = PartitionId(1);

fn piece(len: usize) -> Bytes {
    Bytes::from(vec![1; len])
}

#[test]
fn pieces_are_found_by_any_place_in_them_and_share_their_memory() {
    let mut cold = Cold::new(1_000);
    let kept = piece(100);
    cold.keep(Position(50), kept.clone());
    cold.keep(Position(60), piece(10));
    let (start, found) = cold.get(Position(70), 80).expect("a shorter piece hides nothing");
    assert_eq!((start, found.as_ptr()), (Position(50), kept.as_ptr()));
    assert!(cold.get(Position(70), 81).is_none() && cold.get(Position(49), 1).is_none());
    cold.keep(Position(50), piece(20));
    assert!(cold.get(Position(50), 100).is_some(), "the longer one stays");
    cold.forget(Position(50));
    assert_eq!(cold.bytes(), 10);
}

#[test]
fn what_was_not_used_for_longest_makes_room() {
    let mut cold = Cold::new(100);
    cold.keep(Position(0), piece(40));
    cold.keep(Position(40), piece(40));
    assert!(cold.get(Position(0), 1).is_some());
    cold.keep(Position(80), piece(40));
    assert!(cold.get(Position(0), 1).is_some() && cold.get(Position(40), 1).is_none());
    cold.keep(Position(200), piece(101));
    assert_eq!(cold.bytes(), 80, "what is too large is not kept at all");
}

#[test]
fn the_window_grows_with_each_read_that_goes_on() {
    let mut followed = Followed::default();
    assert_eq!(followed.read(P, Offset(0), Offset(10)), 0);
    assert_eq!(followed.read(P, Offset(10), Offset(20)), READ_AHEAD_BYTES_MIN);
    assert_eq!(followed.read(P, Offset(20), Offset(30)), 2 * READ_AHEAD_BYTES_MIN);
    assert_eq!(followed.read(PartitionId(2), Offset(30), Offset(40)), 0, "another partition");
    assert_eq!(followed.read(P, Offset(7), Offset(8)), 0, "somewhere else");
    for n in 3..20 {
        assert!(followed.read(P, Offset(10 * n), Offset(10 * n + 10)) <= READ_AHEAD_BYTES_MAX);
    }
    assert_eq!(followed.read(P, Offset(200), Offset(210)), READ_AHEAD_BYTES_MAX);
}

#[test]
fn the_number_of_readers_is_bounded() {
    let mut followed = Followed::default();
    for n in 0..10 * FOLLOWED_READERS_MAX as i64 {
        followed.read(P, Offset(2 * n), Offset(2 * n + 1));
    }
    assert!(followed.windows.len() <= FOLLOWED_READERS_MAX && followed.order.len() <= FOLLOWED_READERS_MAX);
}
