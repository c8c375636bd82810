//! Is this a record batch, and what does its header say?
//!
//! A batch of magic 2 (KIP-98), all numbers big endian:
//!
//! ```text
//!  0 base offset         i64   outside the CRC: placed by the broker
//!  8 batch length        i32   bytes after this field
//! 12 leader epoch        i32   outside the CRC: placed by the broker
//! 16 magic               i8    2
//! 17 CRC-32C             u32   of everything from 21 on
//! 21 attributes          i16   bits 0-2 compression, 3 LogAppendTime, 4 transactional, 5 control, 6 delete horizon
//! 23 last offset delta   i32
//! 27 base timestamp      i64
//! 35 max timestamp       i64
//! 43 producer id         i64   -1: none
//! 51 producer epoch      i16
//! 53 base sequence       i32
//! 57 record count        i32
//! 61 records, compressed as a whole
//! ```

use bytes::Bytes;
use model::{Offset, Timestamp};

pub use crate::build::BatchBuilder;
pub use crate::compress::Compression;
use crate::read::Reader;
pub use crate::records::{Headers, RecordIter, RecordView, Records, records};

/// Bytes before the first record.
pub const HEADER_BYTES: usize = 61;

/// Bytes that the batch length does not count: itself and the base offset.
const LENGTH_END: usize = 12;
const LEADER_EPOCH: usize = 12;
const MAGIC: usize = 16;
const CRC: usize = 17;
const CRC_START: usize = 21;
const ATTRIBUTES: usize = 21;
const MAX_TIMESTAMP: usize = 35;

const LOG_APPEND_TIME: i16 = 1 << 3;
const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;

/// Why bytes are not a batch, or its records cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    #[error("a record batch of {want} bytes was announced, but only {have} are there; send it whole")]
    Short { have: usize, want: usize },
    #[error("{extra} bytes follow the record batch; send one batch per partition")]
    Trailing { extra: usize },
    #[error("a record batch cannot have the length {0}; send batches of magic 2")]
    Length(i32),
    #[error("record batches of magic {0} are not supported, only magic 2; use a client for Kafka 0.11 or later")]
    Magic(i8),
    #[error("the record batch was damaged on its way: its CRC-32C says {stored:08x}, its bytes {computed:08x}")]
    Crc { stored: u32, computed: u32 },
    #[error("a batch of {count} records cannot end at offset delta {last_offset_delta}")]
    Count { count: i32, last_offset_delta: i32 },
    #[error("compression type {0} is unknown; use none, gzip, snappy, lz4 or zstd")]
    Codec(i16),
    #[error("the batch's {codec} data cannot be unpacked: {why}")]
    Packed { codec: Compression, why: String },
    #[error("the batch unpacks to more than the limit of {limit} bytes; send smaller batches")]
    TooLarge { limit: usize },
    #[error("record {index} of the batch is malformed: {why}")]
    Record { index: i32, why: &'static str },
}

/// The header of a batch, with the codec known to exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    pub base_offset: i64,
    /// Bytes after the first twelve.
    pub batch_length: i32,
    pub leader_epoch: i32,
    pub magic: i8,
    pub crc: u32,
    pub attributes: i16,
    pub last_offset_delta: i32,
    /// Milliseconds since 1970.
    pub base_timestamp: i64,
    pub max_timestamp: i64,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub record_count: i32,
}

impl BatchHeader {
    /// Reads the first 61 bytes. Lengths, magic, codec and counts make sense; the CRC is not looked at, and what
    /// follows the header need not be there.
    pub fn parse(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
        let header = read_header(bytes)
            .ok_or(BatchError::Short { have: bytes.len(), want: HEADER_BYTES })
            .and_then(|header| if header.magic == 2 { Ok(header) } else { Err(BatchError::Magic(header.magic)) })?;
        length_of(header.batch_length)?;
        Compression::of(header.attributes).ok_or(BatchError::Codec(header.attributes & 7))?;
        let (count, last_offset_delta) = (header.record_count, header.last_offset_delta);
        // As many records as offsets: nothing is compacted yet.
        if count < 1 || last_offset_delta != count - 1 {
            return Err(BatchError::Count { count, last_offset_delta });
        }
        Ok(header)
    }

    /// The whole batch, with the header.
    pub fn total_bytes(&self) -> usize {
        length_of(self.batch_length).expect("checked when it was parsed")
    }

    pub fn compression(&self) -> Compression {
        Compression::of(self.attributes).expect("checked when it was parsed")
    }

