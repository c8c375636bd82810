//! Does the kernel let us use io_uring?

use std::io;
use std::thread;
use std::time::Duration;

use crate::shard::memlock_bytes;
use crate::uring::run::{executor, pause};

/// glommio refuses less.
const MEMLOCK_MIN: u64 = 512 * 1024;
const RING_DEPTH: usize = 16;
const IO_MEMORY_BYTES: usize = 64 * 1024;
const WAIT: Duration = Duration::from_secs(5);

/// Starts and ends a small executor on a scratch thread. The error is a sentence that says why it is refused and what
/// to do.
pub fn probe_uring() -> Result<(), String> {
    let memlock = memlock_bytes();
    if memlock < MEMLOCK_MIN {
        return Err(format!(
            "io_uring is not used: the limit of locked memory (RLIMIT_MEMLOCK) is {memlock} bytes and must be at least \
             {MEMLOCK_MIN}; raise it with `ulimit -l` or LimitMEMLOCK="
        ));
    }
    let (answer, answers) = flume::bounded(1);
    let thread = thread::Builder::new().name("frazil-probe".to_owned()).spawn(move || {
        let turned: io::Result<()> = executor(RING_DEPTH, IO_MEMORY_BYTES).map(|executor| executor.run(pause()));
        // The parent may have given up waiting.
        let _ = answer.send(turned);
    });
    let cause = match (thread, answers.recv_timeout(WAIT)) {
        (Err(error), _) => error.to_string(),
        (Ok(thread), Ok(turned)) => {
            // The answer is out; what is left is the end of the thread.
            let _ = thread.join();
            match turned {
                Ok(()) => return Ok(()),
                Err(error) => error.to_string(),
            }
        }
        (Ok(_), Err(flume::RecvTimeoutError::Disconnected)) => "the executor panicked".to_owned(),
        (Ok(_), Err(flume::RecvTimeoutError::Timeout)) => format!("no answer in {} seconds", WAIT.as_secs()),
    };
    Err(format!(
        "io_uring is not used: {cause}. Container profiles often forbid it (seccomp), as can the sysctl \
         kernel.io_uring_disabled; without it the portable driver runs"
    ))
}

#[cfg(test)]
mod tests;
