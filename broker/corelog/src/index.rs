//! Where in the log do the frames of one partition lie?
//!
//! All frames are listed, each in about ten bytes: numbers relative to the frame before, in chunks that can be found
//! by offset and time. A partition with one frame takes up some 150 bytes.

use std::collections::VecDeque;
use std::mem::size_of;

use model::{Offset, Position, Timestamp};

use crate::fields::Fields;
use crate::frame::FRAME_ALIGN;

/// Frames that are coded relative to one another: what a lookup may have to decode.
const CHUNK_FRAMES_MAX: u16 = 64;

/// A batch in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameAt {
    pub base: Offset,
    pub last: Offset,
    pub position: Position,
    pub payload_bytes: u32,
    pub max_timestamp: Timestamp,
}

/// The frames of one partition, in the order of offsets and positions.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    chunks: VecDeque<Chunk>,
}

/// Up to 64 frames, one after the other. Once full it never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// The first frame is coded relative to this place.
    base: Offset,
    position: Position,
    count: u16,
    /// First offset after the chunk.
    end: Offset,
    last_position: Position,
    last_timestamp: i64,
    max_timestamp: i64,
    payload_bytes: u64,
    coded: Vec<u8>,
}

impl Frames {
    /// Adds the newest frame.
    pub fn push(&mut self, frame: FrameAt) {
        if let Some(chunk) = self.chunks.back() {
            let follows = frame.base >= chunk.end && frame.position > chunk.last_position;
            assert!(follows, "frames are listed in order: {frame:?} after {}, {}", chunk.end, chunk.last_position);
        }
        let full = self.chunks.back().is_none_or(|chunk| chunk.count == CHUNK_FRAMES_MAX);
        if full {
            if let Some(chunk) = self.chunks.back_mut() {
                chunk.coded.shrink_to_fit();
            }
            self.chunks.push_back(Chunk::new(&frame));
        }
        self.chunks.back_mut().expect("just made").push(&frame);
    }

