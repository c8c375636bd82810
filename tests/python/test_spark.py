"""Does Spark read a topic's table through the catalog, and is what it must not do refused?"""
import datetime
import decimal
import io
import json
import os
import pathlib
import shutil
import struct
import subprocess
import uuid

import fastavro
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

from harness import ROOT

ROWS = 1000
START = datetime.datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=datetime.timezone.utc)
AVRO = {"type": "record", "name": "Event", "fields": [
    {"name": "flag", "type": "boolean"},
    {"name": "small", "type": "int"},
    {"name": "big", "type": "long"},
    {"name": "ratio", "type": "double"},
    {"name": "note", "type": ["null", "string"], "default": None},
    {"name": "raw", "type": "bytes"},
    {"name": "colour", "type": {"type": "enum", "name": "Colour", "symbols": ["red", "green"]}},
    {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}},
    {"name": "day", "type": {"type": "int", "logicalType": "date"}},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
    {"name": "wall", "type": {"type": "long", "logicalType": "local-timestamp-micros"}},
    {"name": "clock", "type": {"type": "long", "logicalType": "time-micros"}},
    {"name": "tags", "type": {"type": "array", "items": "string"}},
    {"name": "counts", "type": {"type": "map", "values": "long"}},
    {"name": "place", "type": {"type": "record", "name": "Place", "fields": [
        {"name": "city", "type": "string"}, {"name": "height", "type": ["null", "float"]}]}},
]}


def event(i):
    return {"flag": i % 2 == 0, "small": i - 500, "big": i * 10**15, "ratio": i / 4, "note": None if i % 10 == 0 else f"note {i}",
            "raw": bytes([i % 256, 0]), "colour": ["red", "green"][i % 2], "price": decimal.Decimal(i) / 100 - 1,
            "day": START.date() + datetime.timedelta(days=i), "at": START + datetime.timedelta(seconds=i),
            "wall": START.replace(tzinfo=None) + datetime.timedelta(seconds=i), "clock": datetime.time(1, 2, 3, i),
            "tags": [f"t{n}" for n in range(i % 3)], "counts": {"i": i},
            "place": {"city": f"c{i % 7}", "height": None if i % 2 else i / 2}}


@pytest.fixture(scope="module")
def table(node):
    topic = f"spark_{uuid.uuid4().hex[:8]}"
    config = {"frazil.lake.mode": "schema_id", "frazil.lake.lag.ms": "500", "frazil.check.value": "payload"}
    admin = AdminClient({"bootstrap.servers": node.kafka})
    admin.create_topics([NewTopic(topic, 2, 1, config=config)])[topic].result(20)
    registry = SchemaRegistryClient({"url": node.url("registry")})
    id = registry.register_schema(f"{topic}-value", Schema(json.dumps(AVRO), "AVRO"))
    failed = []
    producer = Producer({"bootstrap.servers": node.kafka})
    for i in range(ROWS):
        out = io.BytesIO()
        fastavro.schemaless_writer(out, AVRO, event(i))
        producer.produce(topic, b"\0" + struct.pack(">I", id) + out.getvalue(), key=str(i), headers=[("n", str(i))],
                         on_delivery=lambda error, _: failed.append(error) if error else None)
    assert producer.flush(20) == 0 and failed == []
    node.wait_rows(topic, ROWS)
    return topic


