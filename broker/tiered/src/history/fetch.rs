//! How do bytes of the archive's objects come here, through the cache?

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt, stream};
use model::{Error, Kind, Result};

use super::piece::{Parsed, Piece, Taken};
use super::{Found, History, STRIPES};
use crate::cache::{CHUNK_BYTES, ChunkId};
use crate::object::{Footer, TRAILER_BYTES, Trailer};

/// A run that is smaller is read by itself: a chunk would bring mostly other partitions' bytes.
const CHUNKED_BYTES: u64 = CHUNK_BYTES / 16;
/// Chunks of one read that are fetched at the same moment.
const CHUNKS_AT_ONCE: usize = 4;

impl History {
    /// The batches of a piece. What looks damaged is fetched once more, past the cache, before it counts as such.
    pub(super) async fn take(&self, mut piece: Piece) -> Result<Taken> {
        let mut is_fresh = false;
        loop {
            let bytes = match is_fresh {
                false => self.range(&piece.found, piece.start..piece.end).await?,
                true => {
                    let path = self.bucket(&piece.found).names.data(&piece.found.name)?;
                    self.bucket(&piece.found).get_range(&path, piece.start..piece.end).await.map_err(gone)?
                }
            };
            match piece.parse(&bytes) {
                Parsed::Taken(taken) => return Ok(taken),
                Parsed::Short { end } if end > piece.end => piece.end = end,
                Parsed::Short { .. } => return Err(piece.damage(piece.from, piece.from, "it is cut off")),
                Parsed::Damaged { .. } if !is_fresh => is_fresh = true,
                Parsed::Damaged { before, first, last, why } => {
                    let error = piece.damage(first, last, &why);
                    tracing::error!(%error, "the archive is damaged");
                    return Ok(Taken { batches: before, error: Some(error), is_whole: false });
                }
            }
        }
    }

    async fn range(&self, found: &Found, range: Range<u64>) -> Result<Bytes> {
        if found.held.run.bytes < CHUNKED_BYTES {
            let path = self.bucket(found).names.data(&found.name)?;
            return self.bucket(found).get_range(&path, range).await.map_err(gone);
        }
        let numbers = range.start / CHUNK_BYTES..range.end.div_ceil(CHUNK_BYTES);
        let fetches: Vec<_> = numbers.map(|number| self.chunk(found, number)).collect();
        let chunks: Vec<Bytes> = stream::iter(fetches).buffered(CHUNKS_AT_ONCE).try_collect().await?;
        let skip = usize::try_from(range.start % CHUNK_BYTES).expect("less than a chunk");
        let length = usize::try_from(range.end - range.start).expect("a read is bounded");
        let cut = || Error::busy(format!("object '{}' came shorter than it is; ask again", found.name));
        if let [one] = &chunks[..] {
            return if skip + length <= one.len() { Ok(one.slice(skip..skip + length)) } else { Err(cut()) };
        }
        let mut bytes = BytesMut::with_capacity(length);
        for (at, chunk) in chunks.iter().enumerate() {
            let from = if at == 0 { skip.min(chunk.len()) } else { 0 };
            let to = chunk.len().min(from + length - bytes.len());
            bytes.extend_from_slice(&chunk[from..to]);
        }
        if bytes.len() == length { Ok(bytes.freeze()) } else { Err(cut()) }
    }

    /// One chunk of an object, from the disk or from the bucket. Who comes second waits for the first.
    async fn chunk(&self, found: &Found, number: u64) -> Result<Bytes> {
        let number = u32::try_from(number).map_err(|_| Error::damaged("an object of the archive is too large"))?;
        let id = ChunkId { object: found.held.object, number };
        let stripe = (id.object.as_u128() as usize).wrapping_add(number as usize) % STRIPES;
        let _turn = self.inner.stripes[stripe].lock().await;
        let cache = self.inner.cache.clone();
        if let Some(chunk) = blocking(move || cache.get(id)).await? {
            return Ok(chunk);
        }
        let start = u64::from(number) * CHUNK_BYTES;
        let end = found.object_bytes.min(start + CHUNK_BYTES);
        let path = self.bucket(found).names.data(&found.name)?;
        let chunk = self.bucket(found).get_range(&path, start..end).await.map_err(gone)?;
        if chunk.len() as u64 != end - start {
            return Err(Error::busy(format!("object '{path}' came shorter than it is; ask again")));
        }
        let (cache, kept) = (self.inner.cache.clone(), chunk.clone());
        blocking(move || cache.put(id, &kept)).await?;
        Ok(chunk)
    }

    pub(super) async fn fetch_footer(&self, found: &Found) -> Result<(Footer, usize)> {
        let bucket = self.bucket(found);
        let path = bucket.names.data(&found.name)?;
        let damaged = || Error::damaged(format!("the footer of object '{path}' is damaged; bring it back from a copy"));
        let end = found.object_bytes;
        let at = end.checked_sub(TRAILER_BYTES).ok_or_else(damaged)?;
        let trailer = Trailer::parse(&bucket.get_range(&path, at..end).await.map_err(gone)?).ok_or_else(damaged)?;
        if trailer.length != end || trailer.position > at {
            return Err(damaged());
        }
        let footer = bucket.get_range(&path, trailer.position..at).await.map_err(gone)?;
        match crc32c::crc32c(&footer) == trailer.crc {
            true => Ok((Footer::parse(&footer)?, footer.len())),
            false => Err(damaged()),
        }
    }
}

/// An object that the manifest names is not there: a store may show it later, so it is worth asking again.
fn gone(error: Error) -> Error {
    match error.kind {
        Kind::Missing => Error::busy(format!("an object of the archive is not in the bucket: {error}")),
        _ => error,
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::busy("the node is stopping"))
}
