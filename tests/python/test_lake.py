"""Do tables follow their topics: set-up, evolution, lag, idleness, modes, names?"""
import io
import json
import struct
import time
import uuid

import fastavro
import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from engines import clickhouse, duck, folder, number
from harness import wait_for

LAKE = {"frazil.lake.mode": "schema_id", "frazil.lake.lag.ms": "200"}


def name():
    return f"lake_{uuid.uuid4().hex[:8]}"


def create(node, topic, config, partitions=1):
    admin = AdminClient({"bootstrap.servers": node.kafka})
    admin.create_topics([NewTopic(topic, partitions, 1, config=config)])[topic].result(20)
    return topic


def register(node, subject, schema, kind="AVRO"):
    client = SchemaRegistryClient({"url": node.url("registry")})
    return client.register_schema(subject, Schema(schema if isinstance(schema, str) else json.dumps(schema), kind))


def record(*fields, name="R"):
    return {"type": "record", "name": name, "fields": [{"name": n, "type": t, **({"default": None} if isinstance(t, list) else {})} for n, t in fields]}


def avro(id, schema, value):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return b"\0" + struct.pack(">I", id) + out.getvalue()


def send(node, topic, values, **more):
    errors = []
    producer = Producer({"bootstrap.servers": node.kafka})
    for value in values:
        producer.produce(topic, value, on_delivery=lambda error, _: errors.append(error) if error else None, **more)
    assert producer.flush(30) == 0
    assert errors == [], errors[0].str()


def snapshots(node, topic):
    return len(node.catalog().load_table(f"topics.{topic}").metadata.snapshots)


def test_key_value_keeps_the_bytes_and_the_coordinates(node):
    topic = create(node, name(), {**LAKE, "frazil.lake.mode": "key_value"})
    sent = time.time()
    send(node, topic, [b"\x00\xff", b"", None], key=b"k", headers=[("a", b"1"), ("a", None)], timestamp=1_700_000_000_123)
    node.wait_rows(topic, 3)
    assert time.time() - sent < 30
    table = node.catalog().load_table(f"topics.{topic}")
    assert [f.name for f in table.schema().fields] == ["kafka_partition", "kafka_offset", "kafka_timestamp",
                                                       "kafka_timestamp_type", "kafka_key", "kafka_headers", "value"]
    rows = table.scan().to_arrow().sort_by("kafka_offset").to_pylist()
    assert [row["value"] for row in rows] == [b"\x00\xff", b"", None]
    assert rows[0]["kafka_headers"] == [{"key": "a", "value": b"1"}, {"key": "a", "value": None}]
    assert rows[0]["kafka_timestamp"].timestamp() == 1_700_000_000.123
    assert [row["kafka_offset"] for row in rows] == [0, 1, 2]


def test_columns_are_added_and_widened_without_a_stall(node):
    topic = create(node, name(), LAKE)
    old = record(("id", "int"), ("part", record(("x", "int"), name="P")), ("list", {"type": "array", "items": record(("y", "float"), name="L")}))
    new = record(("id", "long"), ("part", record(("x", "long"), ("z", ["null", "string"]), name="P")),
                 ("list", {"type": "array", "items": record(("y", "double"), ("w", ["null", "int"]), name="L")}), ("more", ["null", "string"]))
    first = register(node, f"{topic}-value", old)
    send(node, topic, [avro(first, old, {"id": 1, "part": {"x": 5}, "list": [{"y": 1.5}]})])
    node.wait_rows(topic, 1)
    second = register(node, f"{topic}-value", new)
    send(node, topic, [avro(second, new, {"id": 2 ** 40, "part": {"x": 2 ** 40, "z": "z"}, "list": [{"y": 0.1, "w": 7}], "more": "m"}),
                       avro(first, old, {"id": 3, "part": {"x": 6}, "list": []})])
    node.wait_rows(topic, 3)
    wanted = [
        {"id": 1, "part": {"x": 5, "z": None}, "list": [{"y": 1.5, "w": None}], "more": None},
        {"id": 2 ** 40, "part": {"x": 2 ** 40, "z": "z"}, "list": [{"y": 0.1, "w": 7}], "more": "m"},
        {"id": 3, "part": {"x": 6, "z": None}, "list": [], "more": None}]
    columns = "id, part, list, more"
    assert node.sql(f"select {columns} from frazil.topics.{topic} order by kafka_offset") == wanted
    assert node.sql(f"select part.z as z from frazil.topics.{topic} where part.x > 5 order by kafka_offset") == [{"z": "z"}, {"z": None}]
    cursor = duck(node).execute(f"select {columns} from ice.topics.{topic} order by kafka_offset")
    assert [dict(zip(["id", "part", "list", "more"], row)) for row in cursor.fetchall()] == wanted
    rows = node.catalog().load_table(f"topics.{topic}").scan().to_arrow().sort_by("kafka_offset").to_pylist()
    assert [{k: row[k] for k in ("id", "part", "list", "more")} for row in rows] == wanted
    rows = clickhouse(f"select id, more from {folder(node, topic)} order by kafka_offset")
    assert [(number(row["id"]), row["more"]) for row in rows] == [(1, None), (2 ** 40, "m"), (3, None)]


