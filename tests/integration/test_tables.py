#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bandit tables: rests and rows as they are counted by hand, what does not count, and on logs of
recovering and tallying the truth that their rewards came of."""

import collections
import json
import os
import random
import subprocess
import tempfile
import unittest

from client import BUILD, Daemon

PATH = "/v1/experiments/"
TRUE = [[.1, .3, .5, .9], [.2, .6, .7, .75], [.4, .45, .5, .5], [.05, .1, .6, .6]]
WORN = {"a": lambda run: .9 if run <= 3 else .3, "b": lambda run: .6, "c": lambda run: .2}


def tables(*arguments, code=0):
    done = subprocess.run([os.path.join(BUILD, "bandit"), "tables", *map(str, arguments)],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done
    return done.stdout if code == 0 else done.stderr


class Tables(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="banditd-tables-")
        cls.state = os.path.join(cls.folder.name, "state")
        cls.d = Daemon(cls.state)
        cls.c = cls.d.client()
        cls.rng = random.Random(3)

    @classmethod
    def tearDownClass(cls):
        cls.c.close()
        cls.d.stop()
        cls.folder.cleanup()

    def put(self, name, policy, **more):
        r = self.c.put(PATH + name, {"policy": policy, "arms": ["a", "b", "c"], **more})
        self.assertEqual(r.status, 201, r)

    def post(self, name, what, body):
        r = self.c.post(f"{PATH}{name}/{what}", body)
        self.assertLess(r.status, 300, r)
        return r.body

    def read(self, name, *arguments):
        return json.loads(tables(self.state, name, "--json", *arguments))

    def counted(self, told, d_max):
        """{(arm, rest): rewards} as the command has it."""
        return {(a["arm"], d + 1): (a["n"][d], a["mean"][d] and round(a["mean"][d] * a["n"][d], 6))
                for a in told["arms"] for d in range(d_max) if a["n"][d]}

    def test_rests_are_counted(self):
        self.put("hand", "uniform")
        last, want, hidden, lost = {}, collections.defaultdict(list), 0, 0
        for t in range(400):
            subject = f"s{self.rng.randrange(3)}"
            body = {"id": f"d{t}", "subject": subject}
            kind = self.rng.choice(["told"] * 6 + ["void", "lost", "deferred", "activated"])
            if kind in ("deferred", "activated"):
                body["defer"] = True
            arm = self.post("hand", "decisions", body)["arm"]
            reward = self.rng.randrange(2)
            if kind in ("void", "deferred"):
                hidden += 1
                if kind == "void":
                    self.post("hand", f"decisions/d{t}/void", {})
                continue
            if kind == "activated":
                self.post("hand", f"decisions/d{t}/activate", {})
            rest = min(t - last.get(arm, -9), 5)
            last[arm] = t
            if kind == "lost":
                lost += 1
                continue
            want[arm, rest].append(reward)
            self.post("hand", "rewards", {"decision": f"d{t}", "reward": reward})
        told = self.read("hand", "--d-max", 5)
        self.assertEqual(self.counted(told, 5), {k: (len(v), sum(v)) for k, v in want.items()})
        self.assertEqual(told["left_out"], {"not_shown": hidden, "unrewarded": lost, "unknown": 0})
        self.assertEqual((told["decisions"], told["pulls"]),
                         (400, sum(len(v) for v in want.values())))
        for a in told["arms"]:
            self.rises(a)
        alone = self.read("hand", "--d-max", 5, "--by-subject")
        self.assertEqual(alone["pulls"], told["pulls"])
        self.assertGreater(sum(a["n"][4] for a in alone["arms"]),
                           sum(1 for k in want if k[1] == 5))

    def rises(self, a):
        """The greatest of the least means over intervals: the definition of the nearest row that
        rises. What was not seen is what a shorter rest earned."""
        cells = [(d, n, mean * n) for d, (n, mean) in enumerate(zip(a["n"], a["mean"])) if n]

        def mean(i, j):
            return sum(c[2] for c in cells[i:j + 1]) / sum(c[1] for c in cells[i:j + 1])

        want = {c[0]: max(min(mean(i, j) for j in range(k, len(cells))) for i in range(k + 1))
                for k, c in enumerate(cells)}
        seen = 0
        for d, got in enumerate(a["table"]):
            seen = want.get(d, seen)
            self.assertAlmostEqual(got, seen, 12)

    def test_recovering_tells_its_tables(self):
        names = [f"a{i}" for i in range(4)]
        self.put("rest", {"name": "recovering", "params": {"d_max": 4}}, arms=names, slots=2)
        last, t = {}, 0
        while t < 4000:
            rewards = []
            for d in self.post("rest", "decisions", [{} for _ in range(100)]):
                told = {}
                for pick in d["arms"]:
                    arm = names.index(pick["arm"])
                    rest = min(t - last.get(arm, -9), 4)
                    last[arm] = t
                    told[pick["arm"]] = int(self.rng.random() < TRUE[arm][rest - 1])
                if told:
                    rewards.append({"decision": d["id"], "rewards": told})
                t += 1
            self.post("rest", "rewards", rewards)
        out = os.path.join(self.folder.name, "tables.json")
        told = self.read("rest", "--d-max", 4, "--slots", 2, "--out", out)
        for a, true in zip(told["arms"], TRUE):
            for n, mean, p in zip(a["n"], a["mean"], true):
                if n >= 30:
                    self.assertLess(abs(mean - p), 4.5 * (p * (1 - p) / n) ** .5 + .01, (a, p))
        best = self.plan(TRUE)
        with open(out, encoding="utf-8") as f:
            self.assertAlmostEqual(self.plan(json.load(f)), told["value"], 9)
        self.assertAlmostEqual(told["value"], best, delta=.08)
        self.assertGreaterEqual(told["upper"] + 1e-9, told["value"])
        with open(out, encoding="utf-8") as f:
            self.put("known", {"name": "recovering", "params": {"tables": json.load(f)}},
                     arms=names, slots=2)
        text = tables(self.state, "rest", "--d-max", 4, "--slots", 2)
        self.assertIn(f"the plan earns {told['value']:.6g} a period", text)

    def plan(self, rows):
        path = os.path.join(self.folder.name, "rows.json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(rows, f)
        done = subprocess.run([os.path.join(BUILD, "bandit"), "plan", "--tables", path, "--slots",
                               "2"], capture_output=True, text=True, check=True, timeout=60)
        return json.loads(done.stdout)["value"]

    def test_tallying_tells_its_means(self):
        self.put("wear", {"name": "tallying", "params": {"memory_bound": 5}})
        arm, run, want = None, 0, collections.defaultdict(list)
        for _ in range(20):
            rewards = []
            for d in self.post("wear", "decisions", [{} for _ in range(100)]):
                run = run + 1 if d["arm"] == arm else 1
                arm = d["arm"]
                reward = int(self.rng.random() < WORN[arm](run))
                rewards.append({"decision": d["id"], "reward": reward})
                if run > 5:
                    want[arm].append(reward)
            self.post("wear", "rewards", rewards)
        told = {a["arm"]: a for a in self.read("wear", "--memory", 5)["arms"]}
        self.assertEqual({k: a["n"] for k, a in told.items()}, {k: len(want[k]) for k in told})
        for k, v in want.items():
            self.assertAlmostEqual(told[k]["mean"], sum(v) / len(v), 12)
            self.assertAlmostEqual(told[k]["half_width"], (1.8444397270569681 / len(v)) ** .5, 9)
        none = {a["arm"]: a for a in self.read("wear", "--memory", 100000)["arms"]}
        self.assertEqual({a["mean"] for a in none.values()}, {None})
        self.assertIn("unknown", tables(self.state, "wear", "--memory", 100000))

    def test_costs_and_ranges_are_scaled(self):
        self.put("cost", "uniform", arms=["a"],
                 reward={"lo": 0, "hi": 10, "goal": "minimise"})
        for i, cost in enumerate((2, 4)):
            self.post("cost", "decisions", {"id": f"c{i}"})
            self.post("cost", "rewards", {"decision": f"c{i}", "reward": cost})
        self.assertEqual(self.read("cost", "--memory", 0)["arms"][0]["mean"], .7)

    def test_what_is_refused(self):
        self.put("slate", "uniform", slots=2)
        self.post("slate", "decisions", {})
        self.put("stream", {"name": "streaming", "params": {"test_pulls": 2}}, arms=["x"])
        self.post("stream", "decisions", {})
        for arguments, code, text in (
                (("none", "--d-max", 3), 1, "no such experiment"),
                (("slate",), 2, "--d-max and --memory"),
                (("slate", "--d-max", 3, "--memory", 3), 2, "one of"),
                (("slate", "--d-max", 0), 2, "1..4096"),
                (("slate", "--memory", 3, "--slots", 2), 2, "go with --d-max"),
                (("slate", "--memory", 3), 1, "slates"),
                (("slate", "--d-max", 3, "--by-subject"), 1, "no subject"),
                (("stream", "--d-max", 3), 1, "stream")):
            self.assertIn(text, tables(self.state, *arguments, code=code), arguments)
        self.assertIn("cannot be written",
                      tables(self.state, "slate", "--d-max", 3, "--out", "/nowhere/x", code=1))


if __name__ == "__main__":
    unittest.main(verbosity=2)
