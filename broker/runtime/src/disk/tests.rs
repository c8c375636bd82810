//! Do file calls leave what they promise?

use std::io::ErrorKind;

use model::limits::{IO_ALIGN, IO_BYTES_MAX};

use super::*;

#[test]
fn a_new_log_is_zeroed_and_takes_its_space() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("0.log");
    let len = IO_BYTES_MAX as u64 + IO_ALIGN as u64;
    create_zeroed(&path, len).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(bytes.len() as u64, len);
    assert!(bytes.iter().all(|byte| *byte == 0));
    let blocks = std::os::unix::fs::MetadataExt::blocks(&std::fs::metadata(&path).unwrap());
    assert!(blocks * 512 >= len, "sparse: {blocks} blocks");
    assert_eq!(create_zeroed(&path, len).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(create_zeroed(&dir.path().join("odd"), 5).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn replace_leaves_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    replace(&path, b"first").unwrap();
    replace(&path, b"second, longer").unwrap();
    replace(&path, b"third").unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"third");
    let entries = list(dir.path()).unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!((entries[0].name.as_str(), entries[0].len), ("state", 5));
}

#[test]
fn list_is_sorted_and_remove_removes() {
    let dir = tempfile::tempdir().unwrap();
    make_dir(&dir.path().join("a/b")).unwrap();
    make_dir(&dir.path().join("a/b")).unwrap();
    let inner = dir.path().join("a/b");
    for name in ["2", "10", "1"] {
        replace(&inner.join(name), name.as_bytes()).unwrap();
    }
    remove(&inner.join("10")).unwrap();
    let names: Vec<String> = list(&inner).unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["1", "2"]);
    assert_eq!(list(&inner.join("none")).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_log_operation_is_aligned_bounded_and_inside() {
    let (align, max) = (IO_ALIGN as u64, IO_BYTES_MAX);
    assert!(check_log(align, max, align + max as u64).is_ok());
    for (pos, len, file_len) in [
        (1, IO_ALIGN, u64::MAX),
        (0, IO_ALIGN + 1, u64::MAX),
        (0, 0, u64::MAX),
        (0, max + IO_ALIGN, u64::MAX),
        (align, IO_ALIGN, align),
        (u64::MAX / align * align, IO_ALIGN, u64::MAX),
    ] {
        assert_eq!(check_log(pos, len, file_len).unwrap_err().kind(), ErrorKind::InvalidInput, "{len} at {pos}");
    }
}

#[test]
fn pieces_cover_the_range_without_gap() {
    for len in [0, 1, IO_BYTES_MAX, IO_BYTES_MAX + 1, 3 * IO_BYTES_MAX + 7] {
        let mut next = 0;
        for (pos, range) in pieces(99, len) {
            assert_eq!((pos, range.start), (99 + next as u64, next));
            assert!(!range.is_empty() && range.len() <= IO_BYTES_MAX);
            next = range.end;
        }
        assert_eq!(next, len);
    }
}

#[test]
fn one_failed_short_or_abandoned_write_ends_all_writes() {
    let failed = Fault::default();
    failed.begin().unwrap().end(Ok(10), 10).unwrap();
    let pending = failed.begin().unwrap();
    failed.begin().unwrap().end(Err(std::io::Error::from_raw_os_error(libc::EIO)), 10).unwrap_err();
    pending.end(Ok(10), 10).expect("a write that was under way may still succeed");
    assert!(failed.begin().err().unwrap().to_string().contains("an earlier write"));

    let short = Fault::default();
    assert_eq!(short.begin().unwrap().end(Ok(9), 10).unwrap_err().kind(), ErrorKind::WriteZero);
    assert!(short.begin().is_err());

    let abandoned = Fault::default();
    drop(abandoned.begin().unwrap());
    assert!(abandoned.begin().is_err());
}