def test_what_cannot_be_a_column_is_refused_when_it_is_set_up(node):
    topic = create(node, name(), LAKE)
    recursive = {"type": "record", "name": "Tree", "fields": [{"name": "next", "type": ["null", "Tree"], "default": None}]}
    with pytest.raises(SchemaRegistryError) as refused:
        register(node, f"{topic}-value", recursive)
    assert "next" in str(refused.value) and refused.value.http_status_code == 422
    with pytest.raises(SchemaRegistryError) as refused:
        register(node, f"{topic}-value", record(("kafka_offset", "long")))
    assert "kafka_offset" in str(refused.value)
    with pytest.raises(SchemaRegistryError) as refused:
        register(node, f"{topic}-value", record(("kafka_timestamp_day", "int")))
    assert "kafka_timestamp_day" in str(refused.value)
    nested = {"type": "object", "properties": {"b": {"type": "string"}}}
    with pytest.raises(SchemaRegistryError) as refused:
        register(node, f"{topic}-value", {"type": "object", "properties": {"a.b": {"type": "string"}, "a": nested}}, "JSON")
    assert "a.b" in str(refused.value)
    other = name()
    register(node, f"{other}-value", recursive)
    with pytest.raises(KafkaException) as refused:
        create(node, other, {"frazil.lake.mode": "schema_latest"})
    assert "next" in refused.value.args[0].str()


def test_two_topics_never_share_a_table(node):
    stem = name()
    create(node, f"{stem}.a", LAKE)
    with pytest.raises(KafkaException) as refused:
        create(node, f"{stem}_a", LAKE)
    assert f"{stem}.a" in refused.value.args[0].str()


def test_dots_become_underscores(node):
    topic = create(node, f"{name()}.with.dots", {**LAKE, "frazil.lake.mode": "key_value"})
    send(node, topic, [b"x"])
    node.wait_rows(topic.replace(".", "_"), 1)


def test_schema_latest_takes_bare_values(node):
    topic = name()
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "R", "type": "object", "properties": {"a": {"type": "integer"}}}
    register(node, f"{topic}-value", schema, "JSON")
    create(node, topic, {**LAKE, "frazil.lake.mode": "schema_latest"})
    wait_for("the empty topic is a table", lambda: node.sql(f"select * from frazil.topics.{topic}") == [], 10)
    send(node, topic, [b'{"a": 1}', b'{"a": 2}'])
    node.wait_rows(topic, 2)
    assert node.sql(f"select sum(a) as s from frazil.topics.{topic}") == [{"s": 3}]


def test_idle_topics_commit_nothing_and_many_partitions_commit_at_once(node):
    topic = create(node, name(), {**LAKE, "frazil.lake.mode": "key_value", "frazil.lake.lag.ms": "1000"}, 8)
    producer = Producer({"bootstrap.servers": node.kafka})
    for i in range(800):
        producer.produce(topic, str(i).encode(), partition=i % 8)
    producer.flush(20)
    node.wait_rows(topic, 800)
    before = snapshots(node, topic)
    assert before <= 3, "one commit for many partitions"
    time.sleep(3)
    assert snapshots(node, topic) == before


def test_the_summary_tells_the_next_offset_of_every_partition(node):
    topic = create(node, name(), {**LAKE, "frazil.lake.mode": "key_value"}, 2)
    send(node, topic, [b"a", b"b", b"c"], partition=1)
    node.wait_rows(topic, 3)
    summary = node.catalog().load_table(f"topics.{topic}").current_snapshot().summary.additional_properties
    offsets = json.loads(summary["frazil.offsets"])
    assert int(offsets.get("0", 0)) == 0 and int(offsets["1"]) == 3
    assert summary["frazil.topic-id"] and summary["frazil.cluster-id"] and summary["frazil.commit-id"]


def test_lake_can_be_turned_on_later(node):
    topic = create(node, name(), {})
    send(node, topic, [b"before"])
    node.cli("topic", "alter", topic, "--set", "frazil.lake.mode=key_value", "--set", "frazil.lake.lag.ms=200")
    send(node, topic, [b"after"])
    node.wait_rows(topic, 2)


def test_the_mode_can_be_changed(node):
    topic = create(node, name(), LAKE)
    schema = record(("id", "int"))
    id = register(node, f"{topic}-value", schema)
    send(node, topic, [avro(id, schema, {"id": 1})])
    node.wait_rows(topic, 1)
    node.cli("topic", "alter", topic, "--set", "frazil.lake.mode=key_value")
    send(node, topic, [b"as it is"])
    node.wait_rows(topic, 2)
    rows = node.sql(f"select id, value from frazil.topics.{topic} order by kafka_offset")
    assert [row.get("id") for row in rows] == [1, None] and rows[0].get("value") is None and rows[1]["value"]


def test_a_deleted_topic_takes_its_table_along_and_may_come_back(node):
    topic = create(node, name(), {**LAKE, "frazil.lake.mode": "key_value"})
    send(node, topic, [b"old"])
    node.wait_rows(topic, 1)
    node.cli("topic", "delete", topic)
    wait_for("the table is gone", lambda: (("topics", topic) not in node.catalog().list_tables("topics")), 20)
    create(node, topic, {**LAKE, "frazil.lake.mode": "key_value"})
    send(node, topic, [b"new", b"newer"])
    node.wait_rows(topic, 2)
    assert [row["kafka_offset"] for row in node.sql(f"select kafka_offset from frazil.topics.{topic} order by 1")] == [0, 1]


def test_rows_lie_in_the_day_of_their_timestamp(node):
    topic = create(node, name(), {**LAKE, "frazil.lake.mode": "key_value"})
    for day in (0, 1, 2):
        send(node, topic, [b"x"], timestamp=1_700_000_000_000 + day * 86_400_000)
    node.wait_rows(topic, 3)
    table = node.catalog().load_table(f"topics.{topic}")
    assert "day" in str(table.spec())
    assert len({task.file.partition[0] for task in table.scan().plan_files()}) == 3
