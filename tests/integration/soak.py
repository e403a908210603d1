#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A daemon under load for SECONDS (1800): its memory may not grow. The first third is for caches to
fill; then the median of the last third may exceed that of the second by 2 % at most, descriptors
and threads by none. At the end the log is verified. RATE is how many decisions a second there are
at most; without it, as many as the daemon takes."""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from client import BUILD, Daemon

SECONDS = float(os.environ.get("SECONDS", "1800"))
RATE = float(os.environ.get("RATE", "inf"))
GROWTH = 0.02
CLIENTS = 2
BATCH = 50
LOOK_S = 1
OPTIONS = ("--decision-cache", "8388608", "--snapshot-events", "20000")
SPECS = {"one": {"policy": "thompson", "arms": ["a", "b", "c"]},
         "two": {"policy": "ucb1", "arms": ["a", "b"],
                 "reward": {"window": "PT2S", "default": 0}}}


def write(daemon, label, until, counts):
    client, n, start = daemon.client(), 0, time.monotonic()
    while time.monotonic() < until:
        for e in SPECS:
            ids = [f"{label}-{n + i}" for i in range(BATCH)]
            n += BATCH
            base = f"/v1/experiments/{e}/"
            answers = client.post(base + "decisions", [{"id": i} for i in ids]).body
            assert all(o["http"] == 201 for o in answers), answers
            # One in ten never gets its reward: where there is a window, it expires.
            sent = [{"decision": i, "reward": k % 3 / 2, "key": "k" + i}
                    for k, i in enumerate(ids) if k % 10 or e == "one"]
            answers = client.post(base + "rewards", sent).body
            assert all(o["http"] < 300 for o in answers), answers
            counts[label] = n
        time.sleep(max(0, start + n * CLIENTS / RATE - time.monotonic()))
    client.close()


def look(pid):
    with open(f"/proc/{pid}/status") as f:
        fields = dict(line.split(":", 1) for line in f)
    return (int(fields["VmRSS"].split()[0]), len(os.listdir(f"/proc/{pid}/fd")),
            int(fields["Threads"]))


def soak(state):
    with Daemon(state, *OPTIONS) as d:
        c = d.client()
        for e, spec in SPECS.items():
            assert c.put("/v1/experiments/" + e, spec).status == 201
        start, counts, seen = time.monotonic(), {}, []
        until = start + SECONDS
        writers = [threading.Thread(target=write, args=(d, f"c{i}", until, counts))
                   for i in range(CLIENTS)]
        for w in writers:
            w.start()
        while time.monotonic() < until and all(w.is_alive() for w in writers):
            seen.append(look(d.process.pid))
            time.sleep(LOOK_S)
        whole = time.monotonic() >= until
        for w in writers:
            w.join()
        c.close()
        assert whole, "a client ended before its time"
        assert d.stop() == 0
    return seen, sum(counts.values())


def main():
    state = tempfile.mkdtemp(prefix="banditd-soak-")
    try:
        seen, decisions = soak(state)
        third = len(seen) // 3
        middle, last = ([statistics.median(x[k] for x in part) for k in range(3)]
                        for part in (seen[third:2 * third], seen[2 * third:]))
        growth = last[0] / middle[0] - 1
        print(f"{SECONDS:.0f} s, {decisions} decisions: resident {middle[0] / 1024:.1f} MiB, then "
              f"{last[0] / 1024:.1f} MiB ({100 * growth:+.2f} %), descriptors {middle[1]:.0f}, "
              f"then {last[1]:.0f}, threads {middle[2]:.0f}, then {last[2]:.0f}")
        verified = subprocess.run([os.path.join(BUILD, "bandit"), "verify", "--no-draws", state])
        sound = verified.returncode == 0
    finally:
        shutil.rmtree(state)
    return 0 if sound and growth <= GROWTH and last[1] <= middle[1] and last[2] <= middle[2] else 1


if __name__ == "__main__":
    sys.exit(main())
