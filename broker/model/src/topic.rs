//! What can be set for a topic, under which names, and what holds where nothing is set?

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::limits::{BATCH_BYTES_DEFAULT, BATCH_BYTES_MAX};

/// How the records of a topic become rows (`frazil.lake.mode`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum LakeMode {
    #[default]
    Off,
    /// One column `value binary`.
    KeyValue,
    /// Columns by the schema id in front of each value.
    SchemaId,
    /// Columns by the latest schema of a subject; values may come without a prefix.
    SchemaLatest { subject: Option<String>, protobuf_name: Option<String> },
}

/// How much of a key or value is checked before it is stored (`frazil.check.value`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CheckMode {
    #[default]
    Off,
    /// The schema id in front must be registered for the topic's subject.
    Id,
    /// As `Id`, and the bytes behind it must be a value of that schema.
    Payload,
}

/// What happens to a record that fails the check (`frazil.check.action`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CheckAction {
    /// Its batch is refused with INVALID_RECORD.
    #[default]
    Reject,
    /// It is stored, and its row goes to the dead-letter table with the cause.
    DeadLetter,
}

/// The subject under which a record's schema must be registered (`*.subject.name.strategy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SubjectStrategy {
    #[default]
    TopicName,
    RecordName,
    TopicRecordName,
}

/// One row of the table of settings: what clients see in DescribeConfigs and `docs/reference`.
pub struct Setting {
    /// The canonical name.
    pub name: &'static str,
    pub default: &'static str,
    pub doc: &'static str,
    /// Other names for the same thing: Redpanda's, Confluent's.
    pub aliases: &'static [&'static str],
    check: fn(&str) -> Result<String, String>,
}

/// A setting that was refused, with the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSetting {
    #[error("there is no topic setting called '{0}'; `frazil topic describe` lists those that exist")]
    Unknown(String),
    #[error("'{name}' cannot be '{value}': {why}")]
    Value { name: String, value: String, why: String },
    #[error("'{first}' and '{second}' are two names of one setting, with different values")]
    Twice { first: String, second: String },
}

/// The settings of a topic that differ from the defaults, by canonical name, each known to be valid.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TopicSettings(BTreeMap<String, String>);

/// All that can be set for a topic.
pub static SETTINGS: &[Setting] = &[
    setting("cleanup.policy", "delete", "delete (by retention) or compact (by key)", &[], cleanup_policy),
    setting("compression.type", "producer", "the compression of stored batches; only 'producer'", &[], compression),
    setting("delete.retention.ms", "86400000", "how long tombstones of compacted topics stay", &[], number),
    setting("max.message.bytes", "1048588", "the largest record batch, as sent", &[], message_bytes),
    setting("message.timestamp.type", "CreateTime", "CreateTime or LogAppendTime", &[], timestamp_type),
    setting("min.insync.replicas", "1", "replicas that must have a record before acks=all is answered", &[], positive),
    setting("retention.bytes", "-1", "bytes of a partition that are kept; -1 keeps all", &[], number),
    setting("retention.ms", "604800000", "how long records are kept; -1 keeps them for ever", &[], number),
    setting("segment.bytes", "1073741824", "accepted for Kafka's tools; segments are the node's", &[], positive),
    setting("segment.ms", "604800000", "accepted for Kafka's tools; segments are the node's", &[], positive),
    setting(
        "retention.local.target.ms",
        "86400000",
        "how long archived records stay in the node's log as well; -1 keeps them as long as retention.ms",
        &[],
        number,
    ),
    setting(
        "retention.local.target.bytes",
        "-1",
        "bytes of a partition's archived records that stay in the node's log as well; -1 sets no bound",
        &[],
        number,
    ),
    setting(
        "frazil.archive",
        "on",
        "on or off: whether raw record batches are copied to the object store, so that the log may be short",
        &["redpanda.storage.mode", "redpanda.remote.write"],
        archive,
    ),
    setting(
        "frazil.archive.read",
        "true",
        "accepted for Redpanda's tools; archived records are always served",
        &["redpanda.remote.read"],
        only_true,
    ),
    setting(
        "frazil.archive.delete",
        "true",
        "accepted for Redpanda's tools; archived records go with their topic",
        &["redpanda.remote.delete"],
        only_true,
    ),
    setting(
        "write.caching",
        "false",
        "true acknowledges records before they are durable: those of the last moments before a crash or a power cut are \
         lost, although producers were told that they are stored",
        &[],
        boolean,
    ),
    setting(
        "frazil.lake.mode",
        "off",
        "off, key_value, schema_id or schema_latest[:subject=S,protobuf_name=M]: the topic as an Iceberg table",
        &["redpanda.iceberg.mode"],
        lake_mode,
    ),
    setting(
        "frazil.lake.lag.ms",
        "10000",
        "how long after its acknowledgement a record may be missing from the table",
        &["redpanda.iceberg.target.lag.ms"],
        lag,
    ),
    setting(
        "frazil.check.value",
        "off",
        "off, id or payload: what is checked of a value before it is stored",
        &["redpanda.value.schema.id.validation", "confluent.value.schema.validation"],
        check_mode,
    ),
    setting(
        "frazil.check.key",
        "off",
        "off, id or payload: what is checked of a key before it is stored",
        &["redpanda.key.schema.id.validation", "confluent.key.schema.validation"],
        check_mode,
    ),
    setting(
        "frazil.check.action",
        "reject",
        "reject or dead_letter: what becomes of a record that fails the check",
        &["redpanda.iceberg.invalid.record.action"],
        check_action,
    ),
    setting(
        "frazil.check.value.subject",
        "TopicNameStrategy",
        "the subject of a value's schema: TopicNameStrategy, RecordNameStrategy or TopicRecordNameStrategy",
        &["redpanda.value.subject.name.strategy", "confluent.value.subject.name.strategy"],
        subject_strategy,
    ),
    setting(
        "frazil.check.key.subject",
        "TopicNameStrategy",
        "the subject of a key's schema: TopicNameStrategy, RecordNameStrategy or TopicRecordNameStrategy",
        &["redpanda.key.subject.name.strategy", "confluent.key.subject.name.strategy"],
        subject_strategy,
    ),
];

