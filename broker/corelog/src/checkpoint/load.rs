//! What does a checkpoint that was found say, and does it fit the log?

use std::collections::HashMap;
use std::path::Path;

use bytes::Bytes;
use model::limits::IO_ALIGN;
use model::{Error, PartitionId, Position, Result};
use runtime::{DirEntry, Driver};

use crate::checkpoint::contents::{Base, Known, decode_notes};
use crate::checkpoint::files::{Name, index_path};
use crate::checkpoint::owner::Owner;
use crate::checkpoint::pages::{self, Saved};
use crate::checkpoint::parts::{Part, Reader};
use crate::fields::Fields;
use crate::frame::{HEAD_BYTES, Head};
use crate::index::Chunk;
use crate::notes::Notes;
use crate::partitions::{Partition, Partitions};
use crate::recovery::Damage;
use crate::scan::Blocks;
use crate::segment::{Segment, file_name};

/// All that a checkpoint says.
pub(crate) struct Loaded {
    pub base: Base,
    pub notes: Notes,
    pub damage: Vec<Damage>,
    pub partitions: Partitions,
    /// Partitions that the checkpoint knows further than its position.
    pub covered: HashMap<PartitionId, Position>,
    /// Bytes of its file.
    pub bytes: u64,
}

type Indexed = HashMap<PartitionId, Vec<Chunk>>;

/// Reads a checkpoint with the indexes it names. `Damaged`: it cannot be used, and the owner knows half of it.
pub(crate) async fn load<D: Driver>(
    driver: &D,
    dir: &Path,
    name: Name,
    entries: &[DirEntry],
    owner: &dyn Owner,
) -> Result<Loaded> {
    let mut reader = open(driver, &name.path(dir)).await?;
    let base = take(&mut reader, Part::Base).await?;
    let base = Base::decode(&base).ok_or_else(malformed)?;
    let notes = take(&mut reader, Part::Notes).await?;
    let (mut notes, damage) = decode_notes(&notes).ok_or_else(malformed)?;
    let mut indexed = Indexed::default();
    for known in &base.segments {
        notes.restore_before(&known.segment, known.before);
        let there = entries.iter().any(|entry| entry.name == file_name(known.segment.number));
        if known.index != 0 && there {
            load_index(driver, dir, known, &mut indexed).await?;
        }
    }
    // Chunks of partitions that were forgotten, and perhaps made anew.
    indexed.retain(|partition, chunks| {
        let tomb = notes.tombs.get(partition).copied().unwrap_or(Position(0));
        chunks.retain(|chunk| chunk.position() >= tomb);
        !chunks.is_empty()
    });
    let (mut partitions, mut covered) = (Partitions::default(), HashMap::new());
    loop {
        match reader.next().await? {
            (Part::Partitions, payload) => {
                let mut fields = Fields(&payload);
                let at = Position(fields.u64().ok_or_else(malformed)?);
                while !fields.is_empty() {
                    let saved = pages::decode(&mut fields).ok_or_else(malformed)?;
                    if at > base.position {
                        covered.insert(saved.id, at);
                    }
                    owner.restore(saved.id, saved.owned)?;
                    restore(saved, &mut indexed, &mut partitions)?;
                }
            }
            (Part::End, _) => break,
            _ => return Err(malformed()),
        }
    }
    let bytes = reader.file_bytes();
    Ok(Loaded { base, notes, damage, partitions, covered, bytes })
}

fn restore(saved: Saved<'_>, indexed: &mut Indexed, partitions: &mut Partitions) -> Result<()> {
    let (start, end) = (saved.frontiers.local_start(), saved.frontiers.high_watermark());
    let mut partition = Partition::saved(saved.frontiers, saved.start_note, saved.lost);
    let chunks = indexed.remove(&saved.id).into_iter().flatten().chain(saved.chunks);
    for chunk in chunks.filter(|chunk| chunk.end() > start) {
        if !partition.frames.restore(chunk) {
            return Err(malformed());
        }
    }
    let fits = partition.frames.end().is_none_or(|last| last <= end);
    if !fits || !partitions.restore(saved.id, partition) {
        return Err(malformed());
    }
    Ok(())
}

async fn load_index<D: Driver>(driver: &D, dir: &Path, known: &Known, indexed: &mut Indexed) -> Result<()> {
    let mut reader = open(driver, &index_path(dir, known.segment.number)).await?;
    let of = take(&mut reader, Part::Index).await?;
    let mut fields = Fields(&of);
    let same = fields.u64() == Some(known.segment.number) && fields.u64() == Some(known.segment.generation);
    if !same || reader.id() != known.index {
        return Err(Error::damaged("the index of a segment is not the one that it names"));
    }
    loop {
        match reader.next().await? {
            (Part::Chunks, payload) => {
                let mut fields = Fields(&payload);
                while !fields.is_empty() {
                    let partition = PartitionId(fields.u64().ok_or_else(malformed)?);
                    let chunk = Chunk::decode(&mut fields).ok_or_else(malformed)?;
                    indexed.entry(partition).or_default().push(chunk);
                }
            }
            (Part::End, _) => return Ok(()),
            _ => return Err(malformed()),
        }
    }
}

async fn open<D: Driver>(driver: &D, path: &Path) -> Result<Reader<D::File>> {
    let file = driver.open_read(path).await;
    file.map(Reader::new).map_err(|error| Error::damaged(format!("a file of it cannot be read: {error}")))
}

async fn take<F: runtime::ReadFile>(reader: &mut Reader<F>, wanted: Part) -> Result<Bytes> {
    match reader.next().await? {
        (part, payload) if part == wanted => Ok(payload),
        _ => Err(malformed()),
    }
}

/// Compares a checkpoint with the log: true if nothing was written since, as its name says.
pub(crate) async fn compare<B: Blocks>(base: &Base, segments: &[Segment], mut blocks: B, clean: bool) -> Result<bool> {
    let unfit = || Error::damaged("the log is not the one that it describes");
    let newest = base.newest().filter(|newest| segments.contains(newest)).ok_or_else(unfit)?;
    let last = head_at(&mut blocks, newest, base.last).await?.ok_or_else(unfit)?;
    let next = Position(last.next().0.next_multiple_of(IO_ALIGN as u64));
    if last.place.session != base.session || !last.place.ends_group || next != base.position {
        return Err(unfit());
    }
    let behind = match newest.holds(base.position) {
        true => head_at(&mut blocks, newest, base.position).await?,
        false => None,
    };
    Ok(clean && base.closed && behind.is_none())
}

/// The head of the frame at a position, as far as it is intact. Reads no more than its blocks.
async fn head_at<B: Blocks>(blocks: &mut B, segment: &Segment, position: Position) -> Result<Option<Head>> {
    if !segment.holds(position) {
        return Ok(None);
    }
    let align = IO_ALIGN as u64;
    let at = position.0 - segment.base.0;
    let (from, to) = (at / align * align, (at + HEAD_BYTES as u64).next_multiple_of(align));
    if to > segment.bytes {
        return Ok(None);
    }
    let bytes = blocks.read(segment, from, usize::try_from(to - from).expect("two blocks at most")).await?;
    let skip = usize::try_from(at - from).expect("less than a block");
    let head = bytes[skip..skip + HEAD_BYTES].try_into().expect("a slice of that length");
    Ok(Head::parse(head, segment.generation, position).ok())
}

fn malformed() -> Error {
    Error::damaged("a part of it makes no sense")
}
