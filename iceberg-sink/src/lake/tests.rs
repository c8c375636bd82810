//! Is every record in exactly one row, whatever fails and whenever we stop?

mod fixture;
mod exhaustive;
mod faults;
mod stopped;

use std::time::Duration;

use model::{Kind, Offset};
use objects::Objects;
use wire::{BatchBuilder, Compression};

use super::*;
use crate::testing::{Memory, name};
use fixture::{Stand, avro, folder, garbage, register};

const KEY_VALUE: &[(&str, &str)] = &[("frazil.lake.mode", "key_value"), ("frazil.lake.lag.ms", "100")];
const SCHEMA_ID: &[(&str, &str)] = &[("frazil.lake.mode", "schema_id"), ("frazil.lake.lag.ms", "100")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_lake_follows_its_topics() {
    let (_dir, objects) = folder();
    let source = Arc::new(Memory::default());
    let catalog = Arc::new(Catalog::new(objects, "topics").expect("opens"));
    source.topic("a.b", 3, KEY_VALUE);
    source.topic("off", 1, &[]);
    let lake = Lake::start(source.clone(), catalog.clone(), LakeConfig::new("c", Term(1)));
    for n in 0..30u8 {
        source.append("a.b", i32::from(n % 3), &[(Some(b"k"), Some(&[n])), (None, None)]);
    }
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if source.advanced_to("a.b", 2) == Some(Offset(20)) {
            break;
        }
    }
    let report = lake.verify(&name("a.b")).await.expect("verifies");
    assert!(report.ok, "{report:?}");
    assert_eq!(
        report.partitions.iter().map(|p| (p.rows, p.min, p.max)).collect::<Vec<_>>(),
        [(20, Some(0), Some(19)); 3]
    );
    assert_eq!(catalog.list().await.expect("lists"), ["a_b"], "no table for topics without, no dead letters yet");

    let idle = catalog.load(&catalog.ident("a_b")).await.expect("loads").version;
    let reads = source.reads();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(source.reads() > reads + 6, "it looks");
    assert_eq!(catalog.load(&catalog.ident("a_b")).await.expect("loads").version, idle, "idle topics commit nothing");
    let status = &lake.status()[0];
    assert_eq!((status.table.as_str(), status.lag_records, &status.last_error), ("topics.a_b", 0, &None));

    source.delete("a.b");
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if catalog.list().await.expect("lists").is_empty() {
            break;
        }
    }
    assert!(catalog.list().await.expect("lists").is_empty(), "the table goes with its topic");
    assert!(lake.status().is_empty());
    lake.stop().await;
}

#[tokio::test]
async fn every_step_can_be_the_last_of_a_process() {
    let (_dir, objects) = folder();
    let source = Arc::new(Memory::default());
    source.topic("t", 2, KEY_VALUE);
    for step in 0..12u8 {
        source.append("t", i32::from(step % 2), &[(None, Some(&[step]))]);
        let stand = Stand::new(&source, &objects, 1);
        assert!(stand.round("t").await.expect("commits").committed);
        assert!(!Stand::new(&source, &objects, 1).round("t").await.expect("looks").committed, "nothing is new");
    }
    Stand::new(&source, &objects, 1).assert_whole("t", 12, 0).await;
}

#[tokio::test]
async fn a_new_schema_comes_with_its_first_records() {
    let (_dir, objects) = folder();
    let source = Arc::new(Memory::default());
    source.topic("t", 1, SCHEMA_ID);
    let stand = Stand::new(&source, &objects, 1);
    assert!(!stand.round("t").await.expect("looks").committed);
    assert!(stand.catalog().list().await.expect("lists").is_empty(), "nothing is known of the columns");

    register(&source, "t", 1, r#"{"type":"record","name":"R","fields":[{"name":"n","type":"int"}]}"#);
    assert!(!stand.round("t").await.expect("makes the table").committed);
    assert_eq!(stand.columns("t").await, ["n"], "an empty topic can be queried");

    source.append("t", 0, &[(None, Some(&avro(1, &[10])))]);
    let text = r#"{"type":"record","name":"R","fields":[{"name":"n","type":"long"},
        {"name":"s","type":["null","string"],"default":null}]}"#;
    register(&source, "t", 2, text);
    source.append("t", 0, &[(None, Some(&avro(2, &[12, 0]))), (None, Some(&avro(1, &[14])))]);
    let before = stand.head("t").await.version;
    assert!(stand.round("t").await.expect("commits").committed);
    assert_eq!(stand.head("t").await.version, before + 1, "schema and rows come in one commit");
    assert_eq!(stand.columns("t").await, ["n", "s"]);
    stand.assert_whole("t", 3, 0).await;
}

