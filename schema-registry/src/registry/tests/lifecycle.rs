//! Registering, finding, deleting.

use serde_json::json;

use super::super::Registry;
use super::{Node, avro, record};
use crate::http::Method;

#[test]
fn register_look_up_and_get() {
    let mut node = Node::default();
    assert_eq!(node.register("a-value", record(&["x"])), 1);
    assert_eq!(node.register("a-value", record(&["x"])), 1, "the same again changes nothing");
    assert_eq!(node.register("a-value", record(&["x", "y"])), 2);
    assert_eq!(node.register("b-value", record(&["x"])), 1, "equal schemas share an id");
    assert_eq!(node.log.len(), 3);
    assert_eq!(node.get("/subjects"), json!(["a-value", "b-value"]));
    assert_eq!(node.get("/subjects/a-value/versions"), json!([1, 2]));
    let first = node.get("/subjects/a-value/versions/1");
    assert_eq!((&first["id"], &first["version"], &first["subject"]), (&json!(1), &json!(1), &json!("a-value")));
    assert!(first.get("schemaType").is_none(), "left out for Avro");
    assert_eq!(node.get("/subjects/a-value/versions/latest")["version"], 2);
    assert_eq!(node.get("/subjects/a-value/versions/-1")["version"], 2);
    assert_eq!(node.get("/subjects/a-value/versions/1/schema")["name"], "R");
    let found = node.post("/subjects/a-value", record(&["x"]));
    assert_eq!((&found["id"], &found["version"]), (&json!(1), &json!(1)));
    assert_eq!(node.get("/schemas/types"), json!(["JSON", "PROTOBUF", "AVRO"]));
    assert_eq!(node.get("/"), json!({}));
}

#[test]
fn soft_and_hard_deletion() {
    let mut node = Node::default();
    for fields in [&["x"][..], &["x", "y"], &["x", "y", "z"]] {
        node.register("s", record(fields));
    }
    assert_eq!(node.delete("/subjects/s/versions/2"), 2);
    assert_eq!(node.get("/subjects/s/versions"), json!([1, 3]));
    assert_eq!(node.get("/subjects/s/versions?deleted=true"), json!([1, 2, 3]));
    assert_eq!(node.get("/subjects/s/versions?deletedOnly=true"), json!([2]));
    assert_eq!(node.get("/subjects/s/versions?deletedAsNegative=true"), json!([1, -2, 3]));
    assert_eq!(node.get("/subjects/s/versions/2?deleted=true")["deleted"], true);
    assert!(node.get("/schemas/ids/2").get("schema").is_some(), "records with this id are still read");
    assert!(node.registry.view().has("s", 2));
    assert_eq!(node.delete("/subjects/s/versions/2?permanent=true"), 2);
    assert_eq!(node.get("/subjects/s/versions?deleted=true"), json!([1, 3]));
    assert_eq!(node.refused(Method::Get, "/schemas/ids/2", "").1, 40403);
    assert!(!node.registry.view().has("s", 2));
    assert_eq!(node.delete("/subjects/s"), json!([1, 3]));
    assert_eq!(node.get("/subjects"), json!([]));
    assert_eq!(node.get("/subjects?deleted=true"), json!(["s"]));
    assert_eq!(node.get("/subjects?deletedOnly=true"), json!(["s"]));
    // A schema that was deleted softly comes back as a new version under its old id.
    assert_eq!(node.register("s", record(&["x"])), 1);
    assert_eq!(node.get("/subjects/s/versions"), json!([4]));
    assert_eq!(node.delete("/subjects/s"), json!([4]));
    assert_eq!(node.delete("/subjects/s?permanent=true"), json!([1, 3, 4]));
    assert_eq!(node.get("/subjects?deleted=true"), json!([]));
    // Ids do not return, versions do.
    assert_eq!(node.register("s", record(&["x"])), 4);
    assert_eq!(node.get("/subjects/s/versions"), json!([1]));
}

