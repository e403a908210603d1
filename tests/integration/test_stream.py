#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Arms that are offered without end: the backlog is durable and costs no memory, the daemon is
killed and decides as if nothing had been, and the log verifies, goes out and comes in."""

import json
import os
import random
import re
import subprocess
import tempfile
import time
import unittest

from client import BUILD, SOURCE, Daemon

BASE = "/v1/experiments/s"
BANDIT = os.path.join(BUILD, "bandit")


def spec(arms=(), window=None, **params):
    return {"policy": {"name": "streaming", "params": params}, "arms": list(arms), "seed": 7,
            "reward": {"window": window}}


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder, self.state = folder.name, os.path.join(folder.name, "state")

    def start(self):
        self.d = Daemon(self.state)
        self.addCleanup(self.d.__exit__)
        self.client = self.d.client()
        self.addCleanup(self.client.close)
        return self.client

    def put(self, **params):
        self.assertEqual(self.client.put(BASE, spec(**params)).status, 201)

    def offer(self, *ids):
        r = self.client.post(BASE + "/arms", [{"id": i} for i in ids])
        self.assertIn(r.status, (200, 201), r)
        self.assertEqual([i["id"] for i in r.body["items"]], list(ids))
        return [i["status"] for i in r.body["items"]]

    def ask(self, **more):
        r = self.client.post(BASE + "/decisions", more)
        self.assertEqual(r.status, 201, r)
        return r.body

    def reward(self, d, value):
        r = self.client.post(BASE + "/rewards", {"decision": d["id"], "reward": value})
        self.assertEqual(r.status, 202, r)
        return r.body["status"]

    def stream(self):
        return self.client.get(BASE + "/stats").body["stream"]

    def bandit(self, *args):
        r = subprocess.run([BANDIT, *args], capture_output=True, text=True)
        self.assertEqual(r.returncode, 0, r.stderr)
        return r.stdout


class Service(Case):
    def expect(self, arm, role):
        d = self.ask()
        self.assertEqual((d["arm"], d["role"]), (arm, role))
        return d

    def test_offers_are_traffic_and_fill_no_log(self):
        self.start()
        self.put()
        for i in range(100):
            self.offer(f"item-{i}")
        self.client.post(BASE + "/stream", {"action": "close"})
        audited = [x for x in self.d.log().splitlines() if "msg=audit" in x]
        self.assertEqual([re.search(r"method=\w+ route=\S+", x)[0] for x in audited],
                         ["method=PUT route=/v1/experiments/{e}",
                          "method=POST route=/v1/experiments/{e}/stream"])

    def test_goes_as_in_the_trace_of_the_reference(self):
        self.start()
        self.put(mode="tuned", test_pulls=3)
        self.assertEqual(self.offer("a", "b"), ["testing", "queued"])
        one, two, three = (self.expect("a", "test") for _ in range(3))
        four = self.expect("a", "fill")
        self.reward(one, 1)
        self.reward(three, 0)
        self.expect("a", "fill")
        self.assertEqual(self.client.post(f"{BASE}/decisions/{two['id']}/void").status, 200)
        six = self.expect("a", "test")
        self.reward(four, 1)
        self.assertIsNone(self.stream()["king"])
        self.reward(six, 1)
        s = self.stream()
        self.assertEqual((s["king"], s["test"], s["backlog"]), ("a", "b", 0))
        self.assertAlmostEqual(s["bench"], 2 / 3, 12)
        seven, eight, nine = (self.expect("b", "test") for _ in range(3))
        self.expect("a", "king")
        self.assertEqual(self.offer("b"), ["seen"])
        for d in (seven, nine, eight):
            self.reward(d, 1)
        s = self.stream()
        self.assertEqual((s["king"], s["bench"], s["crowned"]), ("b", 1, 2))
        self.assertEqual(self.client.delete(BASE + "/arms/b").status, 200)
        s = self.stream()
        self.assertEqual(s["king"], "a")
        self.assertAlmostEqual(s["bench"], 2 / 3, 12)

    def test_an_answer_names_its_arm_when_the_slot_has_another(self):
        self.start()
        self.put(mode="tuned", test_pulls=1)
        self.offer(*"abcdefgh")
        first = {}
        for i in range(20):
            d = self.ask(id=f"d{i}")
            first[d["id"]] = d
            self.reward(d, 1 if d["arm"] == "a" else 0.5)
        self.assertEqual({d["arm"] for d in first.values() if d["role"] == "test"}, set("abcdefgh"))
        self.assertLessEqual(len(self.client.get(BASE + "/arms").body["items"]), 3)
        for i, d in first.items():
            r = self.client.post(BASE + "/decisions", {"id": i})
            self.assertEqual((r.status, r.body), (200, d))
        named = {e["decision"]: e["arm"] for e in self.client.events("s") if e["kind"] == "reward"}
        self.assertEqual(named, {i: d["arm"] for i, d in first.items()})

    def test_a_full_backlog_refuses_and_what_is_not_remembered_comes_again(self):
        self.start()
        self.put(test_pulls=2, backlog_max=2, remember="none")
        self.assertEqual(self.offer(*"abcd"), ["testing", "queued", "full", "full"])
        self.assertEqual(self.offer("b"), ["queued"])
        self.assertEqual(self.stream()["backlog"], 2)

    def test_a_pull_without_a_reward_is_made_again(self):
        self.start()
        self.put(mode="tuned", test_pulls=1, pull_timeout_s=0.05, ratio="auto")
        self.offer("a", "b")
        lost = self.ask()
        self.assertIsNotNone(lost["expires_at"])
        until = time.monotonic() + 20
        while self.stream()["expired"] == 0 and time.monotonic() < until:
            time.sleep(0.02)
        again = self.expect("a", "test")
        self.assertNotEqual(again["id"], lost["id"])

    def test_the_ratio_at_the_crowning_and_late_rewards_are_told(self):
        self.start()
        self.put(mode="tuned", test_pulls=1, pull_timeout_s=0.05)
        self.offer("a", "b")
        lost = self.ask()
        until = time.monotonic() + 20
        while self.stream()["expired"] == 0 and time.monotonic() < until:
            time.sleep(0.02)
        s = self.stream()
        self.assertEqual((s["late"], s["king"], s["king_ratio"]), (0, None, None))
        self.assertEqual(self.reward(lost, 1), "recorded")
        while self.stream()["king"] is None and time.monotonic() < until:
            d = self.ask()  # may be given up as well
            self.client.post(BASE + "/rewards", {"decision": d["id"], "reward": 1})
        told = self.stream()
        self.assertEqual(told["king"], "a")
        self.assertGreaterEqual(told["late"], 1)
        self.assertGreaterEqual(told["king_ratio"], 1002 / 3)
        self.d.kill()
        self.start()
        again = self.stream()
        for name in ("late", "king_ratio", "ratio"):
            self.assertEqual(again[name], told[name])
        self.verify()
        lines = [json.loads(x) for x in self.bandit("export", self.state).splitlines()]
        self.assertTrue(any([x.pop("tested", False) for x in lines]))
        self.assertTrue(all(x.pop("rated") for x in lines if x.get("op") == "read"))
        log, state = (os.path.join(self.folder, name) for name in ("log", "before"))
        with open(log, "w", encoding="utf-8") as f:
            f.writelines(json.dumps(x) + "\n" for x in lines)
        self.bandit("import", log, state)  # as versions of before wrote it
        self.bandit("verify", state)
        self.state = state
        self.start()
        before = self.stream()
        self.assertEqual((before["king"], before["king_ratio"], before["late"]), ("a", None, 0))

    def test_an_arm_that_waited_too_long_is_passed_over(self):
        self.start()
        self.put(mode="tuned", test_pulls=1, arm_ttl_s=0.05)
        self.offer("a", "b", "c")
        d = self.ask()
        time.sleep(0.2)
        self.reward(d, 1)
        s = self.stream()
        self.assertEqual((s["king"], s["test"], s["skipped"], s["backlog"]), ("a", None, 2, 0))
        self.assertEqual(self.offer("d"), ["testing"])

    def test_an_id_counts_once(self):
        self.start()
        self.put(test_pulls=2)
        self.assertEqual(self.offer("a", "b", "a"), ["testing", "queued", "seen"])
        self.assertEqual(self.offer("x001", "x002", "b", "x001"),
                         ["queued", "queued", "seen", "seen"])
        self.assertEqual(self.stream()["offered"], 4)

    def test_the_arms_of_the_creation_are_read_first(self):
        self.start()
        self.put(arms=["a", "b"], mode="tuned", test_pulls=1)
        self.assertEqual(self.offer("c", "a"), ["queued", "seen"])
        seen = []
        for _ in range(3):
            d = self.ask()
            seen.append(d["arm"])
            self.reward(d, 0.5)
        self.assertEqual(seen, ["a", "b", "c"])

    def test_slots_of_many_arms_are_used_again_and_their_names_found(self):
        self.start()
        first, then = [f"a{i}" for i in range(40)], [f"b{i}" for i in range(100)]
        self.put(arms=first, mode="tuned", test_pulls=1)
        self.offer(*then)
        arms = []
        for _ in range(140):
            d = self.ask()
            arms.append(d["arm"])
            self.reward(d, 0.5)
        self.assertEqual(arms, first + then)
        listed = [a["arm"] for a in self.client.get(BASE + "/arms").body["items"]]
        self.assertEqual(len(listed), 40)
        self.assertIn("b99", listed)
        for arm in first + then:
            r = self.client.patch(f"{BASE}/arms/{arm}", {"state": "active"})
            self.assertEqual(r.status, 200 if arm in listed else 404, arm)

    def test_the_levels_meet_when_the_stream_is_closed_and_empty(self):
        self.start()
        self.put(mode="levels", levels="short", ratio=8)
        self.offer(*"abcde")
        r = self.client.post(BASE + "/stream", {"action": "close"})
        self.assertEqual((r.status, r.body["backlog"]), (200, 4))
        for _ in range(300):
            d = self.ask()
            self.reward(d, 1 if d["arm"] == "c" else 0)
        s = self.stream()
        self.assertEqual((s["king"], s["test"], s["backlog"]), ("c", None, 0))

    def test_an_arm_that_waits_is_withdrawn(self):
        self.start()
        self.put(mode="tuned", test_pulls=1)
        self.offer(*"abcdef")
        for arm in "cb":
            for _ in range(2):
                r = self.client.delete(BASE + "/arms/" + arm)
                self.assertEqual((r.status, r.body), (200, {
                    "id": arm, "status": "withdrawn", "position": "abcdef".index(arm)}))
        s = self.stream()
        self.assertEqual((s["offered"], s["backlog"], s["skipped"]), (6, 3, 2))
        self.assertEqual(self.offer("b"), ["seen"])
        self.d.kill()
        self.start()
        self.assertEqual(self.run_tests(4), "adef")
        s = self.stream()
        self.assertEqual((s["offered"], s["backlog"], s["skipped"]), (6, 0, 2))
        for arm in ("c", "never"):
            r = self.client.delete(BASE + "/arms/" + arm)
            self.assertEqual((r.status, r.body["code"]), (404, "arm_not_found"))
        self.verify()

    def run_tests(self, n):
        arms = []
        for _ in range(n):
            d = self.ask()
            self.assertEqual(d["role"], "test")
            arms.append(d["arm"])
            self.reward(d, 0.5)
        return "".join(arms)

    def verify(self):
        self.assertEqual(self.d.stop(), 0)
        self.bandit("verify", self.state)

    def test_what_is_not_remembered_is_withdrawn_as_often_as_it_waits(self):
        self.start()
        self.put(mode="tuned", test_pulls=1, remember="none")
        self.offer(*"abcb")
        self.offer(*"dbe")
        for _ in range(2):  # a retry changes nothing
            r = self.client.delete(BASE + "/arms/b")
            self.assertEqual((r.status, r.body), (200, {
                "id": "b", "status": "withdrawn", "position": 1}))
            s = self.stream()
            self.assertEqual((s["offered"], s["backlog"], s["skipped"]), (7, 3, 3))
        self.assertEqual(self.client.delete(BASE + "/arms/z").status, 404)
        self.d.kill()
        self.start()
        self.assertEqual(self.run_tests(2), "ac")
        self.assertEqual(self.offer("b"), ["queued"])  # is a new arm
        self.assertEqual(self.run_tests(3), "deb")
        self.assertEqual(self.stream()["skipped"], 3)
        self.verify()

    def test_of_a_stack_what_is_not_remembered_is_withdrawn_as_well(self):
        self.start()
        self.put(mode="tuned", test_pulls=1, remember="none", order="lifo")
        self.offer(*"bab")
        self.offer(*"dbe")
        self.assertEqual(self.run_tests(1), "b")  # and e is under test
        states = []
        for arm in "ebbb":
            r = self.client.delete(BASE + "/arms/" + arm)
            self.assertEqual(r.status, 200, r)
            states.append(r.body.get("state", r.body.get("position")))
        self.assertEqual(states, ["retired", "retired", 0, 0])  # the king at first
        self.offer("c")
        self.assertEqual(self.run_tests(3), "dca")
        for _ in range(2):  # nothing waits: the one that is listed
            self.assertEqual(self.client.delete(BASE + "/arms/a").body["state"], "retired")
        s = self.stream()
        self.assertEqual((s["offered"], s["backlog"], s["skipped"]), (7, 0, 2))
        self.verify()

    def test_what_is_not_remembered_is_looked_for_near_its_turn(self):
        self.start()
        self.put(mode="tuned", test_pulls=1, remember="none")
        for i in range(7):
            arms = [f"x{i}-{k}" for k in range(9999)]
            r = self.client.post(BASE + "/arms", arms + [f"last-{i}"])
            self.assertEqual(r.status, 201)
        r = self.client.delete(BASE + "/arms/last-5")
        self.assertEqual((r.status, r.body["position"]), (200, 59999))
        for arm in ("later", "x9-9"):
            self.offer("later")
            r = self.client.delete(BASE + "/arms/" + arm)
            self.assertEqual((r.status, r.body["code"]), (422, "too_many"))

    def test_the_newest_is_read_first_where_that_is_asked_for(self):
        self.start()
        self.put(mode="tuned", test_pulls=1, order="lifo")
        self.assertEqual(self.offer(*"abc"), ["queued", "queued", "testing"])
        self.assertEqual(self.offer(*"de"), ["queued", "queued"])
        self.assertEqual(self.run_tests(2), "ce")
        self.assertEqual(self.offer(*"fgh"), ["queued", "queued", "queued"])
        for arm, status in zip("gbce", (200, 200, 200, 404)):
            r = self.client.delete(BASE + "/arms/" + arm)
            self.assertEqual(r.status, status, r)
        self.assertEqual(self.stream()["backlog"], 3)
        self.d.kill()
        self.start()
        self.assertEqual(self.run_tests(4), "dhfa")
        s = self.stream()
        self.assertEqual((s["offered"], s["backlog"], s["skipped"]), (8, 0, 2))
        self.assertEqual(self.offer(*"ij"), ["queued", "testing"])
        self.assertEqual(self.run_tests(2), "ji")
        self.verify()

    def test_of_a_stack_all_that_waited_too_long_are_passed_over(self):
        self.start()
        self.put(mode="tuned", test_pulls=1, order="lifo", arm_ttl_s=0.05)
        self.offer(*"abc")
        time.sleep(0.2)
        self.assertEqual(self.run_tests(1), "c")
        s = self.stream()
        self.assertEqual((s["king"], s["test"], s["skipped"], s["backlog"]), ("c", None, 2, 0))
        self.assertEqual(self.offer("d"), ["testing"])
        self.verify()

    def test_king_and_deputy_are_tested_again(self):
        self.start()
        self.put(mode="tuned", test_pulls=2)
        tell = lambda: self.client.post(BASE + "/stream", {"action": "recheck"})
        r = tell()
        self.assertEqual((r.status, r.body["code"]), (409, "no_king"))
        self.offer("a", "b", "c")
        for arm, value in zip("aabb", (0.5, 0.5, 1, 1)):
            self.reward(self.expect(arm, "test"), value)
        r = tell()
        self.assertEqual((r.status, r.body["king"], r.body["test"], r.body["rechecking"]),
                         (200, "b", "c", True))
        self.assertEqual(tell().body["rechecking"], True)
        for arm, value in zip("ccbbaa", (0, 0, 0.25, 0.25, 0.5, 0.5)):
            self.assertTrue(self.stream()["rechecking"])
            self.reward(self.expect(arm, "test"), value)
        s = self.stream()
        self.assertEqual((s["king"], s["bench"], s["rechecking"]), ("a", 0.5, False))
        self.expect("a", "king")
        self.verify()

    def test_levels_are_not_told_to_test_again(self):
        self.start()
        self.put(mode="levels", levels="short", ratio=8)
        self.offer("a")
        r = self.client.post(BASE + "/stream", {"action": "recheck"})
        self.assertEqual((r.status, r.body["code"], r.body["pointer"]),
                         (422, "not_supported", "/action"))

    def test_what_has_no_stream_refuses_its_route(self):
        self.start()
        self.client.put("/v1/experiments/u", {"policy": "uniform", "arms": ["a"]})
        r = self.client.post("/v1/experiments/u/stream", {"action": "close"})
        self.assertEqual((r.status, r.body["code"]), (422, "not_supported"))
        self.put()
        r = self.client.post(BASE + "/stream", {"action": "open"})
        self.assertEqual((r.status, r.body["pointer"]), (422, "/action"))


class Crash(Case):
    """The same requests, with and without kills between and in them."""
    ROUNDS, ARMS = 120, 40

    def once(self, send, order):
        """One run; `send` carries a request out, however often it takes."""
        rng, seen = random.Random(3), []
        send("PUT", BASE, spec(mode="race", m_min=2, test_pulls=4, share=0.7, order=order))
        for i in range(self.ROUNDS):
            if i % 6 == 0:
                ids = [f"arm-{i + k}" for k in range(2 * self.ARMS // (self.ROUNDS // 6))]
                send("POST", BASE + "/arms", [{"id": a} for a in ids])
                send("DELETE", f"{BASE}/arms/{ids[0]}", None)
            if i == self.ROUNDS // 2:
                send("POST", BASE + "/stream", {"action": "recheck"})
            d = send("POST", BASE + "/decisions", {"id": f"d{i}"})
            seen.append((d["seq"], d["arm"], d["role"], d["propensity"]))
            value = hash_of(d["arm"]) if rng.random() < 0.9 else 0
            send("POST", BASE + "/rewards", {"decision": d["id"], "reward": value, "key": f"r{i}"})
        return seen

    def plainly(self, method, path, body):
        r = self.client.request(method, path, body)
        self.assertIn(r.status, (200, 201, 202, 404)[:4 if method == "DELETE" else 3], r)
        return r.body

    def roughly(self, method, path, body):
        if self.rng.random() < 0.06:
            if self.rng.random() < 0.5:  # the request is under way when it dies
                self.client.connect().request(method, path, json.dumps(body),
                                              {"Content-Type": "application/json"})
            self.client.close()
            self.d.kill()
            self.start()
        return self.plainly(method, path, body)

    def test_decides_as_if_it_had_not_been_killed(self):
        self.compare("fifo")

    def test_a_stack_does_too(self):
        self.compare("lifo")

    def compare(self, order):
        self.start()
        plain = self.once(self.plainly, order)
        self.d.kill()
        self.state = os.path.join(self.folder, "other")
        self.rng = random.Random(11)
        self.start()
        rough = self.once(self.roughly, order)
        self.assertEqual(plain, rough)
        tested = [arm for _, arm, role, _ in plain if role == "test"]
        runs = [arm for i, arm in enumerate(tested) if i == 0 or tested[i - 1] != arm]
        # two runs are those of the recheck
        self.assertLessEqual(len(runs), len(set(runs)) + 2, "one that was dropped was tested again")
        self.assertGreater(len(runs), 10)
        self.assertEqual(self.d.stop(), 0)
        self.check_log()

    def check_log(self):
        self.assertIn("s", self.bandit("verify", self.state))
        log = os.path.join(self.folder, "log.jsonl")
        again = os.path.join(self.folder, "again")
        text = self.bandit("export", self.state)
        with open(log, "w", encoding="utf-8") as f:
            f.write(text)
        self.bandit("import", log, again)
        self.assertEqual(self.bandit("export", again), text)
        self.bandit("verify", again)


class Forged(Case):
    """verify looks up what a stream reads and passes over."""

    def log_with(self, change):
        """The log of two arms that were offered, one of them read, as `change` leaves it."""
        self.start()
        self.put(test_pulls=4)
        self.client.post(BASE + "/arms", [{"id": "a", "label": "A"}, {"id": "b"}])
        self.assertEqual(self.d.stop(), 0)
        lines = [json.loads(x) for x in self.bandit("export", self.state).splitlines()]
        self.assertEqual([x.get("op") for x in lines], [None, "offer", "read"])
        change(lines)
        log, state = (os.path.join(self.folder, name) for name in ("log", "forged"))
        with open(log, "w", encoding="utf-8") as f:
            f.writelines(json.dumps(x) + "\n" for x in lines)
        self.bandit("import", log, state)
        return subprocess.run([BANDIT, "verify", state], capture_output=True, text=True)

    def refuse(self, what, change):
        r = self.log_with(change)
        self.assertNotEqual(r.returncode, 0, r.stdout)
        self.assertIn(what, r.stdout + r.stderr)

    def add(self, lines, **more):
        lines.append({**{k: lines[-1][k] for k in ("v", "experiment", "at", "kind")},
                      "seq": len(lines) + 1, **more})

    def test_a_log_as_it_was_written(self):
        r = self.log_with(lambda lines: None)
        self.assertEqual(r.returncode, 0, r.stdout + r.stderr)

    def test_another_arm_than_was_offered(self):
        self.refuse("was offered at 0", lambda lines: lines[2].update(label="B"))

    def test_an_arm_out_of_its_turn(self):
        self.refuse("it is the turn of 0", lambda lines: lines[2].update(position=1, arm="b"))

    def test_an_arm_passed_over_for_no_reason(self):
        self.refuse("for no reason",
                    lambda lines: self.add(lines, op="skip", position=2, offer=2))

    def test_an_arm_withdrawn_that_was_not_offered(self):
        self.refuse("was not offered at 1",
                    lambda lines: self.add(lines, op="withdraw", position=1, offer=2, arm="c"))

    def test_an_arm_withdrawn_and_passed_over(self):
        def change(lines):
            self.add(lines, op="withdraw", position=1, offer=2, arm="b")
            self.add(lines, op="skip", position=2, offer=2)
        r = self.log_with(change)
        self.assertEqual(r.returncode, 0, r.stdout + r.stderr)


def hash_of(arm):
    return (int(re.sub(r"\D", "", arm)) * 37 % 101) / 101


class Before(Case):
    """A log of a version that kept all arms in memory and did not name them in decisions."""

    def test_is_read_verified_and_goes_on(self):
        log = os.path.join(SOURCE, "tests", "integration", "stream_before.jsonl")
        self.bandit("import", log, self.state)
        with open(log, encoding="utf-8") as f:
            self.assertEqual(self.bandit("export", self.state), f.read())
        self.bandit("verify", self.state)
        self.start()
        self.assertEqual(self.offer("g", "h"), ["seen", "queued"])
        arms = []
        for _ in range(16):
            d = self.ask()
            arms.append(d["arm"])
            self.reward(d, 0.5)
        self.assertEqual("".join(arms), "ddeeefffggghhhaa")
        self.assertEqual(self.client.post(BASE + "/decisions", {"id": "d4"}).body["arm"], "b")
        self.assertEqual(self.d.stop(), 0)
        self.bandit("verify", self.state)


class Memory(Case):
    OFFERS, BATCH = 100000, 5000

    def resident_kib(self):
        with open(f"/proc/{self.d.process.pid}/status", encoding="ascii") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))

    def test_offers_cost_no_arms_and_are_read_in_order(self):
        self.start()
        self.put(test_pulls=1, mode="tuned")
        for i in range(0, self.OFFERS, self.BATCH):
            self.offer(*(f"item-{k:07d}" for k in range(i, i + self.BATCH)))
        self.assertEqual(self.stream()["backlog"], self.OFFERS - 1)
        self.assertEqual(len(self.client.get(BASE + "/arms").body["items"]), 1)
        for i in range(300):  # more than are at hand, one test a decision
            d = self.ask()
            self.assertEqual((d["arm"], d["role"]), (f"item-{i:07d}", "test"))
            self.reward(d, 0.5)
        self.assertLessEqual(len(self.client.get(BASE + "/arms").body["items"]), 3)
        self.d.kill()
        self.start()
        self.assertEqual(self.ask()["arm"], "item-0000300")
        self.assertEqual(self.offer("item-0099999", "item-0100000"), ["seen", "queued"])


if __name__ == "__main__":
    unittest.main()
