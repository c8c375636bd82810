//! Which settings do topics and the node have, as Kafka's tools know them? (KIP-226)

use model::{SETTINGS, TopicSettings};

use crate::node::NodeConfig;

/// Kafka's ConfigResource types.
pub const TOPIC: i8 = 2;
pub const BROKER: i8 = 4;

/// Kafka's config sources.
pub const SOURCE_TOPIC: i8 = 1;
pub const SOURCE_STATIC: i8 = 4;
pub const SOURCE_DEFAULT: i8 = 5;

/// Kafka's config types.
const BOOLEAN: i8 = 1;
const STRING: i8 = 2;
const INT: i8 = 3;
const LONG: i8 = 5;
const LIST: i8 = 7;

const WRITE_CACHING: &str = "write.caching";

/// One setting with what holds for it.
pub struct Entry {
    pub name: &'static str,
    pub value: String,
    pub default: &'static str,
    pub source: i8,
    pub kind: i8,
    pub doc: &'static str,
}

/// All settings of a topic, with what holds for them on this node.
pub fn of_topic(settings: &TopicSettings, config: &NodeConfig) -> impl Iterator<Item = Entry> {
    let set: Vec<&str> = settings.overrides().map(|(name, _)| name).collect();
    let caching = config.is_cached(settings).to_string();
    SETTINGS.iter().map(move |row| {
        let value = if row.name == WRITE_CACHING { &caching } else { settings.get(row.name) };
        let source = match set.contains(&row.name) {
            true if value == settings.get(row.name) => SOURCE_TOPIC,
            _ if value != row.default || set.contains(&row.name) => SOURCE_STATIC,
            _ => SOURCE_DEFAULT,
        };
        let kind = kind(row.name, row.default);
        Entry { name: row.name, value: value.to_owned(), default: row.default, source, kind, doc: row.doc }
    })
}

/// What tools ask a broker for.
pub fn of_node(config: &NodeConfig) -> Vec<Entry> {
    let entry = |name, value: String, default, kind, doc| {
        let source = if value == default { SOURCE_DEFAULT } else { SOURCE_STATIC };
        Entry { name, value, default, source, kind, doc }
    };
    let listener = format!("PLAINTEXT://{}:{}", config.advertised_host, config.advertised_port);
    let data_dir = config.data_dir.display().to_string();
    vec![
        entry("broker.id", config.node.to_string(), "", INT, "the node's number"),
        entry("node.id", config.node.to_string(), "", INT, "the node's number"),
        entry("advertised.listeners", listener, "", STRING, "where clients connect"),
        entry("listeners", format!("PLAINTEXT://{}", config.kafka), "", STRING, "where the node listens"),
        entry("log.dirs", data_dir, "", STRING, "where the data lie"),
        entry(
            "auto.create.topics.enable",
            config.auto_create.to_string(),
            "true",
            BOOLEAN,
            "topics are made at first use",
        ),
        entry("num.partitions", config.partitions_default.to_string(), "1", INT, "partitions where none are asked for"),
        entry("default.replication.factor", "1".into(), "1", INT, "replicas of new topics"),
        entry("min.insync.replicas", "1".into(), "1", INT, "replicas that acks=all waits for"),
        entry(
            "write_caching_default",
            config.write_caching_default.map_or("disabled".into(), |default| default.to_string()),
            "false",
            STRING,
            "write.caching of topics that do not set it; disabled switches it off for all",
        ),
        entry("delete.topic.enable", "true".into(), "true", BOOLEAN, "topics can be deleted"),
        entry("message.max.bytes", model::limits::BATCH_BYTES_DEFAULT.to_string(), "1048588", INT, "the largest batch"),
        entry("log.retention.ms", "604800000".into(), "604800000", LONG, "how long records are kept"),
        entry("log.cleanup.policy", "delete".into(), "delete", LIST, "what becomes of old records"),
        entry("compression.type", "producer".into(), "producer", STRING, "batches stay as they were sent"),
        entry("offsets.topic.num.partitions", crate::internal::GROUPS_PARTITIONS.to_string(), "16", INT, "for groups"),
        entry("offsets.topic.replication.factor", "1".into(), "1", INT, "replicas of group offsets"),
        entry("transaction.max.timeout.ms", "900000".into(), "900000", INT, "transactions are not supported yet"),
    ]
}

/// Settings of Kafka topics that mean nothing here and are passed over, so that scripts that set them work.
pub fn is_ignored(name: &str) -> bool {
    matches!(
        name,
        "file.delete.delay.ms"
            | "flush.messages"
            | "flush.ms"
            | "index.interval.bytes"
            | "max.compaction.lag.ms"
            | "message.downconversion.enable"
            | "message.format.version"
            | "message.timestamp.after.max.ms"
            | "message.timestamp.before.max.ms"
            | "message.timestamp.difference.max.ms"
            | "min.cleanable.dirty.ratio"
            | "min.compaction.lag.ms"
            | "preallocate"
            | "segment.index.bytes"
            | "segment.jitter.ms"
            | "unclean.leader.election.enable"
    )
}

fn kind(name: &str, default: &str) -> i8 {
    match default.parse::<i64>() {
        _ if name == "cleanup.policy" => LIST,
        Ok(_) if name.ends_with(".ms") || name == "retention.bytes" => LONG,
        Ok(_) => INT,
        Err(_) if matches!(default, "true" | "false") => BOOLEAN,
        Err(_) => STRING,
    }
}
