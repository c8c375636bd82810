//! What is outside of a shard: the files and sockets of this machine, or those of a world in memory?

use std::future::Future;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use super::Tested;
use crate::fake::{Disk, End, Fake, Image, Net, start_shard_fake};
use crate::shard::{ShardOptions, ShardThread};

/// The other end of a connection, used by a thread that may block.
pub(super) trait Peer: Read + Write + Send + Sized + 'static {
    fn connect(addr: SocketAddr) -> Self;
    fn addr(&self) -> SocketAddr;
    /// The same connection, for another thread.
    fn second(&self) -> Self;
    fn end_writing(&self);
}

impl Peer for TcpStream {
    fn connect(addr: SocketAddr) -> TcpStream {
        let stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    }

    fn addr(&self) -> SocketAddr {
        self.local_addr().unwrap()
    }

    fn second(&self) -> TcpStream {
        self.try_clone().unwrap()
    }

    fn end_writing(&self) {
        self.shutdown(Shutdown::Write).unwrap();
    }
}

/// The disk and the network of all fake shards of these tests.
static DISK: LazyLock<Arc<Mutex<Disk>>> = LazyLock::new(|| Arc::new(Mutex::new(Disk::new(Image::new()))));
static NET: LazyLock<Net> = LazyLock::new(Net::default);

fn disk<T>(call: impl FnOnce(&mut Disk) -> T) -> T {
    call(&mut DISK.lock().unwrap())
}

impl Tested for Fake {
    type Peer = FakePeer;

    fn start<F, Fut>(options: ShardOptions, main: F) -> io::Result<ShardThread>
    where
        F: FnOnce(Fake) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + 'static,
    {
        start_shard_fake(options, DISK.clone(), NET.clone(), main)
    }

    fn scratch() -> tempfile::TempDir {
        // Only its name is used, which nobody else has.
        let dir = tempfile::tempdir().unwrap();
        disk(|disk| disk.make_folder(dir.path())).unwrap();
        dir
    }

    fn write_file(path: &Path, bytes: &[u8]) {
        disk(|disk| disk.put(path, bytes.to_vec()));
    }

    fn read_file(path: &Path) -> Vec<u8> {
        disk(|disk| disk.read(path)).unwrap()
    }

    fn make_file(path: &Path, len: u64) {
        Fake::write_file(path, &vec![0; usize::try_from(len).unwrap()]);
    }

    fn limit_file_size(bytes: Option<u64>) {
        disk(|disk| disk.file_bytes_max = bytes);
    }

    fn expect_durable_writes(path: &Path) {
        let written = Fake::read_file(path);
        for seed in 0..20 {
            let left = Fake::new(disk(|disk| disk.crash_image_of(seed)), seed).image();
            assert!(left[path] == written, "seed {seed}");
        }
    }

    fn reserve_port() -> (Option<socket2::Socket>, SocketAddr) {
        (None, SocketAddr::from(([127, 0, 0, 1], NET.reserve_port())))
    }
}

pub(super) struct FakePeer(Arc<Shared>);

struct Shared {
    end: End,
    addr: SocketAddr,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.end.read.end_reading();
        self.end.write.end_writing();
    }
}

impl Peer for FakePeer {
    fn connect(addr: SocketAddr) -> FakePeer {
        let (end, addr) = NET.connect(addr).unwrap();
        FakePeer(Arc::new(Shared { end, addr }))
    }

    fn addr(&self) -> SocketAddr {
        self.0.addr
    }

    fn second(&self) -> FakePeer {
        FakePeer(self.0.clone())
    }

    fn end_writing(&self) {
        self.0.end.write.end_writing();
    }
}

impl Read for FakePeer {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let pipe = &self.0.end.read;
        block_on(std::future::poll_fn(|context| pipe.poll_filled(context)));
        let bytes = pipe.take(buf.len());
        buf[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

impl Write for FakePeer {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        block_on(std::future::poll_fn(|context| self.0.end.write.poll_put(context, buf)))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}
