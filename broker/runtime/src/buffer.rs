//! Which memory may the disk read and write directly?

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use model::limits::{IO_ALIGN, IO_BYTES_MAX};

/// Owned, zeroed memory aligned for direct I/O; its length is a multiple of the alignment.
pub struct IoBuf {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the buffer owns its memory and hands it out by the usual borrowing rules only.
unsafe impl Send for IoBuf {}
// SAFETY: as above; there is no interior mutability.
unsafe impl Sync for IoBuf {}

impl IoBuf {
    /// Panics unless `len` is a positive multiple of the alignment, at most one operation's size.
    pub fn zeroed(len: usize) -> IoBuf {
        assert!(len > 0 && len <= IO_BYTES_MAX && len.is_multiple_of(IO_ALIGN), "no I/O has {len} bytes");
        // SAFETY: the layout's size is not zero.
        let start = unsafe { alloc_zeroed(layout(len)) };
        let start = NonNull::new(start).unwrap_or_else(|| handle_alloc_error(layout(len)));
        IoBuf { start, len }
    }
}

impl Deref for IoBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `start` points to `len` initialised bytes that this value owns.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl DerefMut for IoBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`, and `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl AsRef<[u8]> for IoBuf {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Drop for IoBuf {
    fn drop(&mut self) {
        // SAFETY: allocated in `zeroed` with the same layout.
        unsafe { dealloc(self.start.as_ptr(), layout(self.len)) }
    }
}

fn layout(len: usize) -> Layout {
    Layout::from_size_align(len, IO_ALIGN).expect("checked when the buffer was made")
}
