//! How much is allowed? All bounds of the node in one place.

/// Kafka's own limit for a topic's name.
pub const TOPIC_NAME_BYTES_MAX: usize = 249;
/// Partitions of one topic.
pub const PARTITIONS_PER_TOPIC_MAX: i32 = 10_000;
/// Partitions of one node.
pub const PARTITIONS_PER_NODE_MAX: usize = 100_000;
/// Shards of one node.
pub const SHARDS_MAX: u16 = 256;

/// A string in a request: as long as the classic encoding can say.
pub const STRING_BYTES_MAX: usize = i16::MAX as usize;
/// The name of a consumer group.
pub const GROUP_ID_BYTES_MAX: usize = 1024;
/// What is kept of the name that a client gives itself.
pub const CLIENT_ID_BYTES_MAX: usize = 255;
/// All records of one offset commit.
pub const COMMIT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A request frame; `socket.request.max.bytes` in Kafka.
pub const REQUEST_BYTES_MAX: usize = 100 * 1024 * 1024;
/// How much larger than its bytes a decoded request may be: names of one letter become structs of seventy bytes.
pub const DECODED_RATIO_MAX: usize = 16;
/// What every request may take beyond that, so that short ones are not counted.
pub const DECODED_BYTES_FREE: usize = 1024 * 1024;
/// A record batch, compressed, unless the topic says otherwise; `max.message.bytes` in Kafka.
pub const BATCH_BYTES_DEFAULT: usize = 1024 * 1024 + 12;
/// A record batch whatever the topic says.
pub const BATCH_BYTES_MAX: usize = 64 * 1024 * 1024;
/// A request that is let in beside large ones.
pub const SMALL_REQUEST_BYTES_MAX: usize = 2 * 1024 * 1024;
/// What the records of one batch may unpack to.
pub const UNPACKED_BATCH_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Errors of single records that a produce response lists.
pub const RECORD_ERRORS_MAX: usize = 100;
/// What a fetch response may hold, whatever the client asks for.
pub const FETCH_BYTES_MAX: usize = 55 * 1024 * 1024;
/// How long a client may make us wait in one request.
pub const WAIT_MS_MAX: i32 = 300_000;

/// One I/O operation: larger ones hung on old kernels.
pub const IO_BYTES_MAX: usize = 1024 * 1024;
/// Alignment of direct I/O.
pub const IO_ALIGN: usize = 4096;
/// Writes of one log in flight.
pub const WRITES_IN_FLIGHT_MAX: usize = 4;
/// A log segment.
pub const SEGMENT_BYTES_DEFAULT: u64 = 128 * 1024 * 1024;
/// Frames of one log that wait for the disk.
pub const LOG_BACKLOG_BYTES_MAX: usize = 128 * 1024 * 1024;
/// What is kept back of the backlog, and of the last segment on a full disk, for the node's own state: deletions and
/// notes must get in when nothing else does. At most an eighth of a segment.
pub const LOG_RESERVE_BYTES: usize = 4 * 1024 * 1024;
/// How long a batch waits for the disk to catch up before it is refused: less than clients wait for an answer.
pub const APPEND_WAIT_MS_MAX: u64 = 20_000;
/// How long a producer is asked to pause when that much waits.
pub const THROTTLE_MS_MAX: u32 = 1_000;
/// Files of old segments that a shard keeps open for reading.
pub const SEGMENTS_OPEN_MAX: usize = 64;
/// Files of segments that went, kept to become the next ones.
pub const SEGMENT_SPARES_MAX: usize = 2;
/// How often a shard looks for records that retention drops; `log.retention.check.interval.ms` in Kafka is longer.
pub const RETENTION_TICK_MS: u64 = 30_000;
/// A log has grown by this much when its next checkpoint is written: about as much is read at a start.
pub const CHECKPOINT_EVERY_BYTES: u64 = 64 * 1024 * 1024;
/// Checkpoints of a log that are kept: the second is for the case that the first is damaged.
pub const CHECKPOINTS_KEPT: usize = 2;
/// What of a checkpoint is put together at a time, before others get their turn.
pub const CHECKPOINT_SLICE_BYTES: usize = 64 * 1024;
/// Recent frames kept in memory per shard.
pub const TAIL_CACHE_BYTES: usize = 64 * 1024 * 1024;

