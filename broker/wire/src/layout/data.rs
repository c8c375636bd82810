//! What do requests for records and their offsets look like?

use super::{BYTES, Field, I8, I16, I32, I64, INTS, Kind, STRING, UUID, always, between, since, tagged, until};

pub(super) const PRODUCE: &[Field] = &[
    always("transactional_id", STRING),
    always("acks", I16),
    always("timeout_ms", I32),
    always(
        "topic_data",
        Kind::Array(&Kind::Struct(&[
            until(12, "name", STRING),
            since(13, "topic_id", UUID),
            always("partition_data", Kind::Array(&Kind::Struct(&[always("index", I32), always("records", BYTES)]))),
        ])),
    ),
];

pub(super) const FETCH: &[Field] = &[
    tagged(0, 12, "cluster_id", STRING),
    until(14, "replica_id", I32),
    tagged(1, 15, "replica_state", Kind::Struct(&[always("replica_id", I32), always("replica_epoch", I64)])),
    always("max_wait_ms", I32),
    always("min_bytes", I32),
    always("max_bytes", I32),
    always("isolation_level", I8),
    since(7, "session_id", I32),
    since(7, "session_epoch", I32),
    always("topics", Kind::Array(&Kind::Struct(FETCH_TOPIC))),
    since(7, "forgotten_topics_data", Kind::Array(&Kind::Struct(FORGOTTEN_TOPIC))),
    since(11, "rack_id", STRING),
];

const FETCH_TOPIC: &[Field] = &[
    until(12, "topic", STRING),
    since(13, "topic_id", UUID),
    always(
        "partitions",
        Kind::Array(&Kind::Struct(&[
            always("partition", I32),
            since(9, "current_leader_epoch", I32),
            always("fetch_offset", I64),
            since(12, "last_fetched_epoch", I32),
            since(5, "log_start_offset", I64),
            always("partition_max_bytes", I32),
            tagged(0, 17, "replica_directory_id", UUID),
            // In the decoded struct already.
            tagged(1, 18, "high_watermark", I64),
        ])),
    ),
];

const FORGOTTEN_TOPIC: &[Field] =
    &[between(7, 12, "topic", STRING), since(13, "topic_id", UUID), always("partitions", INTS)];

pub(super) const LIST_OFFSETS: &[Field] = &[
    always("replica_id", I32),
    since(2, "isolation_level", I8),
    always(
        "topics",
        Kind::Array(&Kind::Struct(&[
            always("name", STRING),
            always(
                "partitions",
                Kind::Array(&Kind::Struct(&[
                    always("partition_index", I32),
                    since(4, "current_leader_epoch", I32),
                    always("timestamp", I64),
                ])),
            ),
        ])),
    ),
    since(10, "timeout_ms", I32),
];

pub(super) const DELETE_RECORDS: &[Field] = &[
    always(
        "topics",
        Kind::Array(&Kind::Struct(&[
            always("name", STRING),
            always("partitions", Kind::Array(&Kind::Struct(&[always("partition_index", I32), always("offset", I64)]))),
        ])),
    ),
    always("timeout_ms", I32),
];

pub(super) const INIT_PRODUCER_ID: &[Field] = &[
    always("transactional_id", STRING),
    always("transaction_timeout_ms", I32),
    since(3, "producer_id", I64),
    since(3, "producer_epoch", I16),
];

pub(super) const OFFSET_FOR_LEADER_EPOCH: &[Field] = &[
    since(3, "replica_id", I32),
    always(
        "topics",
        Kind::Array(&Kind::Struct(&[
            always("topic", STRING),
            always(
                "partitions",
                Kind::Array(&Kind::Struct(&[
                    always("partition", I32),
                    always("current_leader_epoch", I32),
                    always("leader_epoch", I32),
                ])),
            ),
        ])),
    ),
];