    /// Frames from the first that ends behind `from`, in order.
    pub fn from(&self, from: Offset) -> impl Iterator<Item = FrameAt> + '_ {
        let first = self.chunks.partition_point(|chunk| chunk.end <= from);
        self.chunks.iter().skip(first).flat_map(Chunk::frames).skip_while(move |frame| {
            #[cfg(test)]
            let from = crate::tests::planted::lookup(from);
            frame.last < from
        })
    }

    /// Frames from `from` on that may hold a record with a timestamp of at least `at`.
    pub fn reaching(&self, from: Offset, at: Timestamp) -> impl Iterator<Item = FrameAt> + '_ {
        let first = self.chunks.partition_point(|chunk| chunk.end <= from);
        let chunks = self.chunks.iter().skip(first).filter(move |chunk| chunk.max_timestamp >= at.0);
        chunks.flat_map(Chunk::frames).filter(move |frame| frame.last >= from && frame.max_timestamp >= at)
    }

    /// The frame with the largest timestamp, the first of them if there are several, from `from` on.
    pub fn newest(&self, from: Offset) -> Option<FrameAt> {
        let first = self.chunks.partition_point(|chunk| chunk.end <= from);
        let mut chunks = self.chunks.iter().skip(first);
        let partly =
            chunks.next()?.frames().filter(|frame| frame.last >= from).map(|frame| frame.max_timestamp.0).max();
        let largest = chunks.map(|chunk| chunk.max_timestamp).chain(partly).max()?;
        self.reaching(from, Timestamp(largest)).next()
    }

    /// Calls `touch` with the position of each frame from `from` on; with the first and the last one only where the
    /// frames between them are known to lie `near` these two.
    pub fn positions(&self, from: Offset, near: impl Fn(Position, Position) -> bool, mut touch: impl FnMut(Position)) {
        let first = self.chunks.partition_point(|chunk| chunk.end <= from);
        for chunk in self.chunks.iter().skip(first) {
            if chunk.base >= from && near(chunk.position, chunk.last_position) {
                touch(chunk.position);
                touch(chunk.last_position);
            } else {
                chunk.frames().filter(|frame| frame.last >= from).for_each(|frame| touch(frame.position));
            }
        }
    }

    /// Bytes of the batches from the one with `from` on.
    pub fn payload_bytes(&self, from: Offset) -> u64 {
        let first = self.chunks.partition_point(|chunk| chunk.end <= from);
        let mut chunks = self.chunks.iter().skip(first);
        let partly = chunks.next().map_or(0, |chunk| {
            chunk.frames().filter(|frame| frame.last >= from).map(|frame| u64::from(frame.payload_bytes)).sum()
        });
        partly + chunks.map(|chunk| chunk.payload_bytes).sum::<u64>()
    }

    /// The offset behind the batches at the front, from `from` on, that are older than `at`; `None` if there are none.
    /// Batches without a timestamp go with the first one behind them that has one.
    pub fn older(&self, from: Offset, at: Timestamp) -> Option<Offset> {
        let first = self.chunks.partition_point(|chunk| chunk.end <= from);
        let mut end = None;
        for chunk in self.chunks.iter().skip(first) {
            if chunk.max_timestamp < at.0 && chunk.last_timestamp > Timestamp::NONE.0 {
                end = Some(chunk.end);
                continue;
            }
            for frame in chunk.frames().filter(|frame| frame.last >= from) {
                if frame.max_timestamp >= at {
                    return end;
                }
                if frame.max_timestamp > Timestamp::NONE {
                    end = Some(frame.last.plus(1));
                }
            }
        }
        end
    }

    /// The offset behind the batches at the front, from `from` on, without which there are still `bytes`; `None` if
    /// all are needed.
    pub fn beyond(&self, from: Offset, bytes: u64) -> Option<Offset> {
        let first = self.chunks.partition_point(|chunk| chunk.end <= from);
        let mut surplus = self.payload_bytes(from).checked_sub(bytes)?;
        let mut end = None;
        for chunk in self.chunks.iter().skip(first) {
            if chunk.base >= from && chunk.payload_bytes <= surplus {
                surplus -= chunk.payload_bytes;
                end = Some(chunk.end);
                continue;
            }
            for frame in chunk.frames().filter(|frame| frame.last >= from) {
                let Some(left) = surplus.checked_sub(u64::from(frame.payload_bytes)) else { return end };
                surplus = left;
                end = Some(frame.last.plus(1));
            }
        }
        end
    }

    /// Drops what lies below `start`, as far as whole chunks do.
    pub fn drop_below(&mut self, start: Offset) {
        while self.chunks.front().is_some_and(|chunk| chunk.end <= start) {
            self.chunks.pop_front();
        }
    }

    /// Chunks that are not full, or do not end below `position`.
    pub fn chunks_beyond(&self, position: Position) -> impl Iterator<Item = &Chunk> {
        self.chunks.iter().filter(move |chunk| !chunk.is_full() || chunk.last_position >= position)
    }

    /// Full chunks whose last frame lies in `from..to`.
    pub fn full_within(&self, from: Position, to: Position) -> impl Iterator<Item = &Chunk> {
        let first = self.chunks.partition_point(|chunk| chunk.last_position < from);
        let within = self.chunks.iter().skip(first).take_while(move |chunk| chunk.last_position < to);
        within.filter(|chunk| chunk.is_full())
    }

    /// Adds a chunk that was saved; false if it does not follow.
    pub fn restore(&mut self, chunk: Chunk) -> bool {
        let follows = self
            .chunks
            .back()
            .is_none_or(|last| last.is_full() && last.end <= chunk.base && last.last_position < chunk.position);
        if follows {
            self.chunks.push_back(chunk);
        }
        follows
    }

    /// The offset behind the last frame; `None` if there is none.
    pub fn end(&self) -> Option<Offset> {
        self.chunks.back().map(|chunk| chunk.end)
    }

    /// The frames that lie in `from..to`: the first offset of the first and the last one of the last.
    pub fn offsets_within(&self, from: Position, to: Position) -> Option<(Offset, Offset)> {
        let first = self.chunks.partition_point(|chunk| chunk.last_position < from);
        let near = self.chunks.iter().skip(first).take_while(|chunk| chunk.position < to);
        let mut frames = near.flat_map(Chunk::frames).filter(|frame| from <= frame.position && frame.position < to);
        let first = frames.next()?;
        Some((first.base, frames.last().unwrap_or(first).last))
    }

    /// What the list takes up in memory.
    pub fn memory_bytes(&self) -> usize {
        let coded: usize = self.chunks.iter().map(|chunk| chunk.coded.capacity()).sum();
        size_of::<Frames>() + self.chunks.capacity() * size_of::<Chunk>() + coded
    }
}

