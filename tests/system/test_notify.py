#!/usr/bin/python3
"""What the service manager and the journal are told: states, status, the watchdog from inside the
loop, log lines with fields. The manager is a socket of the test; journald is a real one."""

import os
import pathlib
import signal
import socket
import subprocess
import threading
import time

import harness
import journald
from harness import TOKEN, TRAWLD, wait_until

import cloudscale

STREAM = 'export JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2); exec "$@"'


class Manager:
    """The other end of NOTIFY_SOCKET: each message as a dictionary."""

    def __init__(self, path):
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.messages = []
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        while True:
            text = self.socket.recv(65536).decode()
            if text == "end":
                return
            lines = text.splitlines()
            assert all("=" in line for line in lines), text
            self.messages.append(dict(line.split("=", 1) for line in lines))

    def having(self, key, text="", start=0):
        return [m for m in self.messages[start:] if key in m and text in m[key]]

    def wait(self, key, text="", start=0, n=1):
        wait_until(
            lambda: len(self.having(key, text, start)) >= n, "%s=%s" % (key, text), seconds=60
        )
        return self.having(key, text, start)[0]

    def stop(self):
        sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sender.sendto(b"end", self.path)
        sender.close()
        self.thread.join()
        self.socket.close()


class Notify(harness.Case):
    def begin(self, watchdog=None, daemon=""):
        self.manager = Manager(self.dir / "notify")
        self.addCleanup(self.manager.stop)
        self.sim = self.cloudscale(100)
        self.configure(
            self.source(self.sim.url, more="interval = 200ms\nretry_max = 200ms"),
            self.file_sink(), daemon=daemon,
        )
        more = {"NOTIFY_SOCKET": self.manager.path}
        if watchdog:
            more["WATCHDOG_USEC"] = str(watchdog)
        daemon = harness.Daemon(["-c", str(self.conf)], {**self.environment(), **more})
        self.addCleanup(daemon.kill)
        self.manager.wait("READY", "1")
        return daemon

    def test_states(self):
        daemon = self.begin(daemon="shutdown_timeout = 7s")
        self.assertEqual(self.manager.messages[0]["READY"], "1")
        self.assertIn("1 source, 1 sink", self.manager.messages[0]["STATUS"])
        start = len(self.manager.messages)
        before = time.monotonic_ns() // 1000
        daemon.signal(signal.SIGHUP)
        self.manager.wait("READY", "1", start)
        reloading = self.manager.having("RELOADING", "1", start)[0]
        self.assertGreaterEqual(int(reloading["MONOTONIC_USEC"]), before)
        self.assertLessEqual(int(reloading["MONOTONIC_USEC"]), time.monotonic_ns() // 1000)
        self.assertEqual(daemon.stop(), 0)
        stopping = self.manager.wait("STOPPING", "1")
        self.assertEqual(stopping["EXTEND_TIMEOUT_USEC"], "37000000")
        self.assertEqual(len(self.manager.having("STOPPING")), 1)
        self.assertEqual(self.manager.having("WATCHDOG"), [])

    def test_broken_reload(self):
        """The manager waits for READY in any case; the old configuration goes on."""
        daemon = self.begin()
        start = len(self.manager.messages)
        self.conf.write_text("[source acme]\nprovider = none\n")
        daemon.signal(signal.SIGHUP)
        self.manager.wait("READY", "1", start)
        daemon.wait_log("stays in use")

    def test_status(self):
        daemon = self.begin()
        self.wait_size(self.out, len(cloudscale.expected_lines(1, 0, 100)))
        self.assertIn("old (acme)", self.manager.wait("STATUS", "newest records")["STATUS"])
        self.sim.faults({"kind": "status", "status": 503, "count": 1000000})
        status = self.manager.wait("STATUS", "1 source (1 failing)")["STATUS"]
        self.assertRegex(status, "source acme: .*503")
        self.assertNotIn(TOKEN, status)
        start = len(self.manager.messages)
        self.sim.faults()
        daemon.signal(signal.SIGUSR2)
        self.manager.wait("STATUS", "1 source, 1 sink", start)

    def test_watchdog(self):
        """A loop that turns is told of; one that stands still is silent."""
        daemon = self.begin(watchdog=600_000)
        self.manager.wait("WATCHDOG", "1", n=5)
        daemon.signal(signal.SIGSTOP)
        stat = pathlib.Path("/proc/%d/stat" % daemon.pid)
        wait_until(lambda: ") T " in stat.read_text(), "the stop")
        told = len(self.manager.having("WATCHDOG"))
        time.sleep(1)
        self.assertLessEqual(len(self.manager.having("WATCHDOG")), told + 1)
        daemon.signal(signal.SIGCONT)
        self.manager.wait("WATCHDOG", "1", n=told + 3)


class JournalLog(harness.Case):
    def run_in(self, receiver, shell):
        """trawld --once where only RECEIVER's sockets are, standard error a pipe."""
        user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        return subprocess.run(
            ["nsenter", "--target", str(receiver.process.pid), "--mount", *user,
             "sh", "-c", shell, "sh", TRAWLD, "-c", str(self.conf), "--once"],
            env=self.environment(), stdin=subprocess.DEVNULL, capture_output=True, timeout=120,
        )

    def test_fields(self):
        receiver = journald.started(self)
        sim = self.cloudscale(10)
        self.configure(
            self.source(sim.url), self.source(sim.url, name="broken", token="wr0ng-token-of-acme"),
            self.file_sink(), "[sink away]\ntype = syslog\naddress = unix:%s/none\n" % self.dir,
        )
        done = self.run_in(receiver, STREAM)
        self.assertEqual(done.returncode, 75, done.stderr)
        self.assertEqual(done.stderr, b"")
        wait_until(lambda: len(receiver.entries()) >= 4, "the entries")
        entries = receiver.entries()
        broken = [e for e in entries if e.get("SOURCE") == "broken"]
        self.assertEqual(broken[0]["PRIORITY"], "4", broken)
        self.assertIn("source broken (", broken[0]["MESSAGE"])
        self.assertRegex(broken[0]["PLACE"], r"trawld\.conf:\d+$")
        self.assertTrue([e for e in entries if e.get("SINK") == "away"], entries)
        self.assertTrue([e for e in entries if e.get("SOURCE") == "acme"], entries)
        own = [e for e in entries if "SOURCE" not in e and "SINK" not in e]
        self.assertEqual([e["PRIORITY"] for e in own][:2], ["5", "6"], own)  # a new state; start
        self.assertFalse([e for e in entries if "wr0ng-token" in str(e)])

    def test_another_stream(self):
        """Inherited from a service, but standard error leads elsewhere: the lines stay there."""
        receiver = journald.started(self)
        sim = self.cloudscale(10)
        self.configure(self.source(sim.url), self.file_sink())
        done = self.run_in(receiver, 'export JOURNAL_STREAM=1:2; exec "$@"')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"<6>source acme", done.stderr)
        self.assertEqual(receiver.entries(), [])


if __name__ == "__main__":
    harness.main()
