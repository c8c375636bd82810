"""Do clients that we did not write work unmodified?"""
import os
import shutil
import subprocess
import threading
import time
import uuid

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigEntry, ConfigResource, AlterConfigOpType, NewPartitions, NewTopic, OffsetSpec

from harness import wait_for

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def topic(prefix="t"):
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def create(node, name, partitions=1, config=None):
    admin = AdminClient({"bootstrap.servers": node.kafka})
    admin.create_topics([NewTopic(name, partitions, 1, config=config or {})])[name].result(20)
    return admin


def produce(node, name, values, **config):
    failed = []
    producer = Producer({"bootstrap.servers": node.kafka, **config})
    for i, value in enumerate(values):
        producer.produce(name, value, key=str(i), headers=[("n", str(i)), ("n", b"\xff\x00"), ("none", None)],
                         on_delivery=lambda error, _: failed.append(error) if error else None)
        producer.poll(0)
    assert producer.flush(60) == 0
    assert failed == []


def consumer(node, group=None, **config):
    return Consumer({"bootstrap.servers": node.kafka, "group.id": group or topic("g"), "auto.offset.reset": "earliest",
                     "enable.auto.commit": False, **config})


def take(reader, count, seconds=60):
    records, end = [], time.monotonic() + seconds
    while len(records) < count and time.monotonic() < end:
        for record in reader.consume(min(500, count - len(records)), 0.5):
            if record.error():
                raise KafkaException(record.error())
            records.append(record)
    assert len(records) == count, f"{len(records)} of {count} records came"
    return records


@pytest.mark.parametrize("codec", CODECS)
def test_librdkafka_every_codec_gives_back_the_same_bytes(node, codec):
    name, values = topic(), [f"value {i} ".encode() * 20 for i in range(2000)]
    create(node, name, 3)
    produce(node, name, values, **{"compression.type": codec, "enable.idempotence": True, "linger.ms": 20})
    reader = consumer(node)
    reader.subscribe([name])
    records = take(reader, 2000)
    reader.close()
    assert sorted(r.value() for r in records) == sorted(values)
    assert records[0].headers()[1:] == [("n", b"\xff\x00"), ("none", None)], "headers are a multimap"
    for partition in range(3):
        offsets = [r.offset() for r in records if r.partition() == partition]
        assert offsets == list(range(len(offsets)))


@pytest.mark.parametrize("acks", ["0", "1", "all"])
def test_librdkafka_every_kind_of_acknowledgement(node, acks):
    name = topic()
    create(node, name)
    produce(node, name, [b"x"] * 100, acks=acks)
    reader = consumer(node)
    reader.assign([TopicPartition(name, 0, 0)])
    take(reader, 100)
    reader.close()


def test_topics_are_created_when_asked_for(node):
    name = topic("auto")
    produce(node, name, [b"first"])
    reader = consumer(node)
    reader.subscribe([name])
    assert take(reader, 1)[0].value() == b"first"
    reader.close()


def test_offsets_are_committed_and_resumed(node):
    name, group = topic(), topic("g")
    create(node, name)
    produce(node, name, [str(i).encode() for i in range(100)])
    reader = consumer(node, group)
    reader.subscribe([name])
    take(reader, 40)
    reader.commit(offsets=[TopicPartition(name, 0, 40, metadata="forty")], asynchronous=False)
    reader.close()
    reader = consumer(node, group)
    reader.subscribe([name])
    assert take(reader, 60)[0].offset() == 40
    committed = reader.committed([TopicPartition(name, 0)], timeout=10)[0]
    assert (committed.offset, committed.metadata) == (40, "forty")
    reader.close()


def test_a_group_shares_partitions_and_rebalances(node):
    name, group = topic(), topic("g")
    create(node, name, 4)
    first, second = consumer(node, group), consumer(node, group)
    first.subscribe([name])
    wait_for("the first gets all", lambda: first.poll(0.2) or len(first.assignment()) == 4, 30)
    second.subscribe([name])

    def shared():
        first.poll(0.1), second.poll(0.1)
        return len(first.assignment()) == 2 and len(second.assignment()) == 2
    wait_for("both get a half", shared, 40)
    second.close()
    wait_for("the first gets all again", lambda: first.poll(0.2) or len(first.assignment()) == 4, 40)
    admin = AdminClient({"bootstrap.servers": node.kafka})
    described = admin.describe_consumer_groups([group])[group].result(10)
    assert [len(m.assignment.topic_partitions) for m in described.members] == [4]
    assert group in [g.group_id for g in admin.list_consumer_groups().result(10).valid]
    first.close()
    admin.delete_consumer_groups([group])[group].result(10)


def test_cooperative_and_static_members(node):
    name, group = topic(), topic("g")
    create(node, name, 4)
    config = {"partition.assignment.strategy": "cooperative-sticky", "session.timeout.ms": 10000}
    first = consumer(node, group, **config, **{"group.instance.id": "a"})
    second = consumer(node, group, **config, **{"group.instance.id": "b"})
    first.subscribe([name]), second.subscribe([name])

    def shared():
        first.poll(0.1), second.poll(0.1)
        return len(first.assignment()) == 2 and len(second.assignment()) == 2
    wait_for("both get a half", shared, 60)
    first.close(), second.close()


