//! How does the archive stand?

use model::{Error, ShardId};
use serde::Serialize;

/// Of one shard.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ShardStatus {
    pub shard: u16,
    /// Version of the manifest.
    pub sequence: u64,
    pub objects: usize,
    pub runs: usize,
    /// In the bucket, and needed.
    pub bytes: u64,
    /// Committed bytes that are lost with the disk: not archived when they were last looked at.
    pub bytes_at_risk: u64,
    pub last_write_ms: Option<i64>,
    /// Since the start.
    pub uploads: u64,
    pub uploaded_bytes: u64,
    pub merges: u64,
    pub requests: u64,
    /// Why it does not move.
    pub last_error: Option<String>,
    /// Somebody else writes this archive; it does not move until the node is started anew.
    pub fenced: bool,
}

/// Of all shards.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Status {
    pub shards: Vec<ShardStatus>,
}

impl ShardStatus {
    pub fn new(shard: ShardId) -> ShardStatus {
        ShardStatus { shard: shard.0, ..ShardStatus::default() }
    }

    pub fn failed(&mut self, error: &Error) {
        self.last_error = Some(error.message.clone());
        self.fenced |= error.kind == model::Kind::Fenced;
    }
}
