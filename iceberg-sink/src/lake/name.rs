//! What is the table of a topic called?

use model::TopicName;

const DEAD_LETTERS: &str = "__dlq";

/// The topic's name with dots as underscores.
pub fn table_name(topic: &TopicName) -> String {
    topic.as_str().replace('.', "_")
}

/// The table of the records that could not become rows.
pub fn dead_letter_table(topic: &TopicName) -> String {
    table_name(topic) + DEAD_LETTERS
}
