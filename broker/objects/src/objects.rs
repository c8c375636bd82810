//! What can be done with objects, and what does a failure of it mean?

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use model::limits::PUT_BYTES_MAX;
use model::{Error, Kind, Result};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{GetOptions, GetResult, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};

use crate::folder::Folder;
use crate::place::Place;
use crate::trouble::{self, Vendor};
use crate::{azure, gcs, s3, upload};

/// One root of object storage: a folder, a prefix in a bucket, or memory. Cheap to clone.
///
/// Errors of all operations: `Missing` for an object that is not there, `Invalid` for paths and permissions that
/// waiting does not cure, `Busy` for a failed read, `Unknown` for a failed write (it may have happened), `Damaged` for
/// an object that is shorter than what is asked of it.
#[derive(Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    root: Arc<str>,
    vendor: Vendor,
}

impl Objects {
    /// Opens a root by URL: a plain folder or `file:///folder` (created if it is missing), `s3://bucket/prefix`
    /// (`AWS_*` environment), `gs://bucket/prefix` (`GOOGLE_*`), `abfss://container@account.dfs.core.windows.net/prefix`
    /// or `az://container/prefix` (`AZURE_*`), or `memory:///`. Nothing is asked of a bucket yet: see `check`.
    pub fn open(url: &str) -> Result<Objects> {
        match Place::parse(url)? {
            Place::Memory => Ok(Objects::memory()),
            Place::Folder(path) => {
                let folder = Folder::open(&path)?;
                let root = format!("file://{}", folder.root().display());
                Ok(Objects { vendor: Vendor::Folder, ..Objects::over(Arc::new(folder), &root) })
            }
            Place::S3 { bucket, prefix } => {
                Ok(Objects::bucket(Vendor::S3, s3::open(&bucket)?, &format!("s3://{bucket}"), prefix))
            }
            Place::Gcs { bucket, prefix } => {
                Ok(Objects::bucket(Vendor::Gcs, gcs::open(&bucket)?, &format!("gs://{bucket}"), prefix))
            }
            Place::Azure { container, account, prefix } => {
                let (store, account) = azure::open(&container, account)?;
                let root = format!("abfss://{container}@{}.dfs.{}", account.name, account.suffix);
                Ok(Objects::bucket(Vendor::Azure, store, &root, prefix))
            }
        }
    }

    /// Objects that end with the process.
    pub fn memory() -> Objects {
        Objects::over(Arc::new(InMemory::new()), "memory:///")
    }

    /// Any store whose paths are relative to the URI `root`.
    pub fn over(store: Arc<dyn ObjectStore>, root: &str) -> Objects {
        let slash = if root.ends_with('/') { "" } else { "/" };
        Objects { store, root: format!("{root}{slash}").into(), vendor: Vendor::Other }
    }

    fn bucket(vendor: Vendor, store: Arc<dyn ObjectStore>, root: &str, prefix: Path) -> Objects {
        let objects = match prefix.as_ref().is_empty() {
            true => Objects::over(store, root),
            false => {
                let root = format!("{root}/{prefix}");
                Objects::over(Arc::new(PrefixStore::new(store, prefix)), &root)
            }
        };
        Objects { vendor, ..objects }
    }

    /// The store itself, for readers that want one (DataFusion); paths are relative to the root.
    pub fn store(&self) -> Arc<dyn ObjectStore> {
        self.store.clone()
    }

    /// The root's URI, without a slash at its end (a bare scheme keeps its own).
    pub fn root(&self) -> &str {
        self.root.strip_suffix('/').filter(|root| !root.ends_with('/')).unwrap_or(&self.root)
    }

    /// The full URI of an object.
    pub fn location(&self, path: &Path) -> String {
        format!("{}{path}", self.root)
    }

    /// The path of a full URI below this root; `None` for others.
    pub fn path_of(&self, uri: &str) -> Option<Path> {
        Path::parse(uri.strip_prefix(&*self.root)?).ok()
    }

    /// A path below this root, from its text.
    pub fn path(text: &str) -> Result<Path> {
        Path::parse(text).map_err(|error| Error::invalid(format!("'{text}' cannot be an object's path: {error}")))
    }

    /// Whether the bucket is there and may be listed: one small request.
    pub async fn check(&self) -> Result<()> {
        self.page(&Path::default(), None, 1).await.map(drop)
    }

    /// A whole object; never a part of one whose answer was cut.
    pub async fn get(&self, path: &Path) -> Result<Bytes> {
        let answer = self.ask(path, GetOptions::default()).await?;
        let size = answer.meta.size;
        let bytes = self.body(path, answer).await?;
        match bytes.len() as u64 == size {
            true => Ok(bytes),
            false => Err(cut(path, bytes.len(), size)),
        }
    }

    /// A part of an object: all of `range`, or an error.
    pub async fn get_range(&self, path: &Path, range: Range<u64>) -> Result<Bytes> {
        let wanted = range.end.saturating_sub(range.start);
        if wanted == 0 {
            return Ok(Bytes::new());
        }
        let answer = match self.ask(path, GetOptions::default().with_range(Some(range.clone()))).await {
            // Stores refuse a range that begins behind the end, each in its own words.
            Err(error) if error.kind == Kind::Busy => match self.head(path).await {
                Ok(found) if found.size < range.end => return Err(short(path, &range, found.size)),
                _ => return Err(error),
            },
            answer => answer?,
        };
        if answer.meta.size < range.end {
            return Err(short(path, &range, answer.meta.size));
        }
        let bytes = self.body(path, answer).await?;
        match bytes.len() as u64 == wanted {
            true => Ok(bytes),
            false => Err(cut(path, bytes.len(), wanted)),
        }
    }