#[test]
fn references_keep_what_they_name() {
    let mut node = Node::default();
    node.register("inner", avro(r#"{"type":"record","name":"p.Inner","fields":[]}"#));
    let outer = json!({
        "schema": r#"{"type":"record","name":"Outer","fields":[{"name":"i","type":"p.Inner"}]}"#,
        "references": [{"name": "p.Inner", "subject": "inner", "version": -1}],
    });
    let id = node.register("outer", outer.clone());
    let got = node.get(&format!("/schemas/ids/{id}"));
    assert_eq!(got["references"], json!([{"name": "p.Inner", "subject": "inner", "version": 1}]));
    assert_eq!(node.get("/subjects/inner/versions/1/referencedby"), json!([id]));
    assert_eq!(node.refused(Method::Delete, "/subjects/inner/versions/1", "").1, 42206);
    assert_eq!(node.refused(Method::Delete, "/subjects/inner", "").1, 42206);
    node.delete("/subjects/outer");
    assert_eq!(node.get("/subjects/inner/versions/1/referencedby"), json!([]));
    node.delete("/subjects/inner");
    let (_, code, _) = node.refused(Method::Delete, "/subjects/inner?permanent=true", "");
    assert_eq!(code, 42206, "the deleted version still needs it");
    let (_, code, message) = node.refused(Method::Post, "/subjects/outer/versions", &outer.to_string());
    assert_eq!(code, 42201, "a new schema cannot use a deleted one: {message}");
    node.delete("/subjects/outer?permanent=true");
    node.delete("/subjects/inner?permanent=true");
}

#[test]
fn every_language_with_references() {
    let mut node = Node::default();
    node.register("a.proto", json!({"schemaType": "PROTOBUF", "schema": "syntax=\"proto3\"; package a; message A {}"}));
    let text = "syntax=\"proto3\";import \"a.proto\"; message B { a.A a = 1; }";
    let references = json!([{"name": "a.proto", "subject": "a.proto", "version": 1}]);
    let id = node.register("b", json!({"schemaType": "PROTOBUF", "schema": text, "references": references}));
    let got = node.get(&format!("/schemas/ids/{id}"));
    assert_eq!((&got["schemaType"], &got["schema"]), (&json!("PROTOBUF"), &json!(text)));
    // The Python client registers and compares descriptors in base64.
    let serialized = node.get(&format!("/schemas/ids/{id}?format=serialized"))["schema"].clone();
    let again = json!({"schemaType": "PROTOBUF", "schema": serialized, "references": references});
    assert_eq!(node.register("b", again.clone()), id);
    assert_eq!(node.post("/subjects/b", again)["version"], 1);
    node.register("item", json!({"schemaType": "JSON", "schema": r#"{"type":"integer"}"#}));
    let id = node.register(
        "list",
        json!({
            "schemaType": "JSON",
            "schema": r#"{"items":{"$ref":"item.json"}}"#,
            "references": [{"name": "item.json", "subject": "item", "version": 1}],
        }),
    );
    assert_eq!(node.get(&format!("/schemas/ids/{id}"))["schemaType"], "JSON");
}

#[test]
fn replay_gives_the_same_state() {
    let mut node = Node::default();
    node.register("inner", avro(r#"{"type":"record","name":"p.Inner","fields":[]}"#));
    let references = json!([{"name": "p.Inner", "subject": "inner", "version": 1}]);
    let text = r#"{"type":"record","name":"Outer","fields":[{"name":"i","type":"p.Inner"}]}"#;
    node.register("outer", json!({"schema": text, "references": references}));
    node.register("meta", json!({"schema": "\"int\"", "metadata": {"properties": {"owner": "me"}}}));
    node.register(":.ctx:s", avro("\"string\""));
    node.register("s", record(&["x"]));
    node.register("s", record(&["x", "y"]));
    node.delete("/subjects/s/versions/1");
    node.delete("/subjects/s/versions/1?permanent=true");
    node.delete("/subjects/meta");
    node.put("/config", json!({"compatibility": "FULL"}));
    node.put("/config/s", json!({"compatibility": "NONE", "normalize": true}));
    node.put("/mode/s", json!({"mode": "READONLY"}));
    node.delete("/config/s");
    let portrait = node.portrait();
    let log = std::mem::take(&mut node.log);
    let mut copy = Node::default();
    for record in &log {
        copy.registry.replay(&record.key, record.value.as_deref()).expect("understood");
    }
    assert_eq!(copy.portrait(), portrait);
    let views = [node.registry.view(), copy.registry.view()].map(|view| {
        let subjects: Vec<_> = view.subjects().map(|name| (name.to_owned(), view.versions(name))).collect();
        let ids: Vec<_> = (0..10).map(|id| view.schema(id).map(|schema| schema.text.clone())).collect();
        (subjects, ids, (0..10).map(|id| view.has("s", id)).collect::<Vec<_>>())
    });
    assert_eq!(views[0], views[1]);
    // Compaction may leave a schema before those it refers to: here the log runs backwards, settings aside.
    let mut late = Registry::new();
    for record in [&log[1], &log[0]] {
        late.replay(&record.key, record.value.as_deref()).expect("understood");
    }
    assert!(late.view().latest("outer").is_some());
}

#[test]
fn confluents_log_is_taken_over() {
    let records = [
        (r#"{"keytype":"NOOP","magic":0}"#, None),
        (r#"{"keytype":"CONFIG","subject":null,"magic":0}"#, Some(r#"{"compatibilityLevel":"FULL"}"#)),
        (
            r#"{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}"#,
            Some(r#"{"subject":"s","version":1,"id":11,"schema":"\"int\"","deleted":false}"#),
        ),
        (
            r#"{"keytype":"SCHEMA","subject":"s","version":2,"magic":1}"#,
            Some(r#"{"subject":"s","version":2,"id":12,"schemaType":"JSON","schema":"{}","deleted":false}"#),
        ),
        (r#"{"keytype":"DELETE_SUBJECT","subject":"s","magic":0}"#, Some(r#"{"subject":"s","version":1}"#)),
        (r#"{"keytype":"MODE","subject":"t","magic":0}"#, Some(r#"{"mode":"IMPORT"}"#)),
    ];
    let mut node = Node::default();
    for (key, value) in records {
        node.registry.replay(key.as_bytes(), value.map(str::as_bytes)).expect(key);
    }
    assert_eq!(node.get("/subjects/s/versions"), json!([2]));
    assert_eq!(node.get("/config"), json!({"compatibilityLevel": "FULL"}));
    assert_eq!(node.get("/mode/t"), json!({"mode": "IMPORT"}));
    assert_eq!(node.register("u", avro("\"long\"")), 13);
}
