#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A log that is pruned loses what is old and nobody asks for, and nothing else: the state folds to
the same digest, younger retries are answered as before, and a kill at any moment leaves a state
that starts. A state that does not verify is not touched."""

import json
import os
import random
import re
import sqlite3
import subprocess
import tempfile
import time
import unittest

from client import BUILD, Daemon, NotStarted

ARMS = ["a", "b", "c"]
EXPERIMENTS = {
    "plain": {"policy": "ucb1", "arms": ARMS, "seed": 1},
    "drawn": {"policy": "exp3_flad", "arms": ARMS, "seed": 2, "floor": 0.1},
    "loop": {"policy": {"name": "recovering", "params": {"d_max": 4}}, "arms": ARMS, "seed": 3},
    "votes": {"policy": {"name": "tallying", "params": {"memory_bound": 1}}, "arms": ARMS, "seed": 4},
    "items": {"policy": {"name": "streaming", "params": {"test_pulls": 3}}, "arms": ARMS, "seed": 5,
              "reward": {"window": "PT1S"}},
}
KILLS = 12
TIMES = re.compile(rb'"(\w*at|request_id)":"[^"]*"')  # not the same when asked again


def bandit(*args):
    return subprocess.run([os.path.join(BUILD, "bandit"), *args], capture_output=True, text=True,
                          timeout=300, check=False)


def path(name):
    return f"/v1/experiments/{name}"


class Prune(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="banditd-prune-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.state = self.at("state")

    def at(self, name):
        return os.path.join(self.folder, name)

    def done(self, *args, code=0):
        told = bandit(*args)
        self.assertEqual(told.returncode, code, told.stdout + told.stderr)
        return told

    def ok(self, reply):
        self.assertLess(reply.status, 300, reply)
        return reply

    def play(self, c, name, ids, reward=True):
        """Decisions and their rewards, one after the other; what was answered."""
        answers = []
        for i in ids:
            d = c.post(path(name) + "/decisions", {"id": i})
            self.assertIn(d.status, (200, 201), d)
            answers.append(d.raw)
            if reward:
                given = {"rewards": {d.body["arm"]: 1}} if name == "loop" else {"reward": 1}
                r = c.post(path(name) + "/rewards", {"decision": i, "key": f"k{i}", **given})
                self.assertIn(r.status, (200, 202), r)
                answers.append(r.raw)
        return answers

    def digests(self, state=None):
        told = self.done("verify", state or self.state).stdout
        return dict(re.findall(r"^(\w+): sound: .* digest (\w+)$", told, re.M))

    def begins(self, name, said):
        return int(re.search(rf"^{name}: .* log (?:would begin|begins) at seq (\d+)", said, re.M)[1])

    def fill(self, name="plain", n=200, **more):
        with Daemon(self.state) as d:
            c = d.client()
            self.assertEqual(c.put(path(name), {**EXPERIMENTS[name], **more}).status, 201)
            for first in range(0, n, 1000):
                ids = range(first, min(n, first + 1000))
                self.ok(c.post(path(name) + "/decisions", [{"id": f"d{i}"} for i in ids]))
                self.ok(c.post(path(name) + "/rewards", [
                    {"decision": f"d{i}", "reward": i % 2, "key": f"k{i}"} for i in ids]))
            c.close()
            self.assertEqual(d.stop(), 0)

    def sql(self, text, *args):
        db = sqlite3.connect(os.path.join(self.state, "state.db"))
        rows = db.execute(text, args).fetchall()
        db.commit()
        db.close()
        return rows

    def test_every_policy_goes_on_as_before(self):
        with Daemon(self.state) as d:
            c = d.client()
            for name, body in EXPERIMENTS.items():
                self.assertEqual(c.put(path(name), body).status, 201)
                self.play(c, name, [f"old{i}" for i in range(40)])
            c.close()
            d.stop()
        time.sleep(2.1)  # ages are of the wall clock
        with Daemon(self.state) as d:
            c = d.client()
            answers = {n: self.play(c, n, [f"new{i}" for i in range(20)]) for n in EXPERIMENTS}
            c.close()
            d.stop()
        before, copy = self.digests(), self.at("copy")
        self.assertEqual(set(before), set(EXPERIMENTS))
        self.done("backup", self.state, "--to", copy)
        said = self.done("prune", self.state, "--older-than", "PT2S", "--dry-run").stdout
        self.assertEqual(self.sql("SELECT count(*) FROM base"), [(0,)])
        self.assertEqual(said.replace("would prune", "pruned").replace("would begin", "begins"),
                         self.done("prune", self.state, "--older-than", "PT2S").stdout)
        for name in EXPERIMENTS:
            self.assertGreater(self.begins(name, said), 40, said)
        self.assertEqual(self.digests(), before)
        told = self.done("verify", self.state).stdout
        self.assertIn(f"plain: verified from seq {self.begins('plain', said)} on", told)
        # The same answers as the copy that was not pruned gives, old and new.
        answered = []
        for state in (self.state, copy):
            with Daemon(state) as d:
                c = d.client()
                for name in EXPERIMENTS:
                    self.assertEqual(self.play(c, name, [f"new{i}" for i in range(20)]),
                                     answers[name], name)
                answered.append({n: self.play(c, n, [f"more{i}" for i in range(20)])
                                 for n in EXPERIMENTS})
                c.close()
                self.assertEqual(d.stop(), 0)
        self.assertEqual(self.digests().keys(), before.keys())
        for name in EXPERIMENTS:
            self.assertEqual(*([TIMES.sub(b"", a) for a in s[name]] for s in answered))

    def test_what_can_be_rewarded_is_kept(self):
        with Daemon(self.state) as d:
            c = d.client()
            c.put(path("plain"), EXPERIMENTS["plain"])
            self.play(c, "plain", [f"a{i}" for i in range(10)])
            self.play(c, "plain", ["open"], reward=False)
            self.play(c, "plain", [f"b{i}" for i in range(10)])
            c.close()
            d.stop()
        said = self.done("prune", self.state, "--older-than", "PT0S").stdout
        self.assertEqual(self.begins("plain", said), 22)
        self.assertIn("decision open at seq 22 is kept: it is open", said)
        with Daemon(self.state) as d:
            c = d.client()
            again = c.post(path("plain") + "/decisions", {"id": "open"})
            self.assertEqual(again.status, 200, again)
            r = c.post(path("plain") + "/rewards", {"decision": "open", "reward": 1})
            self.assertEqual(r.body["status"], "learnt", r)
            gone = c.post(path("plain") + "/rewards", {"decision": "a1", "reward": 1})
            self.assertEqual(gone.status, 404, gone)
            self.play(c, "plain", ["last"])
            c.close()
            d.stop()
        said = self.done("prune", self.state, "--older-than", "PT0S").stdout
        self.assertGreater(self.begins("plain", said), 40)
        self.digests()

    def test_windows_and_late_rewards_are_waited_for(self):
        for late, words in (("record", None), ("learn", "a late reward would be learnt")):
            name = "w" + late
            with Daemon(self.state) as d:
                c = d.client()
                self.ok(c.put(path(name), {"policy": "ucb1", "arms": ARMS, "reward": {
                    "window": "PT1S", "late": late}}))
                self.play(c, name, ["lost"], reward=False)
                self.play(c, name, ["got"])
                said = self.done("prune", self.state, "--older-than", "PT0S", "--dry-run",
                                 "--experiment", name).stdout
                self.assertIn("its window has not closed", said)
                until = time.monotonic() + 20
                while c.get(path(name) + "/stats").body["open"]:
                    self.assertLess(time.monotonic(), until)
                    time.sleep(0.02)
                self.play(c, name, ["then"])
                c.close()
                d.stop()
            said = self.done("prune", self.state, "--older-than", "PT0S", "-e", name).stdout
            if words:
                self.assertIn(words, said)
                self.assertEqual(self.begins(name, said), 2)
            else:
                self.assertGreater(self.begins(name, said), 3)
            self.digests()

    def test_arms_that_wait_are_kept(self):
        offered = [f"i{i}" for i in range(200)]
        with Daemon(self.state) as d:
            c = d.client()
            c.put(path("items"), EXPERIMENTS["items"])
            for i in offered:
                self.assertIn(c.post(path("items") + "/arms", [i]).status, (200, 201, 202))
            self.play(c, "items", [f"d{i}" for i in range(60)])
            waiting = c.get(path("items") + "/stats").body["stream"]["backlog"]
            self.assertGreater(waiting, 0)
            c.close()
            d.stop()
        before = self.digests()
        said = self.done("prune", self.state, "--older-than", "PT0S").stdout
        self.assertIn("arms that wait", said)
        self.assertGreater(self.begins("items", said), 2)
        self.assertEqual(self.digests(), before)
        with Daemon(self.state) as d:
            c = d.client()
            self.play(c, "items", [f"e{i}" for i in range(400)])
            self.assertLess(c.get(path("items") + "/stats").body["stream"]["backlog"], waiting)
            c.close()
            d.stop()
        self.digests()

    def test_a_backlog_is_read_as_before(self):
        for order in ("fifo", "lifo"):
            with self.subTest(order=order):
                self.state = self.at(order)
                answers = [self.read_backlog(order, prune) for prune in (False, True)]
                self.assertEqual(*answers)

    def read_backlog(self, order, prune):
        """All that is answered by a stream whose log is, or is not, pruned in between."""
        self.state += "-again" if prune else ""
        params = {"mode": "tuned", "test_pulls": 1, "order": order, "pull_timeout_s": 0}
        answers, begins = [], []
        for part in range(5):
            with Daemon(self.state) as d:
                c = d.client()
                if part == 0:
                    c.put(path("items"), {"policy": {"name": "streaming", "params": params},
                                          "seed": 5})
                for i in range(9 if part < 3 else 0):
                    answers.append(c.post(path("items") + "/arms", [f"{part}{i}", f"{part}{i}b"]).raw)
                    if i % 2:
                        answers += self.play(c, "items", [f"d{part}.{i}"])
                for i in (1, 3) if part < 3 else ():
                    answers.append(c.delete(path("items") + f"/arms/{part}{i}").raw)
                answers += self.play(c, "items", [f"e{part}.{i}" for i in range(4)])
                half = time.time()
                answers += self.play(c, "items", [f"f{part}.{i}" for i in range(60 * (part > 2))])
                answers.append(c.get(path("items") + "/stats").body["stream"]["backlog"])
                c.close()
                d.stop()
            if prune:
                before = self.digests()
                begins.append(self.begins("items", self.done(
                    "prune", self.state, "--older-than", f"PT{time.time() - half:.3f}S").stdout))
                self.assertEqual(self.digests(), before)  # derives what is read after the cut
        self.assertEqual(answers[-1], 0)
        self.assertEqual(begins, sorted(begins))
        if prune:
            self.assertLess(begins[0], begins[-1])
        return [TIMES.sub(b"", a) if isinstance(a, bytes) else a for a in answers]

    def test_readers_know_where_the_log_begins(self):
        self.fill()
        before = self.digests()
        said = self.done("prune", self.state, "--older-than", "PT0S").stdout
        first = self.begins("plain", said)
        self.assertEqual(self.sql("SELECT min(seq), count(*) FROM event WHERE experiment = 1"),
                         [(first, 401 - first + 1)])
        told = self.done("export", self.state)
        self.assertIn(f"plain: the log begins at seq {first}", told.stderr)
        self.assertEqual([json.loads(line)["seq"] for line in told.stdout.splitlines()],
                         list(range(first, 402)))
        doc = json.loads(self.done("verify", self.state, "--json").stdout)
        self.assertEqual(doc["experiments"][0]["first"], first)
        told = self.done("replay", self.state, "--policy", "ucb1", code=1)
        self.assertIn("was pruned", told.stderr)
        with Daemon(self.state) as d:
            c = d.client()
            events = path("plain") + "/events"
            self.assertEqual(c.get(events).body[0]["seq"], first)
            gone = c.get(events + "?after=0")
            self.assertEqual((gone.status, gone.body["code"]), (410, "events_pruned"))
            self.assertEqual(c.get(f"{events}?after={first - 1}").body[0]["seq"], first)
            told = bandit("prune", self.state, "--older-than", "PT0S")
            self.assertEqual(told.returncode, 1)
            self.assertIn("state.lock", told.stderr)
            c.close()
            d.stop()
        copy, back, saved = self.at("copy"), self.at("back"), self.at("saved")
        self.done("backup", self.state, "--to", copy)
        self.done("restore", copy, "--to", back)
        self.done("salvage", self.state, "--to", saved)
        for state in (copy, back, saved):
            self.assertEqual(self.digests(state), before, state)
            with Daemon(state) as d:
                c = d.client()
                self.play(c, "plain", ["after"])
                c.close()
                self.assertEqual(d.stop(), 0)
            self.digests(state)
        with Daemon(self.state) as d:
            c = d.client()
            self.assertIn(c.delete(path("plain") + "?purge=true").status, (200, 202, 204))
            c.close()
            d.stop()
        self.assertEqual(self.sql("SELECT count(*) FROM base"), [(0,)])

    def test_the_base_does_without_snapshots_and_they_without_it(self):
        self.fill()
        before = self.digests()
        self.done("prune", self.state, "--older-than", "PT0S")
        self.sql("DELETE FROM snapshot")
        with Daemon(self.state) as d:
            c = d.client()
            self.play(c, "plain", ["x"])
            c.close()
            d.kill()
        self.assertNotEqual(self.digests(), before)
        self.sql("UPDATE base SET body = zeroblob(length(body))")
        self.sql("DELETE FROM snapshot")
        with self.assertRaises(NotStarted) as refused:
            Daemon(self.state)
        self.assertEqual(refused.exception.code, 3)
        self.assertIn("damaged", self.done("verify", self.state, code=1).stdout)

    def test_damage_is_left_alone(self):
        self.fill(n=3000)
        rows = self.sql("SELECT count(*) FROM event")
        good = self.sql("SELECT seq, body FROM snapshot")
        self.assertTrue(good)
        self.sql("UPDATE snapshot SET body = zeroblob(length(body))")
        told = self.done("prune", self.state, "--older-than", "PT0S", code=1)
        self.assertIn("does not verify", told.stderr)
        for seq, body in good:
            self.sql("UPDATE snapshot SET body = ? WHERE seq = ?", body, seq)
        self.sql("UPDATE event SET body = zeroblob(length(body)) WHERE experiment = 1 AND seq = 17")
        told = self.done("prune", self.state, "--older-than", "PT0S", code=1)
        self.assertEqual(self.sql("SELECT count(*) FROM event"), rows)
        self.assertEqual(self.sql("SELECT count(*) FROM base"), [(0,)])

    def test_a_kill_at_any_moment_loses_nothing_that_is_asked_for(self):
        self.fill(n=20000)
        with Daemon(self.state) as d:
            c = d.client()
            self.play(c, "plain", ["open"], reward=False)
            answers = self.play(c, "plain", [f"new{i}" for i in range(20)])
            c.close()
            d.stop()
        before = self.digests()
        command = [os.path.join(BUILD, "bandit"), "prune", self.state, "--older-than", "PT0S"]
        kept, rng, killed = self.at("kept"), random.Random(5), 0
        self.done("backup", self.state, "--to", kept)
        start = time.monotonic()
        subprocess.run([*command, "--dry-run"], check=True, stdout=subprocess.DEVNULL)
        took = time.monotonic() - start
        for i in range(KILLS):
            if i % 4 == 0:  # from the beginning; then what the last one left
                for f in os.listdir(self.state):
                    os.remove(os.path.join(self.state, f))
                with open(os.path.join(kept, "state.db"), "rb") as f, \
                        open(os.path.join(self.state, "state.db"), "wb") as to:
                    to.write(f.read())
            p = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(took * (2 * i / KILLS if i % 4 == 0 else rng.uniform(0, 2)))
            killed += p.poll() is None
            p.kill()
            p.wait()
            self.assertEqual(self.digests(), before)
            with Daemon(self.state) as d:
                c = d.client()
                self.assertEqual(self.play(c, "plain", [f"new{i}" for i in range(20)]), answers)
                self.assertEqual(c.post(path("plain") + "/decisions", {"id": "open"}).status, 200)
                c.close()
                d.kill()
        self.assertGreater(killed, 0)
        first = self.begins("plain", self.done(*command[1:]).stdout)
        self.assertEqual(first, 40002)
        self.assertEqual(self.digests(), before)
        self.assertEqual(self.sql("SELECT count(*) FROM event_key WHERE seq < 40002 AND "
                                  "experiment = 1"), [(0,)])


if __name__ == "__main__":
    unittest.main(verbosity=2)
