//! Are files replaced, listed and read as promised?

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use model::limits::IO_BYTES_MAX;

use super::{Tested, run};
use crate::driver::{DirEntry, ReadFile};

pub(super) fn replacing_is_atomic<D: Tested>() {
    let dir = D::scratch();
    let path = dir.path().join("state.json");
    D::write_file(&path, &[0; 10]);
    let stop = Arc::new(AtomicBool::new(false));
    let reader = std::thread::spawn({
        let (path, stop) = (path.clone(), stop.clone());
        move || {
            while !stop.load(Ordering::Relaxed) {
                let bytes = D::read_file(&path);
                let first = bytes[0];
                assert_eq!(bytes, vec![first; 10 + 1000 * usize::from(first)], "half a file");
            }
        }
    });
    run(move |driver: D| async move {
        for n in 1..=20u8 {
            driver.replace_file(&path, &vec![n; 10 + 1000 * usize::from(n)]).await.unwrap();
            assert_eq!(D::read_file(&path)[0], n);
        }
        let left: Vec<String> =
            driver.list(path.parent().unwrap()).await.unwrap().into_iter().map(|e| e.name).collect();
        assert_eq!(left, ["state.json"]);
    });
    stop.store(true, Ordering::Relaxed);
    reader.join().unwrap();
}

pub(super) fn folders_are_listed<D: Tested>() {
    let dir = D::scratch();
    let inner = dir.path().join("shard-0/log");
    run(move |driver: D| async move {
        driver.create_dir(&inner).await.unwrap();
        driver.create_dir(&inner).await.expect("it is there already");
        for (name, len) in [("b", 2), ("a", 1), ("c", 0)] {
            driver.replace_file(&inner.join(name), &vec![7; len]).await.unwrap();
        }
        driver.remove(&inner.join("c")).await.unwrap();
        let entries = driver.list(&inner).await.unwrap();
        let wanted = [("a", 1), ("b", 2)].map(|(name, len)| DirEntry { name: name.to_owned(), len });
        assert_eq!(entries, wanted);
    });
}

pub(super) fn files_grow_and_change_their_names<D: Tested>() {
    let dir = D::scratch();
    let dir = dir.path().to_owned();
    run(move |driver: D| async move {
        let (long, other) = (vec![3; IO_BYTES_MAX + 5], dir.join("other"));
        for bytes in [b"one ".to_vec(), b"two ".to_vec(), long.clone()] {
            driver.append_file(&dir.join("new"), bytes.into()).await.unwrap();
        }
        driver.replace_file(&other, b"old").await.unwrap();
        driver.rename(&dir.join("new"), &other).await.unwrap();
        assert!(D::read_file(&other) == [b"one two ", &long[..]].concat());
        let left: Vec<String> = driver.list(&dir).await.unwrap().into_iter().map(|entry| entry.name).collect();
        assert_eq!(left, ["other"]);
        assert_eq!(driver.rename(&dir.join("new"), &other).await.unwrap_err().kind(), ErrorKind::NotFound);
    });
}

pub(super) fn any_range_of_a_file_is_read<D: Tested>() {
    let dir = D::scratch();
    let path = dir.path().join("sealed");
    let bytes: Vec<u8> = (0..3 * IO_BYTES_MAX + 7).map(|n| (n / 3) as u8).collect();
    D::write_file(&path, &bytes);
    run(move |driver: D| async move {
        let file = driver.open_read(&path).await.unwrap();
        assert_eq!((file.len(), file.is_empty()), (bytes.len() as u64, false));
        for (pos, len) in
            [(0, bytes.len()), (1, 1), (4095, 4098), (IO_BYTES_MAX - 1, IO_BYTES_MAX + 2), (bytes.len(), 0)]
        {
            let read = file.read_at(pos as u64, len).await.unwrap();
            assert!(read == bytes[pos..pos + len], "{len} bytes at {pos}");
        }
        assert_eq!(file.read_at(1, bytes.len()).await.unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(file.read_at(u64::MAX, 1).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    });
}

pub(super) fn errors_name_the_file<D: Tested>() {
    let dir = D::scratch();
    let path = dir.path().join("nothing-here");
    run(move |driver: D| async move {
        let errors = [
            driver.open_read(&path).await.err().unwrap(),
            driver.open_log(&path).await.err().unwrap(),
            driver.remove(&path).await.err().unwrap(),
            driver.list(&path).await.err().unwrap(),
            driver.replace_file(&path.join("x"), b"").await.err().unwrap(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
            assert!(error.to_string().contains("nothing-here"), "{error}");
        }
    });
}
