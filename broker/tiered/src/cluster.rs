//! How does a bucket tell which topics there were?

use bytes::Bytes;
use model::{Error, Result};
use objects::Objects;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::names::{Names, number_of};
use crate::source::ClusterState;

const FORMAT: u32 = 1;
/// Older versions than these are removed.
const VERSIONS_KEPT: u64 = 5;

#[derive(Serialize, Deserialize)]
struct File {
    format: u32,
    #[serde(flatten)]
    state: ClusterState,
}

/// The newest state of a cluster in the bucket, with its version.
pub async fn load(objects: &Objects, cluster: Uuid) -> Result<Option<(u64, ClusterState)>> {
    let names = Names::new(cluster);
    let listed = objects.list(&names.clusters()).await?;
    let Some(version) = listed.iter().filter_map(|object| number_of(&object.location)).max() else { return Ok(None) };
    let bytes = objects.get(&names.cluster(version)).await?;
    let damaged = |why: String| Error::damaged(format!("the state of cluster {cluster} in the bucket: {why}"));
    let head: serde_json::Value = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    if head["format"] != FORMAT {
        return Err(damaged(format!("its format is {}, this program knows {FORMAT}; use a newer one", head["format"])));
    }
    let file: File = serde_json::from_value(head).map_err(|error| damaged(error.to_string()))?;
    Ok(Some((version, file.state)))
}

/// Keeps the state in the bucket up to date.
#[derive(Debug)]
pub(crate) struct Keeper {
    known: Option<(u64, ClusterState)>,
}

impl Keeper {
    pub async fn open(objects: &Objects, cluster: Uuid) -> Result<Keeper> {
        Ok(Keeper { known: load(objects, cluster).await? })
    }

    /// Writes a new version if something has changed. `Fenced`: somebody else does so, too.
    pub async fn keep(&mut self, objects: &Objects, state: ClusterState) -> Result<()> {
        if self.known.as_ref().is_some_and(|(_, known)| *known == state) {
            return Ok(());
        }
        let names = Names::new(state.cluster);
        let version = self.known.as_ref().map_or(0, |(version, _)| *version) + 1;
        let file = File { format: FORMAT, state };
        let bytes: Bytes = serde_json::to_vec(&file).expect("names and numbers are valid JSON").into();
        let path = names.cluster(version);
        if !objects.put_if_absent(&path, bytes.clone()).await? && objects.get(&path).await? != bytes {
            return Err(Error::fenced(format!(
                "somebody else writes the archive of cluster {}: '{path}' is there already; stop one of the two nodes",
                file.state.cluster
            )));
        }
        self.known = Some((version, file.state));
        if let Some(old) = version.checked_sub(VERSIONS_KEPT) {
            objects.delete(&names.cluster(old)).await?;
        }
        Ok(())
    }
}
