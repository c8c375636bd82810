"""Does a node on a broken or full disk acknowledge nothing false, say so, and go on by itself where it can?"""
import threading
import time

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from disks import disk  # noqa: F401 - a fixture
from harness import Node, wait_for

DRIVERS = ["uring", "portable"]


def make(node, topic, partitions=1, **config):
    admin = AdminClient({"bootstrap.servers": node.kafka})
    admin.create_topics([NewTopic(topic, partitions, 1, config=config)])[topic].result(30)
    return admin


def send(node, topic, count, size=100, start=0, **config):
    """Sends numbered records; gives the outcome of each."""
    producer = Producer({"bootstrap.servers": node.kafka, "message.timeout.ms": 30_000, **config})
    outcomes = {}
    for n in range(start, start + count):
        value = str(n).encode().ljust(size, b".")
        while True:
            try:
                producer.produce(topic, value, partition=0, on_delivery=lambda error, _, n=n: outcomes.__setitem__(n, error))
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    assert producer.flush(60) == 0
    return outcomes


def read(node, topic, partition=0):
    reader = Consumer({"bootstrap.servers": node.kafka, "group.id": "reader", "enable.auto.commit": False})
    low, high = reader.get_watermark_offsets(TopicPartition(topic, partition), timeout=20)
    reader.assign([TopicPartition(topic, partition, low)])
    values, end = [], time.monotonic() + 60
    while len(values) < high - low and time.monotonic() < end:
        for record in reader.consume(10_000, 1):
            assert not record.error(), record.error()
            values.append(int(record.value().split(b".")[0]))
    reader.close()
    return values


@pytest.mark.parametrize("io", DRIVERS)
def test_a_failed_write_fences_the_shard(tmp_path, disk, io):  # noqa: F811
    with Node(tmp_path, shards=1, io=io, disk=disk, segment_mib=80) as node:
        make(node, "t")
        assert set(send(node, "t", 100).values()) == {None}
        assert node.health() == (200, {0: ("ok", None)})
        disk.cut_power()
        outcomes = send(node, "t", 1, start=100, **{"message.timeout.ms": 4_000})
        assert outcomes[100] is not None, "what may not be durable is not acknowledged"
        status, shards = node.health()
        assert status == 503 and shards[0][0] == "fenced" and "restart" in shards[0][1], shards
        assert node.metric("frazil_log_fenced") == 1 and "the log is fenced" in node.log_text()
        told = node.cli("health", check=False)
        assert told.returncode == 1 and "fenced" in told.stdout and "restart the" in told.stdout
        # The code, as a client sees it that does not try again.
        outcomes = send(node, "t", 1, start=101, **{"message.send.max.retries": 0, "message.timeout.ms": 10_000})
        assert outcomes[101].code() == KafkaError.KAFKA_STORAGE_ERROR, outcomes
        assert read(node, "t") == list(range(100)), "what is durable and at hand is read"
        node.kill()
        disk.come_back()
        node.start()
        assert read(node, "t")[:100] == list(range(100))
        assert node.health() == (200, {0: ("ok", None)})
        assert set(send(node, "t", 10, start=200).values()) == {None}


@pytest.mark.parametrize("io", DRIVERS)
@pytest.mark.parametrize("help_comes_by", ["files", "deletion", "retention"])
def test_a_full_disk_refuses_producers_until_there_is_room(tmp_path, disk, io, help_comes_by):  # noqa: F811
    with Node(tmp_path, shards=1, io=io, disk=disk, segment_mib=80) as node:
        admin = make(node, "old", **{"retention.ms": "-1"})
        make(node, "new")
        make(node, "probe")
        assert set(send(node, "old", 4_200, size=50_000, **{"linger.ms": 5}).values()) == {None}
        disk.fill()
        outcomes, stop = {}, threading.Event()
        producer = Producer({"bootstrap.servers": node.kafka, "enable.idempotence": True, "linger.ms": 5, "message.timeout.ms": 120_000})
        sent = 0

        def press():
            nonlocal sent
            while not stop.is_set():
                try:
                    producer.produce("new", str(sent).encode().ljust(50_000, b"."), partition=0,
                                     on_delivery=lambda error, _, n=sent: outcomes.__setitem__(n, error))
                    sent += 1
                except BufferError:
                    pass
                producer.poll(0.001)
        pressing = threading.Thread(target=press)
        pressing.start()
        try:
            wait_for("the disk is full", lambda: node.health()[1][0][0] == "full", 60)
            wait_for("producers are refused", lambda: _refused(node), 60)
            assert node.health()[0] == 200 and node.metric("frazil_log_full") == 1
            before = len(outcomes)
            assert len(read(node, "old")) == 4_200, "reads go on"
            assert "new" in admin.list_topics(timeout=10).topics, "and so do metadata"
            match help_comes_by:
                case "files":
                    disk.clear()
                case "deletion":
                    admin.delete_topics(["old"])["old"].result(30)
                case "retention":
                    node.cli("topic", "alter", "old", "--set", "retention.ms=1")
            wait_for("it goes on by itself", lambda: len(outcomes) > before + 100, 90)
        finally:
            stop.set()
            pressing.join()
        assert producer.flush(120) == 0
        assert node.health()[1][0][0] in ("ok", "full")
        assert all(error is None for error in outcomes.values()) and len(outcomes) == sent, "clients kept their records"
        assert read(node, "new") == list(range(sent)), "nothing is lost, doubled or out of order"


def _refused(node):
    outcome = send(node, "probe", 1, size=500_000, **{"message.send.max.retries": 0, "message.timeout.ms": 10_000})[0]
    assert outcome is None or outcome.code() == KafkaError.KAFKA_STORAGE_ERROR, outcome
    return outcome is not None
