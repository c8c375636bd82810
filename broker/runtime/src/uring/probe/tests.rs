//! Does the probe say why, when the kernel refuses?

use std::io;
use std::thread;

use super::*;

/// Makes `io_uring_setup` fail with EPERM for the calling thread and those it starts, as container profiles do.
fn forbid_io_uring() {
    const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
    let refuse = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
    let call = u32::try_from(libc::SYS_io_uring_setup).unwrap();
    let step = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let mut steps = [
        // The number of the system call is the first word.
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, call),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, refuse),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, ALLOW),
    ];
    let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    // SAFETY: the program and its steps live until the calls return; they touch this thread only.
    let results = unsafe {
        let kept = libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        (kept, libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program, 0, 0))
    };
    assert_eq!(results, (0, 0), "{}", io::Error::last_os_error());
}

#[test]
fn a_refusal_is_explained() {
    let reason = thread::spawn(|| {
        forbid_io_uring();
        probe_uring()
    });
    let reason = reason.join().unwrap().unwrap_err();
    assert!(reason.starts_with("io_uring is not used: "), "{reason}");
    assert!(reason.contains("seccomp"), "{reason}");
}

#[test]
fn a_shard_that_cannot_start_says_so() {
    let error = thread::spawn(|| {
        forbid_io_uring();
        let options = crate::ShardOptions::new(model::ShardId(4), None, 1);
        crate::start_shard_uring(options, |_| async {}).err().unwrap()
    });
    let error = error.join().unwrap();
    assert!(error.to_string().starts_with("shard 4 did not start: "), "{error}");
}
