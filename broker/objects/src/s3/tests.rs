//! Which endpoints are accepted?

use super::*;

fn builder(endpoint: &str) -> AmazonS3Builder {
    AmazonS3Builder::new().with_endpoint(endpoint).with_access_key_id("a").with_secret_access_key("b")
}

#[test]
fn plain_http_is_for_this_machine_only() {
    for local in ["http://127.0.0.1:5555", "http://localhost:9000/x", "http://[::1]:9000"] {
        assert!(open_with(builder(local), "lake").is_ok(), "{local}");
    }
    for far in ["http://10.0.0.7:9000", "http://localhost.example.com", "http://127.0.0.1.nip.io"] {
        let Err(error) = open_with(builder(far), "lake") else { panic!("{far}") };
        assert!(error.message.contains("AWS_ALLOW_HTTP"), "{error}");
    }
    assert!(open_with(builder("http://10.0.0.7:9000").with_allow_http(true), "lake").is_ok());
    assert!(open_with(builder("https://10.0.0.7:9000"), "lake").is_ok());
}
