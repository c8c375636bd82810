"""Do records come back from the bucket when the log has dropped them, as if nothing had happened?"""
import socket
import struct
import time

import pytest
import requests
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from kafka import KafkaConsumer
from kafka import TopicPartition as KafkaPythonPartition

import stores
from harness import Node, wait_for

FAST = {"archive_interval_ms": 200, "retention_check_ms": 200}
SHORT = {"retention.local.target.ms": "1"}


def create(node, name, partitions=1, **config):
    admin = AdminClient({"bootstrap.servers": node.kafka})
    admin.create_topics([NewTopic(name, partitions, 1, config={k.replace("_", "."): v for k, v in config.items()})])[name].result(20)


def produce(node, topic, records, partitions=1, size=100, **config):
    """Record i goes to partition i modulo partitions, at time 1_700_000_000_000 + i if the topic keeps it so long."""
    producer = Producer({"bootstrap.servers": node.kafka, "enable.idempotence": True, **config})
    for i in records:
        producer.produce(topic, f"{i}".encode().ljust(size, b"."), partition=i % partitions)
        producer.poll(0)
        if i % 500 == 499:
            producer.flush(30)
    assert producer.flush(60) == 0


def status(node):
    return requests.get(node.url("admin") + "/v1/archive/status", timeout=10).json()


def archived(node):
    """Waits until nothing is at risk."""
    def done():
        answer = requests.post(node.url("admin") + "/v1/archive/flush", timeout=60)
        assert answer.status_code == 200, answer.text
        return sum(shard["bytes_at_risk"] for shard in answer.json()) == 0
    wait_for("everything is archived", done, 60, 0.2)
    return status(node)


def local_start(node, topic, partition=0):
    """Where the log of the core begins: ListOffsets -4, which Kafka's own clients for Python do not know."""
    compact = lambda s: bytes([len(s) + 1]) + s.encode()  # noqa: E731 - a string of a flexible version
    head = struct.pack(">hhih", 2, 8, 1, -1) + b"\0"
    ask = struct.pack(">ib", -1, 0) + bytes([2]) + compact(topic) + bytes([2]) + struct.pack(">iiq", partition, -1, -4) + b"\0\0\0"
    with socket.create_connection(("127.0.0.1", node.ports["kafka"])) as link:
        link.sendall(struct.pack(">i", len(head + ask)) + head + ask)
        size = struct.unpack(">i", link.recv(4, socket.MSG_WAITALL))[0]
        answer = link.recv(size, socket.MSG_WAITALL)
    # correlation 4, tags 1, throttle 4, topics 1, name, partitions 1, index 4, error 2, timestamp 8, offset 8
    at = 4 + 1 + 4 + 1 + 1 + len(topic) + 1
    index, error, _, offset = struct.unpack_from(">ihqq", answer, at)
    assert (index, error) == (partition, 0), answer
    return offset


def wait_local_start(node, topic, offset, partition=0):
    wait_for(f"the log of {topic}-{partition} begins at {offset}", lambda: local_start(node, topic, partition) >= offset, 60)


def read(node, topic, count, partition=0, offset=OFFSET_BEGINNING, **config):
    """The next `count` records of a partition: offset and value."""
    consumer = Consumer({"bootstrap.servers": node.kafka, "group.id": "g", "enable.auto.commit": False,
                         "auto.offset.reset": "error", **config})
    consumer.assign([TopicPartition(topic, partition, offset)])
    got, end = [], time.monotonic() + 60
    while len(got) < count and time.monotonic() < end:
        for message in consumer.consume(500, 0.5):
            assert message.error() is None, message.error()
            got.append((message.offset(), message.value().rstrip(b".")))
    consumer.close()
    return got


def expected(count, partition=0, partitions=1, start=0):
    return [(n, f"{n * partitions + partition}".encode()) for n in range(start, count)]


@pytest.fixture(params=["folder", "moto"])
def place(request, tmp_path):
    """Arguments for a node whose bucket is a folder or on an S3 server."""
    if request.param == "folder":
        yield {}
        return
    with stores.running(request.param, tmp_path / "store") as store:
        yield {"env": store.env, "object_store": store.url("one")}


def test_consumers_do_not_see_the_seam(tmp_path, place):
    with Node(tmp_path, **FAST, **place) as node:
        create(node, "t", 3, **SHORT)
        produce(node, "t", range(3000), 3)
        archived(node)
        for partition in range(3):
            wait_local_start(node, "t", 1000, partition)
        produce(node, "t", range(3000, 3300), 3)
        for partition in range(3):
            assert read(node, "t", 1100, partition) == expected(1100, partition, 3)
            assert read(node, "t", 403, partition, 697) == expected(1100, partition, 3, 697), "from within a batch"
        # Another client, in another language, all partitions at once.
        consumer = KafkaConsumer(bootstrap_servers=node.kafka, auto_offset_reset="none", consumer_timeout_ms=10_000)
        partitions = [KafkaPythonPartition("t", p) for p in range(3)]
        consumer.assign(partitions)
        assert consumer.beginning_offsets(partitions) == {p: 0 for p in partitions}
        assert consumer.end_offsets(partitions) == {p: 1100 for p in partitions}
        consumer.seek_to_beginning()
        seen = {p: [] for p in partitions}
        for record in consumer:
            seen[KafkaPythonPartition("t", record.partition)].append(record.offset)
            if sum(map(len, seen.values())) == 3300:
                break
        consumer.close()
        assert seen == {p: list(range(1100)) for p in partitions}


