//! Which bytes of a value are not read yet?

use super::fault::Fault;

/// Bytes of the longest varint: 64 bits in groups of seven.
const VARINT_BYTES_MAX: usize = 10;

/// A position in the bytes of a value, with the end of the innermost part that is being read.
pub struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { bytes, at: 0, end: bytes.len() }
    }

    /// Bytes from the value's start to here.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Bytes left in the innermost part.
    pub fn left(&self) -> usize {
        self.end - self.at
    }

    /// The bytes between two positions that this cursor has passed.
    pub fn between(&self, from: usize, to: usize) -> &'a [u8] {
        assert!(from <= to && to <= self.at, "only what was read can be looked at again");
        &self.bytes[from..to]
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        match count.checked_sub(self.left()) {
            None | Some(0) => {
                let from = self.at;
                self.at += count;
                Ok(&self.bytes[from..self.at])
            }
            Some(missing) => Err(self.missing(missing)),
        }
    }

    /// The next byte.
    #[inline]
    pub fn byte(&mut self) -> Result<u8, Fault> {
        if self.at == self.end {
            return Err(self.missing(1));
        }
        let byte = self.bytes[self.at];
        self.at += 1;
        Ok(byte)
    }

    /// Little groups of seven bits, at most 64 bits in all.
    #[inline]
    pub fn varint(&mut self) -> Result<u64, Fault> {
        let mut value = 0u64;
        for nth in 0..VARINT_BYTES_MAX {
            let byte = self.byte()?;
            if nth == VARINT_BYTES_MAX - 1 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << (7 * nth);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Fault::new("a varint does not fit 64 bits"))
    }

    /// A varint that alternates between positive and negative numbers.
    #[inline]
    pub fn zigzag(&mut self) -> Result<i64, Fault> {
        self.varint().map(unzigzag)
    }

    /// Narrows the cursor to the next `count` bytes; gives the end to widen to afterwards.
    pub fn narrow(&mut self, count: usize) -> Result<usize, Fault> {
        match count.checked_sub(self.left()) {
            None | Some(0) => Ok(std::mem::replace(&mut self.end, self.at + count)),
            Some(missing) => Err(self.missing(missing)),
        }
    }

    /// Back to the end that `narrow` gave.
    pub fn widen(&mut self, end: usize) {
        assert!(self.end <= end && end <= self.bytes.len(), "parts lie within each other");
        self.end = end;
    }

    fn missing(&self, count: usize) -> Fault {
        let part = if self.end == self.bytes.len() { "the value" } else { "the message around it" };
        Fault::new(match count {
            1 => format!("1 more byte is needed, {part} ends"),
            _ => format!("{count} more bytes are needed, {part} ends"),
        })
    }
}

/// 0, -1, 1, -2, … for 0, 1, 2, 3, …
pub fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}
