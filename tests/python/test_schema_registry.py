"""Do Confluent's serializers register and resolve against our registry, and does it answer as theirs does?"""
import json
import uuid

import pytest
import requests
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from harness import Node

AVRO = {"type": "record", "name": "Order", "fields": [{"name": "id", "type": "long"}, {"name": "note", "type": ["null", "string"], "default": None}]}


@pytest.fixture
def registry(node):
    return SchemaRegistryClient({"url": node.url("registry")})


def subject(kind="value"):
    return f"s-{uuid.uuid4().hex[:8]}-{kind}"


def context(name):
    return SerializationContext(name.removesuffix("-value"), MessageField.VALUE)


def test_avro_serializer(registry):
    at = context(subject())
    write = AvroSerializer(registry, json.dumps(AVRO))
    data = write({"id": 7, "note": "hi"}, at)
    assert AvroDeserializer(registry)(data, at) == {"id": 7, "note": "hi"}


def test_json_serializer(registry):
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Order", "type": "object",
              "properties": {"id": {"type": "integer"}}, "required": ["id"]}
    at = context(subject())
    data = JSONSerializer(json.dumps(schema), registry)({"id": 7}, at)
    assert JSONDeserializer(json.dumps(schema), schema_registry_client=registry)(data, at) == {"id": 7}


def test_protobuf_serializer_with_an_import(registry, protos):
    at = context(subject())
    message = protos.Order(id=7, note="hi")
    message.at.FromSeconds(1_700_000_000)
    data = ProtobufSerializer(protos.Order, registry)(message, at)
    assert ProtobufDeserializer(protos.Order, {}, registry)(data, at) == message
    names = requests.get(registry_url(registry) + "/subjects").json()
    assert any(name.startswith("s-") for name in names)


@pytest.fixture(scope="module")
def protos(tmp_path_factory):
    import importlib.util
    import sys

    from grpc_tools import protoc
    folder = tmp_path_factory.mktemp("proto")
    name = f"order_{uuid.uuid4().hex[:8]}"
    (folder / f"{name}.proto").write_text(
        'syntax = "proto3"; package shop; import "google/protobuf/timestamp.proto";\n'
        "message Order { int64 id = 1; string note = 2; google.protobuf.Timestamp at = 3; }\n")
    import grpc_tools
    include = grpc_tools.__path__[0] + "/_proto"
    assert protoc.main(["protoc", f"-I{folder}", f"-I{include}", f"--python_out={folder}", f"{name}.proto"]) == 0
    sys.path.insert(0, str(folder))
    spec = importlib.util.spec_from_file_location(f"{name}_pb2", folder / f"{name}_pb2.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def registry_url(client):
    return client._rest_client.base_urls[0]


def test_equal_schemas_share_an_id_and_versions_count(registry):
    a, b = subject(), subject()
    first = registry.register_schema(a, Schema(json.dumps(AVRO), "AVRO"))
    assert registry.register_schema(b, Schema(json.dumps(AVRO), "AVRO")) == first
    wider = {**AVRO, "fields": AVRO["fields"] + [{"name": "x", "type": ["null", "int"], "default": None}]}
    second = registry.register_schema(a, Schema(json.dumps(wider), "AVRO"))
    assert second != first
    assert registry.get_versions(a) == [1, 2]
    assert registry.lookup_schema(a, Schema(json.dumps(AVRO), "AVRO")).version == 1


def test_incompatible_schemas_are_refused_as_confluents_client_expects(registry):
    name = subject()
    registry.register_schema(name, Schema(json.dumps(AVRO), "AVRO"))
    broken = {**AVRO, "fields": [{"name": "id", "type": "string"}]}
    with pytest.raises(SchemaRegistryError) as refused:
        registry.register_schema(name, Schema(json.dumps(broken), "AVRO"))
    assert refused.value.http_status_code == 409
    assert "Schema being registered is incompatible with an earlier schema" in str(refused.value)
    assert registry.test_compatibility(name, Schema(json.dumps(broken), "AVRO")) is False
    registry.set_compatibility(name, "NONE")
    registry.register_schema(name, Schema(json.dumps(broken), "AVRO"))
    assert registry.get_compatibility(name) == "NONE"


def test_references_hold_what_they_name(registry):
    address, person = subject(), subject()
    part = {"type": "record", "name": "Address", "namespace": "x", "fields": [{"name": "city", "type": "string"}]}
    registry.register_schema(address, Schema(json.dumps(part), "AVRO"))
    whole = {"type": "record", "name": "Person", "namespace": "x", "fields": [{"name": "home", "type": "x.Address"}]}
    ref = SchemaReference(name="x.Address", subject=address, version=1)
    id = registry.register_schema(person, Schema(json.dumps(whole), "AVRO", [ref]))
    assert registry.get_schema(id).references[0].subject == address
    with pytest.raises(SchemaRegistryError) as refused:
        registry.delete_version(address, 1)
    assert refused.value.error_code == 42206


def test_deletion_soft_then_hard(node, registry):
    name, base = subject(), node.url("registry")
    registry.register_schema(name, Schema(json.dumps(AVRO), "AVRO"))
    early = requests.delete(f"{base}/subjects/{name}?permanent=true")
    assert (early.status_code, early.json()["error_code"]) == (404, 40405)
    assert requests.delete(f"{base}/subjects/{name}").json() == [1]
    assert requests.get(f"{base}/subjects/{name}/versions").status_code == 404
    assert name in requests.get(f"{base}/subjects?deleted=true").json()
    assert requests.delete(f"{base}/subjects/{name}?permanent=true").json() == [1]
    assert name not in requests.get(f"{base}/subjects?deleted=true").json()


@pytest.mark.parametrize("method,path,body,status,code", [
    ("GET", "/subjects/none/versions", None, 404, 40401),
    ("GET", "/schemas/ids/999999", None, 404, 40403),
    ("POST", "/subjects/bad/versions", {"schema": "{"}, 422, 42201),
    ("PUT", "/config", {"compatibility": "SIDEWAYS"}, 422, 42203),
    ("PUT", "/mode", {"mode": "SIDEWAYS"}, 422, 42204),
    ("GET", "/config/none", None, 404, 40408),
])
def test_errors_carry_confluents_codes(node, method, path, body, status, code):
    answer = requests.request(method, node.url("registry") + path, json=body)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code), answer.text


