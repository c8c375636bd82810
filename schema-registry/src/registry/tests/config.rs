//! Levels, modes, and what they allow.

use serde_json::{Value, json};

use super::{Node, avro, record};
use crate::http::Method;

#[test]
fn levels_are_set_and_unset() {
    let mut node = Node::default();
    assert_eq!(node.get("/config"), json!({"compatibilityLevel": "BACKWARD"}));
    assert_eq!(node.put("/config", json!({"compatibility": "full"})), json!({"compatibility": "FULL"}));
    assert_eq!(node.get("/config"), json!({"compatibilityLevel": "FULL"}));
    assert_eq!(node.refused(Method::Get, "/config/s", "").1, 40408);
    assert_eq!(node.get("/config/s?defaultToGlobal=true"), json!({"compatibilityLevel": "FULL"}));
    node.put("/config/s", json!({"compatibility": "NONE"}));
    assert_eq!(node.get("/config/s"), json!({"compatibilityLevel": "NONE"}));
    assert_eq!(node.delete("/config/s"), json!({"compatibilityLevel": "NONE"}));
    assert_eq!(node.refused(Method::Delete, "/config/s", "").1, 40401);
    assert_eq!(node.delete("/config"), json!({"compatibilityLevel": "FULL"}));
    assert_eq!(node.get("/config"), json!({"compatibilityLevel": "BACKWARD"}));
    // A context's level stands between a subject's and the registry's.
    node.put("/config/:.ctx:", json!({"compatibility": "NONE"}));
    assert_eq!(node.get("/config/:.ctx:s?defaultToGlobal=true"), json!({"compatibilityLevel": "NONE"}));
}

