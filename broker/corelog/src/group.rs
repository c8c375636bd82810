//! What are the bytes of one group commit?

use bytes::Bytes;
use model::Position;
use model::limits::{IO_ALIGN, IO_BYTES_MAX};
use runtime::IoBuf;
use wire::batch::{self, HEADER_BYTES};

use crate::frame::{Entry, HEAD_BYTES, Head, Kind, Place, frame_bytes};

/// A frame that waits for its place.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    /// Counts the frames of this process: acknowledged in this order.
    pub sequence: u64,
    pub entry: Entry,
    pub payload: Bytes,
}

/// A frame with its place.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    pub pending: Pending,
    pub position: Position,
}

/// Frames that are written together.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub start: Position,
    /// Padded.
    pub bytes: usize,
    /// The frame before the first of these.
    pub previous: Position,
    pub session: Position,
    pub durable: Position,
    pub frames: Vec<Placed>,
}

impl Group {
    /// Its writes: where each begins and how long it is.
    pub fn writes(&self) -> impl Iterator<Item = (Position, usize)> + use<> {
        let (start, bytes) = (self.start, self.bytes);
        (0..bytes).step_by(IO_BYTES_MAX).map(move |at| (Position(start.0 + at as u64), IO_BYTES_MAX.min(bytes - at)))
    }

    /// Copies the frames, once, into one buffer per write. Batches get base offset and leader epoch on the way.
    pub fn pack(&self, generation: u64, alloc: impl FnMut(usize) -> IoBuf) -> Vec<IoBuf> {
        let mut target = Target(self.writes().map(|(_, bytes)| bytes).map(alloc).collect());
        let mut previous = self.previous;
        let last = self.frames.last().expect("a group is not empty").position;
        for Placed { pending, position } in &self.frames {
            let at = usize::try_from(position.0 - self.start.0).expect("a group is small");
            let (session, durable) = (self.session, self.durable);
            let ends_group = *position == last;
            let place = Place { generation, position: *position, previous, session, durable, ends_group };
            let payload_bytes = u32::try_from(pending.payload.len()).expect("checked when it was appended");
            let payload_crc = target.put_payload(at + HEAD_BYTES, pending);
            let head = Head { entry: pending.entry, place, payload_bytes, payload_crc };
            target.put(at, &head.encode());
            previous = *position;
        }
        target.0
    }
}

/// The buffers of a group, as if they were one: all but the last have the greatest size of a write.
struct Target(Vec<IoBuf>);

impl Target {
    fn put(&mut self, mut at: usize, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let buffer = &mut self.0[at / IO_BYTES_MAX][at % IO_BYTES_MAX..];
            let fits = buffer.len().min(bytes.len());
            buffer[..fits].copy_from_slice(&bytes[..fits]);
            (at, bytes) = (at + fits, &bytes[fits..]);
        }
    }

    /// Returns the payload's CRC.
    fn put_payload(&mut self, at: usize, pending: &Pending) -> u32 {
        let Pending { entry, payload, .. } = pending;
        if entry.kind != Kind::Batch {
            self.put(at, payload);
            return crc32c::crc32c(payload);
        }
        let mut front: [u8; HEADER_BYTES] = payload[..HEADER_BYTES].try_into().expect("checked when it was appended");
        batch::place(&mut front, entry.base, leader_epoch(entry));
        self.put(at, &front);
        self.put(at + HEADER_BYTES, &payload[HEADER_BYTES..]);
        crc32c::crc32c_append(crc32c::crc32c(&front), &payload[HEADER_BYTES..])
    }
}

/// Kafka's leader epoch is the term of the log group.
fn leader_epoch(entry: &Entry) -> i32 {
    i32::try_from(entry.term.0).unwrap_or(i32::MAX)
}

/// What a group of this one frame takes up.
pub(crate) fn padded_bytes(payload_bytes: usize) -> usize {
    frame_bytes(payload_bytes).next_multiple_of(IO_ALIGN)
}
