#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What goes wrong around the daemon: damaged files, two daemons on one state, options that do not
exist, a log that nobody reads."""

import fcntl
import os
import re
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
import unittest

from client import BUILD, Client, Daemon, NotStarted

EXIT_USAGE, EXIT_STATE = 2, 3
UNIFORM = {"policy": "uniform", "arms": ["a", "b"]}
PATH = "/v1/experiments/f"


class FaultTest(unittest.TestCase):
    def setUp(self):
        self.state = tempfile.mkdtemp(prefix="banditd-faults-")
        self.addCleanup(shutil.rmtree, self.state)

    def fill(self, *options, decisions=20, kill=False):
        """A state with some events; its daemon has gone again."""
        with Daemon(self.state, *options) as d:
            c = d.client()
            self.assertEqual(c.put(PATH, UNIFORM).status, 201)
            for i in range(decisions):
                self.assertEqual(c.post(PATH + "/decisions", {"id": f"d{i}"}).status, 201)
            c.close()
            if kill:
                d.kill()
            else:
                self.assertEqual(d.stop(), 0)

    def flip(self, table, where):
        """Flips a bit in the middle of a stored body."""
        db = sqlite3.connect(os.path.join(self.state, "state.db"))
        body = bytearray(db.execute(f"SELECT body FROM {table} WHERE {where}").fetchone()[0])
        body[len(body) // 2] ^= 0x10
        self.assertEqual(db.execute(f"UPDATE {table} SET body = ? WHERE {where}",
                                    (bytes(body),)).rowcount, 1)
        db.commit()
        db.close()

    def refused(self, *options):
        with self.assertRaises(NotStarted) as caught:
            Daemon(self.state, *options).__exit__()
        return caught.exception


class Damage(FaultTest):
    def test_a_damaged_event_stops_the_start(self):
        self.fill(kill=True)
        self.flip("event", "experiment = 1 AND seq = 7")
        why = self.refused()
        self.assertEqual(why.code, EXIT_STATE, why.log)
        self.assertRegex(why.log, r"where=f detail=\"experiment 1, event 7: ")
        self.assertRegex(why.log, r"help=\".*bandit salvage")
        self.assertNotIn("msg=listening", why.log)

    def test_a_damaged_list_of_experiments_stops_the_start(self):
        self.fill()
        self.flip("event", "experiment = 0 AND seq = 1")
        why = self.refused()
        self.assertEqual(why.code, EXIT_STATE, why.log)

    def test_a_missing_event_stops_the_start(self):
        self.fill(kill=True)
        for where in ("experiment = 1 AND seq > 15", "experiment = 1 AND seq = 7"):
            with self.subTest(where=where):
                db = sqlite3.connect(os.path.join(self.state, "state.db"))
                db.execute("DELETE FROM event WHERE " + where)
                db.commit()
                db.close()
                why = self.refused()
                self.assertEqual(why.code, EXIT_STATE, why.log)

    def test_a_damaged_snapshot_is_ignored_with_one_line(self):
        self.fill()
        self.flip("snapshot", "experiment = 1 AND seq = 21")
        with Daemon(self.state) as d:
            c = d.client()
            self.assertEqual(c.get(PATH + "/stats").body["decisions"], 20)
            self.assertEqual(c.post(PATH + "/decisions", {"id": "d3"}).status, 200)
            c.close()
            self.assertEqual(d.stop(), 0)
            warnings = [x for x in d.log().splitlines() if re.match(r"<[0-4]>", x)]
        self.assertEqual(len(warnings), 1, warnings)
        self.assertIn('msg="snapshot ignored" experiment=f seq=21', warnings[0])

    def test_a_file_that_is_no_database(self):
        with open(os.path.join(self.state, "state.db"), "wb") as f:
            f.write(b"not a database, not even nearly" * 200)
        self.assertEqual(self.refused().code, EXIT_STATE)


class Salvage(FaultTest):
    """Of a damaged state what can be read becomes a sound one."""

    def setUp(self):
        super().setUp()
        self.new = os.path.join(tempfile.mkdtemp(prefix="banditd-salvage-"), "new")
        self.addCleanup(shutil.rmtree, os.path.dirname(self.new))
        with Daemon(self.state) as d:
            c = d.client()
            for name in "pqr":
                path = f"/v1/experiments/{name}"
                self.assertEqual(c.put(path, {"policy": "exp3", "arms": ["a", "b"]}).status, 201)
                for i in range(10):
                    c.post(path + "/decisions", {"id": f"d{i}"})
                    c.post(path + "/rewards", {"decision": f"d{i}", "reward": i % 2})
            c.delete("/v1/experiments/q?purge=true")
            self.wait_erased(2)
            c.close()
            d.kill()
        self.before = self.export(self.state)

    def wait_erased(self, experiment):
        db = sqlite3.connect(os.path.join(self.state, "state.db"))
        while db.execute("SELECT count(*) FROM event WHERE experiment = ?",
                         (experiment,)).fetchone()[0]:
            time.sleep(0.01)
        db.close()

    def bandit(self, *args, code=0):
        done = subprocess.run([os.path.join(BUILD, "bandit"), *args], capture_output=True,
                              text=True, timeout=60)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def export(self, state):
        lines = {}
        for line in self.bandit("export", state).stdout.splitlines():
            lines.setdefault(re.search(r'"experiment":"(\w+)"', line)[1], []).append(line)
        return lines

    def salvaged(self, code, **kept):
        said = self.bandit("salvage", self.state, "--to", self.new, code=code).stdout
        self.assertIn(": sound: ", self.bandit("verify", self.new).stdout)
        after = self.export(self.new)
        self.assertEqual({name: len(lines) for name, lines in after.items()}, kept)
        for name, lines in after.items():
            self.assertEqual(lines, self.before[name][:len(lines)])
        with Daemon(self.new) as d:
            c = d.client()
            self.assertEqual(
                c.post("/v1/experiments/p/decisions", {"id": "d1"}).status, 200)
            c.close()
            self.assertEqual(d.stop(), 0)
        return said

    def test_a_sound_state_is_kept_whole(self):
        said = self.salvaged(0, p=21, r=21)
        self.assertIn("kept 42 events, lost 0", said)

    def test_an_experiment_is_kept_up_to_its_damage(self):
        self.flip("event", "experiment = 3 AND seq = 12")
        said = self.salvaged(1, p=21, r=11)
        self.assertIn("r: kept 11 of 21 events: experiment 3, event 12: the checksum is wrong",
                      said)

    def test_the_list_of_experiments_is_not_needed(self):
        self.flip("event", "experiment = 0 AND seq = 1")
        self.salvaged(0, p=21, r=21)

    def test_nor_is_the_row_that_counts(self):
        db = sqlite3.connect(os.path.join(self.state, "state.db"))
        db.execute("DELETE FROM info")
        db.commit()
        db.close()
        self.refused()
        self.bandit("salvage", self.state, "--to", self.new)
        self.assertEqual(self.export(self.new), self.before)

    def test_a_first_event_that_is_gone_takes_its_experiment_along(self):
        self.flip("event", "experiment = 3 AND seq = 1")
        said = self.salvaged(1, p=21)
        self.assertIn("r: kept 0 of 21 events", said)

    def test_pages_that_are_torn(self):
        """Whatever is overwritten, what comes out is sound and was there before."""
        path = os.path.join(self.state, "state.db")
        db = sqlite3.connect(path)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
        with open(path, "rb") as f:
            sound = f.read()
        for page in range(1, len(sound) // 4096):
            with open(path, "wb") as f:
                f.write(sound[:page * 4096] + b"\xa5" * 4096 + sound[(page + 1) * 4096:])
            with self.subTest(page=page):
                new = f"{self.new}{page}"
                done = subprocess.run(
                    [os.path.join(BUILD, "bandit"), "salvage", self.state, "--to", new],
                    capture_output=True, text=True, timeout=60)
                self.assertIn(done.returncode, (0, 1), done.stderr)
                if os.path.exists(os.path.join(new, "state.db")):
                    self.bandit("verify", new)
                    for name, lines in self.export(new).items():
                        self.assertEqual(lines, self.before[name][:len(lines)])

    def test_what_it_refuses(self):
        self.bandit("salvage", self.state, code=2)
        self.assertIn("there is a state already",
                      self.bandit("salvage", self.state, "--to", self.state, code=1).stderr)
        self.assertIn("/nowhere",
                      self.bandit("salvage", "/nowhere", "--to", self.new, code=1).stderr)
        self.assertFalse(os.path.exists(self.new))


class Neighbours(FaultTest):
    def test_a_second_daemon_is_refused(self):
        with Daemon(self.state) as first:
            why = self.refused()
            self.assertEqual(why.code, 1, why.log)
            self.assertIn("in use by another process", why.log)
            self.assertIn(str(first.process.pid), why.log)
            c = first.client()
            self.assertEqual(c.put(PATH, UNIFORM).status, 201)
            c.close()
            first.kill()
        with Daemon(self.state) as d:  # a kill leaves no lock behind
            self.assertEqual(d.stop(), 0)

    def test_an_address_in_use(self):
        with Daemon(self.state) as first, tempfile.TemporaryDirectory() as other:
            r = subprocess.run([os.path.join(BUILD, "banditd"), "--listen", first.address,
                                "--state", other], stderr=subprocess.PIPE, text=True, timeout=30)
            self.assertEqual(r.returncode, 1, r.stderr)
            self.assertIn("in use", r.stderr)


class Options(unittest.TestCase):
    def run_daemon(self, *options, **environment):
        return subprocess.run([os.path.join(BUILD, "banditd"), *options], text=True, timeout=30,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env={**os.environ, **environment})

    def test_what_is_refused_as_usage(self):
        for options in (["--nope"], ["--listen"], ["extra"], ["--connections", "x"],
                        ["--connections", "0"], ["--durability", "sometimes"],
                        ["--durability", "interval:0"], ["--log-level", "loud"],
                        ["--listen", "0.0.0.0:1"], ["--config", "/nonexistent/file"]):
            with self.subTest(options=options):
                r = self.run_daemon(*options)
                self.assertEqual(r.returncode, EXIT_USAGE, r.stderr)
                self.assertNotEqual(r.stderr, "")
        self.assertEqual(self.run_daemon(BANDITD_CONNECTIONS="x").returncode, EXIT_USAGE)

    def test_a_file_is_read_strictly(self):
        for text, good in (("connections = 5\n", True), ("connections = 5\nnope = 1\n", False),
                           ("connections = 5\nconnections = 6\n", False),
                           ("[a]\nconnections = 5\n", False), ("connections\n", False)):
            with self.subTest(text=text), tempfile.NamedTemporaryFile("w") as f:
                f.write(text)
                f.flush()
                r = self.run_daemon("--config", f.name, "--check-config")
                self.assertEqual(r.returncode, 0 if good else EXIT_USAGE, r.stderr)
                if not good:
                    self.assertRegex(r.stderr, re.escape(f.name) + r":\d+: ")

    def test_each_setting_tells_where_it_is_from(self):
        with tempfile.TemporaryDirectory() as place:
            conf = os.path.join(place, "banditd.conf")
            os.mkdir(conf + ".d")
            files = {conf: "connections = 5\nqueue = 20MiB\nidle_timeout = 2min\n",
                     conf + ".d/20.conf": "queue = 40MiB\n",
                     conf + ".d/10.conf": "# first\nqueue = 30MiB\nexperiments = 9\n",
                     conf + ".d/ignored": "nonsense\n"}
            for path, text in files.items():
                with open(path, "w", encoding="utf-8") as f:
                    f.write(text)
            r = self.run_daemon("--config", conf, "--print-config", "--experiments", "8",
                                "--state", "here", BANDITD_CONNECTIONS="6")
            self.assertEqual(r.returncode, 0, r.stderr)
            lines = r.stdout.splitlines()
            for line in (f"queue = 40MiB ; {conf}.d/20.conf:1", "experiments = 8 ; --experiments",
                         "connections = 6 ; BANDITD_CONNECTIONS",
                         f"idle_timeout = 2min ; {conf}:3", "request_timeout = 10s ; default",
                         f"state = {os.getcwd()}/here ; --state"):
                self.assertIn(line, lines)
            # What was printed is a file again.
            with open(conf, "w", encoding="utf-8") as f:
                f.write(r.stdout)
            shutil.rmtree(conf + ".d")
            again = self.run_daemon("--config", conf, "--print-config")
            self.assertEqual([x.split(" ; ")[0] for x in again.stdout.splitlines()],
                             [x.split(" ; ")[0] for x in lines])

    def test_what_only_tells(self):
        for option in ("--help", "--version", "--print-config", "--check-config"):
            r = self.run_daemon(option)
            self.assertEqual((r.returncode, r.stderr), (0, ""))
        self.assertIn("connections = 7", self.run_daemon("--print-config", "--connections", "7",
                                                         BANDITD_CONNECTIONS="6").stdout)


class StuckLog(FaultTest):
    def lost(self, c):
        return int(re.search(r"(?m)^banditd_log_lines_lost_total (\d+)$",
                             c.get("/metrics").body).group(1))

    def test_nobody_waits_for_who_reads_the_log(self):
        ours, theirs = os.pipe()
        fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, 2 * os.sysconf("SC_PAGESIZE"))
        with subprocess.Popen([os.path.join(BUILD, "banditd"), "--listen", "127.0.0.1:0", "--state",
                               self.state, "--log-level", "debug"], stderr=theirs) as d:
            os.close(theirs)
            self.addCleanup(os.close, ours)
            self.addCleanup(d.kill)
            log = b""
            while b"msg=listening" not in log or not log.endswith(b"\n"):
                log += os.read(ours, 4096)
            c = Client(re.search(rb"address=(\S+)", log).group(1).decode(), timeout=10)
            until = time.monotonic() + 20
            while self.lost(c) == 0:  # at most 50 lines a second are written
                self.assertLess(time.monotonic(), until)
            self.assertEqual(c.put(PATH, UNIFORM).status, 201)
            self.assertEqual(c.post(PATH + "/decisions", {}).status, 201)
            while b"suppressed_lines=" not in log:
                log += os.read(ours, 65536)
                c.get("/healthz")
            d.terminate()
            self.assertEqual(d.wait(30), 0)
            c.close()


class Pauses(FaultTest):
    def test_a_stopped_process_goes_on_where_it_was(self):
        with Daemon(self.state) as d:
            c = d.client()
            self.assertEqual(c.put(PATH, UNIFORM).status, 201)
            d.process.send_signal(signal.SIGSTOP)
            answers = []

            def ask(i):
                one = Client(d.address, timeout=120)
                answers.append(one.post(PATH + "/decisions", {"id": f"w{i}"}).status)
                one.close()

            waiting = [threading.Thread(target=ask, args=(i,)) for i in range(8)]
            for t in waiting:
                t.start()
            time.sleep(float(os.environ.get("STOP_SECONDS", "2")))
            self.assertEqual(answers, [])
            d.process.send_signal(signal.SIGCONT)
            for t in waiting:
                t.join(30)
            self.assertEqual(answers, [201] * 8)
            self.assertEqual(c.get(PATH).body["seq"], 9)
            c.close()
            self.assertEqual(d.stop(), 0)

    def test_without_descriptors_others_wait_and_nothing_spins(self):
        with Daemon(self.state) as d:
            c = d.client()
            self.assertEqual(c.put(PATH, UNIFORM).status, 201)
            there = len(os.listdir(f"/proc/{d.process.pid}/fd"))
            resource.prlimit(d.process.pid, resource.RLIMIT_NOFILE, (there + 4, there + 4))
            host, port = d.address.rsplit(":", 1)
            others = [socket.create_connection((host, int(port))) for _ in range(40)]
            self.assertEqual(c.post(PATH + "/decisions", {"id": "d"}).status, 201)
            before = self.cpu_s(d)
            time.sleep(1)
            self.assertLess(self.cpu_s(d) - before, 0.5)
            for s in others:
                s.close()
            new = d.client()
            self.assertEqual(new.post(PATH + "/decisions", {"id": "e"}).status, 201)
            new.close()
            c.close()
            self.assertEqual(d.stop(), 0)

    @staticmethod
    def cpu_s(d):
        with open(f"/proc/{d.process.pid}/stat", encoding="ascii") as f:
            fields = f.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    unittest.main()
