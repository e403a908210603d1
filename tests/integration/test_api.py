#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The HTTP API as its users meet it: every route, what goes well and what goes wrong, and the same
answers after a kill. What was answered is recorded for test_replies.py."""

import json
import math
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from client import BUILD, NDJSON_TYPE, SOURCE, Client, Daemon, Recorder, lines

WINDOW_S = 0.2
BATCH_MAX = 1000
ARMS_MAX = 10000
BODY_MAX = 4 << 20
EXACT = 1 << 53
UNIFORM = {"policy": {"name": "uniform"}, "arms": ["a", "b", "c"]}
MADE_ID = re.compile(r"^d:\d+-[0-9a-f]{8}$")

record = None
names = 0


def setUpModule():
    global record
    record = Recorder("replies.jsonl")


def tearDownModule():
    record.close()


class ApiTest(unittest.TestCase):
    """One daemon for the tests of a class."""

    OPTIONS = ()

    @classmethod
    def setUpClass(cls):
        cls.state = tempfile.mkdtemp(prefix="banditd-api-")
        cls.daemon = Daemon(cls.state, *cls.OPTIONS)
        cls.c = cls.daemon.client(record=record)

    @classmethod
    def tearDownClass(cls):
        cls.c.close()
        with cls.daemon as d:
            code, log = d.stop(), d.log()
        shutil.rmtree(cls.state)
        assert code == 0, f"exit {code}: {log}"
        assert not re.search(r"^<[0-4]>", log, re.M), log

    @classmethod
    def start_again(cls, kill=True):
        cls.c.close()
        with cls.daemon as d:
            code = d.kill() if kill else d.stop()
        assert code == (-9 if kill else 0), code
        cls.daemon = Daemon(cls.state, *cls.OPTIONS)
        cls.c = cls.daemon.client(record=record)

    def make(self, **members):
        """A new experiment; its path."""
        global names
        names += 1
        path = f"/v1/experiments/x{names}"
        self.ok(self.c.put(path, {**UNIFORM, **members}), 201)
        return path

    def ok(self, reply, status=200):
        self.assertEqual(reply.status, status, reply)
        return reply.body

    def problem(self, reply, status, code, pointer=None):
        self.assertEqual(reply.status, status, reply)
        self.assertEqual(reply.headers["content-type"], "application/problem+json")
        self.assert_problem(reply.body, status, code, pointer)
        self.assertEqual(reply.body["request_id"], reply.headers["x-request-id"])

    def assert_problem(self, body, status, code, pointer=None):
        self.assertEqual((body["code"], body["status"]), (code, status), body)
        self.assertEqual(body["type"], f"/problems/{code}")
        self.assertEqual(body.get("pointer"), pointer, body)

    def decide(self, path, status=201, **body):
        return self.ok(self.c.post(path + "/decisions", body), status)

    def reward(self, path, decision, reward, status=202, **more):
        return self.ok(self.c.post(path + "/rewards",
                                   {"decision": decision, "reward": reward, **more}), status)

    def stats(self, path, arms=False):
        body = self.ok(self.c.get(path + "/stats"))
        return body if arms else {k: v for k, v in body.items() if k not in ("arms", "history")}

    def wait_for(self, what, seconds=10):
        until = time.monotonic() + seconds
        while not (value := what()):
            self.assertLess(time.monotonic(), until, "it did not come about")
            time.sleep(0.02)
        return value

    def wait_state(self, path, decision, state):
        return self.wait_for(lambda: (b := self.ok(self.c.get(f"{path}/decisions/{decision}")))
                             ["state"] == state and b)


class Experiments(ApiTest):
    def test_create_is_idempotent(self):
        path = "/v1/experiments/created"
        body = {**UNIFORM, "floor": 0.25, "seed": 42, "label": "Für alle",
                "arms": ["news", 0.5, {"id": "film", "label": "Film of the day"}],
                "reward": {"lo": -1, "hi": 2, "goal": "maximise", "window": "PT24H",
                           "default": None, "late": "record", "aggregate": "first"}}
        first = self.c.put(path, body)
        e = self.ok(first, 201)
        self.assertEqual((e["experiment"], e["floor"], e["seed"], e["arms"], e["active_arms"],
                          e["label"]), ("created", 0.25, 42, 3, 3, "Für alle"))
        self.assertEqual(e["reward"], {**body["reward"], "lo": -1.0, "hi": 2.0})
        again = self.c.put(path, dict(reversed(body.items())))
        self.assertEqual(self.ok(again, 200), e)
        self.assertEqual(again.headers["etag"], first.headers["etag"])
        self.problem(self.c.put(path, {**body, "seed": 43}), 409, "experiment_exists")
        self.assertEqual([a["arm"] for a in self.ok(self.c.get(path + "/arms"))["items"]],
                         ["news", "0.5", "film"])

    def test_create_without_a_seed_chooses_one_and_retries(self):
        seeds = set()
        for name in ("seed1", "seed2"):
            e = self.ok(self.c.put("/v1/experiments/" + name, UNIFORM), 201)
            self.assertEqual(self.ok(self.c.put("/v1/experiments/" + name, UNIFORM)), e)
            seeds.add(e["seed"])
        self.assertEqual(len(seeds), 2)

    def test_short_form_of_a_policy(self):
        self.assertEqual(self.ok(self.c.put("/v1/experiments/short", {"policy": "uniform"}), 201)
                         ["policy"], {"name": "uniform", "params": {}})

    def test_what_create_refuses(self):
        w = lambda **reward: {**UNIFORM, "reward": reward}
        for body, status, code, pointer in (
                ({"arms": ["a"]}, 422, "missing_field", "/policy"),
                ({"policy": {}}, 422, "missing_field", "/policy/name"),
                ({"policy": "nope"}, 422, "unknown_policy", "/policy/name"),
                ({"policy": 1}, 422, "wrong_type", "/policy"),
                ({"policy": {"name": "uniform", "params": {"x": 1}}}, 422, "unknown_field",
                 "/policy/params/x"),
                ({"policy": {"name": "uniform", "params": {"x": []}}}, 422, "wrong_type",
                 "/policy/params/x"),
                ({"policy": {"name": "uniform", "extra": 1}}, 422, "unknown_field",
                 "/policy/extra"),
                ({**UNIFORM, "slot": 1}, 422, "unknown_field", "/slot"),
                ({**UNIFORM, "a/b~c": 1}, 422, "unknown_field", "/a~1b~0c"),
                ({**UNIFORM, "arms": "a"}, 422, "wrong_type", "/arms"),
                ({**UNIFORM, "arms": ["a", "a"]}, 409, "arm_exists", "/arms/1"),
                ({**UNIFORM, "arms": ["a", "b c"]}, 422, "invalid_id", "/arms/1"),
                ({**UNIFORM, "arms": [{"label": "x"}]}, 422, "missing_field", "/arms/0/id"),
                ({**UNIFORM, "arms": [None]}, 422, "wrong_type", "/arms/0"),
                ({**UNIFORM, "floor": 1}, 422, "out_of_range", "/floor"),
                ({**UNIFORM, "floor": -0.1}, 422, "out_of_range", "/floor"),
                ({**UNIFORM, "floor": "0"}, 422, "wrong_type", "/floor"),
                ({**UNIFORM, "slots": 0}, 422, "out_of_range", "/slots"),
                ({**UNIFORM, "slots": 1.5}, 422, "wrong_type", "/slots"),
                ({**UNIFORM, "slots": 1025}, 422, "out_of_range", "/slots"),
                ({**UNIFORM, "policy": {"name": "ucb1"}, "slots": 2}, 422, "not_supported",
                 "/slots"),
                ({**UNIFORM, "seed": -1}, 422, "out_of_range", "/seed"),
                ({**UNIFORM, "seed": EXACT + 1}, 422, "out_of_range", "/seed"),
                ({**UNIFORM, "seed": 1.5}, 422, "wrong_type", "/seed"),
                ({**UNIFORM, "label": "x" * 257}, 422, "out_of_range", "/label"),
                ({**UNIFORM, "label": None}, 422, "wrong_type", "/label"),
                ({**UNIFORM, "context": ["a", "b c"]}, 422, "invalid_id", "/context/1"),
                ({**UNIFORM, "context": ["f%d" % i for i in range(1025)]}, 422, "too_many",
                 "/context"),
                (w(lo=1, hi=1), 422, "out_of_range", "/reward/lo"),
                (w(lo=2), 422, "out_of_range", "/reward/lo"),
                (w(hi=EXACT + 1), 422, "out_of_range", "/reward/hi"),
                (w(goal="best"), 422, "out_of_range", "/reward/goal"),
                (w(window="24H"), 422, "out_of_range", "/reward/window"),
                (w(window="PT0S"), 422, "out_of_range", "/reward/window"),
                (w(window=5), 422, "wrong_type", "/reward/window"),
                (w(default=0), 422, "out_of_range", "/reward/default"),
                (w(default=2, window="PT1S"), 422, "out_of_range", "/reward/default"),
                (w(default="0", window="PT1S"), 422, "wrong_type", "/reward/default"),
                (w(aggregate="last"), 422, "out_of_range", "/reward/aggregate"),
                (w(late="never"), 422, "out_of_range", "/reward/late"),
                (w(lte="drop"), 422, "unknown_field", "/reward/lte"),
                ([], 422, "wrong_type", None),
        ):
            with self.subTest(body=str(body)[:100]):
                self.problem(self.c.put("/v1/experiments/refused", body), status, code, pointer)
        self.problem(self.c.get("/v1/experiments/refused"), 404, "unknown_experiment")

    def test_what_is_not_json(self):
        deep = lambda n: '{"policy":' + "[" * n + "]" * n + "}"
        for text, code in (
                ("", "invalid_json"), ("{", "invalid_json"), ("{} {}", "invalid_json"),
                ("nul", "invalid_json"), ("1", "invalid_json"), ("\ufeff{}", "invalid_json"),
                ('{"policy":"uniform","floor":NaN}', "invalid_json"),
                ('{"policy":"uniform","floor":1e999}', "invalid_json"),
                ('{"policy":"uniform","seed":99999999999999999999}', "invalid_json"),
                ('{"policy":"uniform","label":"\\u0000"}', "invalid_json"),
                (b'{"policy":"\xff"}', "invalid_json"),
                (deep(32), "invalid_json"), (deep(5000), "invalid_json"),
                ('{"policy":"uniform","policy":"uniform"}', "duplicate_field"),
                ('{"policy":{"name":"uniform","name":"uniform"}}', "duplicate_field")):
            with self.subTest(text=text[:60]):
                self.problem(self.c.put("/v1/experiments/refused", text), 400, code)
        self.problem(self.c.put("/v1/experiments/refused", deep(31)), 422, "wrong_type", "/policy")

    def test_a_problem_is_utf8_whatever_was_sent(self):
        for n in range(55, 70):
            r = self.c.put("/v1/experiments/refused", {"policy": "uniform", "x" * n + "é" * 300: 1})
            self.assertEqual(self.body_code(r), "unknown_field")

    def body_code(self, r):
        self.assertEqual(r.headers["content-type"], "application/problem+json")
        return r.body["code"]

    def test_ids(self):
        longest = "L" * 128
        path = "/v1/experiments/" + longest
        self.ok(self.c.put(path, UNIFORM), 201)
        self.assertEqual(self.decide(path, id="D" * 128)["experiment"], longest)
        self.ok(self.c.put("/v1/experiments/a%3Ab", UNIFORM), 201)
        self.ok(self.c.get("/v1/experiments/a:b"))
        for name in ("L" * 129, "a%20b", "a+b", "%C3%A9", "a%2Fb", "a%00b", "a,b"):
            self.problem(self.c.put("/v1/experiments/" + name, UNIFORM), 422, "invalid_id")
            self.problem(self.c.get("/v1/experiments/" + name), 404, "unknown_experiment")
        self.problem(self.c.put("/v1/experiments/a/b", UNIFORM), 404, "unknown_route")
        self.problem(self.c.put("/v1/experiments/", UNIFORM), 404, "unknown_route")

    def test_patch_is_a_merge_patch(self):
        rules = {"window": "PT1H", "default": 0.5, "late": "drop", "aggregate": "max"}
        path = self.make(floor=0.1, label="x", reward=rules)
        before = self.ok(self.c.get(path))
        self.assertEqual(self.ok(self.c.patch(path, {})), before)
        e = self.ok(self.c.patch(path, {"floor": 0.2, "reward": {"late": "learn"}}))
        self.assertEqual((e["floor"], e["label"]), (0.2, "x"))
        self.assertEqual(e["reward"], {"lo": 0.0, "hi": 1.0, "goal": "maximise", **rules,
                                       "late": "learn"})
        self.assertGreater(e["revision"], before["revision"])
        self.assertEqual(self.ok(self.c.patch(path, {"floor": 0.2}))["revision"], e["revision"])
        e = self.ok(self.c.patch(path, {"label": None, "floor": None,
                                        "reward": {"late": None, "default": None}},
                                 kind="application/json"))
        self.assertEqual((e["floor"], e["label"], e["reward"]["late"], e["reward"]["default"],
                          e["reward"]["aggregate"]), (0.0, "", "record", None, "max"))
        e = self.ok(self.c.patch(path, {"reward": None, "state": "paused"}))
        self.assertEqual(e["reward"], {"lo": 0.0, "hi": 1.0, "goal": "maximise", "window": None,
                                       "default": None, "late": "record", "aggregate": "first"})
        self.assertEqual(self.ok(self.c.patch(path, {"state": None}))["state"], "running")

    def test_what_patch_refuses(self):
        path = self.make()
        before = self.ok(self.c.get(path))
        for body, code, pointer in (
                ({"policy": "uniform"}, "fixed_field", "/policy"),
                ({"policy": {"params": {"depth": 1}}}, "unknown_field", "/policy/params/depth"),
                ({"policy": {"params": {"depth": None}}}, "wrong_type", "/policy/params/depth"),
                ({"policy": {"name": "moss", "params": {}}}, "fixed_field", "/policy/name"),
                ({"slots": 2}, "fixed_field", "/slots"), ({"slots": 0}, "out_of_range", "/slots"),
                ({"groups": []}, "fixed_field", "/groups"),
                ({"auto_groups": False}, "fixed_field", "/auto_groups"),
                ({"seed": 1}, "fixed_field", "/seed"),
                ({"reward": {"lo": 0}}, "fixed_field", "/reward/lo"),
                ({"reward": {"goal": "minimise"}}, "fixed_field", "/reward/goal"),
                ({"rewards": {}}, "unknown_field", "/rewards"),
                ({"reward": 1}, "wrong_type", "/reward"),
                ({"floor": 1}, "out_of_range", "/floor"),
                ({"state": "archived"}, "out_of_range", "/state"),
                ({"reward": {"aggregate": "sum"}}, "out_of_range", "/reward/aggregate"),
                ({"reward": {"default": 0}}, "out_of_range", "/reward/default"),
                ({"label": "x" * 257}, "out_of_range", "/label"),
                ([], "wrong_type", None)):
            with self.subTest(body=body):
                self.problem(self.c.patch(path, body), 422, code, pointer)
        self.assertEqual(self.ok(self.c.get(path)), before)
        self.problem(self.c.patch(path, "{"), 400, "invalid_json")
        self.problem(self.c.patch("/v1/experiments/nope", {}), 404, "unknown_experiment")

    def test_revisions(self):
        path = self.make()
        tag = self.c.get(path).headers["etag"]
        r = self.c.get(path, headers={"If-None-Match": f'"0-0", {tag}'})
        self.assertEqual((r.status, r.raw, r.headers["etag"]), (304, b"", tag))
        self.assertEqual(self.c.get(path, headers={"If-None-Match": "*"}).status, 304)
        self.ok(self.c.get(path, headers={"If-None-Match": '"0-0"'}))
        stale = {"headers": {"If-Match": '"0-0"'}}
        self.problem(self.c.patch(path, {"floor": 0.5}, **stale), 412, "precondition_failed")
        self.problem(self.c.delete(path, **stale), 412, "precondition_failed")
        self.problem(self.c.delete(path + "?purge=true", **stale), 412, "precondition_failed")
        self.problem(self.c.post(path + "/arms", ["z"], **stale), 412, "precondition_failed")
        self.problem(self.c.patch(path + "/arms/a", {"state": "paused"}, **stale), 412,
                     "precondition_failed")
        self.problem(self.c.delete(path + "/arms/a", **stale), 412, "precondition_failed")
        self.decide(path)  # no change of settings
        r = self.c.patch(path, {"floor": 0.5}, headers={"If-Match": tag})
        self.ok(r)
        self.assertNotEqual(r.headers["etag"], tag)
        self.assertEqual(self.c.get(path).headers["etag"], r.headers["etag"])
        added = self.c.post(path + "/arms", ["z"], headers={"If-Match": r.headers["etag"]})
        self.ok(added, 201)
        self.assertEqual(self.c.get(path).headers["etag"], added.headers["etag"])

    def test_paused_and_archived(self):
        path = self.make()
        d, late = self.decide(path)["id"], self.decide(path)["id"]
        self.ok(self.c.patch(path, {"state": "paused"}))
        self.problem(self.c.post(path + "/decisions", {}), 409, "experiment_paused")
        self.assertEqual(self.reward(path, d, 1)["status"], "learnt")
        self.ok(self.c.patch(path, {"state": "running"}))
        self.decide(path)
        self.assertEqual(self.ok(self.c.delete(path))["state"], "archived")
        self.assertEqual(self.ok(self.c.delete(path))["state"], "archived")
        self.problem(self.c.post(path + "/decisions", {}), 409, "experiment_archived")
        self.problem(self.c.post(path + "/rewards", {"decision": late, "reward": 1}), 409,
                     "experiment_archived")
        self.problem(self.c.patch(path, {"state": "running"}), 409, "experiment_archived")
        self.problem(self.c.post(path + "/arms", ["z"]), 409, "experiment_archived")
        self.assertEqual(self.stats(path)["decisions"], 3)

    def test_purge(self):
        path = self.make()
        self.decide(path, id="once")
        self.problem(self.c.delete(path + "?purge=yes"), 400, "bad_parameter", "purge")
        self.ok(self.c.delete(path + "?purge=false"))
        r = self.c.delete(path + "?purge=true")
        self.assertEqual((r.status, r.raw), (204, b""))
        self.problem(self.c.get(path), 404, "unknown_experiment")
        self.problem(self.c.delete(path + "?purge=true"), 404, "unknown_experiment")
        self.ok(self.c.put(path, {**UNIFORM, "seed": 9}), 201)
        self.assertEqual(self.ok(self.c.get(path))["state"], "running")
        self.problem(self.c.get(path + "/decisions/once"), 404, "unknown_decision")
        self.assertEqual(len(self.c.events(path.rsplit("/", 1)[1])), 1)

    def test_list_while_rows_come_and_go(self):
        def make(i):
            self.ok(self.c.put(f"/v1/experiments/page{i:03}", UNIFORM), 201)

        for i in range(25):
            make(i)
        seen, before = [], self.ok(self.c.get("/v1/experiments?limit=1000"))["items"]
        for n, e in enumerate(self.c.pages("/v1/experiments", 5)):
            seen.append(e["experiment"])
            if n % 5 == 0 and n < 25:
                make(100 + n)
                self.c.delete(f"/v1/experiments/page{24 - n // 5:03}?purge=true")
        self.assertEqual(len(seen), len(set(seen)))
        gone = {f"page{24 - k:03}" for k in range(5)}
        self.assertLessEqual({e["experiment"] for e in before} - gone, set(seen))
        self.assertIn("page120", seen)
        self.assertEqual(self.c.get("/v1/experiments?limit=1000").body["next"], None)

    def test_paging_parameters(self):
        path = self.make()
        for target in ("/v1/experiments", path + "/arms"):
            for limit in ("0", "1001", "-1", "x", "", "1.5", "99999999999999999999"):
                self.problem(self.c.get(f"{target}?limit={limit}"), 400, "bad_parameter", "limit")
            for cursor in ("x", "", "c", "c0", "c-1", "c+1", "c%201", "c1x",
                           "c99999999999999999999"):
                self.problem(self.c.get(f"{target}?cursor={cursor}"), 400, "bad_cursor", "cursor")
            end = self.ok(self.c.get(f"{target}?cursor=c18446744073709551615"))
            self.assertEqual(end, {"items": [], "next": None})


class Arms(ApiTest):
    def test_added_one_or_many(self):
        path = self.make()
        r = self.c.post(path + "/arms", {"id": "d", "label": "D"})
        self.assertEqual([a["arm"] for a in self.ok(r, 201)["items"]], ["d"])
        r = self.c.post(path + "/arms", ["e", 7, {"id": "f"}])
        self.assertEqual([a["arm"] for a in self.ok(r, 201)["items"]], ["e", "7", "f"])
        self.assertEqual([a["arm"] for a in self.c.pages(path + "/arms", 2)],
                         ["a", "b", "c", "d", "e", "7", "f"])
        revision = self.ok(self.c.get(path))["revision"]
        self.assertEqual(self.ok(self.c.post(path + "/arms", []), 201), {"items": []})
        self.assertEqual(self.ok(self.c.get(path))["revision"], revision)

    def test_what_adding_refuses(self):
        path = self.make()
        for body, status, code, pointer in (
                (["x", "a"], 409, "arm_exists", "/1"), (["x", "y", "x"], 409, "arm_exists", "/2"),
                (["x", ""], 422, "invalid_id", "/1"), ({"id": "é"}, 422, "invalid_id", "/id"),
                ([True], 422, "wrong_type", "/0"), ([{"id": "x", "x": 1}], 422, "unknown_field",
                                                    "/0/x"),
                (["x%d" % i for i in range(ARMS_MAX + 1)], 422, "too_many", None)):
            with self.subTest(body=str(body)[:60]):
                self.problem(self.c.post(path + "/arms", body), status, code, pointer)
        self.assertEqual(self.ok(self.c.get(path))["arms"], 3)
        self.problem(self.c.post("/v1/experiments/nope/arms", ["x"]), 404, "unknown_experiment")

    def test_a_grid_is_refined(self):
        path = self.make(policy={"name": "tsallis_inf", "params": {"loss_scale": 1}},
                         arms=[1, 1.5, 2], reward={"lo": 0, "hi": 9, "goal": "minimise"})
        d = self.decide(path)
        self.reward(path, d["id"], 2)
        self.ok(self.c.post(path + "/arms", [{"id": "1.25", "between": ["1", "1.5"]},
                                             {"id": "1.75", "between": ["1.5", "2"]}]), 201)
        arms = {a["arm"]: a["policy"]["estimated_loss"]
                for a in self.stats(path, arms=True)["arms"]}
        self.assertAlmostEqual(arms[d["arm"]], 2 / d["propensity"])
        self.assertEqual(arms["1.25"], (arms["1"] + arms["1.5"]) / 2)
        self.assertEqual(arms["1.75"], (arms["1.5"] + arms["2"]) / 2)
        change = [e for e in self.c.events(path.rsplit("/", 1)[1]) if e["kind"] == "arm"][0]
        self.assertEqual([c["between"] for c in change["changes"]],
                         [["1", "1.5"], ["1.5", "2"]])

    def test_what_refining_refuses(self):
        path = self.make(policy="tsallis_inf", arms=["a", "b", "c"])
        self.ok(self.c.delete(path + "/arms/c"))
        for between, status, code, pointer in (
                (["a"], 422, "out_of_range", "/between"),
                (["a", "a"], 422, "out_of_range", "/0/between"),
                (["a", "zz"], 422, "unknown_arm", "/0/between"),
                (["a", "c"], 409, "arm_retired", "/0/between"),
                ("a", 422, "wrong_type", "/between")):
            self.problem(self.c.post(path + "/arms", {"id": "d", "between": between}), status,
                         code, pointer)
        for policy in ("cheb_cb", "ucb1"):
            other = self.make(policy=policy, arms=["a", "b"], context=["x"])
            self.problem(self.c.post(other + "/arms", {"id": "c", "between": ["a", "b"]}), 422,
                         "not_supported", "/0/between")
        stream = self.make(policy="streaming", arms=["a", "b"])
        self.problem(self.c.post(stream + "/arms", {"id": "c", "between": ["a", "b"]}), 422,
                     "unknown_field", "/between")
        self.problem(self.c.put("/v1/experiments/refined-at-once", {
            "policy": "tsallis_inf",
            "arms": ["a", "b", {"id": "c", "between": ["a", "b"]}]}), 422, "unknown_field",
                     "/arms/2/between")

    def test_as_many_as_the_limit(self):
        path = self.make(arms=[])
        self.problem(self.c.post(path + "/decisions", {}), 422, "no_eligible_arm")
        ids = ["x%d" % i for i in range(ARMS_MAX)]
        self.ok(self.c.post(path + "/arms", ids), 201)
        self.assertEqual([a["arm"] for a in self.c.pages(path + "/arms", 1000)], ids)
        self.assertAlmostEqual(self.decide(path)["propensity"], 1 / ARMS_MAX)
        self.assertEqual(len(self.stats(path, arms=True)["arms"]), 1000)
        self.problem(self.c.post(path + "/decisions?include=pmf", {}), 422, "too_many")
        self.problem(self.c.post(path + "/decisions", {"eligible": ids + ["x0"]}), 422, "too_many",
                     "/eligible")

    def test_paged_while_arms_are_added(self):
        path = self.make()
        seen = []
        for n, a in enumerate(self.c.pages(path + "/arms", 2)):
            seen.append(a["arm"])
            if n < 6:
                self.ok(self.c.post(path + "/arms", [f"n{n}"]), 201)
        self.assertEqual(seen, ["a", "b", "c"] + [f"n{n}" for n in range(6)])

    def test_paused_resumed_retired_while_running(self):
        path = self.make()
        picked = lambda: {d["arm"] for d in self.ok(self.c.post(path + "/decisions", [{}] * 60))}
        self.assertEqual(picked(), {"a", "b", "c"})
        a = self.ok(self.c.patch(path + "/arms/a", {"state": "paused"}))
        self.assertEqual((a["arm"], a["state"]), ("a", "paused"))
        self.assertEqual(picked(), {"b", "c"})
        self.assertEqual(self.decide(path)["propensity"], 0.5)
        self.problem(self.c.post(path + "/decisions", {"eligible": ["a"]}), 422, "no_eligible_arm",
                     "/eligible")
        self.ok(self.c.patch(path + "/arms/a", {"state": "active"}))
        self.assertIn("a", picked())
        retired = self.decide(path, eligible=["c"])["id"]
        known = self.decide(path, eligible=["c"])["id"]
        self.assertEqual(self.reward(path, known, 1)["status"], "learnt")
        for _ in range(2):
            self.assertEqual(self.ok(self.c.delete(path + "/arms/c"))["state"], "retired")
        self.assertEqual(picked(), {"a", "b"})
        self.assertEqual(self.reward(path, retired, 1)["status"], "recorded")
        arm = self.stats(path, arms=True)["arms"][2]
        self.assertEqual((arm["state"], arm["rewards"], arm["mean"]), ("retired", 1, 1.0))
        self.problem(self.c.patch(path + "/arms/c", {"state": "active"}), 409, "arm_retired",
                     "/state")
        self.problem(self.c.post(path + "/arms", ["c"]), 409, "arm_exists", "/0")
        self.ok(self.c.patch(path + "/arms/a", {"state": "paused"}))
        self.ok(self.c.delete(path + "/arms/b"))
        self.problem(self.c.post(path + "/decisions", {}), 422, "no_eligible_arm")

    def test_what_changing_refuses(self):
        path = self.make()
        for body, code, pointer in (({}, "missing_field", "/state"),
                                    ({"state": "retired"}, "out_of_range", "/state"),
                                    ({"state": None}, "wrong_type", "/state"),
                                    ({"state": "paused", "label": "x"}, "unknown_field", "/label")):
            self.problem(self.c.patch(path + "/arms/a", body), 422, code, pointer)
        self.problem(self.c.patch(path + "/arms/z", {"state": "paused"}), 404, "arm_not_found")
        self.problem(self.c.delete(path + "/arms/z"), 404, "arm_not_found")
        self.problem(self.c.delete("/v1/experiments/nope/arms/z"), 404, "unknown_experiment")


class Decisions(ApiTest):
    def test_the_answer(self):
        path = self.make(seed=1)
        d = self.decide(path, id="req-1", subject="u-9", groups=["f", "18-24"],
                        context={"hour": 21, "x": [1.5, None, "é"]})
        self.assertEqual((d["id"], d["experiment"], d["seq"], d["policy"], d["expires_at"]),
                         ("req-1", path.rsplit("/", 1)[1], 2, "uniform", None))
        self.assertEqual(d["arms"], [{"arm": d["arm"], "propensity": d["propensity"]}])
        self.assertAlmostEqual(d["propensity"], 1 / 3)
        self.assertRegex(self.decide(path)["id"], MADE_ID)
        line = self.c.events(d["experiment"])[1]
        self.assertEqual((line["decision"], line["subject"], line["groups"], line["context"]),
                         ("req-1", "u-9", ["f", "18-24"], {"hour": 21, "x": [1.5, None, "é"]}))

    def test_idempotent(self):
        path = self.make()
        body = {"id": "once", "context": {"a": 1, "b": 2}}
        first = self.c.post(path + "/decisions", body)
        self.ok(first, 201)
        self.assertNotIn("idempotency-replayed", first.headers)
        for again in (body, {"context": {"b": 2, "a": 1}, "id": "once"}):
            r = self.c.post(path + "/decisions", again)
            self.assertEqual((r.status, r.raw), (200, first.raw))
            self.assertEqual(r.headers["idempotency-replayed"], "true")
        self.problem(self.c.post(path + "/decisions", {"id": "once"}), 409, "decision_conflict",
                     "/id")
        self.assertEqual(self.stats(path)["decisions"], 1)

    def test_idempotency_key_is_an_alias(self):
        path = self.make()
        key = lambda k: {"headers": {"Idempotency-Key": k}}
        first = self.c.post(path + "/decisions", {}, **key("k1"))
        self.assertEqual(self.ok(first, 201)["id"], "k1")
        for body, k in (({}, "k1"), ({}, '"k1"'), ({"id": "k1"}, "k1")):
            self.assertEqual(self.c.post(path + "/decisions", body, **key(k)).raw, first.raw)
        self.assertEqual(self.c.post(path + "/decisions", {"id": "k1"}).raw, first.raw)
        self.problem(self.c.post(path + "/decisions", {"id": "k1"}, **key("k2")), 400,
                     "bad_parameter", "/id")
        self.problem(self.c.post(path + "/decisions", {}, **key("k 2")), 400, "bad_parameter",
                     "/id")
        self.problem(self.c.post(path + "/decisions", {"subject": "s"}, **key("k1")), 409,
                     "decision_conflict", "/id")
        reward = {"decision": "k1", "reward": 1}
        sent = self.c.post(path + "/rewards", reward, **key("r1"))
        self.ok(sent, 202)
        again = self.c.post(path + "/rewards", {**reward, "key": "r1"})
        self.assertEqual((again.status, again.raw), (200, sent.raw))
        self.problem(self.c.post(path + "/rewards", {**reward, "key": "r2"}, **key("r1")), 400,
                     "bad_parameter", "/key")

    def test_declared_groups(self):
        path = self.make(groups=["old", "new"], auto_groups=False)
        self.assertIs(self.ok(self.c.get(path))["auto_groups"], False)
        self.decide(path, groups=["new", "old"])
        self.problem(self.c.post(path + "/decisions", {"groups": ["old", "odd"]}), 422,
                     "unknown_group", "/groups/1")
        path = self.make(groups=["old"])
        self.assertNotIn("auto_groups", self.ok(self.c.get(path)))
        self.decide(path, groups=["odd"])
        for body, code, pointer in (
                ({"groups": ["a", "a"]}, "out_of_range", "/groups/1"),
                ({"groups": ["a b"]}, "invalid_id", "/groups/0"),
                ({"auto_groups": False}, "out_of_range", "/auto_groups")):
            body.update(policy="uniform", arms=["a"])
            self.problem(self.c.put("/v1/experiments/odd-groups", body), 422, code, pointer)

    def test_groups_are_removed(self):
        def seen(path):
            return {g["group"]: (g["decisions"], g["rewards"])
                    for g in self.ok(self.c.get(path + "/stats"))["groups"]}

        path = self.make(policy="groupwise", groups=["x"])
        old = self.decide(path, groups=["x", "y", "z"])["id"]
        self.reward(path, self.decide(path, groups=["y"])["id"], 1)
        self.problem(self.c.delete(path + "/groups/never"), 404, "group_not_found")
        self.assertEqual(self.c.delete(path + "/groups/y").status, 204)
        self.problem(self.c.delete(path + "/groups/y"), 404, "group_not_found")
        self.assertEqual(seen(path), {"x": (1, 0), "z": (1, 0)})
        text = self.c.get("/metrics").raw.decode()
        name = path.rsplit("/", 1)[1]
        self.assertIn(f'banditd_group_decisions_total{{experiment="{name}",group="z"}} 1', text)
        self.assertNotIn(f'{{experiment="{name}",group="y"}}', text)
        self.reward(path, old, 1)
        self.assertEqual(seen(path), {"x": (1, 1), "z": (1, 1)})
        lines = [json.loads(line) for line in
                 self.c.get(path + "/events").raw.decode().splitlines()]
        self.assertEqual([(e["op"], e["group"]) for e in lines if e["kind"] == "group"],
                         [("remove", "y")])
        self.assertEqual([e["groups"] for e in lines if e["kind"] == "reward"],
                         [["y"], ["x", None, "z"]])
        self.reward(path, self.decide(path, groups=["y"])["id"], 0)
        self.assertEqual(seen(path)["y"], (1, 1))
        closed = self.make(groups=["old", "new"], auto_groups=False)
        self.assertEqual(self.c.delete(closed + "/groups/new").status, 204)
        self.problem(self.c.post(closed + "/decisions", {"groups": ["new"]}), 422,
                     "unknown_group", "/groups/0")
        self.assertEqual(self.c.delete(closed).status, 200)
        self.problem(self.c.delete(closed + "/groups/old"), 409, "experiment_archived")

    def test_what_is_refused(self):
        path = self.make(context=["hour", "day"])
        for body, status, code, pointer in (
                ({"ids": "x"}, 422, "unknown_field", "/ids"),
                ({"id": 7}, 422, "wrong_type", "/id"), ({"id": None}, 422, "wrong_type", "/id"),
                ({"id": ""}, 422, "invalid_id", "/id"), ({"id": "x" * 129}, 422, "invalid_id", "/id"),
                ({"id": "a b"}, 422, "invalid_id", "/id"),
                ({"id": "d:1-00000000"}, 422, "reserved_id", "/id"),
                ({"id": "d:x"}, 422, "reserved_id", "/id"),
                ({"subject": 1}, 422, "wrong_type", "/subject"),
                ({"groups": ["ok", 1]}, 422, "wrong_type", "/groups/1"),
                ({"groups": ["g%d" % i for i in range(65)]}, 422, "too_many", "/groups"),
                ({"eligible": "a"}, 422, "wrong_type", "/eligible"),
                ({"eligible": ["a", "z"]}, 422, "unknown_arm", "/eligible/1"),
                ({"eligible": []}, 422, "no_eligible_arm", "/eligible"),
                ({"exclude": ["a", "b", "c"]}, 422, "no_eligible_arm", "/exclude"),
                ({"exclude": ["z"]}, 422, "unknown_arm", "/exclude/0"),
                ({"eligible": ["a"], "exclude": ["a"]}, 422, "no_eligible_arm", "/eligible"),
                ({"defer": 1}, 422, "wrong_type", "/defer"),
                ({"context": "x"}, 422, "wrong_type", "/context"),
                ({"context": [1]}, 422, "out_of_range", "/context"),
                ({"context": {"hour": 1, "dey": 2}}, 422, "missing_field", "/context/day"),
                ({"context": {"hour": 1, "day": "x"}}, 422, "wrong_type", "/context/day"),
                ({"context": [1, "x"]}, 422, "wrong_type", "/context/1"),
                ({"context": {"hour": 1, "day": EXACT + 1}}, 422, "out_of_range", "/context/day")):
            with self.subTest(body=str(body)[:80]):
                self.problem(self.c.post(path + "/decisions", body), status, code, pointer)
        self.problem(self.c.post(path + "/decisions", '{"id":"a","id":"a"}'), 400, "duplicate_field")
        self.problem(self.c.post(path + "/decisions", ""), 400, "invalid_json")
        self.problem(self.c.post(path + "/decisions?include=all", {}), 400, "bad_parameter",
                     "include")
        self.problem(self.c.post("/v1/experiments/nope/decisions", {}), 404, "unknown_experiment")
        self.assertEqual(self.ok(self.c.get(path))["seq"], 1)
        big = {"text": "x" * 9000}
        self.problem(self.c.post(self.make() + "/decisions", {"context": big}), 422, "too_many",
                     "/context")
        self.decide(path, context=[1, 2.5])
        self.decide(path, context={"day": 1, "hour": EXACT})

    def test_eligible_and_exclude(self):
        path = self.make()
        for _ in range(20):
            self.assertEqual(self.decide(path, eligible=["b"])["propensity"], 1.0)
            self.assertIn(self.decide(path, exclude=["b"])["arm"], ("a", "c"))
            d = self.decide(path, eligible=["a", "b", "a"], exclude=["a"])
            self.assertEqual((d["arm"], d["propensity"]), ("b", 1.0))
        self.decide(path, eligible=None, exclude=[])

    def test_the_whole_distribution(self):
        path = self.make(floor=0.5)
        r = self.c.post(path + "/decisions?include=pmf", {"id": "p"})
        d = self.ok(r, 201)
        self.assertEqual(set(d["pmf"]), {"a", "b", "c"})
        self.assertAlmostEqual(sum(d["pmf"].values()), 1)
        self.assertEqual(d["pmf"][d["arm"]], d["propensity"])
        self.assertEqual(self.c.post(path + "/decisions", {"id": "p"}).raw, r.raw)
        one = self.ok(self.c.post(path + "/decisions?include=pmf", {"exclude": ["a"]}), 201)
        self.assertEqual(one["pmf"], {"b": 0.5, "c": 0.5})

    def test_draws_follow_the_distribution(self):
        path = self.make(seed=7)
        n = {"a": 0, "b": 0, "c": 0}
        for d in self.ok(self.c.post(path + "/decisions", [{}] * 900)):
            n[d["arm"]] += 1
        for count in n.values():
            self.assertLess(abs(count - 300), 65)  # 4.6 standard deviations; the seed is fixed
        again = self.make(seed=7)
        got = [d["arm"] for d in self.ok(self.c.post(again + "/decisions", [{}] * 50))]
        self.assertEqual(got, [e["arms"][0]["arm"] for e in
                               self.c.events(path.rsplit("/", 1)[1])[1:51]])

    def test_batch_with_bad_items_among_good(self):
        path = self.make()
        items = [{"id": "b1"}, {"nope": 1}, [], {"id": "b1"}, {"id": "b1", "subject": "x"},
                 {"eligible": []}, {}]
        expected = (201, 422, 422, 200, 409, 422, 201)
        out = self.ok(self.c.post(path + "/decisions", items))
        self.assertEqual(tuple(o["http"] for o in out), expected)
        self.assertEqual({k: v for k, v in out[0].items() if k != "http"},
                         {k: v for k, v in out[3].items() if k != "http"})
        self.assert_problem(out[1], 422, "unknown_field", "/nope")
        self.assert_problem(out[4], 409, "decision_conflict", "/id")
        r = self.c.post_lines(path + "/decisions",
                              [{"id": "b2"}, "{", "  ", '{"id":"b2","id":"b2"}', 7, {"id": "b1"}])
        self.assertEqual(r.headers["content-type"], NDJSON_TYPE)
        self.assertEqual([o["http"] for o in self.ok(r)], [201, 400, 400, 400, 200])
        self.assertEqual(self.stats(path)["decisions"], 3)
        self.assertEqual(self.ok(self.c.post(path + "/decisions", [])), [])
        self.assertEqual(self.ok(self.c.post_lines(path + "/decisions", [])), [])

    def test_batch_limits(self):
        path = self.make()
        ids = [{"id": f"n{i}"} for i in range(BATCH_MAX + 1)]
        for send in (self.c.post, self.c.post_lines):
            self.problem(send(path + "/decisions", ids), 422, "too_many")
        self.assertEqual(self.stats(path)["decisions"], 0)
        out = self.ok(self.c.post(path + "/decisions", ids[:-1]))
        self.assertEqual({o["http"] for o in out}, {201})
        again = self.ok(self.c.post_lines(path + "/decisions", ids[:-1]))
        self.assertEqual([{**o, "http": 201} for o in again], out)
        rewards = [{"decision": i["id"], "reward": 1, "key": i["id"]} for i in ids]
        for send in (self.c.post, self.c.post_lines):
            self.problem(send(path + "/rewards", rewards), 422, "too_many")
        out = self.ok(self.c.post(path + "/rewards", rewards[:-1]))
        self.assertEqual({(o["http"], o["status"]) for o in out}, {(202, "learnt")})
        self.assertEqual(self.stats(path)["rewards"], BATCH_MAX)

    def test_the_decision_again(self):
        path = self.make()
        d = self.decide(path)
        got = self.ok(self.c.get(f"{path}/decisions/{d['id']}"))
        self.assertEqual(got, {**d, "state": "open", "events": []})
        self.reward(path, d["id"], 0.5, key="k")
        got = self.ok(self.c.get(f"{path}/decisions/{d['id'].replace(':', '%3A')}"))
        self.assertEqual(got["state"], "learnt")
        self.assertEqual([(e["kind"], e["reward"], e["key"]) for e in got["events"]],
                         [("reward", 0.5, "k")])
        wrong = d["id"][:-1] + ("0" if d["id"][-1] != "0" else "1")
        for name in ("nope", wrong, "d:", "d:2", "d:99999999999999999999-00000000", "x" * 129):
            self.problem(self.c.get(f"{path}/decisions/{name}"), 404, "unknown_decision")
            for verb in ("activate", "void"):
                self.problem(self.c.post(f"{path}/decisions/{name}/{verb}"), 404,
                             "unknown_decision")
        self.problem(self.c.get("/v1/experiments/nope/decisions/x"), 404, "unknown_experiment")

    def test_deferred(self):
        path = self.make()
        d = self.decide(path, id="later", defer=True)
        self.assertTrue(d["deferred"])
        where = f"{path}/decisions/later"
        self.assertEqual(self.reward(path, "later", 1)["status"], "pending")
        self.assertEqual(self.reward(path, "later", 0)["status"], "duplicate")
        self.assertEqual(self.stats(path)["rewards"], 0)
        for _ in range(2):
            self.assertEqual(self.ok(self.c.post(where + "/activate")), {**d, "state": "learnt"})
        self.assertEqual(self.stats(path)["mean"], 1.0)
        self.problem(self.c.post(where + "/void"), 409, "decision_closed")
        shown = self.decide(path, id="shown", defer=True)
        self.assertEqual(self.ok(self.c.post(f"{path}/decisions/shown/activate"))["state"], "open")
        self.assertEqual(self.reward(path, "shown", 1)["status"], "learnt")
        self.decide(path, id="plain")
        self.problem(self.c.post(f"{path}/decisions/plain/activate"), 409, "decision_not_deferred")
        self.assertTrue(shown["deferred"])

    def test_void(self):
        path = self.make()
        self.decide(path, id="v")
        for _ in range(2):
            self.assertEqual(self.ok(self.c.post(f"{path}/decisions/v/void"))["state"], "void")
        self.problem(self.c.post(path + "/rewards", {"decision": "v", "reward": 1}), 409,
                     "decision_void", "/decision")
        self.problem(self.c.post(f"{path}/decisions/v/activate"), 409, "decision_void",
                     "/decision")
        s = self.stats(path)
        self.assertEqual((s["voided"], s["open"], s["rewards"]), (1, 0, 0))


class OneFeature(ApiTest):
    def test_a_single_feature_may_be_a_bare_number(self):
        path = self.make(context=["c"], policy={"name": "cheb_cb"})
        for context in (0.25, [0.25], {"c": 0.25}):
            self.decide(path, context=context)
        x = [e["x"] for e in self.c.events(path.rsplit("/", 1)[1]) if e["kind"] == "decision"]
        self.assertEqual(x, [[0.25]] * 3)
        self.problem(self.c.post(path + "/decisions", {"context": "high"}), 422, "wrong_type",
                     "/context")
        two = self.make(context=["c", "d"])
        self.problem(self.c.post(two + "/decisions", {"context": 0.25}), 422, "wrong_type",
                     "/context")


class Slates(ApiTest):
    def test_a_slate_is_rewarded_by_arm(self):
        path = self.make(slots=2)
        d = self.ok(self.c.post(path + "/decisions", {"id": "s1", "groups": ["g", "h", "g"]}), 201)
        first, second = (a["arm"] for a in d["arms"])
        self.assertEqual((d["arm"], len(d["arms"])), (first, 2))
        self.assertNotEqual(first, second)
        again = self.c.post(path + "/decisions", {"id": "s1", "groups": ["g", "h", "g"]})
        self.assertEqual((again.status, self.ok(again)), (200, d))
        url = path + "/rewards"
        body = {"decision": "s1", "rewards": {second: 3}, "key": "k1"}
        r = self.c.post(url, body)
        self.assertEqual(self.ok(r, 202), {"decision": "s1", "status": "learnt", "clipped": True,
                         "arms": [{"arm": second, "status": "learnt", "clipped": True}]})
        again = self.c.post(url, body)
        self.assertEqual((again.status, again.body), (200, r.body))
        self.problem(self.c.post(url, {"decision": "s1", "reward": 1}), 422, "unsupported_feedback",
                     "/reward")
        self.problem(self.c.post(url, {"decision": "s1", "label": 1}), 422, "unsupported_feedback",
                     "/label")
        self.problem(self.c.post(url, {"decision": "s1", "rewards": {}}), 422, "out_of_range",
                     "/rewards")
        self.problem(self.c.post(url, {"decision": "s1", "rewards": {"zz": 1}}), 422,
                     "unknown_arm", "/rewards/zz")
        r = self.ok(self.c.post(url, {"decision": "s1", "rewards": {first: 0, second: 0}}), 202)
        self.assertEqual([a["status"] for a in r["arms"]], ["learnt", "duplicate"])
        self.assertEqual(self.ok(self.c.get(path + "/decisions/s1"))["state"], "learnt")
        stats = self.ok(self.c.get(path + "/stats"))
        self.assertEqual((stats["decisions"], stats["rewards"], stats["open"]), (1, 2, 0))
        self.assertEqual([(g["group"], g["decisions"], g["rewards"]) for g in stats["groups"]],
                         [("g", 1, 2), ("h", 1, 2)])
        self.problem(self.c.post(path + "/decisions?include=pmf", {}), 422, "not_supported")
        self.problem(self.c.post(path + "/decisions", {"defer": True}), 422, "not_supported",
                     "/defer")
        self.problem(self.c.get(path + "/plan"), 404, "no_plan")
        self.c.post(path + "/decisions", {"id": "s2"})
        self.ok(self.c.post(path + "/decisions/s2/void"))
        self.assertEqual(self.c.get(path + "/events").status, 200)


class Recovering(ApiTest):
    """Plans: known tables, whose best schedule is known, and tables that are learnt."""

    TABLES = [[0.2, 0.5, 0.9], [0.5, 0.6, 0.65], [0.3, 0.7, 0.8]]

    def test_known_tables_are_planned(self):
        policy = {"name": "recovering", "params": {"tables": self.TABLES}}
        path = self.make(policy=policy, slots=2)
        made = self.ok(self.c.get(path))
        self.assertEqual(made["policy"]["params"]["tables"], self.TABLES)
        slates = [[a["arm"] for a in self.decide(path)["arms"]] for _ in range(4)]
        self.assertEqual(slates, [["b", "c"], ["a", "b"]] * 2)
        plan = self.ok(self.c.get(path + "/plan"))
        self.assertAlmostEqual(plan["value"], 1.1)
        self.assertAlmostEqual(plan["upper"], 1.15)
        self.assertIn("recovering", [p["name"] for p in
                                     self.ok(self.c.get("/v1/policies"))["items"]])
        create = self.c.events(path.rsplit("/", 1)[1])[0]
        self.assertEqual(create["policy"]["params"]["tables"], self.TABLES)

    def test_plans_get_better(self):
        path = self.make(policy={"name": "recovering", "params": {"d_max": 3, "phase_min": 6}},
                         slots=2)
        for i in range(30):
            d = self.decide(path, id=f"t{i}")
            got = {a["arm"]: 0.5 for a in d["arms"]}
            if i % 5 == 4:
                self.ok(self.c.post(f"{path}/decisions/t{i}/void"))
            else:
                self.ok(self.c.post(path + "/rewards", {"decision": d["id"], "rewards": got}), 202)
        self.assertGreater(self.ok(self.c.get(path + "/plan"))["plans"], 1)
        kinds = [e["kind"] for e in self.c.events(path.rsplit("/", 1)[1])]
        self.assertEqual(kinds[:3], ["create", "plan", "decision"])

    def test_a_long_plan_is_made_beside_the_decisions(self):
        path = self.make(policy={"name": "recovering", "params": {"d_max": 32}}, slots=10,
                         arms=["a%d" % i for i in range(4000)])
        self.assertEqual(self.decide(path)["arms"], [])  # no plan yet, and no wait for it
        limit = time.monotonic() + 60
        while self.ok(self.c.get(path + "/plan"))["planning"]:
            self.assertLess(time.monotonic(), limit)
            time.sleep(0.05)
        self.assertEqual(len(self.decide(path)["arms"]), 10)
        plans = [e for e in self.c.events(path.rsplit("/", 1)[1]) if e["kind"] == "plan"]
        self.assertEqual([p["op"] for p in plans], ["begin", "done"])

    def test_a_tick_has_one_decision(self):
        params = {"clock": "tick", "tick_seconds": 1e6, "tables": self.TABLES}
        path = self.make(policy={"name": "recovering", "params": params}, slots=2)
        first = self.decide(path)
        again = self.ok(self.c.post(path + "/decisions", {}))
        self.assertEqual((again["id"], again["arms"]), (first["id"], first["arms"]))

    def shown(self, path, **body):
        return [a["arm"] for a in self.decide(path, **body)["arms"]]

    def observed(self, path):
        return [a["policy"]["observed"] for a in self.ok(self.c.get(path + "/arms"))["items"]]

    def test_a_plan_for_more_slots_is_given_up_with_them(self):
        worth = dict(zip("abcd", (0.9, 0.8, 0.7, 0.6)))
        path = self.make(policy={"name": "recovering", "params": {"d_max": 3, "phase_min": 2}},
                         slots=3, arms=list("abcd"))
        for _ in range(60):
            d = self.decide(path)
            rewards = {a["arm"]: worth[a["arm"]] for a in d["arms"]}
            self.ok(self.c.post(path + "/rewards", {"decision": d["id"], "rewards": rewards}), 202)
        self.ok(self.c.patch(path, {"slots": 2}))
        for _ in range(6):
            self.assertLessEqual(len(self.shown(path)), 2)
        plan = self.ok(self.c.get(path + "/plan"))
        self.assertLessEqual(plan["value"], plan["upper"] + 1e-9)
        for t in range(48):
            due = [a for a in plan["arms"] if a["period"] and t % a["period"] == a["offset"]]
            self.assertLessEqual(len(due), 2, plan)

    def test_each_subject_has_its_own_periods(self):
        params = {"tables": self.TABLES, "scope": "subject"}
        path = self.make(policy={"name": "recovering", "params": params}, slots=2)
        seen = {"ann": [], "bob": []}
        for who in ("ann", "ann", "bob", "ann", "bob", "bob"):
            seen[who].append(self.shown(path, subject=who))
        self.assertEqual(seen["ann"], [["b", "c"], ["a", "b"], ["b", "c"]])
        self.assertEqual(seen["bob"], seen["ann"])
        self.problem(self.c.post(path + "/decisions", {}), 422, "missing_field", "/subject")

    def test_an_excluded_arm_leaves_its_slot_free_unless_it_is_to_be_filled(self):
        params = {"tables": [[0, 1]]}  # worth nothing but in every other period
        path = self.make(policy={"name": "recovering", "params": params}, arms=["a", "b"])
        self.assertEqual([self.shown(path) for _ in range(4)], [["a"], []] * 2)
        self.assertEqual(self.shown(path, exclude=["a"]), [])
        self.assertEqual([self.shown(path) for _ in range(2)], [[], ["a"]])
        path = self.make(policy={"name": "recovering", "params": {**params, "fill": "unplanned"}},
                         arms=["a", "b"])
        self.assertEqual([self.shown(path) for _ in range(4)], [["a"], ["b"]] * 2)

    def test_what_was_not_shown_teaches_nothing_nor_does_the_pull_after_it(self):
        path = self.make(policy={"name": "recovering", "params": {"d_max": 3}}, arms=["a"])

        def earn(decision):
            body = {"decision": decision, "rewards": {"a": 0.5}}
            self.ok(self.c.post(path + "/rewards", body), 202)

        for i in range(4):
            self.decide(path, id=f"v{i}")
        self.ok(self.c.post(path + "/decisions/v1/void"))
        self.problem(self.c.post(path + "/rewards", {"decision": "v1", "reward": 1}), 409,
                     "decision_void", "/decision")
        earn("v2")  # had rested longer than was thought
        self.assertEqual(self.observed(path), [0])
        earn("v3")
        self.assertEqual(self.observed(path), [1])
        self.ok(self.c.post(path + "/decisions/v0/void"))
        self.decide(path, id="v4")
        self.ok(self.c.post(path + "/decisions/v4/void"))
        self.decide(path, id="v5")  # nobody had been shown the arm since
        earn("v5")
        self.assertEqual(self.observed(path), [2])

    def test_what_cannot_be_planned_is_named(self):
        given = "/policy/params/"
        for params, code, at in (({"tables": [[0.5, 0.4]]}, "out_of_range", given + "tables"),
                                 ({"tables": [[0.5], []]}, "wrong_type", given + "tables/1"),
                                 ({"tables": [0.5]}, "wrong_type", given + "tables"),
                                 ({"tables": [["x"]]}, "wrong_type", given + "tables/0/0"),
                                 ({"alpha": [1]}, "wrong_type", given + "alpha"),
                                 ({"clock": "tick"}, "missing_field", given + "tick_seconds")):
            body = {"policy": {"name": "recovering", "params": params}, "arms": ["a"]}
            self.problem(self.c.put("/v1/experiments/bad", body), 422, code, at)


class Tallying(ApiTest):
    """Whose memory it is, what is counted of it, and what a new experiment is warned of."""

    def tally(self, arms=("a", "b"), **params):
        return self.make(policy={"name": "tallying", "params": params}, arms=list(arms))

    def counted(self, path, what):
        return [a["policy"].get(what) for a in self.ok(self.c.get(path + "/arms"))["items"]]

    def test_a_horizon_that_is_spent_before_the_first_test_is_warned_of(self):
        def warned(**params):
            e = self.ok(self.c.get(self.tally(memory_bound=10, **params)))
            return " ".join(e.get("warnings", []))

        self.assertIn("horizon", warned(horizon=39))  # 2 (10 + 10) come before it
        self.assertEqual(warned(horizon=40), "")
        self.assertEqual(warned(), "")
        self.assertIn("pooled", warned(mode="isolated"))
        self.assertEqual(warned(mode="pooled"), "")

    def test_a_subject_keeps_its_arm_and_another_gets_another(self):
        path = self.tally(memory_bound=3, mode="pooled")
        arms = {who: [self.decide(path, subject=who)["arm"] for _ in range(4)]
                for who in ("ann", "bob", "eve")}
        self.assertEqual(arms, {"ann": ["a"] * 4, "bob": ["b"] * 4, "eve": ["a"] * 4})
        self.assertEqual(self.counted(path, "used"), [2, 1])
        self.assertEqual(self.counted(path, "subjects"), [2, 1])
        self.problem(self.c.post(path + "/decisions", {}), 422, "missing_field", "/subject")

    def test_subjects_of_an_arm_that_goes_begin_anew_elsewhere(self):
        path = self.tally(memory_bound=1, mode="pooled")
        for who in ("ann", "ann", "bob", "bob"):
            self.decide(path, subject=who)
        self.assertEqual(self.counted(path, "used"), [1, 1])
        self.ok(self.c.delete(path + "/arms/a"))
        self.assertEqual(self.decide(path, subject="ann")["arm"], "b")  # burn-in again
        self.assertEqual(self.counted(path, "used")[-1], 1)
        self.assertEqual(self.decide(path, subject="ann")["arm"], "b")
        self.assertEqual(self.counted(path, "used")[-1], 2)
        self.ok(self.c.post(path + "/arms", ["c"]), 201)
        self.assertEqual(self.decide(path, subject="eve")["arm"], "c")
        self.assertEqual(self.decide(path, subject="bob")["arm"], "b")

    def test_isolated_subjects_each_begin_anew(self):
        path = self.tally(memory_bound=1, n0=1, mode="isolated")
        for who in ("ann", "bob"):
            blocks = [self.decide(path, subject=who)["arm"] for _ in range(4)]
            self.assertEqual(blocks, ["a", "a", "b", "b"], who)
        self.problem(self.c.post(path + "/decisions", {}), 422, "missing_field", "/subject")

    def test_one_audience_has_one_run_whoever_asks(self):
        path = self.tally(memory_bound=1, n0=1)
        blocks = [self.decide(path, subject=f"s{i}")["arm"] for i in range(4)]
        self.assertEqual(blocks, ["a", "a", "b", "b"])

    def test_a_void_decision_ends_its_run_and_earns_nothing(self):
        path = self.tally(memory_bound=1, mode="pooled")
        for i in range(2):
            self.decide(path, id=f"t{i}", subject="ann")
        self.reward(path, "t0", 1)  # of the burn-in
        self.assertEqual(self.counted(path, "observed"), [0, 0])
        self.ok(self.c.post(path + "/decisions/t1/void"))
        self.problem(self.c.post(path + "/rewards", {"decision": "t1", "reward": 1}), 409,
                     "decision_void", "/decision")
        for i in range(2, 4):
            self.decide(path, id=f"t{i}", subject="ann")
            self.reward(path, f"t{i}", 0.5)
        self.assertEqual(self.counted(path, "used"), [2, 0])
        self.assertEqual(self.counted(path, "observed"), [1, 0])

    def test_a_longer_memory_trusts_nothing_of_before(self):
        path = self.tally(memory_bound=1)
        for i in range(3):
            self.decide(path, id=f"m{i}")
        self.reward(path, "m1", 1)
        self.assertEqual(sum(self.counted(path, "observed")), 1)
        change = {"policy": {"params": {"memory_bound": 0}}}
        self.ok(self.c.patch(path, change))
        self.assertEqual(sum(self.counted(path, "observed")), 1)
        change["policy"]["params"]["memory_bound"] = 2
        self.assertEqual(self.ok(self.c.patch(path, change))["policy"]["params"]["memory_bound"], 2)
        self.assertEqual(sum(self.counted(path, "observed")), 0)
        self.reward(path, "m2", 1)
        self.assertEqual(sum(self.counted(path, "observed")), 0)

    def test_settings_that_make_no_sense_are_named(self):
        given = "/policy/params/"
        for params, code, at in (({}, "missing_field", "memory_bound"),
                                 ({"memory_bound": 1000001}, "out_of_range", "memory_bound"),
                                 ({"memory_bound": -1}, "out_of_range", "memory_bound"),
                                 ({"memory_bound": 1, "delta": 1}, "out_of_range", "delta"),
                                 ({"memory_bound": 1, "t0": 1}, "out_of_range", "t0"),
                                 ({"memory_bound": 1, "mode": "shared"}, "out_of_range", "mode"),
                                 ({"memory_bound": 1, "unit": "subject"}, "out_of_range", "unit")):
            body = {"policy": {"name": "tallying", "params": params}, "arms": ["a"]}
            self.problem(self.c.put("/v1/experiments/bad", body), 422, code, given + at)


class Streaming(ApiTest):
    def test_arms_are_offered_and_read_one_by_one(self):
        path = self.make(policy={"name": "streaming", "params": {"test_pulls": 1,
                                                                 "backlog_max": 2}}, arms=[])
        first = self.ok(self.c.post(path + "/arms", ["a", "b", "c", "d", "a"]), 201)["items"]
        self.assertEqual([i["status"] for i in first],
                         ["testing", "queued", "full", "full", "seen"])
        self.assertEqual([i.get("position") for i in first], [0, 1, None, None, None])
        again = self.ok(self.c.post(path + "/arms", ["b"]), 200)["items"]
        self.assertEqual(again, [{"id": "b", "status": "seen"}])
        for i in range(4):
            d = self.decide(path, id=f"s{i}")
            self.ok(self.c.post(path + "/rewards", {"decision": f"s{i}", "reward": 0.5}), 202)
        self.assertEqual((d["arm"], d["role"]), ("a", "king"))
        shown = self.ok(self.c.get(path + "/stats"))["stream"]
        self.assertEqual((shown["offered"], shown["backlog"], shown["king"], shown["exploration"]),
                         (2, 0, "a", 0.5))
        closed = self.ok(self.c.post(path + "/stream", {"action": "close"}))
        self.assertEqual(closed["test"], None)
        events = self.c.events(path.rsplit("/", 1)[1])
        self.assertEqual([e["op"] for e in events if e["kind"] == "stream"],
                         ["offer", "read", "read", "close"])
        self.problem(self.c.post(path + "/stream", {"action": "open"}), 422, "out_of_range",
                     "/action")

    def test_a_bad_id_is_named_and_nothing_is_offered(self):
        path = self.make(policy={"name": "streaming"}, arms=[])
        self.problem(self.c.post(path + "/arms", ["a", "b c"]), 422, "invalid_id", "/1")
        self.assertEqual(self.ok(self.c.get(path + "/stats"))["stream"]["offered"], 0)
        plain = self.make()
        self.problem(self.c.post(plain + "/stream", {"action": "close"}), 422, "not_supported")


class Groupwise(ApiTest):
    """Forecasts, and rewards of all arms at once."""

    def test_a_forecast_is_answered_with_its_label(self):
        path = self.make(policy={"name": "groupwise", "params": {"kind": "regress"}}, arms=[],
                         context=["one", "age"])
        d = self.ok(self.c.post(path + "/decisions",
                                {"id": "f1", "groups": ["young"], "context": [1, 0.5]}), 201)
        self.assertEqual(d["prediction"], 0)
        self.assertNotIn("arms", d)
        url = path + "/rewards"
        self.problem(self.c.post(url, {"decision": "f1", "reward": 1}), 422,
                     "unsupported_feedback", "/reward")
        self.problem(self.c.post(url, {"decision": "f1", "rewards": {"a": 1}}), 422,
                     "unsupported_feedback", "/rewards")
        self.assertEqual(self.ok(self.c.post(url, {"decision": "f1", "label": 0.75}), 202),
                         {"decision": "f1", "status": "learnt"})
        self.assertEqual(self.ok(self.c.post(url, {"decision": "f1", "label": 0.75}), 202),
                         {"decision": "f1", "status": "duplicate"})
        d = self.ok(self.c.post(path + "/decisions",
                                {"groups": ["young"], "context": {"one": 1, "age": 0.5}}), 201)
        self.assertGreater(d["prediction"], 0.3)
        self.problem(self.c.post(path + "/decisions", {"groups": ["young"]}), 422,
                     "missing_field", "/context")
        self.problem(self.c.post(path + "/decisions", {"context": [1, 2], "eligible": ["a"]}), 422,
                     "not_supported", "/eligible")
        self.assertEqual(self.c.get(path + "/events").status, 200)
        self.assertEqual(self.c.get(path + "/decisions/f1").status, 200)

    def test_experts_learn_from_all_rewards(self):
        path = self.make(policy={"name": "groupwise", "params": {"kind": "experts"}})
        url = path + "/rewards"
        for i in range(40):
            self.decide(path, id="e%d" % i, groups=["g"])
            r = self.c.post(url, {"decision": "e%d" % i, "rewards": {"a": 0, "b": 1, "c": 0.5}})
            self.assertEqual(self.ok(r, 202)["status"], "learnt")
        d = self.ok(self.c.post(path + "/decisions?include=pmf", {"id": "e", "groups": ["g"]}), 201)
        self.assertGreater(d["pmf"]["b"], 0.8)
        self.problem(self.c.post(url, {"decision": "e", "rewards": {"a": 0, "b": 1}}), 422,
                     "missing_field", "/rewards/c")
        self.problem(self.c.post(url, {"decision": "e", "rewards": {"a": 0, "b": 1, "c": 1,
                                                                    "z": 1}}), 422,
                     "unknown_arm", "/rewards/z")
        self.problem(self.c.post(url, {"decision": "e", "reward": 1}), 422,
                     "unsupported_feedback", "/reward")
        self.assertEqual(self.c.get(path + "/events").status, 200)

    def test_groups_are_counted(self):
        path = self.make(policy={"name": "groupwise"})
        for i in range(6):
            d = self.decide(path, groups=["g", "even" if i % 2 == 0 else "odd"])
            self.ok(self.c.post(path + "/rewards", {"decision": d["id"], "reward": 1}), 202)
        groups = self.ok(self.c.get(path + "/stats"))["groups"]
        self.assertEqual([(g["group"], g["decisions"], g["mean"]) for g in groups],
                         [("g", 6, 1.0), ("even", 3, 1.0), ("odd", 3, 1.0)])
        name = path.rsplit("/", 1)[1]
        text = self.ok(self.c.get("/metrics"))
        self.assertIn('banditd_group_decisions_total{experiment="%s",group="even"} 3' % name, text)
        self.assertIn('banditd_group_rewards_total{experiment="%s",group="g"} 6' % name, text)
        self.assertIn("banditd_groups_hidden 0", text)

    def test_many_long_groups_leave_the_metrics_readable(self):
        path = "/v1/experiments/" + "m" * 128
        self.ok(self.c.put(path, UNIFORM), 201)
        names = [("%03d" % i).ljust(128, "x") for i in range(1056)]
        for i in range(0, len(names), 32):
            self.decide(path, groups=names[i:i + 32])
        text = self.ok(self.c.get("/metrics"))
        hidden = int(re.search(r"^banditd_groups_hidden (\d+)$", text, re.M).group(1))
        self.assertGreater(hidden, 0)
        self.assertLess(len(text), 1 << 20)
        self.assertIn("process_cpu_seconds_total", text)


class Rewards(ApiTest):
    def test_what_is_refused(self):
        path = self.make()
        d = self.decide(path, id="d1")["id"]
        for body, status, code, pointer in (
                ({"reward": 1}, 422, "missing_field", "/decision"),
                ({"decision": d}, 422, "missing_field", "/reward"),
                ({"decision": d, "reward": "1"}, 422, "wrong_type", "/reward"),
                ({"decision": d, "reward": None}, 422, "wrong_type", "/reward"),
                ({"decision": d, "reward": True}, 422, "wrong_type", "/reward"),
                ({"decision": d, "reward": EXACT + 1}, 422, "out_of_range", "/reward"),
                ({"decision": d, "reward": -EXACT - 1}, 422, "out_of_range", "/reward"),
                ({"decision": d, "reward": 1, "key": "a b"}, 422, "invalid_id", "/key"),
                ({"decision": d, "reward": 1, "kez": "a"}, 422, "unknown_field", "/kez"),
                ({"decision": d, "rewards": {"a": 1}}, 422, "unsupported_feedback", "/rewards"),
                ({"decision": d, "label": 1}, 422, "unsupported_feedback", "/label"),
                ({"decision": "nope", "reward": 1}, 404, "unknown_decision", "/decision"),
                ({"decision": "d:2-00000000", "reward": 1}, 404, "unknown_decision", "/decision")):
            with self.subTest(body=body):
                self.problem(self.c.post(path + "/rewards", body), status, code, pointer)
        for number in ("NaN", "Infinity", "-Infinity", "1e999", "99999999999999999999"):
            r = self.c.post(path + "/rewards", f'{{"decision":"{d}","reward":{number}}}')
            self.problem(r, 400, "invalid_json")
        self.problem(self.c.post("/v1/experiments/nope/rewards", {"decision": d, "reward": 1}), 404,
                     "unknown_experiment")
        self.assertEqual(self.stats(path)["rewards"], 0)

    def test_keys(self):
        path = self.make()
        self.decide(path, id="d1")
        body = {"decision": "d1", "reward": 0.5, "key": "k1"}
        first = self.c.post(path + "/rewards", body)
        self.assertEqual(self.ok(first, 202), {"decision": "d1", "status": "learnt"})
        r = self.c.post(path + "/rewards", body)
        self.assertEqual((r.status, r.raw, r.headers["idempotency-replayed"]),
                         (200, first.raw, "true"))
        self.problem(self.c.post(path + "/rewards", {**body, "reward": 1}), 409, "key_conflict",
                     "/key")
        self.assertEqual(self.reward(path, "d1", 1)["status"], "duplicate")
        self.assertEqual(self.reward(path, "d1", 1, key="k2")["status"], "duplicate")
        self.decide(path, id="d2")
        out = self.ok(self.c.post(path + "/rewards", [
            body, {**body, "reward": 1}, {"decision": "d2", "reward": 1, "key": "k3"},
            {"decision": "d2", "reward": 1, "key": "k3"}, {"decision": "nope", "reward": 1}]))
        self.assertEqual([(o["http"], o["status"]) for o in out],
                         [(200, "duplicate"), (409, 409), (202, "learnt"), (200, "duplicate"),
                          (404, 404)])
        out = self.ok(self.c.post_lines(path + "/rewards", [body, "x", {"decision": "d2"}]))
        self.assertEqual([o["http"] for o in out], [200, 400, 422])
        s = self.stats(path)
        self.assertEqual((s["rewards"], s["mean"]), (2, 0.75))

    def test_clipped(self):
        path = self.make(reward={"lo": -1, "hi": 2})
        for i, (reward, clipped) in enumerate(((-1, False), (2, False), (2.5, True), (-1e300, True))):
            self.decide(path, id=f"c{i}")
            out = self.reward(path, f"c{i}", reward)
            self.assertEqual(out.get("clipped", False), clipped)
        s = self.stats(path)
        self.assertEqual((s["clipped"], s["mean"]), (0.5, (-1 + 2 + 2 - 1) / 4))

    def test_goal_minimise(self):
        path = self.make(reward={"lo": 0, "hi": 100, "goal": "minimise"})
        for i, cost in enumerate((10, 30, 200)):
            self.decide(path, id=f"m{i}")
            self.reward(path, f"m{i}", cost)
        s = self.stats(path, arms=True)
        self.assertEqual(s["goal"], "minimise")
        self.assertAlmostEqual(s["mean"], 140 / 3)
        for arm in s["arms"]:
            self.assertLessEqual(0, arm["lo"])
            self.assertLessEqual(arm["hi"], 100)
        line = self.c.events(path.rsplit("/", 1)[1])[-1]
        self.assertEqual((line["reward"], line["learnt"], line["clipped"]), (200.0, 100.0, True))

    def late(self, rule, expected, **more):
        path = self.make(reward={"window": f"PT{WINDOW_S}S", "late": rule, **more})
        d = self.decide(path, id="d1")
        self.assertIsNotNone(d["expires_at"])
        time.sleep(WINDOW_S + 0.05)
        out = self.reward(path, "d1", 1, key="k")
        self.assertEqual((out["status"], out["late"]), (expected, True))
        self.wait_for(lambda: self.stats(path)["open"] == 0)
        return path

    def test_late_is_recorded(self):
        path = self.late("record", "recorded")
        s = self.stats(path)
        self.assertEqual((s["rewards"], s["recorded"], s["late"]), (0, 1, 1))

    def test_late_is_learnt(self):
        path = self.late("learn", "learnt")
        self.assertEqual(self.stats(path)["rewards"], 1)
        self.assertEqual(self.reward(path, "d1", 1)["status"], "duplicate")

    def test_late_is_dropped(self):
        path = self.late("drop", "late")
        self.wait_state(path, "d1", "expired")
        self.assertEqual(self.reward(path, "d1", 1)["status"], "late")
        self.assertEqual(self.stats(path)["rewards"], 0)

    def test_default_is_learnt_when_the_window_closes(self):
        path = self.make(reward={"window": f"PT{WINDOW_S}S", "default": 0.25})
        self.decide(path, id="silent")
        self.decide(path, id="spoken")
        self.assertEqual(self.reward(path, "spoken", 1)["status"], "learnt")
        got = self.wait_state(path, "silent", "learnt")
        self.assertEqual([(e["kind"], e["learnt"]) for e in got["events"]], [("expiry", 0.25)])
        s = self.stats(path)
        self.assertEqual((s["rewards"], s["mean"], s["expired"], s["open"]), (2, 0.625, 1, 0))
        self.assertEqual(self.reward(path, "silent", 1)["status"], "duplicate")

    def test_nothing_is_learnt_without_a_default(self):
        path = self.make(reward={"window": f"PT{WINDOW_S}S"})
        self.decide(path, id="silent")
        self.wait_state(path, "silent", "expired")
        self.assertEqual(self.stats(path)["rewards"], 0)

    def test_aggregates(self):
        rewards = (0.25, 0.125, 0.5, 0.25)
        for rule, expected in (("last", 0.25), ("sum", 1.0), ("max", 0.5)):
            path = self.make(reward={"window": f"PT{2 * WINDOW_S}S", "aggregate": rule})
            self.decide(path, id="d")
            for i, reward in enumerate(rewards):
                self.assertEqual(self.reward(path, "d", reward, key=f"k{i}")["status"], "pending")
            self.assertEqual(self.stats(path)["rewards"], 0)
            got = self.wait_state(path, "d", "learnt")
            self.assertEqual([e["kind"] for e in got["events"]], ["reward"] * 4 + ["expiry"])
            s = self.stats(path)
            self.assertEqual((s["rewards"], s["mean"], s["pending"]), (1, expected, 4))

    def test_deferred_and_never_shown(self):
        path = self.make(reward={"window": f"PT{WINDOW_S}S", "default": 0.5})
        self.decide(path, id="hidden", defer=True)
        self.assertEqual(self.reward(path, "hidden", 1)["status"], "pending")
        self.wait_state(path, "hidden", "expired")
        self.assertEqual(self.stats(path)["rewards"], 0)
        self.problem(self.c.post(f"{path}/decisions/hidden/activate"), 409, "decision_closed")

    def test_a_window_made_shorter(self):
        path = self.make(reward={"window": "PT1H"})
        self.decide(path, id="long")
        time.sleep(0.3)  # the walk has seen when it closes
        self.reward(path, "long", 1)
        self.ok(self.c.patch(path, {"reward": {"window": f"PT{WINDOW_S}S", "default": 0.5}}))
        self.decide(path, id="short")
        self.wait_state(path, "short", "learnt")


class Stats(ApiTest):
    def test_totals_and_arms(self):
        path = self.make()
        for i in range(40):
            self.decide(path, id=f"s{i}", eligible=["a"] if i % 2 else ["b"])
            if i < 20:
                self.reward(path, f"s{i}", i % 2)
        s = self.stats(path, arms=True)
        self.assertEqual((s["decisions"], s["rewards"], s["open"], s["mean"], s["learnt"]),
                         (40, 20, 20, 0.5, 20))
        a, b, c = s["arms"]
        self.assertEqual((a["decisions"], a["rewards"], a["mean"], a["share"], a["hi"]),
                         (20, 10, 1.0, 0.5, 1.0))
        self.assertAlmostEqual(a["lo"], 0.72246, 4)  # Wilson's, for 10 of 10
        self.assertAlmostEqual(b["hi"], 0.27754, 4)
        self.assertEqual((b["mean"], c["mean"], c["lo"], c["hi"]), (0.0, None, 0.0, 1.0))
        self.assertEqual(s["history"], [])
        self.assertEqual(s["arms"], self.ok(self.c.get(path + "/arms"))["items"])

    def test_history(self):
        path = self.make()
        self.decide(path, id="h")
        self.reward(path, "h", 1)
        for buckets in (1, 64):
            h = self.ok(self.c.get(f"{path}/stats?buckets={buckets}"))["history"]
            self.assertLessEqual(len(h), buckets)
            self.assertEqual((sum(b["decisions"] for b in h), sum(b["rewards"] for b in h)), (1, 1))
        for buckets in ("65", "-1", "x", ""):
            self.problem(self.c.get(f"{path}/stats?buckets={buckets}"), 400, "bad_parameter",
                         "buckets")
        self.problem(self.c.get("/v1/experiments/nope/stats"), 404, "unknown_experiment")


class Events(ApiTest):
    def test_paging(self):
        path = self.make()
        self.ok(self.c.post(path + "/decisions", [{} for _ in range(600)]))
        name = path.rsplit("/", 1)[1]
        everything = self.c.events(name)
        self.assertEqual([e["seq"] for e in everything], list(range(1, 602)))
        self.assertEqual(len(self.ok(self.c.get(path + "/events"))), 100)
        got = []
        while page := self.ok(self.c.get(f"{path}/events?after={len(got)}&limit=77")):
            got += page
        self.assertEqual(got, everything)
        self.assertEqual(self.ok(self.c.get(path + "/events?limit=0")), [])
        self.assertEqual(self.ok(self.c.get(path + "/events?after=18446744073709551615")), [])
        self.assertEqual(len(self.ok(self.c.get(path + "/events?follow=0&limit=3"))), 3)
        for query in ("after=-1", "after=x", "limit=", "limit=1.5", "follow=maybe"):
            self.problem(self.c.get(f"{path}/events?{query}"), 400, "bad_parameter",
                         query.split("=")[0])
        self.problem(self.c.get("/v1/experiments/nope/events"), 404, "unknown_experiment")

    def test_every_kind_has_its_line(self):
        path = self.make(reward={"window": f"PT{WINDOW_S}S", "default": 0}, context=["x"])
        self.decide(path, id="d1", context=[1.5], subject="s", groups=["g"], eligible=["a"])
        self.ok(self.c.post(path + "/decisions?include=pmf", {"id": "d2", "defer": True}), 201)
        self.ok(self.c.post(f"{path}/decisions/d2/activate"))
        self.decide(path, id="d3")
        self.ok(self.c.post(f"{path}/decisions/d3/void"))
        self.reward(path, "d1", 2, key="k")
        self.ok(self.c.patch(path, {"floor": 0.5}))
        self.ok(self.c.post(path + "/arms", ["z"]), 201)
        self.ok(self.c.delete(path + "/arms/z"))
        self.wait_state(path, "d2", "learnt")
        kinds = [e["kind"] for e in self.c.events(path.rsplit("/", 1)[1])]
        self.assertEqual(set(kinds), {"create", "decision", "reward", "expiry", "activate", "void",
                                      "arm", "change"})

    def follow(self, path, after):
        s = socket.create_connection(self.daemon.address.rsplit(":", 1), timeout=10)
        s.sendall(f"GET {path}/events?follow=1&after={after} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        return s

    def read_until(self, s, what):
        data = b""
        while what not in data:
            piece = s.recv(65536)
            self.assertTrue(piece, data)
            data += piece
        return data

    def test_follow_sees_what_comes(self):
        path = self.make()
        with self.follow(path, 0) as s:
            self.read_until(s, b'"kind":"create"')
            for i in range(3):
                self.decide(path, id=f"f{i}")
                self.read_until(s, b'"decision":"f%d"' % i)
        with self.follow(path, 4) as s:  # nothing yet
            self.read_until(s, b"\r\n\r\n")
            self.decide(path, id="f3")
            self.assertNotIn(b'"f2"', self.read_until(s, b'"decision":"f3"'))

    def test_follow_ends_with_its_limit_or_its_experiment(self):
        path = self.make()
        self.assertEqual(len(self.ok(self.c.get(path + "/events?follow=true&limit=1"))), 1)
        with self.follow(path, 0) as s:
            self.read_until(s, b'"kind":"create"')
            self.c.delete(path + "?purge=true")
            self.read_until(s, b"0\r\n\r\n")

    def test_clients_that_leave(self):
        path = self.make()
        for _ in range(50):
            s = self.follow(path, 1)
            self.read_until(s, b"\r\n\r\n")
            s.close()
        self.decide(path)
        gauge = lambda: float(re.search(r"^banditd_http_connections (\S+)$",
                                        self.ok(self.c.get("/metrics")), re.M).group(1))
        self.wait_for(lambda: gauge() <= 2)


class Http(ApiTest):
    def test_head(self):
        path = self.make()
        for target in (path, "/v1/experiments", "/healthz", "/metrics", "/v1/policies",
                       path + "/events", path + "/stats"):
            r = self.c.head(target)
            self.assertEqual((r.status, r.raw), (200, b""), target)
        self.assertIn("etag", self.c.head(path).headers)
        self.assertEqual(self.c.head("/v1/experiments/nope").status, 404)

    def test_unknown_routes_and_methods(self):
        path = self.make()
        for target in ("/", "/v1", "/v1/", "/v1/experiments/", path + "/", path + "/nope",
                       path + "/decisions/x/y", "//v1/experiments", "/V1/experiments",
                       "/healthz/"):
            self.problem(self.c.get(target), 404, "unknown_route")
        for method, target, allow in (
                ("POST", "/v1/experiments", "GET, HEAD"),
                ("POST", path, "PUT, GET, HEAD, PATCH, DELETE"),
                ("OPTIONS", path, "PUT, GET, HEAD, PATCH, DELETE"),
                ("GET", path + "/decisions", "POST"), ("DELETE", "/healthz", "GET, HEAD"),
                ("HEAD", path + "/rewards", "POST"), ("GET", path + "/arms/a", "PATCH, DELETE")):
            r = self.c.request(method, target)
            self.assertEqual((r.status, r.headers["allow"]), (405, allow))
            if method != "HEAD":
                self.problem(r, 405, "method_not_allowed")
        for method in ("TRACE", "BREW", "get"):
            self.problem(self.c.request(method, path), 501, "unknown_method")

    def test_media_types(self):
        path = self.make()
        body = json.dumps({})
        for target, kind, status in (
                ("/decisions", "text/plain", 415), ("/decisions", "", 415),
                ("/decisions", "application/jsonx", 415), ("/decisions", "application/xml", 415),
                ("/decisions", "application/json; charset=utf-8", 201),
                ("/decisions", "Application/JSON", 201),
                ("/decisions", "application/merge-patch+json", 415),
                ("/arms", "application/x-ndjson", 415)):
            r = self.c.post(path + target, body, kind=kind)
            self.assertEqual(r.status, status, kind)
        self.problem(self.c.put("/v1/experiments/media", UNIFORM, kind=NDJSON_TYPE), 415,
                     "unsupported_media_type")
        self.problem(self.c.post(path + "/decisions", body, headers={"Content-Encoding": "gzip"}),
                     415, "unsupported_media_type")
        self.ok(self.c.post(path + "/decisions", body, headers={"Content-Encoding": "identity"}),
                201)

    def test_accept(self):
        path = self.make()
        for target, accept, status in (
                (path, "application/json", 200), (path, "*/*", 200), (path, "application/*", 200),
                (path, "text/html, application/json;q=0.5", 200), (path, "text/html", 406),
                (path, "text/html, */*;q=0.1", 200), (path, "application/json;q=0", 406),
                (path, "*/*;q=0.0", 406), (path, "application/json;q=0, text/html", 406),
                (path, "application/json;q=0, */*", 406), (path, "*/*;q=0, application/json", 200),
                (path, "", 200),
                (path + "/events", "application/json", 406),
                (path + "/events", "application/x-ndjson", 200),
                ("/metrics", "text/plain", 200), ("/metrics", "application/json", 406)):
            with self.subTest(target=target, accept=accept):
                r = self.c.get(target, headers={"Accept": accept})
                self.assertEqual(r.status, status)
        self.problem(self.c.get(path, headers={"Accept": "text/html"}), 406, "not_acceptable")

    def test_too_large(self):
        path = self.make()
        # A little too much is read and refused; far too much is refused before it is sent.
        body = b'{"id":"' + b"x" * 900000 + b'"}'
        self.problem(self.c.put(path + "/decisions", body), 405, "method_not_allowed")
        host, port = self.daemon.address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=10) as s:
            s.sendall(f"POST {path}/decisions HTTP/1.1\r\nHost: h\r\nContent-Type: "
                      f"application/json\r\nContent-Length: {BODY_MAX + 1}\r\n\r\n".encode())
            answer = self.read_until_closed(s)
        self.assertRegex(answer, rb"^HTTP/1.1 413 ")
        self.assertIn(b'"code":"body_too_large"', answer)
        self.problem(self.c.patch(path, b'{"label":"' + b"x" * 66000 + b'"}'), 413,
                     "body_too_large")
        full = b" " * (BODY_MAX - 2) + b"{}"
        self.ok(self.c.post(path + "/decisions", full), 201)

    def read_until_closed(self, s):
        data = b""
        while piece := s.recv(65536):
            data += piece
        return data

    def test_request_ids(self):
        r = self.c.get("/healthz", headers={"X-Request-Id": "mine-1"})
        self.assertEqual(r.headers["x-request-id"], "mine-1")
        made = {self.c.get("/healthz", headers={"X-Request-Id": bad}).headers["x-request-id"]
                for bad in ("", "a b", "x" * 65, "é".encode("utf-8").decode("latin-1"))}
        self.assertEqual(len(made), 4)
        self.assertFalse(made & {"", "a b"})

    def test_healthz_and_readyz(self):
        self.assertEqual(self.ok(self.c.get("/healthz")), {"status": "ok"})
        self.assertEqual(self.ok(self.c.get("/readyz")),
                         {"status": "ready", "checks": {"store": True, "disk": True,
                                                        "serving": True}})

    def test_document(self):
        with open(os.path.join(SOURCE, "schema", "openapi.json"), "rb") as f:
            self.assertEqual(self.c.get("/openapi.json").raw, f.read())

    def test_policies(self):
        items = self.ok(self.c.get("/v1/policies"))["items"]
        self.assertIn("uniform", [p["name"] for p in items])
        for p in items:
            for d in p["params"]:
                if d["type"] == "choice":
                    self.assertIn(d["default"], d["choices"] + [None])

    def test_a_page_for_each_problem(self):
        with open(os.path.join(SOURCE, "schema", "openapi.json"), encoding="utf-8") as f:
            schemas = json.load(f)["components"]["schemas"]
        codes = schemas["ProblemMembers"]["properties"]["code"]["enum"]
        self.assertGreater(len(codes), 40)
        for code in codes:
            r = self.c.get("/problems/" + code)
            self.assertTrue(self.ok(r).startswith(code), code)
            self.assertTrue(r.headers["content-type"].startswith("text/plain"))
        self.problem(self.c.get("/problems/nope"), 404, "unknown_route")


METRIC = re.compile(r"^([a-z_]+)(\{[a-z]+=\"[^\"\\\n]*\"(?:,[a-z]+=\"[^\"\\\n]*\")*\})? (\S+)$")


def parse_metrics(text):
    """{name with labels: value}; what is not the text format is an error."""
    values, types, helped = {}, {}, set()
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name = line.split()[2]
            assert name not in helped, line
            helped.add(name)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name in helped and kind in ("counter", "gauge", "histogram"), line
            types[name] = kind
        else:
            found = METRIC.match(line)
            assert found, line
            name = re.sub(r"_(bucket|sum|count)$", "", found[1])
            name = name if types.get(name) == "histogram" else found[1]
            assert name in types, line
            assert (types[name] == "counter") == found[1].endswith("_total"), line
            key = found[1] + (found[2] or "")
            assert key not in values, line
            values[key] = float(found[3])
    return values


class Metrics(ApiTest):
    def metrics(self):
        r = self.c.get("/metrics")
        self.assertEqual(r.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8")
        return parse_metrics(r.body)

    def test_counters_move_as_the_run_did(self):
        before = self.metrics()
        path = self.make()
        for i in range(5):
            self.decide(path, id=f"m{i}")
        self.decide(path, 200, id="m0")
        self.ok(self.c.post(path + "/decisions", [{}] * 10))
        for i in range(3):
            self.reward(path, f"m{i}", 1, key=f"k{i}")
        self.reward(path, "m0", 1, 200, key="k0")
        self.reward(path, "m1", 1)
        self.c.post(path + "/rewards", {"decision": "nope", "reward": 1})
        self.ok(self.c.post(path + "/decisions/m4/void"))
        self.c.post(path + "/rewards", {"decision": "m4", "reward": 1})
        self.c.get("/nope")
        after = self.metrics()
        moved = lambda key: after.get(key, 0) - before.get(key, 0)
        self.assertEqual(moved('banditd_decisions_total{policy="uniform"}'), 15)
        self.assertEqual(moved('banditd_rewards_total{policy="uniform",status="learnt"}'), 3)
        self.assertEqual(moved('banditd_rewards_total{policy="uniform",status="duplicate"}'), 2)
        self.assertEqual(moved("banditd_rewards_unknown_total"), 1)
        self.assertEqual(moved("banditd_rewards_void_total"), 1)
        self.assertEqual(moved("banditd_open_decisions"), 15 - 3 - 1)
        self.assertEqual(moved('banditd_experiments{state="running"}'), 1)
        route = "/v1/experiments/{e}/decisions"
        count = lambda code: moved(
            f'banditd_http_requests_total{{route="{route}",code="{code}"}}')
        self.assertEqual((count(201), count(200)), (5, 2))
        self.assertEqual(
            moved(f'banditd_http_request_duration_seconds_count{{route="{route}"}}'), 7)
        self.assertEqual(moved('banditd_http_requests_total{route="",code="404"}'), 1)
        self.assertGreaterEqual(moved("banditd_commit_events_sum"), 20)
        self.assertEqual(after["banditd_store_failed"], 0)
        # Three arms at a third each: ln 3 a draw, and a third of them is expected of each.
        draws = moved('banditd_exploration_answers_total{policy="uniform"}')
        self.assertEqual(draws, 15)
        self.assertAlmostEqual(
            moved('banditd_exploration_nats_total{policy="uniform"}'), draws * math.log(3))
        self.assertAlmostEqual(
            moved('banditd_watched_propensity_total{policy="uniform"}'), draws / 3)
        self.assertLess(after['banditd_draws_evidence_nats{policy="uniform"}'], math.log(1000))
        self.assertGreaterEqual(moved("banditd_handler_duration_seconds_count"), 15)
        self.assertGreater(moved("banditd_queue_duration_seconds_count"), 0)

    def test_top_shows_what_the_metrics_tell(self):
        path = self.make()
        self.ok(self.c.post(path + "/decisions", [{}] * 50))
        done = subprocess.run(
            [os.path.join(BUILD, "bandit"), "top", "--plain", "--delay", "1", "--looks", "1",
             "http://" + self.daemon.address], capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"(?m)^banditd \S+ at http://\S+: [0-9]+ running")
        self.assertRegex(
            done.stdout, rf"(?m)^[> ] {path.split('/')[-1]} +uniform +running +50 +0 ")
        self.assertRegex(done.stdout, r"(?m)^  ARM +STATE")

    def test_histograms_add_up(self):
        self.make()
        values, last = self.metrics(), {}
        for key, value in values.items():
            if "_bucket{" in key:
                series = re.sub(r",?le=\"[^\"]*\"", "", key)
                self.assertGreaterEqual(value, last.get(series, 0), key)
                last[series] = value
        for series, value in last.items():
            count = series.replace("_bucket", "_count").replace("{}", "")
            self.assertEqual(values[count], value, series)


class Many(ApiTest):
    def test_a_thousand_experiments(self):
        def work(k):
            c = self.daemon.client()
            for i in range(k, 1000, 4):
                assert c.put(f"/v1/experiments/m{i:04}", UNIFORM).status == 201
                assert c.post(f"/v1/experiments/m{i:04}/decisions", {"id": "d"}).status == 201
            c.close()

        threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        names = [e["experiment"] for e in self.c.pages("/v1/experiments", 300)]
        self.assertEqual(sorted(names), [f"m{i:04}" for i in range(1000)])
        self.start_again()
        self.assertEqual([(e["experiment"], e["seq"]) for e in self.c.pages("/v1/experiments", 1000)],
                         [(n, 2) for n in names])


class Restart(ApiTest):
    def restart(self, kill=True):
        self.start_again(kill)

    def views(self, path):
        return [self.c.get(path + t).raw for t in
                ("", "/arms", "/stats?buckets=64", "/events?limit=10000", "/decisions/r0",
                 "/decisions/held", "/decisions/shown", "/decisions/gone")]

    def fill(self):
        path = self.make(floor=0.3, reward={"window": "PT1H", "aggregate": "sum"},
                         context=["x", "y"])
        for i in range(20):
            self.decide(path, id=f"r{i}", context=[i, 0.1])
        self.ok(self.c.patch(path, {"reward": {"window": None, "aggregate": "first"}}))
        for i in range(20, 40):
            self.decide(path, id=f"r{i}", exclude=["a"])
            self.reward(path, f"r{i}", i / 40, key=f"k{i}")
        self.ok(self.c.post(path + "/arms", ["n1", {"id": "n2", "label": "two"}]), 201)
        self.ok(self.c.patch(path + "/arms/n1", {"state": "paused"}))
        self.ok(self.c.delete(path + "/arms/c"))
        for d in ("held", "shown", "gone"):
            self.decide(path, id=d, defer=True)
        self.reward(path, "held", 1, key="kh")
        self.ok(self.c.post(path + "/decisions/shown/activate"))
        self.ok(self.c.post(path + "/decisions/gone/void"))
        return path

    def test_the_same_bytes_after_a_kill(self):
        path = self.fill()
        for kill in (True, False, True):  # folded from the log, then from a snapshot
            decision = self.c.post(path + "/decisions", {"id": "r3", "context": [3, 0.1]})
            reward = self.c.post(path + "/rewards", {"decision": "r30", "reward": 30 / 40,
                                                     "key": "k30"})
            self.assertEqual((decision.status, reward.status), (200, 200))
            views = self.views(path)
            self.restart(kill)
            self.assertEqual(self.views(path), views)
            self.assertEqual(self.c.post(path + "/decisions", {"id": "r3", "context": [3, 0.1]}).raw,
                             decision.raw)
            self.assertEqual(self.c.post(path + "/rewards", {
                "decision": "r30", "reward": 30 / 40, "key": "k30"}).raw, reward.raw)
            self.problem(self.c.post(path + "/decisions", {"id": "r3"}), 409, "decision_conflict",
                         "/id")
        self.assertEqual(self.ok(self.c.post(path + "/decisions/held/activate"))["state"], "learnt")
        self.assertEqual(self.reward(path, "shown", 1)["status"], "learnt")
        self.decide(path)

    def test_two_runs_draw_alike_whether_killed_or_not(self):
        drawn = []
        for killed in (False, True):
            path = self.make(seed=5, floor=0.2)
            arms = []
            for i in range(30):
                if killed and i % 10 == 5:
                    self.restart()
                arms.append(self.decide(path)["arm"])
            drawn.append(arms)
        self.assertEqual(*drawn)

    def test_what_was_pending_is_learnt_after_a_kill(self):
        path = self.make(reward={"window": "PT1S", "aggregate": "sum"})
        self.decide(path, id="p")
        self.decide(path, id="q")
        for i in range(3):
            self.assertEqual(self.reward(path, "p", 0.25, key=f"k{i}")["status"], "pending")
        self.restart()
        self.wait_state(path, "p", "learnt")
        self.wait_state(path, "q", "expired")
        s = self.stats(path)
        self.assertEqual((s["rewards"], s["mean"], s["open"], s["expired"]), (1, 0.75, 0, 2))

    def test_purged_stays_purged(self):
        path = self.make()
        self.ok(self.c.post(path + "/decisions", [{}] * 1000))
        self.assertEqual(self.c.delete(path + "?purge=true").status, 204)
        self.restart()
        self.problem(self.c.get(path), 404, "unknown_experiment")

    def test_a_body_repeated_to_an_empty_list_of_arms(self):
        path = self.make(arms=[])
        self.ok(self.c.post(path + "/arms", []), 201)
        self.restart()
        self.assertEqual(self.ok(self.c.get(path))["seq"], 1)


class Log(unittest.TestCase):
    TRACE = "0af7651916cd43dd8448eb211c80319c"

    def requests(self, *options):
        with tempfile.TemporaryDirectory() as state, Daemon(state, *options) as d:
            c = d.client()
            c.get("/healthz", headers={"X-Request-Id": "mine-1",
                                       "Traceparent": f"00-{self.TRACE}-b7ad6b7169203331-01"})
            c.get("/nope", headers={"X-Request-Id": "mine-2", "Traceparent": "00-no"})
            c.close()
            self.assertEqual(d.stop(), 0)
            return [line for line in d.log().splitlines() if "msg" in line and "request" in line]

    def test_requests_are_told_at_debug_with_their_ids(self):
        first, second = self.requests("--log-level", "debug")
        self.assertRegex(first, r"^<7>msg=request method=GET route=/healthz status=200 "
                         rf"seconds=\S+ request_id=mine-1 trace_id={self.TRACE}$")
        self.assertRegex(second, r" route=none status=404 seconds=\S+ request_id=mine-2$")

    def test_requests_that_go_well_are_not_told_otherwise(self):
        self.assertEqual(self.requests(), [])

    def test_lines_may_be_json(self):
        first = json.loads(self.requests("--log-level", "debug", "--log-format", "json")[0])
        self.assertEqual((first["msg"], first["request_id"], first["trace_id"], first["status"]),
                         ("request", "mine-1", self.TRACE, "200"))


class Stopping(unittest.TestCase):
    def test_term_ends_streams_and_exits_well(self):
        with tempfile.TemporaryDirectory() as state, Daemon(state) as d:
            c = d.client()
            self.assertEqual(c.put("/v1/experiments/s", UNIFORM).status, 201)
            host, port = d.address.rsplit(":", 1)
            with socket.create_connection((host, int(port)), timeout=10) as s:
                s.sendall(b"GET /v1/experiments/s/events?follow=1 HTTP/1.1\r\nHost: h\r\n\r\n")
                s.recv(65536)
                began = time.monotonic()
                self.assertEqual(d.stop(), 0)
                self.assertLess(time.monotonic() - began, 5)
                while s.recv(65536):
                    pass
            c.close()

    def test_interval_durability_answers_the_same(self):
        with tempfile.TemporaryDirectory() as state:
            with Daemon(state, "--durability", "interval:50") as d:
                c = d.client()
                self.assertEqual(c.put("/v1/experiments/s", UNIFORM).status, 201)
                first = c.post("/v1/experiments/s/decisions", {"id": "i"})
                self.assertEqual(c.post("/v1/experiments/s/decisions", {"id": "i"}).raw, first.raw)
                c.close()
                self.assertEqual(d.stop(), 0)
            with Daemon(state) as d:
                c = d.client()
                self.assertEqual(c.post("/v1/experiments/s/decisions", {"id": "i"}).raw, first.raw)
                c.close()


if __name__ == "__main__":
    unittest.main(verbosity=1)
