//! Is in the bucket what the manifest says?

use model::{Error, Kind, Result};
use serde::Serialize;
use uuid::Uuid;

use crate::index::Object;
use crate::worker::{Archiver, not_open};

/// What an audit found in the archive of one shard.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Report {
    pub shard: u16,
    /// Objects that runs lie in, and how many of them were read whole.
    pub objects: usize,
    pub read: usize,
    /// Names of objects that are not there, and of those that have the wrong length or CRC-32C.
    pub missing: Vec<String>,
    pub damaged: Vec<String>,
    pub ok: bool,
}

impl Archiver {
    /// Looks at all objects that runs lie in, and reads one in `every` of them whole.
    pub async fn verify(&self, every: usize) -> Result<Vec<Report>> {
        let mut reports = Vec::new();
        for (shard, archive) in (0_u16..).zip(&self.context.shards) {
            let objects: Vec<(Uuid, Object)> = {
                let archive = archive.archive();
                let index = archive.as_ref().ok_or_else(not_open)?.index();
                let needed = index.objects().filter(|(_, object)| object.runs > 0);
                needed.map(|(id, object)| (id, object.clone())).collect()
            };
            let mut report = Report { shard, objects: objects.len(), ..Report::default() };
            for (at, (id, object)) in objects.into_iter().enumerate() {
                let path = archive.bucket.names.data(&object.name)?;
                let right = match at % every.max(1) == 0 {
                    true => archive.bucket.crc_of(&path, object.bytes).await.map(|crc| crc == Some(object.crc)),
                    false => archive.bucket.objects.head(&path).await.map(|found| found.size == object.bytes),
                };
                report.read += usize::from(at % every.max(1) == 0);
                let still_needed = || {
                    let archive = archive.archive();
                    let object = archive.as_ref().and_then(|archive| archive.index().object(id));
                    object.is_some_and(|object| object.runs > 0)
                };
                match right {
                    Ok(true) => {}
                    Ok(false) => report.damaged.push(object.name),
                    // It may have been merged away while we looked.
                    Err(Error { kind: Kind::Missing, .. }) if still_needed() => report.missing.push(object.name),
                    Err(Error { kind: Kind::Missing, .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            report.ok = report.missing.is_empty() && report.damaged.is_empty();
            reports.push(report);
        }
        Ok(reports)
    }
}
