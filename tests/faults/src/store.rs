//! How does a plan become a store?

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use crate::plan::{Fault, Plan, Request, Verdict};

/// A store that is struck once.
#[derive(Debug, Clone)]
pub struct Faults {
    inner: Arc<dyn ObjectStore>,
    plan: Arc<Mutex<Plan>>,
}

impl Faults {
    /// Strikes at the first request from number `from` on, counted from 0, to which the fault applies.
    pub fn over(inner: Arc<dyn ObjectStore>, fault: Fault, from: u64) -> Faults {
        Faults { inner, plan: Arc::new(Mutex::new(Plan::new(fault, from))) }
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().expect("nobody panics while holding it")
    }

    /// Requests so far.
    pub fn requests(&self) -> u64 {
        self.plan().requests()
    }

    /// The fault has struck, and the store is sound again.
    pub fn is_over(&self) -> bool {
        self.plan().is_over()
    }

    fn listed(&self, prefix: Option<&Path>) -> Result<Vec<Path>> {
        match self.plan().request(Request::List, prefix.unwrap_or(&Path::default())) {
            Verdict::Refuse(error) | Verdict::LoseAnswer(error) => Err(error),
            Verdict::Stale(left_out) => Ok(left_out),
            Verdict::Pass | Verdict::Truncate | Verdict::WrongEtag => Ok(Vec::new()),
        }
    }

    async fn remove(&self, path: Path) -> Result<Path> {
        let verdict = self.plan().request(Request::Delete, &path);
        match verdict {
            Verdict::Refuse(error) => Err(error),
            Verdict::LoseAnswer(error) => {
                self.inner.delete(&path).await?;
                Err(error)
            }
            _ => self.inner.delete(&path).await.map(|()| path),
        }
    }
}

fn wrong() -> Option<String> {
    Some("wrong".to_owned())
}

/// The first half of an answer, which says that it is all.
async fn halved(found: GetResult) -> Result<GetResult> {
    let (meta, range, attributes) = (found.meta.clone(), found.range.clone(), found.attributes.clone());
    let bytes: Bytes = found.bytes().await?;
    let half = bytes.slice(..bytes.len() / 2);
    let payload = GetResultPayload::Stream(stream::once(async { Ok(half) }).boxed());
    Ok(GetResult { payload, meta, range, attributes })
}

#[async_trait]
impl ObjectStore for Faults {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let verdict = self.plan().request(Request::Put, location);
        if let Verdict::Refuse(error) = verdict {
            return Err(error);
        }
        let mut done = self.inner.put_opts(location, payload, options).await?;
        self.plan().put(location);
        match verdict {
            Verdict::LoseAnswer(error) => return Err(error),
            Verdict::WrongEtag => done.e_tag = wrong(),
            _ => {}
        }
        Ok(done)
    }

    async fn put_multipart_opts(&self, path: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let request = if options.head { Request::Head } else { Request::Get };
        let verdict = self.plan().request(request, location);
        if let Verdict::Refuse(error) = verdict {
            return Err(error);
        }
        let mut found = self.inner.get_opts(location, options).await?;
        match verdict {
            Verdict::Truncate => return halved(found).await,
            Verdict::WrongEtag => found.meta.e_tag = wrong(),
            _ => {}
        }
        Ok(found)
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        locations
            .then(move |path| {
                let store = store.clone();
                async move { store.remove(path?).await }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.listed(prefix) {
            Err(error) => stream::once(async { Err(error) }).boxed(),
            Ok(left_out) => {
                let seen = move |found: &ObjectMeta| std::future::ready(!left_out.contains(&found.location));
                self.inner.list(prefix).try_filter(seen).boxed()
            }
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let left_out = self.listed(prefix)?;
        let mut found = self.inner.list_with_delimiter(prefix).await?;
        found.objects.retain(|object| !left_out.contains(&object.location));
        Ok(found)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).boxed().await
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "faulty {}", self.inner)
    }
}
