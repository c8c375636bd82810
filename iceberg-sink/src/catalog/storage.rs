//! How do Iceberg's readers and writers reach our objects?

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use iceberg::io::{
    FileIO, FileIOBuilder, FileMetadata, FileRead, FileWrite, InputFile, OutputFile, Storage, StorageConfig,
    StorageFactory,
};
use iceberg::{Error, ErrorKind, Result};
use objects::{Objects, Path};
use serde::{Deserialize, Serialize};

use super::trouble::to_iceberg;

/// Files by full URI, through the one object client.
pub fn file_io(objects: Objects) -> FileIO {
    FileIOBuilder::new(Arc::new(ObjectsStorage(objects))).build()
}

/// Both the storage and its factory. Serialised as the root's URL: another process opens it with its own credentials.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct ObjectsStorage(Objects);

impl TryFrom<String> for ObjectsStorage {
    type Error = model::Error;

    fn try_from(url: String) -> model::Result<ObjectsStorage> {
        Objects::open(&url).map(ObjectsStorage)
    }
}

impl From<ObjectsStorage> for String {
    fn from(storage: ObjectsStorage) -> String {
        storage.0.root().to_owned()
    }
}

#[typetag::serde(name = "frazil-objects")]
impl StorageFactory for ObjectsStorage {
    fn build(&self, _: &StorageConfig) -> Result<Arc<dyn Storage>> {
        Ok(Arc::new(self.clone()))
    }
}

impl ObjectsStorage {
    fn path(&self, uri: &str) -> Result<Path> {
        let outside = || Error::new(ErrorKind::DataInvalid, format!("'{uri}' lies outside of {}", self.0.root()));
        self.0.path_of(uri).ok_or_else(outside)
    }
}

#[async_trait]
#[typetag::serde(name = "frazil-objects")]
impl Storage for ObjectsStorage {
    async fn exists(&self, uri: &str) -> Result<bool> {
        match self.0.head(&self.path(uri)?).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind == model::Kind::Missing => Ok(false),
            Err(error) => Err(to_iceberg(error)),
        }
    }

    async fn metadata(&self, uri: &str) -> Result<FileMetadata> {
        let found = self.0.head(&self.path(uri)?).await.map_err(to_iceberg)?;
        Ok(FileMetadata { size: found.size })
    }

    async fn read(&self, uri: &str) -> Result<Bytes> {
        self.0.get(&self.path(uri)?).await.map_err(to_iceberg)
    }

    async fn reader(&self, uri: &str) -> Result<Box<dyn FileRead>> {
        Ok(Box::new(Reader { objects: self.0.clone(), path: self.path(uri)? }))
    }

    async fn write(&self, uri: &str, bytes: Bytes) -> Result<()> {
        self.0.put(&self.path(uri)?, bytes).await.map_err(to_iceberg)
    }

    async fn writer(&self, uri: &str) -> Result<Box<dyn FileWrite>> {
        Ok(Box::new(Writer { objects: self.0.clone(), path: self.path(uri)?, held: Some(BytesMut::new()) }))
    }

    async fn delete(&self, uri: &str) -> Result<()> {
        self.0.delete(&self.path(uri)?).await.map_err(to_iceberg)
    }

    async fn delete_prefix(&self, uri: &str) -> Result<()> {
        for object in self.0.list(&self.path(uri)?).await.map_err(to_iceberg)? {
            self.0.delete(&object.location).await.map_err(to_iceberg)?;
        }
        Ok(())
    }

    async fn delete_stream(&self, mut uris: BoxStream<'static, String>) -> Result<()> {
        while let Some(uri) = uris.next().await {
            self.delete(&uri).await?;
        }
        Ok(())
    }

    fn new_input(&self, uri: &str) -> Result<InputFile> {
        Ok(InputFile::new(Arc::new(self.clone()), uri.to_owned()))
    }

    fn new_output(&self, uri: &str) -> Result<OutputFile> {
        Ok(OutputFile::new(Arc::new(self.clone()), uri.to_owned()))
    }
}

struct Reader {
    objects: Objects,
    path: Path,
}

#[async_trait]
impl FileRead for Reader {
    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        self.objects.get_range(&self.path, range).await.map_err(to_iceberg)
    }
}

/// Holds all that is written (manifests and their lists are small) and puts it in one piece when it is closed.
struct Writer {
    objects: Objects,
    path: Path,
    held: Option<BytesMut>,
}

#[async_trait]
impl FileWrite for Writer {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        let held = self.held.as_mut().ok_or_else(closed)?;
        held.extend_from_slice(&bytes);
        Ok(())
    }

    async fn close(&mut self) -> Result<()> {
        let held = self.held.take().ok_or_else(closed)?;
        self.objects.put(&self.path, held.freeze()).await.map_err(to_iceberg)
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Unexpected, "this file is closed already")
}
