#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Somebody sets the clock of a running system, or it was wrong at a start: no window closes before
its time, none stays open, and the log goes on in order."""

import os
import re
import struct
import subprocess
import tempfile
import time
import unittest

from client import BUILD, Daemon

SHIM = os.path.join(BUILD, "tests", "integration", "shift.so")
DAY = 86400
YEARS = 3652 * DAY  # ten
WAIT_S = 30
LONG, SHORT = "/v1/experiments/long", "/v1/experiments/short"


class Clock(unittest.TestCase):
    def setUp(self):
        linked = subprocess.run(["ldd", os.path.join(BUILD, "banditd")], stdout=subprocess.PIPE,
                                text=True, check=False).stdout
        if "libasan" in linked or "libtsan" in linked:
            self.skipTest("a sanitizer wants to be loaded first")
        folder = tempfile.TemporaryDirectory(prefix="banditd-clock-")
        self.addCleanup(folder.cleanup)
        self.state = os.path.join(folder.name, "state")
        self.shift = os.path.join(folder.name, "shift")
        self.set_clock(0)
        self.asked = 0

    def set_clock(self, seconds):
        with open(self.shift, "r+b" if os.path.exists(self.shift) else "wb") as f:
            f.write(struct.pack("=q", seconds))

    def start(self):
        os.environ.update({"LD_PRELOAD": SHIM, "CLOCK_SHIFT": self.shift})
        try:
            d = Daemon(self.state)
        finally:
            del os.environ["LD_PRELOAD"], os.environ["CLOCK_SHIFT"]
        self.addCleanup(d.__exit__)
        c = d.client()
        self.addCleanup(c.close)
        return d, c

    def create(self, c):
        for path, window in ((LONG, "PT1H"), (SHORT, "PT0.3S")):
            self.assertEqual(c.put(path, {"policy": "ucb1", "arms": ["a", "b"], "seed": 1,
                                          "reward": {"window": window}}).status, 201)

    def decide(self, c, path):
        self.asked += 1
        r = c.post(path + "/decisions", {"id": f"d{self.asked}"})
        self.assertEqual(r.status, 201, r)
        return r.body

    def reward(self, c, path, decision):
        r = c.post(path + "/rewards", {"decision": decision["id"], "reward": 1})
        self.assertEqual((r.status, r.body["status"]), (202, "learnt"), r)

    def wait(self, what):
        until = time.monotonic() + WAIT_S
        while not what():
            self.assertLess(time.monotonic(), until, "it did not come about")
            time.sleep(0.02)

    def assert_closes(self, c):
        """A window of 0.3 s that opens now closes, and not at once."""
        before = c.get(SHORT + "/stats").body["expired"]
        self.decide(c, SHORT)
        self.assertEqual(c.get(SHORT + "/stats").body["expired"], before)
        self.wait(lambda: c.get(SHORT + "/stats").body["expired"] > before)

    def assert_in_order(self, d, c):
        for path in (LONG, SHORT):
            at = re.findall(r'"at":"([^"]+)"', c.get(path + "/events?limit=1000").raw.decode())
            self.assertGreaterEqual(len(at), 3)
            self.assertEqual(at, sorted(at))
        self.assertEqual(d.stop(), 0)
        told = subprocess.run([os.path.join(BUILD, "bandit"), "verify", self.state],
                              capture_output=True, text=True, check=False)
        self.assertEqual(told.returncode, 0, told.stdout + told.stderr)

    def offset(self, c):
        return float(re.search(r"(?m)^banditd_clock_offset_seconds (\S+)$",
                               c.get("/metrics").raw.decode())[1])

    def test_it_is_set_while_the_daemon_runs(self):
        d, c = self.start()
        self.create(c)
        self.assertAlmostEqual(self.offset(c), 0, delta=1)
        year = self.decide(c, LONG)["at"][:4]
        for told, seconds in enumerate((DAY, -DAY, YEARS, -YEARS, 0), 1):
            waits = self.decide(c, LONG)
            self.set_clock(seconds)
            self.assertAlmostEqual(self.offset(c), seconds, delta=1)
            self.assert_closes(c)  # so the engine has looked at the windows since
            self.wait(lambda: d.log().count("the clock was set") == told)
            self.reward(c, LONG, waits)
            self.assertEqual(self.decide(c, LONG)["at"][:4], year)
        self.assert_in_order(d, c)

    def test_it_was_ahead_when_the_log_was_written(self):
        self.set_clock(YEARS)
        d, c = self.start()
        self.create(c)
        waits = self.decide(c, LONG)
        d.kill()
        self.set_clock(0)
        d, c = self.start()
        self.assertLess(self.offset(c), -YEARS + DAY)
        self.assert_closes(c)
        self.reward(c, LONG, waits)
        self.assert_in_order(d, c)

    def test_it_is_ahead_at_a_start(self):
        """What passed while no daemon ran cannot be known better: windows close, once."""
        d, c = self.start()
        self.create(c)
        waits = self.decide(c, LONG)
        d.kill()
        self.set_clock(DAY)
        d, c = self.start()
        self.wait(lambda: c.get(LONG + "/stats").body["expired"])
        self.assert_closes(c)
        late = c.post(LONG + "/rewards", {"decision": waits["id"], "reward": 1})
        self.assertTrue(late.body["late"], late)
        self.assertEqual(c.get(LONG + "/stats").body["expired"], 1)
        self.assert_in_order(d, c)


if __name__ == "__main__":
    unittest.main(verbosity=2)
