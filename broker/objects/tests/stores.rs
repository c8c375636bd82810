//! Do all stores keep what we promise of objects?
//!
//! Runs on a folder; the tests in Python run this program once for each server that they have started, with its URL in
//! `FRAZIL_STORE_URL` and the usual variables of its kind.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures_util::future::join_all;
use model::Kind;
use model::limits::PUT_BYTES_MAX;
use objects::{Objects, Path};

/// A root of its own for each test, so that they can run side by side.
struct Stand {
    objects: Objects,
    _folder: Option<tempfile::TempDir>,
}

fn stand(test: &str) -> Stand {
    match std::env::var("FRAZIL_STORE_URL") {
        Ok(url) => Stand { objects: Objects::open(&format!("{url}/{test}")).expect("opens"), _folder: None },
        Err(_) => {
            let folder = tempfile::tempdir().expect("scratch folder");
            let objects = Objects::open(folder.path().to_str().expect("utf-8")).expect("opens");
            Stand { objects, _folder: Some(folder) }
        }
    }
}

fn names(found: Vec<objects::ObjectMeta>) -> Vec<String> {
    found.into_iter().map(|object| object.location.to_string()).collect()
}

#[tokio::test]
async fn what_was_put_is_there() {
    let objects = &stand("put").objects;
    objects.check().await.expect("is reached");
    let path = Path::from("topics/a/1.parquet");
    assert_eq!(objects.get(&path).await.expect_err("nothing yet").kind, Kind::Missing);
    assert_eq!(objects.head(&path).await.expect_err("nothing yet").kind, Kind::Missing);
    assert_eq!(objects.get_range(&path, 0..1).await.expect_err("nothing yet").kind, Kind::Missing);
    for text in ["first", "", "another, longer one"] {
        objects.put(&path, Bytes::from(text)).await.expect("puts");
        assert_eq!(objects.get(&path).await.expect("reads"), text);
        assert_eq!(objects.head(&path).await.expect("looks").size, text.len() as u64);
    }
    assert_eq!(objects.get_range(&path, 7..14).await.expect("reads"), ", longe");
    assert_eq!(objects.get_range(&path, 0..19).await.expect("reads"), "another, longer one");
    assert_eq!(objects.get_range(&path, 5..5).await.expect("is nothing"), "");
    for beyond in [10..20, 19..20, 40..50] {
        assert_eq!(objects.get_range(&path, beyond).await.expect_err("is not there").kind, Kind::Damaged);
    }
    assert_eq!(objects.path_of(&objects.location(&path)), Some(path.clone()));
    objects.delete(&path).await.expect("deletes");
    objects.delete(&path).await.expect("twice is as good");
    assert_eq!(objects.get(&path).await.expect_err("gone").kind, Kind::Missing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_many_creators_wins() {
    let objects = &stand("create").objects;
    for round in 0..10 {
        let path = Path::from(format!("pointer/{round}"));
        let racers = (0..8u8).map(|racer| objects.put_if_absent(&path, Bytes::from(vec![racer; 1000])));
        let won: Vec<bool> = join_all(racers).await.into_iter().map(|won| won.expect("is told")).collect();
        let winners: Vec<usize> = (0..8).filter(|racer| won[*racer]).collect();
        assert_eq!(winners.len(), 1, "{won:?}");
        let stored = objects.get(&path).await.expect("is there");
        assert_eq!(stored, vec![u8::try_from(winners[0]).expect("is small"); 1000]);
        assert!(!objects.put_if_absent(&path, Bytes::new()).await.expect("is told"));
    }
}

#[tokio::test]
async fn a_large_object_is_whole() {
    let objects = &stand("large").objects;
    let path = Path::from("large");
    let first: Bytes = (0..PUT_BYTES_MAX + 5_000_000).map(|n| (n % 251) as u8).collect::<Vec<u8>>().into();
    for object in [first.clone(), first.slice(1..)] {
        objects.put(&path, object.clone()).await.expect("puts");
        assert_eq!(objects.head(&path).await.expect("looks").size, object.len() as u64);
        assert!(objects.get(&path).await.expect("reads") == object, "every byte is as it was");
        let range = 8_388_600..8_388_700;
        let part = objects.get_range(&path, range.start..range.end).await.expect("reads");
        assert_eq!(part, object.slice(range.start as usize..range.end as usize), "across two parts");
    }
    assert_eq!(names(objects.list(&Path::default()).await.expect("lists")), ["large"], "nothing else stays");
}

#[tokio::test]
async fn listings_are_whole_and_sorted_and_come_in_pages() {
    let objects = &stand("list").objects;
    // More than any store lists at a time.
    let paths: Vec<Path> = (0..1_050).map(|n| Path::from(format!("a/{:02}/{n:05}", n % 7))).collect();
    for some in paths.chunks(32) {
        for put in join_all(some.iter().map(|path| objects.put(path, Bytes::from_static(b"x")))).await {
            put.expect("puts");
        }
    }
    objects.put(&Path::from("ab"), Bytes::new()).await.expect("puts");
    let all: Vec<String> = paths.iter().map(Path::to_string).collect::<BTreeSet<_>>().into_iter().collect();
    assert_eq!(names(objects.list(&Path::from("a")).await.expect("lists")), all, "and not 'ab'");
    assert_eq!(names(objects.list(&Path::from("a/03")).await.expect("lists")).len(), 150);
    assert!(objects.list(&Path::from("b")).await.expect("lists").is_empty());

    let (mut seen, mut last): (Vec<String>, Option<Path>) = (Vec::new(), None);
    loop {
        let page = objects.page(&Path::from("a"), last.as_ref(), 400).await.expect("lists");
        assert!(page.len() <= 400);
        let Some(end) = page.last() else { break };
        last = Some(end.location.clone());
        seen.extend(names(page));
    }
    assert_eq!(seen, all);

    let (gone, kept) = paths.split_at(1_020);
    let twice = gone.iter().chain(&gone[..3]).cloned().collect();
    objects.delete_all(twice).await.expect("deletes");
    objects.delete_all(gone[..3].to_vec()).await.expect("what is gone is gone");
    objects.delete_all(Vec::new()).await.expect("nothing is easy");
    let left: BTreeSet<String> = names(objects.list(&Path::from("a")).await.expect("lists")).into_iter().collect();
    assert_eq!(left, kept.iter().map(Path::to_string).collect());
}

#[tokio::test]
async fn odd_names_are_kept() {
    let objects = &stand("names").objects;
    let odd = ["day=2026-11-24/x", "with space", "a+b&c", "100%", "percent%20escaped", "ümläut/日本", "a..b/.c"];
    for name in odd {
        let path = Path::parse(name).expect("is a path");
        objects.put(&path, Bytes::from(name)).await.expect("puts");
        assert!(!objects.put_if_absent(&path, Bytes::new()).await.expect("is told"), "{name}");
        assert_eq!(objects.get(&path).await.expect("reads"), name);
    }
    let wanted: BTreeSet<String> = odd.iter().map(|name| (*name).to_owned()).collect();
    let listed: BTreeSet<String> = names(objects.list(&Path::default()).await.expect("lists")).into_iter().collect();
    assert_eq!(listed, wanted);
    objects.delete_all(odd.iter().map(|name| Path::parse(name).expect("is a path")).collect()).await.expect("deletes");
    assert!(objects.list(&Path::default()).await.expect("lists").is_empty());
}
