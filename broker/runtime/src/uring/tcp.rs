//! How does a shard talk TCP on io_uring?

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_io::{AsyncRead, AsyncWrite};
use glommio::net::{TcpListener, TcpStream};

use crate::driver::{Listener, Stream, StreamRead, StreamWrite};
use crate::net::{self, Progress, READ_BYTES};

/// What is read by way of glommio: more than most requests have, and little to copy.
const FIRST_BYTES: usize = 2048;

pub struct UringListener {
    listener: TcpListener,
    addr: SocketAddr,
}

pub struct UringStream(TcpStream);

/// The halves share the stream; each registers a poll of its own with the ring.
pub struct UringRead {
    stream: Rc<RefCell<TcpStream>>,
    /// The last read filled its buffer: there is more.
    more: bool,
}

pub struct UringWrite(Rc<RefCell<TcpStream>>);

impl UringListener {
    pub(crate) fn bind(addr: SocketAddr) -> io::Result<UringListener> {
        let listener = net::listener(addr)?;
        let addr = listener.local_addr()?;
        // SAFETY: the descriptor is a listening socket, and `into_raw_fd` gives up its ownership.
        let listener = unsafe { TcpListener::from_raw_fd(listener.into_raw_fd()) };
        Ok(UringListener { listener, addr })
    }
}

impl Listener for UringListener {
    type Stream = UringStream;

    async fn accept(&self) -> io::Result<(UringStream, SocketAddr)> {
        loop {
            let stream = self.listener.accept().await?;
            // Both fail only when the peer has gone already: then there is nobody to serve.
            if let (Ok(peer), Ok(())) = (stream.peer_addr(), stream.set_nodelay(true)) {
                return Ok((UringStream(stream), peer));
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.addr)
    }
}

impl Stream for UringStream {
    type Read = UringRead;
    type Write = UringWrite;

    fn split(self) -> (UringRead, UringWrite) {
        let stream = Rc::new(RefCell::new(self.0));
        (UringRead { stream: stream.clone(), more: false }, UringWrite(stream))
    }
}

impl UringRead {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut BytesMut) -> Poll<io::Result<usize>> {
        let mut stream = self.stream.borrow_mut();
        if std::mem::take(&mut self.more)
            && buf.capacity() > buf.len()
            && let Some(result) = receive(&stream, buf)
        {
            self.more = buf.capacity() == buf.len();
            return Poll::Ready(result);
        }
        // glommio takes initialised memory only, so what it reads is copied. If that was all, glommio knows that nothing
        // is left and the next read asks the kernel nothing; if not, the rest goes straight into the buffer. A
        // connection that is idle needs no buffer.
        let mut first = [0; FIRST_BYTES];
        let room = if buf.capacity() > buf.len() { first.len().min(buf.capacity() - buf.len()) } else { first.len() };
        let count = ready!(Pin::new(&mut *stream).poll_read(cx, &mut first[..room]))?;
        if count > 0 {
            buf.reserve(if buf.capacity() > buf.len() { count } else { READ_BYTES });
            buf.extend_from_slice(&first[..count]);
            if count == room && buf.capacity() > buf.len() {
                // A failure shows again at the next read; the bytes so far are good.
                let rest = receive(&stream, buf).and_then(Result::ok).unwrap_or(0);
                self.more = buf.capacity() == buf.len();
                return Poll::Ready(Ok(count + rest));
            }
        }
        Poll::Ready(Ok(count))
    }
}

impl StreamRead for UringRead {
    async fn read(&mut self, buf: &mut BytesMut) -> io::Result<usize> {
        poll_fn(|cx| self.poll_read(cx, buf)).await
    }
}

/// Appends what has arrived to the spare room of `buf`, which is not empty. `None`: nothing has.
fn receive(stream: &TcpStream, buf: &mut BytesMut) -> Option<io::Result<usize>> {
    let spare = buf.spare_capacity_mut();
    let (start, room) = (spare.as_mut_ptr(), spare.len());
    // SAFETY: `start` is valid for writes of `room` bytes; the kernel only writes there.
    let count = unsafe { libc::recv(stream.as_raw_fd(), start.cast(), room, libc::MSG_DONTWAIT) };
    match usize::try_from(count) {
        Ok(count) => {
            // SAFETY: the kernel has initialised `count` bytes after the old length, within the capacity.
            unsafe { buf.set_len(buf.len() + count) };
            Some(Ok(count))
        }
        Err(_) => {
            let error = io::Error::last_os_error();
            let nothing = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted);
            (!nothing).then_some(Err(error))
        }
    }
}

impl StreamWrite for UringWrite {
    async fn write_all(&mut self, bufs: &[Bytes]) -> io::Result<()> {
        let mut progress = Progress::start();
        loop {
            let slices = progress.slices(bufs);
            if slices.is_empty() {
                return Ok(());
            }
            let written = poll_fn(|cx| Pin::new(&mut *self.0.borrow_mut()).poll_write_vectored(cx, &slices)).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            progress.advance(bufs, written);
        }
    }

    fn close(&mut self) {
        let fd = self.0.borrow().as_raw_fd();
        // SAFETY: the descriptor is open as long as the stream. An error means that the peer was faster.
        let _ = unsafe { libc::shutdown(fd, libc::SHUT_RDWR) };
    }
}
