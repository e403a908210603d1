#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Loads one URL for some seconds and prints {"requests","rps","p50_ms","p99_ms","errors"}.

    http_load.py http://127.0.0.1:8080/v1/experiments/e/decisions --script decide
    http_load.py URL --rate 20000            an offered load: latency counts from when it was due

As fast as it goes with wrk (Debian: wrk), at a rate with build/pace."""

import argparse
import json
import os
import resource
import subprocess
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
DECISION = '{"subject":"u-17","context":{"hour":21}}'


class LoadError(Exception):
    pass


def children_cpu_s():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(command, seconds, **more):
    before = children_cpu_s()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30,
                              check=False, **more)
    except FileNotFoundError as missing:
        raise LoadError(f"{command[0]} is not there") from missing
    lines = [line for line in done.stdout.splitlines() if line.startswith('{"requests"')]
    if done.returncode or not lines:
        raise LoadError(f"{command[0]}: {done.stderr or done.stdout}")
    result = json.loads(lines[-1])
    spent = children_cpu_s() - before
    return {**result, "client_cpu_us": spent / max(1, result["requests"]) * 1e6}


def full_speed(url, script="decide", connections=64, seconds=3.0, arguments=()):
    return run(["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s",
                "-s", os.path.join(HERE, script + ".lua"), url, "--", *arguments], seconds,
               env={**os.environ, "LUA_PATH": os.path.join(HERE, "?.lua;;")})


def at_rate(url, rate, connections=64, seconds=3.0, body=DECISION, build="build"):
    u = urllib.parse.urlsplit(url)
    return run([os.path.join(build, "pace"), u.hostname, str(u.port), u.path, body,
                str(rate), str(connections), str(seconds)], seconds)


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("url")
    p.add_argument("--script", default="decide", choices=["decide", "decide_batch", "reward"])
    p.add_argument("--argument", action="append", default=[], help="handed to the script")
    p.add_argument("--connections", type=int, default=64)
    p.add_argument("--seconds", type=float, default=3)
    p.add_argument("--rate", type=float, help="requests a second to offer")
    p.add_argument("--build", default=os.environ.get("BUILDDIR", "build"))
    a = p.parse_args()
    if a.rate:
        result = at_rate(a.url, a.rate, a.connections, a.seconds, build=a.build)
    else:
        result = full_speed(a.url, a.script, a.connections, a.seconds, a.argument)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
