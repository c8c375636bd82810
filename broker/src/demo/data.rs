//! Which topics does the demo fill, and with what?

use serde_json::{Value, json};

/// A topic with its schema and a recipe for its records.
pub struct Topic {
    pub name: &'static str,
    pub kind: &'static str,
    pub schema: &'static str,
    pub settings: &'static [(&'static str, &'static str)],
    pub record: fn(u32) -> Value,
}

pub const TOPICS: &[Topic] = &[
    Topic { name: "orders", kind: "AVRO", schema: ORDERS, settings: CHECKED, record: order },
    Topic { name: "clicks", kind: "PROTOBUF", schema: CLICKS, settings: CHECKED, record: click },
    Topic { name: "sensors", kind: "JSON", schema: SENSORS, settings: CHECKED, record: reading },
];

const CHECKED: &[(&str, &str)] =
    &[("frazil.lake.mode", "schema_id"), ("frazil.lake.lag.ms", "1000"), ("frazil.check.value", "payload")];

const ORDERS: &str = r#"{
  "type": "record", "name": "Order", "namespace": "shop", "fields": [
    {"name": "id", "type": "long"},
    {"name": "customer", "type": "string"},
    {"name": "items", "type": {"type": "array", "items": {"type": "record", "name": "Item", "fields": [
      {"name": "sku", "type": "string"}, {"name": "quantity", "type": "int"}, {"name": "price", "type": "double"}]}}},
    {"name": "status", "type": {"type": "enum", "name": "Status", "symbols": ["NEW", "PAID", "SHIPPED"]}},
    {"name": "note", "type": ["null", "string"], "default": null}]}"#;

const CLICKS: &str = r#"syntax = "proto3";
package web;
import "google/protobuf/timestamp.proto";
message Click {
  uint64 session = 1;
  string page = 2;
  optional string referrer = 3;
  google.protobuf.Timestamp at = 4;
  map<string, string> tags = 5;
}
"#;

const SENSORS: &str = r#"{
  "$schema": "http://json-schema.org/draft-07/schema#", "title": "Reading", "type": "object",
  "properties": {
    "sensor": {"type": "string"},
    "at": {"type": "string", "format": "date-time"},
    "celsius": {"type": "number"},
    "battery": {"type": ["null", "integer"], "minimum": 0, "maximum": 100}},
  "required": ["sensor", "at", "celsius"]}"#;

/// What a careless producer sends: the quantity is a text.
pub const BAD_READING: &str = r#"{"sensor": "s-1", "at": "2026-01-01T00:00:00Z", "celsius": "warm"}"#;

fn one_of(choice: [&'static str; 3], n: u32) -> &'static str {
    choice[(n % 3) as usize]
}

fn order(n: u32) -> Value {
    let item = |k: u32| json!({ "sku": format!("sku-{}", (n + k) % 50), "quantity": 1 + (n + k) % 4, "price": f64::from((n + k) % 100) + 0.5 });
    json!({
        "id": n,
        "customer": format!("customer-{}", n % 997),
        "items": (0..1 + n % 3).map(item).collect::<Vec<_>>(),
        "status": one_of(["NEW", "PAID", "SHIPPED"], n),
        "note": if n.is_multiple_of(10) { json!("gift") } else { Value::Null },
    })
}

fn click(n: u32) -> Value {
    let second = n % 86_400;
    let mut click = json!({
        "session": u64::MAX - u64::from(n % 500),
        "page": format!("/page/{}", n % 40),
        "at": format!("2026-01-01T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60),
        "tags": { "device": one_of(["phone", "tablet", "desktop"], n) },
    });
    if n.is_multiple_of(4) {
        click["referrer"] = json!("https://example.org/");
    }
    click
}

fn reading(n: u32) -> Value {
    json!({
        "sensor": format!("s-{}", n % 20),
        "at": format!("2026-01-01T{:02}:{:02}:00Z", n / 60 % 24, n % 60),
        "celsius": 20.0 + f64::from(n % 100) / 10.0,
        "battery": if n.is_multiple_of(7) { Value::Null } else { json!(n % 101) },
    })
}

/// The questions asked at the end.
pub const QUERIES: &[&str] = &[
    "select status, count(*) as orders, count(note) as gifts from frazil.topics.orders group by status order by status",
    "select i.sku as sku, sum(i.quantity * i.price) as revenue \
     from (select unnest(items) as i from frazil.topics.orders) group by 1 order by revenue desc limit 3",
    "select page, count(*) as clicks, count(distinct session) as sessions from frazil.topics.clicks \
     group by page order by clicks desc, page limit 3",
    "select sensor, round(avg(celsius), 2) as celsius, min(battery) as battery_min from frazil.topics.sensors \
     group by sensor order by sensor limit 3",
];
