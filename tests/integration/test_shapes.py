#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Slates, forecasts, full information, memos and plans: the daemon is killed half-way, the log
verifies, survives export and import, and an evaluation passes over what it cannot score."""

import json
import os
import random
import signal
import unittest
import urllib.request

from test_replay import Daemon, bandit
import tempfile

ARMS = ["a", "b", "c", "d", "e"]
COSTS = {"lo": 1, "hi": 1000, "goal": "minimise"}
EXPERIMENTS = {
    "recovering": {"policy": {"name": "recovering", "params": {"d_max": 4}}, "slots": 2},
    "pooled": {"policy": {"name": "tallying", "params": {"memory_bound": 2, "mode": "pooled"}}},
    "streaming": {"policy": {"name": "streaming", "params": {"test_pulls": 4, "share": 0.5}}},
    "groups": {"policy": {"name": "groupwise"}},
    "formb": {"policy": {"name": "groupwise", "params": {"form": "B"}}},
    "regress": {"policy": {"name": "groupwise", "params": {"kind": "regress"}}, "arms": [],
                "context": ["one", "x"]},
    "experts": {"policy": {"name": "groupwise", "params": {"kind": "experts"}}},
    "leader": {"policy": {"name": "groupwise", "params": {
        "kind": "experts", "learner": "ftpl", "priors": [2, 0.5], "samples": 20,
        "components": [[1, 1, 0, 0], [1, 0, 1, 0], [0, 1, 1, 0], [0, 0, 1, 1], [1, 0, 0, 1]]}},
               "groups": ["g1", "g2", "g3"]},
    "tsallis": {"policy": {"name": "tsallis_inf", "params": {"estimator": "rv"}}, "reward": COSTS},
    "cheb": {"policy": {"name": "cheb_cb"}, "context": ["c"], "reward": COSTS},
    "slates": {"policy": {"name": "thompson"}, "slots": 3},
}
GROUPED = ["groups", "formb", "regress", "experts", "leader"]
ROUNDS = 60


class Shapes(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder, self.state = folder.name, os.path.join(folder.name, "state")
        self.rng = random.Random(5)

    def call(self, method, path, body):
        r = urllib.request.Request(self.d.url + "/v1/experiments/" + path, method=method,
                                   data=None if body is None else json.dumps(body).encode(),
                                   headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(r) as reply:
            return json.load(reply)

    def ask(self, name, i):
        body = {"id": f"{name}-{i}"}
        if name == "pooled":
            body["subject"] = "u%d" % self.rng.randrange(9)
        if name in GROUPED:
            body["groups"] = self.rng.sample(["g1", "g2", "g3"], 3 if i == "late" else 2)
        if name in ("regress", "cheb"):
            body["context"] = [1, self.rng.random()][-2 if name == "regress" else -1:]
        return self.call("POST", name + "/decisions", body)

    def told(self, name, d):
        if name == "regress":
            return {"label": self.rng.random()}
        if name in ("experts", "leader"):
            return {"rewards": {a: self.rng.random() for a in ARMS}}
        if name in ("recovering", "slates"):
            return {"rewards": {a["arm"]: self.rng.random() for a in d["arms"]}}
        return {"reward": self.rng.randrange(1, 1000) if name in ("tsallis", "cheb") else
                self.rng.random()}

    def play(self, rounds):
        for i in rounds:
            for name in EXPERIMENTS:
                d = self.ask(name, i)
                told = self.told(name, d)
                if told.get("rewards") == {}:
                    continue  # an empty slate earns nothing
                if i % 10 == 9:
                    self.call("POST", f"{name}/decisions/{d['id']}/void", {})
                else:
                    self.call("POST", name + "/rewards", {"decision": d["id"], **told})

    def change_policies(self):
        """The recovery becomes longer, then shorter than at first; one arm more, then less."""
        is_now = self.call("GET", "recovering", None)
        d_max, slots = is_now["policy"]["params"]["d_max"], is_now["slots"]
        patch = {"policy": {"params": {"d_max": 6 if d_max == 4 else 3}},
                 "slots": 3 if slots == 2 else 1}
        after = self.call("PATCH", "recovering", patch)
        self.assertEqual(after["policy"]["params"]["d_max"], patch["policy"]["params"]["d_max"])
        self.assertEqual(after["slots"], patch["slots"])
        self.assertGreater(after["revision"], is_now["revision"])
        memory = {"policy": {"params": {"memory_bound": d_max + 1}}}  # always longer
        after = self.call("PATCH", "pooled", memory)["policy"]["params"]
        self.assertEqual(after["memory_bound"], d_max + 1)
        self.call("POST", "tsallis/arms", {"id": "d%d" % d_max, "between": ["a", "b"]})

    def remove_group(self):
        """With decisions open that are in it, whose rewards come later."""
        self.late = []
        for name in GROUPED:
            d = self.ask(name, "late")
            self.late.append((name, d["id"], self.told(name, d)))
            r = urllib.request.Request(f"{self.d.url}/v1/experiments/{name}/groups/g2",
                                       method="DELETE")
            with urllib.request.urlopen(r) as reply:
                self.assertEqual(reply.status, 204)

    def reward_late(self):
        for name, decision, told in self.late:
            self.call("POST", name + "/rewards", {"decision": decision, **told})

    def test_all_of_them(self):
        self.d = Daemon(self.state)
        self.addCleanup(lambda: self.d.process.poll() is None and self.d.end(signal.SIGKILL))
        for name, spec in EXPERIMENTS.items():
            self.call("PUT", name, {"arms": ARMS, **spec})
        self.play(range(ROUNDS // 3))
        self.change_policies()
        self.remove_group()
        self.d.end(signal.SIGKILL)
        self.d.start()
        self.reward_late()
        self.play(range(ROUNDS // 3, ROUNDS // 2))
        self.change_policies()
        self.play(range(ROUNDS // 2, ROUNDS))
        self.d.end(signal.SIGKILL)
        found = json.loads(bandit("verify", self.state, "--json"))
        self.assertTrue(found["sound"], found)
        self.assertEqual({e["experiment"] for e in found["experiments"]}, set(EXPERIMENTS))
        first = bandit("export", self.state)
        dump, copy = os.path.join(self.folder, "dump.jsonl"), os.path.join(self.folder, "copy")
        with open(dump, "w", encoding="utf-8") as f:
            f.write(first)
        bandit("import", dump, copy)
        self.assertEqual(first, bandit("export", copy))
        bandit("verify", copy)
        results = [json.loads(bandit("replay", log, "-p", "uniform", "--json"))
                   for log in (dump, self.state)]
        self.assertEqual(results[0]["log"], results[1]["log"])
        skipped = results[0]["log"]["skipped"]
        self.assertEqual((skipped["refused"], skipped["not_scored"]), (0, 3 * ROUNDS + 1))  # and the late forecast


if __name__ == "__main__":
    unittest.main()
