#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What stands in deploy/ works with the programs it is for."""

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

from client import SOURCE, Client, Daemon

UNIFORM = {"policy": "uniform", "arms": ["a", "b"]}
PATH = "/v1/experiments/p"
WAIT_S = 30


def read(*path):
    with open(os.path.join(SOURCE, "deploy", *path), encoding="utf-8") as f:
        return f.read()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Deploy(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.mkdtemp(prefix="banditd-deploy-")
        self.addCleanup(shutil.rmtree, self.place)

    def daemon(self):
        d = Daemon(os.path.join(self.place, "state"))
        self.addCleanup(d.__exit__)
        return d


class Metrics(Deploy):
    def test_every_metric_is_in_a_scrape(self):
        d = self.daemon()
        c = d.client()
        self.assertEqual(c.put(PATH, UNIFORM).status, 201)
        made = c.post(PATH + "/decisions", {"id": "one"})
        self.assertEqual(made.status, 201)
        self.assertEqual(c.post(PATH + "/rewards", {"decision": "one", "reward": 1}).status, 202)
        self.assertEqual(c.post(PATH + "/decisions", {"id": "waits"}).status, 201)
        until = time.monotonic() + 20
        while "banditd_oldest_unrewarded_decision_seconds{" not in c.get("/metrics").raw.decode():
            self.assertLess(time.monotonic(), until)
            time.sleep(0.02)
        scraped = set(re.findall(r"(?m)^(\w+)[ {]", c.get("/metrics").raw.decode()))
        c.close()
        panels = json.loads(read("grafana.json"))["panels"]
        queries = [t["expr"] for p in panels for t in p["targets"]]
        queries += re.findall(r"(?m)^ +expr: (.*)$", read("alerts.yml"))
        self.assertGreater(len(queries), 15)
        for query in queries:
            for name in re.findall(r"\bbanditd_\w+", query):
                self.assertIn(name, scraped, query)

    def test_promtool_takes_the_rules(self):
        if not shutil.which("promtool"):
            self.skipTest("promtool is missing (Debian: prometheus)")
        r = subprocess.run(["promtool", "check", "rules",
                            os.path.join(SOURCE, "deploy", "alerts.yml")], text=True, check=False,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(r.returncode, 0, r.stdout)
        rules = len(re.findall(r"- alert: ", read("alerts.yml")))
        self.assertIn(f" {rules} rules found", r.stdout)

    def test_every_alert_has_its_paragraph(self):
        with open(os.path.join(SOURCE, "doc", "operations.md"), encoding="utf-8") as f:
            page = f.read()
        for name in re.findall(r"alert: (\w+)", read("alerts.yml")):
            self.assertIn(f"`{name}`", page)


class Proxies(Deploy):
    def config(self, text, daemon, port):
        path = os.path.join(self.place, "proxy.conf")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace("127.0.0.1:8080", daemon.address)
                    .replace("127.0.0.1:8000", f"127.0.0.1:{port}"))
        return path

    def serves(self, command, port):
        p = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.addCleanup(p.stderr.close)
        self.addCleanup(p.wait)
        self.addCleanup(p.terminate)
        c = Client(f"127.0.0.1:{port}")
        self.addCleanup(c.close)
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until:
            self.assertIsNone(p.poll(), p.poll() is not None and p.stderr.read())
            try:
                if c.get("/readyz").status == 200:
                    break
            except OSError:
                pass
            time.sleep(0.05)
        self.assertEqual(c.put(PATH, UNIFORM).status, 201)
        for i in range(20):
            r = c.post(PATH + "/decisions", {"id": f"d{i}"})
            self.assertEqual(r.status, 201)
            self.assertTrue(r.headers["x-request-id"])
            self.assertEqual(
                c.post(PATH + "/rewards", {"decision": f"d{i}", "reward": 1}).status, 202)
        self.assertEqual(len(c.events("p")), 41)
        self.assertEqual(c.post(PATH + "/decisions", {"eligible": ["z"]}).status, 422)
        self.assertEqual(c.get("/metrics").status, 404)

    def test_nginx(self):
        if not shutil.which("nginx"):
            self.skipTest("nginx is missing (Debian: nginx)")
        port = free_port()
        inner = self.config(read("nginx", "banditd.conf"), self.daemon(), port)
        outer = os.path.join(self.place, "nginx.conf")
        temp = "".join(f"{k}_temp_path {self.place}/{k};\n" for k in
                       ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        with open(outer, "w", encoding="utf-8") as f:
            f.write(f"daemon off;\nmaster_process off;\npid {self.place}/pid;\n"
                    f"error_log {self.place}/error;\nevents {{}}\n"
                    f"http {{\naccess_log off;\n{temp}include {inner};\n}}\n")
        self.serves(["nginx", "-p", self.place, "-e", f"{self.place}/error", "-c", outer], port)

    def test_haproxy(self):
        if not shutil.which("haproxy"):
            self.skipTest("haproxy is missing (Debian: haproxy)")
        port = free_port()
        path = self.config(read("haproxy", "banditd.cfg"), self.daemon(), port)
        subprocess.run(["haproxy", "-c", "-q", "-f", path], check=True)
        self.serves(["haproxy", "-db", "-q", "-f", path], port)


if __name__ == "__main__":
    unittest.main(verbosity=2)
