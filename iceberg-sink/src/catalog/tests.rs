//! Does one commit win, is nothing lost, and is old state removed but never too early?

use objects::Path;

use super::*;
use crate::testing::{Fault, Faulty, small_schema};

fn creation() -> Creation {
    Creation {
        schema: small_schema(),
        spec: UnboundPartitionSpec::builder().build(),
        properties: HashMap::new(),
        format_version: FormatVersion::V2,
    }
}

fn set(key: &str, value: &str) -> Vec<TableUpdate> {
    vec![TableUpdate::SetProperties { updates: HashMap::from([(key.to_owned(), value.to_owned())]) }]
}

async fn names(objects: &Objects, prefix: &str) -> Vec<String> {
    let listed = objects.list(&Path::from(prefix)).await.expect("lists");
    listed.iter().map(|object| object.location.to_string()).collect()
}

#[tokio::test]
async fn tables_are_made_found_changed_and_dropped() {
    let dir = tempfile::tempdir().expect("scratch folder");
    let objects = Objects::open(dir.path().to_str().expect("utf-8")).expect("opens");
    let catalog = Catalog::new(objects.clone(), "topics").expect("opens");
    let ident = catalog.ident("flights");
    assert_eq!(catalog.load(&ident).await.expect_err("nothing yet").kind, Kind::Missing);

    let head = catalog.create_table(&ident, creation()).await.expect("creates");
    assert!(head.metadata_location.starts_with("file:///") && head.metadata.location().ends_with("/topics/flights"));
    assert_eq!(catalog.create_table(&ident, creation()).await.expect_err("exists").kind, Kind::Conflict);
    let changed = catalog.commit(&ident, &[], set("a", "1")).await.expect("commits");
    assert_eq!(changed.version, 1);

    let other = Catalog::new(objects.clone(), "topics").expect("opens");
    assert_eq!(other.load(&ident).await.expect("is seen by others").metadata_location, changed.metadata_location);
    assert_eq!(other.list().await.expect("lists"), ["flights"]);

    other.drop_table(&ident).await.expect("drops");
    assert_eq!(catalog.load(&ident).await.expect_err("gone").kind, Kind::Missing);
    assert!(catalog.list().await.expect("lists").is_empty());
    assert!(!names(&objects, "topics/flights/metadata").await.is_empty(), "files stay");

    let again = catalog.create_table(&ident, creation()).await.expect("the name is free");
    assert!(again.metadata.location().ends_with("/topics/flights.3"), "{}", again.metadata.location());
    assert_ne!(again.metadata.uuid(), head.metadata.uuid());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_racing_commits_each_happens_once() {
    let objects = Objects::memory();
    let first = Catalog::new(objects.clone(), "topics").expect("opens");
    let ident = first.ident("t");
    first.create_table(&ident, creation()).await.expect("creates");
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let (objects, ident) = (objects.clone(), ident.clone());
            tokio::spawn(async move {
                let catalog = Catalog::new(objects, "topics").expect("opens");
                let mut conflicts = 0;
                for commit in 0..10 {
                    let key = format!("{writer}-{commit}");
                    loop {
                        let head = catalog.load(&ident).await.expect("loads");
                        if head.metadata.properties().contains_key(&key) {
                            break; // An answer of "unknown" that was a success.
                        }
                        match catalog.commit(&ident, &[], set(&key, "1")).await {
                            Ok(_) => break,
                            Err(error) if matches!(error.kind, Kind::Conflict | Kind::Unknown) => conflicts += 1,
                            Err(error) => panic!("{error}"),
                        }
                    }
                }
                conflicts
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("runs");
    }
    let head = first.load(&ident).await.expect("loads");
    let done = head.metadata.properties().keys().filter(|key| key.contains('-') && !key.contains('.')).count();
    assert_eq!((head.version, done), (40, 40));
}

#[tokio::test]
async fn a_lost_answer_is_recognised_and_a_lost_request_changes_nothing() {
    let (faulty, objects) = Faulty::over(&Objects::memory());
    let catalog = Catalog::new(objects.clone(), "topics").expect("opens");
    let ident = catalog.ident("t");
    catalog.create_table(&ident, creation()).await.expect("creates");
    // A commit puts the metadata (0) and the pointer (1).
    faulty.fail(1, 0, Fault::After);
    assert_eq!(catalog.commit(&ident, &[], set("a", "1")).await.expect("it was ours").version, 1);
    for (skip, fault) in [(0, Fault::Before), (0, Fault::After), (1, Fault::Before)] {
        faulty.fail(skip, 0, fault);
        assert_eq!(catalog.commit(&ident, &[], set("b", "1")).await.expect_err("failed").kind, Kind::Unknown);
        assert_eq!(catalog.load(&ident).await.expect("loads").version, 1);
    }
    catalog.commit(&ident, &[], set("b", "1")).await.expect("commits");
}

#[tokio::test]
async fn requirements_that_do_not_hold_are_conflicts() {
    let catalog = Catalog::new(Objects::memory(), "topics").expect("opens");
    let ident = catalog.ident("t");
    catalog.create_table(&ident, creation()).await.expect("creates");
    let wrong = [TableRequirement::LastAssignedFieldIdMatch { last_assigned_field_id: 99 }];
    assert_eq!(catalog.commit(&ident, &wrong, set("a", "1")).await.expect_err("refused").kind, Kind::Conflict);
}

#[tokio::test]
async fn old_pointers_and_metadata_go_and_the_head_stays() {
    let objects = Objects::memory();
    let catalog = Catalog::new(objects.clone(), "topics").expect("opens");
    let sleeper = Catalog::new(objects.clone(), "topics").expect("opens");
    let ident = catalog.ident("t");
    catalog.create_table(&ident, creation()).await.expect("creates");
    let stale = sleeper.load(&ident).await.expect("loads");
    for n in 1..=40 {
        catalog.commit(&ident, &[], set("n", &n.to_string())).await.expect("commits");
    }
    assert_eq!(names(&objects, "catalog/topics/t").await.len() as u64, POINTERS_KEPT);
    assert_eq!(names(&objects, "topics/t/metadata").await.len(), 21);

    // One that planned on version 0 and slept: its slot is free again, but that makes no commit.
    let metadata = TableMetadata::clone(&stale.metadata);
    let error = sleeper.advance(&ident, 1, metadata).await.expect_err("too late");
    assert_eq!(error.kind, Kind::Unknown);
    assert_eq!(catalog.load(&ident).await.expect("loads").version, 40);
    assert_eq!(sleeper.load(&ident).await.expect("loads").metadata.properties()["n"], "40");
}
