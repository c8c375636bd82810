//! Asking by id and GUID, in contexts, and lists with their filters.

use serde_json::{Value, json};

use super::{Node, avro, record};
use crate::http::Method;

#[test]
fn by_id_and_guid() {
    let mut node = Node::default();
    node.register("a", record(&["x"]));
    node.register("b", record(&["x"]));
    node.register("b", record(&["x", "y"]));
    assert_eq!(node.get("/schemas/ids/1/subjects"), json!(["a", "b"]));
    assert_eq!(
        node.get("/schemas/ids/1/versions"),
        json!([{"subject": "a", "version": 1}, {"subject": "b", "version": 1}])
    );
    assert_eq!(node.get("/schemas/ids/1/subjects?limit=1&offset=1"), json!(["b"]));
    assert_eq!(node.get("/schemas/ids/1/schema")["type"], "record");
    assert_eq!(node.get("/schemas/ids/1?fetchMaxId=true")["maxId"], 2);
    let guid = node.get("/schemas/ids/2")["guid"].as_str().expect("a GUID").to_owned();
    assert_eq!(node.get(&format!("/schemas/guids/{guid}/ids")), json!([{"context": ".", "id": 2}]));
    let by_guid = node.get(&format!("/schemas/guids/{guid}"));
    assert_eq!(by_guid["schema"], node.get("/schemas/ids/2")["schema"]);
    assert_eq!(node.registry.view().id_of(&guid.parse().expect("a GUID")), Some(2));
}

#[test]
fn metadata_is_part_of_the_identity() {
    let mut node = Node::default();
    let with = |owner: &str| json!({"schema": "\"int\"", "metadata": {"properties": {"owner": owner}}});
    assert_eq!(node.register("s", avro("\"int\"")), 1);
    assert_eq!(node.register("s", with("a")), 2);
    assert_eq!(node.register("s", with("b")), 3);
    assert_eq!(node.register("t", with("a")), 2);
    assert_eq!(node.get("/schemas/ids/2")["metadata"]["properties"]["owner"], "a");
    assert_eq!(node.get("/subjects/s/metadata?key=owner&value=a")["version"], 2);
    assert_eq!(node.refused(Method::Get, "/subjects/s/metadata?key=owner&value=c", "").1, 40403);
}

#[test]
fn contexts_have_their_own_ids() {
    let mut node = Node::default();
    node.register("s", avro("\"int\""));
    assert_eq!(node.register(":.ctx:s", avro("\"string\"")), 1);
    assert_eq!(node.get("/contexts"), json!([".", ".ctx"]));
    assert_eq!(node.get("/subjects"), json!([":.ctx:s", "s"]));
    assert_eq!(node.get("/subjects?subjectPrefix=:.ctx:"), json!([":.ctx:s"]));
    assert_eq!(node.get("/subjects?subjectPrefix=:.:"), json!(["s"]));
    assert_eq!(node.get("/contexts/.ctx/subjects"), json!([":.ctx:s"]));
    assert_eq!(node.get("/contexts/.ctx/subjects/s/versions/1")["schema"], "\"string\"");
    assert_eq!(node.get("/schemas/ids/1")["schema"], "\"int\"");
    assert_eq!(node.get("/schemas/ids/1?subject=:.ctx:s")["schema"], "\"string\"");
    assert_eq!(node.get("/contexts/.ctx/schemas/ids/1")["schema"], "\"string\"");
    assert_eq!(node.registry.view().schema(1).map(|schema| schema.text.clone()).as_deref(), Some("\"int\""));
    assert_eq!(node.refused(Method::Delete, "/contexts/.ctx", "").1, 42211);
    assert_eq!(node.send(Method::Delete, "/contexts/.empty", "").0, 204);
    assert_eq!(node.get("/subjects/:.:s/versions"), json!([1]), "the default context by name");
}

#[test]
fn listing_schemas() {
    let mut node = Node::default();
    node.register("a", record(&["x"]));
    node.register("a", record(&["x", "y"]));
    node.register("b", record(&["x"]));
    node.delete("/subjects/b");
    let shown = |answer: Value| -> Vec<(String, u64)> {
        let list = answer.as_array().cloned().unwrap_or_default();
        let pair =
            |row: &Value| (row["subject"].as_str().unwrap_or("").to_owned(), row["version"].as_u64().unwrap_or(0));
        list.iter().map(pair).collect()
    };
    assert_eq!(shown(node.get("/schemas")), [("a".into(), 1), ("a".into(), 2)]);
    assert_eq!(shown(node.get("/schemas?latestOnly=true")), [("a".into(), 2)]);
    assert_eq!(shown(node.get("/schemas?deleted=true&subjectPrefix=b")), [("b".into(), 1)]);
    assert_eq!(shown(node.get("/schemas?offset=1&limit=1")), [("a".into(), 2)]);
}

#[test]
fn normalize_makes_equal_what_means_the_same() {
    let mut node = Node::default();
    let one = json!({"schemaType": "JSON", "schema": r#"{"type":"object","title":"t"}"#});
    let other = json!({"schemaType": "JSON", "schema": r#"{"title":"t","type":"object"}"#});
    assert_eq!(node.post("/subjects/s/versions?normalize=true", one.clone())["id"], 1);
    assert_eq!(node.post("/subjects/s/versions?normalize=true", other.clone())["id"], 1);
    assert_eq!(node.post("/subjects/s?normalize=true", other.clone())["id"], 1);
    assert_eq!(node.register("s", one.clone()), 2, "off unless asked for");
    node.put("/config/t", json!({"normalize": true}));
    assert_eq!(node.register("t", other), 1);
    assert_eq!(node.register("t", one), 1);
}
