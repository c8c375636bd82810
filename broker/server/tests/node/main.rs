//! Does a node of two shards keep its promises to clients that speak Kafka's protocol?

mod support;
mod requests;
mod store;
mod rules;
mod retention;
mod history;
