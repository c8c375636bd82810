//! Is what is too old or too much dropped from the front, and nothing that is still needed?

use model::{TopicId, TopicName, TopicSettings};
use uuid::Uuid;

use super::*;

fn policy(name: &str, settings: &[(&str, &str)]) -> Option<Policy> {
    let topic = Topic {
        name: TopicName::new(name).expect("a legal name"),
        id: TopicId(Uuid::nil()),
        partitions: Vec::new(),
        settings: TopicSettings::parse(settings.iter().copied()).expect("legal settings"),
        created_ms: 0,
    };
    Policy::of(&topic, false)
}

#[test]
fn only_topics_that_delete_by_retention_have_a_policy() {
    let week = Policy { age_ms: Some(604_800_000), bytes: None, is_table: false, is_archived: false };
    assert_eq!(policy("t", &[]), Some(week), "Kafka's default");
    assert_eq!(policy("t", &[("retention.ms", "-1")]), None);
    let by_size = Policy { age_ms: None, bytes: Some(9), is_table: true, is_archived: false };
    let table = ("frazil.lake.mode", "key_value");
    assert_eq!(policy("t", &[("retention.ms", "-1"), ("retention.bytes", "9"), table]), Some(by_size));
    assert_eq!(policy("t", &[("cleanup.policy", "compact")]), None);
    assert_eq!(policy("t", &[("cleanup.policy", "compact,delete")]), Some(week));
    assert_eq!(policy("__consumer_offsets", &[]), None);
    assert_eq!(policy("_schemas", &[]), None);
}

/// A partition with the offsets 10 to 19, and 5 more that are not durable.
fn frontiers() -> Frontiers {
    let mut frontiers = Frontiers::recovered(Offset(10), Offset(20));
    frontiers.appended(Offset(25));
    frontiers
}

fn start(frontiers: Frontiers, too_old: Option<i64>, too_much: Option<i64>, is_table: bool) -> Option<i64> {
    let facts = Facts { frontiers, too_old: too_old.map(Offset), too_much: too_much.map(Offset) };
    let policy = Policy { age_ms: None, bytes: None, is_table, is_archived: false };
    new_start(&facts, policy).map(|start| start.0)
}

#[test]
fn what_either_bound_wants_goes_up_to_the_high_watermark() {
    assert_eq!(start(frontiers(), None, None, false), None);
    assert_eq!(start(frontiers(), Some(12), Some(15), false), Some(15));
    assert_eq!(start(frontiers(), Some(17), Some(15), false), Some(17));
    assert_eq!(start(frontiers(), Some(12), None, false), Some(12));
    assert_eq!(start(frontiers(), Some(24), None, false), Some(20), "nothing that is not durable");
    assert_eq!(start(frontiers(), Some(10), Some(8), false), None, "the log start never goes back");
}

#[test]
fn a_table_holds_what_it_does_not_have() {
    assert_eq!(start(frontiers(), Some(15), None, true), None, "nobody knows yet what it has");
    let mut known = frontiers();
    known.lake(Offset(10), Offset(18));
    assert_eq!(start(known, Some(15), None, true), None, "projected is not committed");
    known.lake(Offset(13), Offset(18));
    assert_eq!(start(known, Some(15), None, true), Some(13));
    known.lake(Offset(18), Offset(18));
    assert_eq!(start(known, Some(15), None, true), Some(15));
    known.lake(Offset(10), Offset(10));
    assert_eq!(start(known, Some(15), None, false), Some(15), "it is no table any more");
}

#[test]
fn an_archive_holds_what_it_does_not_have() {
    let start = |frontiers, is_table| {
        let facts = Facts { frontiers, too_old: Some(Offset(15)), too_much: None };
        new_start(&facts, Policy { age_ms: None, bytes: None, is_table, is_archived: true }).map(|start| start.0)
    };
    assert_eq!(start(frontiers(), false), None, "nobody knows yet what it has");
    let mut known = frontiers();
    known.archive(Offset(12));
    assert_eq!(start(known, false), Some(12));
    assert_eq!(start(known, true), None, "the table has to have it as well");
    known.archive(Offset(17));
    known.lake(Offset(14), Offset(14));
    assert_eq!((start(known, false), start(known, true)), (Some(15), Some(14)));
}

#[test]
fn the_log_drops_what_the_archive_has_beyond_the_local_target() {
    let topic = |settings: &[(&str, &str)]| Topic {
        name: TopicName::new("t").expect("a legal name"),
        id: TopicId(Uuid::nil()),
        partitions: Vec::new(),
        settings: TopicSettings::parse(settings.iter().copied()).expect("legal settings"),
        created_ms: 0,
    };
    let local = Policy::local(&topic(&[]), true).expect("archived by default");
    assert_eq!((local.age_ms, local.bytes), (Some(86_400_000), None));
    assert_eq!(Policy::local(&topic(&[]), false), None, "there is no archive");
    assert_eq!(Policy::local(&topic(&[("redpanda.storage.mode", "local")]), true), None);
    assert!(!Policy::of(&topic(&[("redpanda.remote.write", "false")]), true).expect("a week").is_archived);
    let mut known = frontiers();
    known.archive(Offset(12));
    let facts = |frontiers| Facts { frontiers, too_old: Some(Offset(15)), too_much: None };
    assert_eq!(new_local_start(&facts(known), local), Some(Offset(12)), "never what is not archived");
    known.dropped_locally(Offset(12));
    assert_eq!(new_local_start(&facts(known), local), None);
    known.archive(Offset(17));
    let table = Policy { is_table: true, ..local };
    assert_eq!(new_local_start(&facts(known), table), None, "the table reads from the log");
}

#[test]
fn the_age_of_what_only_the_archive_has_is_not_judged_by_the_log() {
    let mut known = frontiers();
    known.archive(Offset(17));
    let policy = Policy { age_ms: None, bytes: None, is_table: false, is_archived: true };
    let start = |frontiers, too_old: Option<i64>, too_much: Option<i64>| {
        new_start(&Facts { frontiers, too_old: too_old.map(Offset), too_much: too_much.map(Offset) }, policy)
    };
    assert_eq!(start(known, Some(15), None), Some(Offset(15)));
    known.dropped_locally(Offset(12));
    assert_eq!(start(known, Some(15), None), None);
    assert_eq!(start(known, Some(15), Some(14)), Some(Offset(14)), "size is counted over what the log has");
}
