"""How is each engine pointed at a node's catalog?"""
import json
import os
import pathlib

import chdb
import duckdb


def duck(node, secret=None):
    """DuckDB with the catalog attached as `ice`; the extensions come from PyPI and are signed."""
    connection = duckdb.connect()
    for name in ("avro", "httpfs", "iceberg"):
        package = __import__(f"duckdb_extension_{name}")
        folder = pathlib.Path(package.__path__[0]) / "extensions" / f"v{duckdb.__version__}"
        connection.execute(f"LOAD '{folder / f'{name}.duckdb_extension'}'")
    if secret:
        connection.execute(secret)
    connection.execute(f"ATTACH '' AS ice (TYPE ICEBERG, ENDPOINT '{node.url('catalog')}', AUTHORIZATION_TYPE 'none', "
                       "ACCESS_DELEGATION_MODE 'none')")
    return connection


def clickhouse(statement):
    """ClickHouse's rows as objects. It reads files below its working folder only."""
    os.chdir("/")
    return [json.loads(line) for line in str(chdb.query(statement, "JSONEachRow")).splitlines()]


def folder(node, topic):
    """Where ClickHouse finds a table of the embedded object store."""
    return f"icebergLocal('{node.catalog().load_table(f'topics.{topic}').location().removeprefix('file://')}/')"


def number(value):
    """ClickHouse writes 64-bit numbers as text in JSON."""
    return int(value) if isinstance(value, str) and value.lstrip("-").isdigit() else value
