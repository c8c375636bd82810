//! Does each round happen exactly once, whatever fails, and does the table stay small?

use std::collections::{BTreeSet, HashMap};

use iceberg::spec::{
    DataContentType, DataFileBuilder, DataFileFormat, FormatVersion, MAIN_BRANCH, NestedField, Operation,
    PrimitiveType, Snapshot, SnapshotReference, SnapshotRetention, Struct, Summary, Type, UnboundPartitionSpec,
};
use iceberg::{TableRequirement, TableUpdate};
use model::{Offset, Term, TopicId};
use objects::{Objects, Path};

use super::*;
use crate::catalog::Creation;
use crate::testing::{Fault, Faulty, small_schema};

fn owner(term: u64) -> Owner {
    Owner { topic_id: TopicId(Uuid::from_u128(7)), cluster_id: "c".into(), term: Term(term) }
}

async fn table(objects: Objects) -> (Catalog, TableIdent) {
    let catalog = Catalog::new(objects, "topics").expect("opens");
    let ident = catalog.ident("t");
    let creation = Creation {
        schema: small_schema(),
        spec: UnboundPartitionSpec::builder().build(),
        properties: HashMap::new(),
        format_version: FormatVersion::V2,
    };
    catalog.create_table(&ident, creation).await.expect("creates");
    (catalog, ident)
}

fn file(name: &str, rows: u64) -> DataFile {
    DataFileBuilder::default()
        .content(DataContentType::Data)
        .file_path(format!("memory:///topics/t/data/{name}.parquet"))
        .file_format(DataFileFormat::Parquet)
        .partition(Struct::empty())
        .partition_spec_id(0)
        .record_count(rows)
        .file_size_in_bytes(100)
        .build()
        .expect("is a file")
}

/// A round that brings partition 0 ten offsets further.
fn round(base: &Ledger, schema_id: i32) -> Round {
    let mut ledger = base.clone();
    let next = base.next_of(0).plus(10);
    ledger.advance(0, next, 0);
    let files = vec![file(&format!("{next}"), 10)];
    Round { commit_id: Uuid::new_v4(), base: base.clone(), ledger, files, schema_id, schema: None }
}

async fn names(catalog: &Catalog, ident: &TableIdent) -> Vec<String> {
    let head = catalog.load(ident).await.expect("loads");
    let files = live_files(catalog, &head).await.expect("reads");
    files.iter().map(|file| file.file_path().to_owned()).collect()
}

/// A snapshot by somebody else, with the head's files.
async fn foreign_snapshot(catalog: &Catalog, ident: &TableIdent, keep_parent: bool) {
    let head = catalog.load(ident).await.expect("loads");
    let metadata = &head.metadata;
    let snapshot = Snapshot::builder()
        .with_snapshot_id(plan::new_snapshot_id(metadata))
        .with_parent_snapshot_id(metadata.current_snapshot_id().filter(|_| keep_parent))
        .with_sequence_number(metadata.next_sequence_number())
        .with_timestamp_ms(metadata.last_updated_ms())
        .with_manifest_list(metadata.current_snapshot().expect("has one").manifest_list())
        .with_summary(Summary { operation: Operation::Replace, additional_properties: HashMap::new() })
        .with_schema_id(metadata.current_schema_id())
        .build();
    let updates = plan::updates(metadata, None, snapshot).expect("plans");
    let updates = updates
        .into_iter()
        .filter(|update| !matches!(update, TableUpdate::SetSnapshotRef { ref_name, .. } if ref_name == ledger::TAG));
    catalog.commit(ident, &[], updates.collect()).await.expect("commits");
}

