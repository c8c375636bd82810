//! What can a shard ask of the outside world?
//!
//! Everything is local to one shard unless it says otherwise, so nothing here is `Send`.
//! The same code runs on io_uring, on tokio, or on a seeded fake.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use bytes::{Bytes, BytesMut};

use crate::buffer::IoBuf;

/// Monotonic nanoseconds since the process started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub u64);

impl Instant {
    pub fn plus_ms(self, ms: u64) -> Instant {
        Instant(self.0.saturating_add(ms.saturating_mul(1_000_000)))
    }

    /// Whole milliseconds from `earlier` to `self`, 0 if it lies ahead.
    pub fn ms_since(self, earlier: Instant) -> u64 {
        self.0.saturating_sub(earlier.0) / 1_000_000
    }
}

/// A file or folder found by [`Driver::list`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirEntry {
    pub name: String,
    pub len: u64,
}

/// The door of one shard to clock, disk and network. Clones are handles on the same shard.
pub trait Driver: Clone + 'static {
    type Log: LogFile;
    type File: ReadFile;
    type Listener: Listener;
    type Task<T: 'static>: TaskHandle<T>;

    fn now(&self) -> Instant;
    /// Milliseconds since 1970.
    fn wall_ms(&self) -> i64;
    fn random(&self) -> u64;
    fn sleep_until(&self, at: Instant) -> impl Future<Output = ()> + 'static + use<Self>;
    fn yield_now(&self) -> impl Future<Output = ()> + 'static + use<Self>;
    /// True when the current task has had its share.
    fn should_yield(&self) -> bool;
    /// Starts a task that the driver's registry knows; `shutdown` ends it.
    fn spawn<T: 'static>(&self, name: &'static str, task: impl Future<Output = T> + 'static) -> Self::Task<T>;

    /// Makes a file of `len` zeroed bytes, a multiple of [`model::limits::IO_ALIGN`]; file and folder are durable
    /// afterwards. `AlreadyExists` if there is one.
    fn create_log(&self, path: &Path, len: u64) -> impl Future<Output = io::Result<Self::Log>> + 'static + use<Self>;
    fn open_log(&self, path: &Path) -> impl Future<Output = io::Result<Self::Log>> + 'static + use<Self>;
    fn open_read(&self, path: &Path) -> impl Future<Output = io::Result<Self::File>> + 'static + use<Self>;
    /// Writes a temporary file, syncs it, renames it over `path`, syncs the folder.
    fn replace_file(&self, path: &Path, bytes: &[u8]) -> impl Future<Output = io::Result<()>> + 'static + use<Self>;
    /// Adds bytes at the end of a file, which is made if it is missing: durable afterwards, the file's name only
    /// after [`Driver::rename`].
    fn append_file(&self, path: &Path, bytes: Bytes) -> impl Future<Output = io::Result<()>> + 'static + use<Self>;
    /// Gives a file another name in the same folder, in place of what has that name; durable afterwards.
    fn rename(&self, from: &Path, to: &Path) -> impl Future<Output = io::Result<()>> + 'static + use<Self>;
    fn remove(&self, path: &Path) -> impl Future<Output = io::Result<()>> + 'static + use<Self>;
    fn create_dir(&self, path: &Path) -> impl Future<Output = io::Result<()>> + 'static + use<Self>;
    fn list(&self, dir: &Path) -> impl Future<Output = io::Result<Vec<DirEntry>>> + 'static + use<Self>;

    /// Listens with SO_REUSEPORT, so that the shards of a node share a port.
    fn listen(&self, addr: SocketAddr) -> io::Result<Self::Listener>;
    /// Cancels every task of the registry; returns how many were left at `by`. For the shard's main task, which is not
    /// in the registry: any other task would cancel itself.
    fn shutdown(&self, by: Instant) -> impl Future<Output = usize> + 'static + use<Self>;
}

/// A preallocated file that is written with direct I/O. Positions and lengths are multiples of
/// [`model::limits::IO_ALIGN`], at most [`model::limits::IO_BYTES_MAX`] per operation.
pub trait LogFile: Clone + 'static {
    /// Owned memory for one write, zeroed. Other memory may be written too, but is copied where the driver needs its own.
    fn alloc(&self, len: usize) -> IoBuf;
    /// `Ok` means durable, and gives the buffer back as it was. A range that is misaligned, too long or outside the file
    /// is `InvalidInput`, and nothing has happened. A short write is an error. After one error, or after the future of
    /// a write was dropped before its end, every later write fails: what the disk holds is then unknown.
    fn write_at(&self, pos: u64, buf: IoBuf) -> impl Future<Output = io::Result<IoBuf>> + 'static + use<Self>;
    /// All of `len` bytes, or an error.
    fn read_at(&self, pos: u64, len: usize) -> impl Future<Output = io::Result<IoBuf>> + 'static + use<Self>;
    fn len(&self) -> u64;
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Closes it for all clones; operations under way come to their end.
    fn close(self) -> impl Future<Output = io::Result<()>> + 'static + use<Self>;
}

/// A file that is only read, at any position and length.
pub trait ReadFile: 'static {
    /// All of `len` bytes; `InvalidInput` if they lie beyond the length at the time of opening.
    fn read_at(&self, pos: u64, len: usize) -> impl Future<Output = io::Result<Bytes>> + 'static + use<Self>;
    fn len(&self) -> u64;
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

pub trait Listener: 'static {
    type Stream: Stream;
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>>;
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// A connection; the two halves are used by different tasks of one shard.
pub trait Stream: 'static {
    type Read: StreamRead;
    type Write: StreamWrite;
    fn split(self) -> (Self::Read, Self::Write);
}

pub trait StreamRead: 'static {
    /// Appends what has arrived to `buf`, at most its spare capacity (some is reserved if there is none).
    /// `Ok(0)`: the peer has closed. Cancel-safe.
    fn read(&mut self, buf: &mut BytesMut) -> impl Future<Output = io::Result<usize>>;
}

pub trait StreamWrite: 'static {
    /// Writes all of `bufs` in order. Not cancel-safe: a connection whose write was dropped must be closed.
    fn write_all(&mut self, bufs: &[Bytes]) -> impl Future<Output = io::Result<()>>;
    /// Shuts both directions down, so that the reading half ends as well.
    fn close(&mut self);
}

/// A task. Dropping the handle leaves it running under the registry.
pub trait TaskHandle<T>: Future<Output = Option<T>> + Unpin + 'static {
    fn cancel(self);
    /// Lets it run on its own: the same as a drop, but says that it is meant.
    fn keep(self)
    where
        Self: Sized,
    {
    }
}
