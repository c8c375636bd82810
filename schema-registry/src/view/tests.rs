//! Does a view show what was put into it?

use std::sync::Arc;

use super::View;
use crate::schema::{Schema, SchemaType};

#[test]
fn deleted_versions_keep_their_ids() {
    let schema = |text: &str| Arc::new(Schema::parse(SchemaType::Avro, text, &[]).expect("valid"));
    let mut view = View::default();
    view.put("s", 1, 10, false, schema("\"int\""));
    view.put("s", 2, 11, false, schema("\"long\""));
    assert_eq!(view.latest("s").map(|(id, version, _)| (id, version)), Some((11, 2)));
    view.put("s", 2, 11, true, schema("\"long\""));
    assert_eq!(view.latest("s").map(|(id, version, _)| (id, version)), Some((10, 1)));
    assert!(view.has("s", 11) && view.has("s", 10) && !view.has("s", 12) && !view.has("t", 11));
    assert_eq!(view.versions("s"), [(1, 10)]);
    assert_eq!(view.subjects().collect::<Vec<_>>(), ["s"]);
    view.put("s", 1, 10, true, schema("\"int\""));
    assert_eq!(view.latest("s").map(|(id, ..)| id), None);
    assert_eq!(view.subjects().count(), 0);
}
