//! How far is a topic in its table? The summary of a snapshot says it, and the head's ancestry has the last word.
//!
//! The keys are drawn in `docs/formats/catalog.md`.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use iceberg::spec::{SnapshotRef, TableMetadata};
use model::{Error, Kind, Offset, Result, Term, TopicId};
use objects::Objects;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::catalog::{Catalog, Head};

pub const OFFSETS: &str = "frazil.offsets";
pub const SKIPPED: &str = "frazil.skipped";
pub const OFFSETS_FILE: &str = "frazil.offsets-file";
pub const TOPIC_ID: &str = "frazil.topic-id";
pub const CLUSTER_ID: &str = "frazil.cluster-id";
pub const TERM: &str = "frazil.term";
pub const COMMIT_ID: &str = "frazil.commit-id";
/// The tag on our last snapshot.
pub const TAG: &str = "frazil";

/// More partitions than these go to a file of their own.
pub const INLINE_PARTITIONS_MAX: usize = 64;

/// Who commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    pub topic_id: TopicId,
    pub cluster_id: String,
    pub term: Term,
}

/// For each partition the first offset that is not in the table, and how many below it have no row.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ledger {
    #[serde(rename = "offsets")]
    pub next: BTreeMap<i32, Offset>,
    #[serde(default)]
    pub skipped: BTreeMap<i32, i64>,
}

impl Ledger {
    /// Where a partition goes on; 0 if it never was in the table.
    pub fn next_of(&self, partition: i32) -> Offset {
        self.next.get(&partition).copied().unwrap_or(Offset::ZERO)
    }

    pub fn skipped_of(&self, partition: i32) -> i64 {
        self.skipped.get(&partition).copied().unwrap_or(0)
    }

    /// Goes on to `next`; `skipped` of the offsets on the way have no row.
    pub fn advance(&mut self, partition: i32, next: Offset, skipped: i64) {
        let before = self.next_of(partition);
        assert!(next >= before, "a table never goes back: partition {partition}, {next} < {before}");
        assert!((0..=next.0 - before.0).contains(&skipped), "{skipped} of {} offsets skipped", next.0 - before.0);
        self.next.insert(partition, next);
        if skipped > 0 {
            *self.skipped.entry(partition).or_default() += skipped;
        }
    }

    pub fn is_inline(&self) -> bool {
        self.next.len() <= INLINE_PARTITIONS_MAX
    }

    /// The bytes of an offsets file.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers are plain JSON")
    }

    /// The properties of a summary: the maps themselves, or where their file lies.
    pub fn properties(&self, file: Option<&str>) -> Vec<(String, String)> {
        let json = |map: serde_json::Result<String>| map.expect("numbers are plain JSON");
        match file {
            Some(file) => vec![(OFFSETS_FILE.into(), file.into())],
            None => {
                let mut found = vec![(OFFSETS.into(), json(serde_json::to_string(&self.next)))];
                if !self.skipped.is_empty() {
                    found.push((SKIPPED.into(), json(serde_json::to_string(&self.skipped))));
                }
                found
            }
        }
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.next.is_empty() {
            return write!(f, "the beginning");
        }
        write!(f, "offset")?;
        for (partition, next) in self.next.iter().take(8) {
            write!(f, " {partition}:{next}")?;
        }
        if self.next.len() > 8 { write!(f, " …") } else { Ok(()) }
    }
}

/// How far the table is, by its nearest snapshot of ours.
///
/// `Damaged`: the thread is cut, an operator must act. `Invalid`: the table is another topic's. `Fenced`: somebody
/// with a higher term commits. `Busy`: the offsets file could not be read now.
pub async fn recover(catalog: &Catalog, head: &Head, owner: &Owner) -> Result<Ledger> {
    let ident = &head.ident;
    if head.metadata.current_snapshot().is_none() {
        return Ok(Ledger::default());
    }
    let Some(snapshot) = ancestry(&head.metadata).find(|snapshot| is_ours(snapshot)) else {
        return Err(Error::damaged(format!(
            "table {ident} has snapshots, but none in the history of its head says which offsets it holds: somebody \
             has replaced or expired that history. Run `frazil lake verify` to see which offsets are there; then roll \
             the table back to the snapshot of tag '{TAG}', or drop the table to have it projected anew"
        )));
    };
    let summary = &snapshot.summary().additional_properties;
    check_owner(head, summary, owner)?;
    read(catalog.objects(), head, summary).await
}

fn check_owner(head: &Head, summary: &HashMap<String, String>, owner: &Owner) -> Result<()> {
    let ident = &head.ident;
    if let Some(topic) = summary.get(TOPIC_ID)
        && *topic != owner.topic_id.to_string()
    {
        return Err(Error::invalid(format!(
            "table {ident} holds the records of an earlier topic of this name (id {topic}, now {}); drop the table, or \
             delete the topic and use another name",
            owner.topic_id
        )));
    }
    match summary.get(TERM).and_then(|term| term.parse::<u64>().ok()) {
        Some(term) if term > owner.term.0 => Err(Error::fenced(format!(
            "table {ident} is committed by a leader with term {term}, ours is {}: this node is no longer in charge",
            owner.term
        ))),
        _ => Ok(()),
    }
}

async fn read(objects: &Objects, head: &Head, summary: &HashMap<String, String>) -> Result<Ledger> {
    let damaged = |why: String| Error::damaged(format!("the offsets of table {} cannot be read: {why}", head.ident));
    if let Some(inline) = summary.get(OFFSETS) {
        let next = serde_json::from_str(inline).map_err(|error| damaged(error.to_string()))?;
        let skipped = match summary.get(SKIPPED) {
            Some(skipped) => serde_json::from_str(skipped).map_err(|error| damaged(error.to_string()))?,
            None => BTreeMap::new(),
        };
        return Ok(Ledger { next, skipped });
    }
    let file = summary.get(OFFSETS_FILE).ok_or_else(|| damaged("the summary does not have them".into()))?;
    let path = objects.path_of(file).ok_or_else(|| damaged(format!("{file} lies outside of the object store")))?;
    let bytes = objects.get(&path).await.map_err(|error| match error.kind {
        Kind::Missing => damaged(format!("{file} is gone")),
        _ => error,
    })?;
    serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))
}

/// Is a commit of ours in the history of the head?
pub fn holds_commit(metadata: &TableMetadata, commit_id: Uuid) -> bool {
    let wanted = commit_id.to_string();
    ancestry(metadata).any(|snapshot| snapshot.summary().additional_properties.get(COMMIT_ID) == Some(&wanted))
}

fn is_ours(snapshot: &SnapshotRef) -> bool {
    let summary = &snapshot.summary().additional_properties;
    summary.contains_key(OFFSETS) || summary.contains_key(OFFSETS_FILE)
}

/// The head's snapshot, its parent, and so on, as far as they are known.
fn ancestry(metadata: &TableMetadata) -> impl Iterator<Item = &SnapshotRef> {
    std::iter::successors(metadata.current_snapshot(), move |snapshot| {
        metadata.snapshot_by_id(snapshot.parent_snapshot_id()?)
    })
}
