//! How does a shard run on io_uring?
//!
//! On a glommio executor, with the guards that docs/adr/0001-glommio-with-guards.md gives the reasons for.

mod file;
mod gate;
mod log;
mod probe;
mod run;
mod tcp;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;

use bytes::Bytes;
use glommio::GlommioError;

use crate::clock;
use crate::common::Common;
use crate::driver::{DirEntry, Driver, Instant};
use crate::tasks::{Task, yield_once};

pub use file::UringFile;
pub use log::UringLog;
pub use probe::probe_uring;
pub use run::start_shard_uring;
pub use tcp::{UringListener, UringRead, UringStream, UringWrite};

/// The operating system's error inside glommio's, so that callers see its number.
fn os_error(error: GlommioError<()>) -> io::Error {
    match error {
        GlommioError::IoError(source) | GlommioError::EnhancedIoError { source, .. } => source,
        error => error.into(),
    }
}

/// The driver of one shard on io_uring. Clones are the same.
#[derive(Clone)]
pub struct Uring {
    common: Rc<Common>,
}

impl Uring {
    pub(crate) fn new(common: Rc<Common>) -> Uring {
        Uring { common }
    }
}

impl Driver for Uring {
    type Log = UringLog;
    type File = UringFile;
    type Listener = UringListener;
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
        glommio::timer::sleep(clock::until(at))
    }

    fn yield_now(&self) -> impl Future<Output = ()> + 'static + use<> {
        yield_once()
    }

    fn should_yield(&self) -> bool {
        self.common.registry.slice_is_over()
    }

    fn spawn<T: 'static>(&self, name: &'static str, task: impl Future<Output = T> + 'static) -> Task<T> {
        let (handle, tracked) = self.common.registry.track(name, task);
        // Detached for glommio, not for us: the registry cancels it. glommio polls a new task at once; `start` puts
        // that off, as nothing of a task may run inside its spawner's borrows.
        self.common.registry.start(|| drop(glommio::spawn_local(tracked).detach()));
        handle
    }

    fn create_log(&self, path: &Path, len: u64) -> impl Future<Output = io::Result<UringLog>> + 'static + use<> {
        let zeroed = self.common.create_zeroed(path, len);
        let opened = self.open_log(path);
        async move {
            zeroed.await?;
            opened.await
        }
    }

    fn open_log(&self, path: &Path) -> impl Future<Output = io::Result<UringLog>> + 'static + use<> {
        UringLog::open(path)
    }

    fn open_read(&self, path: &Path) -> impl Future<Output = io::Result<UringFile>> + 'static + use<> {
        UringFile::open(path)
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

    fn listen(&self, addr: SocketAddr) -> io::Result<UringListener> {
        UringListener::bind(addr)
    }

    fn shutdown(&self, by: Instant) -> impl Future<Output = usize> + 'static + use<> {
        let common = self.common.clone();
        async move { common.registry.end_all(by, clock::now, run::pause).await }
    }
}
