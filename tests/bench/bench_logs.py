# SPDX-License-Identifier: Apache-2.0
"""Recorded logs: how fast they are read and evaluated, and what memory that takes."""

import contextlib
import os
import re
import subprocess
import tempfile
import time

from bench import Row, case

ROUNDS = 1_000_000
LARGE = 2_200_000  # rounds of more than 1 GB


@contextlib.contextmanager
def made(bench, kind, rounds=ROUNDS):
    """A log of so many rounds; the same bytes each time."""
    with tempfile.NamedTemporaryFile(prefix="bench-", dir=bench.state) as f:
        subprocess.run([os.path.join(bench.build, "read_bench"), "--make", kind, str(rounds)],
                       check=True, stdout=f)
        yield f.name


def replay(bench, *arguments):
    """bandit replay: seconds, and the most memory that it held, in bytes."""
    start = time.monotonic()
    process = subprocess.Popen([os.path.join(bench.build, "bandit"), "replay", *arguments, "--json"],
                               stdout=subprocess.DEVNULL)
    most = 0
    # wait4() would count what this program held before the other one was loaded.
    while process.poll() is None:
        with contextlib.suppress(OSError), open(f"/proc/{process.pid}/status", encoding="ascii") as f:
            found = re.search(r"^VmHWM:\s+(\d+) kB", f.read(), re.M)
            most = max(most, int(found.group(1)) * 1024) if found else most
        time.sleep(0.005)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return time.monotonic() - start, most


def least_seconds(bench, *arguments):
    return min(replay(bench, *arguments)[0] for _ in range(bench.rounds))


def read(bench, log):
    """The best of some readings: the first one has the log come from the disk."""
    rows = [bench.lines("read_bench", "--json", log)[0] for _ in range(bench.rounds)]
    return max(rows, key=lambda row: row["mb_per_second"])


@case("our own JSON Lines: read, IPS and SNIPS, rejection, bootstrap")
def jsonl(bench):
    with made(bench, "jsonl") as log:
        megabytes = os.path.getsize(log) / 1e6
        reading = read(bench, log)
        fixed = least_seconds(bench, log, "--target", "uniform", "--estimator", "ips,snips")
        ucb1 = least_seconds(bench, log, "--policy", "ucb1")
        in_memory = bench.lines("read_bench", "--reject", "ucb1", log)[0]["rounds_per_second"]
        resampled, _ = replay(bench, log, "--target", "uniform", "--estimator", "ips",
                              "--bootstrap", "10000", "--threads", "2")
    return [Row("JSON Lines, read once", reading["mb_per_second"], "MB/s"),
            Row("JSON Lines, read once: rounds", reading["rounds_per_second"], "1/s"),
            # Whichever is met first.
            Row("IPS and SNIPS, of input", megabytes / fixed, "MB/s", 300, 1),
            Row("IPS and SNIPS, rounds", ROUNDS / fixed, "1/s"),
            Row("rejection of ucb1, rounds read before", in_memory, "1/s", 1_000_000, 1),
            Row("rejection of ucb1, the whole command", ROUNDS / ucb1, "1/s", 1_000_000, 1),
            Row("10,000 resamples of 10^6 rounds, 2 threads", resampled, "s", 30, 1, True)]


@case("Open Bandit Dataset CSV")
def obd(bench):
    with made(bench, "obd") as log:
        megabytes = os.path.getsize(log) / 1e6
        reading = read(bench, log)
        fixed = least_seconds(bench, log, "--target", "uniform", "--estimator", "ips,snips")
    return [Row("OBD CSV, read once", reading["mb_per_second"], "MB/s", 150, 1),
            Row("OBD CSV, IPS and SNIPS, of input", megabytes / fixed, "MB/s")]


@case("memory over a log of more than 1 GB")
def memory(bench):
    with made(bench, "jsonl", LARGE) as log:
        size = os.path.getsize(log)
        _, fixed = replay(bench, log, "--target", "uniform", "--estimator", "ips,snips,dr")
        _, learning = replay(bench, log, "--policy", "ucb1")
    note = f"of {size / 1e9:.2f} GB"
    return [Row("most memory, IPS, SNIPS and DR", fixed / 2**20, "MiB", 64, 1, True, note),
            Row("most memory, rejection of ucb1", learning / 2**20, "MiB", 64, 1, True, note)]
