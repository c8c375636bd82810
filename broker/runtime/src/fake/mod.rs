//! How does a shard run in a world that a seed decides?
//!
//! One thread, a clock that jumps to the next timer, a disk and a network in memory. The seed chooses which of the
//! ready tasks runs next, how long each operation of the disk takes and so in which order they end, what of the
//! unfinished ones a crash leaves, and how a stream is cut into reads. The same seed gives the same events, of which
//! [`Fake::trace`] is a running hash. A task is polled only when it was woken, so a forgotten wake is found.

mod disk;
mod file;
mod log;
mod net;
mod run;
mod timers;
mod world;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use bytes::Bytes;

use crate::common::about;
use crate::disk::check_len;
use crate::driver::{DirEntry, Driver, Instant};
use crate::tasks::{Task, yield_once};
use timers::Sleep;
use world::World;

pub use disk::{Disk, Faults, Image};
pub use file::FakeFile;
pub use log::FakeLog;
#[cfg(test)]
pub(crate) use net::End;
pub use net::{FakeListener, FakeRead, FakeStream, FakeWrite, Net};
pub use run::start_shard_fake;

/// When every world begins, in milliseconds since 1970.
const WALL_START_MS: i64 = 1_700_000_000_000;

/// The driver of a shard in a world of its own. Clones are the same.
#[derive(Clone)]
pub struct Fake(Rc<World>);

impl Fake {
    /// A shard that starts on what a disk holds.
    pub fn new(files: Image, seed: u64) -> Fake {
        Fake(World::new(Disk::new(files), Net::default(), seed))
    }

    /// What the disk does wrong.
    pub fn faults(&self) -> &Faults {
        &self.0.faults
    }

    /// A hash of all that has happened so far.
    pub fn trace(&self) -> u64 {
        self.0.trace.get()
    }

    /// A number below `end`, which is not 0.
    pub fn below(&self, end: u64) -> u64 {
        self.random() % end
    }

    /// Bytes that were read from files so far.
    pub fn bytes_read(&self) -> u64 {
        self.0.bytes_read.get()
    }

    /// Logs that were made so far, full of zeros.
    pub fn logs_created(&self) -> usize {
        self.0.zeroed.get()
    }

    /// The most log writes that were in flight at once.
    pub fn in_flight_most(&self) -> usize {
        self.0.disk().in_flight_most()
    }

    /// What a process that goes on sees of the disk.
    pub fn image(&self) -> Image {
        self.0.disk().image()
    }

    /// What may be on the disk after a loss of power now: of the writes that have not ended any sectors, of files and
    /// names that are not synced any part.
    pub fn crash_image(&self) -> Image {
        self.0.disk().crash_image(&self.0.dice, self.0.faults.sector_bytes.get())
    }

    /// `look` is called each time before a timer fires or an operation of the disk ends: nothing moves meanwhile.
    pub fn before_each_step(&self, look: impl FnMut() + 'static) {
        *self.0.observer.borrow_mut() = Some(Box::new(look));
    }

    /// Damages a bit of the n-th file.
    pub fn flip(&self, n: usize, at: usize) {
        self.0.disk().flip(n, at);
    }

    /// Connects to a listener of this world.
    pub fn connect(&self, addr: SocketAddr) -> io::Result<FakeStream> {
        let (end, _) = self.0.net.connect(addr)?;
        Ok(FakeStream::new(self.clone(), end))
    }

    /// One step of a file operation: it takes effect when its time has come, all of it or, as the error says, not.
    async fn step<T>(
        &self,
        name: &'static str,
        path: &Path,
        call: impl FnOnce(&mut Disk) -> io::Result<T>,
    ) -> io::Result<T> {
        self.0.pause().await;
        let result = call(&mut self.0.disk());
        self.0.note(name, path.as_os_str().len() as u64, u64::from(result.is_ok()));
        result.map_err(|error| about(path, error))
    }

    /// Writes a file under a new name, without making anything durable.
    async fn fill(&self, name: &'static str, path: &Path, bytes: Vec<u8>) -> io::Result<()> {
        self.0.faults.write().map_err(|error| about(path, error))?;
        let (quota, hides) = (self.0.faults.quota(), self.0.faults.hides_errors.get());
        let made = self.step(name, path, |disk| disk.create(path, bytes, quota)).await;
        if hides && made.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::StorageFull) {
            Ok(())
        } else {
            made
        }
    }
}

impl Driver for Fake {
    type Log = FakeLog;
    type File = FakeFile;
    type Listener = FakeListener;
    type Task<T: 'static> = Task<T>;

    fn now(&self) -> Instant {
        self.0.now()
    }

    fn wall_ms(&self) -> i64 {
        WALL_START_MS + i64::try_from(self.now().0 / 1_000_000).expect("a world does not get so old")
    }

