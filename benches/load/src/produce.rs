//! How does a run against a broker go?

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use clap::ValueEnum;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use wire::Compression;

use crate::clock::{Timer, seconds};
use crate::lane::Lane;
use crate::payload::{self, Shape};
use crate::schedule::{Pace, Slots, Times, Window};
use crate::tally::Tally;
use crate::{cpu, lane, topic};

const CONNECTIONS_MAX: usize = 4096;
const PARTITIONS_MAX: usize = 100_000;
/// Kafka's producer keeps five requests in flight.
const IN_FLIGHT_DEFAULT: usize = 5;
const IN_FLIGHT_MAX: usize = 1024;
const BATCH_BYTES_MAX: usize = 64 * 1024 * 1024;
const REQUESTS_BYTES_MAX: usize = 1024 * 1024 * 1024;
const PREPARE_TIMEOUT: Duration = Duration::from_secs(120);

#[derive(clap::Args)]
pub struct Args {
    /// The broker
    #[arg(long, default_value = "127.0.0.1:9092", value_name = "HOST:PORT")]
    addr: String,
    #[arg(long)]
    topic: String,
    /// Create the topic first; it must not exist
    #[arg(long)]
    create: bool,
    /// Settings of the topic that is created
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting, requires = "create")]
    set: Vec<(String, String)>,
    /// Requests go to partitions 0..N in turn
    #[arg(long, default_value_t = 16, value_name = "N")]
    partitions: usize,
    #[arg(long, default_value_t = 8, value_name = "N")]
    connections: usize,
    /// Requests under way per connection
    #[arg(long, default_value_t = IN_FLIGHT_DEFAULT, value_name = "N")]
    in_flight: usize,
    #[command(flatten)]
    pace: PaceArgs,
    #[arg(long, default_value_t = 1, value_name = "N")]
    records_per_batch: usize,
    /// Key and value of a record together
    #[arg(long, default_value_t = 100, value_name = "N")]
    record_bytes: usize,
    /// 0 for records without keys
    #[arg(long, default_value_t = 8, value_name = "N")]
    key_bytes: usize,
    /// none, gzip, snappy, lz4 or zstd
    #[arg(long, default_value = "none", value_parser = codec)]
    codec: Compression,
    #[arg(long, value_enum, default_value_t = Acks::All)]
    acks: Acks,
    #[command(flatten)]
    times: Times,
    /// The broker's process, to tell how much processor time it used
    #[arg(long)]
    pid: Option<u32>,
}

/// One of the three.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct PaceArgs {
    #[arg(long, value_name = "RATE")]
    records_per_s: Option<f64>,
    #[arg(long, value_name = "RATE")]
    batches_per_s: Option<f64>,
    /// No schedule: as fast as answers come
    #[arg(long)]
    closed: bool,
}

/// Without an answer (0) there is nothing to time.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Acks {
    All,
    #[value(name = "1")]
    Leader,
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a setting is NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn codec(text: &str) -> Result<Compression, String> {
    let found = Compression::ALL.into_iter().find(|codec| codec.name() == text);
    found.ok_or_else(|| "the codecs are none, gzip, snappy, lz4 and zstd".to_owned())
}

impl Args {
    fn check(&self) -> Result<()> {
        self.times.check()?;
        ensure!((1..=CONNECTIONS_MAX).contains(&self.connections), "--connections: 1 to {CONNECTIONS_MAX}");
        ensure!((1..=PARTITIONS_MAX).contains(&self.partitions), "--partitions: 1 to {PARTITIONS_MAX}");
        ensure!((1..=IN_FLIGHT_MAX).contains(&self.in_flight), "--in-flight: 1 to {IN_FLIGHT_MAX}");
        ensure!(self.key_bytes <= self.record_bytes, "--key-bytes: a key is a part of the --record-bytes");
        let batch_bytes = self.records_per_batch.checked_mul(self.record_bytes.max(1));
        ensure!(self.records_per_batch > 0, "--records-per-batch: at least 1");
        let batch_bytes = batch_bytes.filter(|bytes| *bytes <= BATCH_BYTES_MAX);
        let batch_bytes = batch_bytes.with_context(|| format!("a batch has at most {BATCH_BYTES_MAX} bytes"))?;
        let fits = batch_bytes * self.partitions <= REQUESTS_BYTES_MAX;
        ensure!(fits, "the batches of all partitions pass {REQUESTS_BYTES_MAX} bytes: make them smaller");
        Ok(())
    }

    fn pace(&self) -> Result<Pace> {
        let per_s = match (self.pace.records_per_s, self.pace.batches_per_s) {
            (Some(records), _) => records / self.records_per_batch as f64,
            (_, Some(batches)) => batches,
            _ => return Ok(Pace::Closed),
        };
        ensure!((0.001..=10_000_000.0).contains(&per_s), "{per_s} batches/s: give a rate from 0.001 to 10,000,000");
        Ok(Pace::Open { per_s })
    }

    fn requests(&self) -> Result<Arc<[Bytes]>> {
        let (records, record_bytes) = (self.records_per_batch, self.record_bytes);
        let shape = Shape { records, record_bytes, key_bytes: self.key_bytes, codec: self.codec };
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as i64);
        let acks = match self.acks {
            Acks::All => -1,
            Acks::Leader => 1,
        };
        let request = |partition: usize| {
            let batch = payload::batch(shape, partition as u64, now_ms);
            payload::request(&self.topic, partition as i32, acks, batch)
        };
        (0..self.partitions).map(request).collect()
    }
}

