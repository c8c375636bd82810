//! The Iceberg REST catalog's listener.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};
use axum::response::Response;
use iceberg_sink::catalog::Catalog;
use iceberg_sink::rest;

use super::answer;

pub fn router(catalog: Arc<Catalog>) -> Router {
    Router::new().fallback(handle).with_state(catalog)
}

async fn handle(
    State(catalog): State<Arc<Catalog>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let if_none_match = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let request = rest::Request {
        method: method.as_str().to_owned(),
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        if_none_match: if_none_match.map(str::to_owned),
        body,
    };
    let response = rest::handle(&catalog, &request).await;
    let mut sent = answer(response.status, response.content_type, response.body);
    if let Some(etag) = response.etag.and_then(|etag| HeaderValue::from_str(&etag).ok()) {
        sent.headers_mut().insert(header::ETAG, etag);
    }
    sent
}