#[tokio::test]
async fn three_hundred_commits_keep_the_table_small_and_whole() {
    let (catalog, ident) = table(Objects::memory()).await;
    let mut ledger = Ledger::default();
    let mut most = 0;
    for _ in 0..300 {
        let head = commit(&catalog, &ident, &owner(1), &round(&ledger, 0)).await.expect("commits");
        ledger = recover(&catalog, &head, &owner(1)).await.expect("recovers");
        most = most.max(manifests::of_head(&catalog, &head).await.expect("reads").len());
    }
    assert_eq!(ledger.next_of(0), Offset(3000));
    assert!((16..=48).contains(&most), "{most} manifests");
    let names = names(&catalog, &ident).await;
    assert_eq!((names.len(), names.iter().collect::<BTreeSet<_>>().len()), (300, 300));

    let head = catalog.load(&ident).await.expect("loads");
    let summary = &head.metadata.current_snapshot().expect("has one").summary().additional_properties;
    for (key, value) in [
        ("added-data-files", "1"),
        ("added-records", "10"),
        ("total-data-files", "300"),
        ("total-records", "3000"),
        ("total-files-size", "30000"),
        ("frazil.offsets", r#"{"0":3000}"#),
        ("frazil.term", "1"),
        ("frazil.cluster-id", "c"),
        ("frazil.topic-id", "00000000-0000-0000-0000-000000000007"),
    ] {
        assert_eq!(summary.get(key).map(String::as_str), Some(value), "{key}");
    }
    assert_eq!(head.metadata.snapshot_for_ref("frazil"), head.metadata.current_snapshot());
    let files = catalog.objects().list(&Path::from("topics/t/metadata")).await.expect("lists");
    let metadata = files.iter().filter(|file| file.location.as_ref().ends_with(".metadata.json")).count();
    assert_eq!(metadata, 21);
}

#[tokio::test]
async fn whichever_put_fails_a_round_happens_once_or_not_at_all() {
    for fault in [Fault::Before, Fault::After] {
        for every in [0, 2, 3] {
            for skip in 0..6 {
                let (faulty, objects) = Faulty::over(&Objects::memory());
                let (catalog, ident) = table(objects).await;
                let mut ledger = Ledger::default();
                for _ in 0..8 {
                    faulty.fail(skip, every, fault);
                    // After a failure: only what the head says counts.
                    let _ = commit(&catalog, &ident, &owner(1), &round(&ledger, 0)).await;
                    faulty.heal();
                    let head = catalog.load(&ident).await.expect("loads");
                    ledger = recover(&catalog, &head, &owner(1)).await.expect("recovers");
                }
                let names = names(&catalog, &ident).await;
                let distinct: BTreeSet<_> = names.iter().collect();
                let rows = ledger.next_of(0).0;
                assert_eq!((names.len(), distinct.len()), ((rows / 10) as usize, (rows / 10) as usize));
                assert!(every != 0 || rows == 80, "one failure is survived by trying again: {rows}, {fault:?} {skip}");
            }
        }
    }
}

#[tokio::test]
async fn of_two_committers_one_wins_and_the_other_is_told() {
    let objects = Objects::memory();
    let (first, ident) = table(objects.clone()).await;
    let second = Catalog::new(objects, "topics").expect("opens");
    let (one, two) = (round(&Ledger::default(), 0), round(&Ledger::default(), 0));
    let (old, new) = (owner(1), owner(2));
    let (a, b) = tokio::join!(commit(&first, &ident, &old, &one), commit(&second, &ident, &new, &two));
    assert!(a.is_ok() != b.is_ok());
    let error = a.err().or(b.err()).expect("one lost");
    assert!(matches!(error.kind, Kind::Conflict | Kind::Fenced), "{error}");
    assert_eq!(names(&first, &ident).await.len(), 1);

    let head = first.load(&ident).await.expect("loads");
    let ledger = recover(&first, &head, &owner(2)).await.expect("recovers");
    commit(&first, &ident, &owner(2), &round(&ledger, 0)).await.expect("commits");
    let error = commit(&first, &ident, &owner(1), &round(&ledger, 0)).await.expect_err("an old leader");
    assert_eq!(error.kind, Kind::Fenced);
}

#[tokio::test]
async fn a_commit_on_a_head_that_moved_is_refused_and_planned_again() {
    let (catalog, ident) = table(Objects::memory()).await;
    let head = commit(&catalog, &ident, &owner(1), &round(&Ledger::default(), 0)).await.expect("commits");
    let ledger = recover(&catalog, &head, &owner(1)).await.expect("recovers");
    let next = round(&ledger, 0);
    let stale = draft::write(&catalog, &head, &owner(1), &next).await.expect("writes");
    foreign_snapshot(&catalog, &ident, true).await;
    let error = catalog.commit(&ident, &stale.requirements, stale.updates).await.expect_err("the head has moved");
    assert_eq!(error.kind, Kind::Conflict);

    let head = commit(&catalog, &ident, &owner(1), &next).await.expect("is planned on the new head");
    assert_eq!(recover(&catalog, &head, &owner(1)).await.expect("recovers").next_of(0), Offset(20));
    assert_eq!(names(&catalog, &ident).await.len(), 2);
    let again = commit(&catalog, &ident, &owner(1), &next).await.expect("is there already");
    assert_eq!(again.version, head.version);
}

#[tokio::test]
async fn a_rolled_back_table_goes_on_from_there_and_a_cut_thread_stops() {
    let (catalog, ident) = table(Objects::memory()).await;
    let first = commit(&catalog, &ident, &owner(1), &round(&Ledger::default(), 0)).await.expect("commits");
    let ledger = recover(&catalog, &first, &owner(1)).await.expect("recovers");
    let second = commit(&catalog, &ident, &owner(1), &round(&ledger, 0)).await.expect("commits");
    let retention = SnapshotRetention::branch(Some(5), None, None);
    let to = first.metadata.current_snapshot_id().expect("has one");
    let reference = SnapshotReference::new(to, retention.clone());
    let back = vec![TableUpdate::SetSnapshotRef { ref_name: MAIN_BRANCH.into(), reference }];
    let head = catalog.commit(&ident, &[], back).await.expect("rolls back");
    assert!(head.version > second.version);
    let ledger = recover(&catalog, &head, &owner(1)).await.expect("recovers");
    assert_eq!(ledger.next_of(0), Offset(10));
    let head = commit(&catalog, &ident, &owner(1), &round(&ledger, 0)).await.expect("goes on");
    let json = serde_json::to_value(&*head.metadata).expect("is JSON");
    assert_eq!(json["refs"]["main"]["min-snapshots-to-keep"], 5, "the branch's retention stays");

    foreign_snapshot(&catalog, &ident, false).await;
    let head = catalog.load(&ident).await.expect("loads");
    let error = recover(&catalog, &head, &owner(1)).await.expect_err("nobody knows");
    assert!(error.kind == Kind::Damaged && error.message.contains("frazil lake verify"), "{error}");
}

#[tokio::test]
async fn the_schema_changes_in_the_same_commit() {
    let (catalog, ident) = table(Objects::memory()).await;
    let head = catalog.load(&ident).await.expect("loads");
    let mut fields = head.metadata.current_schema().as_struct().fields().to_vec();
    fields.push(NestedField::optional(4, "more", Type::Primitive(PrimitiveType::Long)).into());
    let wanted = Schema::builder().with_fields(fields).build().expect("is a schema");
    let grown = Round { schema: Some(wanted), ..round(&Ledger::default(), 0) };
    let after = commit(&catalog, &ident, &owner(1), &grown).await.expect("commits");
    assert_eq!((after.version, after.metadata.current_schema_id()), (head.version + 1, 1));
    assert_eq!(after.metadata.current_snapshot().and_then(|s| s.schema_id()), Some(1));
    assert_eq!(after.metadata.last_column_id(), 4);

    let stale = round(&grown.ledger, 0);
    assert_eq!(commit(&catalog, &ident, &owner(1), &stale).await.expect_err("old schema").kind, Kind::Conflict);
    let required = plan::requirements(&head.metadata);
    assert!(required.iter().any(|r| matches!(r, TableRequirement::LastAssignedFieldIdMatch { .. })));
    assert!(required.iter().skip(2).all(|r| r.check(Some(&after.metadata)).is_err()));
}

#[tokio::test]
async fn many_partitions_go_to_a_file_beside_the_manifests() {
    let (catalog, ident) = table(Objects::memory()).await;
    for partitions in [64, 65, 3000] {
        let head = catalog.load(&ident).await.expect("loads");
        let base = recover(&catalog, &head, &owner(1)).await.expect("recovers");
        let mut ledger = base.clone();
        for partition in 0..partitions {
            ledger.advance(partition, base.next_of(partition).plus(3), i64::from(partition % 3));
        }
        let files = vec![file(&format!("{partitions}"), 1)];
        let wide = Round { commit_id: Uuid::new_v4(), base, ledger: ledger.clone(), files, schema_id: 0, schema: None };
        let head = commit(&catalog, &ident, &owner(1), &wide).await.expect("commits");
        assert_eq!(recover(&catalog, &head, &owner(1)).await.expect("recovers"), ledger);
        let summary = &head.metadata.current_snapshot().expect("has one").summary().additional_properties;
        assert_eq!(summary.contains_key("frazil.offsets-file"), partitions > 64);
        assert_eq!(summary.contains_key("frazil.offsets"), partitions <= 64);
    }
}

#[tokio::test]
async fn the_table_of_an_earlier_topic_is_not_touched() {
    let (catalog, ident) = table(Objects::memory()).await;
    let head = commit(&catalog, &ident, &owner(1), &round(&Ledger::default(), 0)).await.expect("commits");
    let other = Owner { topic_id: TopicId(Uuid::from_u128(8)), ..owner(1) };
    let error = recover(&catalog, &head, &other).await.expect_err("another topic's");
    assert!(error.kind == Kind::Invalid && error.message.contains("earlier topic"), "{error}");
}