const fn setting(
    name: &'static str,
    default: &'static str,
    doc: &'static str,
    aliases: &'static [&'static str],
    check: fn(&str) -> Result<String, String>,
) -> Setting {
    Setting { name, default, doc, aliases, check }
}

impl Setting {
    /// The row for a canonical name or an alias.
    pub fn find(name: &str) -> Option<&'static Setting> {
        SETTINGS.iter().find(|s| s.name == name || s.aliases.contains(&name))
    }
}

impl TopicSettings {
    /// Checks names and values; aliases become canonical.
    pub fn parse<'a>(given: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<TopicSettings, BadSetting> {
        let mut settings = TopicSettings::default();
        let mut names: BTreeMap<&'static str, &str> = BTreeMap::new();
        for (name, value) in given {
            let before = settings.clone();
            settings.set(name, value)?;
            let canonical = Setting::find(name).expect("set() knows it").name;
            if let Some(first) = names.insert(canonical, name)
                && before.get(canonical) != settings.get(canonical)
            {
                return Err(BadSetting::Twice { first: first.to_owned(), second: name.to_owned() });
            }
        }
        Ok(settings)
    }

    /// Sets one value, under a canonical name or an alias.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), BadSetting> {
        let row = Setting::find(name).ok_or_else(|| BadSetting::Unknown(name.to_owned()))?;
        let value = (row.check)(value).map_err(|why| BadSetting::Value {
            name: name.to_owned(),
            value: value.to_owned(),
            why,
        })?;
        self.0.insert(row.name.to_owned(), value);
        Ok(())
    }

    /// Back to the default.
    pub fn unset(&mut self, name: &str) -> Result<(), BadSetting> {
        let row = Setting::find(name).ok_or_else(|| BadSetting::Unknown(name.to_owned()))?;
        self.0.remove(row.name);
        Ok(())
    }

    /// What holds for a canonical name: what was set, else the default.
    pub fn get(&self, name: &str) -> &str {
        match self.0.get(name) {
            Some(value) => value,
            None => Setting::find(name).expect("callers name settings that exist").default,
        }
    }

    /// What was set, by canonical name.
    pub fn overrides(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub fn lake_mode(&self) -> LakeMode {
        parse_lake_mode(self.get("frazil.lake.mode")).expect("checked when it was set")
    }

    pub fn lake_lag_ms(&self) -> u64 {
        self.int("frazil.lake.lag.ms").max(0).unsigned_abs()
    }

    pub fn check_value(&self) -> CheckMode {
        parse_check_mode(self.get("frazil.check.value"))
    }

    pub fn check_key(&self) -> CheckMode {
        parse_check_mode(self.get("frazil.check.key"))
    }

    pub fn check_action(&self) -> CheckAction {
        match self.get("frazil.check.action") {
            "dead_letter" => CheckAction::DeadLetter,
            _ => CheckAction::Reject,
        }
    }

    pub fn value_subject(&self) -> SubjectStrategy {
        parse_strategy(self.get("frazil.check.value.subject"))
    }

    pub fn key_subject(&self) -> SubjectStrategy {
        parse_strategy(self.get("frazil.check.key.subject"))
    }

    pub fn batch_bytes_max(&self) -> usize {
        usize::try_from(self.int("max.message.bytes")).unwrap_or(BATCH_BYTES_DEFAULT)
    }

    pub fn is_compacted(&self) -> bool {
        self.get("cleanup.policy").contains("compact")
    }

    /// True if retention.ms and retention.bytes hold for the topic.
    pub fn is_deleted_by_retention(&self) -> bool {
        self.get("cleanup.policy").contains("delete")
    }

    /// `None` keeps records for ever.
    pub fn retention_ms(&self) -> Option<i64> {
        Some(self.int("retention.ms")).filter(|ms| *ms >= 0)
    }

    /// Bytes of a partition that are kept; `None` keeps all.
    pub fn retention_bytes(&self) -> Option<u64> {
        u64::try_from(self.int("retention.bytes")).ok()
    }

    /// True if the archive copies the topic's records to the object store.
    pub fn is_archived(&self) -> bool {
        self.get("frazil.archive") == "on"
    }

    /// How long archived records stay in the log; `None` sets no bound.
    pub fn local_retention_ms(&self) -> Option<i64> {
        Some(self.int("retention.local.target.ms")).filter(|ms| *ms >= 0)
    }

    /// Bytes of a partition's archived records that stay in the log; `None` sets no bound.
    pub fn local_retention_bytes(&self) -> Option<u64> {
        u64::try_from(self.int("retention.local.target.bytes")).ok()
    }

    /// Whether records are acknowledged before they are durable; `None`: as the node says.
    pub fn write_caching(&self) -> Option<bool> {
        self.0.get("write.caching").map(|value| value == "true")
    }

    pub fn is_log_append_time(&self) -> bool {
        self.get("message.timestamp.type") == "LogAppendTime"
    }

    fn int(&self, name: &str) -> i64 {
        self.get(name).parse().expect("checked when it was set")
    }
}

