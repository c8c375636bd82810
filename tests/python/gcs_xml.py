"""How is Google's XML API spoken in front of an emulator that knows the JSON API only?

Objects, conditions and listings are the emulator's; uploads in parts are put together here.
"""
import http.server
import itertools
import re
import threading
import urllib.parse
from xml.sax.saxutils import escape

import requests


class Translator(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port, emulator):
        super().__init__(("127.0.0.1", port), Handler)
        self.emulator = emulator
        self.uploads, self.numbers, self.lock = {}, itertools.count(1), threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.http = requests.Session()

    def log_message(self, *_):
        pass

    def route(self):
        url = urllib.parse.urlsplit(self.path)
        self.query = {name: values[0] for name, values in urllib.parse.parse_qs(url.query, keep_blank_values=True).items()}
        bucket, _, name = url.path.lstrip("/").partition("/")
        self.bucket, self.name = urllib.parse.unquote(bucket), urllib.parse.unquote(name)
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def ask(self, method, path, **more):
        return self.http.request(method, self.server.emulator + path, timeout=30, **more)

    def object_path(self):
        return f"/storage/v1/b/{self.bucket}/o/{urllib.parse.quote(self.name, safe='')}"

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def error(self, status):
        bucket_there = self.ask("GET", f"/storage/v1/b/{self.bucket}").status_code == 200
        code = {404: "NoSuchKey" if bucket_there else "NoSuchBucket", 412: "PreconditionFailed"}.get(status, "InternalError")
        self.answer(status, f"<Error><Code>{code}</Code></Error>".encode())

    def store(self, body, condition):
        query = {"uploadType": "media", "name": self.name}
        if condition is not None:
            query["ifGenerationMatch"] = condition
        stored = self.ask("POST", f"/upload/storage/v1/b/{self.bucket}/o", params=query, data=body,
                          headers={"Content-Type": "application/octet-stream"})
        return stored.status_code, stored.json() if stored.ok else {}

    def do_PUT(self):
        self.route()
        if "uploadId" in self.query:
            with self.server.lock:
                upload = self.server.uploads.get(self.query["uploadId"])
            if upload is None:
                return self.answer(404, b"<Error><Code>NoSuchUpload</Code></Error>")
            number = int(self.query["partNumber"])
            upload[number] = self.body
            return self.answer(200, headers={"ETag": f'"part-{number}-{len(self.body)}"'})
        status, stored = self.store(self.body, self.headers.get("x-goog-if-generation-match"))
        if status != 200:
            return self.error(status)
        self.answer(200, headers={"ETag": f'"{stored["etag"]}"', "x-goog-generation": stored["generation"]})

    def do_POST(self):
        self.route()
        if "uploads" in self.query:
            with self.server.lock:
                upload = str(next(self.server.numbers))
                self.server.uploads[upload] = {}
            return self.answer(200, f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId>"
                                    "</InitiateMultipartUploadResult>".encode())
        with self.server.lock:
            parts = self.server.uploads.pop(self.query["uploadId"], None)
        named = [int(number) for number in re.findall(rb"<PartNumber>(\d+)</PartNumber>", self.body)]
        if parts is None or not set(named) <= set(parts):
            return self.answer(404, b"<Error><Code>NoSuchUpload</Code></Error>")
        status, stored = self.store(b"".join(parts[number] for number in named), None)
        if status != 200:
            return self.error(status)
        etag = escape(stored["etag"])
        self.answer(200, f"<CompleteMultipartUploadResult><ETag>{etag}</ETag></CompleteMultipartUploadResult>".encode(),
                    {"x-goog-generation": stored["generation"]})

    def do_DELETE(self):
        self.route()
        if "uploadId" in self.query:
            with self.server.lock:
                self.server.uploads.pop(self.query["uploadId"], None)
            return self.answer(204)
        status = self.ask("DELETE", self.object_path()).status_code
        return self.answer(204) if status in (200, 204) else self.error(status)

    def do_HEAD(self):
        self.route()
        self.fetch()

    def do_GET(self):
        self.route()
        if self.name:
            return self.fetch()
        self.listing()

    def fetch(self):
        wanted = {name: self.headers[name] for name in ("Range", "If-Match") if name in self.headers}
        got = self.ask(self.command, f"/{self.bucket}/{urllib.parse.quote(self.name, safe='')}",
                       headers={**wanted, "Accept-Encoding": "identity"})
        if got.status_code >= 300:
            return self.error(got.status_code) if self.command == "GET" else self.answer(got.status_code)
        kept = {"ETag", "Last-Modified", "Content-Range", "X-Goog-Generation"}
        if self.command == "HEAD":
            kept.add("Content-Length")
        headers = {name: got.headers[name] for name in kept if name in got.headers}
        self.answer(got.status_code, got.content, headers)

    def listing(self):
        query = {"prefix": self.query.get("prefix", ""), "maxResults": self.query.get("max-keys", "1000")}
        if "start-after" in self.query:
            query["startOffset"] = self.query["start-after"] + "\0"
        if "continuation-token" in self.query:
            query["pageToken"] = self.query["continuation-token"]
        if "delimiter" in self.query:
            query["delimiter"] = self.query["delimiter"]
        listed = self.ask("GET", f"/storage/v1/b/{self.bucket}/o", params=query)
        if not listed.ok:
            return self.error(listed.status_code)
        listed = listed.json()
        parts = [f"<Contents><Key>{escape(item['name'])}</Key><Size>{item['size']}</Size><LastModified>{item['updated']}"
                 f"</LastModified><ETag>{escape(item['etag'])}</ETag></Contents>" for item in listed.get("items", [])]
        parts += [f"<CommonPrefixes><Prefix>{escape(prefix)}</Prefix></CommonPrefixes>" for prefix in listed.get("prefixes", [])]
        if "nextPageToken" in listed:
            parts.append(f"<NextContinuationToken>{escape(listed['nextPageToken'])}</NextContinuationToken>")
        self.answer(200, f"<ListBucketResult>{''.join(parts)}</ListBucketResult>".encode(), {"Content-Type": "application/xml"})
