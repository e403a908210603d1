#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A disk that is full, nearly full, or may not be written to."""

import os
import shutil
import subprocess
import tempfile
import time
import unittest

from client import BUILD, Daemon
from test_faults import PATH, UNIFORM, FaultTest

EXIT_FAILED = 1
MIB = 1 << 20
HEAL_S = 5


class OwnDisk(FaultTest):
    """The state has a file system of its own."""
    SIZE = 16 * MIB

    def setUp(self):
        super().setUp()
        r = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.SIZE}", "none", self.state],
                           stderr=subprocess.PIPE, text=True) if os.geteuid() == 0 else None
        if r is None or r.returncode:
            self.skipTest("no tmpfs may be mounted here")
        self.addCleanup(subprocess.run, ["umount", self.state], check=True)


class ReadOnlyDisk(OwnDisk):
    def mount(self, how):
        subprocess.run(["mount", "-o", "remount," + how, self.state], check=True)

    def verify(self, state):
        return subprocess.run([os.path.join(BUILD, "bandit"), "verify", state],
                              capture_output=True, text=True, check=False)

    def test_a_start_says_so_and_loses_nothing(self):
        self.fill("--disk-floor", "0")
        self.mount("ro")
        why = self.refused()
        self.assertEqual(why.code, EXIT_FAILED, why.log)
        self.assertRegex(why.log, r"state\.lock.*Read-only file system")
        told = self.verify(self.state)
        self.assertIn("read-only: copy the directory", told.stderr)
        copy = tempfile.mkdtemp(prefix="banditd-faults-")
        self.addCleanup(shutil.rmtree, copy)
        shutil.copytree(self.state, copy, dirs_exist_ok=True)
        told = self.verify(copy)
        self.assertIn("f: sound: 21 events", told.stdout, told.stderr)
        self.mount("rw")
        with Daemon(self.state) as d:
            c = d.client()
            self.assertEqual(c.get(PATH + "/stats").body["decisions"], 20)
            c.close()


class FullDisk(OwnDisk):
    FLOOR = 4 * MIB

    def wait(self, what):
        until = time.monotonic() + HEAL_S
        while not what():
            self.assertLess(time.monotonic(), until, "it did not come about")
            time.sleep(0.05)

    def test_full_and_freed(self):
        ballast = os.path.join(self.state, "ballast")
        with Daemon(self.state, "--disk-floor", str(self.FLOOR)) as d:
            c = d.client()
            self.assertEqual(c.put(PATH, UNIFORM).status, 201)
            first = c.post(PATH + "/decisions", {"id": "d1"})
            self.assertEqual(first.status, 201)
            free = shutil.disk_usage(self.state).free
            with open(ballast, "wb") as f:
                f.write(b"\0" * (free - self.FLOOR + MIB))
            self.wait(lambda: c.get("/readyz").status == 503)
            self.check_full(c, first)
            # Between floor and twice the floor it stays shut.
            os.truncate(ballast, os.path.getsize(ballast) - 2 * MIB)
            time.sleep(1.5)
            self.assertEqual(c.get("/readyz").status, 503)
            os.unlink(ballast)
            self.wait(lambda: c.get("/readyz").status == 200)
            self.assertEqual(c.post(PATH + "/decisions", {"id": "d2"}).status, 201)
            self.assertEqual(c.post(PATH + "/rewards", {"decision": "d1", "reward": 1}).status, 202)
            c.close()
            self.assertEqual(d.stop(), 0)
        with Daemon(self.state, "--disk-floor", str(self.FLOOR)) as d:
            c = d.client()
            self.assertEqual(c.get(PATH + "/stats").body["decisions"], 2)
            c.close()

    def check_full(self, c, first):
        ready = c.get("/readyz")
        self.assertEqual(ready.body["checks"], {"store": True, "disk": False, "serving": True})
        for r in (c.post(PATH + "/decisions", {}), c.put("/v1/experiments/g", UNIFORM),
                  c.post(PATH + "/rewards", {"decision": "d1", "reward": 1}),
                  c.patch(PATH, {"floor": 0.5}), c.post(PATH + "/arms", ["z"])):
            self.assertEqual((r.status, r.body["code"], r.headers["retry-after"]),
                             (503, "storage_full", "1"))
        batch = c.post(PATH + "/decisions", [{}, {"id": "d1"}])
        self.assertEqual([o["http"] for o in batch.body], [503, 200])
        self.assertEqual(c.post(PATH + "/decisions", {"id": "d1"}).raw, first.raw)
        self.assertEqual(c.get(PATH + "/stats").body["decisions"], 1)
        self.assertEqual(len(c.events("f")), 2)
        self.assertEqual(c.get("/healthz").status, 200)

    def test_writing_on_to_the_floor_loses_nothing(self):
        with Daemon(self.state, "--disk-floor", str(self.FLOOR)) as d:
            c = d.client()
            self.assertEqual(c.put(PATH, UNIFORM).status, 201)
            answered, n, status = set(), 0, 200
            while status == 200 and n < 200000:
                batch = [{"id": f"d{n + i}", "context": {"text": "x" * 200}} for i in range(500)]
                answer = c.post(PATH + "/decisions", batch).body
                answered |= {o["id"] for o in answer if o["http"] == 201}
                status = 200 if all(o["http"] == 201 for o in answer) else 503
                n += len(batch)
            self.assertEqual(status, 503)
            c.close()
            d.kill()
        with Daemon(self.state, "--disk-floor", "0") as d:
            c = d.client()
            ids = [e["decision"] for e in c.events("f") if e["kind"] == "decision"]
            self.assertEqual(len(ids), len(set(ids)))
            self.assertLessEqual(answered, set(ids))
            c.close()


if __name__ == "__main__":
    unittest.main()
