#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kills the daemon at random moments under several clients: what was acknowledged is in the log
exactly once, and every retry gets the answer that was given, or the one that was lost on the way.

CRASH_ROUNDS says how often (20); CRASH_SEED repeats a run's choices."""

import collections
import http.client
import os
import random
import shutil
import subprocess
import tempfile
import threading
import time
import unittest

from client import BUILD, Daemon

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "20"))
SEED = int(os.environ.get("CRASH_SEED", str(random.randrange(1 << 32))))
THREADS = 4
EXPERIMENTS = ("one", "two")
BATCH = 20
LIFE_S = (0.03, 0.4)
SAMPLE = 60  # answered requests of a thread that are sent again each round
SPECS = {"one": {"policy": "uniform", "arms": ["a", "b", "c"], "floor": 0.1},
         "two": {"policy": "uniform", "arms": ["a", "b"],
                 "reward": {"window": "PT0.3S", "default": 0, "aggregate": "sum"}}}
DAEMON = ("--snapshot-events", "500")  # many, so that kills meet them


class Sent:
    """A request, and its answer once there was one."""

    def __init__(self, path, body):
        self.path, self.body, self.reply = path, body, None

    def items(self):
        return self.body if isinstance(self.body, list) else [self.body]


class Worker(threading.Thread):
    """Sends decisions and their rewards until there is no answer."""

    def __init__(self, address, name, seed):
        super().__init__()
        self.address, self.label = address, name
        self.random = random.Random(seed)
        self.sent, self.wrong, self.n = [], [], 0

    def send(self, client, path, body):
        s = Sent(path, body)
        self.sent.append(s)
        r = client.post(path, body)
        if r.status >= 300:
            self.wrong.append((path, body, r))
        s.reply = r

    def run(self):
        client = self.address.client(timeout=10)
        try:
            while True:
                self.step(client)
        except (OSError, http.client.HTTPException):
            client.close()

    def step(self, client):
        base = "/v1/experiments/" + self.random.choice(EXPERIMENTS)
        size = self.random.choice((0, 0, 0, BATCH))
        ids = [f"{self.label}-{self.n + i}" for i in range(max(size, 1))]
        self.n += len(ids)
        decisions = [{"id": i, "context": {"n": i}} for i in ids]
        rewards = [{"decision": i, "reward": self.random.choice((0, 0.5, 1)), "key": "k-" + i}
                   for i in ids]
        self.send(client, base + "/decisions", decisions if size else decisions[0])
        self.send(client, base + "/rewards", rewards if size else rewards[0])


class Log:
    """Both experiments' logs as sets of what stands in them, and how often."""

    def __init__(self, client):
        self.decisions, self.keys = collections.Counter(), collections.Counter()
        for e in EXPERIMENTS:
            events = client.events(e)
            assert [x["seq"] for x in events] == list(range(1, len(events) + 1)), e
            for x in events:
                if x["kind"] == "decision":
                    self.decisions[f"/v1/experiments/{e}", x["decision"]] += 1
                elif x["kind"] == "reward":
                    self.keys[f"/v1/experiments/{e}", x["key"]] += 1


def recorded(item, answer):
    """Whether this item's answer says that it is in the log."""
    return answer.get("http", 200) < 300 and answer.get("status") not in ("duplicate", "late")


class Crash(unittest.TestCase):
    ROUNDS = ROUNDS

    def start(self):
        return Daemon(self.state, *DAEMON)

    def end(self, d):
        d.kill()

    def setUp(self):
        self.state = tempfile.mkdtemp(prefix="banditd-crash-")
        self.addCleanup(shutil.rmtree, self.state)
        self.random = random.Random(SEED)
        self.known = collections.Counter()  # what an earlier round saw in the log
        self.acknowledged = self.unanswered = 0

    def test_kills(self):
        for n in range(self.ROUNDS):
            with self.subTest(seed=SEED, round=n):
                self.round(n)
        print(f"{self.ROUNDS} kills, seed {SEED}: {self.acknowledged} acknowledged events, "
              f"{self.unanswered} requests without an answer")
        self.assertGreater(self.acknowledged, self.ROUNDS * 10)
        self.verify()

    def round(self, n):
        with self.start() as d:
            c = d.client()
            for e in EXPERIMENTS:
                self.assertIn(c.put("/v1/experiments/" + e, SPECS[e]).status, (200, 201))
            c.close()
            workers = [Worker(d, f"r{n}t{k}", self.random.random()) for k in range(THREADS)]
            for w in workers:
                w.start()
            time.sleep(self.random.uniform(*LIFE_S))
            self.end(d)
            for w in workers:
                w.join()
        with self.start() as d:
            c = d.client()
            self.check_log(Log(c), workers)
            for w in workers:
                self.assertEqual(w.wrong, [])
                self.retry(c, w)
            if n % 5 == 4:
                self.check_log(Log(c), workers)
            c.close()
            if n % 2:  # a kill of an idle daemon, or a stop with its snapshots
                self.assertEqual(d.stop(), 0)
            else:
                self.end(d)

    def check_log(self, log, workers):
        """Everything acknowledged is there, nothing twice, nothing of earlier rounds is gone."""
        doubled = [k for c in (log.decisions, log.keys) for k, times in c.items() if times > 1]
        self.assertEqual(doubled, [])
        self.assertEqual(self.known - (log.decisions + log.keys), collections.Counter())
        missing = []
        for s in (s for w in workers for s in w.sent if s.reply):
            base, kind = s.path.rsplit("/", 1)
            where, name = (log.decisions, "id") if kind == "decisions" else (log.keys, "key")
            answers = s.reply.body if isinstance(s.body, list) else [s.reply.body]
            for item, answer in zip(s.items(), answers):
                if recorded(item, answer):
                    self.acknowledged += 1
                    if where[base, item[name]] != 1:
                        missing.append((s.path, item))
        self.assertEqual(missing, [])
        self.known = log.decisions + log.keys

    def retry(self, client, worker):
        """Those without an answer get one now; those with one get the same bytes."""
        for s in worker.sent:
            if s.reply is None:
                self.unanswered += 1
                r = client.post(s.path, s.body)
                # The reward of a decision that never came to be is one for nobody.
                self.assertIn(r.status, (200, 201, 202), (s.path, s.body, r))
                s.reply = r
                if r.status == 200 and not isinstance(s.body, list):
                    self.assertEqual(r.headers.get("idempotency-replayed"), "true")
        for s in self.random.sample(worker.sent, min(SAMPLE, len(worker.sent))):
            self.same_again(client, s)

    def same_again(self, client, s):
        r = client.post(s.path, s.body)
        self.assertEqual(r.status, 200, r)
        if not isinstance(s.body, list):
            self.assertEqual((r.raw, r.headers.get("idempotency-replayed")), (s.reply.raw, "true"))
        elif s.path.endswith("/decisions"):
            self.assertEqual([{**o, "http": 0} for o in r.body],
                             [{**o, "http": 0} for o in s.reply.body])
        else:
            self.assertEqual({o["status"] for o in r.body}, {"duplicate"})

    def verify(self):
        """The state that recovery made is that of the log folded anew."""
        program = os.path.join(BUILD, "bandit")
        known = os.path.exists(program) and subprocess.run(
            [program, "help", "verify"], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL).returncode == 0
        if known:
            r = subprocess.run([program, "verify", self.state], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
            self.assertEqual(r.returncode, 0, r.stdout)


if __name__ == "__main__":
    unittest.main()
