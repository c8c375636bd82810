"""Do 336,776 real records come out of every reader as they went in, for each of the three formats?"""
import hashlib
import json
import os
import time

import pyarrow.compute as pc
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

import flights
from engines import clickhouse, duck, folder, number

PARTITIONS = 4
KINDS = ["avro", "protobuf", "json"]


@pytest.fixture(scope="module")
def data():
    rows = list(flights.rows())
    assert len(rows) == 336_776
    return rows, flights.expected(rows)


def encoder(kind, registry, topic, folder):
    at = SerializationContext(topic, MessageField.VALUE)
    if kind == "avro":
        write = AvroSerializer(registry, json.dumps(flights.AVRO))
        return lambda row: write(row, at)
    if kind == "json":
        write = JSONSerializer(json.dumps(flights.JSON), registry, conf={"auto.register.schemas": True})
        prefix = write(dict.fromkeys(flights.INTS + flights.FLOATS + flights.TEXTS), at)[:5]
        # The serializer validates each record in Python, which takes longer than all the rest of this test;
        # it is used once for the framing, and the broker validates every record anyway.
        return lambda row: prefix + json.dumps(row).encode()
    message = flights.message_class(folder)
    write = ProtobufSerializer(message, registry)
    return lambda row: write(message(**{k: v for k, v in row.items() if v is not None}), at)


@pytest.fixture(scope="module", params=KINDS)
def sent(request, node, data, tmp_path_factory):
    kind, (rows, _) = request.param, data
    topic = f"flights_{kind}"
    admin = AdminClient({"bootstrap.servers": node.kafka})
    config = {"frazil.lake.mode": "schema_id", "frazil.lake.lag.ms": "1000", "frazil.check.value": "payload"}
    admin.create_topics([NewTopic(topic, PARTITIONS, 1, config=config)])[topic].result(20)
    encode = encoder(kind, SchemaRegistryClient({"url": node.url("registry")}), topic, tmp_path_factory.mktemp("pb"))
    digests, failed = {}, []
    producer = Producer({"bootstrap.servers": node.kafka, "enable.idempotence": True, "compression.type": "lz4",
                         "linger.ms": 20, "queue.buffering.max.messages": 400_000})

    def delivered(error, record):
        if error:
            failed.append(error)

    for i, row in enumerate(rows):
        value = encode(row)
        key = str(i).encode()
        digests[key] = hashlib.blake2b(value, digest_size=8).digest()
        producer.produce(topic, value, key, partition=i % PARTITIONS, on_delivery=delivered)
        if i % 1000 == 0:
            producer.poll(0)
    assert producer.flush(300) == 0 and failed == []
    node.wait_rows(topic, len(rows), 600)
    return kind, topic, digests


def test_consumed_bytes_are_those_sent(node, sent):
    _, topic, digests = sent
    reader = Consumer({"bootstrap.servers": node.kafka, "group.id": f"check-{topic}", "auto.offset.reset": "earliest"})
    reader.subscribe([topic])
    left, end = dict(digests), time.monotonic() + 300
    while left and time.monotonic() < end:
        for record in reader.consume(10_000, 1):
            assert not record.error(), record.error()
            digest = hashlib.blake2b(record.value(), digest_size=8).digest()
            assert left.pop(record.key()) == digest, "sent once, equal"
    reader.close()
    assert left == {}


def test_frazil_sql_agrees(node, sent, data):
    _, topic, _ = sent
    flights.compare(node.sql(flights.query(f"frazil.topics.{topic}"))[0], data[1])
    flights.compare(node.json("sql", flights.query(f"frazil.topics.{topic}"))[0], data[1])


def test_frazil_sql_scans_with_all_cores(node, sent):
    _, topic, _ = sent
    plan = node.sql(f"explain select sum(flight) from frazil.topics.{topic} where month > 3")[1]["plan"]
    cores = min(16, max(2, os.cpu_count()))
    assert f"file_groups={{{cores} groups" in plan, plan
    assert "pruning_predicate=month" in plan, "files and row groups are passed over by their bounds"


def test_duckdb_agrees(node, sent, data):
    _, topic, _ = sent
    cursor = duck(node).execute(flights.query(f"ice.topics.{topic}"))
    flights.compare(dict(zip([c[0] for c in cursor.description], cursor.fetchone())), data[1])


def test_clickhouse_agrees(node, sent, data):
    _, topic, _ = sent
    row = clickhouse(flights.query(folder(node, topic)))[0]
    flights.compare({name: number(value) for name, value in row.items()}, data[1])


def test_pyiceberg_agrees(node, sent, data):
    _, topic, _ = sent
    table = node.catalog().load_table(f"topics.{topic}").scan().to_arrow()
    row = {"n": len(table)}
    for name in flights.INTS + flights.FLOATS + flights.TEXTS:
        extremes = pc.min_max(table[name]).as_py()
        row[f"c_{name}"] = len(table) - table[name].null_count
        row[f"min_{name}"], row[f"max_{name}"] = extremes["min"], extremes["max"]
        if name not in flights.TEXTS:
            row[f"sum_{name}"] = pc.sum(table[name]).as_py()
    flights.compare(row, data[1])
    keys = table["kafka_key"].to_pylist()
    assert len(set(keys)) == len(keys) == len(data[0]), "each record is one row"


def test_every_offset_is_in_the_table_once(node, sent):
    _, topic, _ = sent
    rows = node.json("lake", "verify", topic)
    assert len(rows) == PARTITIONS
    assert sum(row["rows"] for row in rows) == 336_776
    assert all(row["missing"] == 0 and row["duplicates"] == 0 for row in rows)
