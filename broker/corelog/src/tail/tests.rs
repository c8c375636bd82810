//! Does the tail cache hold what is recent, within its bound?

use super::*;

#[test]
fn slices_share_the_memory_of_the_group() {
    let mut tail = Tail::new(10_000);
    let group = Bytes::from((0..200).collect::<Vec<u8>>());
    tail.keep(Position(4096), group.clone());
    let slice = tail.get(Position(4106), 20).expect("it is kept");
    assert_eq!(slice, group[10..30]);
    assert_eq!(slice.as_ptr(), group[10..].as_ptr(), "not copied");
    assert_eq!(tail.get(Position(4106), 191), None, "beyond the group");
    assert_eq!(tail.get(Position(4095), 1), None, "before it");
}

#[test]
fn the_oldest_make_room() {
    let mut tail = Tail::new(8192);
    // Writes end in any order.
    for at in [4096, 12288, 8192] {
        tail.keep(Position(at), Bytes::from(vec![1; 4096]));
    }
    assert_eq!(tail.bytes(), 8192);
    assert_eq!(tail.get(Position(4096), 1), None);
    assert!(tail.get(Position(8192), 1).is_some() && tail.get(Position(12288), 1).is_some());
    tail.keep(Position(16384), Bytes::from(vec![1; 9000]));
    assert_eq!((tail.bytes(), tail.groups.len()), (0, 0), "never more than allowed");
}
