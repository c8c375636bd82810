//! Do a folder and memory behave alike?

use model::Kind;

use super::*;

async fn behaves(objects: Objects) {
    let path = Path::from("topics/flights/metadata/00001-x.json");
    assert_eq!(objects.get(&path).await.expect_err("nothing yet").kind, Kind::Missing);
    assert!(objects.list(&Path::from("topics")).await.expect("lists").is_empty());

    assert!(objects.put_if_absent(&path, Bytes::from_static(b"first")).await.expect("creates"));
    assert!(!objects.put_if_absent(&path, Bytes::from_static(b"second")).await.expect("is told"));
    assert_eq!(&*objects.get(&path).await.expect("reads"), b"first");
    assert_eq!(&*objects.get_range(&path, 1..3).await.expect("reads"), b"ir");
    assert_eq!(objects.head(&path).await.expect("looks").size, 5);

    objects.put(&path, Bytes::from_static(b"third")).await.expect("overwrites");
    assert_eq!(&*objects.get(&path).await.expect("reads"), b"third");
    objects.put(&Path::from("topics/a"), Bytes::new()).await.expect("puts");
    let names: Vec<String> =
        objects.list(&Path::from("topics")).await.expect("lists").into_iter().map(|o| o.location.to_string()).collect();
    assert_eq!(names, ["topics/a", "topics/flights/metadata/00001-x.json"]);

    let uri = objects.location(&path);
    assert_eq!(objects.path_of(&uri), Some(path.clone()));
    assert_eq!(objects.path_of("s3://elsewhere/topics/a"), None);

    objects.delete(&path).await.expect("deletes");
    objects.delete(&path).await.expect("twice is as good");
    objects.delete(&Path::from("topics/a")).await.expect("deletes");
    assert_eq!(objects.head(&path).await.expect_err("gone").kind, Kind::Missing);
}

#[tokio::test]
async fn a_folder_and_memory_behave_alike() {
    let dir = tempfile::tempdir().expect("scratch folder");
    let plain = dir.path().join("not yet there").to_str().expect("utf-8").to_owned();
    behaves(Objects::open(&plain).expect("opens")).await;
    let again = Objects::open(&format!("file://{plain}")).expect("opens");
    assert!(again.location(&Path::from("x")).ends_with("/not yet there/x"));
    assert!(again.location(&Path::from("x")).starts_with("file:///"));
    behaves(again).await;
    behaves(Objects::open("memory:///").expect("opens")).await;
}

#[test]
fn roots_have_no_slash_at_their_end() {
    assert_eq!(Objects::memory().root(), "memory:///");
    assert_eq!(Objects::over(Arc::new(InMemory::new()), "s3://lake/x").root(), "s3://lake/x");
    assert_eq!(Objects::over(Arc::new(InMemory::new()), "s3://lake/x").location(&Path::from("a")), "s3://lake/x/a");
}
