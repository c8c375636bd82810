//! Is what a log says is durable really there, and does it stop at the first failure?

use std::io::ErrorKind;
use std::path::Path;

use futures_util::FutureExt;
use futures_util::future::join_all;
use model::limits::{IO_ALIGN, IO_BYTES_MAX};

use super::{Tested, run};
use crate::buffer::IoBuf;
use crate::driver::LogFile;

fn filled<L: LogFile>(log: &L, len: usize, byte: u8) -> IoBuf {
    let mut buf = log.alloc(len);
    assert!(buf.iter().all(|byte| *byte == 0));
    buf.fill(byte);
    buf
}

pub(super) fn what_is_written_is_read<D: Tested>() {
    let dir = D::scratch();
    let path = dir.path().join("0.log");
    run(move |driver: D| async move {
        let len = 2 * IO_BYTES_MAX as u64;
        let log = driver.create_log(&path, len).await.unwrap();
        assert_eq!((log.len(), log.is_empty()), (len, false));
        let back = log.write_at(0, filled(&log, IO_BYTES_MAX, 1)).await.unwrap();
        assert!(back.len() == IO_BYTES_MAX && back.iter().all(|byte| *byte == 1), "the buffer comes back as it was");
        let last = len - IO_ALIGN as u64;
        // Memory that is not from `alloc` works as well.
        let mut foreign = IoBuf::zeroed(IO_ALIGN);
        foreign.fill(2);
        log.write_at(last, foreign).await.unwrap();
        log.close().await.unwrap();

        let log = driver.open_log(&path).await.unwrap();
        assert_eq!(log.len(), len);
        assert!(log.read_at(0, IO_BYTES_MAX).await.unwrap().iter().all(|byte| *byte == 1));
        let rest = log.read_at(IO_BYTES_MAX as u64, IO_BYTES_MAX).await.unwrap();
        let (zeroes, twos) = rest.split_at(IO_BYTES_MAX - IO_ALIGN);
        assert!(zeroes.iter().all(|byte| *byte == 0) && twos.iter().all(|byte| *byte == 2));
        log.close().await.unwrap();
        let error = driver.create_log(&path, len).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists, "a log is never overwritten");
    });
}

pub(super) fn writes_are_direct_and_durable<D: Tested>() {
    let dir = D::scratch();
    let path = dir.path().join("0.log");
    run(move |driver: D| async move {
        let log = driver.create_log(&path, IO_ALIGN as u64).await.unwrap();
        log.write_at(0, filled(&log, IO_ALIGN, 1)).await.unwrap();
        D::expect_durable_writes(&path);
    });
}

/// The file is open with the flags that make writes durable.
pub(super) fn expect_direct_and_durable(path: &Path) {
    let flags = open_flags(path);
    assert_eq!(flags & libc::O_DSYNC, libc::O_DSYNC);
    let on_tmpfs = std::process::Command::new("stat").args(["-fc", "%T"]).arg(path).output();
    if on_tmpfs.is_ok_and(|output| !output.stdout.starts_with(b"tmpfs")) {
        assert_eq!(flags & libc::O_DIRECT, libc::O_DIRECT);
    }
}

/// The flags of the one descriptor of this process that has `path` open.
fn open_flags(path: &Path) -> i32 {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd").unwrap() {
        let entry = entry.unwrap();
        // A descriptor of another test may be closed meanwhile.
        if std::fs::read_link(entry.path()).is_ok_and(|target| target == path) {
            let info = std::fs::read_to_string(Path::new("/proc/self/fdinfo").join(entry.file_name())).unwrap();
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim().to_owned();
            found.push(i32::from_str_radix(&flags, 8).unwrap());
        }
    }
    assert_eq!(found.len(), 1, "one descriptor per log");
    found[0]
}

pub(super) fn several_writes_are_in_flight<D: Tested>() {
    let dir = D::scratch();
    let path = dir.path().join("0.log");
    run(move |driver: D| async move {
        const LEN: usize = 64 * 1024;
        let log = driver.create_log(&path, 32 * LEN as u64).await.unwrap();
        let writes = (0..32u8).map(|n| {
            let write = log.write_at(u64::from(n) * LEN as u64, filled(&log, LEN, n + 1));
            driver.spawn("write", async move { write.await.unwrap()[0] })
        });
        let firsts: Vec<Option<u8>> = join_all(writes.collect::<Vec<_>>()).await;
        assert_eq!(firsts, (1..=32).map(Some).collect::<Vec<_>>());
        let bytes = D::read_file(&path);
        for (n, block) in bytes.chunks(LEN).enumerate() {
            assert!(block.iter().all(|byte| usize::from(*byte) == n + 1), "block {n}");
        }
    });
}

