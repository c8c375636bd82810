"""How does a test start a real node, and speak to it?"""
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

import requests

ROOT = pathlib.Path(__file__).resolve().parents[2]


def binary():
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return os.environ.get("FRAZIL_BIN", str(target / "debug" / "frazil"))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Ended(Exception):
    """The node is not there any more: no use in waiting."""


def wait_for(what, predicate, seconds=60, pause=0.05):
    """Calls predicate until it gives something true; its errors count as not yet."""
    end, last = time.monotonic() + seconds, None
    while time.monotonic() < end:
        try:
            result = predicate()
            if result:
                return result
            last = result
        except Ended:
            raise
        except Exception as error:  # noqa: BLE001 - the last one is shown
            last = error
        time.sleep(pause)
    raise AssertionError(f"{what}: not within {seconds} s; last seen: {last!r}")


class Node:
    """A `frazil start` of its own, on free ports, in a folder of its own."""

    def __init__(self, folder, shards=2, io=None, env=None, disk=None, **flags):
        """On a disk of disks.py, data and objects lie there."""
        self.folder = pathlib.Path(folder)
        self.disk, self.data = disk, (disk.root if disk else self.folder) / "data"
        self.ports = {name: free_port() for name in ("kafka", "registry", "catalog", "admin")}
        self.shards, self.flags = shards, flags
        self.io = io or os.environ.get("FRAZIL_TEST_IO", "auto")
        self.env = {**os.environ, **(env or {}), "RUST_BACKTRACE": "0"}
        self.process = None

    @property
    def kafka(self):
        return f"127.0.0.1:{self.ports['kafka']}"

    def url(self, name):
        return f"http://127.0.0.1:{self.ports[name]}"

    def start(self):
        command = [*(self.disk.prefix if self.disk else []), binary(), "start", "--data-dir", str(self.data), "--shards", str(self.shards), "--io", self.io]
        for name, port in self.ports.items():
            command += [f"--{name}-addr", f"127.0.0.1:{port}"]
        for name, value in self.flags.items():
            command += [f"--{name.replace('_', '-')}", str(value)]
        self.log = open(self.folder / "node.log", "ab")
        self.process = subprocess.Popen(command, env=self.env, stdout=self.log, stderr=self.log)
        try:
            wait_for("the node is ready", self.ready, 60)
        except (AssertionError, Ended):
            raise AssertionError("the node does not start:\n" + self.log_tail())
        return self

    def ready(self):
        if self.process.poll() is not None:
            raise Ended(f"it ended with {self.process.returncode}")
        return requests.get(self.url("admin") + "/v1/ready", timeout=2).status_code == 200

    def log_text(self):
        return (self.folder / "node.log").read_text(errors="replace")

    def log_tail(self):
        return "\n".join(self.log_text().splitlines()[-40:])

    def health(self):
        """The HTTP status, and the state and reason of each shard."""
        answer = requests.get(self.url("admin") + "/v1/health", timeout=10)
        return answer.status_code, {row["shard"]: (row["state"], row["reason"]) for row in answer.json()}

    def metric(self, name):
        """The sum of a metric over its labels."""
        lines = requests.get(self.url("admin") + "/metrics", timeout=10).text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name + "{"))

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """SIGTERM; gives the exit code."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                return self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError("SIGTERM did not end the node:\n" + self.log_tail())
        return self.process and self.process.returncode

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.kill()

    def cli(self, *args, stdin=None, check=True):
        env = {
            **self.env,
            "FRAZIL_KAFKA_ADDR": self.kafka,
            "FRAZIL_REGISTRY_ADDR": f"127.0.0.1:{self.ports['registry']}",
            "FRAZIL_ADMIN_ADDR": f"127.0.0.1:{self.ports['admin']}",
        }
        done = subprocess.run([binary(), *args], env=env, input=stdin, capture_output=True, text=True, timeout=120)
        if check and done.returncode != 0:
            raise AssertionError(f"frazil {' '.join(args)}: {done.stderr}\n{done.stdout}\n{self.log_tail()}")
        return done

    def json(self, *args, **more):
        return json.loads(self.cli(*args, "--format", "json", **more).stdout)

    def sql(self, statement):
        answer = requests.post(self.url("admin") + "/v1/sql", data=statement.encode(),
                               headers={"Accept": "application/json"}, timeout=300)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def wait_rows(self, table, count, seconds=120):
        def there():
            got = self.sql(f"select count(*) as n from frazil.topics.{table}")[0]["n"]
            return got >= count or None if got != 0 or count != 0 else True
        wait_for(f"{count} rows in {table}", there, seconds, 0.2)
        assert self.sql(f"select count(*) as n from frazil.topics.{table}")[0]["n"] == count

    def catalog(self):
        from pyiceberg.catalog.rest import RestCatalog
        return RestCatalog("frazil", uri=self.url("catalog"), warehouse="frazil")
