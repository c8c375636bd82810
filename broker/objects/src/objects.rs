//! What can be done with objects, and what does a failure of it mean?

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;
use model::{Error, Result};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};

use crate::bucket;
use crate::folder::Folder;

/// One root of object storage: a folder, a prefix in a bucket, or memory. Cheap to clone.
///
/// Errors of all operations: `Missing` for an object that is not there, `Invalid` for paths and permissions that
/// waiting does not cure, `Busy` for a failed read, `Unknown` for a failed write (it may have happened).
#[derive(Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    root: Arc<str>,
}

impl Objects {
    /// Opens a root by URL: a plain folder or `file:///folder` (created if it is missing), `s3://bucket/prefix`
    /// (`AWS_*` environment), or `memory:///`.
    pub fn open(url: &str) -> Result<Objects> {
        match url.split_once("://") {
            None => Objects::folder(url),
            Some(("file", path)) if path.starts_with('/') => Objects::folder(path),
            Some(("file", _)) => Err(Error::invalid(format!(
                "'{url}' names a host; write three slashes, file:///folder, or the folder alone"
            ))),
            Some(("memory", _)) => Ok(Objects::memory()),
            Some(("s3" | "s3a", rest)) => Objects::s3(rest),
            Some((scheme, _)) => Err(Error::invalid(format!(
                "object storage '{scheme}://' is not built in; a folder, file:///folder or s3://bucket/prefix are"
            ))),
        }
    }

    /// Objects that end with the process.
    pub fn memory() -> Objects {
        Objects::over(Arc::new(InMemory::new()), "memory:///")
    }

    /// Any store whose paths are relative to the URI `root`.
    pub fn over(store: Arc<dyn ObjectStore>, root: &str) -> Objects {
        let slash = if root.ends_with('/') { "" } else { "/" };
        Objects { store, root: format!("{root}{slash}").into() }
    }

    fn folder(path: &str) -> Result<Objects> {
        let folder = Folder::open(path)?;
        let root = format!("file://{}", folder.root().display());
        Ok(Objects::over(Arc::new(folder), &root))
    }

    fn s3(rest: &str) -> Result<Objects> {
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let store = bucket::open(bucket)?;
        let prefix = Path::parse(prefix.trim_end_matches('/'))
            .map_err(|error| Error::invalid(format!("'{prefix}' cannot be a prefix in a bucket: {error}")))?;
        let root = format!("s3://{bucket}/{prefix}");
        let root = root.trim_end_matches('/');
        Ok(match prefix.as_ref().is_empty() {
            true => Objects::over(store, root),
            false => Objects::over(Arc::new(PrefixStore::new(store, prefix)), root),
        })
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

    pub async fn get(&self, path: &Path) -> Result<Bytes> {
        let answer = self.store.get(path).await.map_err(|error| read_error("read", path, error))?;
        answer.bytes().await.map_err(|error| read_error("read", path, error))
    }

    pub async fn get_range(&self, path: &Path, range: Range<u64>) -> Result<Bytes> {
        self.store.get_range(path, range).await.map_err(|error| read_error("read", path, error))
    }

    /// Size and time of an object.
    pub async fn head(&self, path: &Path) -> Result<ObjectMeta> {
        self.store.head(path).await.map_err(|error| read_error("look at", path, error))
    }

    /// Writes an object, over an older one if there is one. Durable when it returns.
    pub async fn put(&self, path: &Path, bytes: Bytes) -> Result<()> {
        self.store.put(path, PutPayload::from(bytes)).await.map_err(|error| write_error("write", path, error))?;
        Ok(())
    }

    /// As [`Objects::put`], of an object that lies in pieces.
    pub async fn put_parts(&self, path: &Path, parts: Vec<Bytes>) -> Result<()> {
        let payload: PutPayload = parts.into_iter().collect();
        self.store.put(path, payload).await.map_err(|error| write_error("write", path, error))?;
        Ok(())
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
            Err(error) => Err(write_error("create", path, error)),
        }
    }

    /// All objects below a prefix, sorted by path.
    pub async fn list(&self, prefix: &Path) -> Result<Vec<ObjectMeta>> {
        let found: Result<Vec<ObjectMeta>, _> = self.store.list(Some(prefix)).try_collect().await;
        let mut found = match found {
            Err(object_store::Error::NotFound { .. }) => Vec::new(),
            other => other.map_err(|error| read_error("list", prefix, error))?,
        };
        found.sort_by(|a, b| a.location.cmp(&b.location));
        Ok(found)
    }

    /// Removes an object; one that is not there is as good as removed.
    pub async fn delete(&self, path: &Path) -> Result<()> {
        match self.store.delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(write_error("delete", path, error)),
        }
    }
}

fn read_error(doing: &str, path: &Path, error: object_store::Error) -> Error {
    use object_store::Error as E;
    match error {
        E::NotFound { .. } => Error::missing(format!("there is no object '{path}'")),
        error if is_permanent(&error) => Error::invalid(format!("could not {doing} object '{path}': {error}")),
        error => Error::busy(format!("could not {doing} object '{path}', try again: {error}")),
    }
}

fn write_error(doing: &str, path: &Path, error: object_store::Error) -> Error {
    match is_permanent(&error) {
        true => Error::invalid(format!("could not {doing} object '{path}': {error}")),
        false => Error::unknown(format!("it is not known whether we could {doing} object '{path}': {error}")),
    }
}

/// Refusals that repeating does not change, and after which nothing was written.
fn is_permanent(error: &object_store::Error) -> bool {
    use object_store::Error as E;
    matches!(
        error,
        E::InvalidPath { .. }
            | E::NotSupported { .. }
            | E::NotImplemented { .. }
            | E::PermissionDenied { .. }
            | E::Unauthenticated { .. }
            | E::UnknownConfigurationKey { .. }
    )
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Objects({})", self.root)
    }
}

#[cfg(test)]
mod tests;
