//! Is nothing read past the end?

use proptest::prelude::*;

use super::*;

#[test]
fn known_varints() {
    for (value, bytes) in [(0, &[0][..]), (-1, &[1]), (1, &[2]), (300, &[216, 4]), (i64::MIN, &[0xff; 10])] {
        let mut written = Vec::new();
        put_varlong(&mut written, value);
        let expected: Vec<u8> = if value == i64::MIN { [vec![0xff; 9], vec![1]].concat() } else { bytes.to_vec() };
        assert_eq!(written, expected, "{value}");
    }
}

#[test]
fn refuses_varints_that_are_too_long_or_cut() {
    assert_eq!(Reader::new(&[0x80, 0x80, 0x80, 0x80, 0x80, 0]).uvarint(), None);
    assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x1f]).uvarint(), None, "more than 32 bits");
    assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x0f]).uvarint(), Some(u32::MAX));
    assert_eq!(Reader::new(&[0x80]).varlong(), None);
    assert_eq!(Reader::new(&[0xff; 11]).varlong(), None);
    assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]).varlong(), None);
}

proptest! {
    #[test]
    fn varlongs_round_trip(value: i64, small: i32) {
        let mut bytes = Vec::new();
        put_varlong(&mut bytes, value);
        put_varlong(&mut bytes, i64::from(small));
        let mut reader = Reader::new(&bytes);
        prop_assert_eq!(reader.varlong(), Some(value));
        prop_assert_eq!(reader.varint(), Some(small));
        prop_assert_eq!(reader.left(), 0);
    }
}
