//! Are Confluent's records read and written?

use super::{Change, SchemaValue};
use crate::schema::Reference;

fn read(key: &str, value: Option<&str>) -> Result<Change, String> {
    Change::read(key.as_bytes(), value.map(str::as_bytes))
}

#[test]
fn both_ways() {
    let schema = SchemaValue {
        subject: "s".into(),
        version: 2,
        id: 7,
        schema_type: Some("PROTOBUF".into()),
        references: Some(vec![Reference { name: "a.proto".into(), subject: "a".into(), version: 1 }]),
        metadata: None,
        rule_set: None,
        schema: "message A {}".into(),
        deleted: false,
    };
    let rows = [
        (Change::Schema(schema), r#"{"keytype":"SCHEMA","subject":"s","version":2,"magic":1}"#),
        (
            Change::Erase { subject: "s".into(), version: 2 },
            r#"{"keytype":"SCHEMA","subject":"s","version":2,"magic":1}"#,
        ),
        (
            Change::DeleteSubject { subject: "s".into(), version: 2 },
            r#"{"keytype":"DELETE_SUBJECT","subject":"s","magic":0}"#,
        ),
        (Change::ClearSubject { subject: "s".into() }, r#"{"keytype":"CLEAR_SUBJECT","subject":"s","magic":0}"#),
        (Change::Config { subject: None, value: None }, r#"{"keytype":"CONFIG","subject":null,"magic":0}"#),
        (
            Change::Mode { subject: Some("s".into()), value: Some(serde_json::json!({"mode": "IMPORT"})) },
            r#"{"keytype":"MODE","subject":"s","magic":0}"#,
        ),
        (Change::Nothing, r#"{"keytype":"NOOP","magic":0}"#),
    ];
    for (change, key) in rows {
        let record = change.record();
        assert_eq!(String::from_utf8_lossy(&record.key), key);
        assert_eq!(Change::read(&record.key, record.value.as_deref()), Ok(change));
    }
}

#[test]
fn confluents_own_records_are_read() {
    let value = r#"{"subject":"s","version":1,"id":3,"schema":"\"int\"","deleted":true,"guid":"x","ts":1}"#;
    match read(r#"{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}"#, Some(value)) {
        Ok(Change::Schema(schema)) => assert!(schema.deleted && schema.id == 3 && schema.schema_type.is_none()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn damaged_records_are_named() {
    for (key, value) in [
        ("", None),
        ("{}", None),
        (r#"{"keytype":"SCHEMA","magic":1}"#, None),
        (r#"{"keytype":"SCHEMA","subject":"s","version":1}"#, Some("{}")),
        (r#"{"keytype":"OTHER"}"#, None),
        (r#"{"keytype":"CONFIG"}"#, Some("x")),
    ] {
        read(key, value).expect_err(key);
    }
}
