//! Does the registry answer as Confluent's does, and does replaying its records give the same state?

mod config;
mod ids;
mod lifecycle;
mod refusals;
mod robust;

use serde_json::{Value, json};

use super::{Admission, AdmitAll, Outcome, Record, Registry};
use crate::http::{Method, Request};

/// A registry with its log, as the broker runs it.
#[derive(Default)]
struct Node {
    registry: Registry,
    log: Vec<Record>,
}

impl Node {
    fn send_to(&mut self, method: Method, target: &str, body: &[u8], admission: &dyn Admission) -> (u16, Value) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let request =
            Request { method, path: path.into(), query: query.into(), body: bytes::Bytes::copy_from_slice(body) };
        let response = match self.registry.handle(&request, admission) {
            Outcome::Answer(response) => response,
            Outcome::Write { records, then } => {
                for record in records {
                    self.registry.replay(&record.key, record.value.as_deref()).expect("own records are understood");
                    self.log.push(record);
                }
                then
            }
        };
        let text = String::from_utf8(response.body).expect("answers are UTF-8");
        (response.status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    fn send(&mut self, method: Method, target: &str, body: &str) -> (u16, Value) {
        self.send_to(method, target, body.as_bytes(), &AdmitAll)
    }

    fn get(&mut self, target: &str) -> Value {
        let (status, body) = self.send(Method::Get, target, "");
        assert_eq!(status, 200, "{target}: {body}");
        body
    }

    fn put(&mut self, target: &str, body: Value) -> Value {
        let (status, body) = self.send(Method::Put, target, &body.to_string());
        assert_eq!(status, 200, "{target}: {body}");
        body
    }

    fn delete(&mut self, target: &str) -> Value {
        let (status, body) = self.send(Method::Delete, target, "");
        assert_eq!(status, 200, "{target}: {body}");
        body
    }

    fn post(&mut self, target: &str, body: Value) -> Value {
        let (status, body) = self.send(Method::Post, target, &body.to_string());
        assert_eq!(status, 200, "{target}: {body}");
        body
    }

    /// Registers and gives the id.
    fn register(&mut self, subject: &str, schema: Value) -> u64 {
        let answer = self.post(&format!("/subjects/{subject}/versions"), schema);
        answer["id"].as_u64().unwrap_or_else(|| panic!("no id in {answer}"))
    }

    /// Status and code of a refusal.
    fn refused(&mut self, method: Method, target: &str, body: &str) -> (u16, u64, String) {
        let (status, answer) = self.send(method, target, body);
        let code = answer["error_code"].as_u64().unwrap_or_else(|| panic!("{target}: not refused: {answer}"));
        (status, code, answer["message"].as_str().unwrap_or_default().to_owned())
    }

    /// All that can be asked about the state.
    fn portrait(&mut self) -> Vec<Value> {
        ["/schemas?deleted=true", "/subjects?deleted=true", "/subjects", "/contexts", "/config", "/mode"]
            .iter()
            .map(|target| self.get(target))
            .collect()
    }
}

fn avro(text: &str) -> Value {
    json!({ "schema": text })
}

/// An Avro record with fields `int` of these names, all with a default.
fn record(fields: &[&str]) -> Value {
    let fields: Vec<Value> = fields.iter().map(|name| json!({"name": name, "type": "int", "default": 0})).collect();
    avro(&json!({"type": "record", "name": "R", "fields": fields}).to_string())
}
