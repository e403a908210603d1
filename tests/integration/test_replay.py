#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The same log, policy and seed give the same counts over the wire and in process, also when the
daemon is killed half-way; what it leaves behind verifies.

Needs build/banditd and build/bandit. BANDITD_DATA may name a folder with obd/random/men/men.csv."""

import csv
import json
import os
import random
import re
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.request

BUILD = os.environ.get("BUILDDIR", "build")
BANDIT = os.path.join(BUILD, "bandit")
ITEMS, ROWS = 4, 300
# Those that take no context and need no parameters.
WANTED = ["uniform", "epsilon_greedy", "thompson", "ucb1", "exp3_flad"]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Daemon:
    """Our own, always at the same address, so that it can be started again."""

    def __init__(self, state):
        self.state, self.address = state, f"127.0.0.1:{free_port()}"
        self.url = "http://" + self.address
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "banditd"), "--listen", self.address, "--state", self.state],
            stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if "msg=listening" in line:
                return
        raise RuntimeError("the daemon did not start")

    def end(self, how):
        self.process.send_signal(how)
        self.process.wait(20)
        self.process.stderr.close()


def bandit(*arguments, status=0):
    done = subprocess.run([BANDIT, *arguments], capture_output=True, text=True, timeout=300,
                          check=False)
    if done.returncode != status:
        raise AssertionError(f"bandit {arguments}: {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def policies():
    """Those that this build has."""
    return [p for p in WANTED if subprocess.run(
        [BANDIT, "simulate", "--env", "bernoulli:means=[0.5,0.4]", "--policy", p, "-T", "10", "-n",
         "1"], capture_output=True, check=False).returncode == 0]


def write_log(path, rows=ROWS, bad=(), biased=False):
    """Uniform choices, item 2 clicked most; a column with quotes and line ends in between."""
    draw = random.Random(5)
    with open(path, "w", newline="", encoding="utf-8") as f:
        out = csv.writer(f)
        out.writerow(["", "timestamp", "note", "item_id", "position", "click", "propensity_score"])
        for i in range(rows):
            item = draw.randrange(ITEMS)
            click = int(draw.random() < (0.5 if item == 2 else 0.2))
            p = 1 / ITEMS if not biased or item else 0.5
            if i in bad:
                p = 0
            out.writerow([i, f"2019-11-24 00:00:{i % 60:02}.5+00:00", 'a "b",\nc', item,
                          1 + i % 3, click, p])


class Replay(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.state = os.path.join(self.folder, "state")
        self.log = os.path.join(self.folder, "log.csv")

    def daemon(self):
        d = Daemon(self.state)
        self.addCleanup(lambda: d.process.poll() is None and d.end(signal.SIGKILL))
        return d

    def compare(self, log, policy, wire):
        here = json.loads(bandit("replay", log, "--policy", policy, "--seed", "7", "--json"))
        result = here["results"][0]
        for key in ("rounds", "accepted", "clicks"):
            self.assertEqual(result[key], wire[key], (policy, key))
        self.assertEqual(result["arms"], wire["stats"]["arms"], policy)
        self.assertEqual(wire["stats"]["decisions"], result["rounds"])
        self.assertEqual(wire["stats"]["rewards"], result["accepted"])
        self.assertEqual(wire["stats"]["voided"], result["rounds"] - result["accepted"])
        self.assertEqual(wire["stats"]["open"], 0)
        return result

    def play(self, d, log, policy, *options):
        return json.loads(bandit("serve-demo", d.url, "--log", log, "--format", "obd", "--policy",
                                 policy, "--seed", "7", "--experiment", policy, "--json",
                                 *options))

    def verify(self):
        found = json.loads(bandit("verify", self.state, "--json"))
        self.assertTrue(found["sound"])
        return {e["experiment"]: e for e in found["experiments"]}

    def test_the_wire_and_the_process_agree(self):
        write_log(self.log)
        d = self.daemon()
        for policy in policies():
            self.compare(self.log, policy, self.play(d, self.log, policy))
        running = self.verify()
        d.end(signal.SIGTERM)
        self.assertEqual({n: e["digest"] for n, e in running.items()},
                         {n: e["digest"] for n, e in self.verify().items()})

    def test_biased_logs_are_thinned(self):
        write_log(self.log, biased=True)
        d = self.daemon()
        wire = self.play(d, self.log, "uniform")
        self.compare(self.log, "uniform", wire)
        self.assertGreater(wire["accepted"], 0)

    def test_a_killed_daemon_loses_no_count(self):
        write_log(self.log, rows=600)
        d = self.daemon()
        answer = {}
        policy = policies()[-1]
        player = threading.Thread(
            target=lambda: answer.update(self.play(d, self.log, policy)))
        player.start()
        db = os.path.join(self.state, "state.db")
        for events in (200, 700):
            self.wait_for_events(db, events)
            d.end(signal.SIGKILL)
            self.verify_while_down(policy)
            d.start()
        player.join(120)
        self.compare(self.log, policy, answer)
        d.end(signal.SIGTERM)
        e = self.verify()[policy]
        self.assertEqual(e["events"], 1 + 2 * 600)
        self.assertEqual(e["derived"], 2 * 600)
        self.assertGreaterEqual(e["snapshots"], 1)

    def wait_for_events(self, db, n):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with sqlite3.connect(f"file:{db}?mode=ro", uri=True) as c:
                try:
                    if c.execute("select count(*) from event").fetchone()[0] >= n:
                        return
                except sqlite3.OperationalError:
                    pass
            time.sleep(0.01)
        self.fail("the log does not grow")

    def verify_while_down(self, policy):
        self.assertEqual(self.verify()[policy]["problems"], [])

    def test_what_was_tampered_with_is_found(self):
        write_log(self.log)
        d = self.daemon()
        self.play(d, self.log, "uniform")
        d.end(signal.SIGTERM)
        with sqlite3.connect(os.path.join(self.state, "state.db")) as c:
            body = bytearray(c.execute(
                "select body from event where experiment = 1 and seq = 100").fetchone()[0])
            body[len(body) // 2] ^= 1
            c.execute("update event set body = ? where experiment = 1 and seq = 100", (body,))
        text = bandit("verify", self.state, status=1)
        self.assertRegex(text, r"uniform: .*100")

    def test_an_export_has_every_event_in_order(self):
        write_log(self.log)
        d = self.daemon()
        self.play(d, self.log, "uniform", "--rounds", "50")
        text = bandit("export", self.state)
        with urllib.request.urlopen(d.url + "/v1/experiments/uniform/events?limit=1000") as reply:
            self.assertEqual(reply.read().decode(), text)
        lines = [json.loads(x) for x in text.splitlines()]
        self.assertEqual([x["seq"] for x in lines], list(range(1, 102)))
        self.assertEqual({x["experiment"] for x in lines}, {"uniform"})
        self.assertEqual(lines[1]["decision"], "demo-1")
        self.assertEqual(lines[1]["context"], {"position": 1})
        self.assertIn(lines[2]["kind"], ("reward", "void"))
        bandit("export", os.path.join(self.state, "state.db"), "--experiment", "none", status=1)

    def test_bad_lines_are_named_and_counted(self):
        write_log(self.log, bad=(3, 10))
        done = subprocess.run([BANDIT, "replay", self.log, "--policy", "uniform", "--json",
                               "--strict"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(json.loads(done.stdout)["log"]["skipped"]["refused"], 2)
        # Two lines of the file a row, after the header.
        self.assertEqual(re.findall(r"log\.csv:(\d+): propensity", done.stderr), ["8", "22"])

    def test_the_demo_needs_no_log(self):
        d = self.daemon()
        one = json.loads(bandit("serve-demo", d.url, "--rounds", "200", "--policy", "uniform",
                                "--json"))
        self.assertEqual((one["rounds"], one["accepted"]), (200, 200))
        # The same again finds it all done: the same ids, keys and answers.
        self.assertEqual(one, json.loads(bandit("serve-demo", d.url, "--rounds", "200",
                                                "--policy", "uniform", "--json")))
        bandit("serve-demo", d.url, "--policy", "uniform", "--seed", "2", status=1)

    def test_what_was_exported_and_imported_exports_alike(self):
        log = os.path.join(self.folder, "made.csv")
        write_log(log)
        d = self.daemon()
        for policy in policies()[:3]:
            self.play(d, log, policy)
        d.end(signal.SIGTERM)
        first = bandit("export", self.state)
        dump, copy = os.path.join(self.folder, "dump.jsonl"), os.path.join(self.folder, "copy")
        with open(dump, "w", encoding="utf-8") as f:
            f.write(first)
        bandit("import", dump, copy)
        self.assertEqual(first, bandit("export", copy))
        bandit("verify", copy)
        bandit("import", dump, copy, status=1)  # there is a state already
        result = json.loads(bandit("replay", dump, "--policy", "uniform", "--json"))
        self.assertEqual(result["log"]["skipped"]["refused"], 0)
        self.assertEqual(result, json.loads(bandit("replay", copy, "-p", "uniform", "--json")))
        with open(dump, "w", encoding="utf-8") as f:
            f.write(first.replace('"seq":5,', '"seq":6,', 1))
        bandit("import", dump, copy + "2", status=1)

    def test_a_log_keeps_its_rounds_in_any_format(self):
        log = os.path.join(self.folder, "made.csv")
        write_log(log)

        def known(path, *more):
            found = json.loads(bandit("replay", path, "-p", "uniform", "--json", *more))["log"]
            return found["used"], found["reward_sum"], found["skipped"]["refused"]

        for form in ("jsonl", "vw", "dsjson"):
            out = os.path.join(self.folder, "out." + form)
            bandit("convert", log, out, "--to", form)
            self.assertEqual(known(log), known(out))
            self.assertEqual(known(log), known(out, "--format", form))
            bandit("convert", out, out + "2", "--to", form)
            self.assertEqual(known(log), known(out + "2"))
        bandit("import", os.path.join(self.folder, "out.jsonl"), self.state)
        bandit("convert", log, "-", "--to", "obd", status=2)

    @unittest.skipUnless(os.environ.get("BANDITD_DATA"), "BANDITD_DATA is not set")
    def test_real_dsjson_gives_its_events(self):
        log = os.path.join(os.environ["BANDITD_DATA"], "vw", "dsjson_cb.json")
        if not os.path.exists(log):
            self.skipTest("there is no " + log)
        found = json.loads(bandit("replay", log, "-p", "uniform", "--json"))
        self.assertEqual((found["log"]["used"], found["log"]["reward_sum"]), (23, 12))
        self.assertEqual(len(found["results"][0]["arms"]), 4)

    def test_lines_refused_are_told_and_strict_fails(self):
        log = os.path.join(self.folder, "log.dat")
        with open(log, "w", encoding="utf-8") as f:
            f.write("1:0:0.5 | a\n2:0:1.5 | a\n2:-1:0.5 | a\n")
        told = subprocess.run([BANDIT, "replay", log, "-p", "uniform", "--strict", "--json"],
                              capture_output=True, text=True, check=False)
        self.assertEqual(told.returncode, 1)
        self.assertIn("log.dat:2: ", told.stderr)
        self.assertEqual(json.loads(told.stdout)["log"]["used"], 2)
        bandit("replay", log, "-p", "uniform", "--format", "vw")

    def test_more_rounds_count_when_doubly_robust(self):
        write_log(self.log, rows=3000, biased=True)
        command = ("replay", self.log, "-p", "epsilon_greedy", "-p", "ucb1", "--json",
                   "--estimator", "rejection,dr-ns,dr-ns:0.1")
        first = bandit(*command, "--runs", "3")
        self.assertEqual(first, bandit(*command, "--runs", "3"))
        found = json.loads(first)["results"]
        self.assertEqual([r["estimator"] for r in found], ["rejection", "dr-ns", "dr-ns:0.1"] * 2)
        for r in found:
            self.assertEqual((r["runs"], r["rounds"]), (3, 3000))
            self.assertLess(r["lo"], r["value"])
            self.assertGreater(r["hi"], r["value"])
            # The best item pays 0.5, the others 0.2.
            self.assertTrue(0.15 < r["value"] < 0.6, r["value"])
        rejection, exact, quantile = found[:3]
        self.assertGreater(rejection["seed_sd"], 0)
        self.assertGreater(exact["ess"], rejection["ess"])
        self.assertGreater(quantile["accepted"], exact["accepted"])
        one = json.loads(bandit(*command))["results"]
        self.assertIsNone(one[0]["seed_sd"])
        self.assertEqual(one[0]["accepted"], int(one[0]["accepted"]))

    def test_an_evaluator_of_uniform_on_a_uniform_log_is_the_mean_of_the_arms(self):
        with open(self.log, "w", encoding="utf-8") as f:
            f.write("item_id,position,click,propensity_score\n")
            f.writelines(f"{i % 4},1,{int(i % 8 < 3)},0.25\n" for i in range(800))
        r = json.loads(bandit("replay", self.log, "-p", "uniform", "--estimator", "dr-ns",
                              "--folds", "1", "--reward-model", "mean:0", "--json"))["results"][0]
        self.assertAlmostEqual(r["value"], 3 / 8, 12)
        self.assertEqual((r["mean_weight"], r["max_weight"], r["ess"]), (1, 1, 800))
        self.assertEqual((r["unsupported"], r["verdict"]), (0, "weak"))

    def test_a_frozen_policy_is_the_one_that_was_served(self):
        write_log(self.log)
        d = self.daemon()
        self.play(d, self.log, "thompson")
        answer = self.ask(d, "POST", "/v1/experiments/thompson/decisions?include=pmf",
                          {"id": "asked"})
        d.end(signal.SIGTERM)
        table = os.path.join(self.folder, "table.csv")
        with open(table, "w", encoding="utf-8") as f:
            f.write("arm,position,probability\n")
            f.writelines(f"{arm},{k},{p!r}\n" for arm, p in answer["pmf"].items()
                         for k in (1, 2, 3))
        dump = os.path.join(self.folder, "dump.jsonl")
        with open(dump, "w", encoding="utf-8") as f:
            f.write(bandit("export", self.state))

        def results(target):
            found = json.loads(bandit("replay", self.log, "-t", target, "--json"))["results"]
            return [{k: v for k, v in r.items() if k != "policy"} for r in found]

        want, seq = results("@" + table), answer["seq"] - 1
        self.assertGreater(len(set(answer["pmf"].values())), 1)
        for where in (self.state, dump):
            got = results(f"snapshot:{where}:thompson@{seq}")
            for g, w in zip(got, want):
                self.assertEqual((g["estimator"], g["verdict"]), (w["estimator"], w["verdict"]))
                for key in ("value", "se", "ess", "mean_weight", "unsupported"):
                    self.assertAlmostEqual(g[key], w[key], 9, (key, where))
        self.assertEqual(results(f"snapshot:{dump}:thompson@{seq}"), got)
        self.assertNotEqual(results(f"snapshot:{dump}:thompson@{seq // 2}"), got)

    def test_a_frozen_policy_must_fit_the_log(self):
        log = os.path.join(self.folder, "made.csv")
        write_log(log)
        dump = os.path.join(self.folder, "dump.jsonl")
        bandit("convert", log, dump, "--to", "jsonl")
        with open(dump, encoding="utf-8") as f:
            name = json.loads(f.readline())["experiment"]
        uniform = json.loads(bandit("replay", log, "-t", "uniform", "--json"))["results"]
        frozen = json.loads(bandit("replay", log, "-t", f"snapshot:{dump}:{name}", "--json"))
        self.assertEqual([r["value"] for r in frozen["results"]], [r["value"] for r in uniform])
        with open(log, "a", encoding="utf-8") as f:
            f.write('9,2019-11-24 00:00:01+00:00,"a",strange,1,1,0.25\n')
        for target, word in ((f"snapshot:{dump}:{name}", "strange"),
                             (f"snapshot:{dump}:nothing", "no experiment nothing"),
                             (f"snapshot:{dump}:{name}@999999", "ends at event"),
                             ("snapshot:/nowhere:e", "STATE:EXPERIMENT")):
            told = subprocess.run([BANDIT, "replay", log, "-t", target], capture_output=True,
                                  text=True, check=False)
            self.assertEqual(told.returncode, 1)
            self.assertIn(word, told.stderr)

    def test_a_frozen_policy_reads_the_context(self):
        d = self.daemon()
        make = {"policy": {"name": "tsallis_bins", "params": {"bins": 2}}, "arms": ["a", "b"],
                "context": ["x"], "seed": 1}
        self.ask(d, "PUT", "/v1/experiments/e", make)
        for i in range(300):
            x = i % 2
            got = self.ask(d, "POST", "/v1/experiments/e/decisions", {"context": [x]})
            self.ask(d, "POST", "/v1/experiments/e/rewards",
                     {"decision": got["id"], "reward": int((got["arm"] == "b") == bool(x))})
        d.end(signal.SIGTERM)
        found = json.loads(bandit("replay", self.state, "-t", f"snapshot:{self.state}:e",
                                  "--estimator", "snips,dr", "--reward-model", "ridge:1", "--json"))
        # What it learnt at the end earns more than it did on the way.
        for r in found["results"]:
            self.assertGreater(r["value"], found["logging"]["mean"])
        played = json.loads(bandit("replay", self.state, "-p", "tsallis_bins:bins=2", "--json",
                                   "--estimator", "rejection,dr-ns"))["results"]
        self.assertGreater(played[1]["value"], 0.4)
        told = subprocess.run([BANDIT, "replay", self.state, "-t", "uniform", "--json"],
                              capture_output=True, text=True, check=True)
        self.assertEqual(json.loads(told.stdout)["log"]["used"], 300)

    @staticmethod
    def ask(d, method, path, body):
        request = urllib.request.Request(d.url + path, json.dumps(body).encode(),
                                         {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request) as reply:
            return json.load(reply)

    def test_features_tell_a_model_what_arms_do_not(self):
        draw = random.Random(3)
        with open(self.log, "w", encoding="utf-8") as f:
            for _ in range(4000):
                arm, hour = draw.randrange(2), draw.choice(("day", "night"))
                pays = (arm == 0) == (hour == "day")
                f.write(f"{arm + 1}:{-int(pays)}:0.5 |t hour={hour}\n")

        def se(*more):
            found = json.loads(bandit("replay", self.log, "-t", "always:1", "--estimator", "dr",
                                      "--json", *more))["results"][0]
            self.assertAlmostEqual(found["value"], 0.5, delta=0.05)
            return found["se"]

        self.assertLess(se("--reward-model", "ridge:1"), 0.8 * se())
        self.assertGreater(se("--reward-model", "ridge:1", "--features", "0"),
                           se("--reward-model", "ridge:1"))

    def test_policies_that_a_log_cannot_answer_are_refused_by_name(self):
        write_log(self.log)
        for policy, word in (("tallying", "remember"), ("recovering", "remember"),
                             ("groupwise:kind=experts", "all arms"),
                             ("streaming --estimator dr-ns", "probabilities")):
            done = subprocess.run([BANDIT, "replay", self.log, "-p", *policy.split()],
                                  capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn(policy.split(":")[0].split()[0] + ": ", done.stderr)
            self.assertIn(word, done.stderr)
        with open(self.log, "w", encoding="utf-8") as f:
            f.write("shared | u\n0:0:0.5 | a\n| b\n\nshared | u\n0:0:0.5 | a\n| b\n| c\n\n")
        told = subprocess.run([BANDIT, "replay", self.log, "-p", "streaming"],
                              capture_output=True, text=True, check=False)
        self.assertEqual(told.returncode, 1)
        self.assertIn("streaming: its arms come by offers", told.stderr)

    def test_arms_that_are_not_eligible_are_not_drawn(self):
        with open(self.log, "w", encoding="utf-8") as f:
            for i in range(60):
                f.write("shared | u\n" + ("| a\n0:-1:0.5 | b\n" if i % 2 else "0:-1:0.5 | a\n| b\n")
                        + ("| c\n" if i < 3 else "") + "\n")
        r = json.loads(bandit("replay", self.log, "-p", "ucb1", "--json"))["results"][0]
        # The third arm pays nothing and would be tried for ever.
        self.assertGreater(r["accepted"], 15)

    def test_mistakes_are_told_from_findings(self):
        for arguments in ([], ["nonsense"], ["verify"], ["export"], ["replay", "x.csv"],
                          ["verify", "--nonsense", "x"], ["help", "nonsense"],
                          ["replay", "x.csv", "--policy", "nonsense"],
                          ["replay", "x.csv", "-p", "ucb1", "--estimator", "ips"],
                          ["replay", "x.csv", "-p", "ucb1", "--estimator", "dr-ns:1"],
                          ["replay", "x.csv", "-t", "uniform", "--runs", "2"],
                          ["replay", "x.csv", "-p", "ucb1", "--runs", "0"]):
            bandit(*arguments, status=2)
        for arguments in (["verify", self.folder], ["export", "/nowhere"],
                          ["replay", "/nowhere.csv", "--policy", "uniform"]):
            bandit(*arguments, status=1)
        for command in ("convert", "export", "import", "replay", "serve-demo", "simulate", "verify"):
            self.assertIn("usage: bandit " + command, bandit("help", command))
        self.assertRegex(bandit("--version"), r"^bandit \d")

    @unittest.skipUnless(os.environ.get("BANDITD_DATA"), "BANDITD_DATA is not set")
    def test_the_real_log_agrees(self):
        log = os.path.join(os.environ["BANDITD_DATA"], "obd", "random", "men", "men.csv")
        if not os.path.exists(log):
            self.skipTest("there is no " + log)
        d = self.daemon()
        for policy in policies():
            result = self.compare(log, policy, self.play(d, log, policy))
            print(policy, result["rounds"], result["accepted"], result["clicks"])
        d.end(signal.SIGTERM)
        self.verify()


if __name__ == "__main__":
    unittest.main()
