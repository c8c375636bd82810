//! How do bytes, and connections, wait for who wants them?

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;

use crate::fake::world::locked;

/// Bytes under way in one direction.
const PIPE_BYTES: usize = 64 * 1024;
/// Connections that wait to be accepted.
const BACKLOG: usize = 1024;

/// One direction of a connection.
#[derive(Default)]
pub(crate) struct Pipe(Mutex<Flow>);

#[derive(Default)]
struct Flow {
    bytes: BytesMut,
    /// Nothing more is written, or nobody reads any more.
    no_writer: bool,
    no_reader: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// Both directions as one side sees them.
pub(crate) struct End {
    pub(crate) read: Arc<Pipe>,
    pub(crate) write: Arc<Pipe>,
}

impl Flow {
    fn wake_both(&mut self) {
        [self.reader.take(), self.writer.take()].into_iter().flatten().for_each(Waker::wake);
    }
}

impl Pipe {
    /// Ready when there is something to take, or never will be.
    pub(crate) fn poll_filled(&self, context: &Context<'_>) -> Poll<()> {
        let mut flow = locked(&self.0);
        if !flow.bytes.is_empty() || flow.no_writer || flow.no_reader {
            return Poll::Ready(());
        }
        flow.reader = Some(context.waker().clone());
        Poll::Pending
    }

    /// At most `most` of the bytes that have come; none at the end.
    pub(crate) fn take(&self, most: usize) -> BytesMut {
        let mut flow = locked(&self.0);
        if flow.no_reader {
            return BytesMut::new();
        }
        let count = most.min(flow.bytes.len());
        let taken = flow.bytes.split_to(count);
        if let Some(writer) = flow.writer.take() {
            writer.wake();
        }
        taken
    }

    /// Puts in what there is room for.
    pub(crate) fn poll_put(&self, context: &Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut flow = locked(&self.0);
        if flow.no_reader || flow.no_writer {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let count = bytes.len().min(PIPE_BYTES - flow.bytes.len());
        if count == 0 {
            flow.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        flow.bytes.extend_from_slice(&bytes[..count]);
        if let Some(reader) = flow.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(count))
    }

    pub(crate) fn end_writing(&self) {
        let mut flow = locked(&self.0);
        flow.no_writer = true;
        flow.wake_both();
    }

    pub(crate) fn end_reading(&self) {
        let mut flow = locked(&self.0);
        flow.no_reader = true;
        flow.wake_both();
    }
}

/// Connections that a listener has not accepted yet.
#[derive(Default)]
pub(crate) struct Arrivals(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    waiting: VecDeque<(End, SocketAddr)>,
    waker: Option<Waker>,
}

impl Arrivals {
    pub(crate) fn add(&self, end: End, peer: SocketAddr) -> io::Result<()> {
        let mut queue = locked(&self.0);
        if queue.waiting.len() == BACKLOG {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        queue.waiting.push_back((end, peer));
        if let Some(waker) = queue.waker.take() {
            waker.wake();
        }
        Ok(())
    }

    pub(crate) fn poll(&self, context: &Context<'_>) -> Poll<(End, SocketAddr)> {
        let mut queue = locked(&self.0);
        if let Some(first) = queue.waiting.pop_front() {
            return Poll::Ready(first);
        }
        queue.waker = Some(context.waker().clone());
        Poll::Pending
    }
}
