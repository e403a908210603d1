# SPDX-License-Identifier: Apache-2.0
"""The log against bare SQLite: the same events, as many in a transaction."""

import json
import os
import subprocess
import tempfile

from bench import Row, case

EVENTS = 200_000


@case("events a second into the log against bare SQLite")
def store(bench):
    program = os.path.join(bench.build, "store_bench")
    with tempfile.TemporaryDirectory(prefix="bench-", dir=bench.state) as state:
        out = subprocess.run([program, state, str(EVENTS), "1000"], check=True, capture_output=True,
                             text=True).stdout
    got = {(row["case"], row["batch"]): row["per_second"] for row in map(json.loads, out.splitlines())}
    rows = []
    for (name, batch), rate in got.items():
        if name == "raw_insert":
            rows.append(Row(f"SQLite, {batch} a transaction", rate, "1/s"))
            rows.append(Row(f"log, {batch} a transaction", got["store_append", batch], "1/s", rate))
    best = max(rate for (name, _), rate in got.items() if name == "raw_insert")
    rows.append(Row("log, as fast as it goes", got["store_append", 0], "1/s", best))
    return rows
