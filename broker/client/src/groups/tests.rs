//! Are assignments read as members write them, and broken ones refused?

use super::*;

#[test]
fn assignments_are_read_and_nonsense_is_not_believed() {
    let good =
        Bytes::from_static(b"\0\x01\0\0\0\x02\0\x01a\0\0\0\x02\0\0\0\0\0\0\0\x05\0\x01b\0\0\0\0\xff\xff\xff\xff");
    let expected = vec![("a".to_owned(), vec![0, 5]), ("b".to_owned(), vec![])];
    assert_eq!(assigned(good.clone()), Some(expected));
    // All but the user data at the end is needed.
    for length in 0..good.len() - 4 {
        assert_eq!(assigned(good.slice(..length)), None, "{length}");
    }
    assert_eq!(assigned(Bytes::from_static(&[0, 1, 0x7f, 0xff, 0xff, 0xff])), None);
    assert_eq!(assigned(Bytes::from_static(b"\0\0\0\0\0\x01\0\x01a\x7f\xff\xff\xff\0\0\0\x01")), None);
    assert_eq!(assigned(Bytes::from_static(&[0xff, 0xff, 0, 0, 0, 0])), None);
}