/// Runs and answers the figures.
pub fn run(args: Args) -> Result<Value> {
    args.check()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(drive(&args))?;
    let figures = figures(&args, &outcome)?;
    report(&outcome, &figures);
    Ok(figures)
}

/// What a run gave.
struct Outcome {
    tally: Tally,
    window: Window,
    broker_cpu_s: Option<f64>,
    own_cpu_s: f64,
    /// Of a request, on average.
    request_bytes: f64,
}

async fn drive(args: &Args) -> Result<Outcome> {
    let (pace, requests, partitions) = (args.pace()?, args.requests()?, args.partitions as i32);
    let sockets = tokio::time::timeout(PREPARE_TIMEOUT, connect(args, partitions, &requests)).await;
    let sockets = sockets.context("the broker was not ready within two minutes")??;
    let request_bytes = requests.iter().map(Bytes::len).sum::<usize>() as f64 / requests.len() as f64;
    let window = args.times.window();
    let mut running = JoinSet::new();
    for (hand, socket) in sockets.into_iter().enumerate() {
        let slots = Slots::new(pace, window, hand, args.connections);
        running.spawn(Lane::new(socket, requests.clone(), args.in_flight, slots)?.run());
    }
    let processors = processors(window, args.pid);
    let collect = async {
        let mut tally = Tally::new();
        while let Some(one) = running.join_next().await {
            tally.add(one??);
        }
        Ok::<_, anyhow::Error>(tally)
    };
    let ((broker_cpu_s, own_cpu_s), tally) = tokio::try_join!(processors, collect)?;
    Ok(Outcome { tally, window, broker_cpu_s, own_cpu_s, request_bytes })
}

/// Makes the topic ready and opens all connections, before the clock starts.
async fn connect(args: &Args, partitions: i32, requests: &[Bytes]) -> Result<Vec<TcpStream>> {
    if args.create {
        topic::create(&args.addr, &args.topic, partitions, &args.set).await?;
    }
    let addr = topic::leader(&args.addr, &args.topic, partitions).await?;
    topic::ready(&addr, requests).await?;
    let mut sockets = Vec::with_capacity(args.connections);
    for _ in 0..args.connections {
        sockets.push(lane::connect(&addr).await?);
    }
    Ok(sockets)
}

/// Processor seconds of the broker and of the generator in the measured time.
pub async fn processors(window: Window, broker: Option<u32>) -> Result<(Option<f64>, f64)> {
    let now =
        || Ok::<_, anyhow::Error>((broker.map(cpu::of_process).transpose()?, cpu::of_process(std::process::id())?));
    let mut timer = Timer::new()?;
    timer.until(window.measured_ns).await?;
    let before = now()?;
    timer.until(window.end_ns).await?;
    let after = now()?;
    let spent = after.0.zip(before.0).map(|(after, before)| after - before);
    Ok((spent, after.1 - before.1))
}

fn figures(args: &Args, outcome: &Outcome) -> Result<Value> {
    let Outcome { tally, window, broker_cpu_s, own_cpu_s, request_bytes } = outcome;
    let measured_s = seconds(window.end_ns - window.measured_ns);
    let pace = match args.pace()? {
        Pace::Open { per_s } => json!({ "batches_per_s": per_s }),
        Pace::Closed => json!("closed"),
    };
    let per_cpu_s = broker_cpu_s.filter(|spent| *spent > 0.0).map(|spent| tally.answered as f64 / spent);
    Ok(json!({
        "what": "produce",
        "addr": args.addr,
        "topic": args.topic,
        "settings": args.set.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>(),
        "pace": pace,
        "connections": args.connections,
        "in_flight": args.in_flight,
        "partitions": args.partitions,
        "records_per_batch": args.records_per_batch,
        "record_bytes": args.record_bytes,
        "key_bytes": args.key_bytes,
        "codec": args.codec.name(),
        "acks": match args.acks { Acks::All => "all", Acks::Leader => "1" },
        "measured_s": measured_s,
        "latency_us": tally.latency.figures(),
        "delay_us": tally.delay.figures(),
        "acked_batches": tally.answered,
        "acked_batches_per_s": tally.answered as f64 / measured_s,
        "request_bytes": request_bytes,
        "late": tally.late,
        "failed": tally.failed,
        "first_failure": tally.first_failure,
        "broker_cpu_s": broker_cpu_s,
        "acked_batches_per_broker_cpu_s": per_cpu_s,
        "generator_cpu_s": own_cpu_s,
    }))
}

fn report(outcome: &Outcome, figures: &Value) {
    let tally = &outcome.tally;
    eprintln!("latency: {}", tally.latency.line());
    eprintln!("delay before sending: {}", tally.delay.line());
    eprintln!("acked: {:.0} batches/s", figures["acked_batches_per_s"].as_f64().unwrap_or_default());
    if let Some(spent) = outcome.broker_cpu_s {
        let per_cpu_s = figures["acked_batches_per_broker_cpu_s"].as_f64().unwrap_or_default();
        eprintln!("broker: {spent:.2} CPU-seconds, {per_cpu_s:.0} acked batches per CPU-second");
    }
    if tally.late > 0 {
        eprintln!("late: {} requests had no answer at the end; their latencies are lower bounds", tally.late);
    }
    if let Some(why) = &tally.first_failure {
        eprintln!("failed: {} requests, the first with {why}", tally.failed);
    }
}
