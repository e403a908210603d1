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
    def test_heat_saves_iterations(self):
        with tempfile.TemporaryDirectory() as state:
            address = "unix:" + os.path.join(state, "socket")
            daemon = subprocess.Popen(
                [os.path.join(BUILD, "banditd"), "--listen", address, "--state", state],
                stderr=subprocess.PIPE, text=True)
            try:
                for line in daemon.stderr:
                    if "msg=listening" in line:
                        break
                r = subprocess.run([os.path.join(BUILD, "examples", "heat"), address, "300"],
                                   capture_output=True, text=True, timeout=120)
            finally:
                daemon.terminate()
                daemon.wait(20)
                daemon.stderr.close()
            self.assertEqual(r.returncode, 0, r)
            found = [int(n) for n in re.findall(r" (\d+)$", r.stdout, re.M)]
            bandit, one, best = found
            self.assertEqual(one, 595)  # as two programs of the specification agree
            self.assertLessEqual(best, one)
            self.assertLess(bandit, 1.25 * one)

    def test_wrong_use(self):
        r = subprocess.run([os.path.join(BUILD, "examples", "heat")], capture_output=True)
        self.assertEqual(r.returncode, 2)


if __name__ == "__main__":
    unittest.main()
