#!/usr/bin/python3
"""The journal sink against a real systemd-journald, read back with journalctl.

journald runs in a mount namespace of its own, so the machine's journal (if there is one) sees
nothing of it; its socket is reached through /proc/PID/root. That needs root or user namespaces and
Debian's package systemd; without them the test says so and is skipped.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess

import harness
from harness import wait_until

import cloudscale

JOURNALD = "/lib/systemd/systemd-journald"
CONF = "[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\nReadKMsg=no\nAudit=no\nCompress=no\n"
START = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal /run/log
for directory in /etc/systemd/journald.conf.d /usr/lib/systemd/journald.conf.d; do
	[ ! -d "$directory" ] || mount -t tmpfs tmpfs "$directory"
done
[ ! -e /etc/systemd/journald.conf ] || mount --bind "$1" /etc/systemd/journald.conf
exec %s
""" % JOURNALD


class Journald:
    """A journald that nobody else knows of."""

    def __init__(self, folder):
        conf = folder / "journald.conf"
        conf.write_text(CONF)
        # with root no user namespace is needed; without, the kernel may refuse one
        own = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        self.process = subprocess.Popen(
            ["unshare", "--mount", *own, "sh", "-c", START, "sh", str(conf)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        self.root = pathlib.Path("/proc/%d/root" % self.process.pid)
        self.socket = self.root / "run/systemd/journal/socket"

    def listens(self):
        if self.process.poll() is not None:
            return True
        probe = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            probe.connect(str(self.socket))
            return True
        except OSError:
            return False
        finally:
            probe.close()

    def start(self):
        wait_until(self.listens, "journald's socket")
        return self.process.poll() is None

    def entries(self):
        """What the journal holds of trawld, as journalctl prints it."""
        subprocess.run(
            ["journalctl", "--directory", str(self.root / "run/log/journal"), "--sync"],
            capture_output=True,
        )
        done = subprocess.run(
            ["journalctl", "--directory", str(self.root / "run/log/journal"), "--quiet",
             "--all", "--output", "json", "SYSLOG_IDENTIFIER=trawld"],
            capture_output=True,
        )
        return [json.loads(line) for line in done.stdout.splitlines()]

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class JournalCase(harness.Case):
    def journald(self):
        for program in (JOURNALD, shutil.which("journalctl"), shutil.which("unshare")):
            if not program or not os.path.exists(program):
                self.skipTest("no systemd-journald, journalctl or unshare here")
        journald = Journald(self.dir)
        self.addCleanup(journald.stop)
        if not journald.start():
            self.skipTest(
                "journald cannot run in a namespace here: "
                + journald.process.stdout.read().decode(errors="replace").strip()[-300:]
            )
        return journald

    def sink(self, path, more=""):
        return "[sink log]\ntype = journal\nsocket = %s\nretry_max = 1s\n%s\n" % (path, more)

    def wait_entries(self, journald, n):
        """The entries once there are N of them, and no more than that."""
        entries = []

        def question():
            entries[:] = journald.entries()
            return len(entries) >= n

        wait_until(question, "%d entries in the journal" % n)
        self.assertEqual(len(entries), n)
        return entries


class Journal(JournalCase):
    def test_fields(self):
        journald = self.journald()
        simulator = self.cloudscale(1000, "--page-size", "100")
        self.configure(self.source(simulator.url), self.sink(journald.socket, "severity = notice"))
        self.once()
        entries = self.wait_entries(journald, 1000)
        for n, entry in enumerate(entries):
            line = cloudscale.record_line(1, n).decode()
            self.assertEqual(entry["MESSAGE"], line)
            self.assertEqual(entry["PRIORITY"], "5")
            self.assertEqual(entry["SYSLOG_IDENTIFIER"], "trawld")
            self.assertEqual(entry["SOURCE"], "acme")
            self.assertEqual(entry["PROVIDER"], "cloudscale")
            self.assertRegex(entry["RECORD_ID"], "^[0-9a-f]{32}$")
            stamp = json.loads(line)["timestamp"]
            self.assertEqual(
                re.sub(r"\.?0*Z$", "", entry["RECORD_TIME"]), re.sub(r"\.?0*Z$", "", stamp)
            )
        # without an ID of the API's, the digest of the text: equal records have equal ones
        texts = {entry["MESSAGE"]: entry["RECORD_ID"] for entry in entries}
        self.assertEqual(len(set(texts.values())), len(texts))
        self.once()
        self.assertEqual(len(journald.entries()), 1000)

    def test_envelope(self):
        journald = self.journald()
        simulator = self.cloudscale(10)
        self.configure(self.source(simulator.url), self.sink(journald.socket, "format = envelope"))
        self.once()
        for n, entry in enumerate(self.wait_entries(journald, 10)):
            envelope = json.loads(entry["MESSAGE"])
            self.assertEqual(envelope["id"], entry["RECORD_ID"])
            self.assertEqual(envelope["record"], json.loads(cloudscale.record_line(1, n)))

    def test_long_records(self):
        """Far longer than a datagram, and with all that JSON text can hold."""
        journald = self.journald()
        simulator = self.cloudscale(4)
        text = '{"n":%d,"text":"%s","é":"\\n\\u0000\\ud83d\\ude80"}'
        texts = [text % (n, "ü" * size) for n, size in enumerate((10, 100_000, 250_000, 6_000_000))]
        before, after = texts[3].replace("ü", "").split('"text":"', 1)
        head = '{"next":null,"poll_more":"%s/v1/project-logs?cursor=10020","results":[' % simulator.url
        simulator.faults(
            {
                "kind": "body",
                "repeat": [
                    head + ",".join(texts[:3]) + "," + before + '"text":"',
                    "ü", 6_000_000, after + "]}",
                ],
                "headers": {"Content-Type": "application/json"},
                "times": 1,
            }
        )
        simulator.control(visible=0)
        self.configure(self.source(simulator.url), self.sink(journald.socket))
        self.once()
        entries = self.wait_entries(journald, len(texts))
        for text, entry in zip(texts, entries):
            self.assertTrue(entry["MESSAGE"] == text, len(text))

    def test_absent(self):
        """No journald: nothing counts as delivered; it all comes when it is there."""
        path = self.dir / "socket"
        simulator = self.cloudscale(300)
        self.configure(self.source(simulator.url), self.sink(path))
        result = self.once(75)
        self.assertEqual(len(result.lines("trying again")), 1, result.err)
        self.assertEqual(len(result.lines("no journald listens at")), 2, result.err)
        journald = self.journald()
        path.symlink_to(journald.socket)
        self.once()
        self.wait_entries(journald, 300)

    def test_stopped(self):
        """A journald that does not read stops this sink and nothing else."""
        journald = self.journald()
        simulator = self.cloudscale(5000, "--page-size", "100")
        os.kill(journald.process.pid, signal.SIGSTOP)
        self.configure(self.source(simulator.url), self.sink(journald.socket), self.file_sink())
        daemon = self.daemon()
        self.wait_size(self.out, len(cloudscale.expected_lines(1, 0, 5000)))
        os.kill(journald.process.pid, signal.SIGCONT)
        entries = self.wait_entries(journald, 5000)
        daemon.stop()
        for n, entry in enumerate(entries):
            self.assertEqual(entry["MESSAGE"], cloudscale.record_line(1, n).decode())

    def test_restart(self):
        """journald goes and another comes while trawld runs."""
        first = self.journald()
        path = self.dir / "socket"
        path.symlink_to(first.socket)
        simulator = self.cloudscale(100)
        self.configure(
            self.source(simulator.url, more="interval = 50ms"), self.sink(path), self.file_sink()
        )
        daemon = self.daemon()
        self.wait_entries(first, 100)
        first.stop()
        simulator.control(visible=200)
        daemon.wait_log("no journald listens at")
        second = self.journald()
        (self.dir / "new").symlink_to(second.socket)
        (self.dir / "new").rename(path)
        entries = self.wait_entries(second, 100)
        daemon.wait_log("works again")
        daemon.stop()
        for n, entry in enumerate(entries, 100):
            self.assertEqual(entry["MESSAGE"], cloudscale.record_line(1, n).decode())

    def test_faults(self):
        for more, phrase in (("severity = loud", "severity"), ("socket = run/x", "absolute")):
            text = "[sink log]\ntype = journal\n%s\n" % more
            self.configure(self.source("http://127.0.0.1:1"), text)
            self.assertEqual(len(self.check(78).lines(phrase)), 1)


if __name__ == "__main__":
    harness.main()
