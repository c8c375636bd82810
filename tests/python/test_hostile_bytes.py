"""Does a node survive anything that a socket can bring, without growing?"""
import os
import pathlib
import random
import socket
import struct

import pytest
from confluent_kafka import Producer

KEYS = [0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19, 20, 21, 22, 23, 32, 33, 35, 37, 42, 44, 47, 60]


def memory_mib(node):
    for line in pathlib.Path(f"/proc/{node.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) // 1024


def exchange(node, data, answer=True):
    """Sends bytes on a connection of its own; gives what comes back until the node closes or a moment has passed."""
    with socket.create_connection(("127.0.0.1", node.ports["kafka"]), timeout=5) as peer:
        peer.sendall(data)
        peer.settimeout(0.3)
        got = b""
        try:
            while answer and (part := peer.recv(65536)):
                got += part
        except (TimeoutError, ConnectionError):
            pass
        return got


def frame(key, version, body, client=b"\x00\x01x"):
    head = struct.pack(">hhi", key, version, 7) + client
    return struct.pack(">i", len(head + body)) + head + body


def alive(node):
    assert node.process.poll() is None, node.log_tail()
    producer = Producer({"bootstrap.servers": node.kafka})
    producer.produce("still-here", b"x")
    assert producer.flush(20) == 0


def test_counts_that_cannot_be_are_refused(node):
    """Five bytes that ask a careless decoder for four billion bytes."""
    before = memory_mib(node)
    exchange(node, frame(3, 0, bytes.fromhex("033c0c00b6")))
    exchange(node, frame(3, 0, b"\x7f\xff\xff\xff"))
    alive(node)
    assert memory_mib(node) - before < 64


@pytest.mark.parametrize("length", [-1, 0, 1, 3, 2 ** 31 - 1, -2 ** 31])
def test_lengths_that_cannot_be(node, length):
    exchange(node, struct.pack(">i", length) + b"\0" * 64)
    alive(node)


def test_a_large_frame_that_never_comes_holds_no_memory(node):
    before = memory_mib(node)
    peers = []
    for _ in range(50):
        peer = socket.create_connection(("127.0.0.1", node.ports["kafka"]), timeout=5)
        peer.sendall(struct.pack(">i", 90 * 1024 * 1024) + b"\0" * 1000)
        peers.append(peer)
    alive(node)
    assert memory_mib(node) - before < 200
    for peer in peers:
        peer.close()


def test_random_bodies_of_every_api(node):
    dice = random.Random(11)
    before = memory_mib(node)
    for key in KEYS:
        for version in range(0, 18):
            body = dice.randbytes(dice.randrange(60))
            exchange(node, frame(key, version, body), answer=dice.random() < 0.05)
    alive(node)
    assert memory_mib(node) - before < 200


def test_random_streams_and_broken_batches(node):
    dice = random.Random(12)
    for _ in range(100):
        exchange(node, dice.randbytes(dice.randrange(2000)), answer=False)
    for _ in range(100):
        # Produce 3 with one partition whose batch is noise behind a plausible header.
        batch = struct.pack(">qiibI", 0, 49 + 40, 0, 2, dice.getrandbits(32)) + dice.randbytes(40 + 40)
        topic = b"still-here"
        body = struct.pack(">hhi", -1, -1, 1000) + struct.pack(">i", 1) + struct.pack(">h", len(topic)) + topic
        body += struct.pack(">ii", 1, 0) + struct.pack(">i", len(batch)) + batch
        answer = exchange(node, frame(0, 3, body), answer=dice.random() < 0.1)
        assert answer == b"" or b"still-here" in answer
    alive(node)


def test_names_without_measure(node):
    """An OffsetCommit 8 (compact strings) whose group is named by 40,000 letters."""
    def compact(text):
        length, out = len(text) + 1, b""
        while length >= 0x80:
            out += bytes([length % 0x80 | 0x80])
            length //= 0x80
        return out + bytes([length]) + text
    for length in (2_000, 40_000):
        partition = struct.pack(">iqi", 0, 1, -1) + b"\x00\x00"
        topic = compact(b"still-here") + b"\x02" + partition + b"\x00"
        body = compact(b"g" * length) + struct.pack(">i", -1) + compact(b"") + b"\x00" + b"\x02" + topic + b"\x00"
        head = struct.pack(">hhi", 8, 8, 7) + b"\x00\x01x" + b"\x00"
        exchange(node, struct.pack(">i", len(head + body)) + head + body)
    alive(node)


def test_hostile_http(node):
    import requests
    for name in ("registry", "catalog", "admin"):
        base = node.url(name)
        for path in ("/", "/%00", "/subjects/%ff%fe/versions", "/v1/namespaces/%1F/tables/x", "/" + "a" * 5000, "/v1/sql"):
            for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
                answer = requests.request(method, base + path, data=os.urandom(200), timeout=10)
                assert answer.status_code < 600
        deep = '{"schema": "' + '[' * 20000 + '"}'
        assert requests.post(node.url("registry") + "/subjects/deep/versions", data=deep, timeout=30).status_code in (400, 422)
        nested = "".join('{\\"type\\":\\"array\\",\\"items\\":' for _ in range(5000)) + '\\"int\\"' + "}" * 5000
        assert requests.post(node.url("registry") + "/subjects/deep/versions", data='{"schema": "%s"}' % nested, timeout=30).status_code == 422
    statement = "select " + "(" * 3000 + "1" + ")" * 3000
    assert requests.post(node.url("admin") + "/v1/sql", data=statement, timeout=60).status_code == 400
    alive(node)