    /// All records bear the time of their append, `max_timestamp`.
    pub fn is_log_append_time(&self) -> bool {
        self.attributes & LOG_APPEND_TIME != 0
    }

    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    /// Its one record is a marker for clients, not data.
    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    pub fn last_offset(&self) -> i64 {
        self.base_offset.saturating_add(i64::from(self.last_offset_delta))
    }
}

fn read_header(bytes: &[u8]) -> Option<BatchHeader> {
    let mut reader = Reader::new(bytes);
    Some(BatchHeader {
        base_offset: reader.i64()?,
        batch_length: reader.i32()?,
        leader_epoch: reader.i32()?,
        magic: reader.i8()?,
        crc: reader.u32()?,
        attributes: reader.i16()?,
        last_offset_delta: reader.i32()?,
        base_timestamp: reader.i64()?,
        max_timestamp: reader.i64()?,
        producer_id: reader.i64()?,
        producer_epoch: reader.i16()?,
        base_sequence: reader.i32()?,
        record_count: reader.i32()?,
    })
}

/// The total bytes of a batch with this length field.
fn length_of(batch_length: i32) -> Result<usize, BatchError> {
    let total = usize::try_from(batch_length).ok().and_then(|length| length.checked_add(LENGTH_END));
    total.filter(|total| *total >= HEADER_BYTES).ok_or(BatchError::Length(batch_length))
}

/// Accepts exactly one whole batch: header, lengths, magic, counts and CRC. Its records are not looked at.
pub fn check(batch: &[u8]) -> Result<BatchHeader, BatchError> {
    let header = BatchHeader::parse(batch)?;
    let total = header.total_bytes();
    if batch.len() < total {
        return Err(BatchError::Short { have: batch.len(), want: total });
    }
    if batch.len() > total {
        return Err(BatchError::Trailing { extra: batch.len() - total });
    }
    let computed = crc32c::crc32c(&batch[CRC_START..]);
    match computed == header.crc {
        true => Ok(header),
        false => Err(BatchError::Crc { stored: header.crc, computed }),
    }
}

/// Gives a checked batch its place in the partition. Both fields lie outside the CRC.
pub fn place(batch: &mut [u8], base_offset: Offset, leader_epoch: i32) {
    assert!(batch.len() >= HEADER_BYTES, "only checked batches are placed");
    batch[..8].copy_from_slice(&base_offset.0.to_be_bytes());
    batch[LEADER_EPOCH..MAGIC].copy_from_slice(&leader_epoch.to_be_bytes());
}

/// Gives all records of a checked batch the time of their append, and the batch a new CRC.
pub fn stamp_append_time(batch: &mut [u8], at: Timestamp) {
    assert!(batch.len() >= HEADER_BYTES, "only checked batches are stamped");
    let attributes = i16::from_be_bytes([batch[ATTRIBUTES], batch[ATTRIBUTES + 1]]) | LOG_APPEND_TIME;
    batch[ATTRIBUTES..ATTRIBUTES + 2].copy_from_slice(&attributes.to_be_bytes());
    batch[MAX_TIMESTAMP..MAX_TIMESTAMP + 8].copy_from_slice(&at.0.to_be_bytes());
    seal(batch);
}

/// Writes the CRC over what it covers.
pub(crate) fn seal(batch: &mut [u8]) {
    let crc = crc32c::crc32c(&batch[CRC_START..]);
    batch[CRC..CRC_START].copy_from_slice(&crc.to_be_bytes());
}

/// Cuts concatenated batches apart without copying; an incomplete last one, as fetch responses may have it, ends
/// the list silently. A length or magic that cannot be ends it with an error.
pub fn split(records: Bytes) -> Split {
    Split { rest: records }
}

/// See [`split`].
#[derive(Debug, Clone)]
pub struct Split {
    rest: Bytes,
}

impl Iterator for Split {
    type Item = Result<Bytes, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        let length = self.rest.get(8..LENGTH_END)?.try_into().expect("four bytes");
        let length = i32::from_be_bytes(length);
        let magic = self.rest.get(MAGIC).map_or(2, |magic| magic.cast_signed());
        let total = if magic == 2 { length_of(length) } else { Err(BatchError::Magic(magic)) };
        match total {
            Ok(total) if total <= self.rest.len() => Some(Ok(self.rest.split_to(total))),
            Ok(_) => {
                self.rest = Bytes::new();
                None
            }
            Err(error) => {
                self.rest = Bytes::new();
                Some(Err(error))
            }
        }
    }
}

#[cfg(test)]
mod tests;