fn number(value: &str) -> Result<String, String> {
    match value.trim().parse::<i64>() {
        Ok(n) if n >= -1 => Ok(n.to_string()),
        _ => Err("a whole number of at least -1 is wanted".into()),
    }
}

fn positive(value: &str) -> Result<String, String> {
    match value.trim().parse::<i64>() {
        Ok(n) if n >= 1 => Ok(n.to_string()),
        _ => Err("a whole number of at least 1 is wanted".into()),
    }
}

fn lag(value: &str) -> Result<String, String> {
    match value.trim().parse::<i64>() {
        Ok(n) if (100..=86_400_000).contains(&n) => Ok(n.to_string()),
        _ => Err("milliseconds from 100 to 86400000 are wanted".into()),
    }
}

fn message_bytes(value: &str) -> Result<String, String> {
    match value.trim().parse::<usize>() {
        Ok(n) if n <= BATCH_BYTES_MAX => Ok(n.to_string()),
        _ => Err(format!("bytes from 0 to {BATCH_BYTES_MAX} are wanted")),
    }
}

fn one_of(value: &str, legal: &[&str]) -> Result<String, String> {
    match legal.contains(&value) {
        true => Ok(value.to_owned()),
        false => Err(format!("one of {} is wanted", legal.join(", "))),
    }
}

