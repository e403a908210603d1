#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bandit compare: rankings, the reusable holdout and its file, plots.

Needs build/bandit. BANDITD_DATA may name a folder with obd/random/men/men.csv."""

import fcntl
import json
import os
import random
import shutil
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree

BANDIT = os.path.join(os.environ.get("BUILDDIR", "build"), "bandit")
DATA = os.path.join(os.environ.get("BANDITD_DATA", ""), "obd")


def run(command, *arguments, status=0):
    done = subprocess.run([BANDIT, command, *arguments], capture_output=True, text=True,
                          timeout=300, check=False)
    if done.returncode != status:
        raise AssertionError(f"{arguments}: {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr if status else done.stdout


def compare(*arguments):
    return json.loads(run("compare", *arguments, "--json"))


class Compare(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def write(self, name, means, rounds=6000, seed=1):
        """A log of even chances among arms of these means."""
        path = os.path.join(self.folder, name)
        rng = random.Random(seed)
        with open(path, "w", encoding="utf-8") as f:
            f.write("item_id,position,click,propensity_score\n")
            for _ in range(rounds):
                arm = rng.randrange(len(means))
                f.write(f"{arm},1,{int(rng.random() < means[arm])},{1 / len(means)}\n")
        return path

    def ranking(self, *arguments):
        return compare(*arguments)["ranking"]

    def test_every_number_is_that_of_replay(self):
        log = self.write("a.csv", [0.2, 0.4, 0.6])
        got = compare(log, "-t", "uniform", "-t", "always:2", "-p", "thompson", "--estimator",
                      "dr,rejection", "--bootstrap", "200", "--alpha", "0.1")
        for target, ours in zip(("uniform", "always:2"), got["places"][0]["results"]):
            theirs = json.loads(run("replay", log, "-t", target, "--estimator", "dr",
                                    "--bootstrap", "200", "--alpha", "0.1", "--json"))
            self.assertEqual(ours, theirs["results"][0])
            self.assertEqual(got["places"][0]["log"]["rounds"], theirs["log"]["rounds"])
        learnt = json.loads(run("replay", log, "-p", "thompson", "--alpha", "0.1", "--json"))
        for key in ("value", "se", "lo", "hi", "ess", "verdict", "why"):
            self.assertEqual(got["places"][0]["results"][2][key], learnt["results"][0][key], key)

    def test_targets_are_compared_on_slates_and_without_propensities(self):
        slates, bare = os.path.join(self.folder, "s.dat"), os.path.join(self.folder, "b.dat")
        rng = random.Random(5)
        with open(slates, "w", encoding="utf-8") as f, open(bare, "w", encoding="utf-8") as g:
            for _ in range(400):
                a, b = rng.randrange(3), rng.randrange(2)
                cost = -int(rng.random() < 0.1 + 0.3 * (a == 2) + 0.4 * b)
                f.write(f"slates shared {cost} | s\n" + "slates action 0 | a\n" * 3 +
                        "slates action 1 | b\n" * 2 +
                        f"slates slot {a}:{1 / 3} | x\nslates slot {b}:0.5 | y\n\n")
                g.write(f"{a + 1}:{cost} | f\n")
        for log, name in ((slates, "pseudo-inverse"), (bare, "sn-balanced")):
            got = compare(log, "-t", "always:1", "-t", "always:2", "--segments", "2",
                          "--estimator", name)
            self.assertEqual([p["log"]["rounds"] for p in got["places"]], [200, 200])
            got = compare(log, "-t", "always:1", "-t", "always:2", "--estimator", name)
            theirs = json.loads(run("replay", log, "-t", "always:2", "--estimator", name, "--json"))
            self.assertEqual(got["places"][0]["results"][1], theirs["results"][0])
            # A policy that learns has no use for such rounds.
            run("compare", log, "-t", "always:1", "-p", "ucb1", "--estimator", name, status=1)

    def test_a_ranking_that_separates_is_reliable(self):
        log = self.write("a.csv", [0.2, 0.5, 0.8])
        r = self.ranking(log, "-t", "always:0", "-t", "always:1", "-t", "always:2")
        self.assertEqual(r["mean"], ["always:2", "always:1", "always:0"])
        self.assertEqual((r["borda"], r["kemeny"], r["distance"]), (r["mean"], r["mean"], 0))
        self.assertEqual([p["separates"] for p in r["policies"]], [True, True, None])
        self.assertEqual((r["disagreements"], r["verdict"]), ([], "reliable"))

    def test_what_does_not_separate_is_said(self):
        log = self.write("a.csv", [0.5, 0.5, 0.8])
        r = self.ranking(log, "-t", "always:0", "-t", "always:1", "-t", "always:2")
        self.assertEqual(r["mean"][0], "always:2")
        self.assertEqual([p["separates"] for p in r["policies"]], [True, False, None])
        self.assertEqual(r["verdict"], "weak")
        self.assertIn("do not separate", r["why"])

    def test_an_unusable_estimate_spoils_the_ranking(self):
        path = os.path.join(self.folder, "rare.csv")
        with open(path, "w", encoding="utf-8") as f:
            f.write("item_id,position,click,propensity_score\n")
            f.write("rare,1,1,0.0001\n" * 2 + "usual,1,0,0.9999\n" * 5000)
        r = self.ranking(path, "-t", "always:rare", "-t", "always:usual")
        self.assertEqual(r["verdict"], "unusable")
        self.assertIn("always:rare", r["why"])

    def test_mean_and_majority_disagree_in_words(self):
        # Arm 0 wins twice by a little, arm 1 once by much.
        logs = [self.write("a.csv", [0.5, 0.4]), self.write("b.csv", [0.5, 0.4], seed=2),
                self.write("c.csv", [0.1, 0.9], seed=3)]
        command = (*logs, "-t", "always:0", "-t", "always:1")
        r = self.ranking(*command)
        self.assertEqual((r["mean"], r["borda"]), (["always:1", "always:0"],
                                                   ["always:0", "always:1"]))
        self.assertEqual((r["kemeny"], r["distance"]), (r["borda"], 1))
        self.assertEqual([p["points"] for p in r["policies"]], [1, 2])
        words = r["disagreements"][0]
        self.assertEqual((words["ahead"], words["behind"], words["borda"], words["kemeny"]),
                         ("always:1", "always:0", True, True))
        self.assertIn(words["words"], run("compare", *command))
        self.assertIn("on 2 of 3", words["words"])

    def test_segments_are_all_of_the_log(self):
        log = self.write("a.csv", [0.3, 0.6], rounds=1001)
        whole = compare(log, "-t", "uniform", "-t", "always:1")["places"]
        parts = compare(log, "-t", "uniform", "-t", "always:1", "--segments", "3")["places"]
        self.assertEqual([p["log"]["segment"] for p in parts], [1, 2, 3])
        for key in ("rounds", "used", "reward_sum"):
            self.assertEqual(sum(p["log"][key] for p in parts), whole[0]["log"][key])
        self.assertEqual([p["log"]["rounds"] for p in parts], [333, 334, 334])

    def test_eleven_candidates_have_no_kemeny(self):
        log = self.write("a.csv", [i / 20 for i in range(11)])
        r = self.ranking(log, *(x for i in range(11) for x in ("-t", f"always:{i}")))
        self.assertIsNone(r["kemeny"])
        self.assertEqual(r["borda"], r["mean"])

    def test_out_has_the_document_and_plots_are_drawn(self):
        log = self.write("a.csv", [0.3, 0.6])
        command = (log, "-t", "uniform", "-t", "always:1", "-p", "ucb1")
        out, plots = os.path.join(self.folder, "o.json"), os.path.join(self.folder, "plots")
        text = run("compare", *command, "--out", out)
        self.assertIn("policy", text)
        with open(out, encoding="utf-8") as f:
            self.assertEqual(f.read(), run("compare", *command, "--json"))
        if not shutil.which("gnuplot"):
            self.assertIn("gnuplot", run("compare", *command, "--plot", plots, status=1))
            self.skipTest("gnuplot is not installed")
        run("compare", *command, "--plot", plots)
        run("replay", log, "-t", "uniform", "--plot", os.path.join(plots, "replay"))
        run("replay", log, "-p", "ucb1", "--plot", os.path.join(plots, "learning"))
        for folder, names in (("", ("estimates", "reward", "weights")),
                              ("replay", ("estimates", "reward", "weights")),
                              ("learning", ("estimates", "reward"))):
            for name in names:
                path = os.path.join(plots, folder, name + ".svg")
                drawn = xml.etree.ElementTree.parse(path).getroot()
                self.assertEqual(drawn.tag, "{http://www.w3.org/2000/svg}svg")
                self.assertGreater(len(list(drawn.iter("{http://www.w3.org/2000/svg}path"))), 4)

    # ---- the holdout ----

    def holdout(self, log, *more):
        return compare(log, "-t", "always:0", "-t", "always:1", "--holdout", "0.4", *more)

    def stored(self, log):
        with open(log + ".holdout", encoding="utf-8") as f:
            return json.load(f)

    def test_replay_leaves_the_holdout_alone(self):
        log = self.write("a.csv", [0.3, 0.6], rounds=5000)
        part = json.loads(run("replay", log, "-t", "uniform", "--holdout", "0.4", "--json"))
        whole = json.loads(run("replay", log, "-t", "uniform", "--json"))
        self.assertAlmostEqual(part["log"]["rounds"] / whole["log"]["rounds"], 0.6, 1)
        self.assertFalse(os.path.exists(log + ".holdout"))
        learnt = json.loads(run("replay", log, "-p", "uniform", "--holdout", "0.4", "--json"))
        self.assertEqual(learnt["log"]["used"], part["log"]["used"])

    def test_agreement_costs_nothing_and_is_remembered(self):
        log = self.write("a.csv", [0.3, 0.6])
        for k in (1, 2):
            got = self.holdout(log, "--budget", "7")["places"][0]
            self.assertEqual((got["holdout"]["questions"], got["holdout"]["kept"]), (2 * k, 0.4))
            self.assertEqual(got["holdout"]["left"], 7 - got["holdout"]["spent"])
            self.assertEqual(self.stored(log)["queries"], 2 * k)
            for r in got["results"]:
                self.assertLess(r["guarded"]["lo"], r["guarded"]["value"])
                if r["guarded"]["from"] == "training":
                    self.assertEqual(r["guarded"]["value"], r["value"])

    def test_reading_what_is_kept_back_is_told(self):
        log = self.write("a.csv", [0.3, 0.6], rounds=500)
        for command in (["replay", log, "-t", "uniform"], ["replay", log, "-p", "uniform"],
                        ["compare", log, "-t", "uniform", "-t", "always:0"]):
            self.assertEqual(self.stderr(*command), "")
        self.holdout(log)
        for command in (["replay", log, "-t", "uniform"], ["replay", log, "-p", "uniform"],
                        ["compare", log, "-t", "uniform", "-t", "always:0"]):
            self.assertIn("kept back, too", self.stderr(*command))
            self.assertEqual(self.stderr(*command, "--holdout", "0.4"), "")

    def stderr(self, *command):
        return subprocess.run([BANDIT, *command], stdout=subprocess.DEVNULL, text=True,
                              stderr=subprocess.PIPE, timeout=60, check=True).stderr

    def kept(self, n):
        """Which of n rounds --holdout 0.4 keeps back: those whose click replay does not see."""
        path, kept = os.path.join(self.folder, "probe.csv"), []
        for click in range(n):
            with open(path, "w", encoding="utf-8") as f:
                f.write("item_id,position,click,propensity_score\n")
                f.writelines(f"x,1,{int(i == click)},1\n" for i in range(n))
            seen = json.loads(run("replay", path, "-t", "uniform", "--holdout", "0.4", "--json"))
            kept.append(seen["log"]["reward_sum"] == 0)
        return kept

    def test_what_fits_the_training_part_alone_costs_until_nothing_is_left(self):
        rounds = 120
        kept = self.kept(rounds)
        self.assertTrue(rounds / 4 < sum(kept) < rounds / 2)
        log = os.path.join(self.folder, "fit.csv")
        # Arm 0 pays in the training part alone.
        with open(log, "w", encoding="utf-8") as f:
            f.write("item_id,position,click,propensity_score\n")
            f.writelines(f"{i % 2},1,{int(i % 2 == 0 and not kept[i] or i % 3 == 0)},0.5\n"
                         for i in range(rounds))
        spent, last = 0, None
        for _ in range(20):
            last = self.holdout(log, "--budget", "3")
            left = last["places"][0]["holdout"]
            self.assertGreaterEqual(left["spent"], spent)
            spent = left["spent"]
            first = last["places"][0]["results"][0]
            if left["left"]:
                self.assertEqual(first["guarded"]["from"], "holdout")
                self.assertLess(first["guarded"]["value"], first["value"] - 0.3)
            self.assertEqual(self.stored(log)["spent"], spent)
            if last["places"][0]["results"][0]["guarded"]["from"] == "spent":
                break
        self.assertEqual(spent, 3)
        self.assertEqual([r["guarded"]["from"] for r in last["places"][0]["results"]],
                         ["spent"] * 2)
        self.assertEqual(first["guarded"]["value"], first["value"])
        self.assertNotEqual(last["ranking"]["verdict"], "reliable")
        text = run("compare", log, "-t", "always:0", "-t", "always:1", "--holdout", "0.4")
        self.assertIn("0 of 3 of the budget left", text)
        self.assertIn("the budget is spent: the holdout is not asked any more", text)

    def test_a_file_that_does_not_belong_is_refused_and_left(self):
        log = self.write("a.csv", [0.3, 0.6])
        self.holdout(log)
        sound = self.stored(log)

        def refused(text, *words, budget=()):
            with open(log + ".holdout", "w", encoding="utf-8") as f:
                f.write(text)
            told = run("compare", log, "-t", "always:0", "-t", "always:1", "--holdout", "0.4",
                       *budget, status=1)
            for word in words:
                self.assertIn(word, told)
            with open(log + ".holdout", encoding="utf-8") as f:
                self.assertEqual(f.read(), text)

        refused("", "no sound file")
        refused("{", "no sound file")
        refused(json.dumps(sound)[:-9], "no sound file")
        refused(json.dumps(dict(sound, more=1)), "more")
        refused(json.dumps({k: v for k, v in sound.items() if k != "key"}), "key")
        refused(json.dumps(dict(sound, v=2)), "v is not 1")
        refused(json.dumps(dict(sound, spent=11)), "budget, spent and queries")
        refused(json.dumps(dict(sound, spent=-1)), "budget, spent and queries")
        refused(json.dumps(dict(sound, kept=1.5)), "kept")
        refused(json.dumps(dict(sound, shift=1e9)), "shift")
        refused(json.dumps(dict(sound, key="xyz")), "key")
        refused(json.dumps(dict(sound, log=dict(sound["log"], bytes=1))), "another log")
        refused(json.dumps(dict(sound, log=dict(sound["log"], head="00"))), "another log")
        refused(json.dumps(dict(sound, kept=0.5)), "--holdout cannot be 0.4")
        refused(json.dumps(sound), "--budget cannot be 9", budget=("--budget", "9"))
        refused(" " * 5000, "too long")
        with open(log + ".holdout", "w", encoding="utf-8") as f:
            json.dump(sound, f)
        with open(log, "a", encoding="utf-8") as f:
            f.write("0,1,1,0.5\n")
        self.assertIn("before it changed", run("compare", log, "-t", "always:0", "-t", "always:1",
                                               "--holdout", "0.4", status=1))

    def test_two_runs_do_not_spend_at_once(self):
        log = self.write("a.csv", [0.3, 0.6])
        with open(log, "rb") as f:
            fcntl.flock(f, fcntl.LOCK_EX)
            told = run("compare", log, "-t", "always:0", "-t", "always:1", "--holdout", "0.4",
                       status=1)
        self.assertIn("another run", told)
        self.holdout(log)

    def test_mistakes_are_told(self):
        log = self.write("a.csv", [0.3, 0.6], rounds=100)
        two = ("-t", "uniform", "-t", "always:0")
        for wrong, word in ((two, "LOG"), ((log, "-t", "uniform"), "two"),
                            ((log, *two, "-t", "uniform"), "twice"), ((log, log, *two), "twice"),
                            ((log, *two, "--segments", "0"), "segments"),
                            ((log, *two, "--segments", "2", "--holdout", "0.5"), "segments"),
                            ((log, *two, "--holdout", "1"), "holdout"),
                            ((log, *two, "--budget", "3"), "holdout"),
                            ((log, *two, "--budget", "1001", "--holdout", "0.5"), "budget"),
                            ((log, *two, "--estimator", "ips,dr"), "one --estimator"),
                            ((log, *two, "-p", "nobody"), "policy"),
                            ((log, *two, "-t", "never"), "target"), (("-", *two), "file"),
                            ((log, *two, "--bogus"), "bogus")):
            self.assertIn(word, run("compare", *wrong, status=2), wrong)
        for wrong, word in (((log, *two, "-t", "always:7"), "7"), (("/nowhere", *two), "nowhere"),
                            ((log, *two, "--segments", "100", "--out", "/nowhere/o"), "nowhere"),
                            ((self.folder, *two, "--holdout", "0.5"), "state"),
                            ((log, *two, "--plot", "/nowhere/plots"), "nowhere")):
            self.assertIn(word, run("compare", *wrong, status=1), wrong)
        short = self.write("b.csv", [0.5], rounds=3)
        self.assertIn("too few", run("compare", short, *two, "--segments", "4", status=1))

    def test_refused_lines_are_named_once(self):
        log = self.write("a.csv", [0.3, 0.6], rounds=300)
        with open(log, "a", encoding="utf-8") as f:
            f.write("0,1,1,2\n")
        told = run("compare", log, "-t", "uniform", "-t", "always:0", "-p", "ucb1", "--segments",
                   "2", "--strict", status=1)
        self.assertEqual(told.count("a.csv:302"), 1)

    @unittest.skipUnless(os.path.exists(os.path.join(DATA, "random/men/men.csv")),
                         "BANDITD_DATA has no obd/random/men/men.csv")
    def test_published_logs_rank_their_own_policies(self):
        log = os.path.join(DATA, "random/men/men.csv")
        table = "@" + os.path.join(DATA, "eval_policy_bts_men.csv")
        with open(os.path.join(DATA, "expected_men.json"), encoding="utf-8") as f:
            want = json.load(f)["random/men"]["estimates"]["snipw"]["value"]
        got = compare(log, "-t", table, "-t", "uniform")
        self.assertAlmostEqual(got["places"][0]["results"][0]["value"], want, delta=1e-9)
        self.assertEqual(got["ranking"]["verdict"], "weak")
        self.assertIn("do not separate", got["ranking"]["why"])


if __name__ == "__main__":
    unittest.main()