/// Reads from the archive that a shard has under way.
pub const RECALLS_UNDER_WAY_MAX: usize = 256;
/// Batches from the archive that a shard keeps for those who come to fetch them.
pub const RECALLED_BYTES_MAX: usize = 32 * 1024 * 1024;
/// What one read from the archive asks for.
pub const RECALL_BYTES: usize = 1024 * 1024;
/// How long a shard waits for one answer of the archive.
pub const RECALL_MS_MAX: u64 = 60_000;

/// Messages in a mailbox between two shards.
pub const MAILBOX_MESSAGES_MAX: usize = 4096;
/// Connections of one shard.
pub const CONNECTIONS_PER_SHARD_MAX: usize = 10_000;
/// Requests of one connection that are read but not answered.
pub const REQUESTS_IN_FLIGHT_MAX: usize = 64;
/// Bytes of requests of one shard that are read but not answered.
pub const REQUEST_BYTES_IN_FLIGHT_MAX: usize = 256 * 1024 * 1024;

/// An object that is written with one request; larger ones go to a bucket in parts.
pub const PUT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Such a part; S3 wants at least 5 MiB.
pub const PART_BYTES: usize = 8 * 1024 * 1024;
/// Parts of one object; S3 takes no more.
pub const PARTS_MAX: usize = 10_000;
/// Parts of one object on their way at the same time.
pub const PARTS_IN_FLIGHT_MAX: usize = 4;

/// A schema's text with all it refers to.
pub const SCHEMA_BYTES_MAX: usize = 1024 * 1024;
/// How deep schemas and values may nest.
pub const NESTING_MAX: usize = 64;
/// How deep the columns of a table may nest: Iceberg's JSON has three levels for each, and `serde_json` stops at 127.
pub const COLUMN_NESTING_MAX: usize = 32;
/// Fields of a schema, counted over all levels.
pub const SCHEMA_FIELDS_MAX: usize = 10_000;

/// Idempotent producers that a shard remembers, over all its partitions.
pub const PRODUCERS_PER_SHARD_MAX: usize = 100_000;
/// How long an idempotent producer may be silent before it is forgotten; `producer.id.expiration.ms` in Kafka.
pub const PRODUCER_EXPIRY_MS: i64 = 86_400_000;
/// Producer ids that a shard reserves at a time.
pub const PRODUCER_IDS_BLOCK: i64 = 1000;
/// Commands for the controller that become durable with one write, and that may wait for it.
pub const CONTROLLER_COMMANDS_MAX: usize = 256;
/// Types of a schema, counted over all levels and references.
pub const SCHEMA_NODES_MAX: usize = 100_000;
/// Items of an Avro value that take no bytes (nulls in arrays): bounded, as its length does not bound them.
pub const WIDTHLESS_ITEMS_MAX: u64 = 10_000;
/// Steps from a .proto file to a message nested in it.
pub const MESSAGE_INDEXES_MAX: usize = 16;
/// Compiled schemas that the payload check of one topic keeps.
pub const CHECKED_SCHEMAS_MAX: usize = 1_000;
/// Ids that one sentence lists.
pub const LISTED_MAX: usize = 10;
/// Characters of a sentence that refuses a record: names in it come from schemas and may be long.
pub const REFUSAL_CHARS_MAX: usize = 1_000;
/// Numbers, strings, lists and so on of one JSON value: in memory each takes far more bytes than in its text.
pub const JSON_PARTS_MAX: usize = 250_000;

/// What one SQL answer may hold.
pub const SQL_RESULT_BYTES_MAX: usize = 256 * 1024 * 1024;
/// What all running statements may hold together.
pub const SQL_MEMORY_BYTES_MAX: usize = 1024 * 1024 * 1024;

/// Values that one record may become in its table.
pub const ROW_VALUES_MAX: u64 = 16 * 1024 * 1024;
/// Rows of one table that wait in memory to become a file.
pub const BATCH_ROWS_MAX: usize = 1_000_000;
/// About how much memory they may take.
pub const BATCH_COST_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Writer schemas that are kept ready per table.
pub const PLANS_MAX: usize = 1024;
/// Rows of a row group in Parquet.
pub const ROW_GROUP_ROWS_MAX: usize = 1_000_000;
/// Bytes of a row group in Parquet, about.
pub const ROW_GROUP_BYTES_MAX: usize = 128 * 1024 * 1024;
