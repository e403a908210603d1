#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Speaks raw bytes to the server: what a proxy and we might read differently is refused, slow and
greedy clients are shut, and any number of ready connections is served.

Runs against build/echo with short deadlines, or against BANDITD_ADDRESS (host:port), where the
tests that need short deadlines are left out."""

import json
import os
import re
import select
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

BUILD = os.environ.get("BUILDDIR", "build")
BODY_LIMIT = 65536
REQUEST_S, REPLY_S, IDLE_S = 0.6, 0.8, 1.5
POST = "/v1/experiments/framing/decisions"
GET = b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"


class Server:
    """An echo of our own, or the address we were given."""

    def __init__(self, *options, descriptors=None):
        given = os.environ.get("BANDITD_ADDRESS")
        self.given = given is not None
        self.process = None
        self.address = given
        if not given:
            arguments = [os.path.join(BUILD, "echo"), "--body-limit", str(BODY_LIMIT),
                         "--request-timeout", str(int(REQUEST_S * 1000)),
                         "--reply-timeout", str(int(REPLY_S * 1000)),
                         "--idle-timeout", str(int(IDLE_S * 1000)), *options]
            if descriptors:
                arguments = ["prlimit", f"--nofile={descriptors}", *arguments]
            self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
            self.address = self.process.stdout.readline().strip()

    def connect(self):
        if self.address.startswith("unix:"):
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(5)
            s.connect(self.address[5:])
            return s
        host, port = self.address.rsplit(":", 1)
        return socket.create_connection((host.strip("[]"), int(port)), timeout=5)

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            code = self.process.wait(10)
            self.process.stdout.close()
            return code
        return 0


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body


def read_reply(f, head=False):
    """One reply, or None at the end of the stream."""
    line = f.readline()
    if not line:
        return None
    status = int(line.split()[1])
    headers = {}
    while (line := f.readline()) not in (b"\r\n", b""):
        name, value = line.decode("latin-1").rstrip("\r\n").split(":", 1)
        headers[name.lower()] = value.strip()
    if status == 100:
        return Reply(status, headers, b"")
    body = b""
    if head:
        pass
    elif headers.get("transfer-encoding") == "chunked":
        while (size := int(f.readline(), 16)) > 0:
            body += f.read(size)
            f.readline()
        f.readline()
    else:
        body = f.read(int(headers.get("content-length", 0)))
    return Reply(status, headers, body)


def post(headers, body=b"", path=POST, version="HTTP/1.1", host=b"Host: h\r\n"):
    return f"POST {path} {version}\r\n".encode() + host + headers + b"\r\n" + body


# What must be refused. A second request follows each in the same bytes: it must not be answered.
REFUSED = {
    "length and encoding": post(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
    "encoding and length": post(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n"),
    "two unlike lengths": post(b"Content-Length: 2\r\nContent-Length: 3\r\n", b"{} "),
    "two equal lengths": post(b"Content-Length: 2\r\nContent-Length: 2\r\n", b"{}"),
    "a list of lengths": post(b"Content-Length: 2, 2\r\n", b"{}"),
    "space before the colon": post(b"Content-Length : 2\r\n", b"{}"),
    "tab before the colon": post(b"Content-Length\t: 2\r\n", b"{}"),
    "signed length": post(b"Content-Length: +2\r\n", b"{}"),
    "negative length": post(b"Content-Length: -2\r\n", b"{}"),
    "hexadecimal length": post(b"Content-Length: 0x2\r\n", b"{}"),
    "empty length": post(b"Content-Length: \r\n", b"{}"),
    "length beyond 64 bits": post(b"Content-Length: 99999999999999999999\r\n", b"{}"),
    "two hosts": post(b"Host: other\r\n"),
    "two equal hosts": post(b"Host: h\r\n"),
    "no host": post(b"", host=b""),
    "two hosts in 1.0": post(b"Host: other\r\n", version="HTTP/1.0"),
    "gzip, chunked": post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n"),
    "identity": post(b"Transfer-Encoding: identity\r\n"),
    "chunked twice": post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                          b"0\r\n\r\n"),
    "chunked, chunked": post(b"Transfer-Encoding: chunked, chunked\r\n", b"0\r\n\r\n"),
    "chunked with a vertical tab": post(b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n"),
    "chunked in 1.0": post(b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n", version="HTTP/1.0"),
    "space in a name": post(b"X Y: 1\r\n"),
    "brackets in a name": post(b"X(Y): 1\r\n"),
    "control byte in a name": post(b"X\x01Y: 1\r\n"),
    "high byte in a name": post(b"X\xe9: 1\r\n"),
    "control byte in a value": post(b"X: a\x01b\r\n"),
    "delete in a value": post(b"X: a\x7fb\r\n"),
    "line without a colon": post(b"nothing\r\n"),
    "no name": post(b": 1\r\n"),
    "no name, before another": post(b": 1\r\nX: 1\r\n"),
    "folded line": post(b"X: a\r\n b\r\n"),
    "folded line with a tab": post(b"X: a\r\n\tb\r\n"),
    "folded empty line": post(b"X: a\r\n \r\n"),
    "folded first line": post(b"", host=b" X: a\r\nHost: h\r\n"),
    "folded length": post(b"Content-Length: 1\r\n 0\r\n", b"0123456789"),
    "name folded into a length": post(b"Content-Lengt: 3\r\n h\r\n", b"{} "),
    "zero byte in a value": post(b"X: a\0b\r\n"),
    "zero byte in a value, before another": post(b"X: a\0b\r\nY: 1\r\n"),
    "zero byte in a length": post(b"Content-Length: 2\x005\r\n", b"{}"),
    "zero bytes in a row": post(b"X: a\0\0\0\0\r\n"),
    "zero byte in a name": post(b"X\0Y: 1\r\n"),
    "zero byte in the version": b"GET / HTTP/1.1\0x\r\nHost: h\r\n\r\n",
    "zero byte in the path": b"GET /a\0b HTTP/1.1\r\nHost: h\r\n\r\n",
    "carriage return in a value": post(b"X: a\rb\r\n"),
    "bare line feeds": b"GET / HTTP/1.1\nHost: h\n\n",
    "bare line feed after a header": post(b"X: 1\nY: 1\r\n"),
    "bare line feed at the end": b"GET / HTTP/1.1\r\nHost: h\r\n\n",
    "authorization twice": post(b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n"),
    "idempotency key twice": post(b"Idempotency-Key: a\r\nIdempotency-Key: b\r\n"),
    "authority form": b"GET h:80 HTTP/1.1\r\nHost: h\r\n\r\n",
    "asterisk": b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
    "absolute form without a host": b"GET http:///healthz HTTP/1.1\r\nHost: h\r\n\r\n",
    "another scheme": b"GET file:///etc/passwd HTTP/1.1\r\nHost: h\r\n\r\n",
    "space in the path": b"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n",
    "high byte in the path": b"GET /\xc3\xa9 HTTP/1.1\r\nHost: h\r\n\r\n",
    "zero byte in the query": b"GET /?a=b%00c HTTP/1.1\r\nHost: h\r\n\r\n",
    "chunk size is not a number": post(b"Transfer-Encoding: chunked\r\n", b"zz\r\n{}\r\n0\r\n\r\n"),
    "chunk size beyond 64 bits": post(b"Transfer-Encoding: chunked\r\n",
                                      b"10000000000000000\r\n{}\r\n0\r\n\r\n"),
    "negative chunk size": post(b"Transfer-Encoding: chunked\r\n", b"-2\r\n{}\r\n0\r\n\r\n"),
    "HTTP/2.0": b"GET / HTTP/2.0\r\nHost: h\r\n\r\n",
    "no version": b"GET /\r\nHost: h\r\n\r\n",
    "unknown method": b"BREW / HTTP/1.1\r\nHost: h\r\n\r\n",
    "CONNECT": b"CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n",
    "TRACE": b"TRACE / HTTP/1.1\r\nHost: h\r\n\r\n",
    "head of 64 KiB": b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"x" * 65536 + b"\r\n\r\n",
    "many small headers": b"GET / HTTP/1.1\r\nHost: h\r\n" + b"X: y\r\n" * 10000 + b"\r\n",
    "target of 64 KiB": b"GET /" + b"x" * 65536 + b" HTTP/1.1\r\nHost: h\r\n\r\n",
    "64 KiB of garbage": bytes(range(1, 256)) * 257,
    "64 KiB of garbage in one line": b"\xff" * 65536,
}


class Framing(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        spec = json.dumps({"policy": {"name": "ucb1"}, "arms": ["a0", "a1"]}).encode()
        with cls.server.connect() as s, s.makefile("rb") as f:
            s.sendall(f"PUT /v1/experiments/framing HTTP/1.1\r\nHost: h\r\nContent-Type: "
                      f"application/json\r\nContent-Length: {len(spec)}\r\n\r\n".encode() + spec)
            assert read_reply(f).status in (200, 201)

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == 0

    def setUp(self):
        self.s = self.server.connect()
        self.f = self.s.makefile("rb")

    def tearDown(self):
        self.f.close()
        self.s.close()

    def send(self, data):
        self.s.sendall(data)

    def reply(self, head=False):
        return read_reply(self.f, head)

    def closed(self, within=5.0):
        self.s.settimeout(within)
        try:
            return self.f.read(1) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False

    def body(self, n=2, extra=b""):
        return post(b"Content-Type: application/json\r\n" + extra +
                    f"Content-Length: {n}\r\n".encode(), b"{}".ljust(n))

    # --- refused -------------------------------------------------------------------------------

    def test_unsound_requests_are_refused_and_the_connection_closed(self):
        for name, data in REFUSED.items():
            with self.subTest(name), self.server.connect() as s:
                got = b""
                try:
                    s.sendall(data + b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n")
                    s.shutdown(socket.SHUT_WR)
                    while piece := s.recv(65536):
                        got += piece
                except OSError:
                    pass  # closed with our bytes unread: the answer may be lost, too
                self.assertNotIn(b"smuggled", got)
                self.assertNotIn(b"not a JSON", got)
                for status in re.findall(rb"HTTP/1.1 (\d+)", got):
                    self.assertIn(status, [b"400", b"413", b"414", b"431", b"501", b"505"])
                if got:
                    self.assertIn(b"Connection: close", got)

    def test_refusals_are_problem_documents(self):
        self.send(post(b"", host=b""))
        r = self.reply()
        self.assertEqual(r.status, 400)
        self.assertEqual(r.headers["content-type"], "application/problem+json")
        self.assertEqual(json.loads(r.body)["request_id"], r.headers["x-request-id"])
        self.assertTrue(self.closed())

    # --- not refused: what happens instead ------------------------------------------------------

    def test_a_spurious_empty_line_before_a_request_is_skipped(self):
        self.send(b"\r\n\r\n" + GET)
        self.assertIn(self.reply().status, (200, 404))

    def test_the_absolute_form_means_its_path(self):
        self.send(b"GET http://h:80/no/such HTTP/1.1\r\nHost: h\r\n\r\n")
        r = self.reply()
        self.assertEqual(r.status, 404)
        self.assertNotIn(b"http://", r.body)

    def test_only_what_may_stand_in_an_id_is_decoded(self):
        if self.server.given:
            self.skipTest("looks into echo's answer")
        self.send(b"GET /a%3Ab%2Fc%00%2e HTTP/1.1\r\nHost: h\r\n\r\n")
        self.assertEqual(json.loads(self.reply().body)["detail"], "/a:b%2Fc%00.")

    def test_http_1_0_needs_no_host_and_is_closed(self):
        self.send(b"GET /healthz HTTP/1.0\r\n\r\n")
        self.assertIn(self.reply().status, (200, 404))
        self.assertTrue(self.closed())

    def test_head_has_no_body(self):
        self.send(b"HEAD /no/such HTTP/1.1\r\nHost: h\r\n\r\n" + GET)
        self.assertEqual(self.reply(head=True).status, 404)
        self.assertIn(self.reply().status, (200, 404))

    def test_request_ids_are_echoed_when_sound_and_made_when_not(self):
        for sent, same in ((b"a.B_9-", True), (b"x" * 64, True), (b"x" * 65, False),
                           (b"a b", False), (b"", False)):
            self.send(b"GET /healthz HTTP/1.1\r\nHost: h\r\nX-Request-Id: " + sent + b"\r\n\r\n")
            got = self.reply().headers["x-request-id"]
            self.assertEqual(got == sent.decode(), same)
            self.assertRegex(got, r"^[A-Za-z0-9._-]{1,64}$")

    # --- keep-alive, pipelining, pieces ---------------------------------------------------------

    def test_pipelined_requests_are_answered_in_order(self):
        if self.server.given:
            self.skipTest("looks into echo's answer")
        n = 50
        self.send(b"".join(b"GET /p%d HTTP/1.1\r\nHost: h\r\n\r\n" % i + self.body()
                           for i in range(n)))
        for i in range(n):
            self.assertEqual(json.loads(self.reply().body)["detail"], f"/p{i}")
            self.assertEqual(self.reply().status, 201)

    def test_a_request_may_come_in_any_pieces(self):
        data = self.body(300)
        for cut in (1, 7, 64, 150):
            for at in range(0, len(data), cut):
                self.send(data[at:at + cut])
                if cut > 1:
                    time.sleep(0.001)
            self.assertLess(self.reply().status, 300)

    def test_a_head_of_8_kib_is_taken(self):
        for n in (1000, 4000, 8000):
            for pieces in (1, 5):
                data = post(b"X: " + b"x" * n + b"\r\nContent-Length: 2\r\n", b"{}")
                for i in range(pieces):
                    self.send(data[len(data) * i // pieces:len(data) * (i + 1) // pieces])
                    time.sleep(0.005)
                self.assertLess(self.reply().status, 300)

    def test_a_half_closed_client_still_gets_its_answer(self):
        self.send(self.body())
        self.s.shutdown(socket.SHUT_WR)
        self.assertLess(self.reply().status, 300)
        self.assertTrue(self.closed())

    # --- bodies ---------------------------------------------------------------------------------

    def test_chunked_bodies_with_extensions_and_trailers_are_taken(self):
        self.send(post(b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n",
                       b"1;x=y\r\n{\r\n1\r\n}\r\n0\r\nX: trailer\r\n\r\n") + GET)
        self.assertLess(self.reply().status, 300)
        self.assertIn(self.reply().status, (200, 404))

    def large(self):
        return 2 * BODY_LIMIT if not self.server.given else 900_000

    def test_a_declared_body_over_the_limit_is_413(self):
        if self.server.given:
            self.skipTest("needs a known limit")
        self.send(self.body(BODY_LIMIT))
        self.assertEqual(self.reply().status, 201)
        self.send(self.body(BODY_LIMIT + 1))
        self.assertEqual(self.reply().status, 413)
        self.send(GET)
        self.assertIn(self.reply().status, (200, 404))

    def test_a_chunked_body_over_the_limit_is_413(self):
        if self.server.given:
            self.skipTest("needs a known limit")
        chunk = b"1000\r\n" + b" " * 4096 + b"\r\n"
        self.send(post(b"Transfer-Encoding: chunked\r\n", chunk * 20 + b"0\r\n\r\n"))
        self.assertEqual(self.reply().status, 413)

    def test_a_gigabyte_is_refused_unread(self):
        self.send(post(b"Content-Length: 1073741824\r\n"))
        self.assertEqual(self.reply().status, 413)
        self.assertTrue(self.closed())

    def test_an_endless_chunked_body_is_cut_off(self):
        self.send(post(b"Transfer-Encoding: chunked\r\n"))
        chunk, sent = b"10000\r\n" + b" " * 65536 + b"\r\n", 0
        try:
            while sent < 64 * 1024 * 1024:
                self.send(chunk)
                sent += len(chunk)
        except OSError:
            pass
        self.assertLess(sent, 64 * 1024 * 1024)

    def test_expect_is_answered_only_for_a_body_we_take(self):
        self.send(post(b"Expect: 100-continue\r\nContent-Length: 2\r\n"))
        self.assertEqual(self.reply().status, 100)
        self.send(b"{}")
        self.assertNotEqual(self.reply().status, 413)
        with self.server.connect() as s, s.makefile("rb") as f:
            s.sendall(post(f"Expect: 100-continue\r\nContent-Length: {1 << 28}\r\n".encode()))
            self.assertEqual(read_reply(f).status, 413)

    def test_a_body_nobody_takes_is_dropped(self):
        self.send(b"GET /no/such HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n12345" + GET)
        self.assertEqual(self.reply().status, 404)
        self.assertIn(self.reply().status, (200, 404))

    # --- deadlines ------------------------------------------------------------------------------

    def needs_deadlines(self):
        if self.server.given:
            self.skipTest("needs short deadlines")

    def dribble(self, data):
        """Seconds until we are shut while sending a byte every 50 ms."""
        began = time.monotonic()
        for i in range(len(data)):
            if select.select([self.s], [], [], 0.05)[0]:
                break
            try:
                self.send(data[i:i + 1])
            except OSError:
                break
        return time.monotonic() - began

    def test_a_slow_head_is_shut(self):
        self.needs_deadlines()
        took = self.dribble(b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"x" * 200)
        self.assertTrue(REQUEST_S * 0.9 < took < REQUEST_S + 0.6, took)
        self.assertTrue(self.closed())

    def test_a_slow_body_is_shut(self):
        self.needs_deadlines()
        self.send(GET)
        self.reply()
        self.send(post(b"Content-Length: 200\r\n"))
        took = self.dribble(b"x" * 200)
        self.assertTrue(REQUEST_S * 0.9 < took < REQUEST_S + 0.6, took)

    def test_a_silent_connection_is_shut(self):
        self.needs_deadlines()
        self.assertTrue(self.closed(REQUEST_S + 0.6))

    def test_an_idle_connection_is_shut_later(self):
        self.needs_deadlines()
        self.send(GET)
        self.reply()
        self.assertFalse(self.closed(REQUEST_S + 0.4))

    def test_an_idle_connection_is_shut_in_the_end(self):
        self.needs_deadlines()
        self.send(GET)
        self.reply()
        self.assertTrue(self.closed(IDLE_S + 0.6))

    def test_a_client_that_does_not_read_is_shut(self):
        self.needs_deadlines()
        self.send(b"GET /large?bytes=50000000 HTTP/1.1\r\nHost: h\r\n\r\n")
        time.sleep(REPLY_S + 0.6)
        got = 0
        try:
            while piece := self.s.recv(1 << 20):
                got += len(piece)
        except ConnectionError:
            pass
        self.assertLess(got, 50_000_000)

    # --- many at once ---------------------------------------------------------------------------

    def test_any_number_of_ready_connections_is_served(self):
        for n in (127, 128, 129, 256, 512):
            with self.subTest(n):
                conns = [self.server.connect() for _ in range(n)]
                files = [c.makefile("rb") for c in conns]
                began = time.monotonic()
                for _ in range(5):
                    for c in conns:
                        c.sendall(GET)
                    for f in files:
                        self.assertIn(read_reply(f).status, (200, 404))
                for c, f in zip(conns, files):
                    f.close()
                    c.close()
                self.assertLess(time.monotonic() - began, 5)


class Own(unittest.TestCase):
    """Servers with options of their own; echo pretends to have a store."""

    def start(self, *options, **more):
        if os.environ.get("BANDITD_ADDRESS"):
            self.skipTest("needs a server with other options")
        server = Server(*options, **more)
        self.addCleanup(lambda: self.assertIn(server.stop(), (0, -signal.SIGKILL)))
        return server

    def test_replies_wait_until_they_are_durable(self):
        server = self.start("--commit-us", "1000000")
        with server.connect() as s, s.makefile("rb") as f:
            began = time.monotonic()
            s.sendall(post(b"Content-Length: 2\r\n", b"{}"))
            self.assertEqual(read_reply(f).status, 201)
            self.assertGreater(time.monotonic() - began, 0.9)
            s.sendall(GET)
            began = time.monotonic()
            read_reply(f)
            self.assertLess(time.monotonic() - began, 0.9)

    def test_waiting_replies_do_not_hold_up_others(self):
        server = self.start("--commit-us", "2000000")
        waiting = [server.connect() for _ in range(200)]
        for s in waiting:
            s.sendall(post(b"Content-Length: 2\r\n", b"{}"))
        with server.connect() as s, s.makefile("rb") as f:
            for _ in range(100):
                s.sendall(GET)
                read_reply(f)
            self.assertEqual(select.select(waiting, [], [], 0)[0], [])
        waiting[0].close()  # gone before its answer
        for s in waiting[1:]:
            with s, s.makefile("rb") as f:
                self.assertEqual(read_reply(f).status, 201)

    def test_after_a_failure_everyone_waiting_gets_503(self):
        server = self.start("--commit-us", "50000", "--fail-after", "2")
        with server.connect() as a, server.connect() as b, a.makefile("rb") as fa, \
                b.makefile("rb") as fb:
            a.sendall(post(b"Content-Length: 2\r\n", b"{}"))
            self.assertEqual(read_reply(fa).status, 201)
            a.sendall(post(b"Content-Length: 2\r\n", b"{}") + GET)
            b.sendall(post(b"Content-Length: 2\r\n", b"{}"))
            self.assertEqual(read_reply(fa).status, 503)
            self.assertEqual(read_reply(fa).status, 404)
            self.assertEqual(read_reply(fb).status, 503)

    def test_streams_send_what_comes_and_notice_who_goes(self):
        server = self.start("--commit-us", "20000")
        with server.connect() as s, s.makefile("rb") as f:
            s.sendall(b"GET /stream?lines=10 HTTP/1.1\r\nHost: h\r\n\r\n" + GET)
            r = read_reply(f)
            self.assertEqual(r.body.count(b"\n"), 10)
            self.assertEqual(read_reply(f).status, 404)
        gone = server.connect()
        gone.sendall(b"GET /stream?lines=100000 HTTP/1.1\r\nHost: h\r\n\r\n")
        gone.recv(100)
        gone.close()
        with server.connect() as s, s.makefile("rb") as f:
            s.sendall(b"GET /stream?lines=3 HTTP/1.0\r\n\r\n")
            self.assertEqual(f.read().count(b"left"), 3)

    def test_a_stop_finishes_what_was_begun(self):
        server = self.start("--commit-us", "300000")
        with server.connect() as busy, server.connect() as idle, server.connect() as stream, \
                server.connect() as late, \
                busy.makefile("rb") as f, late.makefile("rb") as fl, \
                idle.makefile("rb") as fi:
            for s, replies in ((late, fl), (idle, fi)):
                s.sendall(GET)
                read_reply(replies)
            late.sendall(post(b"Content-Length: 2\r\n", b"{"))
            stream.sendall(b"GET /stream?lines=1000 HTTP/1.1\r\nHost: h\r\n\r\n")
            busy.sendall(post(b"Content-Length: 2\r\n", b"{}"))
            time.sleep(0.1)
            code = []
            stopper = threading.Thread(target=lambda: code.append(server.stop()))
            stopper.start()
            self.assertEqual(fi.read(1), b"")
            late.sendall(b"}")
            for r in (read_reply(f), read_reply(fl)):
                self.assertEqual(r.status, 201)
                self.assertEqual(r.headers["connection"], "close")
            stopper.join()
            self.assertEqual(code, [0])

    def crowd(self, server, n):
        """n clients, more than fit: some are served at once, all in the end."""
        clients = [server.connect() for _ in range(n)]
        for s in clients:
            s.sendall(GET)
        served = 0
        while clients:
            ready = select.select(clients, [], [], 3)[0]
            self.assertTrue(ready, f"stuck after {served} of {n}")
            for s in ready:
                with s, s.makefile("rb") as f:
                    self.assertEqual(read_reply(f).status, 404)
                clients.remove(s)
                served += 1

    def test_connections_over_the_limit_wait_their_turn(self):
        self.crowd(self.start("--connections", "8"), 50)

    def test_running_out_of_descriptors_is_survived(self):
        self.crowd(self.start(descriptors=32), 100)

    def test_unix_sockets_replace_a_stale_file_but_not_a_live_one(self):
        with tempfile.TemporaryDirectory() as d:
            path = os.path.join(d, "s")
            server = self.start("--listen", "unix:" + path)
            with server.connect() as s, s.makefile("rb") as f:
                s.sendall(GET)
                self.assertEqual(read_reply(f).status, 404)
            second = subprocess.run([os.path.join(BUILD, "echo"), "--listen", "unix:" + path],
                                    capture_output=True, timeout=5, check=False)
            self.assertEqual(second.returncode, 1)
            server.process.kill()
            server.process.wait()
            self.assertTrue(os.path.exists(path))
            third = self.start("--listen", "unix:" + path)
            with third.connect() as s, s.makefile("rb") as f:
                s.sendall(GET)
                self.assertEqual(read_reply(f).status, 404)
            third.stop()
            self.assertFalse(os.path.exists(path))


if __name__ == "__main__":
    unittest.main()
