//! Where is the node that a command talks to, and how is it asked over HTTP?

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use client::Client;
use serde_json::Value;

use crate::output::Format;

/// The node's listeners; the defaults are those of `frazil start`.
#[derive(Debug, Clone, Args)]
pub struct Reach {
    /// The node's Kafka listener
    #[arg(long, global = true, env = "FRAZIL_KAFKA_ADDR", default_value = "127.0.0.1:9092", value_name = "HOST:PORT")]
    pub kafka_addr: SocketAddr,
    /// The node's schema registry
    #[arg(
        long,
        global = true,
        env = "FRAZIL_REGISTRY_ADDR",
        default_value = "127.0.0.1:8081",
        value_name = "HOST:PORT"
    )]
    pub registry_addr: SocketAddr,
    /// The node's admin listener
    #[arg(long, global = true, env = "FRAZIL_ADMIN_ADDR", default_value = "127.0.0.1:9644", value_name = "HOST:PORT")]
    pub admin_addr: SocketAddr,
    /// A table for people, or JSON for scripts
    #[arg(long, global = true, value_enum, default_value_t)]
    pub format: Format,
}

/// Runs a conversation with the node over the Kafka protocol.
pub fn talk(reach: &Reach, conversation: impl AsyncFnOnce(&mut Client) -> Result<()>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut client = Client::connect(&reach.kafka_addr.to_string()).await?;
        conversation(&mut client).await
    })
}

/// An HTTP answer that was not 2xx, or one that was.
pub struct Answer {
    pub status: u16,
    pub body: String,
}

/// Sends a request; `body: None` is a GET.
pub fn ask(method: &str, url: &str, accept: &str, body: Option<&str>) -> Result<Answer> {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(Duration::from_secs(5)))
        .timeout_global(Some(Duration::from_secs(600)))
        .build();
    let agent = ureq::Agent::new_with_config(config);
    let answer = match (method, body) {
        ("GET", _) => agent.get(url).header("Accept", accept).call(),
        ("PUT", body) => agent.put(url).content_type("application/json").send(body.unwrap_or_default()),
        (_, body) => {
            agent.post(url).header("Accept", accept).content_type("application/json").send(body.unwrap_or_default())
        }
    };
    let mut answer = answer.with_context(|| format!("no answer from {url}; is a node running there?"))?;
    let body = answer.body_mut().with_config().limit(1 << 30).read_to_string().context("the answer broke off")?;
    Ok(Answer { status: answer.status().as_u16(), body })
}

impl Answer {
    /// The JSON of a good answer; of another the message in it, as an error.
    pub fn json(self) -> Result<Value> {
        let value: Option<Value> = serde_json::from_str(&self.body).ok();
        if (200..300).contains(&self.status) {
            return value.with_context(|| format!("the answer is no JSON: {}", self.body));
        }
        let message = value.as_ref().and_then(|v| v.get("message")).and_then(Value::as_str).map(str::to_owned);
        bail!("{}", message.unwrap_or(self.body))
    }
}

/// Percent-encodes what must not stand in one segment of a path.
pub fn segment(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    text.bytes().map(|b| if plain(b) { (b as char).to_string() } else { format!("%{b:02X}") }).collect()
}
