"""How is a node of each kind started for a comparison, and surely stopped again?"""

import base64
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from pathlib import Path

KAFKA_VERSION = "4.3.1"
HERE = Path(__file__).resolve().parent
START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 30
PR_SET_PDEATHSIG = 1
# As Kafka's own start script sets them.
JVM = ["-Xms1g", "-Xmx1g", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35",
       "-XX:+ExplicitGCInvokesConcurrent", "-Djava.awt.headless=true"]


class Node:
    """A running broker; leaving the `with` block stops it."""

    def __init__(self, name, command, port, folder):
        self.name, self.port, self.log = name, port, folder / f"{name}.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=folder,
                                            preexec_fn=end_with_parent)

    def __enter__(self):
        try:
            self.wait_until_it_listens()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def addr(self):
        return f"127.0.0.1:{self.port}"

    def wait_until_it_listens(self):
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            self.check()
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.2)
        raise SystemExit(f"{self.name} does not listen after {START_TIMEOUT_S} s:\n{self.last_lines()}")

    def check(self):
        if self.process.poll() is not None:
            raise SystemExit(f"{self.name} ended with {self.process.returncode}:\n{self.last_lines()}")

    def last_lines(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])

    def processor_s(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mib(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def end_with_parent():
    """The node ends even when this program is killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [found.getsockname()[1] for found in sockets]
    for found in sockets:
        found.close()
    return ports


def frazil(binary, folder):
    kafka, registry, catalog, admin = free_ports(4)
    addresses = {"kafka": kafka, "registry": registry, "catalog": catalog, "admin": admin}
    flags = [text for name, port in addresses.items() for text in (f"--{name}-addr", f"127.0.0.1:{port}")]
    return Node("frazil", [str(binary), "start", "--data-dir", str(folder / "frazil-data"), *flags], kafka, folder)


def bare(binary, folder):
    """The Kafka path alone, with as many shards as a node has by default."""
    (port,) = free_ports(1)
    command = [str(binary), "--data-dir", str(folder / "frazil-data"), "--kafka-addr", f"127.0.0.1:{port}",
               "--shards", str(os.cpu_count())]
    return Node("frazil", command, port, folder)


def null(load, folder):
    (port,) = free_ports(1)
    return Node("null", [str(load), "null", "--addr", f"127.0.0.1:{port}", "--dir", str(folder)], port, folder)


def kafka(jars, folder):
    listener, controller = free_ports(2)
    settings = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://127.0.0.1:{listener},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{listener},CONTROLLER://127.0.0.1:{controller}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": folder / "kafka-data",
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
    }
    properties = folder / "server.properties"
    properties.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    java = ["java", *JVM, "-cp", f"{jars}/*"]
    cluster = cluster_id()
    storage = [*java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties), "--standalone"]
    done = subprocess.run(storage, capture_output=True, text=True, timeout=START_TIMEOUT_S)
    if done.returncode != 0:
        raise SystemExit(f"Kafka's storage cannot be formatted:\n{done.stdout}{done.stderr}")
    return Node("kafka", [*java, "kafka.Kafka", str(properties)], listener, folder)


def cluster_id():
    """Kafka's own form of a UUID, without the leading dash that its option parser takes for a flag."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def kafka_jars():
    """The folder with Kafka's jars, fetched from Maven Central on first use."""
    cache = Path(os.environ.get("FRAZIL_BENCH_CACHE", Path.home() / ".cache" / "frazil-benches"))
    jars = cache / f"kafka-{KAFKA_VERSION}"
    if jars.is_dir():
        return jars
    for tool in ("mvn", "java"):
        if shutil.which(tool) is None:
            raise SystemExit(f"Kafka needs {tool}: install a JDK of 17 or newer and Maven")
    partial = cache / f"kafka-{KAFKA_VERSION}.partial-{os.getpid()}"
    partial.mkdir(parents=True)
    copy = ["mvn", "-q", "-B", "-f", str(HERE / "kafka.pom.xml"),
            "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies",
            "-DincludeScope=runtime", f"-DoutputDirectory={partial}"]
    try:
        subprocess.run(copy, check=True, timeout=1800)
        partial.rename(jars)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return jars
