#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The daemon as a service manager sees it: what it tells, the socket it is given, its units."""

import ctypes
import http.client
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from client import BUILD, SOURCE, Client

UNIFORM = {"policy": "uniform", "arms": ["a", "b"]}
PATH = "/v1/experiments/s"
WATCHDOG_US = 4_000_000  # the daemon looks four times in it
SILENCE_S = 3
WAIT_S = 60
PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT, WALL = 17, 0x4206, 0x4207, 0x40000000
# Becomes the daemon with a socket at descriptor 3, as systemd starts it.
PASS_SOCKETS = """import os, sys
fds = [int(fd) for fd in sys.argv[1].split(",")]
high = [os.dup2(fd, 100 + i) for i, fd in enumerate(fds)]
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i)
    os.close(fd)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)))
os.execv(sys.argv[2], sys.argv[2:])
"""


def has_systemd():
    linked = subprocess.run(["ldd", os.path.join(BUILD, "banditd")], stdout=subprocess.PIPE,
                            text=True, check=False).stdout
    return "libsystemd" in linked


def listener(address="127.0.0.1"):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, 0))
    s.listen(1024)
    return s


def address_of(s):
    return "%s:%d" % s.getsockname()


class Manager(unittest.TestCase):
    """Holds what systemd holds: the datagram socket and the listener."""

    def setUp(self):
        if not has_systemd():
            self.skipTest("banditd was built without libsystemd (Debian: libsystemd-dev)")
        self.place = tempfile.mkdtemp(prefix="banditd-systemd-")
        self.addCleanup(shutil.rmtree, self.place)
        self.state = os.path.join(self.place, "state")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.notify.close)
        self.notify.bind(os.path.join(self.place, "notify"))
        self.log = open(os.path.join(self.place, "log"), "w+b")
        self.addCleanup(self.log.close)

    def start(self, *options, sockets=(), watchdog=False, restore_signals=True,
              credentials=None):
        env = dict(os.environ, NOTIFY_SOCKET=self.notify.getsockname())
        if credentials:
            env["CREDENTIALS_DIRECTORY"] = credentials
        if watchdog:
            env["WATCHDOG_USEC"] = str(WATCHDOG_US)
        command = [os.path.join(BUILD, "banditd"), "--state", self.state, *options]
        if sockets:
            fds = ",".join(str(s.fileno()) for s in sockets)
            command = [sys.executable, "-c", PASS_SOCKETS, fds, *command]
        else:
            command += ["--listen", "127.0.0.1:0"]
        p = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=self.log,
                             stderr=self.log, restore_signals=restore_signals,
                             pass_fds=[s.fileno() for s in sockets])
        self.addCleanup(self.end, p)
        return p

    @staticmethod
    def end(p):
        if p.poll() is None:
            p.kill()
        p.wait()

    def said(self):
        return os.pread(self.log.fileno(), 1 << 20, 0).decode()

    def told(self, wanted, within=WAIT_S):
        """The datagrams up to the first that has this line, or None."""
        until, seen = time.monotonic() + within, []
        while time.monotonic() < until:
            self.notify.settimeout(max(until - time.monotonic(), 0.001))
            try:
                seen.append(dict(line.split("=", 1) for line in
                                 self.notify.recv(4096).decode().splitlines()))
            except socket.timeout:
                break
            key, value = wanted.split("=")
            if seen[-1].get(key) == value:
                return seen
        return None

    def ready(self):
        seen = self.told("READY=1")
        self.assertIsNotNone(seen, self.said())
        return seen, seen[-1]["STATUS"].rsplit(" ", 1)[1]

    def keep_alives_stop(self):
        time.sleep(WATCHDOG_US / 1e6 / 4)  # one may be on its way
        while self.told("WATCHDOG=1", 0.01):
            pass
        self.assertIsNone(self.told("WATCHDOG=1", SILENCE_S))