    fn random(&self) -> u64 {
        self.0.dice.next()
    }

    fn sleep_until(&self, at: Instant) -> impl Future<Output = ()> + 'static + use<> {
        Sleep::new(self.0.clone(), at)
    }

    fn yield_now(&self) -> impl Future<Output = ()> + 'static + use<> {
        yield_once()
    }

    fn should_yield(&self) -> bool {
        self.0.share_is_over()
    }

    fn spawn<T: 'static>(&self, name: &'static str, task: impl Future<Output = T> + 'static) -> Task<T> {
        let (handle, tracked) = self.0.registry.track(name, task);
        self.0.start(Box::pin(tracked));
        handle
    }

    fn create_log(&self, path: &Path, len: u64) -> impl Future<Output = io::Result<FakeLog>> + 'static + use<> {
        let (fake, path) = (self.clone(), path.to_owned());
        async move {
            check_len(len)?;
            fake.0.zeroed.set(fake.0.zeroed.get() + 1);
            fake.fill("create", &path, vec![0; usize::try_from(len).expect("memory holds it")]).await?;
            fake.step("sync", &path, |disk| disk.sync(&path)).await?;
            fake.step("sync folder", &path, |disk| disk.sync_folder_of(&path)).await?;
            fake.open_log(&path).await
        }
    }

    fn open_log(&self, path: &Path) -> impl Future<Output = io::Result<FakeLog>> + 'static + use<> {
        FakeLog::open(self.clone(), path.to_owned())
    }

    fn open_read(&self, path: &Path) -> impl Future<Output = io::Result<FakeFile>> + 'static + use<> {
        FakeFile::open(self.clone(), path.to_owned())
    }

    fn replace_file(&self, path: &Path, bytes: &[u8]) -> impl Future<Output = io::Result<()>> + 'static + use<> {
        let (fake, path, bytes) = (self.clone(), path.to_owned(), bytes.to_vec());
        async move {
            let mut name = path.file_name().unwrap_or_default().to_os_string();
            name.push(".tmp");
            let temporary: PathBuf = path.with_file_name(name);
            fake.step("truncate", &path, |disk| disk.unlink_if_there(&temporary)).await?;
            fake.fill("write", &temporary, bytes).await?;
            fake.step("sync", &path, |disk| disk.sync(&temporary)).await?;
            fake.step("rename", &path, |disk| disk.rename(&temporary, &path)).await?;
            fake.step("sync folder", &path, |disk| disk.sync_folder_of(&path)).await
        }
    }

    fn append_file(&self, path: &Path, bytes: Bytes) -> impl Future<Output = io::Result<()>> + 'static + use<> {
        let (fake, path) = (self.clone(), path.to_owned());
        async move {
            fake.0.faults.write().map_err(|error| about(&path, error))?;
            let quota = fake.0.faults.quota();
            fake.step("append", &path, |disk| disk.append(&path, &bytes, quota)).await?;
            fake.step("sync", &path, |disk| disk.sync(&path)).await
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> impl Future<Output = io::Result<()>> + 'static + use<> {
        let (fake, from, to) = (self.clone(), from.to_owned(), to.to_owned());
        async move {
            fake.step("rename", &from, |disk| disk.rename(&from, &to)).await?;
            fake.step("sync folder", &to, |disk| disk.sync_folder_of(&to)).await
        }
    }

    fn remove(&self, path: &Path) -> impl Future<Output = io::Result<()>> + 'static + use<> {
        let (fake, path) = (self.clone(), path.to_owned());
        async move {
            fake.step("remove", &path, |disk| disk.unlink(&path)).await?;
            fake.step("sync folder", &path, |disk| disk.sync_folder_of(&path)).await
        }
    }

    fn create_dir(&self, path: &Path) -> impl Future<Output = io::Result<()>> + 'static + use<> {
        let (fake, path) = (self.clone(), path.to_owned());
        async move { fake.step("folder", &path, |disk| disk.make_folder(&path)).await }
    }

    fn list(&self, dir: &Path) -> impl Future<Output = io::Result<Vec<DirEntry>>> + 'static + use<> {
        let (fake, dir) = (self.clone(), dir.to_owned());
        async move { fake.step("list", &dir, |disk| disk.list(&dir)).await }
    }

    fn listen(&self, addr: SocketAddr) -> io::Result<FakeListener> {
        Ok(FakeListener::new(self.clone(), addr))
    }

    fn shutdown(&self, by: Instant) -> impl Future<Output = usize> + 'static + use<> {
        let world = self.0.clone();
        async move { world.registry.end_all(by, || world.now(), yield_once).await }
    }
}

#[cfg(test)]
mod tests;
