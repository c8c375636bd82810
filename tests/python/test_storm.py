"""Is nothing lost, doubled or disordered while a node is killed, or its disk loses power, again and again under load?

Short by default; FRAZIL_STORM_KILLS and FRAZIL_STORM_CUTS make it longer (per combination of driver and shards).
"""
import os
import random
import shutil
import signal
import subprocess
import threading
import time

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from disks import disk  # noqa: F401 - a fixture
from harness import Node, wait_for
from test_java_client import SOURCE, java_command

KILLS, CUTS = int(os.environ.get("FRAZIL_STORM_KILLS", 3)), int(os.environ.get("FRAZIL_STORM_CUTS", 2))
TOPICS = {"plain": 4, "table": 3}


class Sender:
    """An idempotent producer that keeps sending numbered records, and notes what is acknowledged, and where."""

    def __init__(self, node, name):
        self.node, self.name, self.acked, self.sent, self.errors = node, name, {}, 0, []
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        producer = Producer({"bootstrap.servers": self.node.kafka, "enable.idempotence": True, "linger.ms": 2,
                             "message.timeout.ms": 180_000, "reconnect.backoff.max.ms": 300, "log_level": 0})

        def delivered(error, record):
            if error is not None:
                self.errors.append(error)
            else:
                self.acked[(record.topic(), record.partition(), record.offset())] = record.value()
        while not self.stop.is_set():
            for topic, partitions in TOPICS.items():
                value = f"{self.name} {self.sent} ".encode() + b"." * random.randrange(300)
                producer.produce(topic, value, partition=self.sent % partitions, on_delivery=delivered)
                self.sent += 1
            producer.poll(0.001)
        if producer.flush(180) != 0:
            self.errors.append("some records are never answered")

    def end(self):
        self.stop.set()
        self.thread.join(240)
        assert not self.thread.is_alive() and self.errors == [], self.errors[:3]
        return self.sent, {place: b" ".join(value.split(b" ")[:2]) for place, value in self.acked.items()}


class JavaSender:
    """The same with Apache Kafka's own client, in a process of its own."""

    def __init__(self, node, name, folder):
        self.name, self.output = name, folder / f"{name}.acks"
        topics = [f"{topic}:{partitions}" for topic, partitions in TOPICS.items()]
        command = java_command(str(SOURCE.with_name("Storm.java")), node.kafka, name, *topics)
        with open(self.output, "wb") as output, open(folder / f"{name}.errors", "wb") as errors:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=errors)

    def end(self):
        self.process.stdin.close()
        assert self.process.wait(240) == 0
        *acks, last = self.output.read_text().splitlines()
        assert last.startswith("sent "), last
        acked = {}
        for line in acks:
            topic, partition, offset, number = line.split()
            acked[(topic, int(partition), int(offset))] = f"{self.name} {number}".encode()
        return int(last.split()[1]), acked


def everything(node):
    """All records of all topics, by topic, partition and offset."""
    reader = Consumer({"bootstrap.servers": node.kafka, "group.id": "verify", "enable.auto.commit": False, "log_level": 0})
    places = [TopicPartition(topic, p, 0) for topic, partitions in TOPICS.items() for p in range(partitions)]
    total = sum(reader.get_watermark_offsets(place, timeout=30)[1] for place in places)
    reader.assign(places)
    found, end = {}, time.monotonic() + 300
    while len(found) < total and time.monotonic() < end:
        for record in reader.consume(10_000, 1):
            assert not record.error(), record.error()
            found[(record.topic(), record.partition(), record.offset())] = record.value()
    reader.close()
    assert len(found) == total, f"{total} offsets, {len(found)} records"
    return found


def verify(node, ends):
    """What senders were told, against what there is."""
    found = {place: b" ".join(value.split(b" ")[:2]) for place, value in everything(node).items()}
    sent = 0
    for count, acked in ends:
        wrong = {place: (value, found.get(place)) for place, value in acked.items() if found.get(place) != value}
        assert wrong == {}, f"{len(wrong)} acknowledged records are lost or differ, such as {next(iter(wrong.items()))}"
        assert len(acked) == count, "in the end each is acknowledged, at a place of its own"
        sent += count
    places = {}
    for place, value in sorted(found.items()):
        places.setdefault(value, []).append(place)
    doubled = {value: there for value, there in places.items() if len(there) > 1}
    assert doubled == {}, f"{len(doubled)} records are doubled, such as {list(doubled.items())[:5]}"
    assert len(found) == sent, "each record once"
    last = {}
    for (topic, partition, _), value in sorted(found.items()):
        name, number = value.split()
        assert last.get((topic, partition, name), -1) < int(number), "the order of each producer is kept"
        last[(topic, partition, name)] = int(number)
    rows = sum(1 for topic, _, _ in found if topic == "table")
    node.wait_rows("table", rows)
    report = node.json("lake", "verify", "table")
    assert all(row["missing"] == 0 and row["duplicates"] == 0 for row in report), report
    assert sum(row["rows"] for row in report) == rows
    return sent


def storm(node, folder, times, strike):
    admin = AdminClient({"bootstrap.servers": node.kafka})
    lake = {"frazil.lake.mode": "key_value", "frazil.lake.lag.ms": "500"}
    topics = [NewTopic(topic, n, 1, config=lake if topic == "table" else {}) for topic, n in TOPICS.items()]
    for made in admin.create_topics(topics).values():
        made.result(30)
    senders = [Sender(node, "first"), Sender(node, "second")]
    if shutil.which("java"):
        senders.append(JavaSender(node, "java", folder))
    dice = random.Random(times)
    try:
        for _ in range(times):
            time.sleep(dice.uniform(0.2, 1.5))
            strike()
        time.sleep(1)
    finally:
        for sender in senders:
            sender.stop.set() if isinstance(sender, Sender) else None
    sent = verify(node, [sender.end() for sender in senders])
    print(f"{times} times under {len(senders)} producers: {sent} records, none lost, doubled or out of order")


@pytest.mark.parametrize("io,shards", [("uring", 1), ("uring", 2), ("portable", 1), ("portable", 2)])
def test_kill_storm(tmp_path, io, shards):
    with Node(tmp_path, shards=shards, io=io, segment_mib=80) as node:
        def strike():
            node.kill()
            node.start()
        storm(node, tmp_path, KILLS, strike)


@pytest.mark.parametrize("io", ["uring", "portable"])
def test_power_cuts(tmp_path, disk, io):  # noqa: F811
    with Node(tmp_path, shards=1, io=io, disk=disk, segment_mib=80) as node:
        def strike():
            # With the power, the process is gone before it learns of a failed write, or can tell anybody.
            node.process.send_signal(signal.SIGSTOP)
            disk.cut_power()
            node.kill()
            disk.come_back()
            node.start()
        storm(node, tmp_path, CUTS, strike)


@pytest.mark.parametrize("io", ["uring", "portable"])
def test_disks_that_break(tmp_path, disk, io):  # noqa: F811
    """Here the process lives on and tells its clients; what was under way may be stored or not."""
    with Node(tmp_path, shards=1, io=io, disk=disk, segment_mib=80) as node:
        def strike():
            disk.cut_power()
            wait_for("the shard is fenced", lambda: node.health()[0] == 503)
            node.kill()
            disk.come_back()
            node.start()
        storm(node, tmp_path, CUTS, strike)