class Notify(Manager):
    def test_ready_means_that_requests_are_answered(self):
        p = self.start()
        _, address = self.ready()
        c = Client(address)
        self.assertEqual(c.get("/readyz").status, 200)
        c.close()
        p.send_signal(signal.SIGTERM)
        self.assertIsNotNone(self.told("STOPPING=1"))
        self.assertEqual(p.wait(WAIT_S), 0)

    def test_recovery_tells_its_progress_and_asks_for_time(self):
        p = self.start("--snapshot-events", "1000000")
        _, address = self.ready()
        c = Client(address)
        for name in ("s", "t", "u"):
            self.assertEqual(c.put("/v1/experiments/" + name, UNIFORM).status, 201)
            self.assertEqual(c.post(f"/v1/experiments/{name}/decisions", {}).status, 201)
        c.close()
        p.kill()
        p.wait()
        self.start()
        seen, _ = self.ready()
        progress = [s for s in seen if "EXTEND_TIMEOUT_USEC" in s]
        self.assertGreaterEqual(len(progress), 1)
        self.assertRegex(progress[0]["STATUS"], r"^Recovering: \d of 3 experiments, \d+ events$")
        self.assertGreater(int(progress[0]["EXTEND_TIMEOUT_USEC"]), 10_000_000)

    def test_a_start_that_is_refused_is_never_ready(self):
        with open(os.path.join(self.place, "conf"), "w", encoding="utf-8") as f:
            f.write("nonsense = 1\n")
        p = self.start("--config", os.path.join(self.place, "conf"))
        self.assertEqual(p.wait(WAIT_S), 2)
        self.assertIsNone(self.told("READY=1", 0.1))

    def test_open_requests_are_finished_after_sigterm(self):
        p = self.start()
        _, address = self.ready()
        c = Client(address)
        self.assertEqual(c.put(PATH, UNIFORM).status, 201)
        c.close()
        host, port = address.split(":")
        with socket.create_connection((host, int(port))) as s:
            body = b'{"id":"last"}'
            head = (f"POST {PATH}/decisions HTTP/1.1\r\nHost: {address}\r\nContent-Type: "
                    f"application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode()
            s.sendall(head + body[:4])
            probe = Client(address)  # answered later than the half above was read
            self.assertEqual(probe.get("/healthz").status, 200)
            p.send_signal(signal.SIGTERM)
            self.assertIsNotNone(self.told("STOPPING=1"))
            with self.assertRaises(OSError):
                Client(address).get("/healthz")
            s.sendall(body[4:])
            s.settimeout(WAIT_S)
            self.assertRegex(s.recv(4096), rb"^HTTP/1.1 201 ")
            probe.close()
        self.assertEqual(p.wait(WAIT_S), 0)


class Watchdog(Manager):
    def test_keep_alives_go_on_while_all_is_well_and_idle(self):
        self.start(watchdog=True)
        self.ready()
        for _ in range(3):
            self.assertIsNotNone(self.told("WATCHDOG=1"))

    def test_none_is_sent_when_nobody_asks(self):
        self.start()
        self.ready()
        self.assertIsNone(self.told("WATCHDOG=1", SILENCE_S))

    def test_a_long_interval_of_commits_is_not_a_hang(self):
        self.start("--durability", "interval:60000", watchdog=True)
        _, address = self.ready()
        c = Client(address)
        self.assertEqual(c.put(PATH, UNIFORM).status, 201)
        self.assertEqual(c.post(PATH + "/decisions", {}).status, 201)
        c.close()
        for _ in range(4):
            self.assertIsNotNone(self.told("WATCHDOG=1"))

    def test_they_stop_when_the_store_has_failed(self):
        # With SIGXFSZ ignored, as here, a write beyond the limit fails with EFBIG.
        p = self.start(watchdog=True, restore_signals=False)
        _, address = self.ready()
        c = Client(address)
        self.assertEqual(c.put(PATH, UNIFORM).status, 201)
        self.assertIsNotNone(self.told("WATCHDOG=1"))
        resource.prlimit(p.pid, resource.RLIMIT_FSIZE, (4096, 4096))
        self.assertEqual(c.post(PATH + "/decisions", {}).status, 503)
        self.assertEqual(c.get("/readyz").status, 503)
        self.keep_alives_stop()
        self.assertEqual(c.get("/healthz").status, 200)
        c.close()

    def test_they_stop_when_an_idle_disk_takes_no_writes(self):
        p = self.start(watchdog=True, restore_signals=False)
        self.ready()
        self.assertIsNotNone(self.told("WATCHDOG=1"))
        resource.prlimit(p.pid, resource.RLIMIT_FSIZE, (4096, 4096))
        self.keep_alives_stop()

    def stop_thread(self, p, tid):
        libc = ctypes.CDLL(None, use_errno=True)
        libc.ptrace.argtypes = [ctypes.c_long] * 4
        if libc.ptrace(PTRACE_SEIZE, tid, 0, 0):
            self.skipTest("ptrace is not allowed: " + os.strerror(ctypes.get_errno()))
        self.assertEqual(libc.ptrace(PTRACE_INTERRUPT, tid, 0, 0), 0)
        libc.waitpid(tid, None, WALL)
        # Also where the test fails: a thread that is held cannot be killed.
        self.addCleanup(libc.ptrace, PTRACE_DETACH, tid, 0, 0)
        return lambda: libc.ptrace(PTRACE_DETACH, tid, 0, 0)

    @unittest.skipIf("thread" in os.environ.get("BANDIT_SANITIZER", ""),
                     "the sanitizer has a thread of its own")
    def test_they_stop_when_any_one_thread_of_the_two_hangs(self):
        p = self.start(watchdog=True)
        self.ready()
        self.assertIsNotNone(self.told("WATCHDOG=1"))
        # The loop's is the first thread, the commit thread the one that came next.
        for tid in sorted(int(t) for t in os.listdir(f"/proc/{p.pid}/task"))[:2]:
            go_on = self.stop_thread(p, tid)
            self.keep_alives_stop()
            go_on()
            self.assertIsNotNone(self.told("WATCHDOG=1"))

    def test_they_stop_when_the_process_is_stopped(self):
        p = self.start(watchdog=True)
        self.ready()
        self.assertIsNotNone(self.told("WATCHDOG=1"))
        p.send_signal(signal.SIGSTOP)
        self.keep_alives_stop()
        p.send_signal(signal.SIGCONT)
        self.assertIsNotNone(self.told("WATCHDOG=1"))


class Load(threading.Thread):
    """A connection for each request, one after another."""

    def __init__(self, address, name):
        super().__init__()
        self.address, self.prefix = address, name
        self.over = threading.Event()
        self.done, self.wrong = [], []

    def run(self):
        while not self.over.is_set():
            name = f"{self.prefix}-{len(self.done) + len(self.wrong)}"
            c = Client(self.address, timeout=WAIT_S)
            try:
                r = c.post(PATH + "/decisions", {"id": name})
                (self.done if r.status == 201 else self.wrong).append((name, r.status))
            except (OSError, http.client.HTTPException) as e:
                self.wrong.append((name, repr(e)))
            c.close()


class Activation(Manager):
    def test_the_passed_socket_is_served(self):
        with listener() as s:
            self.start("--listen", "127.0.0.1:1", sockets=[s])
            _, address = self.ready()
            self.assertEqual(address, address_of(s))
            c = Client(address)
            self.assertEqual(c.get("/readyz").status, 200)
            c.close()

    def test_a_passed_unix_socket_is_served_and_stays(self):
        path = os.path.join(self.place, "http")
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(path)
            s.listen()
            p = self.start(sockets=[s])
            self.assertEqual(self.ready()[1], "unix:" + path)
            p.send_signal(signal.SIGTERM)
            self.assertEqual(p.wait(WAIT_S), 0)
            self.assertTrue(os.path.exists(path))

    def test_other_than_one_listening_socket_is_refused(self):
        with listener() as one, listener() as two:
            p = self.start(sockets=[one, two])
            self.assertEqual(p.wait(WAIT_S), 1)
            self.assertIn("2 sockets were passed", self.said())
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind(("127.0.0.1", 0))
            p = self.start(sockets=[s])
            self.assertEqual(p.wait(WAIT_S), 1)
            self.assertIn("not a listening stream socket", self.said())

    def test_a_passed_socket_is_held_to_loopback_as_any_other(self):
        with listener("0.0.0.0") as s:
            p = self.start(sockets=[s])
            self.assertEqual(p.wait(WAIT_S), 1)
            self.assertIn("0.0.0.0", self.said())
            p = self.start("--insecure", "yes", sockets=[s])
            self.ready()

    def test_restarts_under_load_refuse_no_connection(self):
        with listener() as s:
            p = self.start(sockets=[s])
            _, address = self.ready()
            c = Client(address)
            self.assertEqual(c.put(PATH, UNIFORM).status, 201)
            c.close()
            loads = [Load(address, f"c{i}") for i in range(8)]
            for load in loads:
                load.start()
            for _ in range(5):
                want = [len(load.done) + 5 for load in loads]
                until = time.monotonic() + WAIT_S
                while any(len(load.done) < n for load, n in zip(loads, want)):
                    self.assertLess(time.monotonic(), until, [load.wrong for load in loads])
                    time.sleep(0.01)
                p.send_signal(signal.SIGTERM)
                self.assertEqual(p.wait(WAIT_S), 0, self.said())
                p = self.start(sockets=[s])
                self.ready()
            for load in loads:
                load.over.set()
            for load in loads:
                load.join(WAIT_S)
            self.assertEqual([], [w for load in loads for w in load.wrong])
            c = Client(address)
            stored = re.findall(r'"(c\d-\d+)"', c.get(
                PATH + "/events?limit=1000000000").raw.decode())
            c.close()
            self.assertEqual(sorted(name for load in loads for name, _ in load.done), sorted(stored))

    def test_systemds_own_activator(self):
        activate = shutil.which("systemd-socket-activate")
        if not activate:
            self.skipTest("systemd-socket-activate is missing (Debian: systemd)")
        with listener() as s:
            address = address_of(s)
        env = dict(os.environ, NOTIFY_SOCKET=self.notify.getsockname())
        p = subprocess.Popen([activate, "-l", address, "-E", "NOTIFY_SOCKET",
                              os.path.join(BUILD, "banditd"), "--state", self.state], env=env,
                             stdout=self.log, stderr=self.log)
        self.addCleanup(self.end, p)
        until = time.monotonic() + WAIT_S
        while "Listening on" not in self.said() and time.monotonic() < until:
            time.sleep(0.01)
        c = Client(address, timeout=WAIT_S)
        self.assertEqual(c.get("/readyz").status, 200)
        c.close()
        self.assertEqual(self.ready()[1], address)
        p.send_signal(signal.SIGTERM)
        self.assertEqual(p.wait(WAIT_S), 0)


class Credentials(Manager):
    def test_tokens_come_as_the_credential_of_the_unit(self):
        with open(os.path.join(SOURCE, "deploy", "banditd.service"), encoding="utf-8") as f:
            name = re.search(r"(?m)^LoadCredential=(\w+):", f.read()).group(1)
        credentials = os.path.join(self.place, "credentials")
        os.mkdir(credentials)
        made = subprocess.run([os.path.join(BUILD, "bandit"), "token", "new", "ops", "--scope",
                               "read"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              check=True)
        token = {"Authorization": "Bearer " + re.search(r"bdt_[\w-]+", made.stderr).group(0)}
        # systemd passes over a credential that is not there: then nobody is asked for a token.
        for line, nobody in ((None, 200), (made.stdout, 401)):
            if line:
                with open(os.path.join(credentials, name), "w", encoding="utf-8") as f:
                    f.write(line)
            p = self.start(credentials=credentials)
            c = Client(self.ready()[1], timeout=WAIT_S)
            self.assertEqual(c.get("/v1/policies").status, nobody)
            self.assertEqual(c.get("/v1/policies", headers=token).status, 200)
            c.close()
            p.send_signal(signal.SIGTERM)
            self.assertEqual(p.wait(WAIT_S), 0)


class Units(unittest.TestCase):
    def setUp(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("systemd-analyze is missing (Debian: systemd)")
        self.place = tempfile.mkdtemp(prefix="banditd-units-")
        self.addCleanup(shutil.rmtree, self.place)
        for name in ("banditd.service", "banditd.socket"):
            with open(os.path.join(SOURCE, "deploy", name), encoding="utf-8") as f:
                text = f.read().replace("/usr/sbin/banditd", os.path.join(BUILD, "banditd"))
            with open(os.path.join(self.place, name), "w", encoding="utf-8") as f:
                f.write(text)

    def analyze(self, *arguments):
        return subprocess.run(["systemd-analyze", "--no-pager", *arguments], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)

    def test_the_units_verify(self):
        r = self.analyze("--man=no", "verify", os.path.join(self.place, "banditd.service"),
                         os.path.join(self.place, "banditd.socket"))
        self.assertEqual((r.returncode, r.stdout), (0, ""))

    def test_the_exposure_is_at_most_1_5(self):
        r = self.analyze("security", "--offline=true", "--threshold=15",
                         os.path.join(self.place, "banditd.service"))
        self.assertEqual(r.returncode, 0, r.stdout)
        self.assertRegex(r.stdout, r"Overall exposure level .*: \d\.\d")

    def test_the_user_can_be_made(self):
        if not shutil.which("systemd-sysusers"):
            self.skipTest("systemd-sysusers is missing (Debian: systemd)")
        os.mkdir(os.path.join(self.place, "etc"))
        subprocess.run(["systemd-sysusers", "--root", self.place,
                        os.path.join(SOURCE, "deploy", "banditd.sysusers")], check=True)
        with open(os.path.join(self.place, "etc", "passwd"), encoding="utf-8") as f:
            self.assertRegex(f.read(), r"(?m)^banditd:.*:/var/lib/banditd:")

    def test_the_sample_configuration_is_accepted_and_complete(self):
        sample = os.path.join(SOURCE, "deploy", "banditd.conf")
        with open(sample, encoding="utf-8") as f:
            keys = re.findall(r"(?m)^#?([a-z_]+) = ", f.read())
        banditd = os.path.join(BUILD, "banditd")
        shown = subprocess.run([banditd, "--print-config"], stdout=subprocess.PIPE, text=True,
                               check=True).stdout
        self.assertEqual(keys, re.findall(r"(?m)^([a-z_]+) = ", shown))
        live = os.path.join(self.place, "live.conf")
        with open(sample, encoding="utf-8") as f, open(live, "w", encoding="utf-8") as out:
            out.write(re.sub(r"(?m)^#([a-z_]+ = )", r"\1", f.read()))
        for file in (sample, live):
            r = subprocess.run([banditd, "--config", file, "--check-config"], text=True,
                               stderr=subprocess.PIPE, check=False)
            self.assertEqual((r.returncode, r.stderr), (0, ""), file)


if __name__ == "__main__":
    unittest.main(verbosity=2)
