//! How does a large object reach a bucket in parts?

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use model::limits::{PART_BYTES, PARTS_IN_FLIGHT_MAX, PARTS_MAX};
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload, Result};

/// Writes an object in parts, several at a time; it appears whole, when all have arrived. After a failure the parts
/// are removed if the store can be reached; those of a process that dies stay, unseen, until the bucket's rule for
/// incomplete uploads removes them.
pub async fn in_parts(store: &dyn ObjectStore, path: &Path, bytes: &Bytes) -> Result<()> {
    let mut upload = store.put_multipart(path).await?;
    let sent = send(&mut *upload, bytes).await;
    if sent.is_err() {
        let _ = upload.abort().await; // What made the upload fail is told, not this.
    }
    sent
}

async fn send(upload: &mut dyn MultipartUpload, bytes: &Bytes) -> Result<()> {
    let size = part_bytes(bytes.len());
    let parts = (0..bytes.len()).step_by(size).map(|at| bytes.slice(at..bytes.len().min(at + size)));
    stream::iter(parts.map(|part| upload.put_part(PutPayload::from(part))))
        .buffer_unordered(PARTS_IN_FLIGHT_MAX)
        .try_collect::<()>()
        .await?;
    upload.complete().await?;
    Ok(())
}

/// All parts but the last are alike, as some stores demand.
fn part_bytes(bytes: usize) -> usize {
    PART_BYTES.max(bytes.div_ceil(PARTS_MAX))
}

#[cfg(test)]
mod tests;
