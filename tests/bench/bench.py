#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`make bench`: what the server reaches, against an echo that does the same without the engine,
measured by turns in one run, since a figure alone says more about the machine than about us.

A case is a function with @case in one of the modules below; it gets a Bench and returns rows.
Names are of cases or of parts: `make bench BENCH="policies fold"`."""

import argparse
import dataclasses
import importlib
import json
import os
import platform
import statistics
import subprocess
import sys
import time

PARTS = ["http", "policies", "engine", "store", "stream", "logs"]  # bench_PART.py each
CASES = []


@dataclasses.dataclass
class Row:
    name: str
    value: float
    unit: str
    against: float = None  # the same by what it is compared with
    goal: float = None     # what value / against should reach ...
    at_most: bool = False  # ... or not exceed
    note: str = ""

    @property
    def ratio(self):
        return self.value / self.against if self.against else None

    @property
    def verdict(self):
        if self.goal is None or self.ratio is None:
            return ""
        met = self.ratio <= self.goal if self.at_most else self.ratio >= self.goal
        return "met" if met else "MISSED"


@dataclasses.dataclass
class Bench:
    build: str
    server: str
    state: str
    seconds: float
    rounds: int

    def by_turns(self, *measures):
        """Medians of several measures, taken in turn so that a slow minute hits all alike."""
        got = [[] for _ in measures]
        for _ in range(self.rounds):
            for values, measure in zip(got, measures):
                values.append(measure())
        return [statistics.median(v) for v in got]

    def lines(self, program, *arguments):
        """What a program of the build prints, one JSON object a line."""
        done = subprocess.run([os.path.join(self.build, program), *arguments], check=True,
                              stdout=subprocess.PIPE, text=True)
        return [json.loads(line) for line in done.stdout.splitlines()]


def case(text):
    def add(function):
        part = function.__module__.partition("_")[2]
        CASES.append((part, function.__name__, text, function))
        return function
    return add


def show(rows):
    def number(v):
        return "" if v is None else f"{v:,.0f}" if v >= 100 else f"{v:.3g}"
    cells = [("case", "value", "unit", "against", "ratio", "goal", "")]
    for r in rows:
        sign = "<=" if r.at_most else ">="
        cells.append((r.name, number(r.value), r.unit, number(r.against),
                      f"{r.ratio:.3f}" if r.ratio else "", f"{sign} {r.goal}" if r.goal else "",
                      ", ".join(filter(None, (r.verdict, r.note)))))
    widths = [max(len(row[i]) for row in cells) for i in range(7)]
    for row in cells:
        print("  ".join(c.ljust(w) if i in (0, 2, 6) else c.rjust(w)
                        for i, (c, w) in enumerate(zip(row, widths))).rstrip())


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("names", nargs="*", help="cases, or " + ", ".join(PARTS) + "; all without")
    p.add_argument("--list", action="store_true")
    p.add_argument("--build", default=os.environ.get("BUILDDIR", "build"))
    p.add_argument("--server", help="the daemon (default: BUILD/banditd)")
    p.add_argument("--state", help="where state directories go (default: BUILD); a real disk")
    p.add_argument("--seconds", type=float, default=3)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--out", help="JSON file for the result")
    a = p.parse_args()
    sys.modules["bench"] = sys.modules[__name__]
    for part in PARTS:
        importlib.import_module("bench_" + part)
    if a.list:
        for part, name, text, _ in CASES:
            print(f"{part:9} {name:20} {text}")
        return 0
    unknown = set(a.names) - {name for part, case, _, _ in CASES for name in (part, case)}
    if unknown:
        p.error("no such case: " + " ".join(sorted(unknown)))
    bench = Bench(a.build, a.server or os.path.join(a.build, "banditd"), a.state or a.build,
                  a.seconds, a.rounds)
    rows = []
    for part, name, text, function in CASES:
        if not a.names or part in a.names or name in a.names:
            start = time.monotonic()
            rows += function(bench)
            print(f"# {text}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    show(rows)
    if a.out:
        with open(a.out, "w", encoding="utf-8") as f:
            json.dump({"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                       "machine": f"{platform.machine()}, {os.cpu_count()} cores, "
                                  f"Linux {platform.release()}",
                       "rows": [{**dataclasses.asdict(r), "ratio": r.ratio, "verdict": r.verdict}
                                for r in rows]}, f, indent=1)
    return 1 if any(r.verdict == "MISSED" for r in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
