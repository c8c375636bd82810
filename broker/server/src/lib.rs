//! How does a node answer Kafka clients?
