//! Which memory may the disk read and write directly?

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use glommio::io::DmaBuffer;
use model::limits::{IO_ALIGN, IO_BYTES_MAX};

/// Owned, zeroed memory aligned for direct I/O; its length is a multiple of the alignment.
pub struct IoBuf(Memory);

/// glommio takes no memory but its own, so a buffer that goes to its rings must come from it.
enum Memory {
    Own(Aligned),
    Ring(DmaBuffer),
}

// SAFETY: `Own` owns its memory; `Ring` is made by `allocate_dma_buffer_global` only, which takes plain memory from the
// heap. Both are handed out by the usual borrowing rules.
unsafe impl Send for IoBuf {}
// SAFETY: as above; there is no interior mutability.
unsafe impl Sync for IoBuf {}

impl IoBuf {
    /// Panics unless `len` is a positive multiple of the alignment, at most one operation's size.
    pub fn zeroed(len: usize) -> IoBuf {
        check(len);
        IoBuf(Memory::Own(Aligned::zeroed(len)))
    }

    /// As [`IoBuf::zeroed`], in memory that goes to the rings without a copy.
    pub(crate) fn zeroed_for_ring(len: usize) -> IoBuf {
        check(len);
        let mut buffer = glommio::allocate_dma_buffer_global(len);
        // SAFETY: the buffer owns `len` bytes from here on; they are not initialised yet, so no slice of them may exist.
        unsafe { buffer.as_mut_ptr().write_bytes(0, len) };
        assert!(buffer.as_ptr().addr().is_multiple_of(IO_ALIGN), "memory of the rings is aligned");
        IoBuf(Memory::Ring(buffer))
    }

    /// For the rings; copies if the memory is not theirs.
    pub(crate) fn into_ring(self) -> DmaBuffer {
        let own = match self.0 {
            Memory::Ring(buffer) => return buffer,
            Memory::Own(own) => IoBuf(Memory::Own(own)),
        };
        let mut copy = IoBuf::zeroed_for_ring(own.len());
        copy.copy_from_slice(&own);
        copy.into_ring()
    }

    /// Back from the rings: a buffer that was given to them by [`IoBuf::into_ring`].
    pub(crate) fn from_ring(buffer: DmaBuffer) -> IoBuf {
        IoBuf(Memory::Ring(buffer))
    }
}

fn check(len: usize) {
    assert!(len > 0 && len <= IO_BYTES_MAX && len.is_multiple_of(IO_ALIGN), "no I/O has {len} bytes");
}

impl Deref for IoBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Memory::Own(own) => own.bytes(),
            Memory::Ring(buffer) => buffer.as_bytes(),
        }
    }
}

impl DerefMut for IoBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        match &mut self.0 {
            Memory::Own(own) => own.bytes_mut(),
            Memory::Ring(buffer) => buffer.as_bytes_mut(),
        }
    }
}

impl AsRef<[u8]> for IoBuf {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

/// Aligned memory from the heap.
struct Aligned {
    start: NonNull<u8>,
    len: usize,
}

impl Aligned {
    fn zeroed(len: usize) -> Aligned {
        // SAFETY: the layout's size is not zero: `check` has seen to that.
        let start = unsafe { alloc_zeroed(layout(len)) };
        let start = NonNull::new(start).unwrap_or_else(|| handle_alloc_error(layout(len)));
        Aligned { start, len }
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: `start` points to `len` initialised bytes that this value owns.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl Drop for Aligned {
    fn drop(&mut self) {
        // SAFETY: allocated in `zeroed` with the same layout.
        unsafe { dealloc(self.start.as_ptr(), layout(self.len)) }
    }
}

fn layout(len: usize) -> Layout {
    Layout::from_size_align(len, IO_ALIGN).expect("checked when the buffer was made")
}

#[cfg(test)]
mod tests;
