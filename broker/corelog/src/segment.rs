//! Which file holds which part of the log?

use model::limits::IO_ALIGN;
use model::{Position, ShardId};

/// The header block and its copy.
pub(crate) const DATA_START: u64 = 2 * IO_ALIGN as u64;
pub(crate) const SEGMENT_BYTES_MIN: u64 = 4 * IO_ALIGN as u64;

const MAGIC: &[u8; 8] = b"FRZCORE1";
const VERSION: u16 = 1;
const HEADER_BYTES: usize = 64;

/// The header of a segment: see `docs/formats/core-log.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    pub shard: ShardId,
    pub number: u64,
    /// Of the file's first byte.
    pub base: Position,
    pub bytes: u64,
    pub generation: u64,
    pub created_ms: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SegmentError {
    #[error("its header is damaged")]
    Damaged,
    #[error("its format {0} is that of a newer version of the program")]
    Newer(u16),
}

impl Segment {
    /// Where the segment after this one begins.
    pub fn end(&self) -> Position {
        Position(self.base.0 + self.bytes)
    }

    /// Where its first frame may lie.
    pub fn data_start(&self) -> Position {
        Position(self.base.0 + DATA_START)
    }

    pub fn holds(&self, position: Position) -> bool {
        self.data_start() <= position && position < self.end()
    }

    /// Fills the header block and its copy; the rest of `blocks` stays as it is.
    pub fn encode(&self, blocks: &mut [u8]) {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[12..14].copy_from_slice(&VERSION.to_le_bytes());
        bytes[14..16].copy_from_slice(&self.shard.0.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.number.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.base.0.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.bytes.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.generation.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.created_ms.to_le_bytes());
        let crc = header_crc(&bytes);
        bytes[8..12].copy_from_slice(&crc.to_le_bytes());
        for start in [0, IO_ALIGN] {
            blocks[start..start + HEADER_BYTES].copy_from_slice(&bytes);
        }
    }

    /// Reads the first two blocks of a file: one intact header is enough.
    pub fn parse(blocks: &[u8]) -> Result<Segment, SegmentError> {
        let mut result = Err(SegmentError::Damaged);
        for start in [0, IO_ALIGN] {
            result = match blocks.get(start..start + HEADER_BYTES) {
                Some(header) => parse_header(header.try_into().expect("a slice of that length")),
                None => Err(SegmentError::Damaged),
            };
            if result.is_ok() {
                break;
            }
        }
        result
    }
}

fn parse_header(bytes: &[u8; HEADER_BYTES]) -> Result<Segment, SegmentError> {
    let u16_at = |at: usize| u16::from_le_bytes(bytes[at..at + 2].try_into().expect("two bytes"));
    let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    if &bytes[..8] != MAGIC || bytes[8..12] != header_crc(bytes).to_le_bytes() {
        return Err(SegmentError::Damaged);
    }
    if u16_at(12) != VERSION {
        return Err(SegmentError::Newer(u16_at(12)));
    }
    let segment = Segment {
        shard: ShardId(u16_at(14)),
        number: u64_at(16),
        base: Position(u64_at(24)),
        bytes: u64_at(32),
        generation: u64_at(40),
        created_ms: u64_at(48).cast_signed(),
    };
    let align = IO_ALIGN as u64;
    let fits = segment.bytes >= SEGMENT_BYTES_MIN && segment.base.0.checked_add(segment.bytes).is_some();
    match fits && segment.bytes.is_multiple_of(align) && segment.base.0.is_multiple_of(align) {
        true => Ok(segment),
        false => Err(SegmentError::Damaged),
    }
}

fn header_crc(bytes: &[u8; HEADER_BYTES]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&bytes[..8]), &bytes[12..])
}

/// The name of a segment's file.
pub(crate) fn file_name(number: u64) -> String {
    format!("core-{number:010}.log")
}

/// The number in a file's name; `None` if the file is no segment.
pub(crate) fn number_of(name: &str) -> Option<u64> {
    let number = name.strip_prefix("core-")?.strip_suffix(".log")?.parse().ok()?;
    (file_name(number) == name).then_some(number)
}

#[cfg(test)]
mod tests;
