//! What is the least that a durable Kafka broker can cost?
//!
//! One thread: it reads all frames that have arrived, checks the CRC of their batches, writes them together past the
//! page cache, durably, and answers. Consumers get bytes back. It keeps no promise beyond that: no lookups, no
//! recovery, no other topic; its log is a ring on disk, and of each partition it remembers the newest batch only.

mod answers;
mod connection;
mod disk;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};
use serde_json::Value;
use wire::request;

use crate::payload::PRODUCE;
use answers::{Asked, Produced, Waiting};
use connection::Connection;
use disk::Disk;

const LISTENER: Token = Token(0);
const EVENTS: usize = 1024;
const FETCH: i16 = 1;

#[derive(clap::Args)]
pub struct Args {
    #[arg(long, default_value = "127.0.0.1:9092", value_name = "HOST:PORT")]
    addr: SocketAddr,
    /// A folder on the disk to write to; the file in it is removed at the end
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Size of the log; writes go round in it
    #[arg(long, default_value_t = 256, value_name = "MIB")]
    file_mib: usize,
}

/// A partition: the newest batch stands for all.
#[derive(Default)]
struct Partition {
    end: i64,
    batch: bytes::Bytes,
    records: i32,
}

struct Null {
    addr: SocketAddr,
    disk: Disk,
    partitions: Vec<Partition>,
    connections: HashMap<Token, Connection>,
    next_token: usize,
    /// Produced since the last write.
    produced: Vec<(Token, Produced)>,
    /// Fetches that found nothing.
    waiting: Vec<(Token, Waiting)>,
}

/// Runs until the process is ended.
pub fn run(args: Args) -> Result<Value> {
    let mut listener = TcpListener::bind(args.addr).with_context(|| format!("cannot listen on {}", args.addr))?;
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut null = Null {
        addr: args.addr,
        disk: Disk::create(&args.dir, args.file_mib)?,
        partitions: Vec::new(),
        connections: HashMap::new(),
        next_token: 1,
        produced: Vec::new(),
        waiting: Vec::new(),
    };
    let mut events = Events::with_capacity(EVENTS);
    loop {
        if let Err(error) = poll.poll(&mut events, None)
            && error.kind() != std::io::ErrorKind::Interrupted
        {
            return Err(error.into());
        }
        for event in &events {
            match event.token() {
                LISTENER => null.accept(&listener, poll.registry())?,
                token => null.read(token, event.is_read_closed())?,
            }
        }
        null.commit()?;
        null.connections.retain(|_, connection| connection.write());
    }
}

impl Null {
    fn accept(&mut self, listener: &TcpListener, registry: &mio::Registry) -> Result<()> {
        while let Ok((mut stream, _)) = listener.accept() {
            let token = Token(self.next_token);
            self.next_token += 1;
            stream.set_nodelay(true)?;
            registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
            self.connections.insert(token, Connection::new(stream));
        }
        Ok(())
    }

    fn read(&mut self, token: Token, ends: bool) -> Result<()> {
        let Some(connection) = self.connections.get_mut(&token) else { return Ok(()) };
        let frames = connection.read()?;
        if ends {
            connection.close();
        }
        for frame in frames {
            let (head, body) = request::split_head(frame)?;
            let asked = Asked { head, body };
            match asked.head.api_key {
                PRODUCE => {
                    let produced = asked.produced()?;
                    self.disk.add(&produced.batch)?;
                    self.produced.push((token, produced));
                }
                FETCH => self.waiting.push((token, asked.fetch()?)),
                _ => {
                    let answer = asked.other(self.addr, &mut self.partitions)?;
                    self.connections.get_mut(&token).expect("just read").out.push_back(answer);
                }
            }
        }
        Ok(())
    }

    /// Writes what was produced, then answers it, then those who wait for it.
    fn commit(&mut self) -> Result<()> {
        self.disk.write()?;
        for (token, produced) in self.produced.drain(..) {
            let partition = self.partitions.get_mut(produced.partition).context("no such partition")?;
            let base = partition.end;
            partition.end += i64::from(produced.records);
            partition.records = produced.records;
            partition.batch = produced.batch.clone();
            if let Some(connection) = self.connections.get_mut(&token) {
                connection.out.push_back(produced.answer(base));
            }
        }
        let (partitions, connections) = (&self.partitions, &mut self.connections);
        self.waiting.retain(|(token, waiting)| match (connections.get_mut(token), waiting.answer(partitions)) {
            (Some(connection), Some(pieces)) => {
                connection.out.extend(pieces);
                false
            }
            (Some(_), None) => true,
            (None, _) => false,
        });
        Ok(())
    }
}
