//! The schema registry's listener.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{Method, Uri};
use axum::response::Response;
use model::limits::SCHEMA_BYTES_MAX;
use schema_registry::Request;

use super::answer;
use crate::node::RegistryService;

pub fn router(registry: Arc<RegistryService>) -> Router {
    // A schema inside JSON is escaped, and comes with its metadata.
    let limit = DefaultBodyLimit::max(4 * SCHEMA_BYTES_MAX);
    Router::new().fallback(handle).layer(limit).with_state(registry)
}

async fn handle(State(registry): State<Arc<RegistryService>>, method: Method, uri: Uri, body: Bytes) -> Response {
    let method = match method {
        Method::GET | Method::HEAD => schema_registry::Method::Get,
        Method::POST => schema_registry::Method::Post,
        Method::PUT => schema_registry::Method::Put,
        Method::DELETE => schema_registry::Method::Delete,
        _ => schema_registry::Method::Other,
    };
    let query = uri.query().unwrap_or_default().to_owned();
    let response = registry.handle(Request { method, path: uri.path().to_owned(), query, body }).await;
    answer(response.status, response.content_type, response.body)
}
