"""Are tables whole, and producers served, whatever goes wrong with requests to the store?"""
import time

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from faults import KINDS, Faults
from harness import Node, wait_for
from stores import running


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with running("versitygw", tmp_path_factory.mktemp("store")) as store:
        yield store


class Load:
    """A topic with a table, and how many records were acknowledged."""

    def __init__(self, node):
        self.node, self.count = node, 0
        admin = AdminClient({"bootstrap.servers": node.kafka})
        config = {"frazil.lake.mode": "key_value", "frazil.lake.lag.ms": "100"}
        admin.create_topics([NewTopic("t", 2, 1, config=config)])["t"].result(20)
        self.producer = Producer({"bootstrap.servers": node.kafka})

    def produce(self, records=20):
        acknowledged = []
        for _ in range(records):
            self.producer.produce("t", str(self.count).encode(), on_delivery=lambda error, _: acknowledged.append(error))
            self.count += 1
        assert self.producer.flush(30) == 0 and acknowledged == [None] * records

    def assert_whole(self):
        self.node.wait_rows("t", self.count)
        rows = self.node.json("sql", "select cast(value as string) as v from frazil.topics.t")
        assert sorted(int(row["v"]) for row in rows) == list(range(self.count))
        found = self.node.json("lake", "verify", "t")
        assert found and all(row["missing"] == 0 and row["duplicates"] == 0 for row in found), found


def test_each_kind_of_fault_at_some_requests(store, tmp_path):
    # All of the first two hundred requests, in all ways, are tried in memory: iceberg-sink/src/lake/tests/exhaustive.rs.
    with Faults(store) as faults, Node(tmp_path, env=faults.env, object_store=faults.url("faults")) as node:
        load = Load(node)
        load.produce()
        node.wait_rows("t", load.count)
        # An upload in parts needs objects larger than those of this load.
        for after, kind in enumerate(kind for kind in KINDS if kind != "parts_left"):
            strike = faults.strike(kind, after % 7)

            def over():
                load.produce(5)
                return strike.over.wait(0.3)
            wait_for(f"{kind} has struck and is over", over, 90)
            assert faults.seen[kind] >= 1, faults.seen
        node.kill()
        node.start()
        load.produce()
        load.assert_whole()


def test_a_store_that_is_away_is_caught_up_with(store, tmp_path):
    with Faults(store) as faults, Node(tmp_path, env=faults.env, object_store=faults.url("away")) as node:
        load = Load(node)
        load.produce()
        node.wait_rows("t", load.count)
        faults.away.set()
        end = time.monotonic() + 10
        while time.monotonic() < end:
            load.produce(200)
            time.sleep(0.2)
        wait_for("the status says why", lambda: "AWS_ENDPOINT_URL" in node.cli("lake", "status").stdout, 60)
        node.kill()
        node.start()  # Also while the store is away.
        load.produce(200)
        faults.away.clear()
        load.assert_whole()
