//! Are frames cut where their length says, and bad lengths refused?

use bytes::BufMut;

use super::*;

#[test]
fn frames_are_taken_one_by_one_as_they_arrive() {
    let stream = [&[0, 0, 0, 3, 1, 2, 3][..], &[0, 0, 0, 0], &[0, 0, 0, 1, 9]].concat();
    let (mut received, mut frames) = (BytesMut::new(), Vec::new());
    for byte in stream {
        received.put_u8(byte);
        while let Some(frame) = take(&mut received, 10).unwrap() {
            frames.push(frame);
        }
    }
    assert_eq!(frames, [&[1, 2, 3][..], &[], &[9]]);
    assert!(received.is_empty());
}

#[test]
fn impossible_lengths_are_refused_before_anything_is_reserved() {
    let mut received = BytesMut::from(&(-1i32).to_be_bytes()[..]);
    assert_eq!(take(&mut received, 10), Err(FrameError::Negative(-1)));
    let mut received = BytesMut::from(&11i32.to_be_bytes()[..]);
    assert_eq!(take(&mut received, 10), Err(FrameError::TooLarge { bytes: 11, max: 10 }));
    let mut http = BytesMut::from(&b"GET / HTTP/1.1\r\n"[..]);
    assert!(matches!(take(&mut http, 100 << 20), Err(FrameError::TooLarge { .. })));
    let mut claimed = BytesMut::from(&(100i32 << 20).to_be_bytes()[..]);
    assert_eq!(take(&mut claimed, 100 << 20), Ok(None));
    assert!(claimed.capacity() < 100);
}
