//! Which ranges may one operation touch?

use std::io;
use std::ops::Range;

use model::limits::{IO_ALIGN, IO_BYTES_MAX};

/// Refuses what direct I/O cannot do, what is too large for one operation, and what lies outside a file of
/// `file_len` bytes.
pub(crate) fn check_log(pos: u64, len: usize, file_len: u64) -> io::Result<()> {
    let aligned = pos.is_multiple_of(IO_ALIGN as u64) && len.is_multiple_of(IO_ALIGN);
    if !aligned || len == 0 || len > IO_BYTES_MAX {
        return refused(format!(
            "{len} bytes at {pos} are not one direct I/O operation: both must be multiples of {IO_ALIGN}, and the \
             length between that and {IO_BYTES_MAX}"
        ));
    }
    check_bytes(pos, len, file_len)
}

/// Refuses a length that no log has.
pub(crate) fn check_len(len: u64) -> io::Result<()> {
    match len.is_multiple_of(IO_ALIGN as u64) {
        true => Ok(()),
        false => refused(format!("a log has a multiple of {IO_ALIGN} bytes, {len} is none")),
    }
}

/// Refuses what lies outside a file of `file_len` bytes.
pub(crate) fn check_bytes(pos: u64, len: usize, file_len: u64) -> io::Result<()> {
    match pos.checked_add(len as u64) {
        Some(end) if end <= file_len => Ok(()),
        _ => refused(format!("{len} bytes at {pos} lie beyond the end of the file, which has {file_len} bytes")),
    }
}

/// Cuts a range into operations of at most [`IO_BYTES_MAX`].
pub(crate) fn pieces(pos: u64, len: usize) -> impl Iterator<Item = (u64, Range<usize>)> {
    (0..len).step_by(IO_BYTES_MAX).map(move |from| (pos + from as u64, from..len.min(from + IO_BYTES_MAX)))
}

fn refused(message: String) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}
