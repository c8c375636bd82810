//! How does a shard run where io_uring is not allowed?
//!
//! On a tokio current-thread runtime, with one writer thread per log and a few threads that read. Also the driver of
//! systems without io_uring, and the control in benchmarks.

mod file;
mod log;
mod run;
mod tcp;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;

use bytes::Bytes;

use crate::clock;
use crate::common::Common;
use crate::driver::{DirEntry, Driver, Instant};
use crate::tasks::Task;

pub use file::PortableFile;
pub use log::PortableLog;
pub use run::start_shard_portable;
pub use tcp::{PortableListener, PortableRead, PortableStream, PortableWrite};

/// The driver of one shard on tokio. Clones are the same.
#[derive(Clone)]
pub struct Portable {
    common: Rc<Common>,
}

impl Portable {
    pub(crate) fn new(common: Rc<Common>) -> Portable {
        Portable { common }
    }
}

impl Driver for Portable {
    type Log = PortableLog;
    type File = PortableFile;
    type Listener = PortableListener;
    type Task<T: 'static> = Task<T>;

    fn now(&self) -> Instant {
        clock::now()
    }

    fn wall_ms(&self) -> i64 {
        clock::wall_ms()
    }

    fn random(&self) -> u64 {
        self.common.random.next()
    }

    fn sleep_until(&self, at: Instant) -> impl Future<Output = ()> + 'static + use<> {
        tokio::time::sleep(clock::until(at))
    }

    fn yield_now(&self) -> impl Future<Output = ()> + 'static + use<> {
        tokio::task::yield_now()
    }

    fn should_yield(&self) -> bool {
        self.common.registry.slice_is_over()
    }

    fn spawn<T: 'static>(&self, name: &'static str, task: impl Future<Output = T> + 'static) -> Task<T> {
        let (handle, tracked) = self.common.registry.track(name, task);
        tokio::task::spawn_local(tracked);
        handle
    }

    fn create_log(&self, path: &Path, len: u64) -> impl Future<Output = io::Result<PortableLog>> + 'static + use<> {
        let zeroed = self.common.create_zeroed(path, len);
        let opened = self.open_log(path);
        async move {
            zeroed.await?;
            opened.await
        }
    }

    fn open_log(&self, path: &Path) -> impl Future<Output = io::Result<PortableLog>> + 'static + use<> {
        PortableLog::open(self.common.clone(), path)
    }

    fn open_read(&self, path: &Path) -> impl Future<Output = io::Result<PortableFile>> + 'static + use<> {
        PortableFile::open(self.common.clone(), path)
    }

    fn replace_file(&self, path: &Path, bytes: &[u8]) -> impl Future<Output = io::Result<()>> + 'static + use<> {
        self.common.replace(path, bytes)
    }

    fn append_file(&self, path: &Path, bytes: Bytes) -> impl Future<Output = io::Result<()>> + 'static + use<> {
        self.common.append(path, bytes)
    }

    fn rename(&self, from: &Path, to: &Path) -> impl Future<Output = io::Result<()>> + 'static + use<> {
        self.common.rename(from, to)
    }

    fn remove(&self, path: &Path) -> impl Future<Output = io::Result<()>> + 'static + use<> {
        self.common.remove(path)
    }

    fn create_dir(&self, path: &Path) -> impl Future<Output = io::Result<()>> + 'static + use<> {
        self.common.make_dir(path)
    }

    fn list(&self, dir: &Path) -> impl Future<Output = io::Result<Vec<DirEntry>>> + 'static + use<> {
        self.common.list(dir)
    }

    fn listen(&self, addr: SocketAddr) -> io::Result<PortableListener> {
        PortableListener::bind(addr)
    }

    fn shutdown(&self, by: Instant) -> impl Future<Output = usize> + 'static + use<> {
        let common = self.common.clone();
        async move { common.registry.end_all(by, clock::now, tokio::task::yield_now).await }
    }
}
