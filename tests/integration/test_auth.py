#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tokens: who may do what, how often, and what the log tells of it; and what SIGHUP changes. What was
refused is recorded for test_replies.py."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import unittest

from client import BUILD, SOURCE, Daemon, NotStarted, Recorder

record = None

SCOPES = ("decide", "reward", "read", "admin")
OPEN = None
# What each route needs, and whether a token for some experiments only is kept from it: "own" those
# of others, "all" altogether, "" not at all.
ROUTES = {
    ("GET", "/v1/experiments"): ("read", ""),
    ("PUT", "/v1/experiments/{e}"): ("admin", "own"),
    ("GET", "/v1/experiments/{e}"): ("read", "own"),
    ("PATCH", "/v1/experiments/{e}"): ("admin", "own"),
    ("DELETE", "/v1/experiments/{e}"): ("admin", "own"),
    ("POST", "/v1/experiments/{e}/arms"): ("admin", "own"),
    ("GET", "/v1/experiments/{e}/arms"): ("read", "own"),
    ("PATCH", "/v1/experiments/{e}/arms/{a}"): ("admin", "own"),
    ("DELETE", "/v1/experiments/{e}/arms/{a}"): ("admin", "own"),
    ("DELETE", "/v1/experiments/{e}/groups/{g}"): ("admin", "own"),
    ("POST", "/v1/experiments/{e}/stream"): ("admin", "own"),
    ("POST", "/v1/experiments/{e}/decisions"): ("decide", "own"),
    ("GET", "/v1/experiments/{e}/decisions/{d}"): ("read", "own"),
    ("POST", "/v1/experiments/{e}/decisions/{d}/activate"): ("decide", "own"),
    ("POST", "/v1/experiments/{e}/decisions/{d}/void"): ("decide", "own"),
    ("POST", "/v1/experiments/{e}/rewards"): ("reward", "own"),
    ("GET", "/v1/experiments/{e}/stats"): ("read", "own"),
    ("GET", "/v1/experiments/{e}/plan"): ("read", "own"),
    ("GET", "/v1/experiments/{e}/events"): ("read", "own"),
    ("GET", "/v1/policies"): ("read", ""),
    ("GET", "/healthz"): (OPEN, ""),
    ("GET", "/readyz"): (OPEN, ""),
    ("GET", "/metrics"): ("read", "all"),
    ("GET", "/openapi.json"): (OPEN, ""),
    ("GET", "/problems/{code}"): (OPEN, ""),
}
UNIFORM = {"policy": "uniform", "arms": ["a", "b"]}


def bearer(token):
    return {"Authorization": "Bearer " + token} if token else {}


def setUpModule():
    global record
    record = Recorder("replies_auth.jsonl")


def tearDownModule():
    record.close()


