//! What do Kafka's bytes mean?