    async fn ask(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.store.get_opts(path, options).await.map_err(|error| self.read_error("read", path, error))
    }

    async fn body(&self, path: &Path, answer: GetResult) -> Result<Bytes> {
        answer.bytes().await.map_err(|error| self.read_error("read", path, error))
    }

    /// Size and time of an object.
    pub async fn head(&self, path: &Path) -> Result<ObjectMeta> {
        self.store.head(path).await.map_err(|error| self.read_error("look at", path, error))
    }

    /// Writes an object, over an older one if there is one; a large one goes to a bucket in parts. Nobody ever sees a
    /// part of it. Durable when it returns.
    pub async fn put(&self, path: &Path, bytes: Bytes) -> Result<()> {
        let done = match self.takes_parts(bytes.len()) {
            true => upload::in_parts(&*self.store, path, &bytes).await,
            false => self.store.put(path, PutPayload::from(bytes)).await.map(drop),
        };
        done.map_err(|error| self.write_error("write", path, error))
    }

    /// As [`Objects::put`], of an object that lies in pieces; they are not copied if it goes in one request.
    pub async fn put_pieces(&self, path: &Path, pieces: Vec<Bytes>) -> Result<()> {
        if self.takes_parts(pieces.iter().map(Bytes::len).sum()) {
            return self.put(path, pieces.concat().into()).await;
        }
        let payload: PutPayload = pieces.into_iter().collect();
        self.store.put(path, payload).await.map(drop).map_err(|error| self.write_error("write", path, error))
    }

    fn takes_parts(&self, bytes: usize) -> bool {
        matches!(self.vendor, Vendor::S3 | Vendor::Gcs | Vendor::Azure) && bytes > PUT_BYTES_MAX
    }

    /// Writes an object unless there is one; `false`: there is one already. Durable when it returns.
    ///
    /// A store may repeat a request whose answer was lost, so `false` can also mean "this very call wrote it":
    /// callers for whom that matters put something unique in the object and read it back.
    pub async fn put_if_absent(&self, path: &Path, bytes: Bytes) -> Result<bool> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store.put_opts(path, PutPayload::from(bytes), options).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => Ok(false),
            Err(error) => Err(self.write_error("create", path, error)),
        }
    }

    /// All objects below a prefix, sorted by path.
    pub async fn list(&self, prefix: &Path) -> Result<Vec<ObjectMeta>> {
        let found: Result<Vec<ObjectMeta>, _> = self.store.list(Some(prefix)).try_collect().await;
        self.sorted(prefix, found)
    }

    /// At most `objects_max` objects below a prefix, sorted by path: the first ones, or those behind `after`.
    pub async fn page(&self, prefix: &Path, after: Option<&Path>, objects_max: usize) -> Result<Vec<ObjectMeta>> {
        let listed = match after {
            None => self.store.list(Some(prefix)),
            Some(after) => self.store.list_with_offset(Some(prefix), after),
        };
        // Buckets list in order of their names, folders do not.
        let most = if self.vendor == Vendor::Folder { usize::MAX } else { objects_max };
        let mut page = self.sorted(prefix, listed.take(most).try_collect().await)?;
        page.truncate(objects_max);
        Ok(page)
    }

    fn sorted(&self, prefix: &Path, found: Result<Vec<ObjectMeta>, object_store::Error>) -> Result<Vec<ObjectMeta>> {
        let mut found = found.or_else(|error| match self.read_error("list", prefix, error) {
            error if error.kind == Kind::Missing => Ok(Vec::new()),
            error => Err(error),
        })?;
        found.sort_by(|a, b| a.location.cmp(&b.location));
        Ok(found)
    }

    /// Removes an object; one that is not there is as good as removed.
    pub async fn delete(&self, path: &Path) -> Result<()> {
        match self.store.delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.write_error("delete", path, error)),
        }
    }

    /// Removes many objects with few requests. After a failure some of them are gone; doing it again is safe.
    pub async fn delete_all(&self, paths: Vec<Path>) -> Result<()> {
        let mut results = self.store.delete_stream(stream::iter(paths.into_iter().map(Ok)).boxed());
        let mut failed = None;
        while let Some(result) = results.next().await {
            match result {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        match failed {
            None => Ok(()),
            Some(error) => Err(self.write_error("delete", &Path::default(), error)),
        }
    }

    fn read_error(&self, doing: &str, path: &Path, error: object_store::Error) -> Error {
        trouble::of_read(self.vendor, doing, path, &error)
    }

    fn write_error(&self, doing: &str, path: &Path, error: object_store::Error) -> Error {
        trouble::of_write(self.vendor, doing, path, &error)
    }
}

fn cut(path: &Path, got: usize, wanted: u64) -> Error {
    Error::busy(format!("the answer with object '{path}' ended after {got} of {wanted} bytes; it is tried again"))
}

fn short(path: &Path, range: &Range<u64>, size: u64) -> Error {
    Error::damaged(format!(
        "object '{path}' has {size} bytes, but bytes {} to {} are asked of it: it was cut or replaced by another          program; bring it back from a copy",
        range.start, range.end
    ))
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Objects({})", self.root)
    }
}

#[cfg(test)]
mod tests;
