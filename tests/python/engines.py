"""How is each engine pointed at a node's catalog?"""
import pathlib

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
