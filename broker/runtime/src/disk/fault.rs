//! May this log still be written to?
//!
//! After a failed write or flush nobody knows what the disk holds: the kernel may have dropped dirty pages and call
//! the next flush a success. So one failure ends all writes of this log; recovery at the next start decides.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

/// The first failed write of a log, if there was one. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Fault(Rc<RefCell<Option<String>>>);

/// Marks the log as failed unless the write comes to an end.
pub(crate) struct WriteGuard {
    fault: Fault,
    ended: bool,
}

impl Fault {
    /// Starts a write; fails if an earlier one did.
    pub(crate) fn begin(&self) -> io::Result<WriteGuard> {
        match &*self.0.borrow() {
            Some(cause) => Err(io::Error::other(format!(
                "an earlier write of this log failed ({cause}); nothing more is written to it, restart the process to \
                 recover it"
            ))),
            None => Ok(WriteGuard { fault: self.clone(), ended: false }),
        }
    }

    fn set(&self, cause: String) {
        self.0.borrow_mut().get_or_insert(cause);
    }
}

impl WriteGuard {
    /// Checks that all of `wanted` bytes were written.
    pub(crate) fn end(mut self, written: io::Result<usize>, wanted: usize) -> io::Result<()> {
        self.ended = true;
        let error = match written {
            Ok(bytes) if bytes == wanted => return Ok(()),
            Ok(bytes) => io::Error::new(
                io::ErrorKind::WriteZero,
                format!("only {bytes} of {wanted} bytes were written: the disk is probably full"),
            ),
            Err(error) => error,
        };
        self.fault.set(error.to_string());
        Err(error)
    }
}

impl Drop for WriteGuard {
    fn drop(&mut self) {
        if !self.ended {
            self.fault.set("the task that waited for it was cancelled".to_owned());
        }
    }
}
