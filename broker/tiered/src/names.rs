//! What are the archive's objects called?

use model::{Error, Offset, Result, ShardId};
use objects::{Objects, Path};
use uuid::Uuid;

/// All names of one cluster's archive begin with this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    root: String,
}

pub const FOLDER: &str = "archive";

impl Names {
    pub fn new(cluster: Uuid) -> Names {
        Names { root: format!("{FOLDER}/{cluster}") }
    }

    /// The root of the manifest of a shard.
    pub fn root(&self, shard: ShardId, sequence: u64) -> Path {
        self.path(&format!("manifest/{shard}/{sequence:020}"))
    }

    pub fn roots(&self, shard: ShardId) -> Path {
        self.path(&format!("manifest/{shard}"))
    }

    pub fn page(&self, id: Uuid) -> Path {
        self.path(&format!("page/{}/{id}", spread(id)))
    }

    pub fn pages(&self) -> Path {
        self.path("page")
    }

    /// An object by the name that the manifest has for it.
    pub fn data(&self, name: &str) -> Result<Path> {
        Objects::path(&format!("{}/data/{name}", self.root))
    }

    pub fn all_data(&self) -> Path {
        self.path("data")
    }

    pub fn cluster(&self, version: u64) -> Path {
        self.path(&format!("cluster/{version:020}.json"))
    }

    pub fn clusters(&self) -> Path {
        self.path("cluster")
    }

    fn path(&self, rest: &str) -> Path {
        Objects::path(&format!("{}/{rest}", self.root)).expect("made of letters, digits and dashes")
    }
}

/// The name of an object with one run, below `data/`.
pub fn own_name(topic: &str, partition: i32, base: Offset, id: Uuid) -> String {
    format!("{}/{topic}/{partition}/{:020}-{id}.frz", spread(id), base.0)
}

/// The name of an object that partitions share, below `data/`.
pub fn pack_name(shard: ShardId, created_ms: i64, id: Uuid) -> String {
    format!("{}/pack/shard-{shard}/{:020}-{id}.frz", spread(id), created_ms.max(0))
}

/// The id in the last part of a path of data or of a page.
pub fn id_of(path: &Path) -> Option<Uuid> {
    let name = path.filename()?;
    let name = name.strip_suffix(".frz").unwrap_or(name);
    let id = name.get(name.len().checked_sub(36)?..)?;
    Uuid::parse_str(id).ok()
}

/// The number in the last part of a path of a root or a cluster object.
pub fn number_of(path: &Path) -> Option<u64> {
    let name = path.filename()?;
    let digits = name.strip_suffix(".json").unwrap_or(name);
    match digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        true => digits.parse().ok(),
        false => None,
    }
}

/// The ids of all clusters that have an archive in a bucket.
pub async fn clusters_in(objects: &Objects) -> Result<Vec<Uuid>> {
    let folder = Objects::path(FOLDER)?;
    let listed = objects.store().list_with_delimiter(Some(&folder)).await;
    let listed = listed.map_err(|error| Error::busy(format!("the bucket could not be listed, try again: {error}")))?;
    let ids = listed.common_prefixes.iter().filter_map(|prefix| Uuid::parse_str(prefix.filename()?).ok());
    Ok(ids.collect())
}

fn spread(id: Uuid) -> String {
    format!("{:02x}", id.as_bytes()[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_their_numbers() {
        let id = Uuid::from_u128(0xab00_0000_0000_4000_8000_0000_0000_0001);
        let names = Names::new(Uuid::nil());
        assert!(own_name("a.b", 3, Offset(42), id).starts_with("ab/a.b/3/00000000000000000042-ab000000-"));
        assert_eq!(id_of(&names.data(&own_name("a.b", 3, Offset(42), id)).unwrap()), Some(id));
        assert_eq!(id_of(&names.data(&pack_name(ShardId(1), 7, id)).unwrap()), Some(id));
        assert_eq!(id_of(&names.page(id)), Some(id));
        assert_eq!(number_of(&names.root(ShardId(0), 17)), Some(17));
        assert_eq!(number_of(&names.cluster(3)), Some(3));
        assert_eq!(number_of(&names.page(id)), None);
    }
}
