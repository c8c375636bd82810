//! How is a folder used as object storage so that what was written survives a power cut?

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path as FilePath, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use model::Error;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// `object_store`'s folder, with puts of our own: the file and every folder on its way are synced before a put
/// returns, and a name never shows anything but a whole, synced file.
#[derive(Debug)]
pub struct Folder {
    inner: LocalFileSystem,
    root: PathBuf,
}

impl Folder {
    /// Opens a folder, creating it if it is missing.
    pub fn open(path: &str) -> model::Result<Folder> {
        let unusable =
            |error: io::Error| Error::invalid(format!("folder '{path}' cannot be used for object storage: {error}"));
        fs::create_dir_all(path).map_err(unusable)?;
        let root = fs::canonicalize(path).map_err(unusable)?;
        let inner = LocalFileSystem::new_with_prefix(&root)
            .map_err(|error| Error::invalid(format!("folder '{path}' cannot be used for object storage: {error}")))?;
        Ok(Folder { inner, root })
    }

    pub fn root(&self) -> &FilePath {
        &self.root
    }
}

#[async_trait]
impl ObjectStore for Folder {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let replace = match options.mode {
            PutMode::Overwrite => true,
            PutMode::Create => false,
            PutMode::Update(_) => return Err(refused("an update of one version")),
        };
        let target = self.inner.path_to_filesystem(location)?;
        let root = self.root.clone();
        let written = tokio::task::spawn_blocking(move || write(&root, &target, &payload, replace)).await?;
        match written {
            Ok(()) => Ok(PutResult { e_tag: None, version: None }),
            Err(source) if !replace && source.kind() == ErrorKind::AlreadyExists => {
                Err(object_store::Error::AlreadyExists { path: location.to_string(), source: source.into() })
            }
            Err(source) => Err(object_store::Error::Generic { store: "folder", source: source.into() }),
        }
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Err(refused("an upload in parts"))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(refused("a copy"))
    }
}

/// Nobody needs these of a folder; `object_store` would do them without syncing.
fn refused(operation: &str) -> object_store::Error {
    object_store::Error::NotImplemented { operation: operation.into(), implementer: "folder".into() }
}

/// Writes beside the target, syncs, then gives the file its name in one step: by rename, or by a hard link, which
/// fails if the name is taken.
fn write(root: &FilePath, target: &FilePath, payload: &PutPayload, replace: bool) -> io::Result<()> {
    let folder = target.parent().ok_or(ErrorKind::InvalidInput)?;
    create_folders(root, folder)?;
    let scratch = scratch_name(target);
    let filled = fill(&scratch, payload).and_then(|()| match replace {
        true => fs::rename(&scratch, target),
        false => fs::hard_link(&scratch, target),
    });
    if !replace || filled.is_err() {
        let _ = fs::remove_file(&scratch); // Listings hide it and nobody reads it.
    }
    filled?;
    sync_folder(folder)
}

fn fill(scratch: &FilePath, payload: &PutPayload) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(scratch)?;
    for part in payload.iter() {
        file.write_all(part)?;
    }
    file.sync_all()
}

/// `name#digits`: what `object_store` itself uses, so that its listings hide it.
fn scratch_name(target: &FilePath) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut name = target.as_os_str().to_owned();
    name.push(format!("#{now}{:07}{count}", std::process::id()));
    PathBuf::from(name)
}

/// Creates what is missing of `folder` below `root` and syncs each parent that got an entry.
fn create_folders(root: &FilePath, folder: &FilePath) -> io::Result<()> {
    if folder == root || folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().ok_or(ErrorKind::InvalidInput)?;
    create_folders(root, parent)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => sync_folder(parent),
    }
}

fn sync_folder(folder: &FilePath) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "folder {}", self.root.display())
    }
}

#[cfg(test)]
mod tests;
