//! What does a checkpoint say about each partition?

use std::ops::Range;

use model::{Frontiers, Offset, PartitionId, Position};

use crate::fields::Fields;
use crate::index::Chunk;
use crate::partitions::Partition;

/// A partition as a checkpoint has it.
pub(crate) struct Saved<'a> {
    pub id: PartitionId,
    pub frontiers: Frontiers,
    pub start_note: Option<Position>,
    pub lost: Vec<Range<Offset>>,
    /// Those that are in no segment's index.
    pub chunks: Vec<Chunk>,
    /// What the owner of the log keeps.
    pub owned: &'a [u8],
}

/// Appends a partition; chunks that are full and end below `indexed` are listed elsewhere.
pub(crate) fn encode(id: PartitionId, partition: &Partition, indexed: Position, owned: &[u8], bytes: &mut Vec<u8>) {
    let frontiers = &partition.frontiers;
    let offsets = [frontiers.log_start(), frontiers.local_start(), frontiers.high_watermark()];
    let note = partition.start_note.map_or(0, |at| at.0);
    bytes.extend_from_slice(&id.0.to_le_bytes());
    offsets.iter().for_each(|offset| bytes.extend_from_slice(&offset.0.to_le_bytes()));
    bytes.extend_from_slice(&note.to_le_bytes());
    let counts = bytes.len();
    let mut chunks = 0_u32;
    bytes.extend_from_slice(&[0; 16]);
    for lost in &partition.lost {
        bytes.extend_from_slice(&lost.start.0.to_le_bytes());
        bytes.extend_from_slice(&lost.end.0.to_le_bytes());
    }
    for chunk in partition.frames.chunks_beyond(indexed) {
        chunk.encode(bytes);
        chunks += 1;
    }
    bytes.extend_from_slice(owned);
    let count = |number: usize| u32::try_from(number).expect("far fewer").to_le_bytes();
    bytes[counts..counts + 4].copy_from_slice(&count(partition.lost.len()));
    bytes[counts + 4..counts + 8].copy_from_slice(&chunks.to_le_bytes());
    bytes[counts + 8..counts + 12].copy_from_slice(&count(owned.len()));
}

/// Takes one partition.
pub(crate) fn decode<'a>(fields: &mut Fields<'a>) -> Option<Saved<'a>> {
    let id = PartitionId(fields.u64()?);
    let (start, local, end) = (Offset(fields.i64()?), Offset(fields.i64()?), Offset(fields.i64()?));
    let start_note = Some(fields.u64()?).filter(|at| *at > 0).map(Position);
    let (lost_count, chunk_count, owned_bytes, _) = (fields.u32()?, fields.u32()?, fields.u32()?, fields.u32()?);
    if start.0 < 0 || start > local || local > end {
        return None;
    }
    let mut lost = Vec::new();
    for _ in 0..lost_count {
        lost.push(Offset(fields.i64()?)..Offset(fields.i64()?));
    }
    let mut chunks = Vec::new();
    for _ in 0..chunk_count {
        chunks.push(Chunk::decode(fields)?);
    }
    let owned = fields.bytes(owned_bytes as usize)?;
    let mut frontiers = Frontiers::recovered(start, end);
    frontiers.dropped_locally(local);
    Some(Saved { id, frontiers, start_note, lost, chunks, owned })
}
