//! How does a node listen, so that its shards share a port?

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// What a read reserves when its buffer is full.
pub(crate) const READ_BYTES: usize = 64 * 1024;
/// Buffers that go to the kernel in one call.
pub(crate) const SLICES_MAX: usize = 64;
/// Connections the kernel holds until a shard accepts them.
const BACKLOG: i32 = 1024;

/// A non-blocking listener with SO_REUSEPORT: the kernel spreads connections over all listeners of an address.
pub(crate) fn listener(addr: SocketAddr) -> io::Result<TcpListener> {
    let bind = || {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&addr.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    bind().map_err(|error: io::Error| io::Error::new(error.kind(), format!("cannot listen on {addr}: {error}")))
}

/// The place in a list of buffers up to which all is written.
pub(crate) struct Progress {
    buffer: usize,
    byte: usize,
}

impl Progress {
    pub(crate) fn start() -> Progress {
        Progress { buffer: 0, byte: 0 }
    }

    /// The next slices to write; none when all is written.
    pub(crate) fn slices<'a>(&self, bufs: &'a [bytes::Bytes]) -> Vec<io::IoSlice<'a>> {
        let rest = bufs.get(self.buffer..).unwrap_or_default();
        let mut skip = self.byte;
        let mut slices = Vec::with_capacity(rest.len().min(SLICES_MAX));
        for buf in rest {
            let unwritten = &buf[std::mem::take(&mut skip)..];
            if !unwritten.is_empty() {
                slices.push(io::IoSlice::new(unwritten));
            }
            if slices.len() == SLICES_MAX {
                break;
            }
        }
        slices
    }

    /// Notes that `written` more bytes are out.
    pub(crate) fn advance(&mut self, bufs: &[bytes::Bytes], mut written: usize) {
        while let Some(buf) = bufs.get(self.buffer) {
            let left = buf.len() - self.byte;
            if written < left {
                self.byte += written;
                return;
            }
            written -= left;
            self.buffer += 1;
            self.byte = 0;
        }
    }
}

#[cfg(test)]
mod tests;
