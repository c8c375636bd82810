//! How is a group's state written into `__consumer_offsets`?
//!
//! The formats are Kafka's own (OffsetCommitKey 1 / OffsetCommitValue 3, GroupMetadataKey 2 /
//! GroupMetadataValue 3), so that tools that read that topic understand it.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::request::Place;

const OFFSET_KEY: i16 = 1;
const GROUP_KEY: i16 = 2;
const VALUE_VERSION: i16 = 3;

/// A key and a value, `None` for a tombstone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRecord {
    pub key: Bytes,
    pub value: Option<Bytes>,
}

/// What a record of the topic says.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    Offset {
        group: String,
        place: Place,
        offset: Option<StoredOffset>,
    },
    Group {
        group: String,
        metadata: Option<StoredGroup>,
    },
    /// Written by a later version: passed over.
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredOffset {
    pub offset: i64,
    pub leader_epoch: i32,
    pub metadata: String,
    pub committed_at_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct StoredGroup {
    pub protocol_type: String,
    pub generation: i32,
    pub protocol: Option<String>,
    pub leader: Option<String>,
    pub changed_at_ms: i64,
    pub members: Vec<StoredMember>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct StoredMember {
    pub member: String,
    pub instance: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub rebalance_timeout_ms: i32,
    pub session_timeout_ms: i32,
    pub metadata: Bytes,
    pub assignment: Bytes,
}

pub fn offset_record(group: &str, place: &Place, offset: Option<&StoredOffset>) -> GroupRecord {
    let mut key = BytesMut::new();
    key.put_i16(OFFSET_KEY);
    put_string(&mut key, group);
    put_string(&mut key, &place.0);
    key.put_i32(place.1);
    let value = offset.map(|offset| {
        let mut value = BytesMut::new();
        value.put_i16(VALUE_VERSION);
        value.put_i64(offset.offset);
        value.put_i32(offset.leader_epoch);
        put_string(&mut value, &offset.metadata);
        value.put_i64(offset.committed_at_ms);
        value.freeze()
    });
    GroupRecord { key: key.freeze(), value }
}

pub fn group_record(group: &str, metadata: Option<&StoredGroup>) -> GroupRecord {
    let mut key = BytesMut::new();
    key.put_i16(GROUP_KEY);
    put_string(&mut key, group);
    let value = metadata.map(|metadata| {
        let mut value = BytesMut::new();
        value.put_i16(VALUE_VERSION);
        put_string(&mut value, &metadata.protocol_type);
        value.put_i32(metadata.generation);
        put_nullable(&mut value, metadata.protocol.as_deref());
        put_nullable(&mut value, metadata.leader.as_deref());
        value.put_i64(metadata.changed_at_ms);
        value.put_i32(metadata.members.len() as i32);
        for member in &metadata.members {
            put_string(&mut value, &member.member);
            put_nullable(&mut value, member.instance.as_deref());
            put_string(&mut value, &member.client_id);
            put_string(&mut value, &member.client_host);
            value.put_i32(member.rebalance_timeout_ms);
            value.put_i32(member.session_timeout_ms);
            put_bytes(&mut value, &member.metadata);
            put_bytes(&mut value, &member.assignment);
        }
        value.freeze()
    });
    GroupRecord { key: key.freeze(), value }
}

/// Reads a record back. `None`: the bytes are no such record.
pub fn parse(mut key: &[u8], value: Option<&[u8]>) -> Option<Fact> {
    match key.try_get_i16().ok()? {
        0 | OFFSET_KEY => {
            let group = get_string(&mut key)?;
            let place = (get_string(&mut key)?, key.try_get_i32().ok()?);
            let offset = match value {
                Some(value) => Some(parse_offset(value)?),
                None => None,
            };
            Some(Fact::Offset { group, place, offset })
        }
        GROUP_KEY => {
            let group = get_string(&mut key)?;
            let metadata = match value {
                Some(value) => Some(parse_group(value)?),
                None => None,
            };
            Some(Fact::Group { group, metadata })
        }
        _ => Some(Fact::Other),
    }
}

fn parse_offset(mut value: &[u8]) -> Option<StoredOffset> {
    (value.try_get_i16().ok()? == VALUE_VERSION).then_some(())?;
    Some(StoredOffset {
        offset: value.try_get_i64().ok()?,
        leader_epoch: value.try_get_i32().ok()?,
        metadata: get_string(&mut value)?,
        committed_at_ms: value.try_get_i64().ok()?,
    })
}

fn parse_group(mut value: &[u8]) -> Option<StoredGroup> {
    (value.try_get_i16().ok()? == VALUE_VERSION).then_some(())?;
    let mut group = StoredGroup {
        protocol_type: get_string(&mut value)?,
        generation: value.try_get_i32().ok()?,
        protocol: get_nullable(&mut value)?,
        leader: get_nullable(&mut value)?,
        changed_at_ms: value.try_get_i64().ok()?,
        members: Vec::new(),
    };
    for _ in 0..value.try_get_i32().ok()? {
        group.members.push(StoredMember {
            member: get_string(&mut value)?,
            instance: get_nullable(&mut value)?,
            client_id: get_string(&mut value)?,
            client_host: get_string(&mut value)?,
            rebalance_timeout_ms: value.try_get_i32().ok()?,
            session_timeout_ms: value.try_get_i32().ok()?,
            metadata: get_bytes(&mut value)?,
            assignment: get_bytes(&mut value)?,
        });
    }
    Some(group)
}

/// Strings that came by the protocol have at most 32,767 bytes; longer ones were refused there.
fn put_string(out: &mut BytesMut, text: &str) {
    let len = i16::try_from(text.len()).expect("a protocol string has at most 32,767 bytes");
    out.put_i16(len);
    out.put_slice(text.as_bytes());
}

fn put_nullable(out: &mut BytesMut, text: Option<&str>) {
    match text {
        Some(text) => put_string(out, text),
        None => out.put_i16(-1),
    }
}

fn put_bytes(out: &mut BytesMut, bytes: &[u8]) {
    out.put_i32(bytes.len() as i32);
    out.put_slice(bytes);
}

fn take<'a>(from: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, rest) = from.split_at_checked(len)?;
    *from = rest;
    Some(taken)
}

fn get_string(from: &mut &[u8]) -> Option<String> {
    get_nullable(from)?
}

fn get_nullable(from: &mut &[u8]) -> Option<Option<String>> {
    let len = from.try_get_i16().ok()?;
    if len < 0 {
        return Some(None);
    }
    let text = take(from, len as usize)?;
    Some(Some(std::str::from_utf8(text).ok()?.to_owned()))
}

fn get_bytes(from: &mut &[u8]) -> Option<Bytes> {
    let len = usize::try_from(from.try_get_i32().ok()?).ok()?;
    take(from, len).map(Bytes::copy_from_slice)
}
