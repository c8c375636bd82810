//! Are settings understood under all their names, and refused with a reason?

use super::*;

#[test]
fn every_default_is_itself_valid() {
    for row in SETTINGS {
        assert_eq!((row.check)(row.default).as_deref(), Ok(row.default), "{}", row.name);
    }
}

#[test]
fn names_of_other_products_mean_ours() {
    let settings = TopicSettings::parse([
        ("redpanda.iceberg.mode", "value_schema_id_prefix"),
        ("confluent.value.schema.validation", "true"),
        ("redpanda.iceberg.invalid.record.action", "dlq_table"),
        ("confluent.value.subject.name.strategy", "io.confluent.kafka.serializers.subject.RecordNameStrategy"),
    ])
    .unwrap();
    assert_eq!(settings.lake_mode(), LakeMode::SchemaId);
    assert_eq!(settings.check_value(), CheckMode::Id);
    assert_eq!(settings.check_action(), CheckAction::DeadLetter);
    assert_eq!(settings.value_subject(), SubjectStrategy::RecordName);
    assert_eq!(settings.overrides().next(), Some(("frazil.check.action", "dead_letter")));
}

#[test]
fn options_of_the_latest_schema_are_kept() {
    let settings = TopicSettings::parse([("frazil.lake.mode", "schema_latest:subject=a-value,protobuf_name=x.Y")]);
    let wanted = LakeMode::SchemaLatest { subject: Some("a-value".into()), protobuf_name: Some("x.Y".into()) };
    assert_eq!(settings.unwrap().lake_mode(), wanted);
}

#[test]
fn nonsense_is_refused_with_the_reason() {
    let refused = |name, value| TopicSettings::parse([(name, value)]).unwrap_err().to_string();
    assert!(refused("no.such.thing", "1").contains("no topic setting called 'no.such.thing'"));
    assert!(refused("frazil.lake.lag.ms", "5").contains("100 to 86400000"));
    assert!(refused("frazil.lake.mode", "key_value:subject=x").contains("only schema_latest"));
    assert!(refused("frazil.lake.mode", "schema_latest:subject=a,subject=b").contains("second time"));
    let twice = TopicSettings::parse([("redpanda.iceberg.mode", "key_value"), ("frazil.lake.mode", "off")]);
    assert!(matches!(twice, Err(BadSetting::Twice { .. })));
}
