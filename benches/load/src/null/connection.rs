//! How are the frames of one client read, and its answers written?

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Write};
use std::os::fd::AsRawFd;

use anyhow::Result;
use bytes::{Buf, Bytes, BytesMut};
use mio::net::TcpStream;
use model::limits::REQUEST_BYTES_MAX;
use wire::frame;

const READ_BYTES: usize = 256 * 1024;
const SLICES_MAX: usize = 64;

pub struct Connection {
    stream: TcpStream,
    received: BytesMut,
    closed: bool,
    pub out: VecDeque<Bytes>,
}

impl Connection {
    pub fn new(stream: TcpStream) -> Connection {
        Connection { stream, received: BytesMut::new(), closed: false, out: VecDeque::new() }
    }

    /// All whole frames that have arrived.
    pub fn read(&mut self) -> Result<Vec<Bytes>> {
        let mut frames = Vec::new();
        loop {
            self.received.reserve(READ_BYTES);
            let (read, room) = self.receive();
            while let Some(frame) = frame::take(&mut self.received, REQUEST_BYTES_MAX)? {
                frames.push(frame);
            }
            match read {
                Ok(0) => self.closed = true,
                Ok(count) if count == room => continue,
                Err(error) if error.kind() != ErrorKind::WouldBlock => self.closed = true,
                // A read that did not fill its room has taken all that there was.
                Ok(_) | Err(_) => {}
            }
            return Ok(frames);
        }
    }

    /// What arrived, and how much could have.
    fn receive(&mut self) -> (io::Result<usize>, usize) {
        let spare = self.received.spare_capacity_mut();
        let (start, room) = (spare.as_mut_ptr(), spare.len());
        // SAFETY: `start` is valid for writes of `room` bytes; the kernel only writes there.
        let count = unsafe { libc::recv(self.stream.as_raw_fd(), start.cast(), room, 0) };
        let Ok(count) = usize::try_from(count) else { return (Err(io::Error::last_os_error()), room) };
        // SAFETY: the kernel has initialised `count` bytes behind the old length.
        unsafe { self.received.set_len(self.received.len() + count) };
        (Ok(count), room)
    }

    pub fn close(&mut self) {
        self.closed = true;
    }

    /// Writes what the kernel takes; false once the connection is over.
    pub fn write(&mut self) -> bool {
        while !self.out.is_empty() {
            let slices: Vec<IoSlice> = self.out.iter().take(SLICES_MAX).map(|piece| IoSlice::new(piece)).collect();
            match self.stream.write_vectored(&slices) {
                Ok(written) => self.advance(written),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(_) => return false,
            }
        }
        !self.closed
    }

    fn advance(&mut self, mut written: usize) {
        while let Some(front) = self.out.front_mut().filter(|_| written > 0) {
            let step = written.min(front.len());
            front.advance(step);
            written -= step;
            if front.is_empty() {
                self.out.pop_front();
            }
        }
    }
}
