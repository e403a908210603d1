#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The examples do what their README says, against a real daemon."""

import os
import re
import subprocess
import tempfile
import unittest

BUILD = os.environ.get("BUILDDIR", "build")


class Examples(unittest.TestCase):
    def run_example(self, name, *args):
        """Against a daemon of its own; PID in args stands for the daemon's."""
        with tempfile.TemporaryDirectory() as state:
            address = "unix:" + os.path.join(state, "socket")
            daemon = subprocess.Popen(
                [os.path.join(BUILD, "banditd"), "--listen", address, "--state", state],
                stderr=subprocess.PIPE, text=True)
            try:
                for line in daemon.stderr:
                    if "msg=listening" in line:
                        break
                args = [str(daemon.pid) if a == "PID" else a for a in args]
                r = subprocess.run([os.path.join(BUILD, "examples", name), address, *args],
                                   capture_output=True, text=True, timeout=120)
            finally:
                daemon.terminate()
                daemon.wait(20)
                daemon.stderr.close()
        self.assertEqual(r.returncode, 0, r)
        return r.stdout

    def test_heat_saves_iterations(self):
        found = [int(n) for n in re.findall(r" (\d+)$", self.run_example("heat", "300"), re.M)]
        bandit, one, best = found
        self.assertEqual(one, 595)  # as two programs of the specification agree
        self.assertLessEqual(best, one)
        self.assertLess(bandit, 1.25 * one)

    def test_the_feed_finds_a_good_item_among_many(self):
        out = self.run_example("feed", "20000", "100", "PID")
        waiting = int(re.search(r"waiting (\d+)", out).group(1))
        self.assertIn(waiting, range(18000, 20000))
        self.assertRegex(out, r"resident KiB before \d+, after \d+")
        self.assertRegex(out, r"offers per second \d+")
        liked = float(re.search(r"king item-\d{9}, liked by ([\d.]+)", out).group(1))
        self.assertGreater(liked, 0.6)

    def test_wrong_use(self):
        for name in ("heat", "feed"):
            r = subprocess.run([os.path.join(BUILD, "examples", name)], capture_output=True)
            self.assertEqual(r.returncode, 2)


if __name__ == "__main__":
    unittest.main()
