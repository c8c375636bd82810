//! Does each failure tell its kind, and what to do?

use super::*;

fn generic(text: &str) -> object_store::Error {
    object_store::Error::Generic { store: "S3", source: text.to_owned().into() }
}

fn denied(text: &str) -> object_store::Error {
    object_store::Error::PermissionDenied { path: "a".into(), source: text.to_owned().into() }
}

fn not_found(text: &str) -> object_store::Error {
    object_store::Error::NotFound { path: "a".into(), source: text.to_owned().into() }
}

/// A failure, its kinds for a reader and for a writer, and a word of the advice.
fn cases() -> Vec<(object_store::Error, Kind, Kind, &'static str)> {
    vec![
        (not_found("404: <Code>NoSuchBucket</Code>"), Kind::Invalid, Kind::Invalid, "create it"),
        (denied("403: <Code>InvalidAccessKeyId</Code>"), Kind::Invalid, Kind::Invalid, "AWS_ACCESS_KEY_ID"),
        (denied("403: <Code>AccessDenied</Code>"), Kind::Invalid, Kind::Invalid, "s3:PutObject"),
        (denied("403: <Code>ExpiredToken</Code>"), Kind::Busy, Kind::Unknown, "expired"),
        (denied("403: <Code>RequestTimeTooSkewed</Code>"), Kind::Busy, Kind::Unknown, "clock"),
        (generic("503: <Code>SlowDown</Code>"), Kind::Busy, Kind::Unknown, "fewer requests"),
        (generic("500 Internal Server Error"), Kind::Busy, Kind::Unknown, "tried again"),
        (generic("error sending request: connection refused"), Kind::Busy, Kind::Unknown, "AWS_ENDPOINT_URL"),
        (generic("redirect without LOCATION"), Kind::Invalid, Kind::Invalid, "AWS_REGION"),
        (generic("connect to 169.254.169.254"), Kind::Busy, Kind::Unknown, "no credentials"),
        (generic("Read-only file system (os error 30)"), Kind::Invalid, Kind::Invalid, "mount it"),
        (generic("No space left on device (os error 28)"), Kind::Busy, Kind::Unknown, "make some"),
    ]
}

#[test]
fn each_failure_has_a_kind_and_an_advice() {
    for (error, read, write, word) in cases() {
        let path = Path::from("a");
        for (told, kind) in
            [(of_read(Vendor::S3, "read", &path, &error), read), (of_write(Vendor::S3, "write", &path, &error), write)]
        {
            assert_eq!(told.kind, kind, "{told}");
            assert!(told.message.contains(word), "{told}");
        }
    }
}

#[test]
fn a_missing_object_is_no_missing_bucket() {
    let path = Path::from("a");
    assert_eq!(of_read(Vendor::S3, "read", &path, &not_found("404: NoSuchKey")).kind, Kind::Missing);
    assert_eq!(of_write(Vendor::S3, "write", &path, &not_found("404")).kind, Kind::Invalid);
    assert_eq!(of_write(Vendor::S3, "write", &path, &not_found("404: NoSuchUpload")).kind, Kind::Unknown);
}

#[test]
fn a_refusal_after_a_lost_answer_is_not_certain() {
    let error = denied("403 AccessDenied in 3s, after 2 retries, max_retries: 5, retry_timeout: 30s - Forbidden");
    assert_eq!(of_write(Vendor::S3, "write", &Path::from("a"), &error).kind, Kind::Unknown);
}

#[test]
fn long_answers_are_cut() {
    let told = of_read(Vendor::Gcs, "read", &Path::from("a"), &generic(&"ü".repeat(10_000)));
    assert!(told.message.chars().count() < 600);
}
