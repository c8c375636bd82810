//! Are URLs understood, and refused with advice?

use model::Kind;

use super::*;

#[test]
fn each_kind_of_url_is_understood() {
    let prefix = Path::from("a/b");
    assert_eq!(Place::parse("/var/lake").expect("is one"), Place::Folder("/var/lake".into()));
    assert_eq!(Place::parse("file:///var/lake").expect("is one"), Place::Folder("/var/lake".into()));
    assert_eq!(Place::parse("memory:///").expect("is one"), Place::Memory);
    let s3 = Place::S3 { bucket: "lake".into(), prefix: prefix.clone() };
    assert_eq!(Place::parse("s3://lake/a/b/").expect("is one"), s3);
    let gcs = Place::Gcs { bucket: "lake".into(), prefix: Path::default() };
    assert_eq!(Place::parse("gs://lake").expect("is one"), gcs);
    let azure = |account| Place::Azure { container: "lake".into(), account, prefix: prefix.clone() };
    assert_eq!(Place::parse("az://lake/a/b").expect("is one"), azure(None));
    for (host, suffix) in [("acc.dfs.core.windows.net", "core.windows.net"), ("acc.blob.x.cn", "x.cn")] {
        let account = Account { name: "acc".into(), suffix: suffix.into() };
        assert_eq!(Place::parse(&format!("abfss://lake@{host}/a/b")).expect("is one"), azure(Some(account)));
    }
}

#[test]
fn urls_that_cannot_work_are_refused_with_advice() {
    for (url, advice) in [
        ("hdfs://lake", "not built in"),
        ("file://host/x", "three slashes"),
        ("s3://", "s3://bucket"),
        ("gs:///x", "gs://bucket"),
        ("az://", "az://container"),
        ("abfss://lake@account/x", "account.dfs"),
        ("abfss://@a.dfs.core.windows.net/x", "container"),
        ("s3://lake/a//b", "prefix"),
    ] {
        let error = Place::parse(url).expect_err(url);
        assert_eq!(error.kind, Kind::Invalid);
        assert!(error.message.contains(advice), "{error}");
    }
}
