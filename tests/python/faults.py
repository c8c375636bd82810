"""How does a request to a real S3 server go wrong when a test says so?

A proxy: it counts requests and strikes the first one from a given number on to which the kind of fault applies.
"""
import collections
import http.client
import http.server
import threading
import urllib.parse

from harness import free_port

ERROR = "<?xml version='1.0'?><Error><Code>{0}</Code><Message>{0}, says the test</Message></Error>"
ANY, PUTS, WRITES = ("GET", "HEAD", "PUT", "POST", "DELETE"), ("PUT",), ("PUT", "POST", "DELETE")

# Kind: the methods it is for, and how many requests it lasts. Those of a store are repeated up to five times.
KINDS = {
    "unavailable": (ANY, 3),
    "slow_down": (ANY, 8),
    "internal": (ANY, 8),
    "timeout": (ANY, 1),
    "lost_answer": (WRITES, 1),
    "partial_body": (PUTS, 1),
    "truncated_get": (("GET",), 1),
    "stale_list": (("LIST",), 6),
    "absent_after_put": (PUTS, 4),
    "wrong_etag": (("GET", "HEAD", "PUT"), 1),
    "expired": (ANY, 6),
    "parts_left": (("COMPLETE",), 8),
    "read_only": (WRITES, 3),
    "outage": (ANY, 20),
}


class Strike:
    def __init__(self, kind, first):
        self.kind, self.first = kind, first
        self.methods, self.lasts = KINDS[kind]
        self.began, self.hit, self.path, self.over = None, 0, None, threading.Event()

    def meets(self, number, methods):
        """Whether this request is struck."""
        if self.began is None:
            if number < self.first or not methods & set(self.methods):
                return False
            self.began = number
        if number >= self.began + self.lasts:
            self.over.set()
            return False
        return number == self.began or bool(methods & set(self.methods)) or self.kind == "absent_after_put"


class Faults(http.server.ThreadingHTTPServer):
    """`with Faults(store) as faults`: a store as those of `stores`, with everything through the proxy."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, store):
        self.store, self.port = store, free_port()
        super().__init__(("127.0.0.1", self.port), Handler)
        self.lock, self.requests, self.strike_now = threading.Lock(), 0, None
        self.away = threading.Event()
        self.lists = collections.defaultdict(lambda: collections.deque(maxlen=3))
        self.seen = collections.Counter()

    @property
    def env(self):
        # Short, so that a request without an answer does not hold up the test.
        return {**self.store.env, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}", "AWS_TIMEOUT": "2s"}

    def url(self, prefix):
        return self.store.url(prefix)

    def strike(self, kind, after=0):
        """Strikes a request, the first that fits behind `after` more; gives what can be waited for."""
        with self.lock:
            self.strike_now = Strike(kind, self.requests + after)
            return self.strike_now

    def judge(self, methods, path):
        with self.lock:
            number, strike = self.requests, self.strike_now
            self.requests += 1
            if self.away.is_set():
                return "outage"
            if strike is None or not strike.meets(number, methods):
                return None
            if strike.kind == "absent_after_put":
                if strike.path is None:
                    strike.path = path
                    self.seen[strike.kind] += 1
                    return None
                return "absent" if path == strike.path and methods & {"GET", "HEAD"} else None
            self.seen[strike.kind] += 1
            return strike.kind

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def log_message(self, *_):
        pass

    def names(self):
        """What kind of request it is: its method, and what more there is to say."""
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query, keep_blank_values=True)
        names = {self.command}
        if "list-type" in query:
            names = {"LIST"}
        if self.command == "POST" and "uploadId" in query:
            names.add("COMPLETE")
        return names

    def handle_any(self):
        names, length = self.names(), int(self.headers.get("Content-Length") or 0)
        kind = self.server.judge(names, urllib.parse.urlsplit(self.path).path)
        if kind == "outage":
            return self.cut()
        if kind == "partial_body":
            self.rfile.read(length // 2)
            return self.cut()
        body = self.rfile.read(length)
        if kind == "timeout":
            self.server.strike_now.over.wait(4)  # Longer than the client waits.
            return self.cut()
        answers = {"unavailable": (503, "ServiceUnavailable"), "slow_down": (503, "SlowDown"), "internal": (500, "InternalError"),
                   "expired": (403, "ExpiredToken"), "read_only": (403, "AccessDenied"), "absent": (404, "NoSuchKey"),
                   "parts_left": (500, "InternalError")}
        if kind in answers:
            status, code = answers[kind]
            return self.answer(status, {"Content-Type": "application/xml"}, ERROR.format(code).encode())
        status, headers, body = self.forward(body)
        if kind == "lost_answer":
            return self.cut()
        if "LIST" in names and status == 200:
            with self.server.lock:
                known = self.server.lists[self.path]
                known.append(body)
                if kind == "stale_list":
                    body = known[0]
        if kind == "wrong_etag":
            headers = {name: '"00000000000000000000000000000000"' if name.lower() == "etag" else value
                       for name, value in headers.items()}
        self.answer(status, headers, body, len(body) // 2 if kind == "truncated_get" else None)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_any

    def cut(self):
        self.close_connection = True

    def forward(self, body):
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.store.port, timeout=30)
        try:
            # As it came, with its Host: the signature covers it.
            headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
            upstream.request(self.command, self.path, body=body or None, headers=headers)
            answer = upstream.getresponse()
            kept = {name: value for name, value in answer.getheaders()
                    if name.lower() not in ("connection", "transfer-encoding", "content-length", "keep-alive")}
            if self.command == "HEAD" and answer.getheader("Content-Length"):
                kept["Content-Length"] = answer.getheader("Content-Length")
            return answer.status, kept, answer.read()
        except OSError:
            return 503, {}, ERROR.format("ServiceUnavailable").encode()
        finally:
            upstream.close()

    def answer(self, status, headers, body, sent=None):
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if self.command != "HEAD" and status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(body if sent is None else body[:sent])
        if sent is not None:
            self.cut()
