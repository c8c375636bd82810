//! One row per error code.

use serde_json::json;

use super::super::{Admission, Outcome};
use super::{Node, avro, record};
use crate::http::Method::{self, Delete, Get, Other, Post, Put};
use crate::schema::Schema;

/// Subject `s` has version 1 live and 2 deleted, `gone` only a deleted one.
fn node() -> Node {
    let mut node = Node::default();
    node.register("s", record(&["x"]));
    node.register("s", record(&["x", "y"]));
    node.delete("/subjects/s/versions/2");
    node.register("gone", record(&["z"]));
    node.delete("/subjects/gone");
    node
}

#[test]
fn one_row_per_code() {
    let int = r#"{"schema":"\"int\""}"#;
    let rows: &[(Method, &str, &str, u64)] = &[
        (Get, "/subjects/none/versions", "", 40401),
        (Get, "/subjects/none/versions/1", "", 40401),
        (Get, "/subjects/gone/versions/latest", "", 40401),
        (Post, "/subjects/none", int, 40401),
        (Delete, "/subjects/none", "", 40401),
        (Get, "/subjects/s/versions/9", "", 40402),
        (Get, "/subjects/s/versions/2", "", 40402),
        (Delete, "/subjects/s/versions/9", "", 40402),
        (Get, "/schemas/ids/99", "", 40403),
        (Get, "/schemas/ids/x", "", 40403),
        (Get, "/schemas/ids/99/versions", "", 40403),
        (Get, "/schemas/guids/x", "", 40403),
        (Post, "/subjects/s", int, 40403),
        (Delete, "/subjects/gone", "", 40404),
        (Delete, "/subjects/s?permanent=true", "", 40405),
        (Delete, "/subjects/s/versions/2", "", 40406),
        (Delete, "/subjects/s/versions/1?permanent=true", "", 40407),
        (Get, "/config/s", "", 40408),
        (Get, "/mode/s", "", 40409),
        (Post, "/subjects/s/versions", int, 409),
        (Post, "/subjects/s/versions", r#"{"schema":"nonsense"}"#, 42201),
        (Post, "/subjects/s/versions", r#"{"schema":""}"#, 42201),
        (Post, "/subjects/s/versions", "{}", 42201),
        (Post, "/subjects/s/versions", r#"{"schema":"\"int\"","schemaType":"XML"}"#, 42201),
        (
            Post,
            "/subjects/s/versions",
            r#"{"schema":"\"int\"","references":[{"name":"a","subject":"b","version":1}]}"#,
            42201,
        ),
        (Post, "/compatibility/subjects/s/versions/latest", r#"{"schema":"nonsense"}"#, 42201),
        (Get, "/subjects/s/versions/0", "", 42202),
        (Get, "/subjects/s/versions/x", "", 42202),
        (Get, "/subjects/s/versions/2147483648", "", 42202),
        (Put, "/config", r#"{"compatibility":"SOME"}"#, 42203),
        (Put, "/config", "{}", 42203),
        (Put, "/mode", r#"{"mode":"OFF"}"#, 42204),
        (Put, "/mode", "{}", 42204),
        (Put, "/mode", r#"{"mode":"IMPORT"}"#, 42205),
        (Post, "/subjects/s/versions", r#"{"schema":"\"int\"","id":7}"#, 42205),
        (Get, "/subjects/a%00b/versions", "", 42208),
        (Get, "/subjects/__GLOBAL/versions", "", 42208),
        (Delete, "/contexts/.", "", 42211),
        (Post, "/subjects/s/versions", "nonsense", 400),
        (Post, "/subjects/s/versions", r#"{"schema":7}"#, 400),
        (Put, "/config", "[]", 400),
        (Get, "/nothing", "", 404),
        (Get, "/subjects/s/versions/1/other", "", 404),
        (Put, "/subjects", "", 405),
        (Other, "/config", "", 405),
        (Delete, "/schemas/types", "", 405),
    ];
    let mut node = node();
    for (method, target, body, expected) in rows {
        let (status, code, message) = node.refused(*method, target, body);
        assert_eq!(code, *expected, "{method:?} {target} {body}: {message}");
        let wanted = if code >= 10_000 { code / 100 } else { code };
        assert_eq!(u64::from(status), wanted, "{target}");
        assert!(message.len() > 10, "{target}: {message}");
    }
    let records = node.log.len();
    assert_eq!(records, 5, "refusals write nothing");
}

#[test]
fn too_large() {
    let mut node = Node::default();
    let text = format!("\"{}\"", "x".repeat(2 * 1024 * 1024));
    assert_eq!(node.refused(Post, "/subjects/s/versions", &avro(&text).to_string()).1, 42209);
}

struct Nobody;

impl Admission for Nobody {
    fn admit(&self, subject: &str, _schema: &Schema) -> Result<(), String> {
        Err(format!("the table of {subject} cannot take it"))
    }
}

#[test]
fn admission_is_asked_for_new_schemas_only() {
    let mut node = Node::default();
    node.register("s", record(&["x"]));
    let mut send = |body: serde_json::Value| {
        let body = body.to_string();
        node.send_to(Post, "/subjects/s/versions", body.as_bytes(), &Nobody)
    };
    let (status, answer) = send(record(&["x", "y"]));
    assert_eq!((status, &answer["error_code"]), (422, &json!(42201)));
    assert_eq!(answer["message"], "the table of s cannot take it");
    assert_eq!(send(record(&["x"])).0, 200, "known already");
    node.put("/mode/t", json!({"mode": "IMPORT"}));
    let body = json!({"schema": "\"int\"", "id": 9}).to_string();
    let (status, answer) = node.send_to(Post, "/subjects/t/versions", body.as_bytes(), &Nobody);
    assert_eq!((status, &answer["error_code"]), (422, &json!(42201)), "an import is as new to its table");
}

#[test]
fn not_written() {
    let response = Outcome::not_written("the log is full");
    assert_eq!(response.status, 500);
    assert!(String::from_utf8_lossy(&response.body).contains("50001"));
}
