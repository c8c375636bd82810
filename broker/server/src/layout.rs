//! What does a data directory say about the node that made it? Layout: `docs/formats/layout.md`.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use model::limits::SHARDS_MAX;
use model::{Error, Result, ShardId};
use serde::{Deserialize, Serialize};

const FILE: &str = "layout.json";
const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct Layout {
    version: u32,
    /// The highest number of shards that ever wrote here.
    shards: u16,
}

/// The folder of a shard's log.
pub fn shard_dir(data_dir: &Path, shard: ShardId) -> PathBuf {
    data_dir.join("shards").join(shard.to_string())
}

/// Makes the data directory, or checks that this number of shards can serve it. Shards may be added, never removed:
/// a partition stays in the log of the shard that it was made on.
pub fn claim(data_dir: &Path, shards: u16) -> Result<()> {
    if !(1..=SHARDS_MAX).contains(&shards) {
        return Err(Error::invalid(format!("a node has 1 to {SHARDS_MAX} shards, not {shards}")));
    }
    let path = data_dir.join(FILE);
    let failed = |error: io::Error| Error::fenced(format!("'{}' cannot be used: {error}", path.display()));
    let before = match fs::read(&path) {
        Ok(bytes) => parse(&bytes, &path)?.shards,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(failed(error)),
    };
    if before > shards {
        return Err(Error::invalid(format!(
            "'{}' was written with {before} shards, which hold its partitions; start with at least {before}, not {shards}",
            data_dir.display()
        )));
    }
    for shard in 0..shards {
        fs::create_dir_all(shard_dir(data_dir, ShardId(shard))).map_err(failed)?;
    }
    if before < shards {
        write(&path, &Layout { version: VERSION, shards }).map_err(failed)?;
    }
    Ok(())
}

fn parse(bytes: &[u8], path: &Path) -> Result<Layout> {
    let layout: Layout = serde_json::from_slice(bytes)
        .map_err(|error| Error::damaged(format!("'{}' cannot be read: {error}; restore it", path.display())))?;
    match layout.version {
        VERSION => Ok(layout),
        newer => Err(Error::invalid(format!(
            "'{}' has version {newer}, this program knows {VERSION}; start the newer one",
            path.display()
        ))),
    }
}

fn write(path: &Path, layout: &Layout) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    let mut file = fs::File::create(&temporary)?;
    file.write_all(&serde_json::to_vec(layout)?)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    fs::File::open(path.parent().expect("a file lies in a folder"))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_may_be_added_but_not_removed() {
        let dir = tempfile::tempdir().unwrap();
        claim(dir.path(), 2).unwrap();
        claim(dir.path(), 3).unwrap();
        let error = claim(dir.path(), 2).unwrap_err();
        assert!(error.message.contains("at least 3"), "{error}");
        assert!(shard_dir(dir.path(), ShardId(2)).is_dir());
    }

    #[test]
    fn a_node_has_a_sensible_number_of_shards() {
        let dir = tempfile::tempdir().unwrap();
        assert!(claim(dir.path(), 0).is_err() && claim(dir.path(), SHARDS_MAX + 1).is_err());
    }

    #[test]
    fn a_damaged_or_newer_file_is_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        for content in ["{", r#"{"version":2,"shards":1}"#] {
            fs::write(dir.path().join(FILE), content).unwrap();
            assert!(claim(dir.path(), 1).is_err());
            assert_eq!(fs::read_to_string(dir.path().join(FILE)).unwrap(), content);
        }
    }
}