@pytest.fixture(scope="module")
def answers(node, table):
    """All statements in one session: it takes longer to start than they do."""
    name = f"frazil.topics.{table}"
    statements = {
        "namespaces": "show namespaces in frazil",
        "tables": "show tables in frazil.topics",
        "sums": f"select count(*) as n, count(note) as notes, sum(small) as small, min(big) as low, max(big) as high, sum(ratio) as ratio, "
                f"cast(sum(price) as string) as price, count(distinct colour) as colours, sum(cast(flag as int)) as flags, "
                f"count(distinct kafka_partition, kafka_offset) as coordinates, sum(place.height) as height from {name}",
        "row": f"select *, decode(kafka_key, 'UTF-8') as key, hex(raw) as raw_hex from {name} where small = 0",
        "filtered": f"select count(*) as n from {name} where at >= timestamp '2026-11-24 12:05:00Z' and day < date '2027-11-24'",
        "header": f"select decode(kafka_headers[0].value, 'UTF-8') as value from {name} where small = 7",
        "snapshots": f"select operation, summary['total-records'] as total from {name}.snapshots order by committed_at",
        "files": f"select sum(record_count) as n from {name}.files",
        "describe": f"describe {name}",
        "unknown": "select * from frazil.topics.none_such",
        "insert": f"insert into {name} select * from {name} limit 1",
        "delete": f"delete from {name}",
        "alter": f"alter table {name} add column extra int",
        "create": "create table frazil.topics.other (a int)",
        "drop": f"drop table {name}",
        "after": f"select count(*) as n from {name}",
    }
    spark = pathlib.Path(os.environ.get("FRAZIL_TEST_SPARK", ROOT / "tests" / ".spark"))
    assert shutil.which("java"), "java is not installed; tests/run installs it where apt-get exists"
    jar = next(spark.glob("jars/iceberg-spark-runtime-*.jar"), None)
    assert jar, f"no Spark in {spark}; tests/run installs it"
    done = subprocess.run([spark / "bin/python", pathlib.Path(__file__).with_name("spark_session.py"), node.url("catalog"), jar],
                          input=json.dumps(list(statements.values())), capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-4000:]
    return dict(zip(statements, json.loads(done.stdout.splitlines()[-1])))


def rows(answers, name):
    assert "rows" in answers[name], answers[name]
    return answers[name]["rows"]


def test_listing(answers, table):
    assert {"namespace": "topics"} in rows(answers, "namespaces")
    assert table in [row["tableName"] for row in rows(answers, "tables")]


def test_aggregates_are_those_of_what_was_sent(answers):
    sent = [event(i) for i in range(ROWS)]
    assert rows(answers, "sums") == [{
        "n": ROWS, "notes": sum(e["note"] is not None for e in sent), "small": sum(e["small"] for e in sent),
        "low": min(e["big"] for e in sent), "high": max(e["big"] for e in sent), "ratio": sum(e["ratio"] for e in sent),
        "price": str(sum(e["price"] for e in sent).quantize(decimal.Decimal("0.01"))), "colours": 2,
        "flags": sum(e["flag"] for e in sent), "coordinates": ROWS,
        "height": sum(e["place"]["height"] or 0 for e in sent)}]
    assert rows(answers, "filtered") == [{"n": 365 - 300}]
    assert rows(answers, "header") == [{"value": "507"}]


def test_every_type_of_a_row(answers):
    row, sent = rows(answers, "row")[0], event(500)
    assert (row["key"], row["raw_hex"], row["colour"], row["clock"]) == ("500", "F400", "red", "01:02:03.000500")
    assert row["price"] == "4.00" and row["day"] == str(sent["day"])
    assert row["at"] == str(sent["at"].replace(tzinfo=None)) and row["wall"] == str(sent["wall"])
    assert (row["tags"], row["counts"], row["place"]) == (sent["tags"], sent["counts"], sent["place"])
    assert row["note"] is None
    types = {column["col_name"]: column["data_type"] for column in rows(answers, "describe")}
    assert types["price"] == "decimal(12,2)" and types["wall"] == "timestamp_ntz" and types["at"] == "timestamp"
    assert types["kafka_headers"] == "array<struct<key:string,value:binary>>"


def test_metadata_tables(answers):
    snapshots = rows(answers, "snapshots")
    assert {row["operation"] for row in snapshots} == {"append"} and snapshots[-1]["total"] == str(ROWS)
    assert rows(answers, "files") == [{"n": ROWS}]


def test_an_unknown_table_is_named(answers):
    assert "TABLE_OR_VIEW_NOT_FOUND" in answers["unknown"]["error"] and "none_such" in answers["unknown"]["error"]


@pytest.mark.parametrize("statement", ["insert", "delete", "alter", "create", "drop"])
def test_writing_is_refused(answers, statement):
    # Spark reads in the list of endpoints that there is none for writing, and does not even try.
    assert "Server does not support endpoint" in answers[statement].get("error", "accepted"), answers[statement]
    assert rows(answers, "after") == [{"n": ROWS}]
