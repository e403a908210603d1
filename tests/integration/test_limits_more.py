#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Limits of doc/limits.md again: those of policies, of what many connections and tokens may take
together, and of `bandit compare`. test_limits.py has the table of all."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

from client import BUILD, Daemon, NotStarted
from test_limits import ARMS, MIB, Rig

BODY = 4 * MIB
BODIES = 256 * MIB


def run(program, *arguments):
    return subprocess.run([os.path.join(BUILD, program), *arguments], capture_output=True,
                          text=True, timeout=600, check=False)


class Policies(Rig):
    def test_what_exclude_looks_through(self):
        names = [f"a{i}" for i in range(65537)]
        self.limit("arms that `exclude` looks through",
                   *(self.decide(self.fresh("exp3_flad", arms=names[:n]), {"exclude": ["a0"]})
                     for n in (65536, 65537)), 422, "too_many")

    def test_lists(self):
        def made(rows, width):
            return self.made({"name": "groupwise", "params": {
                "kind": "experts", "learner": "ftpl", "components": [[1] * width] * rows}})[1]

        self.limit("numbers in a list that is a parameter", made(1024, 512), made(1025, 512),
                   422, "too_many")
        self.limit("`groupwise`: numbers of a row of `components`", made(2, 512), made(2, 513),
                   422, "wrong_type")

    def test_groups(self):
        path = self.fresh("groupwise")
        for at in range(0, 4096, 64):
            within = self.decide(path, {"groups": [f"g{at + i}" for i in range(64)]})
            self.assertEqual(within.status, 201)
        self.limit("groups of an experiment, those that were removed among them", within,
                   self.decide(path, {"groups": ["more"]}), 422, "too_many")
        self.assertEqual(self.c.delete(path + "/groups/g0").status, 204)
        self.refused(self.decide(path, {"groups": ["more"]}), 422, "too_many")
        self.assertEqual(self.decide(path, {"groups": ["g0"]}).status, 201)

    def test_features_of_regress(self):
        names = [f"f{i}" for i in range(513)]
        self.limit("`groupwise`: features of `regress`",
                   *(self.made({"name": "groupwise", "params": {"kind": "regress"}}, arms=[],
                               context=names[:n])[1] for n in (512, 513)), 422, "out_of_range")

    def test_memory_of_groups(self):
        """65,536 arms: 512 KiB a group, one of them `_all`."""
        path = self.fresh("groupwise", arms=[f"a{i}" for i in range(65536)])
        groups = [f"g{i}" for i in range(512)]
        for at in range(0, 511, 64):
            within = self.decide(path, {"groups": groups[at:min(at + 64, 511)]})
            self.assertEqual(within.status, 201, within)
        self.limit("`groupwise`: memory of all groups' learners", within,
                   self.decide(path, {"groups": groups[511:]}), 422, "too_many")
        self.assertEqual(self.decide(path, {"groups": groups[:1]}).status, 201)
        self.assertEqual(self.c.delete(path + "?purge=true").status, 204)

    def test_cells_of_recovering(self):
        arms = [f"a{i}" for i in range(1025)]
        policy = {"name": "recovering", "params": {"d_max": 4096}}
        self.limit("arms of `recovering` times its d_max",
                   *(self.made(policy, arms=arms[:n])[1] for n in (1024, 1025)), 422, "too_many")

    def test_subjects(self):
        def policy(most):
            return {"name": "tallying", "params": {"memory_bound": 1, "mode": "isolated",
                                                   "subjects_max": most}}

        row = "subjects that a policy remembers"
        path = self.fresh(policy(2))
        told = [self.decide(path, {"subject": s}) for s in ("a", "b", "c")]
        self.limit(row, *told[1:], 422, "too_many")
        self.assertEqual(self.decide(path, {"subject": "a"}).status, 201)
        self.limit(row, *(self.made(policy(n))[1] for n in (10**8, 10**8 + 1)), 422,
                   "out_of_range")

    def test_arms_in_stats(self):
        self.assertIn("arms in `/stats`", self.page)
        for n, shown in ((1000, 1000), (1001, 1000)):
            path = self.fresh(arms=[f"a{i}" for i in range(n)])
            self.assertEqual(len(self.c.get(path + "/stats").body["arms"]), shown)

    def test_events_of_a_decision(self):
        self.assertIn("events shown of one decision", self.page)
        path = self.fresh(reward={"aggregate": "sum", "window": "PT1H"})
        self.assertEqual(self.decide(path, {"id": "d"}).status, 201)
        for n, shown in ((1000, 1000), (1, 1000)):
            sent = self.c.post(path + "/rewards", [{"decision": "d", "reward": 0}] * n)
            self.assertEqual(sent.status, 200, sent)
            self.assertEqual(len(self.c.get(path + "/decisions/d").body["events"]), shown)

    def test_head(self):
        self.assertIn("request line and headers", self.page)
        for n, status in ((14 << 10, b"200"), (16 << 10, b"431")):
            s = self.connect(b"GET /healthz HTTP/1.1\r\nHost: h\r\nX: " + b"x" * n + b"\r\n\r\n")
            self.assertEqual(s.recv(12), b"HTTP/1.1 " + status)

    def connect(self, first):
        host, port = self.daemon.address.rsplit(":", 1)
        s = socket.create_connection((host, int(port)), timeout=30)
        self.addCleanup(s.close)
        s.sendall(first)
        return s

    def test_bodies_together(self):
        """None of them ever whole; whoever comes then is told so, until one has gone."""
        self.assertIn("bodies of all connections together", self.page)
        path = self.fresh()
        head = (f"POST {path}/decisions HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
                f"Content-Length: {BODY}\r\n\r\n").encode()
        self.c.close()  # it keeps room for its next body
        many = [self.connect(head + b"[" + b" " * (BODY - 3)) for _ in range(BODIES // BODY)]
        self.soon(path, 503)
        for s in many:
            s.setblocking(False)
            self.assertRaises(BlockingIOError, s.recv, 1)  # nobody else was told anything
        many.pop().close()
        self.soon(path, 201)

    def soon(self, path, status):
        """What was sent may not have been read yet, nor an end been noticed."""
        for seconds in (0.5, 0.5, 1, 2, 4):
            time.sleep(seconds)
            reply = self.decide(path, {})
            self.c.close()
            if reply.status == status:
                break
        self.assertEqual(reply.status, status, reply)
        if status == 503:
            self.assertEqual(reply.body["code"], "out_of_memory")


class Tokens(unittest.TestCase):
    def start(self, lines):
        """What a start with these says on standard error; "" when it goes well."""
        with tempfile.TemporaryDirectory(prefix="banditd-limits-") as folder:
            tokens = os.path.join(folder, "tokens")
            with open(tokens, "w", encoding="utf-8") as f:
                f.write("\n".join(lines) + "\n")
            os.chmod(tokens, 0o600)
            try:
                with Daemon(os.path.join(folder, "state"), "--token-file", tokens):
                    return ""
            except NotStarted as e:
                return str(e)

    def line(self, i, *more):
        made = run("bandit", "token", "new", "t0", "--scope", "read", *more).stdout.strip()
        name, rest = made.split(" ", 1)
        self.assertEqual(name, "t0")
        return f"t{i} {rest}"

    def test_tokens(self):
        one = self.line(0)
        digest = re.search(r"[0-9a-f]{64}", one).group(0)
        lines = [one.replace("t0 ", f"t{i} ", 1).replace(digest, f"{i:064x}") for i in range(10001)]
        self.assertEqual(self.start(lines[:10000]), "")
        self.assertIn("10000", self.start(lines))

    def test_patterns(self):
        names = [f"e{i}" for i in range(17)]
        self.assertEqual(self.start([self.line(1, "-e", ",".join(names[:16]))]), "")
        beyond = run("bandit", "token", "new", "t", "--scope", "read", "-e", ",".join(names))
        self.assertEqual(beyond.returncode, 1)
        self.assertIn("16", beyond.stderr)
        line = self.line(1, "-e", ",".join(names[:16]))
        self.assertIn("16", self.start([line.replace(",e15", ",e15,e16")]))


class Compare(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="banditd-limits-")
        with Daemon(os.path.join(cls.folder.name, "state")) as d:
            c = d.client()
            c.put("/v1/experiments/e", {"policy": "uniform", "arms": ARMS})
            for at in range(0, 5000, 1000):
                ids = [f"d{at + i}" for i in range(1000)]
                c.post("/v1/experiments/e/decisions", [{"id": i} for i in ids])
                c.post("/v1/experiments/e/rewards",
                       [{"decision": d, "reward": i % 2} for i, d in enumerate(ids)])
            c.close()
        cls.log = os.path.join(cls.folder.name, "log.jsonl")
        with open(cls.log, "w", encoding="utf-8") as f:
            f.write(run("bandit", "export", os.path.join(cls.folder.name, "state")).stdout)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def compare(self, *arguments):
        return run("bandit", "compare", self.log, *arguments)

    def targets(self, n):
        return [a for i in range(n) for a in ("-p", f"epsilon_greedy:epsilon=0.{i:02}")]

    def test_targets(self):
        self.assertEqual(self.compare(*self.targets(32)).returncode, 0)
        beyond = self.compare(*self.targets(33))
        self.assertEqual(beyond.returncode, 2)
        self.assertIn("at most 32", beyond.stderr)

    def test_kemeny(self):
        left_out = "no exact Kemeny"
        self.assertNotIn(left_out, self.compare(*self.targets(10)).stdout)
        beyond = self.compare(*self.targets(11))
        self.assertEqual(beyond.returncode, 0)
        self.assertIn(left_out, beyond.stdout)

    def test_places(self):
        two = ["-t", "uniform", "-t", "always:a"]
        self.assertEqual(self.compare(*two, "--segments", "100").returncode, 0)
        self.assertEqual(self.compare(*two, "--segments", "101").returncode, 2)
        logs = [self.log] + [shutil.copy(self.log, self.log + f".{i}.jsonl") for i in (1, 2)]
        self.assertEqual(run("bandit", "compare", *logs[:2], *two, "--segments", "100").returncode, 0)
        self.assertEqual(run("bandit", "compare", *logs, *two, "--segments", "85").returncode, 0)
        beyond = run("bandit", "compare", *logs, *two, "--segments", "86")
        self.assertNotEqual(beyond.returncode, 0)
        self.assertIn("256", beyond.stderr)

    def test_budget(self):
        two = [*self.targets(2), "--holdout", "0.5"]
        for n, code in ((1000, 0), (1001, 2)):
            self.assertEqual(self.compare(*two, "--budget", str(n)).returncode, code)


if __name__ == "__main__":
    unittest.main(verbosity=2)