#[test]
fn each_level_looks_where_it_must() {
    // Version 1 has a, 2 has a and b (with default), 3 is tried.
    let v1 = avro(r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}"#);
    let v2 = avro(
        r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":"int","default":0}]}"#,
    );
    let without_default =
        avro(r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":"int"}]}"#);
    let without_a = avro(r#"{"type":"record","name":"R","fields":[{"name":"b","type":"int","default":0}]}"#);
    let rows = [
        ("NONE", &without_a, true),
        ("NONE", &without_default, true),
        ("BACKWARD", &without_default, true),
        ("BACKWARD_TRANSITIVE", &without_default, false),
        ("FORWARD", &without_a, false),
        ("BACKWARD", &without_a, true),
        ("FORWARD", &without_default, true),
        ("FORWARD_TRANSITIVE", &without_default, true),
        ("FULL", &without_a, false),
        ("FULL", &without_default, true),
        ("FULL_TRANSITIVE", &without_default, false),
    ];
    for (level, schema, fits) in rows {
        let mut node = Node::default();
        node.register("s", v1.clone());
        node.register("s", v2.clone());
        node.put("/config/s", json!({"compatibility": level}));
        let verdict = node.post("/compatibility/subjects/s/versions?verbose=true", schema.clone());
        assert_eq!(verdict["is_compatible"], fits, "{level} {schema} {verdict}");
        assert_eq!(verdict["messages"].as_array().is_some_and(Vec::is_empty), fits, "{verdict}");
        let (status, answer) = node.send(Method::Post, "/subjects/s/versions", &schema.to_string());
        assert_eq!(status, if fits { 200 } else { 409 }, "{level} {schema}");
        if !fits {
            let message = answer["message"].as_str().expect("a message");
            assert_eq!(answer["error_code"], 409);
            assert!(message.starts_with("Schema being registered is incompatible with an earlier schema for subject \"s\", details: [{errorType:'"));
            assert!(message.contains(&format!("{{compatibility: '{level}'}}")), "{message}");
        }
    }
}

#[test]
fn compatibility_against_one_version() {
    let mut node = Node::default();
    node.register("s", avro("\"int\""));
    node.put("/config/s", json!({"compatibility": "NONE"}));
    node.register("s", avro("\"string\""));
    node.put("/config/s", json!({"compatibility": "BACKWARD"}));
    let long = avro("\"long\"");
    assert_eq!(node.post("/compatibility/subjects/s/versions/1", long.clone()), json!({"is_compatible": true}));
    assert_eq!(node.post("/compatibility/subjects/s/versions/2", long.clone()), json!({"is_compatible": false}));
    assert_eq!(node.post("/compatibility/subjects/s/versions/latest", long.clone()), json!({"is_compatible": false}));
    assert_eq!(node.post("/compatibility/subjects/new/versions/latest", long.clone()), json!({"is_compatible": true}));
    let (_, code, _) = node.refused(Method::Post, "/compatibility/subjects/s/versions/7", &long.to_string());
    assert_eq!(code, 40402);
    let json_type = json!({"schemaType": "JSON", "schema": "{}"});
    assert_eq!(node.post("/compatibility/subjects/s/versions/2", json_type), json!({"is_compatible": false}));
    let verdict = node.post("/compatibility/subjects/s/versions/latest?verbose=true", avro("nonsense"));
    assert_eq!(verdict["is_compatible"], false);
    assert!(verdict["messages"][0].as_str().is_some_and(|message| message.contains("Invalid schema")));
}

#[test]
fn modes() {
    let mut node = Node::default();
    assert_eq!(node.get("/mode"), json!({"mode": "READWRITE"}));
    node.register("s", record(&["x"]));
    assert_eq!(node.put("/mode/s", json!({"mode": "READONLY"})), json!({"mode": "READONLY"}));
    assert_eq!(node.get("/mode/s"), json!({"mode": "READONLY"}));
    let more = record(&["x", "y"]).to_string();
    assert_eq!(node.refused(Method::Post, "/subjects/s/versions", &more).1, 42205);
    assert_eq!(node.refused(Method::Delete, "/subjects/s", "").1, 42205);
    assert_eq!(node.refused(Method::Delete, "/subjects/s/versions/1", "").1, 42205);
    assert_eq!(node.refused(Method::Put, "/config/s", r#"{"compatibility":"NONE"}"#).1, 42205);
    assert_eq!(node.register("s", record(&["x"])), 1, "what is there may be asked for");
    assert_eq!(node.delete("/mode/s"), json!({"mode": "READONLY"}));
    assert_eq!(node.refused(Method::Get, "/mode/s", "").1, 40409);
    assert_eq!(node.get("/mode/s?defaultToGlobal=true"), json!({"mode": "READWRITE"}));
    assert_eq!(node.refused(Method::Delete, "/mode/s", "").1, 40401);
    node.put("/mode", json!({"mode": "READONLY"}));
    assert_eq!(node.refused(Method::Post, "/subjects/s/versions", &more).1, 42205);
    node.put("/mode/s", json!({"mode": "READWRITE"}));
    assert_eq!(node.register("s", record(&["x", "y"])), 2);
    node.put("/mode", json!({"mode": "READONLY_OVERRIDE"}));
    let more = record(&["x", "y", "z"]).to_string();
    assert_eq!(node.refused(Method::Post, "/subjects/s/versions", &more).1, 42205);
}

#[test]
fn import_keeps_ids_and_versions() {
    let mut node = Node::default();
    node.register("other", record(&["x"]));
    assert_eq!(node.refused(Method::Put, "/mode", r#"{"mode":"IMPORT"}"#).1, 42205);
    node.put("/mode/s", json!({"mode": "IMPORT"}));
    let with = |text: &str, id: u32, version: u32| json!({"schema": text, "id": id, "version": version});
    assert_eq!(node.register("s", with("\"int\"", 100, 5)), 100);
    assert_eq!(node.register("s", with("\"string\"", 101, 3)), 101, "no compatibility is checked");
    assert_eq!(node.get("/subjects/s/versions"), json!([3, 5]));
    let body = with("\"bytes\"", 100, 6).to_string();
    assert_eq!(node.refused(Method::Post, "/subjects/s/versions", &body).1, 42207);
    assert_eq!(node.refused(Method::Post, "/subjects/s/versions", &avro("\"null\"").to_string()).1, 42205);
    node.put("/mode/s", json!({"mode": "READWRITE"}));
    assert_eq!(node.refused(Method::Post, "/subjects/s/versions", &with("\"null\"", 7, 7).to_string()).1, 42205);
    node.put("/config/s", json!({"compatibility": "NONE"}));
    assert_eq!(node.register("s", avro("\"null\"")), 102);
    assert_eq!(node.refused(Method::Put, "/mode/s", r#"{"mode":"IMPORT"}"#).1, 42205);
    assert_eq!(node.put("/mode/s?force=true", json!({"mode": "IMPORT"})), json!({"mode": "IMPORT"}));
}

#[test]
fn settings_go_with_the_subject() {
    let mut node = Node::default();
    node.register("s", record(&["x"]));
    node.put("/config/s", json!({"compatibility": "NONE"}));
    node.delete("/subjects/s");
    let level: Value = node.get("/config/s?defaultToGlobal=true");
    assert_eq!(level, json!({"compatibilityLevel": "BACKWARD"}));
}
