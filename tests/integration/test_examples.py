#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The examples do what their README says, against a real daemon."""

import os
import re
import subprocess
import tempfile
import unittest

BUILD = os.environ.get("BUILDDIR", "build")


PID = object()  # among the arguments: the daemon's


def run(example, *arguments):
    """An example against a daemon of its own."""
    with tempfile.TemporaryDirectory() as state:
        address = "unix:" + os.path.join(state, "socket")
        daemon = subprocess.Popen(
            [os.path.join(BUILD, "banditd"), "--listen", address, "--state", state],
            stderr=subprocess.PIPE, text=True)
        try:
            for line in daemon.stderr:
                if "msg=listening" in line:
                    break
            arguments = [str(daemon.pid) if a is PID else a for a in arguments]
            return subprocess.run([os.path.join(BUILD, "examples", example), address, *arguments],
                                  capture_output=True, text=True, timeout=120)
        finally:
            daemon.terminate()
            daemon.wait(20)
            daemon.stderr.close()


class Examples(unittest.TestCase):
    def test_heat_saves_iterations(self):
        r = run("heat", "300")
        self.assertEqual(r.returncode, 0, r)
        found = [int(n) for n in re.findall(r" (\d+)$", r.stdout, re.M)]
        bandit, one, best = found
        self.assertEqual(one, 595)  # as two programs of the specification agree
        self.assertLessEqual(best, one)
        self.assertLess(bandit, 1.25 * one)

    def test_recommender_learns_to_let_items_rest(self):
        r = run("recommender", "200", "20")
        self.assertEqual(r.returncode, 0, r)
        daemon, evenly, best = [[float(n) for n in line.split()[-3:]]
                                for line in r.stdout.splitlines()[2:]]
        self.assertLess(best[2], evenly[2])  # those liked best wear out
        self.assertGreater(daemon[1], 2.5 * best[1])
        self.assertGreater(daemon[1], evenly[1])
        self.assertGreater(daemon[1], 1.2 * daemon[0])

    def test_the_feed_finds_a_good_item_among_many(self):
        r = run("feed", "20000", "100", PID)
        self.assertEqual(r.returncode, 0, r)
        waiting = int(re.search(r"waiting (\d+)", r.stdout).group(1))
        self.assertIn(waiting, range(18000, 20000))
        self.assertRegex(r.stdout, r"resident KiB before \d+, after \d+")
        self.assertRegex(r.stdout, r"offers per second \d+")
        liked = float(re.search(r"king item-\d{9}, liked by ([\d.]+)", r.stdout).group(1))
        self.assertGreater(liked, 0.6)

    def test_wrong_use(self):
        for example, arguments in (("heat", []), ("recommender", []), ("feed", []),
                                   ("recommender", ["unix:/nowhere", "3"]),
                                   ("recommender", ["unix:/nowhere", "100", "501"])):
            r = subprocess.run([os.path.join(BUILD, "examples", example), *arguments],
                               capture_output=True, text=True)
            self.assertEqual(r.returncode, 2)
            self.assertIn("usage: " + example, r.stderr)


if __name__ == "__main__":
    unittest.main()
