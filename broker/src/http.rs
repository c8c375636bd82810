//! What does a node answer over HTTP, and on which listener?

pub mod admin;
pub mod catalog;
pub mod registry;
pub mod metrics;

use std::future::Future;

use anyhow::Result;
use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Serves until `stop` is done; connections get their answers first.
pub fn serve(
    listener: std::net::TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<JoinHandle<std::io::Result<()>>> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    Ok(tokio::spawn(async move { axum::serve(listener, router).with_graceful_shutdown(stop).await }))
}

/// An answer with a type that is known only at run time.
pub fn answer(status: u16, content_type: &str, body: impl Into<axum::body::Body>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = HeaderValue::from_str(content_type).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    (status, [(header::CONTENT_TYPE, kind)], body.into()).into_response()
}

/// `{"message": …}` with a status.
pub fn refuse(status: u16, message: &str) -> Response {
    answer(status, "application/json", serde_json::json!({ "message": message }).to_string())
}
