"""Do engines find tables through the catalog, and is what they must not do refused?"""
import uuid

import pytest
import requests
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from engines import clickhouse, duck, folder, number


@pytest.fixture(scope="module")
def table(node):
    topic = f"seen_{uuid.uuid4().hex[:8]}"
    config = {"frazil.lake.mode": "key_value", "frazil.lake.lag.ms": "200"}
    admin = AdminClient({"bootstrap.servers": node.kafka})
    admin.create_topics([NewTopic(topic, 2, 1, config=config)])[topic].result(20)
    producer = Producer({"bootstrap.servers": node.kafka})
    for i in range(1000):
        producer.produce(topic, str(i).encode(), key=str(i % 7).encode())
    assert producer.flush(20) == 0
    node.wait_rows(topic, 1000)
    return topic


def get(node, path, **headers):
    return requests.get(node.url("catalog") + path, headers=headers)


def test_pyiceberg(node, table):
    catalog = node.catalog()
    assert ("topics",) in catalog.list_namespaces()
    assert ("topics", table) in catalog.list_tables("topics")
    assert catalog.table_exists(f"topics.{table}") and not catalog.table_exists("topics.none")
    scan = catalog.load_table(f"topics.{table}").scan(row_filter="kafka_offset < 10", selected_fields=("kafka_offset",))
    assert set(scan.to_arrow()["kafka_offset"].to_pylist()) == set(range(10))


def test_duckdb(node, table):
    connection = duck(node)
    assert connection.execute(f"select count(*), min(kafka_offset) from ice.topics.{table}").fetchone() == (1000, 0)
    assert any(table in row for row in connection.execute("show all tables").fetchall())


def test_clickhouse(node, table):
    rows = clickhouse(f"select count() as n, uniq(value) as u from {folder(node, table)}")
    assert [{k: number(v) for k, v in row.items()} for row in rows] == [{"n": 1000, "u": 1000}]


def test_the_routes_that_spark_and_trino_try(node, table):
    config = get(node, "/v1/config?warehouse=anything").json()
    assert {"defaults", "overrides", "endpoints"} <= config.keys()
    missing = get(node, f"/v1/namespaces/topics/views/{table}")
    assert (missing.status_code, missing.json()["error"]["type"]) == (404, "NoSuchViewException")
    for separator in ("%2E", "%1F"):
        nested = get(node, f"/v1/namespaces/topics{separator}{table}/tables/snapshots")
        assert nested.status_code == 404, nested.text
    assert get(node, "/v1/namespaces/topics/tables/none?snapshots=all").json()["error"]["type"] == "NoSuchTableException"
    assert get(node, "/v1/namespaces?pageToken=").json()["namespaces"] == [["topics"]]
    assert get(node, "/v1/namespaces?parent=topics").json()["namespaces"] == []
    assert requests.head(node.url("catalog") + f"/v1/namespaces/topics/tables/{table}").status_code == 204
    report = requests.post(node.url("catalog") + f"/v1/namespaces/topics/tables/{table}/metrics", json={"report-type": "scan-report"})
    assert report.status_code == 204
    loaded = get(node, f"/v1/namespaces/topics/tables/{table}?snapshots=all", Authorization="Bearer whatever")
    assert "s3.endpoint" not in loaded.json().get("config", {})
    etag = loaded.headers["ETag"].strip('"')
    assert get(node, f"/v1/namespaces/topics/tables/{table}", **{"If-None-Match": f'"{etag}--gzip"'}).status_code == 304


def test_tables_cannot_be_written_from_outside(node, table):
    base = node.url("catalog") + "/v1/namespaces/topics/tables"
    for answer in (requests.delete(f"{base}/{table}"), requests.post(f"{base}/{table}", json={"requirements": [], "updates": []}),
                   requests.post(base, json={"name": "x", "schema": {"type": "struct", "fields": []}})):
        assert answer.status_code in (403, 405, 406)
        assert "Frazil" in answer.json()["error"]["message"]
    assert get(node, f"/v1/namespaces/topics/tables/{table}").status_code == 200


def test_sql_formats_and_errors(node, table):
    url = node.url("admin") + "/v1/sql"
    ask = lambda text, accept: requests.post(url, data=text, headers={"Accept": accept})
    question = f"select kafka_key, count(*) as n from frazil.topics.{table} group by 1 order by n desc, 1 limit 1"
    assert ask(question, "text/csv").text.splitlines()[0] == "kafka_key,n"
    import pyarrow as pa
    stream = pa.ipc.open_stream(ask(question, "application/vnd.apache.arrow.stream").content).read_all()
    assert stream.column_names == ["kafka_key", "n"] and stream["n"].to_pylist() == [143]
    wrong = ask("select nothing from nowhere", "application/json")
    assert wrong.status_code == 400 and "nowhere" in wrong.json()["message"]
    assert any(row["table_name"] == table for row in ask("select table_name from information_schema.tables", "application/json").json())
    assert ask("drop table frazil.topics." + table, "application/json").status_code == 400
