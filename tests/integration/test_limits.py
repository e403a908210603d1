#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Limits of doc/limits.md: what is just within is taken, one more is refused by its code, and nothing
of it is done. Each is named as the page names it; how settings are limited is asked of all of them."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from client import BUILD, PATCH_TYPE, SOURCE, Daemon

PATH = "/v1/experiments/"
ARMS = ["a", "b"]
MIB = 1 << 20
# key: the least and the most it takes, in the smallest unit; None: no least to go below
SETTINGS = {
    "decision_cache": (MIB, 64 << 30), "queue": (16 * MIB, 1 << 30), "disk_floor": (0, 1 << 40),
    "experiments": (1, 10**7), "snapshot_events": (1, 10**9), "connections": (1, 60000),
    "connections_per_address": (0, 60000), "request_timeout": (10, 600000),
    "reply_timeout": (10, 600000), "idle_timeout": (10, 3600000), "drain_timeout": (0, 600000),
    "rate_limit": (0, 10**6),
}

# Row of the page (its beginning): file and test that try it. Settings: Settings, at both ends.
HERE, MORE, API = "integration/test_limits.py", "integration/test_limits_more.py", "integration/test_api.py"
TESTED = {
    "request line and headers": (MORE, "test_head"),
    "query parameters": (HERE, "test_query_parameters"),
    "`X-Request-Id`": (HERE, "test_request_ids"),
    "body:": (HERE, "test_bodies"),
    "bodies of all connections": (MORE, "test_bodies_together"),
    "compressed body": (API, "test_media_types"),
    "nesting": (HERE, "test_nesting"),
    "numbers": (HERE, "test_numbers"),
    "decisions or rewards in a batch": (HERE, "test_batches"),
    "arms in one": (HERE, "test_batches"),
    "`limit`": (HERE, "test_pages"),
    "`buckets`": (HERE, "test_pages"),
    "ids of": (HERE, "test_ids_and_labels"),
    "label": (HERE, "test_ids_and_labels"),
    "arms, retired ones": (HERE, "test_arms"),
    "arms that were offered": ("integration/test_stream.py",
                               "test_a_full_backlog_refuses_and_what_is_not_remembered_comes_again"),
    "offers of an experiment": ("unit/test_engine_limits.c", "offers_on_their_way_are_counted"),
    "offers above": (HERE, "test_offers_of_a_stack"),
    "offers, and arms in them": ("integration/test_stream.py",
                                 "test_what_is_not_remembered_is_looked_for_near_its_turn"),
    "times one id": (HERE, "test_one_id_that_waits_often"),
    "arms of a stream that were withdrawn": ("unit/test_backlog.c",
                                             "so_many_are_withdrawn_and_no_more"),
    "arms that are kept at hand": ("integration/test_stream.py",
                                   "test_offers_cost_no_arms_and_are_read_in_order"),
    "arms that `exclude`": (MORE, "test_what_exclude_looks_through"),
    "ids in": (HERE, "test_what_is_asked_of_arms"),
    "arms for": (HERE, "test_what_is_asked_of_arms"),
    "groups of a decision": (HERE, "test_groups_of_a_decision"),
    "numbers in a list": (MORE, "test_lists"),
    "subjects of `recovering`": ("unit/test_recovering_subject.c", "recovered_subjects_make_room"),
    "groups of an experiment": (MORE, "test_groups"),
    "`groupwise`: features": (MORE, "test_features_of_regress"),
    "`groupwise`: numbers": (MORE, "test_lists"),
    "`groupwise`: memory": (MORE, "test_memory_of_groups"),
    "arms of a slate": (HERE, "test_slates_and_windows"),
    "arms of a slate that is drawn": ("unit/test_experiment_slate.c",
                                      "the_work_of_a_draw_is_bounded"),
    "arms of `recovering`": (MORE, "test_cells_of_recovering"),
    "what isolated subjects": ("unit/test_tallying_change.c",
                               "what_isolated_subjects_know_has_a_bound"),
    "what a policy notes": ("unit/test_engine_limits.c", "a_memo_has_a_length"),
    "subjects that": (MORE, "test_subjects"),
    "declared features": (HERE, "test_contexts"),
    "logged context": (HERE, "test_contexts"),
    "`window`": (HERE, "test_slates_and_windows"),
    "one event": ("unit/test_engine_limits.c", "an_event_has_a_length"),
    "arms in `/stats`": (MORE, "test_arms_in_stats"),
    "events shown": (MORE, "test_events_of_a_decision"),
    "open decisions": ("unit/test_engine_time.c",
                       "thousands_of_open_decisions_expire_with_a_tiny_cache"),
    "wrong tokens": ("unit/test_guard.c", "wrong_tokens_of_an_address_are_counted"),
    "tokens": (MORE, "test_tokens"),
    "loss under": (HERE, "test_durability"),
    "a line of the configuration file": (HERE, "test_lines_of_a_file"),
    "a line of the log": ("unit/test_base.c", "a_line_that_is_cut_is_still_a_line"),
    "lines of the log": ("integration/test_faults.py", "test_nobody_waits_for_who_reads_the_log"),
    "slots of a slate": ("unit/test_slates.c", "a_slate_cannot_have_more_slots_than_the_limit"),
    "subjects with rests": ("unit/test_exposure.c", "subjects_have_a_bound"),
    "decisions whose reward": ("unit/test_exposure.c", "the_oldest_gives_up_its_reward"),
    "arms times": ("unit/test_exposure.c", "arms_times_rests_have_a_bound"),
    "targets and policies": (MORE, "test_targets"),
    "those of an exact Kemeny": (MORE, "test_kemeny"),
    "logs times segments": (MORE, "test_places"),
    "budget of a holdout": (MORE, "test_budget"),
}


