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
        # An archive on the same disk would take the room that the log waits for.
        alone = {"frazil.archive": "off"}
        admin = make(node, "old", **{"retention.ms": "-1"}, **alone)
        make(node, "new", **alone)
        make(node, "probe", **alone)
        assert set(send(node, "old", 4_200, size=50_000, **{"linger.ms": 5}).values()) == {None}
        disk.fill()
        outcomes, stop = {}, threading.Event()
        producer = Producer({"bootstrap.servers": node.kafka, "enable.idempotence": True, "linger.ms": 5, "message.timeout.ms": 120_000})
        sent = 0

        def press():
            nonlocal sent
            while not stop.is_set():
                producer.poll(0.001)
                if sent - len(outcomes) < 400:
                    producer.produce("new", str(sent).encode().ljust(50_000, b"."), partition=0,
                                     on_delivery=lambda error, _, n=sent: outcomes.__setitem__(n, error))
                    sent += 1
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


@pytest.mark.parametrize("io", DRIVERS)
def test_a_disk_that_is_behind_slows_producers_and_nobody_else(tmp_path, disk, io):  # noqa: F811
    """The disk stalls while producers press: they wait, without an error and without a repetition; all others go on."""
    partitions, each, size = 4, 60, 1_000_000
    with Node(tmp_path, shards=1, io=io, disk=disk, segment_mib=80) as node:
        admin = make(node, "pressed", partitions)
        make(node, "calm")
        assert set(send(node, "calm", 10).values()) == {None}
        assert read(node, "calm") == list(range(10))
        throttled, outcomes = [], {}
        config = {"bootstrap.servers": node.kafka, "linger.ms": 0, "batch.num.messages": 1, "message.max.bytes": 1_048_000,
                  "retries": 0, "throttle_cb": lambda event: throttled.append(event.throttle_time)}
        producers = [Producer(config) for _ in range(partitions)]
        for partition, producer in enumerate(producers):
            producer.list_topics("pressed", timeout=20)
        disk.stall()
        for n in range(each):
            for partition, producer in enumerate(producers):
                producer.produce("pressed", f"{n} ".encode().ljust(size, b"x"), partition=partition,
                                 on_delivery=lambda error, _, place=(partition, n): outcomes.__setitem__(place, error))
                producer.poll(0)
        held = wait_for("much waits for the disk", lambda: node.metric("frazil_log_backlog_bytes") > 60 << 20, 30)
        assert held and outcomes == {}, "nothing is acknowledged that is not durable"
        for _ in range(10):
            started = time.monotonic()
            assert read(node, "calm") == list(range(10)), "others read"
            assert "calm" in admin.list_topics(timeout=10).topics
            assert time.monotonic() - started < 8, "and are not held up"
        assert node.metric("frazil_log_backlog_bytes") <= 128 << 20 and outcomes == {}
        disk.go_on()
        for producer in producers:
            assert producer.flush(60) == 0
        assert len(outcomes) == partitions * each and set(outcomes.values()) == {None}
        reader = Consumer({"bootstrap.servers": node.kafka, "group.id": "order", "enable.auto.commit": False})
        reader.assign([TopicPartition("pressed", p, 0) for p in range(partitions)])
        found = {p: [] for p in range(partitions)}
        wait_for("all records", lambda: [found[r.partition()].append(int(r.value().split()[0])) for r in reader.consume(100, 1)]
                 and sum(map(len, found.values())) >= partitions * each, 60)
        reader.close()
        assert found == {p: list(range(each)) for p in range(partitions)}, "each once, in the order in which they were sent"
        assert max(throttled, default=0) > 0, "the first thing that producers noticed was a wish to pause"


@pytest.mark.parametrize("io", DRIVERS)
def test_write_caching_acknowledges_before_it_is_durable_and_shows_only_what_is(tmp_path, disk, io):  # noqa: F811
    with Node(tmp_path, shards=2, io=io, disk=disk, segment_mib=80) as node:
        admin = make(node, "cached", 1, **{"write.caching": "true"})
        make(node, "true")
        assert "cached" in [line for line in node.log_text().splitlines() if "write.caching is on" in line][0]
        for topic in ("cached", "true"):
            assert send(node, topic, 1)[0] is None
        wait_for("both are durable", lambda: read(node, "cached") == read(node, "true") == [0])
        disk.stall()
        assert send(node, "cached", 1, start=1, **{"message.timeout.ms": 5_000})[1] is None, "acknowledged all the same"
        assert send(node, "true", 1, start=1, **{"message.timeout.ms": 3_000})[1] is not None
        assert read(node, "cached") == [0], "consumers see what is durable"
        disk.go_on()
        wait_for("the disk goes on", lambda: read(node, "cached") == [0, 1])
        from confluent_kafka.admin import ConfigResource
        shown = admin.describe_configs([ConfigResource("topic", "cached")])
        entry = next(iter(shown.values())).result(20)["write.caching"]
        assert entry.value == "true" and not entry.is_default
        told = node.cli("topic", "describe", "cached", "--settings").stdout
        assert "write.caching" in told


def test_write_caching_of_the_node_holds_where_topics_do_not_say(tmp_path):
    from confluent_kafka.admin import ConfigResource

    def shown(node, topic):
        admin = AdminClient({"bootstrap.servers": node.kafka})
        return next(iter(admin.describe_configs([ConfigResource("topic", topic)]).values())).result(20)["write.caching"].value
    with Node(tmp_path, shards=1, write_caching_default="true") as node:
        make(node, "plain")
        make(node, "careful", **{"write.caching": "false"})
        make(node, "bold", **{"write.caching": "true"})
        assert [shown(node, t) for t in ("plain", "careful", "bold")] == ["true", "false", "true"]
        node.stop()
        node.flags["write_caching_default"] = "disabled"
        node.start()
        assert [shown(node, t) for t in ("plain", "careful", "bold")] == ["false", "false", "false"]
