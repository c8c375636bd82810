//! Which topics does the node make and write itself?

use model::TopicSettings;

/// Offsets and members of consumer groups.
pub const GROUPS_TOPIC: &str = "__consumer_offsets";
pub const GROUPS_PARTITIONS: i32 = 16;
/// The schema registry's log.
pub const SCHEMAS_TOPIC: &str = "_schemas";

/// A topic that is made at its first use by the node, and that clients may read but not write.
pub struct Internal {
    pub name: &'static str,
    pub partitions: i32,
}

static INTERNAL: [Internal; 2] =
    [Internal { name: GROUPS_TOPIC, partitions: GROUPS_PARTITIONS }, Internal { name: SCHEMAS_TOPIC, partitions: 1 }];

/// The definition of an internal topic; `None` for topics of users.
pub fn find(name: &str) -> Option<&'static Internal> {
    INTERNAL.iter().find(|i| i.name == name)
}

/// The node keeps its own state in it, and reads it whole at each start.
pub fn is_internal(name: &str) -> bool {
    find(name).is_some()
}

impl Internal {
    pub fn settings(&self) -> TopicSettings {
        TopicSettings::parse([("cleanup.policy", "compact")]).expect("a setting that exists")
    }
}

/// The partition of the groups topic that keeps a group: FNV-1a of its name, the same for ever.
pub fn partition_of_group(group: &str) -> i32 {
    let hash = fnv(group.as_bytes());
    i32::try_from(hash % GROUPS_PARTITIONS.unsigned_abs()).expect("below the number of partitions")
}

/// FNV-1a, 32 bits: stable over versions, unlike the standard library's hashes.
pub fn fnv(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}
