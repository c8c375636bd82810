//! Cut bounds are bounds.

use proptest::prelude::*;

use super::*;

#[test]
fn long_texts_are_cut_at_characters() {
    let short = "sixteen letters!";
    assert_eq!((text_lower(short), text_upper(short).as_deref()), (short, Some(short)));
    assert_eq!(text_lower("sixteen letters!x"), short);
    assert_eq!(text_upper("sixteen letters!x").unwrap(), "sixteen letters\"");
    assert_eq!(text_lower(&"ß".repeat(17)), "ß".repeat(16));
    assert_eq!(text_upper(&"ß".repeat(17)).unwrap(), "ß".repeat(15) + "à");
    assert_eq!(text_upper(&("a".repeat(15) + "\u{d7ff}x")).unwrap(), "a".repeat(15) + "\u{e000}");
    assert_eq!(text_upper(&("a".repeat(15) + "\u{10ffff}x")).unwrap(), "a".repeat(14) + "b");
    assert_eq!(text_upper(&"\u{10ffff}".repeat(17)), None);
}

#[test]
fn long_bytes_are_cut() {
    assert_eq!(bytes_upper(&[255; 16]).unwrap(), [255; 16]);
    assert_eq!(bytes_upper(&[255; 17]), None);
    assert_eq!(bytes_upper(&[&[7; 14][..], &[255; 9]].concat()).unwrap(), [&[7; 13][..], &[8]].concat());
    assert_eq!(bytes_lower(&[1; 20]), [1; 16]);
}

#[test]
fn floats_leave_nan_out_and_widen_zero() {
    assert_eq!(of_floats([f64::NAN].into_iter()), (None, None));
    assert_eq!(of_floats([f64::NAN, 2.0, -1.0, f64::INFINITY].into_iter()), (Some(-1.0), Some(f64::INFINITY)));
    for zero in [0.0, -0.0] {
        let (lower, upper) = of_floats([zero].into_iter());
        assert!(lower.unwrap().is_sign_negative() && upper.unwrap().is_sign_positive());
    }
}

proptest! {
    #[test]
    fn bounds_hold(text in "\\PC{0,24}", bytes in proptest::collection::vec(250u8.., 0..24)) {
        prop_assert!(text_lower(&text) <= text.as_str());
        prop_assert!(text_upper(&text).is_none_or(|upper| upper >= text && upper.chars().count() <= BOUND_LENGTH));
        prop_assert!(bytes_lower(&bytes) <= bytes.as_slice());
        prop_assert!(bytes_upper(&bytes).is_none_or(|upper| upper >= bytes && upper.len() <= BOUND_LENGTH));
    }
}
