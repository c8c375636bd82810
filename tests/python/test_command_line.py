"""Does the command line do what its help says, for people and for scripts?"""
import json
import subprocess
import uuid

import requests

from harness import Node, binary, wait_for


def topic():
    return f"cli-{uuid.uuid4().hex[:8]}"


def test_topics(node):
    name = topic()
    node.cli("topic", "create", name, "--partitions", "3", "--set", "redpanda.iceberg.mode=key_value")
    assert name in node.cli("topic", "list").stdout
    rows = node.json("topic", "describe", name)
    assert [row["partition"] for row in rows] == [0, 1, 2]
    node.cli("topic", "alter", name, "--set", "retention.ms=1000", "--unset", "frazil.lake.mode")
    again = node.cli("topic", "create", name, check=False)
    assert again.returncode == 1 and name in again.stderr
    wrong = node.cli("topic", "alter", name, "--set", "no.such=1", check=False)
    assert wrong.returncode == 1 and "no.such" in wrong.stderr
    node.cli("topic", "delete", name)
    assert name not in [row["topic"] for row in node.json("topic", "list")]


def test_produce_and_consume(node):
    name = topic()
    node.cli("topic", "create", name)
    node.cli("produce", name, "--key-separator", ":", stdin="a:1\nb:2\n")
    records = [json.loads(line) for line in node.cli("consume", name, "--from", "start", "--count", "2", "--format", "json").stdout.splitlines()]
    assert [(r["key"], r["value"], r["offset"]) for r in records] == [("a", "1", 0), ("b", "2", 1)]


def test_schemas_and_typed_records(node, tmp_path):
    name = topic()
    good = {"type": "record", "name": "R", "fields": [{"name": "id", "type": "long"}]}
    (tmp_path / "r.avsc").write_text(json.dumps(good))
    id = node.json("schema", "register", f"{name}-value", str(tmp_path / "r.avsc"))[0]["id"]
    assert json.loads(node.cli("schema", "get", f"{name}-value").stdout) == good
    assert json.loads(node.cli("schema", "get", str(id)).stdout) == good
    assert f"{name}-value" in [row["subject"] for row in node.json("schema", "list")]
    (tmp_path / "r.avsc").write_text(json.dumps({**good, "fields": [{"name": "id", "type": "string"}]}))
    checked = node.cli("schema", "check", f"{name}-value", str(tmp_path / "r.avsc"), check=False)
    assert checked.returncode == 1
    node.cli("topic", "create", name, "--set", "frazil.check.value=payload", "--set", "frazil.lake.mode=schema_id", "--set", "frazil.lake.lag.ms=200")
    node.cli("produce", name, "--schema", "latest", stdin='{"id": 1}\n{"id": 2}\n')
    node.wait_rows(f'"{name}"', 2)
    assert "42" not in node.cli("sql", f'select sum(id) as s from frazil.topics."{name}"').stdout
    assert node.json("sql", f'select sum(id) as s from frazil.topics."{name}"') == [{"s": 3}]
    bad = node.cli("produce", name, stdin="no frame\n", check=False)
    assert bad.returncode == 1 and "value" in bad.stderr
    seen = node.cli("consume", name, "--from", "start", "--count", "2", "--format", "json").stdout.splitlines()
    assert [json.loads(line)["value"] for line in seen] == [{"id": 1}, {"id": 2}], "framed values are shown decoded"
    status = [row for row in node.json("lake", "status") if row["topic"] == name][0]
    assert status["last_error"] is None
    assert node.json("lake", "verify", name)[0]["rows"] == 2


def test_groups(node):
    from confluent_kafka import Consumer, Producer
    name, group = topic(), topic()
    producer = Producer({"bootstrap.servers": node.kafka})
    for i in range(10):
        producer.produce(name, b"x")
    producer.flush(20)
    reader = Consumer({"bootstrap.servers": node.kafka, "group.id": group, "auto.offset.reset": "earliest"})
    reader.subscribe([name])
    wait_for("records", lambda: reader.poll(1))
    reader.commit(asynchronous=False)
    assert group in [row["group"] for row in node.json("group", "list")]
    row = node.json("group", "describe", group)[0]
    assert (row["topic"], row["partition"], row["end"]) == (name, 0, 10)
    assert row["lag"] == 10 - row["committed"]
    reader.close()


def test_ready_and_metrics(node):
    assert requests.get(node.url("admin") + "/v1/ready").status_code == 200
    metrics = requests.get(node.url("admin") + "/metrics").text
    assert "# TYPE frazil_" in metrics and "frazil_log_flushes_total" in metrics


def test_the_start_report_and_bad_settings(fresh):
    log = fresh.folder / "node.log"
    wait_for("the report", lambda: "is ready" in log.read_text() and "shards" in log.read_text(), 5)
    report = log.read_text()
    for port in fresh.ports.values():
        assert str(port) in report
    assert "shards" in report and str(fresh.folder) in report
    run = lambda *args: subprocess.run([binary(), "start", *args], capture_output=True, text=True, timeout=20)
    for args, word in ((["--shards", "9999"], "256"), (["--config", "/no/such/file"], "/no/such/file"), (["--io", "steam"], "steam"),
                       (["--kafka-addr", "0.0.0.0:0"], "kafka_advertised"), (["--object-store", "ftp://x"], "ftp")):
        refused = run("--data-dir", str(fresh.folder / "other"), *args)
        assert refused.returncode != 0 and word in refused.stderr, (args, refused.stderr)
    taken = run("--data-dir", str(fresh.folder / "third"), "--kafka-addr", fresh.kafka)
    assert taken.returncode != 0 and str(fresh.ports["kafka"]) in taken.stderr


def test_commands_say_when_no_node_is_there(node):
    lost = subprocess.run([binary(), "topic", "list", "--kafka-addr", "127.0.0.1:1"], capture_output=True, text=True, timeout=30)
    assert lost.returncode == 1 and "127.0.0.1:1" in lost.stderr
