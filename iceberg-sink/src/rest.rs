//! What does the Iceberg REST catalog answer?
//!
//! The read-only set that PyIceberg, DuckDB, ClickHouse, Spark and Trino call. Tables are written by Frazil alone:
//! writes are refused with a sentence. No sockets here: a request goes in, a response comes out. Credentials are
//! neither asked for nor looked at; the listener is on loopback unless the operator says otherwise.

mod route;
mod answer;

use bytes::Bytes;
use iceberg::TableIdent;
use model::Kind;
use serde_json::json;

use crate::catalog::{Catalog, Head};
use answer::{fault, json_answer, no_content};
use route::{Route, WRITES_REFUSED};

/// What a listener read of a request.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `GET`, `HEAD`, `POST`, `DELETE` …
    pub method: String,
    /// Still percent-encoded, from `/v1` on.
    pub path: String,
    /// Behind the `?`, still percent-encoded.
    pub query: String,
    /// The header `If-None-Match`.
    pub if_none_match: Option<String>,
    pub body: Bytes,
}

/// What a listener is to send; for HEAD without the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub content_type: &'static str,
    pub etag: Option<String>,
    pub body: Vec<u8>,
}

/// What this catalog can do, as `/v1/config` tells it: clients that read the list do not try anything else.
const ENDPOINTS: &[&str] = &[
    "GET /v1/{prefix}/namespaces",
    "GET /v1/{prefix}/namespaces/{namespace}",
    "HEAD /v1/{prefix}/namespaces/{namespace}",
    "GET /v1/{prefix}/namespaces/{namespace}/tables",
    "GET /v1/{prefix}/namespaces/{namespace}/tables/{table}",
    "HEAD /v1/{prefix}/namespaces/{namespace}/tables/{table}",
    "POST /v1/{prefix}/namespaces/{namespace}/tables/{table}/metrics",
    "GET /v1/{prefix}/namespaces/{namespace}/views",
    "GET /v1/{prefix}/namespaces/{namespace}/views/{view}",
];

/// Answers one request.
pub async fn handle(catalog: &Catalog, request: &Request) -> Response {
    match route::parse(&request.method, &request.path) {
        Route::Config => config(),
        Route::Namespaces => namespaces(catalog, &request.query),
        Route::Namespace(name) => match is_ours(catalog, &name) {
            true => json_answer(200, &json!({ "namespace": [name], "properties": {} })),
            false => no_namespace(&name),
        },
        Route::NamespaceExists(name) => match is_ours(catalog, &name) {
            true => no_content(),
            false => no_namespace(&name),
        },
        Route::Tables(name) => tables(catalog, &name).await,
        Route::Table(namespace, table) => load_table(catalog, &namespace, &table, request).await,
        Route::TableExists(namespace, table) => match find(catalog, &namespace, &table).await {
            Ok(_) => no_content(),
            Err(response) => response,
        },
        Route::Metrics => no_content(),
        Route::Views(name) => match is_ours(catalog, &name) {
            true => json_answer(200, &json!({ "identifiers": [], "next-page-token": null })),
            false => no_namespace(&name),
        },
        Route::View(namespace, view) => fault(
            404,
            "NoSuchViewException",
            &format!("View does not exist: {namespace}.{view}; this catalog has tables only"),
        ),
        Route::Write => fault(403, "ForbiddenException", WRITES_REFUSED),
        Route::BadMethod => fault(405, "UnsupportedOperationException", WRITES_REFUSED),
        Route::Unknown => fault(404, "NotFoundException", &format!("there is nothing at {}", request.path)),
    }
}

fn config() -> Response {
    json_answer(200, &json!({ "defaults": {}, "overrides": {}, "endpoints": ENDPOINTS }))
}

/// One namespace, and none below it. Every page token gets the whole, short, list.
fn namespaces(catalog: &Catalog, query: &str) -> Response {
    let name = catalog.namespace().to_url_string();
    let found = match route::query_value(query, "parent").filter(|parent| !parent.is_empty()) {
        None => vec![vec![name]],
        Some(parent) if parent == name => Vec::new(),
        Some(parent) => return no_namespace(&parent),
    };
    json_answer(200, &json!({ "namespaces": found, "next-page-token": null }))
}

async fn tables(catalog: &Catalog, namespace: &str) -> Response {
    if !is_ours(catalog, namespace) {
        return no_namespace(namespace);
    }
    match catalog.list().await {
        Ok(names) => {
            let found: Vec<_> = names.iter().map(|name| json!({ "namespace": [namespace], "name": name })).collect();
            json_answer(200, &json!({ "identifiers": found, "next-page-token": null }))
        }
        Err(error) => failed(&error),
    }
}

async fn load_table(catalog: &Catalog, namespace: &str, table: &str, request: &Request) -> Response {
    let head = match find(catalog, namespace, table).await {
        Ok(head) => head,
        Err(response) => return response,
    };
    let etag = etag_of(&head);
    if request.if_none_match.as_deref().is_some_and(|seen| route::etag_matches(seen, &etag)) {
        return Response { status: 304, etag: Some(format!("\"{etag}\"")), ..no_content() };
    }
    // No `s3.endpoint` (ClickHouse would double the path); readers bring their own access to the files.
    let body = json!({ "metadata-location": head.metadata_location, "metadata": &*head.metadata, "config": {} });
    Response { etag: Some(format!("\"{etag}\"")), ..json_answer(200, &body) }
}

async fn find(catalog: &Catalog, namespace: &str, table: &str) -> Result<std::sync::Arc<Head>, Response> {
    let missing = || fault(404, "NoSuchTableException", &format!("Table does not exist: {namespace}.{table}"));
    if !is_ours(catalog, namespace) {
        return Err(missing());
    }
    let ident = TableIdent::new(catalog.namespace().clone(), table.to_owned());
    catalog.load(&ident).await.map_err(|error| match error.kind {
        Kind::Missing => missing(),
        _ => failed(&error),
    })
}

/// The name of the metadata file: it never changes, and no two are alike.
fn etag_of(head: &Head) -> String {
    let name = head.metadata_location.rsplit('/').next().unwrap_or_default();
    name.strip_suffix(".metadata.json").unwrap_or(name).to_owned()
}

fn is_ours(catalog: &Catalog, namespace: &str) -> bool {
    catalog.namespace().to_url_string() == namespace
}

fn no_namespace(name: &str) -> Response {
    fault(404, "NoSuchNamespaceException", &format!("Namespace does not exist: {name}"))
}

fn failed(error: &model::Error) -> Response {
    match error.kind {
        Kind::Busy | Kind::Storage | Kind::Unknown => fault(503, "ServiceUnavailableException", &error.message),
        _ => fault(500, "InternalServerError", &error.message),
    }
}

#[cfg(test)]
mod tests;
