# SPDX-License-Identifier: Apache-2.0
"""What the integration tests share: a client that speaks HTTP and can record what it saw, and a
daemon of our own on a free port."""

import http.client
import json
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
import urllib.parse

BUILD = os.environ.get("BUILDDIR", "build")
SOURCE = os.environ.get("SRCDIR", ".")
JSON_TYPE = "application/json"
NDJSON_TYPE = "application/x-ndjson"
PATCH_TYPE = "application/merge-patch+json"
START_S = 30


class Reply:
    """Status, headers (names in lower case), the parsed body; text and bytes for those who ask."""

    def __init__(self, status, headers, raw):
        self.status, self.headers, self.raw = status, headers, raw
        self.body = parse(headers.get("content-type", ""), raw)

    def __iter__(self):
        return iter((self.status, self.headers, self.body))

    def __repr__(self):
        return f"<{self.status} {self.raw[:400]!r}>"


def parse(content_type, raw):
    kind = content_type.split(";")[0]
    if not raw:
        return [] if kind == NDJSON_TYPE else None
    if kind == NDJSON_TYPE:
        return [json.loads(line) for line in raw.decode().splitlines()]
    if kind.endswith("json"):
        return json.loads(raw)
    return raw.decode()


def lines(items):
    """NDJSON of what is JSON, and of text as it is."""
    return "".join((i if isinstance(i, str) else json.dumps(i)) + "\n" for i in items)


class Recorder:
    """Exchanges as JSON Lines, for test_replies.py to hold them to the API's document."""

    def __init__(self, name):
        place = os.path.join(BUILD, "tests", "integration")
        os.makedirs(place, exist_ok=True)
        self.file = open(os.path.join(place, name), "w", encoding="utf-8")
        self.lock = threading.Lock()

    def add(self, method, target, reply, sent=None):
        line = {"method": method, "path": target, "status": reply.status,
                "headers": reply.headers, "body": reply.body}
        if sent is not None:
            line["sent"] = sent
        with self.lock:
            self.file.write(json.dumps(line) + "\n")

    def close(self):
        self.file.close()


class Client:
    """One kept-alive connection. Not for several threads at once."""

    def __init__(self, address, record=None, timeout=30):
        self.address, self.record, self.timeout = address, record, timeout
        self.connection = None

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None

    def connect(self):
        if not self.connection:
            host, port = self.address.rsplit(":", 1)
            self.connection = http.client.HTTPConnection(host.strip("[]"), int(port),
                                                         timeout=self.timeout)
        return self.connection

    def request(self, method, target, body=None, headers=None, kind=None):
        """Body: anything JSON, or bytes or text as they are. Raises OSError or HTTPException when
        there was no answer."""
        headers = dict(headers or {})
        given = body is not None
        data = body
        if given and not isinstance(body, (bytes, str)):
            data = json.dumps(body)
        if isinstance(data, str):
            data = data.encode()
        if given and kind != "":
            headers.setdefault("Content-Type", kind or JSON_TYPE)
        try:
            c = self.connect()
            c.request(method, target, body=data, headers=headers)
            r = c.getresponse()
            raw = r.read()
        except BaseException:
            self.close()
            raise
        reply = Reply(r.status, {k.lower(): v for k, v in r.getheaders()}, raw)
        if r.will_close:
            self.close()
        if self.record:
            plain = given and not isinstance(body, (bytes, str))
            self.record.add(method, target, reply, body if plain else None)
        return reply

    def get(self, target, **more):
        return self.request("GET", target, **more)

    def head(self, target, **more):
        return self.request("HEAD", target, **more)

    def put(self, target, body=None, **more):
        return self.request("PUT", target, body, **more)

    def post(self, target, body=None, **more):
        return self.request("POST", target, body, **more)

    def patch(self, target, body=None, **more):
        more.setdefault("kind", PATCH_TYPE)
        return self.request("PATCH", target, body, **more)

    def delete(self, target, **more):
        return self.request("DELETE", target, **more)

    def post_lines(self, target, items, **more):
        return self.request("POST", target, lines(items), kind=NDJSON_TYPE, **more)

    def pages(self, target, limit):
        """Every item of a list, page by page, by following Link."""
        target = f"{target}?limit={limit}"
        while target:
            r = self.get(target)
            assert r.status == 200, r
            yield from r.body["items"]
            link = r.headers.get("link")
            assert (link is None) == (r.body["next"] is None), r
            target = re.match(r"<(.*)>; rel=\"next\"$", link).group(1) if link else None

    def events(self, experiment):
        """The whole log that is on disk."""
        path = f"/v1/experiments/{urllib.parse.quote(experiment)}/events?limit=1000000000"
        r = self.get(path)
        assert r.status == 200, r
        return r.body


class NotStarted(Exception):
    """The daemon ended instead of listening."""

    def __init__(self, code, log):
        super().__init__(f"exit {code}: {log}")
        self.code, self.log = code, log


class Daemon:
    """A daemon on a port of its own. With the same state directory again: a restart."""

    def __init__(self, state_dir, *options):
        self.state_dir = state_dir
        self.stderr = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "banditd"), "--listen", "127.0.0.1:0", "--state", state_dir,
             *options], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.stderr)
        try:
            self.address = self.wait_listening()
        except NotStarted:
            self.stderr.close()
            raise

    def wait_listening(self):
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            found = re.search(
                r'(?:msg=listening address=|"listening","address":")([^\s"]+)', self.log())
            if found:
                return found.group(1)
            if self.process.poll() is not None:
                break
            time.sleep(0.005)
        if self.process.poll() is None:
            self.kill()
        raise NotStarted(self.process.returncode, self.log())

    def log(self):
        return os.pread(self.stderr.fileno(), 1 << 24, 0).decode("utf-8", "replace")

    def client(self, **more):
        return Client(self.address, **more)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def kill(self):
        self.process.kill()
        return self.process.wait(30)

    def __enter__(self):
        return self

    def __exit__(self, *why):
        if self.process.poll() is None:
            self.kill()
        self.stderr.close()
