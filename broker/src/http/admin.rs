//! The admin listener: readiness, metrics, SQL, and how far the tables are.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use axum::routing::{get, post};
use iceberg_sink::lake::{Lake, PartitionReport};
use model::{Error, Kind, ShardId, TopicName};
use query::{Format, Sql, render};
use serde::Serialize;
use server::{LogHealth, NodeHandle};
use tiered::Archiver;
use tokio::sync::watch;

use super::{answer, metrics, refuse};

/// A statement of SQL.
const STATEMENT_BYTES_MAX: usize = 1024 * 1024;

#[derive(Clone)]
pub struct Admin {
    pub node: NodeHandle,
    pub lake: Arc<Lake>,
    pub archiver: Arc<Archiver>,
    pub sql: Arc<Sql>,
    pub stopping: watch::Receiver<bool>,
}

pub fn router(admin: Admin) -> Router {
    Router::new()
        .route("/v1/ready", get(ready))
        .route("/v1/health", get(health))
        .route("/metrics", get(scrape))
        .route("/v1/sql", post(sql))
        .route("/v1/lake/status", get(lake_status))
        .route("/v1/lake/verify", post(lake_verify))
        .route("/v1/archive/status", get(archive_status))
        .route("/v1/archive/flush", post(archive_flush))
        .route("/v1/archive/verify", post(archive_verify))
        .route("/v1/archive/sweep", post(archive_sweep))
        .layer(DefaultBodyLimit::max(STATEMENT_BYTES_MAX))
        .with_state(admin)
}

/// The listeners are opened when all else works, so there is only one thing left to look at.
async fn ready(State(admin): State<Admin>) -> Response {
    if *admin.stopping.borrow() {
        return refuse(503, "the node is stopping");
    }
    answer(200, "application/json", r#"{"ready":true}"#)
}

/// 503 while a shard has fenced itself: only a restart of the process helps then.
async fn health(State(admin): State<Admin>) -> Response {
    let shards = match admin.node.log_health().await {
        Ok(shards) => shards,
        Err(error) => return fail(&error),
    };
    let rows: Vec<Health> = shards.iter().map(|(shard, health)| Health::of(*shard, health)).collect();
    let status = if rows.iter().any(|row| row.state == "fenced") { 503 } else { 200 };
    match serde_json::to_string(&rows) {
        Ok(text) => answer(status, "application/json", text),
        Err(error) => refuse(500, &error.to_string()),
    }
}

async fn scrape(State(admin): State<Admin>) -> Response {
    match metrics::text(&admin).await {
        Ok(text) => answer(200, "text/plain; version=0.0.4", text),
        Err(error) => fail(&error),
    }
}

async fn sql(State(admin): State<Admin>, headers: HeaderMap, statement: String) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let format = Format::accepted(accept);
    let answered = match admin.sql.run(&statement).await {
        Ok((schema, batches)) => render(&schema, &batches, format).map_err(|error| Error::unknown(error.to_string())),
        Err(error) => Err(error),
    };
    match answered {
        Ok(body) => answer(200, format.content_type(), body),
        Err(error) => fail(&error),
    }
}

async fn archive_status(State(admin): State<Admin>) -> Response {
    json(&admin.archiver.status().shards)
}

/// Archives what is committed, without waiting for the interval.
async fn archive_flush(State(admin): State<Admin>) -> Response {
    match admin.archiver.flush().await {
        Ok(()) => json(&admin.archiver.status().shards),
        Err(error) => fail(&error),
    }
}

async fn archive_verify(State(admin): State<Admin>, Query(query): Query<HashMap<String, String>>) -> Response {
    let every = query.get("every").and_then(|every| every.parse().ok()).unwrap_or(1);
    match admin.archiver.verify(every).await {
        Ok(reports) => json(&reports),
        Err(error) => fail(&error),
    }
}

/// Removes what lies in the bucket and no manifest knows.
async fn archive_sweep(State(admin): State<Admin>) -> Response {
    match admin.archiver.sweep().await {
        Ok(removed) => json(&serde_json::json!({ "removed": removed })),
        Err(error) => fail(&error),
    }
}

async fn lake_status(State(admin): State<Admin>) -> Response {
    json(&admin.lake.status())
}

async fn lake_verify(State(admin): State<Admin>, Query(query): Query<HashMap<String, String>>) -> Response {
    match verify(&admin, query.get("topic").map(String::as_str)).await {
        Ok(rows) => json(&rows),
        Err(error) => fail(&error),
    }
}

/// One row per partition: of a topic, or of all that have a table.
async fn verify(admin: &Admin, topic: Option<&str>) -> model::Result<Vec<Verified>> {
    let topics: Vec<TopicName> = match topic {
        Some(name) => vec![TopicName::new(name).map_err(|error| Error::invalid(error.to_string()))?],
        None => {
            let all = admin.lake.status().into_iter().filter_map(|status| TopicName::new(&status.topic).ok());
            all.collect()
        }
    };
    let mut rows = Vec::new();
    for topic in topics {
        let report = admin.lake.verify(&topic).await?;
        rows.extend(report.partitions.into_iter().map(|report| Verified { topic: topic.clone(), report }));
    }
    Ok(rows)
}

#[derive(Serialize)]
struct Verified {
    topic: TopicName,
    #[serde(flatten)]
    report: PartitionReport,
}

/// The state of a shard's log: `ok`, `full` (producers are refused until its disk has room), `damaged` (some offsets
/// cannot be read) or `fenced` (a write failed, nothing is taken any more).
#[derive(Serialize)]
struct Health {
    shard: u16,
    state: &'static str,
    reason: Option<String>,
    lost_ranges: usize,
}

impl Health {
    fn of(shard: ShardId, health: &LogHealth) -> Health {
        let LogHealth { fenced, full, lost_ranges } = health;
        let lost = format!("{lost_ranges} ranges of offsets are damaged on disk; the node's log names them");
        let (state, reason) = match (fenced, full) {
            (Some(error), _) => ("fenced", Some(error.message.clone())),
            (None, Some(error)) => ("full", Some(error.message.clone())),
            (None, None) if *lost_ranges > 0 => ("damaged", Some(lost)),
            (None, None) => ("ok", None),
        };
        Health { shard: shard.0, state, reason, lost_ranges: *lost_ranges }
    }
}

fn json(value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => answer(200, "application/json", text),
        Err(error) => refuse(500, &error.to_string()),
    }
}

fn fail(error: &Error) -> Response {
    let status = match error.kind {
        Kind::Invalid => 400,
        Kind::Missing => 404,
        Kind::Conflict => 409,
        Kind::Busy => 503,
        Kind::Storage => 507,
        Kind::Unknown | Kind::Damaged | Kind::Fenced => 500,
    };
    refuse(status, &error.message)
}
