//! How are the records of a batch packed and unpacked, without trusting what they claim?

use std::fmt;
use std::io::{self, Read, Write};

use bytes::Bytes;

use crate::batch::BatchError;
use crate::read::Reader;

/// The codecs of Kafka; the number is the one in the batch's attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Compression {
    #[default]
    None = 0,
    Gzip = 1,
    /// Blocks in the framing of xerial's snappy-java; raw Snappy is read too.
    Snappy = 2,
    /// The LZ4 frame format.
    Lz4 = 3,
    Zstd = 4,
}

/// snappy-java: eight bytes of magic, then its version and the oldest compatible one.
const XERIAL_MAGIC: &[u8] = b"\x82SNAPPY\0";
const XERIAL_HEADER: &[u8] = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";
/// The block that snappy-java packs at a time.
const XERIAL_BLOCK_BYTES: usize = 32 * 1024;
/// A Snappy element of three bytes yields at most 64.
const SNAPPY_RATIO_MAX: usize = 22;
/// What Java's producer uses.
const ZSTD_LEVEL: i32 = 3;

impl Compression {
    pub const ALL: [Compression; 5] =
        [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

    /// From the low bits of a batch's attributes; `None` for numbers without a codec.
    pub fn of(attributes: i16) -> Option<Compression> {
        let number = attributes & 7;
        Compression::ALL.into_iter().find(|codec| *codec as i16 == number)
    }

    pub fn name(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Snappy => "snappy",
            Compression::Lz4 => "lz4",
            Compression::Zstd => "zstd",
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Unpacks `packed`; more than `limit` bytes are an error. Memory grows with what really comes out.
pub(crate) fn unpack(codec: Compression, packed: &Bytes, limit: usize) -> Result<Bytes, BatchError> {
    let io = |error: io::Error| BatchError::Packed { codec, why: error.to_string() };
    match codec {
        Compression::None if packed.len() > limit => Err(BatchError::TooLarge { limit }),
        Compression::None => Ok(packed.clone()),
        Compression::Gzip => drain(codec, flate2::bufread::MultiGzDecoder::new(&packed[..]), packed.len(), limit),
        Compression::Snappy => unsnap(packed, limit),
        Compression::Lz4 => drain(codec, lz4_flex::frame::FrameDecoder::new(&packed[..]), packed.len(), limit),
        Compression::Zstd => {
            let decoder = zstd::stream::read::Decoder::with_buffer(&packed[..]).map_err(io)?;
            drain(codec, decoder, packed.len(), limit)
        }
    }
}

fn drain(codec: Compression, from: impl Read, packed_bytes: usize, limit: usize) -> Result<Bytes, BatchError> {
    let mut out = Vec::with_capacity(packed_bytes.saturating_mul(3).min(limit));
    let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let read = from.take(bound).read_to_end(&mut out);
    read.map_err(|error| BatchError::Packed { codec, why: error.to_string() })?;
    match out.len() > limit {
        true => Err(BatchError::TooLarge { limit }),
        false => Ok(out.into()),
    }
}

/// Snappy in xerial's framing (Java, librdkafka) or as one raw block.
fn unsnap(packed: &[u8], limit: usize) -> Result<Bytes, BatchError> {
    let mut out = Vec::new();
    if !packed.starts_with(XERIAL_MAGIC) {
        unsnap_block(packed, &mut out, limit)?;
        return Ok(out.into());
    }
    let mut reader = Reader::new(packed);
    let cut = || snappy_error("a block is cut off");
    reader.take(XERIAL_HEADER.len()).ok_or_else(cut)?;
    while reader.left() > 0 {
        let length = reader.i32().and_then(|length| usize::try_from(length).ok()).ok_or_else(cut)?;
        let block = reader.take(length).ok_or_else(cut)?;
        unsnap_block(block, &mut out, limit)?;
    }
    Ok(out.into())
}

fn unsnap_block(block: &[u8], out: &mut Vec<u8>, limit: usize) -> Result<(), BatchError> {
    let claimed = snap::raw::decompress_len(block).map_err(|error| snappy_error(error.to_string()))?;
    if claimed > block.len().saturating_mul(SNAPPY_RATIO_MAX) {
        return Err(snappy_error("a block claims more than its bytes can hold"));
    }
    let start = out.len();
    let end = start.checked_add(claimed).filter(|end| *end <= limit).ok_or(BatchError::TooLarge { limit })?;
    out.resize(end, 0);
    let written = snap::raw::Decoder::new().decompress(block, &mut out[start..]);
    match written.map_err(|error| snappy_error(error.to_string()))? == claimed {
        true => Ok(()),
        false => Err(snappy_error("a block is shorter than it claims")),
    }
}

fn snappy_error(why: impl Into<String>) -> BatchError {
    BatchError::Packed { codec: Compression::Snappy, why: why.into() }
}

/// Appends `plain` to `out`, packed.
pub(crate) fn pack(codec: Compression, plain: &[u8], out: &mut Vec<u8>) {
    // Writing into memory fails only when memory is exhausted, which ends the process anyway.
    let packed: io::Result<()> = match codec {
        Compression::None => out.write_all(plain),
        Compression::Gzip => gzip(plain, out),
        Compression::Snappy => snappy(plain, out),
        Compression::Lz4 => lz4(plain, out),
        Compression::Zstd => zstd::stream::copy_encode(plain, out, ZSTD_LEVEL),
    };
    packed.expect("a vector takes all that is written");
}

fn gzip(plain: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::default());
    encoder.write_all(plain)?;
    encoder.finish().map(drop)
}

fn snappy(plain: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    let mut encoder = snap::raw::Encoder::new();
    out.extend_from_slice(XERIAL_HEADER);
    for block in plain.chunks(XERIAL_BLOCK_BYTES) {
        let packed = encoder.compress_vec(block)?;
        let length = u32::try_from(packed.len()).expect("a block of 32 KiB stays small");
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&packed);
    }
    Ok(())
}

fn lz4(plain: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
    // Java's reader takes neither dependent blocks nor dictionaries.
    let info = FrameInfo::new().block_mode(BlockMode::Independent).block_size(BlockSize::Max64KB);
    let mut encoder = FrameEncoder::with_frame_info(info, out);
    encoder.write_all(plain)?;
    encoder.finish().map(drop).map_err(io::Error::other)
}

#[cfg(test)]
mod tests;
