//! How does a shard talk TCP on tokio?

use std::io;
use std::net::{Shutdown, SocketAddr};

use bytes::{Bytes, BytesMut};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use crate::driver::{Listener, Stream, StreamRead, StreamWrite};
use crate::net::{self, Progress, READ_BYTES};

pub struct PortableListener(TcpListener);

pub struct PortableStream(TcpStream);

pub struct PortableRead(OwnedReadHalf);

pub struct PortableWrite(OwnedWriteHalf);

impl PortableListener {
    pub(crate) fn bind(addr: SocketAddr) -> io::Result<PortableListener> {
        TcpListener::from_std(net::listener(addr)?).map(PortableListener)
    }
}

impl Listener for PortableListener {
    type Stream = PortableStream;

    async fn accept(&self) -> io::Result<(PortableStream, SocketAddr)> {
        let (stream, peer) = self.0.accept().await?;
        // Fails only when the peer has gone already; the first read will say so.
        let _ = stream.set_nodelay(true);
        Ok((PortableStream(stream), peer))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Stream for PortableStream {
    type Read = PortableRead;
    type Write = PortableWrite;

    fn split(self) -> (PortableRead, PortableWrite) {
        let (read, write) = self.0.into_split();
        (PortableRead(read), PortableWrite(write))
    }
}

impl StreamRead for PortableRead {
    async fn read(&mut self, buf: &mut BytesMut) -> io::Result<usize> {
        if buf.capacity() == buf.len() {
            // Not before something has come: most connections are idle, and an idle one needs no buffer.
            self.0.readable().await?;
            buf.reserve(READ_BYTES);
        }
        self.0.read_buf(buf).await
    }
}

impl StreamWrite for PortableWrite {
    async fn write_all(&mut self, bufs: &[Bytes]) -> io::Result<()> {
        let mut progress = Progress::start();
        loop {
            let slices = progress.slices(bufs);
            if slices.is_empty() {
                return Ok(());
            }
            match self.0.write_vectored(&slices).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => progress.advance(bufs, written),
            }
        }
    }

    fn close(&mut self) {
        // An error means that the peer was faster.
        let _ = SockRef::from(self.0.as_ref()).shutdown(Shutdown::Both);
    }
}
