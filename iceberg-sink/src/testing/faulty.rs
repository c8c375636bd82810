//! What does a store look like that fails at chosen writes?

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result,
};
use objects::Objects;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is written.
    Before,
    /// It is written, but the answer is lost.
    After,
}

/// Counts puts; those whose turn it is fail.
#[derive(Debug)]
pub struct Faulty {
    inner: Arc<dyn ObjectStore>,
    puts: AtomicU64,
    /// 0: none. Else the puts with these numbers, counted from 1.
    first: AtomicU64,
    every: AtomicU64,
    lose_answers: AtomicU64,
}

impl Faulty {
    pub fn over(objects: &Objects) -> (Arc<Faulty>, Objects) {
        let faulty = Arc::new(Faulty {
            inner: objects.store(),
            puts: AtomicU64::new(0),
            first: AtomicU64::new(0),
            every: AtomicU64::new(0),
            lose_answers: AtomicU64::new(0),
        });
        (faulty.clone(), Objects::over(faulty, objects.root()))
    }

    /// The put after `skip` further ones fails, and then every `every`-th (0: no other).
    pub fn fail(&self, skip: u64, every: u64, fault: Fault) {
        self.lose_answers.store(u64::from(fault == Fault::After), Ordering::SeqCst);
        self.every.store(every, Ordering::SeqCst);
        self.first.store(self.puts.load(Ordering::SeqCst) + skip + 1, Ordering::SeqCst);
    }

    pub fn heal(&self) {
        self.first.store(0, Ordering::SeqCst);
    }

    fn fault(&self) -> Option<Fault> {
        let number = self.puts.fetch_add(1, Ordering::SeqCst) + 1;
        let (first, every) = (self.first.load(Ordering::SeqCst), self.every.load(Ordering::SeqCst));
        let turn =
            first != 0 && (number == first || (number > first && every != 0 && (number - first).is_multiple_of(every)));
        turn.then(|| if self.lose_answers.load(Ordering::SeqCst) == 1 { Fault::After } else { Fault::Before })
    }
}

fn broken() -> object_store::Error {
    object_store::Error::Generic { store: "faulty", source: "connection reset".into() }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        match self.fault() {
            None => self.inner.put_opts(location, payload, options).await,
            Some(Fault::Before) => Err(broken()),
            Some(Fault::After) => {
                self.inner.put_opts(location, payload, options).await?;
                Err(broken())
            }
        }
    }

    async fn put_multipart_opts(&self, path: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
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

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "faulty {}", self.inner)
    }
}
