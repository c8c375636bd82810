//! How is a file made of parts of which none can be damaged, missing or foreign without being noticed?
//!
//! `docs/formats/checkpoint.md` draws them.

use bytes::Bytes;
use model::limits::IO_BYTES_MAX;
use model::{Error, Result};
use runtime::ReadFile;

const MAGIC: &[u8; 4] = b"FRZK";
const VERSION: u8 = 1;
const HEAD_BYTES: usize = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Part {
    Base = 1,
    Notes = 2,
    Partitions = 3,
    Index = 4,
    Chunks = 5,
    End = 6,
}

impl Part {
    fn of(code: u8) -> Option<Part> {
        use Part::{Base, Chunks, End, Index, Notes, Partitions};
        [Base, Notes, Partitions, Index, Chunks, End].into_iter().find(|part| *part as u8 == code)
    }
}

/// What ties the parts of a file together.
#[derive(Debug, Clone, Copy)]
struct Chain {
    id: u64,
    number: u32,
    crc: u32,
}

/// A file that is being put together.
pub(crate) struct Parts {
    chain: Chain,
    bytes: Vec<u8>,
}

impl Parts {
    pub fn new(id: u64) -> Parts {
        Parts { chain: Chain { id, number: 0, crc: 0 }, bytes: Vec::new() }
    }

    /// Adds a part; `fill` appends its payload.
    pub fn push(&mut self, part: Part, fill: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; HEAD_BYTES]);
        fill(&mut self.bytes);
        let payload_bytes = u32::try_from(self.bytes.len() - start - HEAD_BYTES).expect("parts are small");
        let Chain { id, number, crc } = self.chain;
        let bytes = &mut self.bytes[start..];
        let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
        put(0, MAGIC);
        put(4, &[VERSION, part as u8]);
        put(12, &payload_bytes.to_le_bytes());
        put(16, &id.to_le_bytes());
        put(24, &number.to_le_bytes());
        put(28, &crc.to_le_bytes());
        let crc = crc_of(bytes);
        bytes[8..12].copy_from_slice(&crc.to_le_bytes());
        self.chain = Chain { id, number: number + 1, crc };
    }

    pub fn id(&self) -> u64 {
        self.chain.id
    }

    /// Bytes that were not taken yet.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// What was added since the last time.
    pub fn take(&mut self) -> Bytes {
        std::mem::take(&mut self.bytes).into()
    }
}

fn crc_of(part: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&part[..8]), &part[12..])
}

/// The parts of a file, one after the other.
pub(crate) struct Reader<F> {
    file: F,
    at: u64,
    /// Read and not given out.
    ahead: Bytes,
    /// `None` before the first part.
    chain: Option<Chain>,
}

impl<F: ReadFile> Reader<F> {
    pub fn new(file: F) -> Reader<F> {
        Reader { file, at: 0, ahead: Bytes::new(), chain: None }
    }

    pub fn file_bytes(&self) -> u64 {
        self.file.len()
    }

    /// The id that all parts so far repeat; 0 before the first one.
    pub fn id(&self) -> u64 {
        self.chain.map_or(0, |chain| chain.id)
    }

    /// The next part, with its payload. `Damaged`: there is none that is right.
    pub async fn next(&mut self) -> Result<(Part, Bytes)> {
        let u32_at = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let head = self.peek(HEAD_BYTES).await?;
        let payload_bytes = u32_at(&head, 12) as usize;
        if &head[..4] != MAGIC || payload_bytes as u64 > self.left() {
            return Err(Error::damaged("a part of it is damaged"));
        }
        let part = self.peek(HEAD_BYTES + payload_bytes).await?;
        let id = u64::from_le_bytes(part[16..24].try_into().expect("eight bytes"));
        let (number, previous, crc) = (u32_at(&part, 24), u32_at(&part, 28), crc_of(&part));
        let follows = match self.chain {
            Some(chain) => id == chain.id && number == chain.number && previous == chain.crc,
            None => id != 0 && number == 0 && previous == 0,
        };
        if u32_at(&part, 8) != crc || !follows {
            return Err(Error::damaged("a part of it is damaged"));
        }
        let kind = Part::of(part[5]).filter(|_| part[4] == VERSION);
        let kind = kind.ok_or_else(|| Error::damaged("another version of the program wrote it"))?;
        self.chain = Some(Chain { id, number: number.wrapping_add(1), crc });
        self.ahead = self.ahead.slice(part.len()..);
        if kind == Part::End && self.left() > 0 {
            return Err(Error::damaged("something stands behind its end"));
        }
        Ok((kind, part.slice(HEAD_BYTES..)))
    }

    fn left(&self) -> u64 {
        self.file.len() - self.at + self.ahead.len() as u64
    }

    /// The next bytes, which stay where they are.
    async fn peek(&mut self, len: usize) -> Result<Bytes> {
        if self.ahead.len() < len {
            if self.left() < len as u64 {
                return Err(Error::damaged("its end is missing"));
            }
            let more = (len - self.ahead.len()).max(IO_BYTES_MAX) as u64;
            let more = usize::try_from(more.min(self.file.len() - self.at)).expect("as much as memory can take");
            let read = self.file.read_at(self.at, more).await;
            let read = read.map_err(|error| Error::damaged(format!("it cannot be read: {error}")))?;
            self.at += more as u64;
            self.ahead = match self.ahead.is_empty() {
                true => read,
                false => [&self.ahead[..], &read[..]].concat().into(),
            };
        }
        Ok(self.ahead.slice(..len))
    }
}
