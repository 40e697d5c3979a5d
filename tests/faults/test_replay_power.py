#!/usr/bin/python3
"""Power failures during a replay, of kept records and of files, to a program and to an archive.

A daemon, trawlctl replay and the program are recorded (write_log.c). Then the power fails after some operation, the disk is
made to hold what it may hold then (disk.py), and a daemon runs. A replay that has begun continues and ends; what it says it
has delivered is there once more, and nothing else is: no record of the normal delivery is lost or repeated. TRAWLD_FAULTS
says after how many operations, which chance selects, or all; TRAWLD_TEST_SEED repeats a run.
"""

import collections
import json
import os
import shlex
import sys

from disk import scattered, strict, torn, whole
from on_disk import OnDisk, harness
from harness import wait_until

import cloudscale

RECORDS = 180
POINTS = 4

# takes each batch once: it knows the last ID, and what it takes is on the disk before it says so
PROGRAM = r"""
import json, os, sys
path, inp, out = sys.argv[1], sys.stdin.buffer, sys.stdout.buffer
file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0)
os.fsync(os.open(os.path.dirname(path), os.O_RDONLY))
last, end = None, 0
for line in file.read().splitlines(keepends=True):
    if b"\0" in line or not line.endswith(b"\n"):
        break
    last, end = json.loads(line)["id"], end + len(line)
file.truncate(end)
file.seek(end)
while head := inp.readline():
    batch = head.decode().split()[1]
    lines = []
    while (line := inp.readline()) != b"\n":
        if not line:
            sys.exit(0)
        lines.append(line.decode())
    if batch != last:
        file.write(json.dumps({"id": batch, "lines": lines}).encode() + b"\n")
        os.fsync(file.fileno())
        last = batch
    out.write(b"ok %s\n" % batch.encode())
    out.flush()
"""


class ReplayPower(OnDisk):
    def setUp(self):
        super().setUp()
        self.lines = cloudscale.expected_lines(1, 0, RECORDS).splitlines()
        self.simulator.control(visible=RECORDS)
        self.control, self.child, self.taken = self.dir / "control", self.dir / "child", self.root / "taken"
        (self.dir / "program.py").write_text(PROGRAM)
        self.configure(
            self.source(self.simulator.url, more="interval = 1h"),
            self.file_sink(),
            "[sink program]\ntype = exec\ncommand = %s\n" % self.child,
            daemon="keep = 1d",
            control=self.control,
        )

    def prepare_child(self, environment):
        words = ["/usr/bin/env", *("%s=%s" % item for item in environment.items())]
        words += [sys.executable, str(self.dir / "program.py"), str(self.taken)]
        self.child.write_text("#!/bin/sh\nexec %s\n" % shlex.join(words))
        self.child.chmod(0o755)

    def start(self, environment):
        self.prepare_child(environment)
        daemon = harness.Daemon(["-c", str(self.conf)], {**self.environment(), **environment})
        self.addCleanup(daemon.kill)
        return daemon

    def points(self, first, last):
        points, number = range(first, last + 1), os.environ.get("TRAWLD_FAULTS", str(POINTS))
        return points if number == "all" else sorted(self.dice.sample(points, min(int(number), len(points))))

    def found(self, sink):
        """How often each record is there."""
        if sink == "archive":
            return collections.Counter(self.out.read_bytes().splitlines())
        batches = map(json.loads, self.taken.read_bytes().splitlines())
        return collections.Counter(line.rstrip("\n").encode() for batch in batches for line in batch["lines"])

    def replays(self):
        database = harness.sqlite3.connect(self.state / "trawld.db")
        rows = database.execute("SELECT state, n_delivered, text FROM replays").fetchall()
        database.close()
        return rows

    def record(self, arguments):
        """A run with a replay. How many operations there were before it, and once trawlctl had said that it is done."""
        self.empty_disk()
        daemon = self.start(self.logged())
        daemon.wait_log("up to date for the first time")
        for sink in ("archive", "program"):
            wait_until(lambda: self.out.exists() and self.taken.exists() and self.found(sink) == self.once_each(), sink)
        self.ctl("dead-letters", "discard", "archive")  # commits what is collected
        wait_until(lambda: not any(sink["pending_records"] for sink in self.sinks()), "the acknowledgements")
        first = len(self.disk().operations)
        done = self.trawld("-c", str(self.conf), *map(str, arguments), program=harness.TRAWLCTL, environment=self.logged())
        self.assertEqual(done.code, 0, done.err)
        told = len(self.disk().operations)
        daemon.wait_log("replay done")
        self.assertEqual(daemon.stop(), 0, daemon.text())
        return first, told

    def sinks(self):
        return json.loads(self.ctl("status", "--json").text)["sinks"]

    def once_each(self):
        return collections.Counter(self.lines)

    def try_all(self, sink, arguments):
        first, told = self.record(arguments)
        disk = self.disk()
        self.assert_logged(disk)
        states = collections.Counter()
        points = self.points(first, len(disk.operations))
        for count in points:
            for failure in (strict, whole, torn, scattered):
                with self.subTest(arguments=arguments[:3], after=count, failure=failure.__name__):
                    disk.put(*disk.after(count, failure, self.dice))
                    state = self.continues(sink)
                    self.assertTrue(state == "done" or count < told)
                    states[state] += 1
        print(
            "campaign: replay to %s: %d disks after %d of %d operations: %s"
            % (sink, len(points) * 4, len(points), len(disk.operations) - first + 1, dict(states)),
            flush=True,
        )

    def continues(self, sink):
        begun = bool(self.replays())
        daemon = self.start({})
        try:
            daemon.wait_log("up to date")
            if begun:
                wait_until(
                    lambda: self.replays()[0][0] != "running" or daemon.process.poll() is not None, "the end of the replay", 60
                )
            self.assertEqual(daemon.stop(), 0, daemon.text())
        finally:
            daemon.kill()
        for other in ("archive", "program"):
            if other != sink:
                self.assertEqual(self.found(other), self.once_each(), daemon.text())
        self.assertEqual([path.name for path in self.state.glob("replays/*") if path.name.isdigit()], [])
        found, rows = self.found(sink), self.replays()
        if not rows:
            self.assertEqual(found, self.once_each(), daemon.text())
            return "not begun"
        ((state, delivered, text),) = rows
        self.assertEqual((state, delivered), ("done", RECORDS), "%s\n%s" % (text, daemon.text()))
        self.assertEqual(found, self.once_each() + self.once_each(), daemon.text())
        return "done"

    def test_kept(self):
        span = ("--from", "2020-01-01T00:00:00Z", "--to", "now")
        self.try_all("program", ("replay", "program", "--source", "acme", *span))

    def test_files(self):
        self.try_all("program", ("replay", "program", "--file", self.out, "--source", "acme"))

    def test_archive(self):
        self.try_all("archive", ("replay", "archive", "--file", self.out, "--source", "acme"))


if __name__ == "__main__":
    harness.main()
