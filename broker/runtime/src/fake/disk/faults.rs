//! What does the disk do wrong?

use std::cell::Cell;
use std::io;

/// All of it may be changed while the shard runs.
#[derive(Debug, Default)]
pub struct Faults {
    /// This many more writes succeed, then all fail.
    pub writes_left: Cell<Option<u64>>,
    /// This many more reads of open files succeed, then all fail.
    pub reads_left: Cell<Option<u64>>,
    /// A failure of either kind is the only one.
    pub once: Cell<bool>,
    /// No file can be made.
    pub full: Cell<bool>,
    /// All files together have at most so many bytes.
    pub quota_bytes: Cell<Option<u64>>,
    /// One operation in four takes up to so much longer.
    pub slow_ms: Cell<u64>,
    /// Says that log writes are durable when they are not: a cache without a battery.
    pub forgets: Cell<bool>,
    /// Says of failed writes, and of files for which there is no room, that all went well: a driver that tries again
    /// and believes what it is told then.
    pub hides_errors: Cell<bool>,
    /// What is written whole or not at all, 512 or 4096.
    pub sector_bytes: Cell<usize>,
}

impl Faults {
    pub(in crate::fake) fn write(&self) -> io::Result<()> {
        self.count(&self.writes_left)
    }

    pub(in crate::fake) fn read(&self) -> io::Result<()> {
        self.count(&self.reads_left)
    }

    pub(in crate::fake) fn quota(&self) -> Option<u64> {
        if self.full.get() { Some(0) } else { self.quota_bytes.get() }
    }

    fn count(&self, left: &Cell<Option<u64>>) -> io::Result<()> {
        match left.get() {
            None => Ok(()),
            Some(0) => {
                left.set(if self.once.get() { None } else { Some(0) });
                Err(io::Error::from_raw_os_error(libc::EIO))
            }
            Some(more) => {
                left.set(Some(more - 1));
                Ok(())
            }
        }
    }
}