def nested(depth):
    """JSON of so many levels, those around it included."""
    return '{"context":{"a":' + "[" * (depth - 2) + "]" * (depth - 2) + "}}"


def padded(value, size):
    return json.dumps(value).ljust(size)


def rows():
    with open(os.path.join(SOURCE, "doc", "limits.md"), encoding="utf-8") as f:
        return {line.split("|")[1].strip() for line in f if line.startswith("| ")}


class Rig(unittest.TestCase):
    """A daemon, and how a limit is tried."""

    @classmethod
    def setUpClass(cls):
        cls.state = tempfile.mkdtemp(prefix="banditd-limits-")
        cls.daemon = Daemon(cls.state)
        cls.c = cls.daemon.client()
        cls.n = 0
        cls.page = rows()

    @classmethod
    def tearDownClass(cls):
        cls.c.close()
        cls.daemon.stop()
        shutil.rmtree(cls.state)

    def made(self, policy="uniform", **more):
        """The path of a new experiment, and the answer to its creation."""
        type(self).n += 1
        path = f"{PATH}e{self.n}"
        return path, self.c.put(path, {"policy": policy, "arms": ARMS, **more})

    def fresh(self, *args, **more):
        path, reply = self.made(*args, **more)
        self.assertEqual(reply.status, 201, reply)
        return path

    def limit(self, row, within, beyond, status, code):
        self.assertIn(row, self.page)
        self.assertLess(within.status, 300, within)
        self.refused(beyond, status, code)

    def refused(self, reply, status, code):
        self.assertEqual((reply.status, reply.body["code"]), (status, code), reply)

    def decide(self, path, body, **more):
        return self.c.post(path + "/decisions", body, **more)