fn archive(value: &str) -> Result<String, String> {
    match value {
        "on" | "true" | "tiered" | "cloud" | "unset" => Ok("on".into()),
        "off" | "false" | "local" => Ok("off".into()),
        _ => Err("one of on, off (or Redpanda's tiered, cloud, unset, local, true, false) is wanted".into()),
    }
}

/// Both are taken, as Redpanda's tools send both; there is one behaviour.
fn only_true(value: &str) -> Result<String, String> {
    match value {
        "true" | "false" => Ok("true".into()),
        _ => Err("true is wanted".into()),
    }
}

fn boolean(value: &str) -> Result<String, String> {
    one_of(value, &["true", "false"])
}

fn cleanup_policy(value: &str) -> Result<String, String> {
    one_of(value, &["delete", "compact", "compact,delete", "delete,compact"])
}

fn compression(value: &str) -> Result<String, String> {
    one_of(value, &["producer"])
}

fn timestamp_type(value: &str) -> Result<String, String> {
    one_of(value, &["CreateTime", "LogAppendTime"])
}

fn lake_mode(value: &str) -> Result<String, String> {
    Ok(match parse_lake_mode(value)? {
        LakeMode::Off => "off".into(),
        LakeMode::KeyValue => "key_value".into(),
        LakeMode::SchemaId => "schema_id".into(),
        LakeMode::SchemaLatest { subject, protobuf_name } => {
            let options = [("subject", subject), ("protobuf_name", protobuf_name)];
            let set: Vec<String> =
                options.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value?))).collect();
            if set.is_empty() { "schema_latest".into() } else { format!("schema_latest:{}", set.join(",")) }
        }
    })
}

fn parse_lake_mode(value: &str) -> Result<LakeMode, String> {
    let (mode, options) = value.split_once(':').unwrap_or((value, ""));
    let latest = matches!(mode, "schema_latest" | "value_schema_latest");
    if !latest && value.contains(':') {
        return Err("only schema_latest takes options".into());
    }
    match mode {
        "off" | "disabled" => Ok(LakeMode::Off),
        "key_value" => Ok(LakeMode::KeyValue),
        "schema_id" | "value_schema_id_prefix" => Ok(LakeMode::SchemaId),
        _ if latest => parse_latest_options(options),
        _ => Err("one of off, key_value, schema_id or schema_latest[:subject=S,protobuf_name=M] is wanted".into()),
    }
}

fn parse_latest_options(options: &str) -> Result<LakeMode, String> {
    let (mut subject, mut protobuf_name) = (None, None);
    for option in options.split(',').filter(|o| !o.is_empty()) {
        let slot = match option.split_once('=') {
            Some(("subject", value)) if !value.is_empty() => (&mut subject, value),
            Some(("protobuf_name", value)) if !value.is_empty() => (&mut protobuf_name, value),
            _ => return Err(format!("'{option}' is no option of schema_latest; subject=… and protobuf_name=… are")),
        };
        if slot.0.replace(slot.1.to_owned()).is_some() {
            return Err(format!("'{option}' gives an option a second time"));
        }
    }
    Ok(LakeMode::SchemaLatest { subject, protobuf_name })
}

fn check_mode(value: &str) -> Result<String, String> {
    match value {
        "false" => Ok("off".into()),
        "true" => Ok("id".into()),
        _ => one_of(value, &["off", "id", "payload"]),
    }
}

fn parse_check_mode(value: &str) -> CheckMode {
    match value {
        "id" => CheckMode::Id,
        "payload" => CheckMode::Payload,
        _ => CheckMode::Off,
    }
}

fn check_action(value: &str) -> Result<String, String> {
    match value {
        "dlq_table" => Ok("dead_letter".into()),
        _ => one_of(value, &["reject", "dead_letter"]),
    }
}

fn subject_strategy(value: &str) -> Result<String, String> {
    let short = value.rsplit('.').next().unwrap_or(value);
    one_of(short, &["TopicNameStrategy", "RecordNameStrategy", "TopicRecordNameStrategy"])
}

fn parse_strategy(value: &str) -> SubjectStrategy {
    match value {
        "RecordNameStrategy" => SubjectStrategy::RecordName,
        "TopicRecordNameStrategy" => SubjectStrategy::TopicRecordName,
        _ => SubjectStrategy::TopicName,
    }
}

#[cfg(test)]
mod tests;
