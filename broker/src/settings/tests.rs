//! Do the layers cover each other in order, and is nonsense refused with the reason?

use super::*;

#[test]
fn the_file_with_every_default_says_the_truth() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/frazil.toml");
    let from_file = Settings::load(Layer { config: Some(path.into()), ..Layer::default() }).unwrap();
    assert_eq!(from_file, Settings::load(Layer::default()).unwrap());
    let text = std::fs::read_to_string(path).unwrap();
    let keys = toml::from_str::<toml::Table>(&text).unwrap();
    assert_eq!(keys.len(), 21, "every setting has its line");
}

#[test]
fn flags_win_over_the_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "shards = 3\nnode_id = 7\n").unwrap();
    let flags = Layer { config: Some(file.path().into()), shards: Some(5), ..Layer::default() };
    let settings = Settings::load(flags).unwrap();
    assert_eq!((settings.shards, settings.node_id), (5, 7));
}

#[test]
fn nonsense_is_refused_with_the_reason() {
    let refused = |layer: Layer| format!("{:#}", Settings::load(layer).unwrap_err());
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "shard = 3\n").unwrap();
    assert!(refused(Layer { config: Some(file.path().into()), ..Layer::default() }).contains("unknown field `shard`"));
    assert!(refused(Layer { shards: Some(5000), ..Layer::default() }).contains("at most 256 shards"));
    let everywhere = Layer { kafka_addr: Some("0.0.0.0:9092".parse().unwrap()), ..Layer::default() };
    assert!(refused(everywhere).contains("set kafka_advertised"));
    assert!(refused(Layer { segment_mib: Some(1), ..Layer::default() }).contains("from 80"));
}
