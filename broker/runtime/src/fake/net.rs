//! How do shards and those outside talk in a world without sockets?

mod pipe;

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};

use crate::driver::{Listener, Stream, StreamRead, StreamWrite};
use crate::fake::Fake;
use crate::fake::world::locked;
use crate::net::READ_BYTES;
use pipe::{Arrivals, Pipe};

pub(crate) use pipe::End;

/// Ports that nobody asked for by number come from here on.
const PORTS_START: u16 = 20_000;

/// A network that any number of shards use. Clones are the same.
#[derive(Clone, Default)]
pub struct Net(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    listeners: BTreeMap<SocketAddr, Vec<Arc<Arrivals>>>,
    ports: u16,
    connections: usize,
}

impl State {
    fn free_port(&mut self) -> u16 {
        self.ports = self.ports.wrapping_add(1) % (u16::MAX - PORTS_START);
        PORTS_START + self.ports
    }
}

impl Net {
    /// A listener for an address, beside others on the same one; port 0 is a free one.
    fn listen(&self, mut addr: SocketAddr) -> (SocketAddr, Arc<Arrivals>) {
        let mut state = locked(&self.0);
        if addr.port() == 0 {
            addr.set_port(state.free_port());
        }
        let arrivals = Arc::new(Arrivals::default());
        state.listeners.entry(addr).or_default().push(arrivals.clone());
        (addr, arrivals)
    }

    /// A port that nobody gets by chance.
    #[cfg(test)]
    pub(crate) fn reserve_port(&self) -> u16 {
        locked(&self.0).free_port()
    }

    /// A connection to one of the listeners of an address: this end of it, and its own address.
    pub(crate) fn connect(&self, addr: SocketAddr) -> io::Result<(End, SocketAddr)> {
        let mut state = locked(&self.0);
        let own = SocketAddr::new(addr.ip(), state.free_port());
        state.connections += 1;
        let turn = state.connections;
        let listeners = state.listeners.get(&addr).map(Vec::as_slice).unwrap_or_default();
        let listener = listeners.get(turn % listeners.len().max(1)).ok_or(io::ErrorKind::ConnectionRefused)?;
        let (there, back) = (Arc::new(Pipe::default()), Arc::new(Pipe::default()));
        listener.add(End { read: there.clone(), write: back.clone() }, own)?;
        Ok((End { read: back, write: there }, own))
    }

    fn forget(&self, addr: SocketAddr, arrivals: &Arc<Arrivals>) {
        let mut state = locked(&self.0);
        if let Some(listeners) = state.listeners.get_mut(&addr) {
            listeners.retain(|listener| !Arc::ptr_eq(listener, arrivals));
        }
    }
}

pub struct FakeListener {
    fake: Fake,
    addr: SocketAddr,
    arrivals: Arc<Arrivals>,
}

impl FakeListener {
    pub(super) fn new(fake: Fake, addr: SocketAddr) -> FakeListener {
        let (addr, arrivals) = fake.0.net.listen(addr);
        FakeListener { fake, addr, arrivals }
    }
}

impl Drop for FakeListener {
    fn drop(&mut self) {
        self.fake.0.net.forget(self.addr, &self.arrivals);
    }
}

impl Listener for FakeListener {
    type Stream = FakeStream;

    async fn accept(&self) -> io::Result<(FakeStream, SocketAddr)> {
        let (end, peer) = poll_fn(|context| self.arrivals.poll(context)).await;
        self.fake.0.note("accept", u64::from(peer.port()), 0);
        Ok((FakeStream::new(self.fake.clone(), end), peer))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.addr)
    }
}

/// One end of a connection.
pub struct FakeStream {
    fake: Fake,
    end: End,
}

impl FakeStream {
    pub(super) fn new(fake: Fake, end: End) -> FakeStream {
        FakeStream { fake, end }
    }
}

impl Stream for FakeStream {
    type Read = FakeRead;
    type Write = FakeWrite;

    fn split(self) -> (FakeRead, FakeWrite) {
        let FakeStream { fake, end: End { read, write } } = self;
        (FakeRead { fake, pipe: read.clone() }, FakeWrite { pipe: write, other: read })
    }
}

pub struct FakeRead {
    fake: Fake,
    pipe: Arc<Pipe>,
}

impl Drop for FakeRead {
    fn drop(&mut self) {
        self.pipe.end_reading();
    }
}

impl StreamRead for FakeRead {
    async fn read(&mut self, buf: &mut BytesMut) -> io::Result<usize> {
        poll_fn(|context| self.pipe.poll_filled(context)).await;
        if buf.capacity() == buf.len() {
            buf.reserve(READ_BYTES);
        }
        let (room, dice) = (buf.capacity() - buf.len(), self.fake.0.dice.next());
        // What has arrived, or only some of it.
        let most = if dice.is_multiple_of(2) { room } else { 1 + usize::try_from(dice >> 1).expect("63 bits") % room };
        let bytes = self.pipe.take(most);
        self.fake.0.note("receive", bytes.len() as u64, 0);
        buf.extend_from_slice(&bytes);
        Ok(bytes.len())
    }
}

pub struct FakeWrite {
    pipe: Arc<Pipe>,
    other: Arc<Pipe>,
}

impl Drop for FakeWrite {
    fn drop(&mut self) {
        self.pipe.end_writing();
    }
}

impl StreamWrite for FakeWrite {
    async fn write_all(&mut self, bufs: &[Bytes]) -> io::Result<()> {
        for buf in bufs {
            let mut left = &buf[..];
            while !left.is_empty() {
                let written = poll_fn(|context| self.pipe.poll_put(context, left)).await?;
                left = &left[written..];
            }
        }
        Ok(())
    }

    fn close(&mut self) {
        self.pipe.end_writing();
        self.other.end_reading();
    }
}
