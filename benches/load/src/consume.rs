//! How does a run of consumers go?
//!
//! Each connection has its own partitions and one fetch under way, as a consumer has. Batches are counted, not
//! unpacked.

use anyhow::{Context, Result, ensure};
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{BrokerId, FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use wire::batch::{self, BatchHeader};
use wire::{frame, request, response};

use crate::clock::{Timer, now_ns, seconds};
use crate::payload::{head, topic_name};
use crate::produce::processors;
use crate::schedule::{Times, Window};
use crate::{lane, topic};

/// The last versions without tagged fields.
const FETCH: (i16, i16) = (1, 11);
const LIST_OFFSETS: (i16, i16) = (2, 5);
const CLIENT: BrokerId = BrokerId(-1);
const NEWEST: i64 = -1;
const OLDEST: i64 = -2;
const WAIT_MS: i32 = 500;
const ANSWER_BYTES_MAX: usize = 100 * 1024 * 1024;

#[derive(clap::Args)]
pub struct Args {
    /// The broker
    #[arg(long, default_value = "127.0.0.1:9092", value_name = "HOST:PORT")]
    addr: String,
    #[arg(long)]
    topic: String,
    #[arg(long, default_value_t = 16, value_name = "N")]
    partitions: usize,
    #[arg(long, default_value_t = 8, value_name = "N")]
    connections: usize,
    /// Begin with the oldest record instead of the next one
    #[arg(long)]
    from_start: bool,
    /// Most bytes of one partition in an answer
    #[arg(long, default_value_t = 1_048_576, value_name = "N")]
    partition_bytes_max: i32,
    #[command(flatten)]
    times: Times,
    /// The broker's process, to tell how much processor time it used
    #[arg(long)]
    pid: Option<u32>,
}

/// What was read in the measured time.
#[derive(Default)]
struct Read {
    fetches: u64,
    batches: u64,
    bytes: u64,
}

/// Runs and answers the figures.
pub fn run(args: Args) -> Result<Value> {
    args.times.check()?;
    ensure!((1..=args.partitions).contains(&args.connections), "--connections: 1 to the number of partitions");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (read, window, (broker_cpu_s, own_cpu_s)) = runtime.block_on(drive(&args))?;
    let measured_s = seconds(window.end_ns - window.measured_ns);
    eprintln!("consumed: {:.1} MiB/s", read.bytes as f64 / 1_048_576.0 / measured_s);
    Ok(json!({
        "what": "consume",
        "addr": args.addr,
        "topic": args.topic,
        "connections": args.connections,
        "partitions": args.partitions,
        "from_start": args.from_start,
        "measured_s": measured_s,
        "fetches": read.fetches,
        "consumed_batches": read.batches,
        "consumed_bytes": read.bytes,
        "broker_cpu_s": broker_cpu_s,
        "generator_cpu_s": own_cpu_s,
    }))
}

async fn drive(args: &Args) -> Result<(Read, Window, (Option<f64>, f64))> {
    let addr = topic::leader(&args.addr, &args.topic, args.partitions as i32).await?;
    let mut consumers = Vec::new();
    for hand in 0..args.connections {
        let socket = lane::connect(&addr).await?;
        let mine = (hand..args.partitions).step_by(args.connections).map(|partition| (partition as i32, 0)).collect();
        let mut consumer = Consumer { socket, received: BytesMut::new(), topic: args.topic.clone(), mine };
        consumer.seek(if args.from_start { OLDEST } else { NEWEST }).await?;
        consumers.push(consumer);
    }
    let window = args.times.window();
    let mut running = JoinSet::new();
    for consumer in consumers {
        running.spawn(consumer.run(window, args.partition_bytes_max));
    }
    let collect = async {
        let mut all = Read::default();
        while let Some(one) = running.join_next().await {
            let one = one??;
            all.fetches += one.fetches;
            all.batches += one.batches;
            all.bytes += one.bytes;
        }
        Ok::<_, anyhow::Error>(all)
    };
    let (processors, read) = tokio::try_join!(processors(window, args.pid), collect)?;
    Ok((read, window, processors))
}

struct Consumer {
    socket: TcpStream,
    received: BytesMut,
    topic: String,
    /// Partitions and their next offsets.
    mine: Vec<(i32, i64)>,
}

impl Consumer {
    async fn run(mut self, window: Window, partition_bytes_max: i32) -> Result<Read> {
        let mut read = Read::default();
        let mut over = Timer::new()?;
        loop {
            let answer = tokio::select! {
                answer = self.fetch(partition_bytes_max) => answer?,
                // An answer that comes later would not count.
                fired = over.until(window.end_ns) => return fired.map(|()| read).map_err(Into::into),
            };
            let counts = (window.measured_ns..window.end_ns).contains(&now_ns());
            read.fetches += u64::from(counts);
            for partition in answer.responses.into_iter().flat_map(|topic| topic.partitions) {
                let code = partition.error_code;
                ensure!(code == 0, "partition {} gives error {code}", partition.partition_index);
                let next = self.mine.iter_mut().find(|(index, _)| *index == partition.partition_index);
                let (_, next) = next.context("the broker answers unasked")?;
                for batch in batch::split(partition.records.unwrap_or_default()) {
                    let batch = batch?;
                    let header = BatchHeader::parse(&batch)?;
                    *next = (*next).max(header.last_offset() + 1);
                    if counts {
                        read.batches += 1;
                        read.bytes += batch.len() as u64;
                    }
                }
            }
        }
    }

    async fn fetch(&mut self, partition_bytes_max: i32) -> Result<FetchResponse> {
        let partition = |(index, next): &(i32, i64)| {
            FetchPartition::default()
                .with_partition(*index)
                .with_fetch_offset(*next)
                .with_partition_max_bytes(partition_bytes_max)
        };
        let partitions = self.mine.iter().map(partition).collect();
        let topic = FetchTopic::default().with_topic(topic_name(&self.topic)).with_partitions(partitions);
        let request = FetchRequest::default()
            .with_replica_id(CLIENT)
            .with_max_wait_ms(WAIT_MS)
            .with_min_bytes(1)
            .with_max_bytes(50 << 20)
            .with_session_epoch(-1)
            .with_topics(vec![topic]);
        let frame = request::encode(&head(FETCH.0, FETCH.1, 0), &request)?;
        self.socket.write_all(&frame).await?;
        let (_, answer): (_, FetchResponse) = response::decode(FETCH.0, FETCH.1, self.read().await?)?;
        ensure!(answer.error_code == 0, "the broker refuses a fetch: error {}", answer.error_code);
        Ok(answer)
    }

    async fn seek(&mut self, to: i64) -> Result<()> {
        let partition =
            |(index, _): &(i32, i64)| ListOffsetsPartition::default().with_partition_index(*index).with_timestamp(to);
        let partitions = self.mine.iter().map(partition).collect();
        let topic = ListOffsetsTopic::default().with_name(topic_name(&self.topic)).with_partitions(partitions);
        let request = ListOffsetsRequest::default().with_replica_id(CLIENT).with_topics(vec![topic]);
        let frame = request::encode(&head(LIST_OFFSETS.0, LIST_OFFSETS.1, 0), &request)?;
        self.socket.write_all(&frame).await?;
        let (_, answer): (_, ListOffsetsResponse) =
            response::decode(LIST_OFFSETS.0, LIST_OFFSETS.1, self.read().await?)?;
        for partition in answer.topics.into_iter().flat_map(|topic| topic.partitions) {
            ensure!(partition.error_code == 0, "no offset: error {}", partition.error_code);
            let mine = self.mine.iter_mut().find(|(index, _)| *index == partition.partition_index);
            mine.context("the broker answers unasked")?.1 = partition.offset;
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<Bytes> {
        loop {
            if let Some(frame) = frame::take(&mut self.received, ANSWER_BYTES_MAX)? {
                return Ok(frame);
            }
            self.received.reserve(256 * 1024);
            let read = self.socket.read_buf(&mut self.received).await?;
            ensure!(read > 0, "the broker closed the connection");
        }
    }
}