class Rig(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.mkdtemp(prefix="banditd-auth-")
        self.addCleanup(shutil.rmtree, self.place)
        self.file = os.path.join(self.place, "tokens")
        self.tokens = []
        open(self.file, "w", encoding="utf-8").close()

    def token(self, name, scope, *options):
        """A new token, and its line in the file."""
        r = subprocess.run([os.path.join(BUILD, "bandit"), "token", "new", name, "--scope", scope,
                            *options], capture_output=True, text=True, timeout=30, check=True)
        self.assertRegex(r.stderr, r"^bdt_[A-Za-z0-9_-]{43}\n$")
        self.assertNotIn(r.stderr.strip(), r.stdout)
        with open(self.file, "a", encoding="utf-8") as f:
            f.write(r.stdout)
        self.tokens.append(r.stderr.strip())
        return r.stderr.strip()

    def daemon(self, *options):
        return Daemon(os.path.join(self.place, "state"), "--token-file", self.file, *options)

    def hang_up(self, daemon, wanted):
        """SIGHUP, and the line of the log that answers it."""
        before = daemon.log().count("msg=reload") + daemon.log().count('msg="reload')
        daemon.process.send_signal(signal.SIGHUP)
        until = time.monotonic() + 30
        while time.monotonic() < until:
            found = [x for x in daemon.log().splitlines() if "msg=reload" in x or 'msg="reload' in x]
            if len(found) > before:
                self.assertIn(wanted, found[-1])
                return found[-1]
            time.sleep(0.005)
        raise AssertionError(daemon.log())

    def no_token_told(self, daemon):
        for t in self.tokens:
            self.assertNotIn(t, daemon.log())
            for root, _, files in os.walk(os.path.join(self.place, "state")):
                for name in files:
                    with open(os.path.join(root, name), "rb") as f:
                        self.assertNotIn(t.encode(), f.read())


class Matrix(Rig):
    def test_the_table_has_every_route(self):
        with open(os.path.join(SOURCE, "schema", "openapi.json"), encoding="utf-8") as f:
            doc = json.load(f)
        self.assertEqual(set(ROUTES), {(m.upper(), p) for p, item in doc["paths"].items()
                                       for m in item if m != "parameters"})
        for (method, path), (scope, _) in ROUTES.items():
            security = doc["paths"][path][method.lower()]["security"]
            self.assertEqual(security, [{"token": [scope]}] if scope else [], (method, path))

    def test_every_cell(self):
        """Route x scope x sight: 401 without a token, 403 with the wrong one, else neither."""
        tokens = {(scope, sight): self.token(f"{scope}-{n}", scope, *(
            [] if sight == "every" else ["--experiment", sight]))
            for scope in SCOPES for n, sight in enumerate(("every", "own", "own*,x", "other"))}
        cells = 0
        with self.daemon() as d:
            c = d.client(record=record)
            admin = bearer(tokens["admin", "every"])
            for name in ("own", "foreign"):
                self.assertEqual(c.put(f"/v1/experiments/{name}", UNIFORM, headers=admin).status,
                                 201)
            for (method, path), (scope, kept) in ROUTES.items():
                for name in ("own", "foreign"):
                    target = path.replace("{e}", name).replace("{a}", "none").replace(
                        "{d}", "none").replace("{code}", "forbidden")
                    body = {} if method in ("PUT", "POST", "PATCH") else None
                    if method == "DELETE" and "{a}" not in path:
                        target += "?purge=neither"  # so that it stays
                    for (has, sight), token in [((None, ""), None), *tokens.items()]:
                        r = c.request(method, target, body, headers=bearer(token))
                        sees = sight == "every" or kept == "" or (
                            kept == "own" and name == "own" and sight != "other")
                        told = (method, path, name, has, sight, r)
                        cells += 1
                        if scope is OPEN or (has == scope and sees):
                            self.assertNotIn(r.status, (401, 403), told)
                        elif has is None:
                            self.assertEqual((r.status, r.body["code"]), (401, "unauthorised"),
                                             told)
                            self.assertEqual(r.headers["www-authenticate"],
                                             'Bearer realm="banditd"')
                        else:
                            self.assertEqual((r.status, r.body["code"]), (403, "forbidden"), told)
                            self.assertIn(f'scope="{scope}"', r.headers["www-authenticate"])
            listed = c.get("/v1/experiments", headers=bearer(tokens["read", "own"])).body["items"]
            self.assertEqual([e["experiment"] for e in listed], ["own"])
            listed = c.get("/v1/experiments", headers=bearer(tokens["read", "every"])).body["items"]
            self.assertEqual([e["experiment"] for e in listed], ["own", "foreign"])
            c.close()
            self.no_token_told(d)
            self.assertEqual(d.stop(), 0)
        self.assertEqual(cells, len(ROUTES) * 2 * (1 + 4 * 4))


class Tokens(Rig):
    def test_strangers(self):
        self.token("r", "read")
        with self.daemon() as d:
            c = d.client()
            statuses = [c.get("/v1/policies", headers=bearer("bdt_" + "x" * 43)).status
                        for _ in range(30)]
            self.assertEqual(statuses[:10], [401] * 10)
            self.assertIn(429, statuses)
            r = c.get("/v1/policies", headers=bearer(self.tokens[0]))
            self.assertEqual(r.status, 200)
            self.assertEqual(c.get("/v1/policies", headers={"Authorization": "Basic eDp5"}).status
                             in (401, 429), True)
            # A body that will be refused is not kept, and the connection goes on.
            r = c.post("/v1/experiments/e/decisions", b"x" * 500000)
            self.assertEqual(r.status, 401)
            c.close()

    def test_an_expired_token(self):
        t = self.token("r", "read", "--expires", "PT1S")
        with self.daemon() as d:
            c = d.client()
            until = time.monotonic() + 10
            while (r := c.get("/v1/policies", headers=bearer(t))).status == 200:
                self.assertLess(time.monotonic(), until)
            self.assertEqual(r.status, 401)
            c.close()

    def test_rotation(self):
        old = self.token("web-1", "read")
        with self.daemon() as d:
            c, other = d.client(), d.client()
            self.assertEqual(c.get("/v1/policies", headers=bearer(old)).status, 200)
            new = self.token("web-2", "read")
            self.assertEqual(other.get("/v1/policies", headers=bearer(new)).status, 401)
            self.hang_up(d, "msg=reloaded")
            for token in (old, new):
                self.assertEqual(c.get("/v1/policies", headers=bearer(token)).status, 200)
            with open(self.file, encoding="utf-8") as f:
                second = f.read().splitlines()[1]
            for text, wanted in (("nonsense\n", "tokens:1"), (second + "\n", "msg=reloaded")):
                with open(self.file, "w", encoding="utf-8") as f:
                    f.write(text)
                self.hang_up(d, wanted)
                self.assertEqual(c.get("/v1/policies", headers=bearer(new)).status, 200)
            self.assertEqual(c.get("/v1/policies", headers=bearer(old)).status, 401)
            c.close()
            other.close()
            self.assertEqual(d.stop(), 0)

    def test_each_request_of_a_connection_is_asked_for_its_own_token(self):
        admin, web = self.token("ops", "admin"), self.token("web", "decide")
        with self.daemon() as d:
            c = d.client()
            put = lambda name, token: c.put("/v1/experiments/" + name, UNIFORM,
                                            headers=bearer(token)).status
            self.assertEqual(put("e", admin), 201)
            socket_before = c.connection.sock
            for token, wanted in ((web, 403), ("bdt_" + 43 * "A", 401), (None, 401), (admin, 201)):
                self.assertEqual(put("f", token), wanted)
                self.assertIs(c.connection.sock, socket_before)
            self.assertEqual(c.post("/v1/experiments/e/decisions", {},
                                    headers=bearer(web)).status, 201)
            self.assertEqual(c.get("/v1/experiments/e", headers=bearer(web)).status, 403)
            c.close()
            self.assertEqual(d.stop(), 0)

    def test_a_token_that_goes_while_its_request_is_read_is_unknown(self):
        gone = self.token("gone", "admin")
        with open(self.file, encoding="utf-8") as f:
            before = f.read()
        stays = self.token("stays", "admin")
        with open(self.file, encoding="utf-8") as f:
            after = f.read()[len(before):]
        body = json.dumps(UNIFORM).encode()
        with self.daemon() as d:
            host, port = d.address.split(":")
            with socket.create_connection((host, int(port)), timeout=30) as s:
                s.sendall((f"PUT /v1/experiments/e HTTP/1.1\r\nHost: {d.address}\r\n"
                           f"Authorization: Bearer {gone}\r\nContent-Type: application/json\r\n"
                           f"Content-Length: {len(body)}\r\n\r\n").encode() + body[:5])
                c = d.client()  # answered later than the half above was read
                self.assertEqual(c.get("/v1/policies", headers=bearer(stays)).status, 403)
                with open(self.file, "w", encoding="utf-8") as f:
                    f.write(after)
                self.hang_up(d, "msg=reloaded")
                s.sendall(body[5:])
                self.assertRegex(s.recv(4096), rb"^HTTP/1.1 401 ")
            self.assertEqual(c.put("/v1/experiments/e", UNIFORM, headers=bearer(stays)).status, 201)
            c.close()
            self.assertEqual(d.stop(), 0)

    def test_beyond_loopback_tokens_are_needed(self):
        with self.assertRaises(NotStarted) as caught:
            Daemon(os.path.join(self.place, "state"), "--listen", "0.0.0.0:0")
        self.assertIn("token_file", caught.exception.log)
        with self.daemon("--listen", "0.0.0.0:0"):
            pass
        os.mkdir(os.path.join(self.place, "credentials"))
        shutil.copy(self.file, os.path.join(self.place, "credentials"))
        r = subprocess.run([os.path.join(BUILD, "banditd"), "--listen", "0.0.0.0:0",
                            "--print-config"], capture_output=True, text=True, timeout=30,
                           env={**os.environ,
                                "CREDENTIALS_DIRECTORY": os.path.join(self.place, "credentials")})
        self.assertIn("/credentials/tokens ; CREDENTIALS_DIRECTORY", r.stdout)

    def test_changes_are_audited(self):
        admin, read = self.token("ops", "admin"), self.token("r", "read")
        conf = os.path.join(self.place, "banditd.conf")
        open(conf, "w", encoding="utf-8").close()
        with self.daemon("--config", conf) as d:
            with open(conf, "w", encoding="utf-8") as f:
                f.write("log_level = error\n")
            self.hang_up(d, "msg=reloaded")
            c = d.client()
            c.put("/v1/experiments/e", UNIFORM, headers={**bearer(admin), "X-Request-Id": "one"})
            c.put("/v1/experiments/f", UNIFORM, headers={**bearer(read), "X-Request-Id": "two"})
            c.delete("/v1/experiments/e/arms/b", headers={**bearer(admin), "X-Request-Id": "three"})
            c.get("/v1/experiments/e", headers=bearer(read))
            for headers in ({}, bearer("bdt_" + 43 * "a")):  # strangers fill no log
                for _ in range(60):
                    self.assertIn(c.put("/v1/experiments/g", UNIFORM, headers=headers).status,
                                  (401, 429))
            c.close()
            self.assertEqual(d.stop(), 0)
            lines = [x for x in d.log().splitlines() if "msg=audit" in x]
            self.no_token_told(d)
        self.assertEqual(lines, [
            "<5>msg=audit token=ops request_id=one method=PUT route=/v1/experiments/{e} "
            "experiment=e status=201",
            "<5>msg=audit token=r request_id=two method=PUT route=/v1/experiments/{e} "
            "experiment=f status=403",
            "<5>msg=audit token=ops request_id=three method=DELETE "
            "route=/v1/experiments/{e}/arms/{a} experiment=e status=200 arm=b"])


class Reload(Rig):
    def test_all_or_nothing_without_dropping_a_connection(self):
        conf = os.path.join(self.place, "banditd.conf")
        t = self.token("r", "read")

        def write(text):
            with open(conf, "w", encoding="utf-8") as f:
                f.write(text)

        write("log_level = info\n")
        with self.daemon("--config", conf) as d:
            c = d.client()
            self.assertNotIn("ratelimit", c.get("/v1/policies", headers=bearer(t)).headers)
            socket_before = c.connection.sock
            for bad, wanted in (("rate_limit = 5\nnope = 1\n", "banditd.conf:2"),
                                ("rate_limit = 5\nqueue = 1\n", "banditd.conf:2"),
                                ("rate_limit = -1\n", "banditd.conf:1")):
                write(bad)
                self.hang_up(d, wanted)
                self.assertNotIn("ratelimit", c.get("/v1/policies", headers=bearer(t)).headers)
            write("rate_limit = 1000\nqueue = 20MiB\nconnections = 50\n")
            self.assertIn('needs_restart="queue connections"', self.hang_up(d, "msg=reloaded"))
            r = c.get("/v1/policies", headers=bearer(t))
            self.assertEqual(r.headers["ratelimit-policy"], '"default";q=1000;w=1')
            self.assertIn("ratelimit", r.headers)
            self.assertIs(c.connection.sock, socket_before)
            c.close()
            self.assertEqual(d.stop(), 0)

    def test_beyond_the_rate(self):
        t = self.token("r", "read")
        with self.daemon("--rate-limit", "5") as d:
            c = d.client(record=record)
            r = [c.get("/v1/policies", headers=bearer(t)) for _ in range(200)]
            refused = [x for x in r if x.status == 429]
            self.assertEqual([x.status for x in r[:5]], [200] * 5)
            self.assertEqual(r[0].headers["ratelimit"], '"default";r=4;t=1')
            self.assertTrue(refused)
            self.assertEqual(refused[0].body["code"], "rate_limited")
            self.assertEqual(refused[0].headers["retry-after"], "1")
            self.assertEqual(c.get("/healthz").status, 200)
            c.close()


@unittest.skipUnless(shutil.which("openssl"), "openssl is not installed")
class Tls(Rig):
    def certificate(self, name):
        for suffix in ("crt", "key"):
            path = os.path.join(self.place, "tls." + suffix)
            if os.path.exists(path):
                os.remove(path)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                        "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1",
                        "-keyout", os.path.join(self.place, "tls.key"),
                        "-out", os.path.join(self.place, "tls.crt")],
                       check=True, capture_output=True, timeout=60)

    def files(self):
        return ["--tls-cert", os.path.join(self.place, "tls.crt"),
                "--tls-key", os.path.join(self.place, "tls.key")]

    def connect(self, daemon):
        context = ssl.create_default_context(cafile=os.path.join(self.place, "tls.crt"))
        host, port = daemon.address.rsplit(":", 1)
        c = http.client.HTTPSConnection(host, int(port), context=context, timeout=30)
        c.connect()
        return c

    def ask(self, connection, method="GET", target="/healthz", body=None):
        connection.request(method, target, body=body, headers={"Content-Type": "application/json"}
                           if body else {})
        r = connection.getresponse()
        r.read()
        return r.status

    def test_a_new_certificate_is_for_new_connections(self):
        self.certificate("one")
        with Daemon(os.path.join(self.place, "state"), *self.files()) as d:
            first = self.connect(d)
            self.assertEqual(self.ask(first), 200)
            self.assertIn(first.sock.version(), ("TLSv1.2", "TLSv1.3"))
            big = json.dumps({"policy": "uniform", "arms": [f"arm-{i}" for i in range(30000)]})
            self.assertEqual(self.ask(first, "PUT", "/v1/experiments/big", big), 201)
            before = first.sock.getpeercert()["subject"]
            sock = first.sock
            self.certificate("two")
            self.hang_up(d, "msg=reloaded")
            second = self.connect(d)  # trusts the new one alone
            self.assertNotEqual(second.sock.getpeercert()["subject"], before)
            self.assertEqual(self.ask(second), 200)
            self.assertEqual(self.ask(first), 200)
            self.assertIs(first.sock, sock)
            with open(os.path.join(self.place, "tls.key"), "w", encoding="utf-8") as f:
                f.write("no key\n")
            self.hang_up(d, "reload refused")
            third = self.connect(d)
            self.assertEqual(self.ask(third), 200)
            for c in (first, second, third):
                c.close()
            plain = d.client(timeout=5)
            with self.assertRaises((OSError, http.client.HTTPException)):
                plain.get("/healthz")
            self.assertEqual(d.stop(), 0)

    def test_curl(self):
        self.certificate("curl")
        with Daemon(os.path.join(self.place, "state"), *self.files()) as d:
            r = subprocess.run(["curl", "-sS", "--cacert", os.path.join(self.place, "tls.crt"),
                                f"https://{d.address}/healthz"], capture_output=True, text=True,
                               timeout=30)
            self.assertEqual(r.returncode, 0, r.stderr)
            self.assertEqual(d.stop(), 0)

    def test_what_does_not_belong_together_is_refused(self):
        self.certificate("one")
        shutil.copy(os.path.join(self.place, "tls.key"), os.path.join(self.place, "old.key"))
        self.certificate("two")
        for options in (["--tls-cert", os.path.join(self.place, "tls.crt")],
                        [*self.files()[:3], os.path.join(self.place, "old.key")],
                        [*self.files()[:3], "/nonexistent"]):
            with self.assertRaises(NotStarted):
                Daemon(os.path.join(self.place, "state"), *options)


class Origin(Rig):
    ASK = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    PATH = "/v1/experiments/e/decisions"

    def test_no_page_may_call_unless_told(self):
        with self.daemon() as d:
            c = d.client()
            r = c.request("OPTIONS", self.PATH, headers=self.ASK)
            self.assertEqual(r.status, 405)
            self.assertFalse([h for h in r.headers if h.startswith("access-control")])
            c.close()

    def test_the_pages_of_one_origin_may(self):
        with self.daemon("--cors-origin", "https://a.example") as d:
            c = d.client()
            r = c.request("OPTIONS", self.PATH, headers=self.ASK)
            self.assertEqual(r.status, 204)
            self.assertEqual(r.headers["access-control-allow-origin"], "https://a.example")
            self.assertIn("POST", r.headers["access-control-allow-methods"])
            r = c.request("OPTIONS", self.PATH, headers={**self.ASK, "Origin": "https://b.example"})
            self.assertEqual(r.status, 405)
            self.assertNotIn("access-control-allow-origin", r.headers)
            r = c.get("/healthz", headers={"Origin": "https://a.example"})
            self.assertEqual(r.headers["access-control-allow-origin"], "https://a.example")
            c.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
