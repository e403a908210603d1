#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The power goes under several clients: of what the daemon wrote and did not sync, each write is
kept, dropped or torn at random. The accounting is that of test_crash.py. The names of files are
taken as kept; tests/unit/test_store_faults.c drops those as well.

POWER_ROUNDS says how often (10); CRASH_SEED repeats a run's choices."""

import os
import struct
import subprocess
import unittest

import test_crash
from client import BUILD, Daemon, NotStarted

ROUNDS = int(os.environ.get("POWER_ROUNDS", "10"))
SHIM = os.path.join(BUILD, "tests", "integration", "power.so")
NOTE = struct.Struct("=IIQQQQ")
SECTOR = 512


def notes(path):
    with open(path, "rb") as f:
        while head := f.read(NOTE.size):
            kind, name_len, at, old_size, old_len, new_len = NOTE.unpack(head)
            name = f.read(name_len).decode()
            yield chr(kind), name, at, old_size, f.read(old_len), f.read(new_len)


def lose_power(path, random):
    """Makes of the files what the disk has of them; how many writes were open to chance."""
    unsynced = {}
    for kind, name, *rest in notes(path):
        if kind == "s":
            unsynced.pop(name, None)
        else:
            unsynced.setdefault(name, []).append((kind, *rest))
    for name, writes in unsynced.items():
        if os.path.exists(name):
            with open(name, "r+b") as f:
                take_back(f, writes)
                do_again(f, writes, random)
    return sum(map(len, unsynced.values()))


def take_back(f, writes):
    for _, at, old_size, old, _ in reversed(writes):
        f.seek(at)
        f.write(old)
        f.truncate(old_size)


def do_again(f, writes, random):
    for kind, at, _, _, new in writes:
        fate = random.choice(("kept", "dropped", "torn"))
        if kind == "t" and fate == "kept":
            f.truncate(at)
        elif kind == "w" and fate != "dropped":
            n = len(new) if fate == "kept" else random.randrange(0, len(new) + 1, SECTOR)
            f.seek(at)
            f.write(new[:n])


class Preloaded:
    LIES = False

    def setUp(self):
        linked = subprocess.run(["ldd", os.path.join(BUILD, "banditd")], stdout=subprocess.PIPE,
                                text=True).stdout
        if "libasan" in linked or "libtsan" in linked:
            self.skipTest("a sanitizer wants to be loaded first")
        super().setUp()
        self.log = self.state + ".power"
        self.addCleanup(lambda: os.path.exists(self.log) and os.unlink(self.log))
        self.at_stake = 0

    def start(self):
        if os.path.exists(self.log):  # of a daemon that stopped in good order
            os.unlink(self.log)
        more = {"LD_PRELOAD": SHIM, "POWER_LOG": self.log, **({"POWER_LIES": "1"} if self.LIES
                                                              else {})}
        os.environ.update(more)
        try:
            return Daemon(self.state, *test_crash.DAEMON)
        finally:
            for name in more:
                del os.environ[name]

    def end(self, d):
        d.kill()
        self.at_stake += lose_power(self.log, self.random)
        os.unlink(self.log)
        shm = os.path.join(self.state, "state.db-shm")
        if os.path.exists(shm):  # was never on the disk
            os.unlink(shm)


class Power(Preloaded, test_crash.Crash):
    ROUNDS = ROUNDS

    def test_kills(self):
        super().test_kills()
        print(f"{self.at_stake} writes were not synced when the power went")
        self.assertGreater(self.at_stake, 0)


class Liar(Preloaded, test_crash.Crash):
    """That this test can fail: a disk that only says it syncs does lose what was acknowledged."""
    ROUNDS = 3
    LIES = True

    def test_kills(self):
        with self.assertRaises((AssertionError, NotStarted)):
            for n in range(self.ROUNDS):
                self.round(n)


if __name__ == "__main__":
    unittest.main()
