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


def nanoseconds(bench, policy, arms, rounds):
    row = engine(bench, f"policy:{policy}:{arms}:{rounds}")[f"policy {policy}"]
    return row["ns"], row["worst_us"]


@case("ucb1: select and update, a million arms against a thousand")
def ucb1(bench):
    small, _ = nanoseconds(bench, "ucb1", 1000, 1_000_000)
    large, worst = nanoseconds(bench, "ucb1", 1_000_000, 2_000_000)
    return [Row("ucb1, 10^6 arms", large, "ns", small, 6, True),
            Row("ucb1, 10^6 arms, worst single round", worst / 1000, "ms", 2, 1, True)]


@case("exp3_flad: select and update, a million arms against a thousand and against the scan")
def exp3_flad(bench):
    small, _ = nanoseconds(bench, "exp3_flad", 1000, 1_000_000)
    large, worst = nanoseconds(bench, "exp3_flad", 1_000_000, 15_000_000)
    scan, _ = nanoseconds(bench, "exp3_flad:naive_below=10000000", 1_000_000, 100)
    return [Row("exp3_flad, 10^6 arms", large, "ns", small, 6, True),
            Row("exp3_flad, 10^6 arms, against the scan", large, "ns", scan, 1 / 500, True),
            Row("exp3_flad, 10^6 arms, worst single round", worst / 1000, "ms", 2, 1, True)]


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
    grown = row["growth_bytes_after_first_million"] / 2**20
    return [Row("growth over the last 4 million", grown, "MiB", 4, 1, True,
                f"{row['per_second']:,.0f} decisions/s")]
