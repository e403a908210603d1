#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bandit replay --target: on logs made here, and on published figures where they are at hand.

Needs build/bandit. BANDITD_DATA may name a folder with obd/expected_men.json and its logs."""

import json
import math
import os
import subprocess
import tempfile
import unittest

BANDIT = os.path.join(os.environ.get("BUILDDIR", "build"), "bandit")
# The names of the published figures, and ours.
NAMES = {"ipw": "ips", "ipw_clip5": "ips:clip=5", "snipw": "snips", "dm": "dm", "dr": "dr",
         "dr_clip5": "dr:clip=5", "sndr": "sndr", "switch-dr_1": "switch-dr:1",
         "switch-dr_5": "switch-dr:5", "dr-os_1": "dros:1", "dr-os_10": "dros:10",
         "dr-os_500": "dros:500", "sg-ipw_0.1": "sg-ips:0.1", "sg-dr_0.1": "sg-dr:0.1"}
# Published bounds so near to 0 that 3 % of them is within the chance of 10,000 resamples.
BOUNDS_OF_CHANCE = {("bts/men", "dr", "lo"), ("bts/men", "sndr", "lo")}
DATA = os.path.join(os.environ.get("BANDITD_DATA", ""), "obd")
CCB = os.path.join(os.environ.get("BANDITD_DATA", ""), "vw", "ccb_test.dat")


def replay(*arguments, status=0):
    done = subprocess.run([BANDIT, "replay", *arguments], capture_output=True, text=True,
                          timeout=300, check=False)
    if done.returncode != status:
        raise AssertionError(f"{arguments}: {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr if status else done.stdout


class Evaluation(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.log = os.path.join(folder.name, "log.csv")

    def write(self, rows):
        with open(self.log, "w", encoding="utf-8") as f:
            f.write("item_id,position,click,propensity_score\n")
            f.writelines(f"{a},{k},{r},{p}\n" for a, k, r, p in rows)

    def test_a_log_of_a_uniform_policy_is_reliable_for_itself(self):
        self.write([(i % 4, 1 + i % 3, int(i % 5 == 0), 0.25) for i in range(6000)])
        got = json.loads(replay(self.log, "--target", "uniform", "--json"))
        self.assertEqual((got["log"]["rounds"], got["log"]["reward_sum"]), (6000, 1200))
        self.assertEqual([r["estimator"] for r in got["results"]], ["ips", "snips", "dm", "dr"])
        for r in got["results"][:2]:
            self.assertAlmostEqual(r["value"], 0.2, 12)
            self.assertEqual((r["ess"], r["unsupported"], r["verdict"]), (6000, 0, "reliable"))
            self.assertLess(r["lo"], 0.2)
            self.assertGreater(r["hi"], 0.2)

    def test_bad_overlap_is_unusable(self):
        self.write([("rare", 1, 1, 0.0001)] * 2 + [("usual", 1, 0, 0.9999)] * 5000)
        for r in json.loads(replay(self.log, "--target", "always:rare", "--json"))["results"]:
            self.assertEqual(r["verdict"], "unusable")
            self.assertIn("2.0 rounds", r["why"])

    def test_the_same_seed_gives_the_same_bytes_with_any_number_of_threads(self):
        self.write([(i % 4, 1, int(i * i % 7 == 1), 0.25) for i in range(999)])
        command = (self.log, "-t", "always:2", "--estimator", "snips,sndr", "--bootstrap", "500",
                   "--json")
        one = replay(*command, "--threads", "1")
        self.assertEqual(one, replay(*command, "--threads", "3"))
        self.assertNotEqual(one, replay(*command, "--seed", "2"))

    def test_a_fixed_denominator_is_not_resampled(self):
        # What varies most is the sum of weights; the quotient is the same in each resample.
        self.write([("rare", 1, 1, 0.05)] * 50 + [("usual", 1, 0, 0.95)] * 950)

        def width(*more):
            r = json.loads(replay(self.log, "-t", "always:rare", "--estimator", "snips",
                                  "--bootstrap", "500", "--json", *more))["results"][0]
            self.assertEqual(r["value"], 1)
            return r["hi"] - r["lo"]

        self.assertLess(width(), 1e-9)
        self.assertEqual(width(), width("--bootstrap-denominator", "resampled"))
        self.assertGreater(width("--bootstrap-denominator", "fixed"), 0.3)

    def test_refused_lines_are_counted(self):
        self.write([(1, 1, 1, 0.5), (2, 1, 0, 0), (2, 1, 0, 0.5)])
        text = replay(self.log, "-t", "uniform", "--json", "--strict", status=1)
        self.assertIn('"refused":1', text)
        self.assertIn("log.csv:3: propensity", text)

    def test_the_first_rounds_are_those_of_a_shorter_log(self):
        rows = [(i % 4, 1 + i % 3, int(i * i % 7 == 1), 0.25) for i in range(999)]
        self.write(rows)
        command = (self.log, "-t", "always:2", "--estimator", "snips,dr", "--json")
        some = replay(*command, "--rounds", "300")
        self.assertNotEqual(some, replay(*command))
        self.write(rows[:300])
        self.assertEqual(some, replay(*command))

    def test_standard_input_is_a_log_too(self):
        self.write([(i % 4, 1, int(i % 7 == 1), 0.25) for i in range(99)])
        with open(self.log, encoding="utf-8") as f:
            piped = subprocess.run([BANDIT, "replay", "-", "-t", "uniform", "--json"], stdin=f,
                                   capture_output=True, text=True, check=True).stdout
        self.assertEqual(piped, replay(self.log, "-t", "uniform", "--json"))

    def test_one_round_is_not_enough_and_breaks_nothing(self):
        self.write([(1, 1, 1, 0.5)])
        for interval in ("normal", "bootstrap", "bernstein", "hoeffding", "student",
                         "clopper-pearson", "cressie-read", "sequence"):
            r = json.loads(replay(self.log, "-t", "uniform", "--estimator", "ips", "--interval",
                                  interval, "--json"))["results"][0]
            self.assertEqual((r["value"], r["verdict"]), (2, "unusable"))

    def test_mistakes_are_told(self):
        self.write([(1, 1, 1, 0.5)])
        for wrong in (["-t", "never"], ["-t", "uniform", "--estimator", "best"],
                      ["-t", "uniform", "--interval", "wide"],
                      ["-t", "uniform", "--estimator", "mle:wmax=1"],
                      ["-t", "uniform", "--estimator", "mle:slope"], ["-t", "uniform", "--alpha", "2"],
                      ["-t", "uniform", "--folds", "0"], ["-t", "uniform", "-t", "uniform"], [],
                      ["-t", "uniform", "-p", "ucb1"], ["-p", "ucb1", "--bootstrap", "9"],
                      ["-p", "ucb1", "--interval", "normal"],
                      ["-t", "uniform", "--bootstrap-denominator", "open"]):
            replay(self.log, *wrong, status=2)
        for wrong in (["-t", "always:7"], ["-t", "@/nowhere.csv"],
                      ["-t", "uniform", "--interval", "sequence"],
                      ["-t", "uniform", "--interval", "hoeffding", "--estimator", "snips"],
                      ["-t", "uniform", "--estimator", "mle:wmax=1.5"],
                      ["-t", "uniform", "--estimator", "mle", "--interval", "bootstrap"]):
            replay(self.log, *wrong, status=1)

    def test_a_log_without_propensities_is_for_balanced_weights_alone(self):
        rows = [(i % 4 if i % 3 else 0, 1 + i // 12 % 2, int(i * i % 7 == 1), 0.25)
                for i in range(3000)]
        self.write(rows)
        command = ("-t", "uniform", "--json", "--format", "obd")
        ours = ("--estimator", "balanced,sn-balanced")
        known = json.loads(replay(self.log, *command, *ours))["results"]
        with open(self.log, "w", encoding="utf-8") as f:
            f.write("item_id,position,click\n")
            f.writelines(f"{a},{k},{r}\n" for a, k, r, _ in rows)
        self.assertIn("no column", replay(self.log, *command, "--estimator", "ips", status=1))
        self.assertIn("needs propensities",
                      replay(self.log, *command, "--estimator", "balanced,ips", status=1))
        found = json.loads(replay(self.log, *command, *ours))["results"]
        self.assertEqual(known, found)
        # Without features the weights are quotients of counts, by arm and position.
        value = 0
        for k in (1, 2):
            for arm in range(4):
                clicks = [r for a, at, r, _ in rows if (a, at) == (arm, k)]
                value += sum(clicks) / len(clicks) / 8
        for r in found:
            self.assertAlmostEqual(r["value"] / value, 1, 2)
            self.assertAlmostEqual(r["mean_weight"], 1, 2)
            self.assertEqual(r["verdict"], "weak")

    def slates(self, rows):
        """Slot 0 has three actions, slot 1 two. The same slates as text and as dsjson: two logs."""
        text, lines = [], []
        for (a, p), (b, q), cost in rows:
            text += [f"slates shared {cost} | s", *["slates action 0 | a"] * 3,
                     *["slates action 1 | b"] * 2, f"slates slot {a}:{p} | x",
                     f"slates slot {b}:{q} | y", ""]
            lines.append(json.dumps({
                "_label_cost": cost, "_outcomes": [{"_a": a, "_p": p}, {"_a": [b], "_p": [q]}],
                "c": {"_multi": [{"_slot_id": k} for k in (0, 0, 0, 1, 1)], "_slots": [{}, {}]}}))
        for end, what in ((".dat", text), (".json", lines)):
            with open(self.log + end, "w", encoding="utf-8") as f:
                f.writelines(line + "\n" for line in what)
        return self.log + ".dat", self.log + ".json"

    def test_slates_are_weighed_by_slot(self):
        rows = [((0, 0.5), (1, 0.4), -1), ((2, 0.2), (0, 0.6), 0), ((1, 0.3), (1, 0.4), -0.5)]
        table = self.log + ".table"
        with open(table, "w", encoding="utf-8") as f:
            f.write("arm,position,probability\n1,0,0.6\n3,0,0.4\n1,1,0.1\n2,1,0.9\n")
        # 1 - 2 + the sum of what the target does over what the log did, times the reward.
        want = {"@" + table: ((0.6 / 0.5 + 0.9 / 0.4 - 1) + (0 + 0.9 / 0.4 - 1) * 0.5) / 3,
                "uniform": ((1 / 1.5 + 0.5 / 0.4 - 1) + (1 / 0.9 + 0.5 / 0.4 - 1) * 0.5) / 3,
                "always:2": ((0 + 1 / 0.4 - 1) + (1 / 0.3 + 1 / 0.4 - 1) * 0.5) / 3}
        for log in self.slates(rows):
            for target, value in want.items():
                got = json.loads(replay(log, "-t", target, "--estimator", "pseudo-inverse,ips",
                                        "--json"))
                self.assertEqual(got["log"]["used"], 3)
                self.assertAlmostEqual(got["results"][0]["value"], value, 12)
            self.assertIn("knows no slates", replay(log, "-t", "uniform", status=1))
            self.assertIn("not one row", replay(log, "-p", "ucb1", status=1))
            self.assertIn("slates of up to 2 slots",
                          replay(log, "-t", "uniform", "--estimator", "pseudo-inverse"))

    def test_a_log_of_single_arms_is_a_slate_of_one_slot(self):
        self.write([(i % 4, 1, int(i % 7 == 1), (0.1, 0.2, 0.3, 0.4)[i % 4]) for i in range(99)])
        plain, slate = json.loads(replay(self.log, "-t", "uniform", "--json", "--estimator",
                                         "ips,pseudo-inverse"))["results"]
        for key in ("value", "se", "lo", "hi", "ess", "max_weight", "verdict"):
            self.assertEqual(plain[key], slate[key])

    def test_slates_of_our_own_are_refused_in_words(self):
        with open(self.log, "w", encoding="utf-8") as f:
            for seq in (1, 2):
                f.write(json.dumps({
                    "v": 1, "experiment": "e", "seq": seq, "at": "2026-02-28T23:59:59.000007Z",
                    "kind": "decision", "decision": f"d{seq}",
                    "arms": [{"arm": "a", "propensity": 0.5}, {"arm": "b", "propensity": 0.5}],
                    "expires_at": None}, separators=(",", ":")) + "\n")
        text = replay(self.log, "-t", "uniform", "--estimator", "pseudo-inverse", status=1)
        self.assertIn("without replacement", text)

    @unittest.skipUnless(os.path.exists(os.path.join(DATA, "random", "men", "men.csv")),
                         "BANDITD_DATA has no obd/random/men/men.csv")
    def test_balanced_weights_find_what_propensities_say(self):
        table = "@" + os.path.join(DATA, "eval_policy_bts_men.csv")
        log = os.path.join(DATA, "random", "men", "men.csv")
        known, found = json.loads(replay(log, "-t", table, "--json", "--estimator",
                                         "snips,sn-balanced"))["results"]
        self.assertLess(abs(known["value"] - found["value"]), known["se"] / 2)

    @unittest.skipUnless(os.path.exists(CCB), "BANDITD_DATA has no vw/ccb_test.dat")
    def test_slots_that_share_their_actions_are_refused_in_words(self):
        text = replay(CCB, "-t", "uniform", "--estimator", "pseudo-inverse", status=1)
        self.assertIn("without replacement", text)

    @unittest.skipUnless(os.path.exists(os.path.join(DATA, "expected_men.json")),
                         "BANDITD_DATA has no obd/expected_men.json")
    def test_published_figures_come_out(self):
        with open(os.path.join(DATA, "expected_men.json"), encoding="utf-8") as f:
            published = json.load(f)
        table = "@" + os.path.join(DATA, "eval_policy_bts_men.csv")
        for which, target in (("random/men", table), ("bts/men", "uniform")):
            self.compare(which, target, published[which])
            self.compare_intervals(which, target, published[which]["vw_estimators"])
            self.compare_largest(which, target, published[which])
            self.compare_lower(which, target, published[which]["ipw_lower_bounds_delta05"])

    def compare(self, which, target, want):
        log = os.path.join(DATA, which, "men.csv")
        names = list(want["estimates"])
        # The published ones do not resample the denominators.
        got = json.loads(replay(log, "-t", target, "--folds", "1", "--bootstrap", "10000", "--json",
                                "--bootstrap-denominator", "fixed", "--estimator", ",".join(NAMES[n] for n in names)))["results"]
        for name, r in zip(names, got):
            e = want["estimates"][name]
            for key in ("ess", "max_weight", "mean_weight"):
                self.assertAlmostEqual(r[key] / want[key], 1, 12, (which, key))
            # One is published to seven decimals.
            self.assertAlmostEqual(r["value"], e["value"], delta=5.1e-8 if "note" in e else 1e-9)
            se = e.get("se_delta", e.get("se_clt"))
            if se:
                self.assertAlmostEqual(r["se"] / se, 1, 9, (which, name))
            for ours, theirs in (("lo", "boot_lo95"), ("hi", "boot_hi95")):
                if theirs in e:
                    self.compare_bound((which, name, ours), r[ours], e[theirs], r["se"])

    def compare_bound(self, which, got, want, se):
        # A quantile of B resamples has a standard deviation of sqrt(p (1 - p)/B) over the density
        # there, here that of a normal of this se; both sides have 10,000.
        density = math.exp(-1.959964 ** 2 / 2) / math.sqrt(2 * math.pi) / se
        chance = math.sqrt(0.025 * 0.975 * 2 / 10000) / density
        self.assertLess(abs(got - want), 4 * chance, which)
        # Where 3 % of a bound near 0 is less than that, only chance could keep it.
        self.assertEqual(0.03 * abs(want) < chance, which in BOUNDS_OF_CHANCE, which)
        if which not in BOUNDS_OF_CHANCE:
            self.assertLess(abs(got / want - 1), 0.03, which)

    def compare_largest(self, which, target, want):
        log, most = os.path.join(DATA, which, "men.csv"), want["max_weight"]
        power2, power0 = json.loads(replay(
            log, "-t", target, "--interval", "cressie-read", "--json", "--estimator",
            f"cressie-read:wmax={most!r},mle:wmax={most!r}"))["results"]
        published = want["vw_estimators"]
        self.assertAlmostEqual(power2["value"] / published["point"]["cressieread_wmax"], 1, 12)
        self.assertAlmostEqual(power0["value"] / published["point"]["mle_wmax"], 1, 12)
        for r in (power2, power0):
            for key, bound in zip(("lo", "hi"), published["interval95"]["cressieread_wmax"]):
                self.assertAlmostEqual(r[key] / bound, 1, 9, (which, key))

    def compare_lower(self, which, target, want):
        log = os.path.join(DATA, which, "men.csv")
        # 5 % below, as the published one; their other bounds take the largest w r seen for a limit.
        r, = json.loads(replay(log, "-t", target, "--estimator", "ips", "--interval", "student",
                               "--alpha", "0.1", "--json"))["results"]
        self.assertAlmostEqual(r["lo"] / want["student_t"], 1, 9)

    def compare_intervals(self, which, target, want):
        log = os.path.join(DATA, which, "men.csv")
        for ours, theirs in (("normal", "gaussian"), ("clopper-pearson", "clopper_pearson"),
                             ("cressie-read", "cressieread"), ("sequence", "cs")):
            r, point = json.loads(replay(log, "-t", target, "--estimator", "ips,cressie-read",
                                         "--interval", ours, "--json"))["results"]
            self.assertAlmostEqual(point["value"], want["point"]["cressieread"], delta=1e-9)
            for key, bound in zip(("lo", "hi"), want["interval95"][theirs]):
                self.assertAlmostEqual(r[key] / bound, 1, 6, (which, ours, key))


if __name__ == "__main__":
    unittest.main()
