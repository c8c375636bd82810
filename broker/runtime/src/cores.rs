//! On which cores may a thread run?

use std::io;
use std::mem;

/// The cores a thread may run on.
pub(crate) struct CoreSet(Option<libc::cpu_set_t>);

impl CoreSet {
    /// Those of the calling thread.
    pub(crate) fn current() -> CoreSet {
        // SAFETY: all zeroes is an empty set.
        let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
        // SAFETY: `set` is valid for writes of the size given.
        let failed = unsafe { libc::sched_getaffinity(0, mem::size_of::<libc::cpu_set_t>(), &mut set) };
        CoreSet((failed == 0).then_some(set))
    }

    /// Lets the calling thread run on these: threads inherit the pinning of the thread that starts them.
    pub(crate) fn apply(&self) {
        if let Some(set) = &self.0
            && let Err(error) = set_affinity(set)
        {
            tracing::warn!(%error, "a helper thread stays on its shard's core");
        }
    }
}

/// Pins the calling thread to one core. Where that is not allowed it runs anywhere, and a line in the log says so.
pub(crate) fn pin(core: usize) {
    let result = if core < libc::CPU_SETSIZE as usize {
        // SAFETY: all zeroes is an empty set.
        let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
        // SAFETY: `core` lies inside the set.
        unsafe { libc::CPU_SET(core, &mut set) };
        set_affinity(&set)
    } else {
        Err(io::Error::from_raw_os_error(libc::EINVAL))
    };
    if let Err(error) = result {
        tracing::warn!(core, %error, "cannot pin the shard to its core; it runs on any");
    }
}

fn set_affinity(set: &libc::cpu_set_t) -> io::Result<()> {
    // SAFETY: `set` is valid for reads of the size given.
    match unsafe { libc::sched_setaffinity(0, mem::size_of::<libc::cpu_set_t>(), set) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
