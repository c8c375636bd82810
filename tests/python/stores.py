"""How does a test start an object store that we did not write?"""
import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import threading

import boto3
import requests

from gcs_xml import Translator
from harness import ROOT, free_port, wait_for

FOLDER = pathlib.Path(os.environ.get("FRAZIL_TEST_STORES", ROOT / "tests" / ".stores"))
BUCKET = "lake"


class Store:
    """A server, the variables by which a node reaches it, and URLs in its bucket."""

    scheme = "s3"

    def __init__(self, folder):
        self.folder, self.port, self.process = pathlib.Path(folder), free_port(), None
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def url(self, prefix, bucket=BUCKET):
        return f"{self.scheme}://{bucket}/{prefix}"

    def start(self):
        with open(self.folder / "server.log", "ab") as log:
            self.process = subprocess.Popen([str(part) for part in self.command()], stdout=log, stderr=log, cwd=self.folder)
        wait_for(f"{type(self).__name__} has its bucket", self.make_bucket, 60, 0.2)
        return self

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()


class S3(Store):
    """What all S3 servers have in common."""

    key, secret = "test", "testtesttest"

    @property
    def env(self):
        return {"AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret, "AWS_REGION": "us-east-1",
                "AWS_ENDPOINT_URL": self.endpoint}

    def client(self):
        return boto3.client("s3", endpoint_url=self.endpoint, aws_access_key_id=self.key,
                            aws_secret_access_key=self.secret, region_name="us-east-1")

    def make_bucket(self):
        client = self.client()
        if BUCKET not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
            client.create_bucket(Bucket=BUCKET)
        return True


class Moto(S3):
    """S3 in memory."""

    def command(self):
        return [pathlib.Path(sys.executable).with_name("moto_server"), "-H", "127.0.0.1", "-p", self.port]


class Versitygw(S3):
    """S3 over a folder: what it has acknowledged is there after a kill."""

    def command(self):
        for name in ("files", "meta"):
            (self.folder / name).mkdir(exist_ok=True)
        return [FOLDER / "bin" / "versitygw", "--quiet", "--port", f"127.0.0.1:{self.port}", "--access", self.key,
                "--secret", self.secret, "posix", "--sidecar", self.folder / "meta", self.folder / "files"]


class Azurite(Store):
    """Azure Blob Storage."""

    scheme = "az"
    account = "devstoreaccount1"
    key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="  # Azurite's own

    def command(self):
        return [FOLDER / "node_modules" / ".bin" / "azurite-blob", "--silent", "--disableTelemetry", "--skipApiVersionCheck",
                "--location", self.folder / "files", "--blobPort", self.port]

    @property
    def env(self):
        return {"AZURE_STORAGE_USE_EMULATOR": "true", "AZURITE_BLOB_STORAGE_URL": self.endpoint,
                "AZURE_STORAGE_ACCOUNT_NAME": self.account, "AZURE_STORAGE_ACCOUNT_KEY": self.key}

    def make_bucket(self):
        # The tests have no Azure client of their own: a request signed by hand makes the container.
        import base64
        import email.utils
        import hashlib
        import hmac
        headers = {"x-ms-date": email.utils.formatdate(usegmt=True), "x-ms-version": "2021-08-06"}
        canonical = "".join(f"{name}:{value}\n" for name, value in sorted(headers.items()))
        text = "PUT" + "\n" * 12 + canonical + f"/{self.account}/{self.account}/{BUCKET}\nrestype:container"
        signature = base64.b64encode(hmac.digest(base64.b64decode(self.key), text.encode(), hashlib.sha256)).decode()
        headers["Authorization"] = f"SharedKey {self.account}:{signature}"
        answer = requests.put(f"{self.endpoint}/{self.account}/{BUCKET}?restype=container", headers=headers, timeout=5)
        return answer.status_code in (201, 409) or answer.text


class Gcs(Store):
    """Google Cloud Storage: fake-gcs-server, behind a translator for the XML API, of which it speaks too little."""

    scheme = "gs"

    def __init__(self, folder):
        super().__init__(folder)
        self.inner = free_port()
        self.translator = None

    def command(self):
        return [FOLDER / "bin" / "fake-gcs-server", "-scheme", "http", "-host", "127.0.0.1", "-port", self.inner,
                "-backend", "memory", "-public-host", f"127.0.0.1:{self.inner}", "-log-level", "error"]

    @property
    def env(self):
        return {"STORAGE_EMULATOR_HOST": f"127.0.0.1:{self.port}"}

    def start(self):
        self.translator = Translator(self.port, f"http://127.0.0.1:{self.inner}")
        threading.Thread(target=self.translator.serve_forever, daemon=True).start()
        return super().start()

    def kill(self):
        super().kill()
        self.translator.shutdown()
        self.translator.server_close()

    def make_bucket(self):
        answer = requests.post(f"http://127.0.0.1:{self.inner}/storage/v1/b?project=p", json={"name": BUCKET}, timeout=5)
        return answer.status_code in (200, 409) or answer.text


KINDS = {"moto": Moto, "versitygw": Versitygw, "azurite": Azurite, "gcs": Gcs}


@contextlib.contextmanager
def running(kind, folder):
    with KINDS[kind](folder) as store:
        yield store
