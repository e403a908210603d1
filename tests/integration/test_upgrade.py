#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A state that an earlier version wrote: schema_N.sql, one for each version of the schema, is opened,
folds to the digests it had then, answers old requests as they were answered, and goes on; a copy of what
it was stays beside it. Files
of a newer schema and of another program are refused and left as they are.

    test_upgrade.py --make FILE    a fixture of the schema of today, for a new version"""

import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import unittest

from client import BUILD, SOURCE, Daemon

FOLDER = os.path.join(SOURCE, "tests", "integration")
ARMS = ["a", "b", "c"]
EXPERIMENTS = {
    "plain": {"policy": "ucb1", "arms": ARMS, "seed": 1},
    "drawn": {"policy": "exp3_flad", "arms": ARMS, "seed": 2, "floor": 0.1},
    "loop": {"policy": {"name": "recovering", "params": {"d_max": 4}}, "arms": ARMS, "seed": 3},
    "votes": {"policy": {"name": "tallying", "params": {"memory_bound": 1}}, "arms": ARMS, "seed": 4},
    "solver": {"policy": "tsallis_inf", "arms": ["1.0", "1.5"], "seed": 5,
               "reward": {"goal": "minimise"}},
    "items": {"policy": {"name": "streaming", "params": {"test_pulls": 3}}, "arms": ARMS, "seed": 6},
}
ROUNDS = 8


def bandit(*args):
    return subprocess.run([os.path.join(BUILD, "bandit"), *args], capture_output=True, text=True,
                          timeout=120, check=False)


def path(name):
    return f"/v1/experiments/{name}"


def play(c, name, begin, end):
    """One decision a round, each third without a reward; returns the answers."""
    answers = []
    for i in range(begin, end):
        reply = c.post(path(name) + "/decisions", {"id": f"d{i}", "subject": f"s{i % 2}"})
        assert reply.status in (200, 201), reply
        answers.append(reply.raw.decode())
        if i % 3:
            arm = reply.body["arm"]
            reward = {"rewards": {arm: i % 2}} if name == "loop" else {"reward": i % 2}
            reply = c.post(path(name) + "/rewards", {"decision": f"d{i}", **reward})
            assert reply.status == 202, reply
    return answers


def digests(state):
    told = bandit("verify", state)
    assert told.returncode == 0, told.stdout + told.stderr
    return dict(re.findall(r"^(\w+): sound: .* digest (\w+)$", told.stdout, re.M))


def make(file):
    answers = {}
    with tempfile.TemporaryDirectory(prefix="banditd-upgrade-") as folder:
        state = os.path.join(folder, "state")
        with Daemon(state) as d:
            c = d.client()
            for name, body in EXPERIMENTS.items():
                reply = c.put(path(name), body)
                assert reply.status == 201, reply
                answers[name] = play(c, name, 0, ROUNDS)
            c.patch(path("votes"), {"state": "archived"})
            c.close()
            d.stop()
        db = sqlite3.connect(os.path.join(state, "state.db"))
        version, application = (db.execute(f"PRAGMA {p}").fetchone()[0]
                                for p in ("user_version", "application_id"))
        with open(file, "w", encoding="utf-8") as out:
            out.write("-- SPDX-License-Identifier: Apache-2.0\n")
            out.write(f"-- digests {json.dumps(digests(state))}\n")
            out.writelines(f"-- answers {json.dumps({n: a})}\n" for n, a in answers.items())
            out.write(f"PRAGMA user_version={version};\nPRAGMA application_id={application};\n")
            out.writelines(f"{line}\n" for line in db.iterdump())
        db.close()


class Upgrade(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="banditd-upgrade-")
        self.addCleanup(folder.cleanup)
        self.state = os.path.join(folder.name, "state")
        os.mkdir(self.state)

    def load(self, version, then=""):
        """The state of a fixture; returns what it says beside it."""
        with open(os.path.join(FOLDER, f"schema_{version}.sql"), encoding="utf-8") as f:
            text = f.read()
        db = sqlite3.connect(os.path.join(self.state, "state.db"))
        db.executescript(text + then)
        db.close()
        said = {"digests": {}, "answers": {}, "dump": self.dump("state.db")}
        for key, value in re.findall(r"^-- (\w+) (\{.*\})$", text, re.M):
            said[key].update(json.loads(value))
        return said

    def dump(self, file):
        db = sqlite3.connect(os.path.join(self.state, file))
        text = [db.execute("PRAGMA user_version").fetchone()[0], *db.iterdump()]
        db.close()
        return text

    def versions(self):
        with open(os.path.join(SOURCE, "schema", "store.sql"), encoding="utf-8") as f:
            return re.findall(r"^-- version (\d+)$", f.read(), re.M)

    def test_every_version_has_a_fixture(self):
        there = {re.findall(r"\d+", f)[0] for f in os.listdir(FOLDER)
                 if re.fullmatch(r"schema_\d+\.sql", f)}
        self.assertEqual(there, set(self.versions()))

    def test_an_old_state_folds_as_it_did_and_goes_on(self):
        for version in self.versions():
            with self.subTest(version=version):
                said = self.load(version)
                self.assertEqual(set(said["digests"]), set(EXPERIMENTS))
                with Daemon(self.state) as d:  # brings it up; bandit only reads
                    self.assertEqual(d.stop(), 0)
                self.assertEqual(digests(self.state), said["digests"])
                with Daemon(self.state) as d:
                    c = d.client()
                    for name, answers in said["answers"].items():
                        if name != "votes":  # archived
                            self.assertEqual(play(c, name, 0, ROUNDS), answers, name)
                            self.assertEqual(len(play(c, name, ROUNDS, 2 * ROUNDS)), ROUNDS)
                    c.close()
                    self.assertEqual(d.stop(), 0)
                self.assertEqual(set(digests(self.state)), set(EXPERIMENTS))
                copies = [f for f in os.listdir(self.state) if ".schema-" in f]
                if version == self.versions()[-1]:
                    self.assertEqual(copies, [])
                else:
                    self.assertEqual(copies, [f"state.db.schema-{version}"])
                    self.assertEqual(self.dump(copies[0]), said["dump"])
                    os.remove(os.path.join(self.state, copies[0]))
                os.remove(os.path.join(self.state, "state.db"))

    def test_without_room_for_a_copy_nothing_is_changed(self):
        if len(self.versions()) < 2:
            self.skipTest("there is one version")
        said = self.load(self.versions()[0])
        os.mkdir(os.path.join(self.state, f"state.db.schema-{self.versions()[0]}"))
        told = subprocess.run([os.path.join(BUILD, "banditd"), "--listen", "127.0.0.1:0", "--state",
                               self.state], capture_output=True, text=True, timeout=60, check=False)
        self.assertNotEqual(told.returncode, 0)
        self.assertIn("only after a copy, which failed", told.stderr)
        self.assertEqual(self.dump("state.db"), said["dump"])
        self.assertEqual([f for f in os.listdir(self.state) if f.endswith(".part")], [])

    def test_the_digests_are_those_of_then(self):
        for version in self.versions():
            with self.subTest(version=version):
                said = self.load(version)
                if version == self.versions()[-1]:  # bandit reads and never migrates
                    self.assertEqual(digests(self.state), said["digests"])
                os.remove(os.path.join(self.state, "state.db"))

    def refused(self, code, words):
        file = os.path.join(self.state, "state.db")
        with open(file, "rb") as f:
            before = f.read()
        told = subprocess.run([os.path.join(BUILD, "banditd"), "--listen", "127.0.0.1:0", "--state",
                               self.state], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(told.returncode, code, told.stderr)
        self.assertIn(words, told.stderr)
        with open(file, "rb") as f:
            self.assertEqual(f.read(), before)

    def test_a_newer_schema_is_refused(self):
        self.load(self.versions()[-1], "PRAGMA user_version=99;")
        self.refused(3, "schema 99 is newer")

    def test_the_file_of_another_program_is_refused(self):
        db = sqlite3.connect(os.path.join(self.state, "state.db"))
        db.executescript("PRAGMA application_id=77; CREATE TABLE t (x);")
        db.close()
        self.refused(3, "state.db")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--make"]:
        make(sys.argv[2])
    else:
        unittest.main(verbosity=2)