impl Chunk {
    fn new(first: &FrameAt) -> Chunk {
        Chunk {
            base: first.base,
            position: first.position,
            count: 0,
            end: first.base,
            last_position: first.position,
            last_timestamp: 0,
            max_timestamp: i64::MIN,
            payload_bytes: 0,
            coded: Vec::new(),
        }
    }

    fn push(&mut self, frame: &FrameAt) {
        let steps = (frame.position.0 - self.last_position.0) / FRAME_ALIGN as u64;
        put(&mut self.coded, (frame.base.0 - self.end.0).cast_unsigned());
        put(&mut self.coded, (frame.last.0 - frame.base.0).cast_unsigned());
        put(&mut self.coded, steps);
        put(&mut self.coded, u64::from(frame.payload_bytes));
        put(&mut self.coded, zigzag(frame.max_timestamp.0.wrapping_sub(self.last_timestamp)));
        self.count += 1;
        self.end = frame.last.plus(1);
        self.last_position = frame.position;
        self.last_timestamp = frame.max_timestamp.0;
        self.max_timestamp = self.max_timestamp.max(frame.max_timestamp.0);
        self.payload_bytes += u64::from(frame.payload_bytes);
    }

    pub fn position(&self) -> Position {
        self.position
    }

    pub fn end(&self) -> Offset {
        self.end
    }

    fn is_full(&self) -> bool {
        self.count == CHUNK_FRAMES_MAX
    }

    /// As `docs/formats/checkpoint.md` draws it.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.base.0.to_le_bytes());
        bytes.extend_from_slice(&self.position.0.to_le_bytes());
        bytes.extend_from_slice(&self.count.to_le_bytes());
        let coded_bytes = u16::try_from(self.coded.len()).expect("a frame has at most 50 bytes");
        bytes.extend_from_slice(&coded_bytes.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&self.coded);
    }

    /// Takes one chunk; `None` if it could not have been made here.
    pub fn decode(fields: &mut Fields<'_>) -> Option<Chunk> {
        let (base, position) = (Offset(fields.i64()?), Position(fields.u64()?));
        let (count, coded_bytes, _) = (fields.u16()?, fields.u16()?, fields.u32()?);
        if base.0 < 0 || !(1..=CHUNK_FRAMES_MAX).contains(&count) {
            return None;
        }
        let coded = fields.bytes(usize::from(coded_bytes))?;
        let first = FrameAt { base, last: base, position, payload_bytes: 0, max_timestamp: Timestamp::NONE };
        let mut chunk = Chunk { count, coded: coded.to_vec(), ..Chunk::new(&first) };
        let mut numbers = Fields(coded);
        for n in 0..count {
            let base = chunk.end.0.checked_add_unsigned(numbers.number()?)?;
            let last = base.checked_add_unsigned(numbers.number()?)?;
            let step = numbers.number()?.checked_mul(FRAME_ALIGN as u64)?;
            if (step == 0) != (n == 0) {
                return None;
            }
            chunk.end = Offset(last.checked_add(1)?);
            chunk.last_position = Position(chunk.last_position.0.checked_add(step)?);
            chunk.payload_bytes += u64::from(u32::try_from(numbers.number()?).ok()?);
            chunk.last_timestamp = chunk.last_timestamp.wrapping_add(unzigzag(numbers.number()?));
            chunk.max_timestamp = chunk.max_timestamp.max(chunk.last_timestamp);
        }
        numbers.is_empty().then_some(chunk)
    }

    fn frames(&self) -> impl Iterator<Item = FrameAt> + '_ {
        let (mut end, mut position, mut timestamp) = (self.base, self.position, 0_i64);
        let mut coded = Fields(&self.coded);
        std::iter::from_fn(move || {
            if coded.is_empty() {
                return None;
            }
            let mut take = || coded.number().expect("numbers are coded whole");
            let base = end.plus(take().cast_signed());
            let last = base.plus(take().cast_signed());
            position = Position(position.0 + take() * FRAME_ALIGN as u64);
            let payload_bytes = u32::try_from(take()).expect("it was coded from one");
            timestamp = timestamp.wrapping_add(unzigzag(take()));
            end = last.plus(1);
            Some(FrameAt { base, last, position, payload_bytes, max_timestamp: Timestamp(timestamp) })
        })
    }
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

fn unzigzag(coded: u64) -> i64 {
    (coded >> 1).cast_signed() ^ -(coded & 1).cast_signed()
}

/// Seven bits per byte, the lowest first; the top bit says that more follow.
fn put(coded: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        coded.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    coded.push(number as u8);
}

#[cfg(test)]
mod tests;