#[tokio::test]
async fn what_cannot_be_a_row_is_a_dead_letter_with_its_cause() {
    let (_dir, objects) = folder();
    let source = Arc::new(Memory::default());
    source.topic("t", 1, SCHEMA_ID);
    register(&source, "t", 1, r#"{"type":"record","name":"R","fields":[{"name":"n","type":"int"}]}"#);
    source.append("t", 0, &[(None, Some(&avro(1, &[10]))), (None, Some(garbage())), (None, None)]);
    // Its checksum is right, its compression is not: no client may stop a table with that.
    let mut builder = BatchBuilder::new(Compression::Zstd);
    builder.push(1_700_000_000_000, None, Some(b"x"), &[]);
    builder.push(1_700_000_000_000, None, Some(b"y"), &[]);
    source.append_batch("t", 0, fixture::spoil(&builder.build()));
    source.append("t", 0, &[(None, Some(&avro(1, &[12])))]);
    let stand = Stand::new(&source, &objects, 1);
    stand.round("t").await.expect("commits");
    let report = stand.assert_whole("t", 3, 2).await;
    assert_eq!(report.partitions[0].skipped, 1, "one row stands for the broken batch of two");
}

/// Somebody has partitioned the table, too, by a field that a later schema calls a column.
#[tokio::test]
async fn a_schema_that_the_table_cannot_take_stops_only_its_own_records() {
    let source = Arc::new(Memory::default());
    source.topic("t", 1, SCHEMA_ID);
    register(&source, "t", 1, r#"{"type":"record","name":"R","fields":[{"name":"n","type":"int"}]}"#);
    source.append("t", 0, &[(None, Some(&avro(1, &[10])))]);
    let stand = Stand::new(&source, &Objects::memory(), 1);
    stand.round("t").await.expect("commits");
    stand.partition_also_by("t", "kafka_partition", "bucket").await;
    let text = r#"{"type":"record","name":"R","fields":[{"name":"n","type":"int"},{"name":"bucket","type":"int"}]}"#;
    register(&source, "t", 2, text);
    for _ in 0..2 {
        source.append("t", 0, &[(None, Some(&avro(2, &[12, 2]))), (None, Some(&avro(1, &[14])))]);
    }
    stand.round("t").await.expect("commits");
    stand.assert_whole("t", 3, 2).await;
    assert_eq!(stand.columns("t").await, ["n"]);
}

#[tokio::test]
async fn an_unfit_latest_schema_does_not_stop_its_topic() {
    let source = Arc::new(Memory::default());
    source.topic("t", 1, SCHEMA_ID);
    register(&source, "t", 1, r#"{"type":"record","name":"R","fields":[{"name":"n","type":"int"}]}"#);
    register(&source, "t", 2, r#"{"type":"record","name":"R","fields":[{"name":"kafka_offset","type":"int"}]}"#);
    source.append("t", 0, &[(None, Some(&avro(2, &[10]))), (None, Some(&avro(1, &[12])))]);
    let stand = Stand::new(&source, &Objects::memory(), 1);
    stand.round("t").await.expect("commits");
    stand.assert_whole("t", 1, 1).await;
    assert_eq!(stand.columns("t").await, ["n"]);
}

#[tokio::test]
async fn a_topic_may_change_its_mode() {
    let source = Arc::new(Memory::default());
    source.topic("t", 1, SCHEMA_ID);
    register(&source, "t", 1, r#"{"type":"record","name":"R","fields":[{"name":"n","type":"int"}]}"#);
    source.append("t", 0, &[(None, Some(&avro(1, &[10])))]);
    let stand = Stand::new(&source, &Objects::memory(), 1);
    stand.round("t").await.expect("commits");
    source.alter("t", KEY_VALUE);
    source.append("t", 0, &[(None, None), (None, Some(b"as it is"))]);
    stand.round("t").await.expect("takes the column in");
    assert_eq!(stand.columns("t").await, ["n", "value"]);
    source.alter("t", SCHEMA_ID);
    source.append("t", 0, &[(None, Some(&avro(1, &[12])))]);
    stand.round("t").await.expect("commits");
    stand.assert_whole("t", 4, 0).await;
}

/// The schema had a field of that name, or nearly: the bytes have no place, and are kept as dead letters.
#[tokio::test]
async fn values_without_a_column_are_dead_letters() {
    for field in ["value", "Value"] {
        let source = Arc::new(Memory::default());
        source.topic("t", 1, SCHEMA_ID);
        let text = format!(r#"{{"type":"record","name":"R","fields":[{{"name":"{field}","type":"int"}}]}}"#);
        register(&source, "t", 1, &text);
        source.append("t", 0, &[(None, Some(&avro(1, &[10])))]);
        let stand = Stand::new(&source, &Objects::memory(), 1);
        stand.round("t").await.expect("commits");
        source.alter("t", KEY_VALUE);
        source.append("t", 0, &[(None, Some(b"as it is"))]);
        stand.round("t").await.expect("commits");
        stand.assert_whole("t", 1, 1).await;
    }
}

/// Somebody has spoilt a table's metadata: the tables of other topics that are gone still go.
#[tokio::test]
async fn a_table_that_cannot_be_read_is_passed_over_by_the_sweep() {
    let source = Arc::new(Memory::default());
    let stand = Stand::new(&source, &Objects::memory(), 1);
    for topic in ["a", "b"] {
        source.topic(topic, 1, KEY_VALUE);
        source.append(topic, 0, &[(None, Some(b"x"))]);
        stand.round(topic).await.expect("commits");
        source.delete(topic);
    }
    stand.spoil("a").await;
    stand.sweep().await.expect("does what it can");
    assert_eq!(stand.catalog().list().await.expect("lists"), ["a"]);
}

#[tokio::test]
async fn a_dead_letter_stays_one_when_its_schema_comes_before_the_retry() {
    let (_dir, objects) = folder();
    let source = Arc::new(Memory::default());
    source.topic("t", 1, SCHEMA_ID);
    register(&source, "t", 1, r#"{"type":"record","name":"R","fields":[{"name":"n","type":"int"}]}"#);
    source.append("t", 0, &[(None, Some(&avro(1, &[10]))), (None, Some(&avro(2, &[12])))]);
    let stand = Stand::new(&source, &objects, 1);
    let lost = stand.round_without_rows("t").await;
    assert!(lost.is_err());
    assert!(stand.catalog().list().await.expect("lists").contains(&"t__dlq".to_owned()));

    register(&source, "t", 2, r#"{"type":"record","name":"R","fields":[{"name":"n","type":"int"}]}"#);
    source.append("t", 0, &[(None, Some(&avro(2, &[14])))]);
    stand.heal();
    stand.round("t").await.expect("commits");
    stand.assert_whole("t", 2, 1).await;
}

#[tokio::test]
async fn records_deleted_before_they_were_rows_are_counted() {
    let source = Arc::new(Memory::default());
    source.topic("t", 1, KEY_VALUE);
    for n in 0..10u8 {
        source.append("t", 0, &[(None, Some(&[n]))]);
    }
    source.delete_records("t", 0, 4);
    let stand = Stand::new(&source, &Objects::memory(), 1);
    stand.round("t").await.expect("commits");
    let report = stand.assert_whole("t", 6, 0).await;
    assert_eq!((report.partitions[0].skipped, report.partitions[0].min), (4, Some(4)));
}

#[tokio::test]
async fn many_partitions_and_small_rounds_are_one_whole() {
    let source = Arc::new(Memory::default());
    source.topic("t", 70, KEY_VALUE);
    for partition in 0..70 {
        source.append("t", partition, &[(None, Some(b"a")), (None, Some(b"b"))]);
        source.append("t", partition, &[(None, Some(b"c"))]);
    }
    let stand = Stand::new(&source, &Objects::memory(), 1).with(|config| config.round_bytes_max = 2000);
    let mut rounds = 0;
    while stand.round("t").await.expect("commits").behind {
        rounds += 1;
        assert!(rounds < 200);
    }
    assert!(rounds > 3, "a round ends at its bytes");
    stand.assert_whole("t", 210, 0).await;
    let head = stand.head("t").await;
    let summary = &head.metadata.current_snapshot().expect("has one").summary().additional_properties;
    assert!(summary.contains_key("frazil.offsets-file"));
}

#[tokio::test]
async fn a_topic_made_again_gets_a_table_of_its_own() {
    let source = Arc::new(Memory::default());
    source.topic("t", 1, KEY_VALUE);
    source.append("t", 0, &[(None, Some(b"old")), (None, Some(b"old"))]);
    let stand = Stand::new(&source, &Objects::memory(), 1);
    stand.round("t").await.expect("commits");
    source.delete("t");
    source.topic("t", 1, KEY_VALUE);
    source.append("t", 0, &[(None, Some(b"new"))]);
    let careful = stand.with(|config| config.keep_tables = true);
    assert_eq!(careful.round("t").await.err().expect("is refused").kind, Kind::Invalid);
    let stand = careful.with(|config| config.keep_tables = false);
    stand.round("t").await.expect("commits");
    stand.assert_whole("t", 1, 0).await;

    let newer = Stand { term: 2, ..stand };
    source.append("t", 0, &[(None, Some(b"new"))]);
    newer.round("t").await.expect("commits");
    let older = Stand { term: 1, ..newer };
    assert_eq!(older.round("t").await.err().expect("is fenced").kind, Kind::Fenced);
}
