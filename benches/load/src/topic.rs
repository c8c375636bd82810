//! Where does a topic's data go?

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    CreateTopicsRequest, CreateTopicsResponse, MetadataRequest, MetadataResponse, ProduceResponse,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wire::{frame, request, response};

use crate::payload::{PRODUCE, PRODUCE_VERSION, head, topic_name};

// Versions without tagged fields, which brokers from Kafka 2.4 to this day speak: no handshake is needed.
const METADATA: (i16, i16) = (3, 5);
const CREATE_TOPICS: (i16, i16) = (19, 4);
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
const CREATE_TIMEOUT_MS: i32 = 20_000;
const LEADERS_WAIT: Duration = Duration::from_secs(30);
const READY_WAIT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(100);

/// Creates a topic; that it exists already is an error, for its settings may be others.
pub async fn create(addr: &str, name: &str, partitions: i32, settings: &[(String, String)]) -> Result<()> {
    let setting = |(name, value): &(String, String)| {
        CreatableTopicConfig::default()
            .with_name(StrBytes::from_string(name.clone()))
            .with_value(Some(StrBytes::from_string(value.clone())))
    };
    let topic = CreatableTopic::default()
        .with_name(topic_name(name))
        .with_num_partitions(partitions)
        .with_replication_factor(1)
        .with_configs(settings.iter().map(setting).collect());
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(CREATE_TIMEOUT_MS);
    let answer: CreateTopicsResponse = Asking::connect(addr).await?.ask(CREATE_TOPICS, &request).await?;
    let result = answer.topics.first().context("the broker's answer names no topic")?;
    let why = result.error_message.as_deref().unwrap_or("it gives no reason");
    ensure!(result.error_code == 0, "topic '{name}' was not created: error {}, {why}", result.error_code);
    Ok(())
}

/// Waits until every partition has a leader; answers the address of the node that leads them all.
pub async fn leader(addr: &str, name: &str, partitions: i32) -> Result<String> {
    let mut asking = Asking::connect(addr).await?;
    let topics = vec![MetadataRequestTopic::default().with_name(Some(topic_name(name)))];
    let request = MetadataRequest::default().with_topics(Some(topics)).with_allow_auto_topic_creation(false);
    let found = async {
        loop {
            let answer: MetadataResponse = asking.ask(METADATA, &request).await?;
            if let Some(addr) = leader_of_all(&answer, name, partitions)? {
                return Ok(addr);
            }
            tokio::time::sleep(POLL).await;
        }
    };
    let waited = tokio::time::timeout(LEADERS_WAIT, found).await;
    waited.with_context(|| format!("topic '{name}' has no leaders after 30 s: does it exist? --create makes it"))?
}

fn leader_of_all(answer: &MetadataResponse, name: &str, partitions: i32) -> Result<Option<String>> {
    let Some(topic) = answer.topics.first().filter(|topic| topic.error_code == 0) else { return Ok(None) };
    let leaders: Vec<i32> = topic.partitions.iter().map(|partition| partition.leader_id.0).collect();
    let Some(leader) = leaders.first().filter(|_| leaders.iter().all(|leader| *leader >= 0)) else { return Ok(None) };
    let count = leaders.len();
    ensure!(count as i64 >= i64::from(partitions), "topic '{name}' has {count} partitions, fewer than --partitions");
    if leaders.iter().any(|other| other != leader) {
        bail!("topic '{name}' is led by several nodes; this generator drives one: use a cluster of one");
    }
    let node = answer.brokers.iter().find(|node| node.node_id.0 == *leader);
    let node = node.context("the broker does not say where the leader is")?;
    Ok(Some(format!("{}:{}", node.host, node.port)))
}

/// Waits until every partition takes a batch: a broker names leaders some time before they are ready. Each request is
/// stored once.
pub async fn ready(addr: &str, requests: &[Bytes]) -> Result<()> {
    let mut asking = Asking::connect(addr).await?;
    for (partition, request) in requests.iter().enumerate() {
        let deadline = Instant::now() + READY_WAIT;
        loop {
            let code = asking.produce(request).await?;
            if code == 0 {
                break;
            }
            ensure!(Instant::now() < deadline, "partition {partition} refuses batches: error {code}");
            tokio::time::sleep(POLL).await;
        }
    }
    Ok(())
}

/// A connection with one request at a time.
struct Asking {
    socket: TcpStream,
    received: BytesMut,
}

impl Asking {
    async fn connect(addr: &str) -> Result<Asking> {
        let socket = TcpStream::connect(addr).await.with_context(|| format!("{addr} cannot be reached"))?;
        Ok(Asking { socket, received: BytesMut::new() })
    }

    async fn ask<R: Decodable>(&mut self, (api_key, version): (i16, i16), request: &impl Encodable) -> Result<R> {
        let frame = request::encode(&head(api_key, version, 0), request)?;
        self.socket.write_all(&frame).await?;
        let (_, answer) = response::decode(api_key, version, self.read().await?)?;
        Ok(answer)
    }

    /// Sends a whole request; answers the error code.
    async fn produce(&mut self, request: &[u8]) -> Result<i16> {
        self.socket.write_all(request).await?;
        let (_, answer) = response::decode::<ProduceResponse>(PRODUCE, PRODUCE_VERSION, self.read().await?)?;
        let result = answer.responses.first().and_then(|topic| topic.partition_responses.first());
        Ok(result.context("the broker's answer names no partition")?.error_code)
    }

    async fn read(&mut self) -> Result<Bytes> {
        loop {
            if let Some(frame) = frame::take(&mut self.received, ANSWER_BYTES_MAX)? {
                return Ok(frame);
            }
            let read = self.socket.read_buf(&mut self.received).await?;
            ensure!(read > 0, "the broker closed the connection: is it a Kafka broker, without TLS?");
        }
    }
}
