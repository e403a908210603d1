# SPDX-License-Identifier: Apache-2.0
"""The HTTP cases: the daemon and the echo by turns, same load. Without a daemon the echo stands in
for it, which still shows that no number of connections stalls."""

import collections
import contextlib
import http.client
import itertools
import json
import os
import re
import subprocess
import tempfile
import threading
import time

import http_load
from bench import Row, case

EXPERIMENT = "/v1/experiments/bench"
UCB1 = {"policy": {"name": "ucb1"}, "arms": [f"a{i}" for i in range(10)]}
PREFIXES = (f"t{i}" for i in itertools.count(1))


class Server:
    def __init__(self, process, address):
        self.process, self.address = process, address
        host, port = address.rsplit(":", 1)
        self.http = http.client.HTTPConnection(host, int(port), timeout=30)

    def send(self, method, path, value):
        self.http.request(method, path, json.dumps(value), {"Content-Type": "application/json"})
        reply = self.http.getresponse()
        body = reply.read()
        if reply.status >= 300:
            raise http_load.LoadError(f"{method} {path}: {reply.status} {body[:200]}")
        return json.loads(body)

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as f:
            fields = f.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def metric(self, name):
        self.http.request("GET", "/metrics")
        text = self.http.getresponse().read().decode()
        return float(re.search(rf"^{name} (\S+)$", text, re.M).group(1))

    def url(self, what):
        return f"http://{self.address}{EXPERIMENT}/{what}"

    def decide(self, n):
        """n decisions PREFIX-000001 ...; returns the prefix."""
        prefix = next(PREFIXES)
        ids = [f"{prefix}-{i:06d}" for i in range(1, n + 1)]
        for at in range(0, n, 1000):
            self.send("POST", EXPERIMENT + "/decisions", [{"id": i} for i in ids[at:at + 1000]])
        return prefix


@contextlib.contextmanager
def started(command, pipe, pattern, experiment=None):
    process = subprocess.Popen(command, text=True, **{pipe: subprocess.PIPE})
    try:
        for line in getattr(process, pipe):
            found = re.search(pattern, line)
            if found:
                # Later lines are read and dropped, or the pipe would fill and stop the daemon.
                threading.Thread(target=lambda: collections.deque(getattr(process, pipe), 0),
                                 daemon=True).start()
                server = Server(process, found.group(1))
                if experiment:
                    server.send("PUT", EXPERIMENT, experiment)
                yield server
                return
        raise http_load.LoadError(f"{command[0]} did not start")
    finally:
        process.terminate()
        process.wait(30)


def echo(bench):
    return started([os.path.join(bench.build, "echo")], "stdout", r"^(\S+:\d+)$")


@contextlib.contextmanager
def daemon(bench, experiment=UCB1):
    if not os.path.exists(bench.server):
        with echo(bench) as s:
            yield s
        return
    with tempfile.TemporaryDirectory(prefix="bench-", dir=bench.state) as state:
        with started([bench.server, "--listen", "127.0.0.1:0", "--state", state], "stderr",
                     r"msg=listening address=(\S+)", experiment) as s:
            yield s


@contextlib.contextmanager
def both(bench, experiment=UCB1):
    with daemon(bench, experiment) as d, echo(bench) as e:
        yield d, e


def check(result):
    if result["errors"]:
        raise http_load.LoadError(f"{result['errors']} of {result['requests']} requests failed")
    return result


def load(bench, server, script="decide", connections=64, what="decisions", arguments=()):
    """As fast as it goes; with what a request took of the server's CPU time."""
    before = server.cpu_seconds()
    result = check(http_load.full_speed(server.url(what), script, connections, bench.seconds,
                                        arguments))
    return {**result, "cpu_us": (server.cpu_seconds() - before) / result["requests"] * 1e6}


def speed(*arguments, **more):
    return load(*arguments, **more)["rps"]


def rewards(bench, server, decisions):
    prefix = server.decide(decisions)
    return load(bench, server, "reward", what="rewards", arguments=[prefix])


