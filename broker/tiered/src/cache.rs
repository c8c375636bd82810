//! Which pieces of the bucket's objects lie on the local disk?
//!
//! A bounded folder of chunks: each file holds one aligned piece of one object, with a checksum that is looked at on
//! every read. What was used least recently makes room. It survives a restart, and may be removed at any time.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use model::{Error, Result};
use uuid::Uuid;

use crate::code::Reader;

/// Bytes of an object that are fetched and kept together.
pub const CHUNK_BYTES: u64 = 4 * 1024 * 1024;
const MAGIC: &[u8; 8] = b"FRZCHNK1";
/// Magic, object id, number, length, CRC-32C.
const HEAD_BYTES: usize = 8 + 16 + 4 + 4 + 4;

#[derive(Debug, Clone)]
pub struct CacheConfig {
    pub folder: PathBuf,
    pub bytes_max: u64,
}

/// A piece of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChunkId {
    pub object: Uuid,
    pub number: u32,
}

/// Clones are the same cache.
#[derive(Debug, Clone)]
pub struct ChunkCache {
    folder: Arc<PathBuf>,
    listed: Arc<Mutex<Listed>>,
}

/// What is there, by use: a plain value.
#[derive(Debug, Default)]
struct Listed {
    chunks: HashMap<ChunkId, (u64, u64)>,
    by_use: BTreeMap<u64, ChunkId>,
    uses: u64,
    bytes: u64,
    bytes_max: u64,
}

impl Listed {
    fn touch(&mut self, id: ChunkId) -> bool {
        let Some((_, used)) = self.chunks.get_mut(&id) else { return false };
        self.by_use.remove(used);
        self.uses += 1;
        *used = self.uses;
        self.by_use.insert(self.uses, id);
        true
    }

    /// Answers what has to make room.
    fn add(&mut self, id: ChunkId, bytes: u64) -> Vec<ChunkId> {
        self.remove(id);
        self.uses += 1;
        self.chunks.insert(id, (bytes, self.uses));
        self.by_use.insert(self.uses, id);
        self.bytes += bytes;
        let mut gone = Vec::new();
        while self.bytes > self.bytes_max {
            let Some((_, oldest)) = self.by_use.first_key_value() else { break };
            let oldest = *oldest;
            self.remove(oldest);
            gone.push(oldest);
        }
        gone
    }

    fn remove(&mut self, id: ChunkId) {
        if let Some((bytes, used)) = self.chunks.remove(&id) {
            self.by_use.remove(&used);
            self.bytes -= bytes;
        }
    }
}

impl ChunkCache {
    /// Lists what an earlier process left, oldest first; files that are no chunks are removed.
    pub fn open(config: CacheConfig) -> Result<ChunkCache> {
        let folder = config.folder;
        let unusable = |error: io::Error| Error::invalid(format!("the cache folder '{}': {error}", folder.display()));
        fs::create_dir_all(&folder).map_err(unusable)?;
        let mut found = Vec::new();
        for entry in fs::read_dir(&folder).map_err(unusable)? {
            let entry = entry.map_err(unusable)?;
            let metadata = entry.metadata().map_err(unusable)?;
            match entry.file_name().to_str().and_then(chunk_of) {
                Some(id) => found.push((metadata.modified().ok(), id, metadata.len())),
                None if metadata.is_file() => drop(fs::remove_file(entry.path())),
                None => {}
            }
        }
        found.sort();
        let mut listed = Listed { bytes_max: config.bytes_max, ..Listed::default() };
        let gone: Vec<ChunkId> = found.into_iter().flat_map(|(_, id, bytes)| listed.add(id, bytes)).collect();
        let cache = ChunkCache { folder: Arc::new(folder), listed: Arc::new(Mutex::new(listed)) };
        gone.into_iter().for_each(|id| cache.unlink(id));
        Ok(cache)
    }

    /// A chunk, if it is here and whole. Blocks.
    pub fn get(&self, id: ChunkId) -> Option<Bytes> {
        if !self.listed().touch(id) {
            return None;
        }
        let chunk = fs::read(self.path(id)).ok().and_then(|file| unwrap(id, file.into()));
        if chunk.is_none() {
            tracing::warn!(object = %id.object, chunk = id.number, "a chunk of the cache is damaged; it is fetched again");
            self.listed().remove(id);
            self.unlink(id);
        }
        chunk
    }

