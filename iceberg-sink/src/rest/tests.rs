//! Do the calls that engines were seen making get the answers they need?

use iceberg::spec::UnboundPartitionSpec;
use objects::Objects;
use serde_json::Value;

use super::*;
use crate::catalog::Creation;
use crate::testing::small_schema;

async fn catalog() -> Catalog {
    let catalog = Catalog::new(Objects::memory(), "topics").expect("opens");
    for name in ["flights", "orders_v1"] {
        let creation = Creation {
            schema: small_schema(),
            spec: UnboundPartitionSpec::builder().build(),
            properties: Default::default(),
            format_version: iceberg::spec::FormatVersion::V2,
        };
        catalog.create_table(&catalog.ident(name), creation).await.expect("creates");
    }
    catalog
}

async fn ask(catalog: &Catalog, method: &str, target: &str) -> (u16, Value) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let request = Request { method: method.into(), path: path.into(), query: query.into(), ..Request::default() };
    let response = handle(catalog, &request).await;
    (response.status, serde_json::from_slice(&response.body).unwrap_or(Value::Null))
}

#[tokio::test]
async fn clients_find_their_way_to_a_table() {
    let catalog = catalog().await;
    for target in ["/v1/config", "/v1/config?warehouse=frazil"] {
        let (status, body) = ask(&catalog, "GET", target).await;
        assert_eq!(status, 200);
        assert!(body["defaults"].is_object() && body["overrides"].is_object());
        assert!(
            body["endpoints"].as_array().expect("list").iter().all(|e| !e.as_str().expect("text").contains("DELETE"))
        );
    }
    assert_eq!(ask(&catalog, "GET", "/v1/namespaces").await.1["namespaces"], json!([["topics"]]));
    assert_eq!(ask(&catalog, "GET", "/v1/namespaces?pageToken=").await.1["namespaces"], json!([["topics"]]));
    assert_eq!(ask(&catalog, "GET", "/v1/namespaces?parent=topics").await.1["namespaces"], json!([]));
    assert_eq!(ask(&catalog, "GET", "/v1/namespaces?parent=x%1Fy").await.0, 404);
    assert_eq!(ask(&catalog, "GET", "/v1/namespaces/topics").await.1["namespace"], json!(["topics"]));
    assert_eq!(ask(&catalog, "HEAD", "/v1/namespaces/topics").await.0, 204);
    assert_eq!(ask(&catalog, "HEAD", "/v1/namespaces/other").await.0, 404);
    let tables = ask(&catalog, "GET", "/v1/namespaces/topics/tables?pageToken=").await.1;
    assert_eq!(tables["identifiers"][0], json!({ "namespace": ["topics"], "name": "flights" }));
    assert_eq!(tables["identifiers"].as_array().expect("list").len(), 2);
    let (status, table) = ask(&catalog, "GET", "/v1/namespaces/topics/tables/flights?snapshots=all").await;
    assert_eq!(status, 200);
    assert_eq!(table["metadata"]["format-version"], 2);
    assert!(table["metadata"]["location"].as_str().expect("text").ends_with("topics/flights"));
    assert_eq!(table["config"], json!({}));
    assert_eq!(ask(&catalog, "HEAD", "/v1/namespaces/topics/tables/flights").await, (204, Value::Null));
    assert_eq!(ask(&catalog, "POST", "/v1/namespaces/topics/tables/flights/metrics").await.0, 204);
}

#[tokio::test]
async fn what_is_not_there_is_said_in_icebergs_form() {
    let catalog = catalog().await;
    for (target, kind) in [
        ("/v1/namespaces/topics/tables/none?snapshots=all", "NoSuchTableException"),
        ("/v1/namespaces/topics%2Eflights/tables/snapshots", "NoSuchTableException"),
        ("/v1/namespaces/topics%1Fflights/tables/snapshots", "NoSuchTableException"),
        ("/v1/namespaces/topics/tables/..%2F..%2Fx", "NoSuchTableException"),
        ("/v1/namespaces/topics/views/flights", "NoSuchViewException"),
        ("/v1/namespaces/other", "NoSuchNamespaceException"),
        ("/v1/namespaces/other/tables", "NoSuchNamespaceException"),
        ("/v1/nothing", "NotFoundException"),
        ("/v1/namespaces/%zz", "NotFoundException"),
    ] {
        let (status, body) = ask(&catalog, "GET", target).await;
        assert_eq!(
            (status, body["error"]["type"].as_str(), &body["error"]["code"]),
            (404, Some(kind), &json!(404)),
            "{target}"
        );
    }
    assert_eq!(ask(&catalog, "GET", "/v1/namespaces/topics/views").await.1["identifiers"], json!([]));
}

#[tokio::test]
async fn writes_are_refused_with_the_reason() {
    let catalog = catalog().await;
    for (method, target) in [
        ("POST", "/v1/namespaces"),
        ("DELETE", "/v1/namespaces/topics"),
        ("POST", "/v1/namespaces/topics/tables"),
        ("POST", "/v1/namespaces/topics/tables/flights"),
        ("DELETE", "/v1/namespaces/topics/tables/flights"),
        ("POST", "/v1/transactions/commit"),
        ("POST", "/v1/tables/rename"),
    ] {
        let (status, body) = ask(&catalog, method, target).await;
        assert_eq!(status, 403, "{method} {target}");
        assert!(body["error"]["message"].as_str().expect("text").contains("written by Frazil only"));
    }
    assert_eq!(ask(&catalog, "POST", "/v1/config").await.0, 405);
}

#[tokio::test]
async fn a_table_that_did_not_change_is_not_sent_again() {
    let catalog = catalog().await;
    let mut request =
        Request { method: "GET".into(), path: "/v1/namespaces/topics/tables/flights".into(), ..Request::default() };
    let etag = handle(&catalog, &request).await.etag.expect("has one");
    let bare = etag.trim_matches('"');
    for seen in [
        etag.clone(),
        format!("W/{etag}"),
        format!("{etag}--gzip"),
        format!("\"{bare}--gzip\""),
        format!("\"x\", {etag}"),
    ] {
        request.if_none_match = Some(seen.clone());
        assert_eq!(handle(&catalog, &request).await.status, 304, "{seen}");
    }
    request.if_none_match = Some("\"00007-x\"".into());
    assert_eq!(handle(&catalog, &request).await.status, 200);
}
