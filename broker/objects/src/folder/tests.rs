//! Do folders hold whole files only, and one winner per name?

use std::sync::Arc;

use object_store::ObjectStoreExt;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_creators_wins_and_nothing_else_stays() {
    let dir = tempfile::tempdir().expect("scratch folder");
    let folder = Arc::new(Folder::open(dir.path().to_str().expect("utf-8")).expect("opens"));
    for round in 0..20 {
        let name = Path::from(format!("a/b/{round}"));
        let racers: Vec<_> = (0..8u8)
            .map(|racer| {
                let (folder, name) = (folder.clone(), name.clone());
                tokio::spawn(async move {
                    let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
                    match folder.put_opts(&name, vec![racer; 10_000].into(), options).await {
                        Ok(_) => Some(racer),
                        Err(object_store::Error::AlreadyExists { .. }) => None,
                        Err(other) => panic!("{other}"),
                    }
                })
            })
            .collect();
        let mut winners = Vec::new();
        for racer in racers {
            winners.extend(racer.await.expect("runs"));
        }
        assert_eq!(winners.len(), 1);
        let stored = folder.get(&name).await.expect("is there").bytes().await.expect("reads");
        assert_eq!(stored, vec![winners[0]; 10_000]);
    }
    let files = fs::read_dir(dir.path().join("a/b")).expect("folder").count();
    assert_eq!(files, 20, "no scratch file stays");
}

#[tokio::test]
async fn what_would_not_be_synced_is_refused() {
    let dir = tempfile::tempdir().expect("scratch folder");
    let folder = Folder::open(dir.path().to_str().expect("utf-8")).expect("opens");
    let (a, b) = (Path::from("a"), Path::from("b"));
    folder.put(&a, "x".into()).await.expect("puts");
    assert!(folder.copy(&a, &b).await.is_err());
    assert!(folder.put_multipart(&b).await.is_err());
}
