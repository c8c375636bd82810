//! Does writing go on exactly where it stopped?

use bytes::Bytes;

use super::*;

#[test]
fn progress_crosses_buffers_and_skips_empty_ones() {
    let bufs: Vec<Bytes> = ["ab", "", "cde", "f"].iter().map(|s| Bytes::from_static(s.as_bytes())).collect();
    for step in 1..=6 {
        let mut progress = Progress::start();
        let mut seen = Vec::new();
        loop {
            let slices = progress.slices(&bufs);
            let next: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).take(step).collect();
            if next.is_empty() {
                break;
            }
            seen.extend_from_slice(&next);
            progress.advance(&bufs, next.len());
        }
        assert_eq!(seen, b"abcdef", "in steps of {step}");
    }
}

#[test]
fn one_call_gets_a_bounded_number_of_slices() {
    let bufs = vec![Bytes::from_static(b"x"); SLICES_MAX * 2 + 1];
    assert_eq!(Progress::start().slices(&bufs).len(), SLICES_MAX);
}

#[test]
fn two_listeners_share_an_address() {
    let first = listener("127.0.0.1:0".parse().unwrap()).unwrap();
    let second = listener(first.local_addr().unwrap()).unwrap();
    assert_eq!(first.local_addr().unwrap(), second.local_addr().unwrap());
}
