//! How do tests start a node and talk to it?
//!
//! On the portable driver, or with `FRAZIL_TEST_IO=uring` in the environment on io_uring.

use std::future::Future;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use kafka_protocol::protocol::{Request, StrBytes};
use model::NodeId;
use runtime::{ShardOptions, ShardThread, start_shard_portable, start_shard_uring};
use server::{NoHistory, NodeConfig, NodeHandle, OpenGate, plan, run_shard};
use wire::request::{self, Head};
use wire::response;

/// A node of several shards in this process.
pub struct TestNode {
    pub handle: NodeHandle,
    pub port: u16,
    threads: Vec<ShardThread>,
}

impl TestNode {
    pub fn start(dir: &Path, shards: u16) -> TestNode {
        TestNode::start_with(config(dir, free_port(), shards))
    }

    pub fn start_with(config: NodeConfig) -> TestNode {
        let (port, shards) = (config.advertised_port, config.shards);
        let (handle, seeds) = plan(config).unwrap();
        let uring = std::env::var("FRAZIL_TEST_IO").is_ok_and(|io| io == "uring");
        let start = |seed: server::ShardSeed| {
            let options = ShardOptions::new(seed.shard, None, usize::from(shards));
            match uring {
                true => start_shard_uring(options, move |driver| run_shard(driver, seed)).unwrap(),
                false => start_shard_portable(options, move |driver| run_shard(driver, seed)).unwrap(),
            }
        };
        let threads = seeds.into_iter().map(start).collect();
        block_on(handle.ready()).unwrap();
        block_on(handle.serve()).unwrap();
        TestNode { handle, port, threads }
    }

    pub fn connect(&self) -> Client {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.set_nodelay(true).unwrap();
        Client { stream, correlation: 0 }
    }

    pub fn stop(self) {
        block_on(self.handle.shutdown());
        for thread in self.threads {
            thread.join().unwrap();
        }
    }
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub fn config(dir: &Path, port: u16, shards: u16) -> NodeConfig {
    NodeConfig {
        data_dir: dir.to_owned(),
        shards,
        kafka: ([127, 0, 0, 1], port).into(),
        advertised_host: "127.0.0.1".into(),
        advertised_port: port,
        node: NodeId(1),
        auto_create: true,
        partitions_default: 2,
        groups: Default::default(),
        gate: Arc::new(OpenGate),
        registry: Arc::new(ArcSwap::default()),
        segment_bytes: 4 * 1024 * 1024,
        tail_cache_bytes: 1024 * 1024,
        retention_tick_ms: 3_600_000,
        archives: false,
        write_caching_default: Some(false),
        history: Arc::new(NoHistory),
    }
}

/// A connection that sends what it is told to.
pub struct Client {
    stream: TcpStream,
    correlation: i32,
}

impl Client {
    pub fn call<R: Request>(&mut self, version: i16, message: &R) -> R::Response {
        self.send(version, message);
        self.receive::<R>(version)
    }

    pub fn send<R: Request>(&mut self, version: i16, message: &R) {
        self.correlation += 1;
        let head = Head {
            api_key: R::KEY,
            api_version: version,
            correlation_id: self.correlation,
            client_id: Some("test".into()),
        };
        self.stream.write_all(&request::encode(&head, message).unwrap()).unwrap();
    }

    /// The answer to the oldest request that is still unanswered, by its API and version.
    pub fn receive<R: Request>(&mut self, version: i16) -> R::Response {
        let frame = self.frame().expect("the node answers");
        response::decode::<R::Response>(R::KEY, version, frame).unwrap().1
    }

    pub fn raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// `None`: the node has closed the connection.
    pub fn frame(&mut self) -> Option<Bytes> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).ok()?;
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap()];
        self.stream.read_exact(&mut frame).ok()?;
        Some(frame.into())
    }
}

pub fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future on this thread.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}