pub(super) fn nothing_is_written_past_the_end<D: Tested>() {
    let dir = D::scratch();
    let path = dir.path().join("0.log");
    run(move |driver: D| async move {
        let len = 2 * IO_ALIGN as u64;
        let log = driver.create_log(&path, len).await.unwrap();
        for pos in [IO_ALIGN as u64, len, 1 << 60, 1] {
            let error = log.write_at(pos, filled(&log, 2 * IO_ALIGN, 1)).await.err().unwrap();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
            assert_eq!(log.read_at(pos, 2 * IO_ALIGN).await.err().unwrap().kind(), ErrorKind::InvalidInput);
        }
        assert_eq!(D::read_file(&path), vec![0; 2 * IO_ALIGN]);
        // Refused before it reached the disk, so the log is none the worse.
        log.write_at(0, filled(&log, 2 * IO_ALIGN, 1)).await.unwrap();
    });
}

pub(super) fn a_failed_write_ends_all_writes<D: Tested>() {
    let dir = D::scratch();
    let path = dir.path().join("0.log");
    const LIMIT: u64 = 64 * 1024 * 1024;
    // No other test has files so large; a sparse one is enough.
    D::make_file(&path, LIMIT + IO_ALIGN as u64);
    run(move |driver: D| async move {
        let log = driver.open_log(&path).await.unwrap();
        log.write_at(0, filled(&log, IO_ALIGN, 1)).await.unwrap();
        D::limit_file_size(Some(LIMIT));
        let error = log.write_at(LIMIT, filled(&log, IO_ALIGN, 1)).await.err().unwrap();
        D::limit_file_size(None);
        assert_eq!(error.raw_os_error(), Some(libc::EFBIG), "{error}");
        for pos in [0, LIMIT] {
            let error = log.write_at(pos, filled(&log, IO_ALIGN, 2)).await.err().unwrap();
            assert!(error.to_string().contains("an earlier write of this log failed"), "{error}");
        }
        let first = log.read_at(0, IO_ALIGN).await.unwrap();
        assert!(first.iter().all(|byte| *byte == 1), "reading goes on, and nothing was written");
    });
}

/// Makes writes beyond `bytes` fail in this process. Only the soft limit moves, so it can go back.
pub(super) fn limit_file_size(bytes: Option<u64>) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid for writes, then for reads; the signal's default would end the process, ignoring it
    // makes the write fail instead.
    let results = unsafe {
        let got = libc::getrlimit(libc::RLIMIT_FSIZE, &mut limit);
        limit.rlim_cur = bytes.unwrap_or(limit.rlim_max);
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        (got, libc::setrlimit(libc::RLIMIT_FSIZE, &limit))
    };
    assert_eq!(results, (0, 0));
}

pub(super) fn an_abandoned_write_ends_all_writes<D: Tested>() {
    let dir = D::scratch();
    let path = dir.path().join("0.log");
    run(move |driver: D| async move {
        let log = driver.create_log(&path, IO_BYTES_MAX as u64).await.unwrap();
        let write = log.write_at(0, filled(&log, IO_BYTES_MAX, 1));
        assert!(write.now_or_never().is_none(), "no disk is that fast");
        let error = log.write_at(0, filled(&log, IO_ALIGN, 2)).await.err().unwrap();
        assert!(error.to_string().contains("cancelled"), "{error}");
    });
}

pub(super) fn a_closed_log_refuses<D: Tested>() {
    let dir = D::scratch();
    let path = dir.path().join("0.log");
    run(move |driver: D| async move {
        let log = driver.create_log(&path, IO_BYTES_MAX as u64).await.unwrap();
        let under_way = driver.spawn("write", log.write_at(0, filled(&log, IO_BYTES_MAX, 1)));
        driver.yield_now().await;
        log.clone().close().await.unwrap();
        under_way.await.unwrap().expect("what was under way ends well");
        assert!(log.write_at(0, filled(&log, IO_ALIGN, 2)).await.is_err());
        assert!(log.read_at(0, IO_ALIGN).await.is_err());
        assert!(log.close().await.is_err());
        assert!(D::read_file(&path).iter().all(|byte| *byte == 1));
    });
}
