//! Whatever arrives, the registry answers.

use proptest::prelude::*;

use super::super::{AdmitAll, Outcome, Registry};
use super::{Node, record};
use crate::http::{Method, Request};

const METHODS: [Method; 5] = [Method::Get, Method::Post, Method::Put, Method::Delete, Method::Other];

const TARGETS: [&str; 12] = [
    "/subjects/s/versions",
    "/subjects/s",
    "/subjects/s/versions/1",
    "/subjects/s/versions/latest/referencedby",
    "/compatibility/subjects/s/versions/latest",
    "/compatibility/subjects/s/versions",
    "/config",
    "/config/s",
    "/mode/s",
    "/schemas",
    "/schemas/ids/1",
    "/contexts/c/subjects/s/versions",
];

fn node() -> Node {
    let mut node = Node::default();
    node.register("s", record(&["x"]));
    node
}

proptest! {
    #[test]
    fn random_bodies_are_refused(body in proptest::collection::vec(any::<u8>(), 1..100), target in 0usize..6) {
        let mut node = node();
        let (status, _) = node.send_to(Method::Post, TARGETS[target], &body, &AdmitAll);
        prop_assert!((400..500).contains(&status), "{status}");
    }

    #[test]
    fn random_schemas_are_answered(text in "[\\PC{}\\[\\]\":,]{0,60}", kind in 0usize..4, target in 0usize..6) {
        let mut node = node();
        let kind = ["AVRO", "JSON", "PROTOBUF", "x"][kind];
        let body = serde_json::json!({"schema": text, "schemaType": kind}).to_string();
        let (status, _) = node.send_to(Method::Post, TARGETS[target], body.as_bytes(), &AdmitAll);
        prop_assert!(status < 500, "{status}");
    }

    #[test]
    fn random_paths_are_answered(path in "(/[a-z0-9%:.*]{0,8}){0,6}", query in "\\PC{0,20}", method in 0usize..5) {
        let request = Request { method: METHODS[method], path, query, body: bytes::Bytes::new() };
        match node().registry.handle(&request, &AdmitAll) {
            Outcome::Answer(response) | Outcome::Write { then: response, .. } => prop_assert!(response.status < 500),
        }
    }

    #[test]
    fn random_records_are_survived(
        key in proptest::option::of("\\PC{0,40}"),
        kind in 0usize..6,
        value in proptest::option::of("\\PC{0,40}"),
    ) {
        let kinds = ["SCHEMA", "CONFIG", "MODE", "DELETE_SUBJECT", "CLEAR_SUBJECT", "NOOP"];
        let key = key.unwrap_or_else(|| {
            serde_json::json!({"keytype": kinds[kind], "subject": "s", "version": 1, "magic": 1}).to_string()
        });
        let mut node = node();
        let _ = node.registry.replay(key.as_bytes(), value.as_deref().map(str::as_bytes));
        node.portrait();
    }

    /// Any sequence of changes leaves the copy that only replayed in the same state.
    #[test]
    fn replay_follows_any_history(steps in proptest::collection::vec((0usize..9, 0usize..3, 1i32..4), 0..40)) {
        let mut node = Node::default();
        for (step, subject, version) in steps {
            let s = ["a", "b", ":.c:a"][subject];
            let fields: Vec<&str> = ["x", "y", "z"][..version as usize].to_vec();
            let (method, target, body) = match step {
                0..3 => (Method::Post, format!("/subjects/{s}/versions"), record(&fields).to_string()),
                3 => (Method::Delete, format!("/subjects/{s}/versions/{version}"), String::new()),
                4 => (Method::Delete, format!("/subjects/{s}/versions/{version}?permanent=true"), String::new()),
                5 => (Method::Delete, format!("/subjects/{s}"), String::new()),
                6 => (Method::Delete, format!("/subjects/{s}?permanent=true"), String::new()),
                7 => (Method::Put, format!("/config/{s}"), r#"{"compatibility":"FULL"}"#.to_owned()),
                _ => (Method::Delete, format!("/config/{s}"), String::new()),
            };
            node.send(method, &target, &body);
        }
        let mut copy = Node { registry: Registry::new(), log: Vec::new() };
        for record in &node.log {
            copy.registry.replay(&record.key, record.value.as_deref()).expect("understood");
        }
        prop_assert_eq!(copy.portrait(), node.portrait());
        prop_assert_eq!(format!("{:?}", copy.registry.view().versions("a")), format!("{:?}", node.registry.view().versions("a")));
    }
}