def against_echo(bench, name, goal, ask_ours, ask_theirs):
    """The speeds of both by turns, and as a note the least processor time of a request."""
    results = ([], [])

    def kept(into, ask):
        into.append(ask())
        return into[-1]["rps"]

    ours, theirs = bench.by_turns(lambda: kept(results[0], ask_ours),
                                  lambda: kept(results[1], ask_theirs))
    cpu = [min(r[key] for r in results[i]) for i, key in
           ((0, "cpu_us"), (0, "client_cpu_us"), (1, "cpu_us"), (1, "client_cpu_us"))]
    return Row(name, ours, "1/s", theirs, goal, note="us of CPU a request: daemon {:.1f} and load "
               "{:.1f}, echo {:.1f} and load {:.1f}".format(*cpu))


@case("single decisions, 64 connections, against the echo")
def decisions(bench):
    with both(bench) as (d, e):
        return [against_echo(bench, "decisions, 64 connections", 0.7, lambda: load(bench, d),
                             lambda: load(bench, e))]


@case("single decisions, more connections against 64")
def connections(bench):
    counts = (64, 127, 128, 129, 256, 512)
    with daemon(bench) as d:
        got = bench.by_turns(*[lambda n=n: speed(bench, d, connections=n) for n in counts])
    return [Row(f"decisions, {n} connections", v, "1/s", got[0], 0.8)
            for n, v in zip(counts[1:], got[1:])]


@case("single rewards, 64 connections, against the echo")
def single_rewards(bench):
    with both(bench) as (d, e):
        enough = int(bench.seconds * 100_000)
        # The echo needs none: it answers for any decision.
        return [against_echo(bench, "rewards, 64 connections", 0.7,
                             lambda: rewards(bench, d, enough), lambda: rewards(bench, e, 0))]


@case("decisions in batches of 100 against single ones")
def batches(bench):
    with daemon(bench) as d:
        many, single = bench.by_turns(
            lambda: 100 * speed(bench, d, "decide_batch", connections=16),
            lambda: speed(bench, d))
    return [Row("decisions in batches of 100", many, "1/s", single, 5)]


@case("p99 at half of what the echo can do")
def offered(bench):
    def p99(server, rate):
        result = check(http_load.at_rate(server.url("decisions"), rate, 64, bench.seconds,
                                         build=bench.build))
        reached.append(result["rps"] / rate)  # latency counts from when a request was due
        return result["p99_ms"]

    reached = []
    with both(bench) as (d, e):
        half = int(speed(bench, e) / 2)
        ours, theirs = bench.by_turns(lambda: p99(d, half), lambda: p99(e, half))
    return [Row(f"p99 at {half:,}/s", ours, "ms", theirs, 3, True,
                f"{min(reached):.0%} of the rate reached")]


@case("what a decision and its reward take in memory and on disk, and how long a start takes after kill -9")
def size(bench):
    rounds = 200_000
    with tempfile.TemporaryDirectory(prefix="bench-", dir=bench.state) as state:
        command = [bench.server, "--listen", "127.0.0.1:0", "--state", state]
        with started(command, "stderr", r"msg=listening address=(\S+)", UCB1) as d:
            prefix = d.decide(rounds)
            cached = d.metric("banditd_cache_bytes")
            for at in range(1, rounds, 1000):
                d.send("POST", EXPERIMENT + "/rewards",
                       [{"decision": f"{prefix}-{i:06d}", "reward": i % 2} for i in range(at, at + 1000)])
            d.process.kill()
            d.process.wait()
        began = time.monotonic()
        with started(command, "stderr", r"msg=listening address=(\S+)"):
            start_s = time.monotonic() - began
        taken = sum(os.path.getsize(os.path.join(state, f)) for f in os.listdir(state))
    return [Row("memory of a recent decision with an id", cached / rounds, "B"),
            Row("disk of a decision with an id and its reward", taken / rounds, "B"),
            Row(f"start after kill -9, {2 * rounds:,} events", start_s, "s")]
