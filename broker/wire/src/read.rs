//! What comes next in these bytes?

/// A cursor over received bytes. Every read answers `None` when the bytes end or make no sense; it never panics.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*taken)
    }

    pub(crate) fn i8(&mut self) -> Option<i8> {
        self.array().map(i8::from_be_bytes)
    }

    pub(crate) fn i16(&mut self) -> Option<i16> {
        self.array().map(i16::from_be_bytes)
    }

    pub(crate) fn i32(&mut self) -> Option<i32> {
        self.array().map(i32::from_be_bytes)
    }

    pub(crate) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// Seven bits a byte, low ones first, at most five bytes.
    pub(crate) fn uvarint(&mut self) -> Option<u32> {
        u32::try_from(self.uvarlong_in(5)?).ok()
    }

    /// Zigzag: 0, -1, 1, -2 … are 0, 1, 2, 3 …
    pub(crate) fn varint(&mut self) -> Option<i32> {
        let raw = self.uvarint()?;
        Some((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }

    pub(crate) fn varlong(&mut self) -> Option<i64> {
        let raw = self.uvarlong_in(10)?;
        Some((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }

    fn uvarlong_in(&mut self, bytes_max: u32) -> Option<u64> {
        let mut value = 0u64;
        for at in 0..bytes_max {
            let byte = self.array::<1>()?[0];
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit.
            if at == 9 && bits > 1 {
                return None;
            }
            value |= bits << (7 * at);
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

/// Appends a zigzag varlong; a varint is the same bytes.
pub(crate) fn put_varlong(to: &mut Vec<u8>, value: i64) {
    let mut raw = (value << 1 ^ value >> 63).cast_unsigned();
    while raw >= 0x80 {
        to.push((raw & 0x7f) as u8 | 0x80);
        raw >>= 7;
    }
    to.push(raw as u8);
}

#[cfg(test)]
mod tests;