class Limits(Rig):
    def test_query_parameters(self):
        target = PATH[:-1] + "?" + "&".join(f"p{i}=1" for i in range(16))
        self.limit("query parameters", self.c.get(target), self.c.get(target + "&q=1"), 400,
                   "bad_framing")

    def test_request_ids(self):
        self.assertIn("`X-Request-Id` taken over", self.page)
        for n, same in ((64, True), (65, False)):
            sent = "r" * n
            got = self.c.get("/healthz", headers={"X-Request-Id": sent}).headers["x-request-id"]
            self.assertEqual(got == sent, same)

    def test_bodies(self):
        path = self.fresh()
        self.assertIn("body: decisions, rewards, arms, `PUT`", self.page)
        self.assertEqual(self.decide(path, padded({}, 4 * MIB)).status, 201)
        http = self.daemon.client().connect()  # refused before the body is sent
        http.putrequest("POST", path + "/decisions")
        http.putheader("Content-Type", "application/json")
        http.putheader("Content-Length", str(4 * MIB + 1))
        http.endheaders()
        reply = http.getresponse()
        self.assertEqual((reply.status, json.loads(reply.read())["code"]), (413, "body_too_large"))
        http.close()
        small = [self.c.patch(path, padded({"label": "x"}, n), kind=PATCH_TYPE)
                 for n in (65536, 65537)]
        self.limit("body: `PATCH`", *small, 413, "body_too_large")

    def test_nesting(self):
        path = self.fresh()
        self.limit("nesting of JSON", self.decide(path, nested(32)),
                   self.decide(path, nested(33)), 400, "invalid_json")

    def test_numbers(self):
        path = self.fresh()
        self.limit("numbers", self.decide(path, {"context": {"a": 2**53}}),
                   self.decide(path, {"context": {"a": 2**53 + 1}}), 422, "out_of_range")

    def test_batches(self):
        path = self.fresh()
        self.limit("decisions or rewards in a batch", self.decide(path, [{}] * 1000),
                   self.decide(path, [{}] * 1001), 422, "too_many")
        self.assertEqual(self.c.get(path).body["seq"], 1001)
        new = [[{"id": f"x{n}-{i}"} for i in range(n)] for n in (10000, 10001)]
        self.limit("arms in one `POST .../arms`", *(self.c.post(path + "/arms", n) for n in new),
                   422, "too_many")
        self.assertEqual(self.c.get(path).body["arms"], 10002)

    def test_pages(self):
        path = self.fresh()
        self.limit("`limit` of a page", self.c.get(path + "/arms?limit=1000"),
                   self.c.get(path + "/arms?limit=1001"), 400, "bad_parameter")
        self.refused(self.c.get(path + "/arms?limit=0"), 400, "bad_parameter")
        self.limit("`buckets` of the history", self.c.get(path + "/stats?buckets=64"),
                   self.c.get(path + "/stats?buckets=65"), 400, "bad_parameter")

    def test_ids_and_labels(self):
        path = self.fresh()
        row = next(r for r in self.page if r.startswith("ids of experiments"))
        self.limit(row, self.decide(path, {"id": "i" * 128}), self.decide(path, {"id": "i" * 129}),
                   422, "invalid_id")
        self.limit("label", *(self.made(label="l" * n)[1] for n in (256, 257)), 422, "out_of_range")

    def test_arms(self):
        names = [f"a{i}" for i in range(65537)]
        self.limit("arms, retired ones included",
                   *(self.made("thompson", arms=names[:n])[1] for n in (65536, 65537)), 422, "too_many")

    def test_what_is_asked_of_arms(self):
        path = self.fresh()
        self.assertIn("ids in `eligible` or `exclude`", self.page)
        ids = [f"n{i}" for i in range(10001)]
        within = self.decide(path, {"eligible": ids[:10000]})
        self.assertNotEqual(within.body.get("code"), "too_many")
        self.refused(self.decide(path, {"eligible": ids}), 422, "too_many")
        asked = [self.c.post(self.fresh(arms=ids[:n]) + "/decisions?include=pmf", {})
                 for n in (1000, 1001)]
        self.limit("arms for `?include=pmf`", *asked, 422, "too_many")

    def test_offers_of_a_stack(self):
        path = self.fresh({"name": "streaming", "params": {"order": "lifo"}})
        for i in range(1026):  # the first arm is an experiment's own
            self.assertLess(self.c.post(path + "/arms", [f"o{i}"]).status, 300)
        self.limit("offers above an arm of a stack that is withdrawn",
                   self.c.delete(path + "/arms/o1"), self.c.delete(path + "/arms/o0"), 422,
                   "too_many")

    def test_one_id_that_waits_often(self):
        for times, left in ((1024, 0), (1025, 1)):
            path = self.fresh({"name": "streaming", "params": {"remember": "none"}})
            for _ in range(times):
                self.assertEqual(self.c.post(path + "/arms", ["x"]).status, 201)
            self.assertEqual(self.c.delete(path + "/arms/x").status, 200)
            self.assertEqual(self.c.get(path + "/stats").body["stream"]["backlog"], left)

    def test_contexts(self):
        names = [f"f{i}" for i in range(1025)]
        self.limit("declared features", *(self.made(context=names[:n])[1] for n in (1024, 1025)),
                   422, "too_many")
        path = self.fresh()
        texts = [{"context": {"a": "x" * (8192 - len('{"a":""}') + more)}} for more in (0, 1)]
        self.limit("logged context", *(self.decide(path, t) for t in texts), 422, "too_many")

    def test_slates_and_windows(self):
        self.limit("arms of a slate", *(self.made(slots=n)[1] for n in (1024, 1025)),
                   422, "out_of_range")
        self.limit("`window`", *(self.made(reward={"window": w})[1] for w in ("P36500D", "P36600D")),
                   422, "out_of_range")

    def test_groups_of_a_decision(self):
        path = self.fresh("groupwise")
        groups = [f"g{i}" for i in range(65)]
        self.limit("groups of a decision", self.decide(path, {"groups": groups[:64]}),
                   self.decide(path, {"groups": groups}), 422, "too_many")


