"""Does Apache Kafka's own client, and do its command-line tools, work unmodified?"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import uuid

import pytest

from harness import ROOT

SOURCE = ROOT / "tests" / "java" / "ClientChecks.java"
# By name, so that a check that silently vanishes is missed.
CHECKS = re.findall(r'check\("([a-z0-9_]+)"', SOURCE.read_text()) + [f"codec_{c}" for c in ("none", "gzip", "snappy", "lz4", "zstd")]
CHECKS.remove("codec_")


def java_command(*args):
    """Starts a class of the libraries that tests/run fetches, or a source file."""
    assert shutil.which("java"), "java is not installed; tests/run installs it where apt-get exists"
    libraries = pathlib.Path(os.environ.get("FRAZIL_TEST_JAVA", ROOT / "tests" / ".java"))
    assert list(libraries.glob("kafka-clients-*.jar")), f"no Java client in {libraries}; tests/run fetches it"
    return ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", f"-Dlog4j2.configurationFile={SOURCE.with_name('log4j2.properties')}",
               "-cp", f"{libraries}/*", *args]


def java(*args, stdin=None, seconds=60):
    """Runs it to its end; gives its output."""
    command = java_command(*args)
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=seconds)


@pytest.fixture(scope="module")
def outcomes(node):
    done = java(str(SOURCE), node.kafka, node.url("registry"), seconds=300)
    lines = dict(re.findall(r"^(?:ok|failed) ([a-z0-9_]+)(.*)$", done.stdout, re.M))
    passed = set(re.findall(r"^ok ([a-z0-9_]+)", done.stdout, re.M))
    return passed, lines, done


@pytest.mark.parametrize("check", CHECKS)
def test_java_client(outcomes, check):
    passed, lines, done = outcomes
    assert check in passed, lines.get(check) or f"the program ended before it: {done.stdout}\n{done.stderr[-4000:]}"


def tool(node, name, *args, **more):
    done = java(f"org.apache.kafka.tools.{name}", *(["--bootstrap-server", node.kafka] if name != "ClusterTool" else []), *args, **more)
    assert done.returncode == 0 and "Exception" not in done.stderr, f"{name}: {done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_tools_of_kafka(node):
    topic, group = f"tool_{uuid.uuid4().hex[:8]}", f"group_{uuid.uuid4().hex[:8]}"
    tool(node, "TopicCommand", "--create", "--topic", topic, "--partitions", "2", "--config", "retention.ms=1000000")
    described = tool(node, "TopicCommand", "--describe", "--topic", topic)
    assert "PartitionCount: 2" in described and "Configs: retention.ms=1000000" in described

    sent = tool(node, "VerifiableProducer", "--topic", topic, "--max-messages", "500", "--acks", "-1").splitlines()
    assert json.loads(sent[-1])["acked"] == 500
    tool(node, "ConsoleProducer", "--topic", topic, "--reader-property", "parse.key=true", "--reader-property", "key.separator=:",
         "--compression-codec", "zstd", stdin="k1:v1\nk2:v2\nk3:v3\n")
    read = tool(node, "consumer.ConsoleConsumer", "--topic", topic, "--from-beginning", "--group", group, "--max-messages", "503",
                "--timeout-ms", "30000")
    assert sorted(read.split()) == sorted([str(i) for i in range(500)] + ["v1", "v2", "v3"])

    ends = [line.split(":") for line in tool(node, "GetOffsetShell", "--topic", topic).split()]
    assert sum(int(end) for _, _, end in ends) == 503
    lags = [line.split()[1:6] for line in tool(node, "consumer.group.ConsumerGroupCommand", "--describe", "--group", group).splitlines()
            if line.startswith(group)]
    assert sorted(lags) == [[topic, partition, end, end, "0"] for _, partition, end in sorted(ends)]
    tool(node, "consumer.group.ConsumerGroupCommand", "--group", group, "--reset-offsets", "--to-earliest", "--topic", topic, "--execute")
    folders = json.loads(tool(node, "LogDirsCommand", "--describe", "--topic-list", topic).splitlines()[-1])
    assert sum(partition["size"] for partition in folders["brokers"][0]["logDirs"][0]["partitions"]) > 0
    assert "Cluster ID" in tool(node, "ClusterTool", "cluster-id", "--bootstrap-server", node.kafka)
    assert "Produce(0): 0 to" in tool(node, "BrokerApiVersionsCommand")
    tool(node, "TopicCommand", "--delete", "--topic", topic)
    assert topic not in tool(node, "TopicCommand", "--list").split()
