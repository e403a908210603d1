# SPDX-License-Identifier: Apache-2.0
"""Arms offered to a stream in batches: how fast, and what it costs the daemon in memory."""

import os
import re
import socket
import time

import bench_http
from bench import Row, case

OFFERS = int(os.environ.get("STREAM_OFFERS", "10000000"))
WARM = 2_000_000  # offers after which caches of a fixed size are full
BATCH = 1000
CONNECTIONS = 4  # each waits for its answer, and one commit carries several


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.file = self.socket.makefile("rb")

    def send(self, method, path, body):
        self.socket.sendall(b"%s /v1/experiments/feed%s HTTP/1.1\r\nHost: h\r\nContent-Type: "
                            b"application/json\r\nContent-Length: %d\r\n\r\n%s"
                            % (method, path, len(body), body))

    def answer(self):
        status = int(self.file.readline().split()[1])
        length = 0
        while (line := self.file.readline()) != b"\r\n":
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        body = self.file.read(length)
        if status not in (200, 201):
            raise RuntimeError(f"{status}: {body[:200]!r}")


def offer(connections, first, last):
    """Items first .. last - 1, each connection a batch at a time."""
    waits = []
    for i, at in enumerate(range(first, last, BATCH)):
        c = connections[i % CONNECTIONS]
        if len(waits) == CONNECTIONS:
            waits.pop(0).answer()
        c.send(b"POST", b"/arms", ('[{"id":"item-' + '"},{"id":"item-'.join(
            "%09d" % k for k in range(at, min(at + BATCH, last))) + '"}]').encode())
        waits.append(c)
    for c in waits:
        c.answer()


@case(f"streaming: {OFFERS:,} arms offered during a test, in batches of {BATCH:,}")
def stream(bench):
    with bench_http.daemon(bench) as d:
        port, pid = int(d.address.rsplit(":", 1)[1]), d.process.pid
        connections = [Connection(port) for _ in range(CONNECTIONS)]
        connections[0].send(b"PUT", b"", b'{"policy":"streaming","arms":["first"]}')
        connections[0].answer()
        warm = min(WARM, OFFERS // 2)
        offer(connections, 0, warm)
        before, start = resident_kib(pid), time.monotonic()
        offer(connections, warm, OFFERS)
        seconds = time.monotonic() - start
        after = resident_kib(pid)
    return [Row("offers", (OFFERS - warm) / seconds, "1/s", 200_000, 1),
            Row("resident, moved by them", (after - before) / 1024, "MiB", 4, 1, True,
                note=f"{before / 1024:.0f} MiB before")]