class Settings(unittest.TestCase):
    def check(self, *options):
        return subprocess.run([os.path.join(BUILD, "banditd"), "--check-config", *options],
                              capture_output=True, text=True, timeout=30, check=False)

    def test_each_is_taken_at_its_ends_and_refused_beyond(self):
        for key, (least, most) in SETTINGS.items():
            option = "--" + key.replace("_", "-")
            for value, code in ((least, 0), (most, 0), (least - 1, 2), (most + 1, 2)):
                told = self.check(option, str(value))
                self.assertEqual(told.returncode, code, f"{option} {value}: {told.stderr}")
                if code:
                    self.assertIn(key, told.stderr)

    def test_each_number_of_the_page_is_among_them(self):
        with open(os.path.join(SOURCE, "doc", "limits.md"), encoding="utf-8") as f:
            daemon = f.read().split("## The daemon")[1].split("\n## ")[0]
        told = set(re.findall(r"\| `([a-z_]+)` \|", daemon))
        self.assertEqual(told - {"durability"}, set(SETTINGS))

    def test_each_row_of_the_page_is_tried(self):
        """By a test that is there; and none of these rows has gone."""
        with open(os.path.join(SOURCE, "doc", "limits.md"), encoding="utf-8") as f:
            table = [[cell.strip() for cell in line.split("|")[1:]] for line in f
                     if re.match(r"\| (?!What \|)", line)]
        settings = {f"`{key}`" for key in SETTINGS}
        used = set()
        for cells in table:
            if cells[2] in settings:
                continue
            row = max((r for r in TESTED if cells[0].startswith(r)), key=len, default=None)
            self.assertIsNotNone(row, cells[0])
            used.add(row)
        self.assertEqual(used, set(TESTED))
        for path, test in TESTED.values():
            with open(os.path.join(SOURCE, "tests", path), encoding="utf-8") as f:
                self.assertRegex(f.read(), rf"(?m)^(    def {test}\(self|START_TEST\({test}\))")

    def test_durability(self):
        for ms, code in ((1, 0), (60000, 0), (0, 2), (60001, 2)):
            self.assertEqual(self.check("--durability", f"interval:{ms}").returncode, code, ms)

    def test_lines_of_a_file(self):
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as f:
            for n, code in ((199, 0), (200, 2)):
                f.seek(0)
                f.truncate()
                f.write("log_level = info ; " + "x" * (n - 20) + "\n")
                f.flush()
                self.assertEqual(self.check("--config", f.name).returncode, code)

    def test_experiments(self):
        with tempfile.TemporaryDirectory(prefix="banditd-limits-") as state:
            with Daemon(state, "--experiments", "2") as d:
                c = d.client()
                made = [c.put(PATH + name, {"policy": "uniform", "arms": ARMS}) for name in "abc"]
                self.assertEqual([r.status for r in made], [201, 201, 422])
                self.assertEqual(made[2].body["code"], "too_many")
                self.assertEqual(c.get(PATH + "c").status, 404)
                c.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