def test_schemas_survive_a_kill(fresh):
    client = SchemaRegistryClient({"url": fresh.url("registry")})
    id = client.register_schema("kept-value", Schema(json.dumps(AVRO), "AVRO"))
    client.set_compatibility("kept-value", "FULL")
    fresh.kill()
    fresh.start()
    client = SchemaRegistryClient({"url": fresh.url("registry")})
    assert client.lookup_schema("kept-value", Schema(json.dumps(AVRO), "AVRO")).schema_id == id
    assert client.get_compatibility("kept-value") == "FULL"


def test_clients_that_hang_up_leave_no_half_registration(fresh):
    """The socket is closed before the answer: the schema is registered or not, and every id means one schema."""
    import socket
    port = fresh.ports["registry"]
    for i in range(40):
        schema = {"type": "record", "name": f"Ghost{i}", "fields": []}
        body = json.dumps({"schema": json.dumps(schema)}).encode()
        head = f"POST /subjects/ghost{i}/versions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", port)) as peer:
            peer.sendall(head.encode() + body)
        answer = requests.post(f"{fresh.url('registry')}/subjects/real{i}/versions",
                               json={"schema": json.dumps({**schema, "name": f"Real{i}"})})
        assert answer.status_code == 200

    def known():
        base = fresh.url("registry")
        found = {}
        for subject in requests.get(f"{base}/subjects").json():
            latest = requests.get(f"{base}/subjects/{subject}/versions/latest").json()
            assert requests.get(f"{base}/schemas/ids/{latest['id']}").json()["schema"] == latest["schema"]
            found[subject] = (latest["id"], latest["schema"])
        ids = [id for id, _ in found.values()]
        assert len(ids) == len(set(ids)), "different schemas have different ids"
        return found
    before = known()
    assert sum(name.startswith("real") for name in before) == 40
    fresh.kill()
    fresh.start()
    assert known() == before
