//! Are responses framed as clients read them?

use kafka_protocol::messages::{ApiVersionsResponse, HeartbeatResponse, ResponseHeader};
use proptest::prelude::*;

use super::*;

fn head(api_key: i16, api_version: i16) -> Head {
    Head { api_key, api_version, correlation_id: 258, client_id: None }
}

#[test]
fn the_header_of_api_versions_is_always_plain() {
    let response = ApiVersionsResponse::default().with_error_code(35);
    for version in 0..=4 {
        assert_eq!(header_version(18, version), 0);
        let frame = encode(&head(18, version), version, header_version(18, version), &response).unwrap();
        assert_eq!(frame[4..10], [0, 0, 1, 2, 0, 35]);
    }
    // A version to come is answered with a body of version 0: error, an array of no keys.
    let frame = encode(&head(18, 9), 0, header_version(18, 9), &response).unwrap();
    assert_eq!(frame, &[0, 0, 0, 10, 0, 0, 1, 2, 0, 35, 0, 0, 0, 0][..]);
}

#[test]
fn flexible_responses_have_tagged_headers_and_are_read_back() {
    for (version, header) in [(3, 0), (4, 1)] {
        assert_eq!(header_version(12, version), header);
        let response = HeartbeatResponse::default().with_error_code(27);
        let frame = encode(&head(12, version), version, header, &response).unwrap();
        let mut theirs = frame.slice(PREFIX_BYTES..);
        assert_eq!(ResponseHeader::decode(&mut theirs, header).unwrap().correlation_id, 258);
        assert_eq!(decode(12, version, frame.slice(PREFIX_BYTES..)), Ok((258, response)));
    }
}

#[test]
fn fields_that_a_version_lacks_are_an_error_not_a_panic() {
    let response = kafka_protocol::messages::FetchResponse::default().with_session_id(3);
    assert!(matches!(encode(&head(1, 4), 4, 0, &response), Err(ResponseError::Unsendable { .. })));
}

proptest! {
    #[test]
    fn arbitrary_headers_never_panic(frame in proptest::collection::vec(any::<u8>(), 0..12), version in 0..5i16) {
        let _ = decode::<HeartbeatResponse>(12, version, frame.into());
    }
}
