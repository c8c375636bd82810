//! Is the table of layouts the protocol?

use super::*;
use crate::request::header_version;

#[test]
fn rows_are_in_order_and_name_versions_that_the_crate_has() {
    use kafka_protocol::messages::ApiKey;
    assert!(LAYOUTS.is_sorted_by(|a, b| a.api_key < b.api_key));
    for row in LAYOUTS {
        let api = ApiKey::try_from(row.api_key).expect("a key that the crate knows");
        assert_eq!(format!("{api:?}"), row.name);
        let range = api.valid_versions();
        assert!(range.min == row.first && row.last <= range.max, "{}", row.name);
        for version in row.first..=row.last {
            let ours = (header_version(row.api_key, version), crate::response::header_version(row.api_key, version));
            let theirs = (Some(api.request_header_version(version)), api.response_header_version(version));
            assert_eq!(ours, theirs, "{} {version}", row.name);
        }
    }
}

#[test]
fn every_element_takes_at_least_a_byte() {
    fn arrays(fields: &'static [Field], found: &mut Vec<&'static Kind>) {
        for field in fields {
            let mut kind = &field.kind;
            while let Kind::Array(element) = kind {
                found.push(element);
                kind = element;
            }
            if let Kind::Struct(fields) = kind {
                arrays(fields, found);
            }
        }
    }
    for row in LAYOUTS {
        let mut found = Vec::new();
        arrays(row.fields, &mut found);
        for version in row.first..=row.last {
            let flexible = row.is_flexible(version);
            assert!(found.iter().all(|kind| kind.bytes_min(version, flexible) > 0), "{} {version}", row.name);
        }
    }
}
