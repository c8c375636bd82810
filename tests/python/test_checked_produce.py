"""Is a bad record refused at the door with its index and its reason, or dead-lettered with its cause?"""
import io
import json
import struct
import uuid

import fastavro
import pytest
from confluent_kafka import KafkaError, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

AVRO = {"type": "record", "name": "Order", "fields": [
    {"name": "id", "type": "long"},
    {"name": "items", "type": {"type": "array", "items": {"type": "record", "name": "Item", "fields": [
        {"name": "price", "type": "double"}]}}}]}
PROTO = 'syntax = "proto3"; message Order { int64 id = 1; string note = 2; }'
JSON = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Order", "type": "object",
        "properties": {"id": {"type": "integer"}, "qty": {"type": "integer"}}, "required": ["id"]}
SCHEMAS = {"AVRO": json.dumps(AVRO), "PROTOBUF": PROTO, "JSON": json.dumps(JSON)}


def avro(record):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, AVRO, record)
    return out.getvalue()


def framed(id, payload):
    return b"\0" + struct.pack(">I", id) + payload


def value_of(kind, id, n):
    payload = {"AVRO": avro({"id": n, "items": [{"price": 1.5}]}),
               "PROTOBUF": b"\0" + b"\x08" + bytes([n]) + b"\x12\x02hi",
               "JSON": json.dumps({"id": n, "qty": 2}).encode()}[kind]
    return framed(id, payload)


def broken(kind, id):
    payload = {"AVRO": avro({"id": 1, "items": [{"price": 1.5}]})[:-5],
               "PROTOBUF": b"\0" + b"\x12\x02\xff\xfe",
               "JSON": json.dumps({"id": 1, "qty": "two"}).encode()}[kind]
    return framed(id, payload)


def topic(node, kind, **config):
    name = f"checked-{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": node.kafka})
    admin.create_topics([NewTopic(name, 1, 1, config=config)])[name].result(20)
    client = SchemaRegistryClient({"url": node.url("registry")})
    return name, client.register_schema(f"{name}-value", Schema(SCHEMAS[kind], kind))


def send(node, name, values, **config):
    """All in one batch; gives each record's error or None, in order."""
    outcomes = [None] * len(values)
    producer = Producer({"bootstrap.servers": node.kafka, "linger.ms": 200, "enable.idempotence": True, **config})
    for i, value in enumerate(values):
        producer.produce(name, value, partition=0, on_delivery=lambda error, _, i=i: outcomes.__setitem__(i, error))
    assert producer.flush(30) == 0
    return outcomes


def reasons(node, name, values):
    """The sentence for each record, None for a stored one. librdkafka keeps only the code, kafka-python also the text."""
    from kafka import KafkaProducer
    producer = KafkaProducer(bootstrap_servers=node.kafka, linger_ms=300, acks="all")
    futures = [producer.send(name, value, partition=0) for value in values]
    producer.flush(30)
    outcomes = [str(future.exception) if future.failed() else None for future in futures]
    producer.close()
    return outcomes


WHERE = {"AVRO": "items", "PROTOBUF": "note", "JSON": "qty"}


@pytest.mark.parametrize("kind", list(SCHEMAS))
def test_a_bad_record_is_refused_with_its_path(node, kind):
    name, id = topic(node, kind, **{"frazil.check.value": "payload"})
    good = [value_of(kind, id, n) for n in range(3)]
    outcomes = send(node, name, good[:1] + [broken(kind, id)] + good[1:])
    assert outcomes[1].code() == KafkaError.INVALID_RECORD
    sentences = reasons(node, name, good[:1] + [broken(kind, id)] + good[1:])
    assert "value" in sentences[1] and WHERE[kind] in sentences[1], sentences
    assert all(outcome is not None for outcome in outcomes), "nothing of the batch is stored"
    assert send(node, name, good) == [None] * 3, "later records work"
    assert node.json("topic", "describe", name)[0]["end"] == 3


@pytest.mark.parametrize("kind", list(SCHEMAS))
def test_an_idempotent_producer_goes_on_after_a_refusal(node, kind):
    name, id = topic(node, kind, **{"frazil.check.value": "payload"})
    outcomes = []
    producer = Producer({"bootstrap.servers": node.kafka, "linger.ms": 0, "enable.idempotence": True})
    for n in range(10):
        value = broken(kind, id) if n == 4 else value_of(kind, id, n)
        producer.produce(name, value, partition=0, on_delivery=lambda error, _: outcomes.append(error))
        producer.flush(20)
    assert [i for i, error in enumerate(outcomes) if error] == [4]


@pytest.mark.parametrize("mode", ["id", "payload"])
def test_ids_must_be_of_the_topics_subject(node, mode):
    name, id = topic(node, "AVRO", **{"redpanda.value.schema.id.validation": "true"} if mode == "id" else {"frazil.check.value": mode})
    _, other = topic(node, "JSON")
    payload = avro({"id": 1, "items": []})
    assert send(node, name, [framed(other, payload)])[0].code() == KafkaError.INVALID_RECORD
    assert f"id {other}" in reasons(node, name, [framed(other, payload)])[0]
    assert send(node, name, [payload])[0].code() == KafkaError.INVALID_RECORD, "no prefix"
    assert send(node, name, [None]) == [None], "tombstones pass"
    bad = framed(id, b"\x80")
    assert (send(node, name, [bad])[0] is None) == (mode == "id"), "only payload looks behind the id"


@pytest.mark.parametrize("kind", list(SCHEMAS))
def test_dead_letters_are_kept_with_their_cause(node, kind):
    name, id = topic(node, kind, **{"frazil.check.value": "payload", "frazil.check.action": "dead_letter",
                                    "frazil.lake.mode": "schema_id", "frazil.lake.lag.ms": "500"})
    bad = broken(kind, id)
    assert send(node, name, [value_of(kind, id, 1), bad, b"no frame", value_of(kind, id, 2)]) == [None] * 4
    dead = f'"{name}__dlq"'
    node.wait_rows(dead, 2)
    node.wait_rows(f'"{name}"', 2)
    rows = node.sql(f"select kafka_offset, cause from frazil.topics.{dead} order by 1")
    assert [row["kafka_offset"] for row in rows] == [1, 2]
    assert WHERE[kind] in rows[0]["cause"]
    scan = node.catalog().load_table(f"topics.{name}__dlq").scan().to_arrow().sort_by("kafka_offset")
    assert scan["value"].to_pylist() == [bad, b"no frame"], "the bytes as they came"
