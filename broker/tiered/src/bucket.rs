//! How are the archive's objects written so that they are there, and read so that they are right?

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use model::{Error, Kind, Result, ShardId};
use objects::{Objects, Path};
use uuid::Uuid;

use crate::archive::Write;
use crate::edit::Edit;
use crate::index::Index;
use crate::names::{Names, number_of};
use crate::object::Built;
use crate::root::{Owner, PageRef, Root, page_edits};

/// What is read at a time when an object is read back.
const READ_BACK_BYTES: u64 = 8 * 1024 * 1024;
/// Pages that are read at the same moment.
const READS_MAX: usize = 8;

/// The archive of one shard in its bucket. Clones share their counters.
#[derive(Debug, Clone)]
pub struct Bucket {
    pub objects: Objects,
    pub names: Names,
    pub owner: Owner,
    pub requests: Arc<Requests>,
}

/// Requests since the start.
#[derive(Debug, Default)]
pub struct Requests {
    pub puts: AtomicU64,
    pub gets: AtomicU64,
    pub deletes: AtomicU64,
    pub lists: AtomicU64,
}

impl Requests {
    pub fn all(&self) -> u64 {
        [&self.puts, &self.gets, &self.deletes, &self.lists].map(|count| count.load(Ordering::Relaxed)).iter().sum()
    }
}

/// The newest version of a manifest.
#[derive(Debug)]
pub struct Loaded {
    pub(crate) root: Root,
    pub index: Index,
}

impl Loaded {
    pub fn sequence(&self) -> u64 {
        self.root.sequence
    }
}

/// What became of a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Written,
    /// Somebody else's stands in its place.
    Fenced,
}

impl Bucket {
    pub fn new(objects: Objects, cluster: Uuid, shard: ShardId) -> Bucket {
        let names = Names::new(cluster);
        Bucket { objects, names, owner: Owner { cluster, shard }, requests: Arc::default() }
    }

    /// The newest version of the manifest; `None` if there is none.
    pub async fn load(&self) -> Result<Option<Loaded>> {
        // The root that was listed as the newest may be superseded, and in the end removed, while we read.
        for _ in 0..5 {
            let Some(root) = self.newest(None).await? else { return Ok(None) };
            match self.fold(&root).await {
                Ok(index) => return Ok(Some(Loaded { root, index })),
                Err(error) if error.kind == Kind::Missing => {
                    tracing::debug!(sequence = root.sequence, %error, "a page is gone, the manifest is looked up again");
                }
                Err(error) => return Err(error),
            }
        }
        Err(Error::damaged(format!(
            "the manifest of shard {} names pages that are not in the bucket; bring them back from a copy",
            self.owner.shard
        )))
    }

    /// The newest root. `known`: one that was there; without it the folder of roots is listed.
    pub(crate) async fn newest(&self, known: Option<u64>) -> Result<Option<Root>> {
        let mut at = match known {
            Some(known) => known,
            None => {
                count(&self.requests.lists);
                let listed = self.objects.list(&self.names.roots(self.owner.shard)).await?;
                match listed.iter().filter_map(|object| number_of(&object.location)).max() {
                    Some(newest) => newest,
                    None => return Ok(None),
                }
            }
        };
        let mut found = None;
        // A listing may be old: those that follow are looked for by name.
        loop {
            match self.get(&self.names.root(self.owner.shard, at)).await {
                Ok(bytes) => found = Some(Root::decode(self.owner, at, &bytes)?),
                Err(error) if error.kind == Kind::Missing => return Ok(found),
                Err(error) => return Err(error),
            }
            at += 1;
        }
    }

    async fn fold(&self, root: &Root) -> Result<Index> {
        let reads: Vec<_> = root.pages.iter().map(|page| self.page(page)).collect();
        let pages: Vec<Vec<Edit>> = stream::iter(reads).buffered(READS_MAX).try_collect().await?;
        let mut index = Index::default();
        pages.iter().flatten().for_each(|edit| index.apply(edit));
        root.edits()?.iter().for_each(|edit| index.apply(edit));
        Ok(index)
    }

    async fn page(&self, page: &PageRef) -> Result<Vec<Edit>> {
        page_edits(self.owner, page, &self.get(&self.names.page(page.id)).await?)
    }

    /// Writes a version of the manifest. Errors: it is not known whether it is there; do it again.
    pub(crate) async fn write(&self, write: &Write) -> Result<Outcome> {
        for (id, bytes) in &write.pages {
            count(&self.requests.puts);
            self.objects.put(&self.names.page(*id), bytes.clone()).await?;
            if self.get(&self.names.page(*id)).await? != *bytes {
                return Err(Error::unknown(format!(
                    "page {id} of the manifest is not in the bucket as it was written"
                )));
            }
        }
        let path = self.names.root(self.owner.shard, write.sequence);
        count(&self.requests.puts);
        if self.objects.put_if_absent(&path, write.root.clone()).await? {
            return Ok(Outcome::Written);
        }
        // It may be ours: a request may have been sent twice.
        match self.get(&path).await? == write.root {
            true => Ok(Outcome::Written),
            false => Ok(Outcome::Fenced),
        }
    }

    /// Writes an object and reads it back: what is in the bucket is right when this returns.
    pub(crate) async fn put_object(&self, name: &str, built: &Built) -> Result<()> {
        let path = self.names.data(name)?;
        count(&self.requests.puts);
        self.objects.put_pieces(&path, built.parts.clone()).await?;
        match self.crc_of(&path, built.bytes).await? {
            Some(crc) if crc == built.crc => Ok(()),
            _ => {
                Err(Error::unknown(format!("object '{path}' is not in the bucket as it was written; it is sent again")))
            }
        }
    }

    /// The CRC-32C of a whole object; `None` if it has not this length.
    pub(crate) async fn crc_of(&self, path: &Path, bytes: u64) -> Result<Option<u32>> {
        count(&self.requests.gets);
        if self.objects.head(path).await?.size != bytes {
            return Ok(None);
        }
        let (mut crc, mut at) = (0, 0);
        while at < bytes {
            let part = self.get_range(path, at..bytes.min(at + READ_BACK_BYTES)).await?;
            if part.is_empty() {
                return Ok(None);
            }
            crc = crc32c::crc32c_append(crc, &part);
            at += part.len() as u64;
        }
        Ok(Some(crc))
    }

    pub(crate) async fn get(&self, path: &Path) -> Result<Bytes> {
        count(&self.requests.gets);
        self.objects.get(path).await
    }

    pub(crate) async fn get_range(&self, path: &Path, range: Range<u64>) -> Result<Bytes> {
        count(&self.requests.gets);
        self.objects.get_range(path, range).await
    }

    pub(crate) async fn delete(&self, path: &Path) -> Result<()> {
        count(&self.requests.deletes);
        self.objects.delete(path).await
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
