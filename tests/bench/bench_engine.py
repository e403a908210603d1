# SPDX-License-Identifier: Apache-2.0
"""The engine without HTTP: folds, many arms, many experiments, open decisions."""

import json
import os
import subprocess
import tempfile

from bench import Row, case


def engine(bench, *cases):
    """The lines that engine_bench prints, by case; each runs in a folder they share."""
    got = {}
    program = os.path.join(bench.build, "engine_bench")
    with tempfile.TemporaryDirectory(prefix="bench-", dir=bench.state) as state:
        for c in cases:
            out = subprocess.run([program, c, state], check=True, capture_output=True, text=True)
            for line in out.stdout.splitlines():
                row = json.loads(line)
                got[row["case"]] = row
    return got


@case("fold of a log, UCB1, 10 arms")
def fold(bench):
    got = engine(bench, "fold")
    return [Row("fold in memory", got["fold memory"]["events_per_second"], "1/s", 1_000_000, 1),
            Row("fold from SQLite", got["fold sqlite"]["events_per_second"], "1/s", 300_000, 1)]


def policy(bench, spec, arms, rounds):
    return engine(bench, f"policy:{spec}:{arms}:{rounds}")[f"policy {spec}"]


@case("ucb1: select and update, a million arms against a thousand")
def ucb1(bench):
    small = policy(bench, "ucb1", 1000, 1_000_000)
    large = policy(bench, "ucb1", 1_000_000, 2_000_000)
    return [Row("ucb1, 10^6 arms", large["ns"], "ns", small["ns"], 6, True),
            Row("ucb1, 10^6 arms, worst round", large["worst_us"] / 1000, "ms", 2, 1, True)]


@case("exp3_flad: select and update, a million arms against a thousand and against a scan")
def exp3_flad(bench):
    small = policy(bench, "exp3_flad", 1000, 1_000_000)
    # Uniform, and so without a tree, for the first 13.8 million rounds.
    large = policy(bench, "exp3_flad", 1_000_000, 15_000_000)
    return [Row("exp3_flad, 10^6 arms", large["ns"], "ns", small["ns"], 6, True),
            Row("exp3_flad, 10^6 arms, of a scan", large["ns"], "ns", large["scan_ns"], 0.002, True),
            Row("exp3_flad, 10^6 arms, worst round", large["worst_us"] / 1000, "ms", 2, 1, True)]


@case("ns per select and update, 10 arms")
def few_arms(bench):
    names = ("uniform", "epsilon_greedy", "thompson", "ucb1", "ucb_tuned", "ucb_v", "kl_ucb",
             "moss", "ucb1_flad", "exp3_flad", "exp3", "exp3_ix")
    return [Row(f"{n}, 10 arms", policy(bench, n, 10, 50_000)["ns"], "ns") for n in names]


@case("100,000 idle experiments of 10 arms")
def idle(bench):
    got = engine(bench, "idle", "reopen")
    return [Row("idle experiment, resident", got["idle experiment, created"]["bytes"], "B", 2048, 1, True),
            Row("idle experiment, resident after restart", got["reopen experiments"]["bytes"], "B", 2048, 1,
                True),
            Row("open 100,000 experiments", got["reopen experiments"]["seconds"], "s", 5, 1, True)]


@case("5 million open decisions beyond the cache")
def open_decisions(bench):
    row = engine(bench, "open")["open decisions"]
    grown = row["growth_bytes_when_warm"] / 2**20
    return [Row("growth over the last 3 million", grown, "MiB", 4, 1, True,
                f"{row['per_second']:,.0f} decisions/s")]
