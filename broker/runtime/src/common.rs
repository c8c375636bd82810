//! What do both drivers do in the same way?

use std::future::Future;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use model::ShardId;

use crate::clock::Random;
use crate::cores::CoreSet;
use crate::disk::{self, Pool};
use crate::driver::DirEntry;
use crate::tasks::{Gate, Registry};

/// The part of a shard that does not depend on its executor.
pub(crate) struct Common {
    pub(crate) registry: Rc<Registry>,
    pub(crate) pool: Rc<Pool>,
    pub(crate) random: Random,
    /// Where helper threads may run: where the shard could before it was pinned.
    pub(crate) cores: Arc<CoreSet>,
    pub(crate) shard: ShardId,
}

impl Common {
    pub(crate) fn start(
        shard: ShardId,
        cores: Arc<CoreSet>,
        disk_threads: usize,
        gate: Option<Box<dyn Gate>>,
    ) -> io::Result<Common> {
        let pool = Rc::new(Pool::start(shard, disk_threads, cores.clone())?);
        Ok(Common { registry: Registry::new(gate), pool, random: Random::seeded(), cores, shard })
    }

    pub(crate) fn create_zeroed(
        &self,
        path: &Path,
        len: u64,
    ) -> impl Future<Output = io::Result<()>> + 'static + use<> {
        self.at(path, move |path| disk::create_zeroed(path, len))
    }

    pub(crate) fn replace(&self, path: &Path, bytes: &[u8]) -> impl Future<Output = io::Result<()>> + 'static + use<> {
        let bytes = bytes.to_vec();
        self.at(path, move |path| disk::replace(path, &bytes))
    }

    pub(crate) fn append(&self, path: &Path, bytes: Bytes) -> impl Future<Output = io::Result<()>> + 'static + use<> {
        self.at(path, move |path| disk::append(path, &bytes))
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) -> impl Future<Output = io::Result<()>> + 'static + use<> {
        let to = to.to_owned();
        self.at(from, move |from| disk::rename(from, &to))
    }

    pub(crate) fn remove(&self, path: &Path) -> impl Future<Output = io::Result<()>> + 'static + use<> {
        self.at(path, disk::remove)
    }

    pub(crate) fn make_dir(&self, path: &Path) -> impl Future<Output = io::Result<()>> + 'static + use<> {
        self.at(path, disk::make_dir)
    }

    pub(crate) fn list(&self, dir: &Path) -> impl Future<Output = io::Result<Vec<DirEntry>>> + 'static + use<> {
        self.at(dir, disk::list)
    }

    /// Makes a blocking call about one path; its error names the path.
    pub(crate) fn at<T, C>(&self, path: &Path, call: C) -> impl Future<Output = io::Result<T>> + 'static + use<T, C>
    where
        T: Send + 'static,
        C: FnOnce(&Path) -> io::Result<T> + Send + 'static,
    {
        let path = path.to_owned();
        self.pool.run(move || call(&path).map_err(|error| about(&path, error)))
    }
}

/// Names the file in an error and keeps its kind.
pub(crate) fn about(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
