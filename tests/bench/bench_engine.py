# SPDX-License-Identifier: Apache-2.0
"""The engine without HTTP: folds, many experiments, open decisions."""

import tempfile

from bench import Row, case


def engine(bench, *cases):
    """The lines that engine_bench prints, by case; each runs in a folder they share."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=bench.state) as state:
        lines = [line for c in cases for line in bench.lines("engine_bench", c, state)]
    return {line["case"]: line for line in lines}


@case("fold of a log, UCB1, 10 arms")
def fold(bench):
    got = engine(bench, "fold")
    return [Row("fold in memory", got["fold memory"]["events_per_second"], "1/s", 1_000_000, 1),
            Row("fold from SQLite", got["fold sqlite"]["events_per_second"], "1/s", 300_000, 1)]


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
