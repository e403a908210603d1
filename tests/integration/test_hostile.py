#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Clients that mean harm: others go on being answered, and memory stays within a limit. The ratio
of the slowest answers with and without them is printed; what is asserted of it is generous."""

import os
import resource
import shutil
import socket
import tempfile
import threading
import time
import unittest

from client import Daemon

UNIFORM = {"policy": "uniform", "arms": ["a", "b"]}
PATH = "/v1/experiments/h"
MEMORY_MAX = 600 << 20  # 256 MiB of bodies, 10,000 connections of 16 KiB, and the program
SANITIZER = os.environ.get("BANDIT_SANITIZER")  # has memory of its own for each byte
SLOWEST_S = 5
ASKED = 200
MIB = 1 << 20


class Hostile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        cls.addClassCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        cls.room = min(10000, hard - 200)
        cls.state = tempfile.mkdtemp(prefix="banditd-hostile-")
        cls.addClassCleanup(shutil.rmtree, cls.state)
        cls.daemon = Daemon(cls.state, "--connections", "12000", "--request-timeout", "60s")
        cls.addClassCleanup(cls.daemon.__exit__)
        cls.client = cls.daemon.client()
        cls.addClassCleanup(cls.client.close)
        assert cls.client.put(PATH, UNIFORM).status == 201
        cls.p99()  # warm
        cls.calm = cls.p99()

    @classmethod
    def p99(cls):
        """Of decisions, by a client that means no harm; each must succeed."""
        took = []
        for _ in range(ASKED):
            start = time.monotonic()
            status = cls.client.post(PATH + "/decisions", {}).status
            took.append(time.monotonic() - start)
            assert status == 201, status
        return sorted(took)[int(ASKED * 0.99)]

    def memory(self):
        with open(f"/proc/{self.daemon.process.pid}/status", encoding="ascii") as f:
            return next(int(x.split()[1]) for x in f if x.startswith("VmRSS")) * 1024

    def others_go_on(self, what):
        worse = self.p99()
        memory = self.memory()
        print(f"{what}: p99 {worse * 1e3:.2f} ms, {worse / self.calm:.1f} times the calm one, "
              f"{memory / MIB:.0f} MiB")
        self.assertLess(worse, SLOWEST_S)
        if not SANITIZER:
            self.assertLess(memory, MEMORY_MAX)

    def connect(self, first=b""):
        host, port = self.daemon.address.rsplit(":", 1)
        s = socket.create_connection((host, int(port)), timeout=30)
        self.addCleanup(s.close)
        if first:
            s.sendall(first)
        return s

    def head(self, length, path=PATH + "/decisions"):
        return (f"POST {path} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
                f"Content-Length: {length}\r\n\r\n").encode()

    def test_slow_heads_and_bodies(self):
        slow = [self.connect(b"GET / HTTP/1.1\r\nHost: h\r\n" if i % 2 else self.head(100) + b"{")
                for i in range(500)]
        for s in slow:
            s.sendall(b"X" if slow.index(s) % 2 else b" ")
        self.others_go_on("500 slow clients")

    def test_idle_connections(self):
        for _ in range(self.room):
            self.connect()
        self.others_go_on(f"{self.room} idle connections")

    def test_great_bodies_at_once(self):
        """Together more than the daemon keeps: some are told so."""
        part = b"[" + b" " * (4 * MIB - 10)
        many = [self.connect() for _ in range(100)]

        def send(s):
            try:
                s.sendall(self.head(4 * MIB) + part)
            except OSError:
                pass

        threads = [threading.Thread(target=send, args=(s,)) for s in many]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.others_go_on("100 bodies of 4 MiB, never finished")

    def test_a_gigabyte(self):
        for _ in range(20):
            self.assertIn(b" 413 ", self.connect(self.head(1 << 30)).recv(100))
        self.others_go_on("20 announcements of 1 GB")

    def test_deep_json_and_many_keys(self):
        for _ in range(20):
            r = self.client.post(PATH + "/decisions", b"[" * MIB)
            self.assertEqual((r.status, r.body["code"]), (400, "invalid_json"))
        keys = b"{" + b",".join(b'"%08x":0' % i for i in range(200000)) + b"}"
        start = time.monotonic()
        r = self.client.post(PATH + "/decisions", keys)
        self.assertIn(r.status, (400, 422))
        self.assertLess(time.monotonic() - start, 30)
        self.others_go_on("20 MiB of [ and 200,000 keys")

    def test_zero_bytes_in_paths(self):
        for path in (b"/v1/experiments/h%00x", b"/v1/experiments/h\0x", b"/healthz%00"):
            r = self.connect(b"GET " + path + b" HTTP/1.1\r\nHost: h\r\n\r\n").recv(100)
            self.assertRegex(r, rb"^HTTP/1.1 40[04] ")
        self.others_go_on("zero bytes in paths")


if __name__ == "__main__":
    unittest.main(verbosity=2)
