//! What do the bytes mean that this crate puts into entries and purge marks? Drawn in `docs/formats/core-log.md`.

use std::collections::BTreeSet;

use bytes::Bytes;
use corelog::EntryId;
use model::{Error, LogIndex, Result, Term};

use crate::types::{Membership, Node, StoredMembership, entry_id_or_none, log_id};

const VERSION: u8 = 1;
const MEMBERSHIP: u8 = 1;
const HEAD_BYTES: usize = 8;

/// An entry that only marks a place.
pub(crate) fn blank() -> Bytes {
    Bytes::from_static(&[VERSION, 0, 0, 0, 0, 0, 0, 0])
}

pub(crate) fn encode(membership: &StoredMembership) -> Bytes {
    let mut bytes = vec![VERSION, MEMBERSHIP, 0, 0, 0, 0, 0, 0];
    let id = entry_id_or_none(membership.log_id().as_ref());
    bytes.extend_from_slice(&id.term.0.to_le_bytes());
    bytes.extend_from_slice(&id.index.0.to_le_bytes());
    let count = |number: usize| u32::try_from(number).expect("a group has few nodes").to_le_bytes();
    let configurations = membership.membership().get_joint_config();
    bytes.extend_from_slice(&count(configurations.len()));
    for nodes in configurations {
        bytes.extend_from_slice(&count(nodes.len()));
        nodes.iter().for_each(|node| bytes.extend_from_slice(&node.to_le_bytes()));
    }
    let nodes: Vec<Node> = membership.membership().nodes().map(|(node, ())| *node).collect();
    bytes.extend_from_slice(&count(nodes.len()));
    nodes.iter().for_each(|node| bytes.extend_from_slice(&node.to_le_bytes()));
    bytes.into()
}

/// `None`: no membership. `Invalid`: a newer version wrote it; `Damaged`: it makes no sense.
pub(crate) fn decode(bytes: &[u8]) -> Result<Option<StoredMembership>> {
    // An entry whose partition was deleted has no bytes at all.
    let Some((head, mut rest)) = bytes.split_at_checked(HEAD_BYTES) else { return Ok(None) };
    if head[0] != VERSION {
        let version = head[0];
        return Err(Error::invalid(format!(
            "an entry of a log group has format {version}, which a newer version of the program wrote; start that version"
        )));
    }
    if head[1] != MEMBERSHIP {
        return Ok(None);
    }
    let membership = take_membership(&mut rest);
    let membership =
        membership.ok_or_else(|| Error::damaged("the nodes of a log group cannot be read; restore the log"));
    membership.map(Some)
}

fn take_membership(bytes: &mut &[u8]) -> Option<StoredMembership> {
    let id = EntryId { term: Term(take_u64(bytes)?), index: LogIndex(take_u64(bytes)?) };
    let mut configurations: Vec<BTreeSet<Node>> = Vec::new();
    for _ in 0..take_u32(bytes)? {
        configurations.push(take_nodes(bytes)?);
    }
    let nodes = take_nodes(bytes)?;
    let membership = Membership::new(configurations, nodes).ok()?;
    Some(StoredMembership::new(log_id(id), membership))
}

fn take_nodes(bytes: &mut &[u8]) -> Option<BTreeSet<Node>> {
    let mut nodes = BTreeSet::new();
    for _ in 0..take_u32(bytes)? {
        nodes.insert(take_u64(bytes)?);
    }
    Some(nodes)
}

fn take_u64(bytes: &mut &[u8]) -> Option<u64> {
    let (number, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u64::from_le_bytes(*number))
}

fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    let (number, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u32::from_le_bytes(*number))
}
