#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A backup that is taken under load holds all that was acknowledged before it began, verifies, and
becomes a state again; what is in the way or damaged is refused, and leaves nothing behind."""

import os
import re
import sqlite3
import subprocess
import tempfile
import threading
import time
import unittest

from client import BUILD, Daemon

PATH = "/v1/experiments/b"


def bandit(*args):
    return subprocess.run([os.path.join(BUILD, "bandit"), *args], capture_output=True, text=True,
                          timeout=120)


class Backup(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="banditd-backup-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.state, self.copy = self.at("state"), self.at("copy")

    def at(self, name):
        return os.path.join(self.folder, name)

    def done(self, *args, code=0):
        result = bandit(*args)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        return result

    def fill(self, n=200):
        with Daemon(self.state) as d:
            c = d.client()
            self.assertEqual(c.put(PATH, {"policy": "exp3", "arms": ["a", "b"]}).status, 201)
            c.post(PATH + "/decisions", [{"id": f"d{i}"} for i in range(n)])
            c.post(PATH + "/rewards", [{"decision": f"d{i}", "reward": 1} for i in range(n)])
            c.close()
            self.assertEqual(d.stop(), 0)

    def test_what_was_acknowledged_before_is_in_it(self):
        acknowledged, going = [0], True

        def drive(daemon):
            c = daemon.client()
            while going:
                first = acknowledged[0]
                c.post(PATH + "/decisions", [{"id": f"d{first + i}"} for i in range(50)])
                acknowledged[0] = first + 50
            c.close()

        with Daemon(self.state) as d:
            c = d.client()
            self.assertEqual(c.put(PATH, {"policy": "exp3", "arms": ["a", "b"]}).status, 201)
            self.assertNotIn("last_success", c.get("/metrics").raw.decode())
            driver = threading.Thread(target=drive, args=(d,))
            driver.start()
            try:
                for n in range(3):
                    while acknowledged[0] < 1000 * (n + 1):
                        time.sleep(0.005)
                    before = acknowledged[0]
                    copy = f"{self.copy}{n}"
                    self.done("backup", self.state, "--to", copy)
                    self.assertEqual(os.listdir(copy), ["state.db"])
                    said = self.done("verify", copy).stdout
                    events = int(re.search(r"^b: sound: (\d+) events", said)[1])
                    self.assertGreaterEqual(events, before + 1)
            finally:
                going = False
                driver.join()
            metrics = c.get("/metrics").raw.decode()
            told = re.search(r"(?m)^banditd_backup_last_success_timestamp_seconds (\d+)", metrics)
            self.assertLess(abs(time.time() - int(told[1])), 60)
            c.close()
            self.assertEqual(d.stop(), 0)

    def test_a_restored_state_goes_on_where_the_backup_was(self):
        self.fill()
        self.done("backup", os.path.join(self.state, "state.db"), "--to", self.copy)
        self.assertEqual(self.done("export", self.copy).stdout,
                         self.done("export", self.state).stdout)
        os.mkdir(self.at("again"))
        self.done("restore", self.copy, "--to", self.at("again"))
        with Daemon(self.at("again")) as d:
            c = d.client()
            self.assertEqual(c.post(PATH + "/decisions", {"id": "d7"}).status, 200)
            self.assertEqual(c.get(PATH + "/stats").body["rewards"], 200)
            c.close()
            self.assertEqual(d.stop(), 0)

    def test_nothing_is_overwritten(self):
        self.fill()
        self.done("backup", self.state, "--to", self.copy)
        for command, source, to in (("backup", self.state, self.copy),
                                    ("restore", self.copy, self.state)):
            with self.subTest(command):
                self.assertIn("there is a state already",
                              self.done(command, source, "--to", to, code=1).stderr)
        os.mkdir(self.at("left"))
        open(self.at("left/state.db-wal"), "w").close()
        self.assertIn("state.db-wal",
                      self.done("restore", self.copy, "--to", self.at("left"), code=1).stderr)

    def test_what_is_damaged_becomes_no_backup(self):
        self.fill()
        db = sqlite3.connect(os.path.join(self.state, "state.db"))
        body = bytearray(
            db.execute("SELECT body FROM event WHERE experiment=1 AND seq=9").fetchone()[0])
        body[5] ^= 1
        db.execute("UPDATE event SET body=? WHERE experiment=1 AND seq=9", (bytes(body),))
        db.commit()
        db.close()
        for command in ("backup", "restore"):
            with self.subTest(command):
                said = self.done(command, self.state, "--to", self.copy, code=1)
                self.assertIn("does not verify", said.stderr)
                self.assertIn("event 9", said.stdout)
                self.assertFalse(os.path.exists(self.copy))

    def test_wrong_use(self):
        self.fill(1)
        self.done("backup", self.state, code=2)
        self.done("backup", "--to", self.copy, code=2)
        self.assertIn("nowhere", self.done("backup", self.at("nowhere"), "--to", self.copy,
                                           code=1).stderr)
        self.assertIn("missing", self.done("backup", self.state, "--to",
                                           self.at("missing/deep"), code=1).stderr)
        self.assertFalse(os.path.exists(self.copy))


if __name__ == "__main__":
    unittest.main(verbosity=2)
