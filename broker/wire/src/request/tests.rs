//! Are request heads understood in all versions, and never trusted?

use kafka_protocol::messages::{ApiVersionsRequest, MetadataRequest};
use proptest::prelude::*;

use super::*;

fn head(api_key: i16, api_version: i16) -> Head {
    Head { api_key, api_version, correlation_id: -5, client_id: Some("client".into()) }
}

#[test]
fn a_request_goes_there_and_back() {
    for version in 0..=13 {
        let head = head(3, version);
        let request = MetadataRequest::default().with_topics(Some(vec![]));
        let frame = encode(&head, &request).unwrap();
        assert_eq!(i32::from_be_bytes(*frame.first_chunk().unwrap()), frame.len() as i32 - 4);
        let (read, body) = split_head(frame.slice(PREFIX_BYTES..)).unwrap();
        assert_eq!(read, head);
        assert_eq!(decode(3, version, body), Ok(request), "{version}");
    }
}

#[test]
fn header_versions_follow_the_bodies() {
    assert_eq!(header_version(3, 8), Some(1));
    assert_eq!(header_version(3, 9), Some(2));
    assert_eq!(header_version(47, 0), Some(1), "OffsetDelete never became flexible");
    assert_eq!(header_version(7, 0), None);
}

#[test]
fn every_cut_of_a_header_is_refused() {
    for version in [2, 3] {
        let frame = encode(&head(18, version), &ApiVersionsRequest::default()).unwrap().slice(PREFIX_BYTES..);
        let head_bytes = 2 + 2 + 4 + 2 + 6 + usize::from(version == 3);
        for length in 0..head_bytes {
            let cut = split_head(frame.slice(..length));
            assert_eq!(cut, Err(RequestError::NoHeader { bytes: length }));
        }
        assert!(split_head(frame.slice(..head_bytes)).is_ok());
    }
}

#[test]
fn odd_headers_are_refused_or_read() {
    let parse = |bytes: &'static [u8]| split_head(Bytes::from_static(bytes));
    assert_eq!(parse(&[0, 99, 0, 0, 0, 0, 0, 0, 0xff, 0xff]), Err(RequestError::UnknownApi(99)));
    assert_eq!(parse(&[0xff, 0xff, 0, 0, 0, 0, 0, 0]), Err(RequestError::UnknownApi(-1)));
    assert!(parse(&[0, 3, 0, 0, 0, 0, 0, 0, 0x80, 0]).is_err(), "a length of -32768");
    assert_eq!(parse(&[0, 3, 0, 0, 0, 0, 0, 0, 0xff, 0xff]).unwrap().0.client_id, None);
    let text = parse(&[0, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0xff]).unwrap().0.client_id;
    assert_eq!(text.as_deref(), Some("\u{fffd}"), "a client id that is no text");
}

#[test]
fn api_versions_of_a_version_to_come_keeps_its_correlation_id() {
    let frame = Bytes::from_static(&[0, 18, 0, 5, 0, 0, 0, 7, 0xde, 0xad]);
    let (head, body) = split_head(frame).unwrap();
    assert_eq!((head.api_version, head.correlation_id, head.client_id), (5, 7, None));
    let refused = guard(18, 5, &body);
    assert_eq!(refused, Err(RequestError::UnknownVersion { api: "ApiVersions", version: 5, first: 0, last: 4 }));
}

#[test]
fn what_has_no_layout_is_refused() {
    assert_eq!(guard(7, 0, &[]), Err(RequestError::UnknownApi(7)));
    for (api_key, version) in [(0, 2), (0, 13), (1, 18), (3, -1), (i16::MAX, 0)] {
        assert!(guard(api_key, version, &[0; 64]).is_err(), "{api_key} {version}");
        assert!(decode::<MetadataRequest>(api_key, version, Bytes::from_static(&[0; 64])).is_err());
    }
}

#[test]
fn text_that_is_none_is_an_error_of_the_decoder() {
    let body = Bytes::from_static(&[0, 0, 0, 1, 0, 1, 0xff]);
    assert!(matches!(decode::<MetadataRequest>(3, 0, body), Err(RequestError::Malformed { .. })));
}

proptest! {
    #[test]
    fn arbitrary_frames_never_panic(start in proptest::option::of(0i16..61), tail in any::<Vec<u8>>()) {
        let start = start.map(|key| [0, key as u8, 0, tail.first().copied().unwrap_or(0) % 14]);
        let frame = [start.as_ref().map_or(&[][..], |start| &start[..]), &tail].concat();
        if let Ok((head, body)) = split_head(frame.into()) {
            let _ = guard(head.api_key, head.api_version, &body);
        }
    }
}
