"""Do all kinds of object stores keep what we promise, and do tables live on each?"""
import os
import subprocess

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from harness import Node, binary, wait_for
from stores import KINDS, running


@pytest.fixture(scope="module", params=KINDS)
def store(request, tmp_path_factory):
    with running(request.param, tmp_path_factory.mktemp(request.param)) as store:
        yield store


def conformance():
    """The program that cargo has built last of `broker/objects/tests/stores.rs`."""
    built = binary_folder().glob("deps/stores-*")
    programs = [path for path in built if path.suffix == "" and os.access(path, os.X_OK)]
    assert programs, "cargo build --workspace --all-targets builds the program that is missing here"
    return max(programs, key=lambda path: path.stat().st_mtime)


def binary_folder():
    import pathlib
    return pathlib.Path(binary()).parent


def test_the_store_conforms(store):
    env = {**os.environ, **store.env, "FRAZIL_STORE_URL": store.url("conformance")}
    done = subprocess.run([conformance()], env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    assert " 0 failed" in done.stdout and " 5 passed" in done.stdout, done.stdout


def produce(node, values):
    producer = Producer({"bootstrap.servers": node.kafka})
    for value in values:
        producer.produce("t", str(value).encode())
    assert producer.flush(30) == 0


def make_topic(node):
    config = {"frazil.lake.mode": "key_value", "frazil.lake.lag.ms": "300"}
    admin = AdminClient({"bootstrap.servers": node.kafka})
    admin.create_topics([NewTopic("t", 2, 1, config=config)])["t"].result(20)


def values(node):
    rows = node.json("sql", "select cast(value as string) as v from frazil.topics.t")
    return sorted(int(row["v"]) for row in rows)


def assert_whole(node):
    rows = node.json("lake", "verify", "t")
    assert rows and all(row["missing"] == 0 and row["duplicates"] == 0 for row in rows), rows


def test_tables_live_on_the_store(store, tmp_path):
    with Node(tmp_path, env=store.env, object_store=store.url("tables/one")) as node:
        make_topic(node)
        produce(node, range(500))
        node.wait_rows("t", 500)
        node.kill()
        node.start()
        produce(node, range(500, 1000))
        node.wait_rows("t", 1000)
        assert values(node) == list(range(1000))
        assert_whole(node)


def test_a_table_outlives_the_death_of_its_store(tmp_path):
    with running("versitygw", tmp_path / "store") as store:
        with Node(tmp_path, env=store.env, object_store=store.url("tables")) as node:
            make_topic(node)
            produce(node, range(300))
            node.wait_rows("t", 300)
            store.kill()
            produce(node, range(300, 600))
            store.start()
            node.wait_rows("t", 600)
            for step in range(3):
                store.kill()
                store.start()
                produce(node, range(600 + 100 * step, 700 + 100 * step))
            node.wait_rows("t", 900)
            assert values(node) == list(range(900))
            assert_whole(node)


@pytest.mark.parametrize("kind,change,bucket,advice", [
    ("versitygw", {}, "nobucket", "the bucket does not exist"),
    ("versitygw", {"AWS_SECRET_ACCESS_KEY": "wrong"}, "lake", "check AWS_ACCESS_KEY_ID"),
    ("versitygw", {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "lake", "AWS_ENDPOINT_URL"),
    ("azurite", {}, "nobucket", "the bucket does not exist"),
    ("azurite", {"AZURE_STORAGE_ACCOUNT_KEY": "AAAA"}, "lake", "check AZURE_STORAGE_ACCOUNT_NAME"),
    ("gcs", {}, "nobucket", "the bucket does not exist"),
])
def test_a_store_that_cannot_be_used_says_what_to_do(kind, change, bucket, advice, tmp_path):
    with running(kind, tmp_path / "store") as store:
        with Node(tmp_path, env={**store.env, **change}, object_store=store.url("x", bucket)) as node:
            wait_for("the log says it", lambda: advice in node.log_tail(), 60)
            make_topic(node)  # Producers are served all the same.
            produce(node, range(10))


def test_a_store_without_its_account_is_refused_at_the_start(tmp_path):
    done = subprocess.run([binary(), "start", "--data-dir", tmp_path, "--object-store", "az://lake/x"],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode != 0 and "AZURE_STORAGE_ACCOUNT_NAME" in done.stderr
