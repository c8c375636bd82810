//! Which bytes stand at a position of the log, and where might a frame begin?

use std::collections::VecDeque;
use std::future::Future;

use bytes::Bytes;
use model::limits::IO_BYTES_MAX;
use model::{Error, Position, Result};

use crate::frame::{FRAME_ALIGN, HEAD_BYTES, Head, MAGIC, NoHead};
use crate::segment::Segment;

/// Pieces of the log that are kept: looking ahead and coming back reads most of them once.
const PIECES_KEPT_MAX: usize = 4;

/// Reads the files of a log.
pub(crate) trait Blocks {
    /// `len` bytes at `at` of a segment's file: both are multiples of the block, and at most one I/O operation.
    fn read(&mut self, segment: &Segment, at: u64, len: usize) -> impl Future<Output = Result<Bytes>>;
}

/// Reads a log by position.
pub(crate) struct Scan<'a, B> {
    segments: &'a [Segment],
    blocks: B,
    pieces: VecDeque<(Position, Bytes)>,
}

impl<'a, B: Blocks> Scan<'a, B> {
    /// `segments` in the order of their positions.
    pub fn new(segments: &'a [Segment], blocks: B) -> Scan<'a, B> {
        Scan { segments, blocks, pieces: VecDeque::new() }
    }

    /// The segment whose frames may lie at `position`.
    pub fn segment(&self, position: Position) -> Option<&'a Segment> {
        let after = self.segments.partition_point(|segment| segment.base <= position);
        self.segments.get(after.checked_sub(1)?).filter(|segment| segment.holds(position))
    }

    /// The head of the frame that begins at `position`, if there is one that fits in its segment.
    pub async fn head(&mut self, position: Position) -> Result<Option<Head>> {
        let Some(segment) = self.segment(position) else { return Ok(None) };
        let Some(bytes) = self.bytes(position, HEAD_BYTES).await? else { return Ok(None) };
        let bytes = bytes[..].try_into().expect("as many as asked for");
        match Head::parse(bytes, segment.generation, position) {
            Ok(head) => Ok((head.end() <= segment.end()).then_some(head)),
            Err(NoHead::Nothing) => Ok(None),
            Err(NoHead::Newer { version, kind }) => Err(Error::invalid(format!(
                "the log's frame at {position} has format {version} and kind {kind}, which a newer version of the \
                 program wrote; start that version"
            ))),
        }
    }

    /// True if the payload is what was written.
    pub async fn payload_is_intact(&mut self, head: &Head) -> Result<bool> {
        let mut at = payload_start(head);
        let end = Position(at.0 + u64::from(head.payload_bytes));
        let mut crc = 0;
        while at < end {
            let Some(piece) = self.piece(at).await? else { return Ok(false) };
            let wanted = usize::try_from(end.0 - at.0).unwrap_or(usize::MAX).min(piece.len());
            crc = crc32c::crc32c_append(crc, &piece[..wanted]);
            at = Position(at.0 + wanted as u64);
        }
        #[cfg(test)]
        let crc = crate::tests::planted::payload_crc(crc, head);
        Ok(crc == head.payload_crc)
    }

    /// The first bytes of an intact payload.
    pub async fn payload(&mut self, head: &Head, bytes_max: usize) -> Result<Vec<u8>> {
        let len = bytes_max.min(head.payload_bytes as usize);
        Ok(self.bytes(payload_start(head), len).await?.unwrap_or_default())
    }

    /// The first place from `from` on, over all segments, that begins like a frame.
    pub async fn next_magic(&mut self, from: Position) -> Result<Option<Position>> {
        let mut at = Position(from.0.next_multiple_of(FRAME_ALIGN as u64));
        loop {
            if self.segment(at).is_none() {
                match self.segments.iter().find(|segment| segment.data_start() > at) {
                    Some(segment) => at = segment.data_start(),
                    None => return Ok(None),
                }
            }
            let piece = self.piece(at).await?.expect("a segment holds the position");
            let mut steps = piece.chunks_exact(FRAME_ALIGN);
            match steps.position(|bytes| bytes[..MAGIC.len()] == MAGIC) {
                Some(step) => return Ok(Some(Position(at.0 + (step * FRAME_ALIGN) as u64))),
                None => at = Position(at.0 + piece.len() as u64),
            }
        }
    }

    /// `None` if the segment ends before.
    async fn bytes(&mut self, position: Position, len: usize) -> Result<Option<Vec<u8>>> {
        let mut bytes = Vec::with_capacity(len);
        while bytes.len() < len {
            let Some(piece) = self.piece(Position(position.0 + bytes.len() as u64)).await? else { return Ok(None) };
            bytes.extend_from_slice(&piece[..piece.len().min(len - bytes.len())]);
        }
        Ok(Some(bytes))
    }

    /// The bytes from `position` to the end of the piece in which they lie; `None` if no segment holds it.
    async fn piece(&mut self, position: Position) -> Result<Option<Bytes>> {
        let Some(segment) = self.segment(position) else { return Ok(None) };
        let within = position.0 - segment.base.0;
        let skip = usize::try_from(within % IO_BYTES_MAX as u64).expect("less than an operation");
        let start = within - skip as u64;
        let base = Position(segment.base.0 + start);
        if let Some((_, piece)) = self.pieces.iter().find(|(at, _)| *at == base) {
            return Ok(Some(piece.slice(skip..)));
        }
        let len = usize::try_from(segment.bytes - start).unwrap_or(usize::MAX).min(IO_BYTES_MAX);
        let piece = self.blocks.read(segment, start, len).await?;
        if self.pieces.len() == PIECES_KEPT_MAX {
            self.pieces.pop_front();
        }
        self.pieces.push_back((base, piece.clone()));
        Ok(Some(piece.slice(skip..)))
    }
}

fn payload_start(head: &Head) -> Position {
    Position(head.place.position.0 + HEAD_BYTES as u64)
}
