//! What does the body of each request look like, version by version?
//!
//! One row per message. The rows say no more than is needed to step over a body: `kafka-protocol` decodes it, this
//! table lets the [guard](crate::request::guard) look at it first. An API or a version without a row is not served.

mod admin;
mod data;
mod groups;

/// How a value lies in a body.
#[derive(Debug)]
pub(crate) enum Kind {
    /// A number, a boolean or a UUID: always this many bytes.
    Fixed(usize),
    /// A length of two bytes, or a compact one.
    String,
    /// A length of four bytes, or a compact one.
    Bytes,
    /// A count of four bytes, or a compact one.
    Array(&'static Kind),
    Struct(&'static [Field]),
}

pub(crate) const BOOL: Kind = Kind::Fixed(1);
pub(crate) const I8: Kind = Kind::Fixed(1);
pub(crate) const I16: Kind = Kind::Fixed(2);
pub(crate) const I32: Kind = Kind::Fixed(4);
pub(crate) const I64: Kind = Kind::Fixed(8);
pub(crate) const UUID: Kind = Kind::Fixed(16);
pub(crate) const STRING: Kind = Kind::String;
pub(crate) const BYTES: Kind = Kind::Bytes;
pub(crate) const INTS: Kind = Kind::Array(&I32);
pub(crate) const STRINGS: Kind = Kind::Array(&STRING);

/// A field of a message and the versions that have it.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    first: i16,
    last: i16,
    /// Tagged fields stand behind all others and may be absent (KIP-482).
    pub(crate) tag: Option<u32>,
}

impl Field {
    pub(crate) fn is_in(&self, version: i16) -> bool {
        (self.first..=self.last).contains(&version)
    }
}

const fn always(name: &'static str, kind: Kind) -> Field {
    between(0, i16::MAX, name, kind)
}

const fn since(first: i16, name: &'static str, kind: Kind) -> Field {
    between(first, i16::MAX, name, kind)
}

const fn until(last: i16, name: &'static str, kind: Kind) -> Field {
    between(0, last, name, kind)
}

const fn between(first: i16, last: i16, name: &'static str, kind: Kind) -> Field {
    Field { name, kind, first, last, tag: None }
}

const fn tagged(tag: u32, first: i16, name: &'static str, kind: Kind) -> Field {
    Field { name, kind, first, last: i16::MAX, tag: Some(tag) }
}

/// The request of one API.
#[derive(Debug)]
pub struct Layout {
    pub api_key: i16,
    /// Kafka's name of the API.
    pub name: &'static str,
    /// The versions that can be decoded here.
    pub first: i16,
    pub last: i16,
    /// From this version on: compact lengths and tagged fields.
    pub flexible: i16,
    pub(crate) fields: &'static [Field],
}

const fn row(
    api_key: i16,
    name: &'static str,
    versions: (i16, i16),
    flexible: i16,
    fields: &'static [Field],
) -> Layout {
    Layout { api_key, name, first: versions.0, last: versions.1, flexible, fields }
}

/// For messages that never became flexible.
const NEVER: i16 = i16::MAX;

/// All requests that can be decoded, in the order of their keys.
pub static LAYOUTS: &[Layout] = &[
    row(0, "Produce", (3, 12), 9, data::PRODUCE),
    row(1, "Fetch", (4, 17), 12, data::FETCH),
    row(2, "ListOffsets", (1, 10), 6, data::LIST_OFFSETS),
    row(3, "Metadata", (0, 13), 9, admin::METADATA),
    row(8, "OffsetCommit", (2, 9), 8, groups::OFFSET_COMMIT),
    row(9, "OffsetFetch", (1, 9), 6, groups::OFFSET_FETCH),
    row(10, "FindCoordinator", (0, 6), 3, groups::FIND_COORDINATOR),
    row(11, "JoinGroup", (0, 9), 6, groups::JOIN_GROUP),
    row(12, "Heartbeat", (0, 4), 4, groups::HEARTBEAT),
    row(13, "LeaveGroup", (0, 5), 4, groups::LEAVE_GROUP),
    row(14, "SyncGroup", (0, 5), 4, groups::SYNC_GROUP),
    row(15, "DescribeGroups", (0, 6), 5, groups::DESCRIBE_GROUPS),
    row(16, "ListGroups", (0, 5), 3, groups::LIST_GROUPS),
    row(18, "ApiVersions", (0, 4), 3, admin::API_VERSIONS),
    row(19, "CreateTopics", (2, 7), 5, admin::CREATE_TOPICS),
    row(20, "DeleteTopics", (1, 6), 4, admin::DELETE_TOPICS),
    row(21, "DeleteRecords", (0, 2), 2, data::DELETE_RECORDS),
    row(22, "InitProducerId", (0, 5), 2, data::INIT_PRODUCER_ID),
    row(23, "OffsetForLeaderEpoch", (2, 4), 4, data::OFFSET_FOR_LEADER_EPOCH),
    row(32, "DescribeConfigs", (1, 4), 4, admin::DESCRIBE_CONFIGS),
    row(33, "AlterConfigs", (0, 2), 2, admin::ALTER_CONFIGS),
    row(35, "DescribeLogDirs", (1, 4), 2, admin::DESCRIBE_LOG_DIRS),
    row(37, "CreatePartitions", (0, 3), 2, admin::CREATE_PARTITIONS),
    row(42, "DeleteGroups", (0, 2), 2, groups::DELETE_GROUPS),
    row(44, "IncrementalAlterConfigs", (0, 1), 1, admin::INCREMENTAL_ALTER_CONFIGS),
    row(47, "OffsetDelete", (0, 0), NEVER, groups::OFFSET_DELETE),
    row(60, "DescribeCluster", (0, 2), 0, admin::DESCRIBE_CLUSTER),
];

/// The row of an API; `None` for keys that are not served.
pub fn layout(api_key: i16) -> Option<&'static Layout> {
    LAYOUTS.binary_search_by_key(&api_key, |row| row.api_key).ok().map(|at| &LAYOUTS[at])
}

impl Layout {
    pub fn is_flexible(&self, version: i16) -> bool {
        version >= self.flexible
    }

    pub fn serves(&self, version: i16) -> bool {
        (self.first..=self.last).contains(&version)
    }
}

impl Kind {
    /// The fewest bytes that a value can take in a body.
    pub(crate) fn bytes_min(&self, version: i16, flexible: bool) -> usize {
        match self {
            Kind::Fixed(bytes) => *bytes,
            Kind::String => {
                if flexible {
                    1
                } else {
                    2
                }
            }
            Kind::Bytes | Kind::Array(_) => {
                if flexible {
                    1
                } else {
                    4
                }
            }
            Kind::Struct(fields) => {
                let present = fields.iter().filter(|field| field.tag.is_none() && field.is_in(version));
                present.map(|field| field.kind.bytes_min(version, flexible)).sum::<usize>() + usize::from(flexible)
            }
        }
    }

    /// What a value takes in the decoded message, without what it points to: the structs of `kafka-protocol` have
    /// the fields of all versions and a map for unknown tags.
    pub(crate) fn decoded_bytes(&self) -> usize {
        match self {
            Kind::Fixed(bytes) => *bytes,
            Kind::String | Kind::Bytes => 32,
            Kind::Array(_) => 24,
            Kind::Struct(fields) => {
                let bytes: usize = fields.iter().map(|field| field.kind.decoded_bytes()).sum();
                (bytes + 24).next_multiple_of(8)
            }
        }
    }
}

#[cfg(test)]
mod tests;
