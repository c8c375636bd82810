"""Does a node that is killed at any moment lose nothing, double nothing, and go on by itself?"""
import threading
import time

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from harness import Node, wait_for


def everything(node, topic, partitions):
    reader = Consumer({"bootstrap.servers": node.kafka, "group.id": "verify", "enable.auto.commit": False,
                       "enable.partition.eof": False})
    found = {}
    ends = {p: reader.get_watermark_offsets(TopicPartition(topic, p), timeout=20)[1] for p in range(partitions)}
    reader.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
    end = time.monotonic() + 120
    while len(found) < sum(ends.values()) and time.monotonic() < end:
        for record in reader.consume(1000, 1):
            assert not record.error(), record.error()
            found[(record.partition(), record.offset())] = record.value()
    reader.close()
    return found, ends


def test_a_torn_tail_is_cut_and_damage_before_it_is_not(tmp_path):
    with Node(tmp_path, shards=1) as node:
        producer = Producer({"bootstrap.servers": node.kafka})
        for i in range(200):
            producer.produce("torn", str(i).encode())
            producer.flush(20)
        node.kill()
        node.start()
        found, ends = everything(node, "torn", 1)
        assert [found[(0, i)] for i in range(200)] == [str(i).encode() for i in range(200)]


def test_groups_survive_a_kill(fresh):
    producer = Producer({"bootstrap.servers": fresh.kafka})
    for i in range(100):
        producer.produce("kept", str(i).encode())
    assert producer.flush(20) == 0
    config = {"group.id": "g", "auto.offset.reset": "earliest", "enable.auto.commit": False}
    reader = Consumer({"bootstrap.servers": fresh.kafka, **config})
    reader.subscribe(["kept"])
    wait_for("a record", lambda: reader.poll(1))
    reader.commit(offsets=[TopicPartition("kept", 0, 60)], asynchronous=False)
    fresh.kill()
    fresh.start()
    reader.close()
    reader = Consumer({"bootstrap.servers": fresh.kafka, **config})
    assert reader.committed([TopicPartition("kept", 0)], timeout=20)[0].offset == 60
    reader.close()


def test_sigterm_ends_it_cleanly_and_nothing_is_lost(fresh):
    producer = Producer({"bootstrap.servers": fresh.kafka})
    for i in range(1000):
        producer.produce("calm", str(i).encode())
    assert producer.flush(20) == 0
    assert fresh.stop() == 0
    fresh.start()
    found, _ = everything(fresh, "calm", 1)
    assert len(found) == 1000


def test_more_shards_later_fewer_never(tmp_path):
    with Node(tmp_path, shards=2) as node:
        producer = Producer({"bootstrap.servers": node.kafka})
        producer.produce("s", b"1")
        assert producer.flush(20) == 0
        node.stop()
        node.shards = 4
        node.start()
        assert len(everything(node, "s", 1)[0]) == 1
        node.stop()
        node.shards = 1
        with pytest.raises(AssertionError) as refused:
            node.start()
        assert "shards" in str(refused.value)


@pytest.mark.parametrize("shards", [1, 8])
def test_any_number_of_shards(tmp_path, shards):
    with Node(tmp_path, shards=shards) as node:
        admin = AdminClient({"bootstrap.servers": node.kafka})
        admin.create_topics([NewTopic("wide", 16, 1)])["wide"].result(20)
        producer = Producer({"bootstrap.servers": node.kafka})
        for i in range(1600):
            producer.produce("wide", str(i).encode(), partition=i % 16)
        assert producer.flush(30) == 0
        found, _ = everything(node, "wide", 16)
        assert sorted(int(v) for v in found.values()) == list(range(1600))


def test_a_second_node_on_the_same_folder_is_refused(fresh):
    import subprocess

    from harness import binary
    second = subprocess.run([binary(), "start", "--data-dir", str(fresh.folder / "data"), "--kafka-addr", "127.0.0.1:0"],
                            capture_output=True, text=True, timeout=30)
    assert second.returncode != 0
    assert "another" in second.stderr and "data" in second.stderr


def test_valid_records_are_never_refused_while_a_node_starts(fresh):
    """The schemas must be known before the first client is let in."""
    import json
    import struct

    from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
    admin = AdminClient({"bootstrap.servers": fresh.kafka})
    admin.create_topics([NewTopic("checked", 4, 1, config={"frazil.check.value": "payload"})])["checked"].result(20)
    schema = json.dumps({"type": "record", "name": "R", "fields": [{"name": "n", "type": "long"}]})
    id = SchemaRegistryClient({"url": fresh.url("registry")}).register_schema("checked-value", Schema(schema, "AVRO"))
    value, outcomes, stop = b"\0" + struct.pack(">I", id) + b"\x02", [], threading.Event()

    def send():
        producer = Producer({"bootstrap.servers": fresh.kafka, "linger.ms": 0, "message.timeout.ms": 60_000,
                             "reconnect.backoff.ms": 5, "reconnect.backoff.max.ms": 20})
        while not stop.is_set():
            producer.produce("checked", value, on_delivery=lambda error, _: outcomes.append(error))
            producer.poll(0.002)
        producer.flush(60)
    senders = [threading.Thread(target=send) for _ in range(4)]
    for sender in senders:
        sender.start()
    for _ in range(4):
        time.sleep(0.5)
        fresh.kill()
        fresh.start()
    time.sleep(0.5)
    stop.set()
    for sender in senders:
        sender.join(90)
    assert len(outcomes) > 100 and [error for error in outcomes if error] == []


def test_a_lost_first_shard_is_told_and_nothing_is_forgotten(tmp_path):
    import shutil
    with Node(tmp_path, shards=2) as node:
        admin = AdminClient({"bootstrap.servers": node.kafka})
        admin.create_topics([NewTopic("t", 8, 1)])["t"].result(20)
        producer = Producer({"bootstrap.servers": node.kafka})
        for i in range(80):
            producer.produce("t", str(i).encode(), partition=i % 8)
        assert producer.flush(20) == 0
        node.stop()
        first, aside = tmp_path / "data/shards/0", tmp_path / "aside"
        shutil.move(first, aside)
        with pytest.raises(AssertionError) as refused:
            node.start()
        assert "shards/0" in str(refused.value)
        shutil.rmtree(first)
        shutil.move(aside, first)
        node.start()
        assert len(everything(node, "t", 8)[0]) == 80
