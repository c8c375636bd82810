//! Does the table promise only what can be read?

use runtime::portable::Portable;

use super::*;

#[test]
fn every_advertised_version_can_be_decoded_and_answered() {
    for row in ApiTable::<Portable>::new().rows() {
        let first = if row.key == ApiKey::Produce { 3 } else { row.first };
        for version in first..=row.last {
            let refused = request::guard(row.key as i16, version, &[]).err();
            let unserved =
                |e: &RequestError| matches!(e, RequestError::UnknownApi(_) | RequestError::UnknownVersion { .. });
            assert!(!refused.as_ref().is_some_and(unserved), "{:?} {version}: {refused:?}", row.key);
        }
        assert!(row.key.valid_versions().max >= row.last, "{:?}", row.key);
    }
}

#[test]
fn each_api_has_one_row() {
    let table = ApiTable::<Portable>::new();
    let keys: std::collections::BTreeSet<i16> = table.rows().iter().map(|row| row.key as i16).collect();
    assert_eq!(keys.len(), table.rows().len());
    assert!(!keys.contains(&(ApiKey::AddPartitionsToTxn as i16)), "transactions are not promised");
}
