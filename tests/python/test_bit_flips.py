"""Is every bit that flips on the disk found, never served, and told for exactly the offsets concerned?"""
import pathlib
import random
import struct
import time

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from harness import Node

RECORDS, SIZE = 300, 900


def frames(path):
    """The batches of the topic in a segment, by their base offset: where the frame's head lies, and its payload's length.

    They are told by their size; docs/formats/core-log.md draws the frame.
    """
    data, found = path.read_bytes(), {}
    at = data.find(b"FRZF")
    while at >= 0:
        kind, payload = data[at + 5], struct.unpack_from("<I", data, at + 16)[0]
        if kind == 1 and payload >= SIZE:
            found[struct.unpack_from("<q", data, at + 88)[0]] = (at, payload)
        at = data.find(b"FRZF", at + 8)
    return found


def flip(path, at):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ (1 << random.randrange(8))]))


def read_from(node, offset):
    """The values from an offset on, up to the first error, and its code."""
    reader = Consumer({"bootstrap.servers": node.kafka, "group.id": "flips", "enable.auto.commit": False, "check.crcs": True,
                       "enable.partition.eof": True, "log_level": 0})
    reader.assign([TopicPartition("t", 0, offset)])
    values, end = {}, time.monotonic() + 30
    try:
        while time.monotonic() < end:
            record = reader.poll(1)
            if record is None:
                continue
            if record.error():
                return values, None if record.error().code() == KafkaError._PARTITION_EOF else record.error()
            values[record.offset()] = record.value()
        raise AssertionError(f"neither an end nor an error from offset {offset} on, after {len(values)} records")
    finally:
        reader.close()


@pytest.mark.parametrize("stop", ["in order", "by kill"])
@pytest.mark.parametrize("where", ["head", "payload"])
@pytest.mark.parametrize("io", ["uring", "portable"])
def test_a_flipped_bit_costs_its_own_records_and_no_others(tmp_path, io, where, stop):
    with Node(tmp_path, shards=1, io=io, segment_mib=80) as node:
        admin = AdminClient({"bootstrap.servers": node.kafka})
        admin.create_topics([NewTopic("t", 1, 1)])["t"].result(20)
        producer = Producer({"bootstrap.servers": node.kafka, "linger.ms": 0, "batch.num.messages": 1})
        sent = {n: f"{n} ".encode().ljust(SIZE, b"v") for n in range(RECORDS)}
        for value in sent.values():
            producer.produce("t", value, partition=0)
        assert producer.flush(30) == 0
        node.stop() if stop == "in order" else node.kill()
        segment = sorted(pathlib.Path(node.data).glob("shards/0/core-*.log"))[0]
        found = frames(segment)
        assert sorted(found) == list(range(RECORDS)), "one frame per record"
        bad = random.sample(range(20, RECORDS - 60, 3), 4)
        for offset in bad:
            at, payload = found[offset]
            flip(segment, at + (random.randrange(8, 112) if where == "head" else 112 + random.randrange(payload)))
        node.start()
        offset, good, refused = 0, {}, []
        while offset < RECORDS:
            values, error = read_from(node, offset)
            good.update(values)
            offset = max([offset - 1, *values]) + 1
            if error is not None:
                refused.append(offset)
                offset += 1
        assert refused == sorted(bad), "exactly these are refused"
        assert good == {n: value for n, value in sent.items() if n not in bad}, "and all others come back as they were sent"
        assert node.ready(), "the node stays up"
        assert "damaged" in node.log_text()
        producer = Producer({"bootstrap.servers": node.kafka})
        producer.produce("t", b"more", partition=0)
        assert producer.flush(30) == 0, "and goes on"


def test_a_checkpoint_with_flipped_bits_is_not_believed(tmp_path):
    with Node(tmp_path, shards=1, segment_mib=80) as node:
        producer = Producer({"bootstrap.servers": node.kafka})
        sent = {n: str(n).encode() for n in range(RECORDS)}
        for value in sent.values():
            producer.produce("t", value, partition=0)
        assert producer.flush(30) == 0
        for _ in range(4):
            node.stop()
            files = [file for file in pathlib.Path(node.data).glob("shards/0/*") if not file.name.endswith(".log")]
            assert files, "a stop in order leaves a checkpoint"
            for file in files:
                for _ in range(3):
                    flip(file, random.randrange(file.stat().st_size))
            node.start()
            assert read_from(node, 0) == (sent, None), "the log says what is true"