def test_it_goes_on_after_kill_and_restart(tmp_path):
    with Node(tmp_path, **FAST) as node:
        create(node, "t", 1, **SHORT)
        produce(node, "t", range(1000))
        archived(node)
        wait_local_start(node, "t", 1000)
        assert all(row["ok"] for row in node.json("archive", "verify"))
        node.kill()
        node.start()
        assert local_start(node, "t") == 1000
        assert read(node, "t", 1000) == expected(1000)
        produce(node, "t", range(1000, 2000))
        archived(node)
        wait_local_start(node, "t", 2000)
        assert node.stop() == 0
        node.start()
        assert read(node, "t", 2000) == expected(2000)
        produce(node, "t", range(2000, 2010))
        assert read(node, "t", 2010) == expected(2010)


def test_offsets_are_found_by_time_on_both_sides(tmp_path):
    base = int(time.time() * 1000) - 3_600_000
    with Node(tmp_path, **FAST) as node:
        create(node, "t", 1, **SHORT)
        producer = Producer({"bootstrap.servers": node.kafka})

        def send(numbers):
            for i in numbers:
                producer.produce("t", b"x" * 200, timestamp=base + 10 * i)
            assert producer.flush(30) == 0
        send(range(5000))
        archived(node)
        wait_local_start(node, "t", 5000)
        send(range(5000, 5100))
        consumer = Consumer({"bootstrap.servers": node.kafka, "group.id": "g"})
        for i in (0, 1, 777, 2500, 4999, 5000, 5099):
            for time_ms, want in ((base + 10 * i, i), (base + 10 * i - 5, i)):
                found = consumer.offsets_for_times([TopicPartition("t", 0, time_ms)], 20)[0]
                assert found.offset == want, (i, time_ms)
        consumer.close()
        # Deleting records moves the beginning within what only the archive has.
        admin = AdminClient({"bootstrap.servers": node.kafka})
        admin.delete_records([TopicPartition("t", 0, 4321)])[TopicPartition("t", 0)].result(20)
        consumer = Consumer({"bootstrap.servers": node.kafka, "group.id": "g"})
        assert consumer.get_watermark_offsets(TopicPartition("t", 0), 20) == (4321, 5100)
        consumer.close()
        assert [offset for offset, _ in read(node, "t", 779)] == list(range(4321, 5100))


def files(node):
    return [path for path in (node.folder / "data" / "objects" / "archive").glob("*/data/**/*.frz")]


def test_retention_and_deletion_reach_the_bucket(tmp_path):
    with Node(tmp_path, archive_delete_delay_ms=0, **FAST) as node:
        create(node, "sized", 1, retention_bytes="50000", **SHORT)
        create(node, "gone", 2, **SHORT)
        for round in range(10):
            produce(node, "sized", range(round * 100, round * 100 + 100), size=200)
            archived(node)
        produce(node, "gone", range(100), 2)
        archived(node)
        consumer = Consumer({"bootstrap.servers": node.kafka, "group.id": "g"})
        low = wait_for("retention", lambda: consumer.get_watermark_offsets(TopicPartition("sized", 0), 20)[0])
        assert 500 <= low < 1000
        assert [offset for offset, _ in read(node, "sized", 1000 - low)] == list(range(low, 1000))
        consumer.close()
        admin = AdminClient({"bootstrap.servers": node.kafka})
        admin.delete_topics(["gone"])["gone"].result(20)

        def no_more():
            archived(node)
            return not [path for path in files(node) if "/gone/" in str(path)] and len(files(node)) == \
                sum(shard["objects"] for shard in status(node))
        wait_for("objects that nobody needs are gone", no_more)


def test_a_store_that_is_away_holds_nothing_up_and_loses_nothing(tmp_path):
    with stores.running("versitygw", tmp_path / "store") as store:
        with Node(tmp_path, env=store.env, object_store=store.url("away"), **FAST) as node:
            create(node, "t", 1, **SHORT)
            produce(node, "t", range(500))
            archived(node)
            wait_local_start(node, "t", 500)
            store.kill()
            produce(node, "t", range(500, 1500))
            wait_for("it says so", lambda: any(shard["last_error"] for shard in status(node)), 60)
            assert local_start(node, "t") == 500, "nothing is dropped that is not archived"
            assert read(node, "t", 1000, 0, 500) == expected(1500, start=500)
            store.start()
            archived(node)
            wait_local_start(node, "t", 1500)
            assert read(node, "t", 1500) == expected(1500)
            assert not any(shard["last_error"] for shard in status(node))
