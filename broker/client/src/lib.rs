//! How does a program talk to a Kafka broker?