    /// Keeps a chunk. A disk that has no room for it is no failure. Blocks.
    pub fn put(&self, id: ChunkId, chunk: &Bytes) {
        let bytes = (HEAD_BYTES + chunk.len()) as u64;
        if bytes > self.listed().bytes_max {
            return;
        }
        let path = self.path(id);
        let scratch = path.with_extension("new");
        let written = fs::write(&scratch, wrap(id, chunk)).and_then(|()| fs::rename(&scratch, &path));
        if let Err(error) = written {
            tracing::debug!(%error, "a chunk was not kept");
            let _ = fs::remove_file(&scratch); // It may not even be there.
            return;
        }
        let gone = self.listed().add(id, bytes);
        gone.into_iter().for_each(|id| self.unlink(id));
    }

    /// Bytes on the disk.
    pub fn bytes(&self) -> u64 {
        self.listed().bytes
    }

    fn listed(&self) -> MutexGuard<'_, Listed> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, id: ChunkId) -> PathBuf {
        self.folder.join(format!("{}-{:08}.chunk", id.object, id.number))
    }

    fn unlink(&self, id: ChunkId) {
        let _ = fs::remove_file(self.path(id)); // It is no harm if somebody else has done so.
    }
}

fn chunk_of(name: &str) -> Option<ChunkId> {
    let (object, number) = name.strip_suffix(".chunk")?.rsplit_once('-')?;
    Some(ChunkId { object: Uuid::parse_str(object).ok()?, number: number.parse().ok()? })
}

fn wrap(id: ChunkId, chunk: &Bytes) -> Vec<u8> {
    let mut file = Vec::with_capacity(HEAD_BYTES + chunk.len());
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(id.object.as_bytes());
    file.extend_from_slice(&id.number.to_le_bytes());
    file.extend_from_slice(&u32::try_from(chunk.len()).expect("a few MiB").to_le_bytes());
    file.extend_from_slice(&crc32c::crc32c(chunk).to_le_bytes());
    file.extend_from_slice(chunk);
    file
}

fn unwrap(id: ChunkId, file: Bytes) -> Option<Bytes> {
    let mut reader = Reader(&file);
    let right = reader.take(8)? == MAGIC && reader.uuid()? == id.object && reader.u32()? == id.number;
    let (bytes, crc) = (reader.u32()?, reader.u32()?);
    let whole = reader.0.len() == bytes as usize && crc32c::crc32c(reader.0) == crc;
    (right && whole).then(|| file.slice(HEAD_BYTES..))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(object: u128, number: u32) -> ChunkId {
        ChunkId { object: Uuid::from_u128(object), number }
    }

    fn open(folder: &std::path::Path, chunks: u64) -> ChunkCache {
        let bytes_max = chunks * (HEAD_BYTES as u64 + 100);
        ChunkCache::open(CacheConfig { folder: folder.to_owned(), bytes_max }).unwrap()
    }

    fn chunk(byte: u8) -> Bytes {
        vec![byte; 100].into()
    }

    #[test]
    fn the_least_recently_used_makes_room_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let cache = open(folder.path(), 2);
        cache.put(id(1, 0), &chunk(1));
        cache.put(id(2, 0), &chunk(2));
        assert_eq!(cache.get(id(1, 0)), Some(chunk(1)));
        cache.put(id(3, 7), &chunk(3));
        assert_eq!((cache.get(id(2, 0)), cache.get(id(3, 7))), (None, Some(chunk(3))));
        fs::write(folder.path().join("something"), "else").unwrap();
        let cache = open(folder.path(), 2);
        assert_eq!((cache.get(id(1, 0)), cache.get(id(3, 7))), (Some(chunk(1)), Some(chunk(3))));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        assert_eq!(open(folder.path(), 1).bytes(), HEAD_BYTES as u64 + 100);
    }

    #[test]
    fn every_flipped_byte_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let cache = open(folder.path(), 5);
        cache.put(id(1, 0), &chunk(1));
        let path = cache.path(id(1, 0));
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(&path, damaged).unwrap();
            assert_eq!(cache.get(id(1, 0)), None, "byte {at}");
            assert!(!path.exists());
            cache.put(id(1, 0), &chunk(1));
        }
        assert_eq!(cache.get(id(1, 0)), Some(chunk(1)));
    }
}
