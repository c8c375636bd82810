//! What do requests about consumer groups and their offsets look like?

use super::{BOOL, BYTES, Field, I8, I32, I64, INTS, Kind, STRING, STRINGS, UUID, always, between, since, until};

pub(super) const OFFSET_COMMIT: &[Field] = &[
    always("group_id", STRING),
    always("generation_id_or_member_epoch", I32),
    always("member_id", STRING),
    since(7, "group_instance_id", STRING),
    until(4, "retention_time_ms", I64),
    always(
        "topics",
        Kind::Array(&Kind::Struct(&[
            always("name", STRING),
            // In the decoded struct already.
            since(10, "topic_id", UUID),
            always(
                "partitions",
                Kind::Array(&Kind::Struct(&[
                    always("partition_index", I32),
                    always("committed_offset", I64),
                    since(6, "committed_leader_epoch", I32),
                    always("committed_metadata", STRING),
                ])),
            ),
        ])),
    ),
];

pub(super) const OFFSET_FETCH: &[Field] = &[
    until(7, "group_id", STRING),
    until(7, "topics", Kind::Array(&Kind::Struct(&[always("name", STRING), always("partition_indexes", INTS)]))),
    since(
        8,
        "groups",
        Kind::Array(&Kind::Struct(&[
            always("group_id", STRING),
            since(9, "member_id", STRING),
            since(9, "member_epoch", I32),
            always(
                "topics",
                Kind::Array(&Kind::Struct(&[
                    always("name", STRING),
                    // In the decoded struct already.
                    since(10, "topic_id", UUID),
                    always("partition_indexes", INTS),
                ])),
            ),
        ])),
    ),
    since(7, "require_stable", BOOL),
];

pub(super) const FIND_COORDINATOR: &[Field] =
    &[until(3, "key", STRING), since(1, "key_type", I8), since(4, "coordinator_keys", STRINGS)];

pub(super) const JOIN_GROUP: &[Field] = &[
    always("group_id", STRING),
    always("session_timeout_ms", I32),
    since(1, "rebalance_timeout_ms", I32),
    always("member_id", STRING),
    since(5, "group_instance_id", STRING),
    always("protocol_type", STRING),
    always("protocols", Kind::Array(&Kind::Struct(&[always("name", STRING), always("metadata", BYTES)]))),
    since(8, "reason", STRING),
];

pub(super) const HEARTBEAT: &[Field] = &[
    always("group_id", STRING),
    always("generation_id", I32),
    always("member_id", STRING),
    since(3, "group_instance_id", STRING),
];

pub(super) const LEAVE_GROUP: &[Field] = &[
    always("group_id", STRING),
    between(0, 2, "member_id", STRING),
    since(
        3,
        "members",
        Kind::Array(&Kind::Struct(&[
            always("member_id", STRING),
            always("group_instance_id", STRING),
            since(5, "reason", STRING),
        ])),
    ),
];

pub(super) const SYNC_GROUP: &[Field] = &[
    always("group_id", STRING),
    always("generation_id", I32),
    always("member_id", STRING),
    since(3, "group_instance_id", STRING),
    since(5, "protocol_type", STRING),
    since(5, "protocol_name", STRING),
    always("assignments", Kind::Array(&Kind::Struct(&[always("member_id", STRING), always("assignment", BYTES)]))),
];

pub(super) const DESCRIBE_GROUPS: &[Field] =
    &[always("groups", STRINGS), since(3, "include_authorized_operations", BOOL)];

pub(super) const LIST_GROUPS: &[Field] = &[since(4, "states_filter", STRINGS), since(5, "types_filter", STRINGS)];

pub(super) const DELETE_GROUPS: &[Field] = &[always("groups_names", STRINGS)];

pub(super) const OFFSET_DELETE: &[Field] = &[
    always("group_id", STRING),
    always(
        "topics",
        Kind::Array(&Kind::Struct(&[
            always("name", STRING),
            always("partitions", Kind::Array(&Kind::Struct(&[always("partition_index", I32)]))),
        ])),
    ),
];
