//! What do requests about topics, settings and the cluster look like?

use super::{BOOL, Field, I8, I16, I32, INTS, Kind, STRING, STRINGS, UUID, always, between, since, until};

pub(super) const METADATA: &[Field] = &[
    always("topics", Kind::Array(&Kind::Struct(&[since(10, "topic_id", UUID), always("name", STRING)]))),
    since(4, "allow_auto_topic_creation", BOOL),
    between(8, 10, "include_cluster_authorized_operations", BOOL),
    since(8, "include_topic_authorized_operations", BOOL),
];

pub(super) const API_VERSIONS: &[Field] =
    &[since(3, "client_software_name", STRING), since(3, "client_software_version", STRING)];

pub(super) const CREATE_TOPICS: &[Field] = &[
    always(
        "topics",
        Kind::Array(&Kind::Struct(&[
            always("name", STRING),
            always("num_partitions", I32),
            always("replication_factor", I16),
            always(
                "assignments",
                Kind::Array(&Kind::Struct(&[always("partition_index", I32), always("broker_ids", INTS)])),
            ),
            always("configs", Kind::Array(&Kind::Struct(&[always("name", STRING), always("value", STRING)]))),
        ])),
    ),
    always("timeout_ms", I32),
    always("validate_only", BOOL),
];

pub(super) const DELETE_TOPICS: &[Field] = &[
    since(6, "topics", Kind::Array(&Kind::Struct(&[always("name", STRING), always("topic_id", UUID)]))),
    until(5, "topic_names", STRINGS),
    always("timeout_ms", I32),
];

pub(super) const DESCRIBE_CONFIGS: &[Field] = &[
    always(
        "resources",
        Kind::Array(&Kind::Struct(&[
            always("resource_type", I8),
            always("resource_name", STRING),
            always("configuration_keys", STRINGS),
        ])),
    ),
    always("include_synonyms", BOOL),
    since(3, "include_documentation", BOOL),
];

pub(super) const ALTER_CONFIGS: &[Field] = &[
    always(
        "resources",
        Kind::Array(&Kind::Struct(&[
            always("resource_type", I8),
            always("resource_name", STRING),
            always("configs", Kind::Array(&Kind::Struct(&[always("name", STRING), always("value", STRING)]))),
        ])),
    ),
    always("validate_only", BOOL),
];

pub(super) const INCREMENTAL_ALTER_CONFIGS: &[Field] = &[
    always(
        "resources",
        Kind::Array(&Kind::Struct(&[
            always("resource_type", I8),
            always("resource_name", STRING),
            always(
                "configs",
                Kind::Array(&Kind::Struct(&[
                    always("name", STRING),
                    always("config_operation", I8),
                    always("value", STRING),
                ])),
            ),
        ])),
    ),
    always("validate_only", BOOL),
];

pub(super) const DESCRIBE_LOG_DIRS: &[Field] =
    &[always("topics", Kind::Array(&Kind::Struct(&[always("topic", STRING), always("partitions", INTS)])))];

pub(super) const CREATE_PARTITIONS: &[Field] = &[
    always(
        "topics",
        Kind::Array(&Kind::Struct(&[
            always("name", STRING),
            always("count", I32),
            always("assignments", Kind::Array(&Kind::Struct(&[always("broker_ids", INTS)]))),
        ])),
    ),
    always("timeout_ms", I32),
    always("validate_only", BOOL),
];

pub(super) const DESCRIBE_CLUSTER: &[Field] = &[
    always("include_cluster_authorized_operations", BOOL),
    since(1, "endpoint_type", I8),
    since(2, "include_fenced_brokers", BOOL),
];
