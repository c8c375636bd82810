"""Does a node come back from the bucket alone, when its data folder is gone?"""
import json
import shutil
import threading

import pytest
import requests
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

from harness import Node, wait_for
from stores import running

FAST = {"archive_interval_ms": 300, "retention_check_ms": 300}
SCHEMA = {"schema": json.dumps({"type": "record", "name": "R", "fields": [{"name": "n", "type": "int"}]})}


def create(node, name, partitions=2, **config):
    admin = AdminClient({"bootstrap.servers": node.kafka})
    config = {key.replace("_", "."): value for key, value in config.items()}
    admin.create_topics([NewTopic(name, partitions, 1, config=config)])[name].result(20)


class Load:
    """Produces to a topic without a pause, and keeps what was acknowledged: value by partition and offset."""

    def __init__(self, node, topic, prefix):
        self.node, self.topic, self.prefix = node, topic, prefix
        self.acknowledged, self.count = {}, 0
        self.producer = Producer({"bootstrap.servers": node.kafka, "enable.idempotence": True, "message.timeout.ms": 5000})
        self.stop = threading.Event()

    def delivered(self, error, message):
        if error is None:
            self.acknowledged[message.partition(), message.offset()] = message.value()

    def produce(self, records):
        for _ in range(records):
            self.producer.produce(self.topic, f"{self.prefix}{self.count}".encode(), partition=self.count % 2,
                                  on_delivery=self.delivered)
            self.count += 1
            self.producer.poll(0)

    def run(self):
        while not self.stop.wait(0.01):
            self.produce(20)
        self.producer.flush(10)

    def __enter__(self):
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


def read_all(node, topic, ends):
    """Everything from the beginning up to the ends of both partitions."""
    consumer = Consumer({"bootstrap.servers": node.kafka, "group.id": "reader", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in (0, 1)])
    got = {}

    def done():
        for message in consumer.consume(1000, 0.3):
            assert message.error() is None, message.error()
            key = message.partition(), message.offset()
            assert key not in got
            got[key] = message.value()
        return all(max((o for p, o in got if p == partition), default=-1) + 1 >= ends[partition] for partition in (0, 1))
    wait_for("all is read", done, 60)
    consumer.close()
    return got


def archive_flush(node):
    answer = requests.post(node.url("admin") + "/v1/archive/flush", timeout=60)
    assert answer.status_code == 200, answer.text
    return sum(shard["bytes_at_risk"] for shard in answer.json()) == 0


def commit(node, group, offsets):
    consumer = Consumer({"bootstrap.servers": node.kafka, "group.id": group, "enable.auto.commit": False})
    consumer.commit(offsets=[TopicPartition("plain", p, o) for p, o in offsets.items()], asynchronous=False)
    consumer.close()


def committed(node, group):
    consumer = Consumer({"bootstrap.servers": node.kafka, "group.id": group})
    found = consumer.committed([TopicPartition("plain", p) for p in (0, 1)], timeout=20)
    consumer.close()
    return {place.partition: place.offset for place in found}


def restore(node):
    node.kill()
    shutil.rmtree(node.folder / "data")
    url = node.flags.pop("object_store")
    node.flags["restore_from"] = url
    node.start()
    return {(row["topic"], row["partition"]): row for row in json.loads((node.folder / "data" / "restored.json").read_text())}


@pytest.fixture(params=["folder", "versitygw"])
def place(request, tmp_path):
    if request.param == "folder":
        yield {}, str(tmp_path / "bucket")
    else:
        with running("versitygw", tmp_path / "store") as store:
            yield store.env, store.url("node")


def test_a_node_comes_back_from_the_bucket_alone(place, tmp_path):
    env, url = place
    with Node(tmp_path, env=env, object_store=url, **FAST) as node:
        create(node, "rows", frazil_lake_mode="key_value", frazil_lake_lag_ms="200", retention_ms="123456789")
        create(node, "plain")
        subject = requests.post(node.url("registry") + "/subjects/plain-value/versions", json=SCHEMA, timeout=10)
        assert subject.status_code == 200, subject.text
        before = {topic: Load(node, topic, "a") for topic in ("rows", "plain")}
        for load in before.values():
            load.produce(2000)
            assert load.producer.flush(30) == 0
        commit(node, "g", {0: 700, 1: 300})
        node.wait_rows("rows", 2000)
        wait_for("all is archived", lambda: archive_flush(node), 60)
        archived = {topic: dict(load.acknowledged) for topic, load in before.items()}
        with before["rows"], before["plain"]:
            wait_for("more is archived and in the table",
                     lambda: node.sql("select count(*) as n from frazil.topics.rows")[0]["n"] > 3000, 60)
            report = restore(node)

        # What was archived is there, byte for byte, and so is what the node knows.
        for topic, load in before.items():
            rows = [report[topic, partition] for partition in (0, 1)]
            got = read_all(node, topic, [row["archived"] for row in rows])
            for key, value in got.items():
                assert load.acknowledged.get(key, value) == value
            for key, value in archived[topic].items():
                assert got[key] == value
            assert all(row["start"] == 0 and row["next"] >= row["archived"] >= 1000 for row in rows), rows
        assert committed(node, "g") == {0: 700, 1: 300}
        schema = requests.get(node.url("registry") + "/subjects/plain-value/versions/1", timeout=10).json()
        assert schema["id"] == subject.json()["id"] and json.loads(schema["schema"]) == json.loads(SCHEMA["schema"])
        resource = ConfigResource(ConfigResource.Type.TOPIC, "rows")
        admin = AdminClient({"bootstrap.servers": node.kafka})
        settings = admin.describe_configs([resource])[resource].result(20)
        assert settings["retention.ms"].value == "123456789"

        # Producers, consumers and tables go on: no offset has two rows, and none is given out twice.
        table = node.sql("select count(*) as n from frazil.topics.rows")[0]["n"]
        after = {topic: Load(node, topic, "b") for topic in before}
        for topic, load in after.items():
            load.produce(1000)
            assert load.producer.flush(30) == 0 and len(load.acknowledged) == 1000
            for partition in (0, 1):
                first = min(offset for p, offset in load.acknowledged if p == partition)
                assert first >= report[topic, partition]["next"]
        new = {f"b{i}" for i in range(1000)}

        def rows():
            values = [row["v"] for row in node.json("sql", "select cast(value as string) as v from frazil.topics.rows")]
            return values if new <= set(values) else None
        values = wait_for("new rows are in the table", rows, 60, 0.3)
        assert len(values) == len(set(values)) >= table + 1000
        assert {value.decode() for value in archived["rows"].values()} <= set(values)
        found = node.json("lake", "verify", "rows")
        assert found and all(row["ok"] for row in found), found
        ends = {p: max(o for q, o in after["plain"].acknowledged if q == p) + 1 for p in (0, 1)}
        got = read_all(node, "plain", ends)
        assert all(got[key] == value for key, value in after["plain"].acknowledged.items())

        # The same flags once more, as a supervisor gives them: nothing is restored twice.
        node.kill()
        node.start()
        assert committed(node, "g") == {0: 700, 1: 300}
        assert read_all(node, "plain", ends) == got


def test_what_cannot_be_restored_says_why(tmp_path):
    for name, url, advice in [("empty", str(tmp_path / "nothing"), "holds no archive")]:
        node = Node(tmp_path / name, restore_from=url)
        node.folder.mkdir()
        with pytest.raises(AssertionError) as error:
            node.start()
        assert advice in str(error.value)
