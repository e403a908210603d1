#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bandit reproduce: every headline is run quickly, agrees, and leaves its files."""

import json
import os
import subprocess
import tempfile
import unittest

BANDIT = os.path.join(os.environ.get("BUILDDIR", "build"), "bandit")


def bandit(*arguments, status=0):
    r = subprocess.run([BANDIT, "reproduce", *arguments], capture_output=True, text=True)
    assert r.returncode == status, (arguments, r)
    return r.stdout


class Reproduce(unittest.TestCase):
    def test_one_headline(self):
        with tempfile.TemporaryDirectory() as folder:
            out = os.path.join(folder, "new")
            text = bandit("groupwise", "--quick", "--out", out)
            with open(os.path.join(out, "reproduce.json"), encoding="utf-8") as f:
                doc = json.load(f)
            with open(os.path.join(out, "reproduce.md"), encoding="utf-8") as f:
                self.assertEqual(f.read(), text)
            (one,) = doc["headlines"]
            self.assertEqual((one["name"], doc["quick"]), ("groupwise", True))
            for row in one["rows"]:
                reference, ours = row["reference"], row["ours"]
                self.assertEqual(row["verdict"], "agrees" if reference else "reference", row)
                if reference:
                    self.assertEqual(reference["is"], "at most")
                    self.assertLessEqual(ours, reference["value"] + 4 * row["se"])
            with open(os.path.join(out, "groupwise.csv"), encoding="utf-8") as f:
                lines = f.read().splitlines()
            self.assertEqual(lines[0], "curve,x,y,se")
            self.assertEqual(len(lines), 1 + 3 * 50)
            again = bandit("groupwise", "--quick", "--json", "--out", out)
            self.assertEqual([r["verdict"] for r in json.loads(again)["headlines"][0]["rows"]],
                             [r["verdict"] for r in one["rows"]])

    def test_wrong_use(self):
        bandit("groupwise", status=2)
        bandit("nothing", "--out", "x", status=2)
        bandit("--seed", "minus", "--out", "x", status=2)
        bandit("groupwise", "--out", "/nowhere/at/all", status=1)


if __name__ == "__main__":
    unittest.main()