def test_offsets_by_time(node):
    name = topic()
    admin = create(node, name, config={"retention.ms": "-1"})
    producer = Producer({"bootstrap.servers": node.kafka})
    for i in range(100):
        producer.produce(name, b"x", timestamp=1_700_000_000_000 + i * 1000)
    assert producer.flush(20) == 0
    reader = consumer(node)
    asked = [TopicPartition(name, 0, 1_700_000_000_000 + 50_500)]
    assert reader.offsets_for_times(asked, timeout=10)[0].offset == 51
    assert reader.get_watermark_offsets(TopicPartition(name, 0), timeout=10) == (0, 100)
    latest = admin.list_offsets({TopicPartition(name, 0): OffsetSpec.max_timestamp()})
    assert list(latest.values())[0].result(10).offset == 99
    reader.close()


def test_admin_describe_alter_grow_and_delete(node):
    name = topic()
    admin = create(node, name, 2, {"redpanda.iceberg.target.lag.ms": "5000", "retention.ms": "3600000"})
    resource = ConfigResource(ConfigResource.Type.TOPIC, name)
    config = admin.describe_configs([resource])[resource].result(10)
    assert config["frazil.lake.lag.ms"].value == "5000"
    assert config["retention.ms"].value == "3600000" and not config["retention.ms"].is_default
    change = ConfigEntry("retention.ms", "1000", incremental_operation=AlterConfigOpType.SET)
    changed = ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=[change])
    admin.incremental_alter_configs([changed])[changed].result(10)
    assert admin.describe_configs([resource])[resource].result(10)["retention.ms"].value == "1000"
    admin.create_partitions([NewPartitions(name, 5)])[name].result(10)
    wait_for("five partitions", lambda: len(admin.list_topics(timeout=5).topics[name].partitions) == 5, 10)
    with pytest.raises(KafkaException) as refused:
        create(node, name)
    assert refused.value.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS
    with pytest.raises(KafkaException) as refused:
        create(node, topic(), 1, {"frazil.lake.mode": "sideways"})
    assert "key_value" in refused.value.args[0].str(), "the message names what is legal"
    admin.delete_topics([name])[name].result(10)
    wait_for("it is gone", lambda: name not in admin.list_topics(timeout=5).topics, 10)


def test_a_large_record_passes_and_a_too_large_one_is_refused(node):
    name = topic()
    create(node, name, 1, {"max.message.bytes": "4000000"})
    big = {"message.max.bytes": 20_000_000}
    produce(node, name, [b"x" * 3_000_000], **big)
    errors = []
    producer = Producer({"bootstrap.servers": node.kafka, **big})
    producer.produce(name, b"y" * 5_000_000, on_delivery=lambda error, _: errors.append(error.code()))
    producer.flush(30)
    assert errors == [KafkaError.MSG_SIZE_TOO_LARGE]


def test_many_pipelined_requests_keep_their_order(node):
    name = topic()
    create(node, name)
    produce(node, name, [str(i).encode() for i in range(5000)],
            **{"linger.ms": 0, "batch.num.messages": 10, "max.in.flight": 5, "enable.idempotence": True})
    reader = consumer(node)
    reader.assign([TopicPartition(name, 0, 0)])
    assert [r.value() for r in take(reader, 5000)] == [str(i).encode() for i in range(5000)]
    reader.close()


def test_kafka_python(node):
    from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
    from kafka.admin import NewTopic as Topic
    name = topic("kp")
    admin = KafkaAdminClient(bootstrap_servers=node.kafka)
    admin.create_topics([Topic(name, 2, 1)])
    producer = KafkaProducer(bootstrap_servers=node.kafka, acks="all", compression_type="gzip")
    futures = [producer.send(name, str(i).encode(), key=b"k%d" % i) for i in range(500)]
    assert all(future.get(20).offset >= 0 for future in futures)
    producer.close()
    reader = KafkaConsumer(name, bootstrap_servers=node.kafka, group_id=topic("g"), auto_offset_reset="earliest",
                           enable_auto_commit=False, consumer_timeout_ms=8000)
    values = []
    for record in reader:
        values.append(record.value)
        if len(values) == 500:
            break
    reader.commit()
    reader.close()
    assert sorted(values) == sorted(str(i).encode() for i in range(500))
    assert name in admin.list_topics()
    admin.close()


def test_kcat(node):
    kcat = shutil.which("kcat")
    if not kcat and not os.environ.get("CI"):
        pytest.skip("kcat is not installed; tests/run installs it as root where apt-get exists")
    name = topic("kcat")
    run = lambda *args, stdin="": subprocess.run([kcat, "-b", node.kafka, *args], input=stdin, capture_output=True, text=True, timeout=60)
    sent = run("-P", "-t", name, "-K", ":", "-z", "snappy", stdin="a:1\nb:2\nc:3\n")
    assert sent.returncode == 0, sent.stderr
    got = run("-C", "-t", name, "-e", "-o", "beginning", "-f", "%k=%s@%o\n")
    assert got.stdout == "a=1@0\nb=2@1\nc=3@2\n", got.stderr
    assert f'topic "{name}" with 1 partitions' in run("-L").stdout
    grouped = run("-G", topic("g"), "-e", "-X", "auto.offset.reset=earliest", name, "-c", "3")
    assert sorted(line for line in grouped.stdout.split("\n") if line in "123") [-3:] == ["1", "2", "3"], grouped.stderr


def test_a_slow_poll_is_woken_by_a_record(node):
    name = topic()
    create(node, name)
    reader = consumer(node, **{"fetch.wait.max.ms": 20000})
    reader.assign([TopicPartition(name, 0, 0)])
    reader.poll(1)
    got = []
    waiting = threading.Thread(target=lambda: got.append((reader.poll(15), time.monotonic())))
    waiting.start()
    time.sleep(1)
    sent = time.monotonic()
    produce(node, name, [b"now"])
    waiting.join()
    record, at = got[0]
    assert record.value() == b"now" and at - sent < 10, "it came long before the wait was over"
    reader.close()
