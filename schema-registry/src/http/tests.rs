//! Are paths and queries read as browsers write them?

use super::{Query, segments};

#[test]
fn paths() {
    assert_eq!(segments("/"), [""]);
    assert_eq!(segments("/subjects/a%2Fb%20c/versions/"), ["subjects", "a/b c", "versions"]);
    assert_eq!(segments("/a%2"), ["a%2"]);
    assert_eq!(segments("/a%zz+"), ["a%zz+"]);
    assert_eq!(segments("/%F0%9F%98%80%FF"), ["😀\u{fffd}"]);
}

#[test]
fn queries() {
    let query = Query::parse("deleted=TRUE&x=a+b%26&limit=2&offset=1&flag");
    assert!(query.flag("deleted") && !query.flag("flag") && !query.flag("other"));
    assert_eq!(query.get("x"), Some("a b&"));
    assert_eq!(query.page([1, 2, 3, 4]), [2, 3]);
    assert_eq!(Query::parse("limit=-1&offset=x").page([1, 2]), [1, 2]);
}
