"""Does the same work with the tables in an S3 bucket?"""
import os
import subprocess
import sys

import boto3
import chdb
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from pyiceberg.catalog.rest import RestCatalog

from engines import duck
from harness import Node, free_port, wait_for

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def bucket():
    port = free_port()
    moto = os.path.join(os.path.dirname(sys.executable), "moto_server")
    server = subprocess.Popen([moto, "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    endpoint = f"http://127.0.0.1:{port}"
    client = boto3.client("s3", endpoint_url=endpoint, aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
    wait_for("moto answers", lambda: client.create_bucket(Bucket="lake"), 30)
    yield endpoint
    server.kill()


def test_tables_in_a_bucket_are_read_by_all(tmp_path, bucket):
    env = {**KEYS, "AWS_ENDPOINT_URL": bucket}
    with Node(tmp_path, env=env, object_store="s3://lake/one") as node:
        config = {"frazil.lake.mode": "key_value", "frazil.lake.lag.ms": "300"}
        admin = AdminClient({"bootstrap.servers": node.kafka})
        admin.create_topics([NewTopic("t", 2, 1, config=config)])["t"].result(20)
        producer = Producer({"bootstrap.servers": node.kafka})
        for i in range(500):
            producer.produce("t", str(i).encode())
        producer.flush(20)
        node.wait_rows("t", 500)
        node.kill()
        node.start()
        for i in range(500):
            producer.produce("t", str(500 + i).encode())
        producer.flush(30)
        node.wait_rows("t", 1000)
        catalog = RestCatalog("f", uri=node.url("catalog"), **{"s3.endpoint": bucket, "s3.access-key-id": "test",
                              "s3.secret-access-key": "test", "s3.region": "us-east-1"})
        table = catalog.load_table("topics.t")
        assert table.location().startswith("s3://lake/one/")
        values = table.scan().to_arrow()["value"].to_pylist()
        assert sorted(values) == sorted(str(i).encode() for i in range(1000))
        host = bucket.removeprefix("http://")
        secret = f"create secret s (type s3, key_id 'test', secret 'test', endpoint '{host}', url_style 'path', use_ssl false, region 'us-east-1')"
        assert duck(node, secret).execute("select count(*) from ice.topics.t").fetchone() == (1000,)
        from chdb.session import Session
        session = Session()
        session.query("SET allow_database_iceberg=1")
        session.query(f"CREATE DATABASE ice ENGINE = DataLakeCatalog('{node.url('catalog')}/v1', 'test', 'test') SETTINGS "
                      f"catalog_type='rest', warehouse='frazil', storage_endpoint='{bucket}/lake', region='us-east-1'")
        assert str(session.query("select count() from ice.`topics.t`")).strip() == "1000"
        rows = node.json("lake", "verify", "t")
        assert all(row["missing"] == 0 and row["duplicates"] == 0 for row in rows)
