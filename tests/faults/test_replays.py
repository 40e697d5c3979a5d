#!/usr/bin/python3
"""Replays and recordings on a disk that fails: a read or a write of trawlctl or of the daemon, once or until somebody
repairs the disk.

A replay gives its sink each record once more, or trawlctl ends with 75 and says which file it could not read or write;
then nothing was replayed, no copy is left, and the same command does it all. What the daemon cannot read or write is
retried. A recording is whole, or there is no file. Chance selects the operations; TRAWLD_FAULTS says how many of each run,
or all. TRAWLD_TEST_SEED repeats a run.
"""

import errno
import os
import shlex
import shutil
import subprocess
import sys

from on_disk import OnDisk, harness
from harness import wait_until

POINTS = 2  # of each command
READY = "up to date for the first time"
WRITES = [(errno.EIO, "once"), (-errno.EIO, "once"), (errno.ENOSPC, "part"), (errno.EIO, "always")]


class Replays(OnDisk):
    def setUp(self):
        super().setUp()
        self.log, self.kept, self.folder = self.dir / "operations", self.dir / "kept", self.dir / "program"
        self.folder.mkdir()
        child = [sys.executable, harness.SOURCE_ROOT / "tests/system/exec_child.py", self.folder]
        self.configure(
            self.source(self.simulator.url, more="interval = 1h"),
            self.file_sink(more="seal = 1h\nseal_key = ${file:%s}\n" % self.key),
            self.file_sink("rotated", self.rotated, "max_size = 64KiB\ncompress = gzip\n"),
            "[sink program]\ntype = exec\ncommand = %s\nretry_max = 1s\n" % shlex.join(map(str, child)),
            daemon="keep = 1d",
            control=self.dir / "control",
        )
        self.once()
        (self.state / "replays").mkdir()
        self.keep()

    def keep(self):
        """What is there now is what each case begins with."""
        for path in (self.kept, self.dir / "program.kept", self.inodes):
            shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(self.root, self.kept)
        shutil.copytree(self.folder, self.dir / "program.kept")
        shutil.copytree(self.root, self.inodes, copy_function=os.link)

    def restore(self):
        """Every file is as it was, and the same file."""
        shutil.rmtree(self.root)
        for path in sorted(self.kept.rglob("*")):
            if not path.is_dir():
                (self.inodes / path.relative_to(self.kept)).write_bytes(path.read_bytes())
        shutil.copytree(self.inodes, self.root, copy_function=os.link)
        shutil.rmtree(self.folder)
        shutil.copytree(self.dir / "program.kept", self.folder)
        for path in self.dir.glob(self.log.name + "*"):
            path.unlink()

    # --- what fails ---

    def reads(self, fault=None, after=None):
        found = {"LD_PRELOAD": os.environ["TRAWLD_PRELOAD"], "READ_FAIL_ROOT": str(self.root), "READ_FAIL_LOG": str(self.log)}
        return {**found, **({"READ_FAIL": fault} if fault else {}), **({"READ_FAIL_AFTER": after} if after else {})}

    def writes(self, fault=None, after=None):
        names = self.dir / "names"
        shutil.rmtree(names, ignore_errors=True)
        names.mkdir()
        for path in self.root.rglob("*"):  # all of it is on the disk
            if path.is_file():
                shutil.copy(path, names / ("%d.durable" % path.stat().st_ino))
        found = {
            "LD_PRELOAD": os.environ["TRAWLD_PRELOAD"],
            "WRITE_LOG": str(self.log),
            "WRITE_LOG_ROOT": str(self.root),
            "WRITE_LOG_INODES": str(names),
        }
        return {**found, **({"WRITE_LOG_FAIL": fault} if fault else {}), **({"WRITE_LOG_AFTER": after} if after else {})}

    def over(self):
        self.log.with_name(self.log.name + ".over").touch()

    def points(self, names):
        """Which operations fail, of which the files are NAMES: one of a copy is among them."""
        wanted, points = os.environ.get("TRAWLD_FAULTS", str(POINTS)), range(1, len(names) + 1)
        if wanted == "all":
            return points
        copies = [point for point in points if "/replays/" in names[point - 1]][:1]
        return sorted({*copies, *self.dice.sample(points, min(int(wanted), len(points)))})

    # --- the daemon, and commands ---

    def start(self, environment=None):
        daemon = harness.Daemon(["-c", str(self.conf)], {**self.environment(), **(environment or {})})
        self.addCleanup(daemon.kill)
        daemon.wait_log(READY, seconds=60)
        return daemon

    def commands(self):
        rotated = [*sorted(self.rotated.parent.glob("rotated.ndjson.0*")), self.rotated]
        span = ("--from", "2020-01-01T00:00:00Z", "--to", "now")
        return (
            ("replay", "program", "--source", "acme", *span),
            ("replay", "program", "--file", *rotated, "--source", "acme"),
            ("replay", "archive", "--file", self.out, "--source", "acme", "--key", self.public),
        )

    def replay(self, arguments):
        """A command that goes on while the test does."""
        process = subprocess.Popen(
            [harness.TRAWLCTL, "-c", self.conf, *map(str, arguments)],
            env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def command(self, arguments, environment=None):
        done = self.trawld(
            "-c", str(self.conf), *map(str, arguments), program=harness.TRAWLCTL, environment=environment
        )
        done.text = done.out.decode() + done.err
        return done

    def taken(self, sink):
        if sink == "archive":
            return self.out.read_bytes().splitlines()
        return (self.folder / "taken").read_bytes().splitlines()

    def assert_times(self, sink, times, told):
        self.assertEqual(sorted(self.taken(sink)), sorted(self.expected.splitlines() * times), told)

    def assert_no_copy(self, fault, told):
        """One that could not be deleted is not one of a replay, and goes at the next start."""
        names = [path.name for path in (self.state / "replays").iterdir()]
        if "always" in fault:
            names = [name for name in names if not name.endswith(".new")]
        self.assertEqual(names, [], told)

    # --- trawlctl fails ---

    def test_trawlctl(self):
        n = told = 0
        for arguments in self.commands():
            for make, how in ((self.reads, ("once", "always")), (self.writes, None)):
                self.restore()
                for point in self.points(self.operations(arguments, make)):
                    for fault in how or ("%d %s" % self.dice.choice(WRITES),):
                        with self.subTest(arguments=arguments, kind=make.__name__, point=point, fault=fault):
                            told += self.trawlctl_case(arguments, make, "%d %s" % (point, fault))
                            n += 1
        print("campaign: replays: %d failures of trawlctl, %d of them ended it" % (n, told), flush=True)

    def operations(self, arguments, make):
        """The files of those that the command needs."""
        daemon = self.start()
        try:
            done = self.command(arguments, make())
            self.assertEqual(done.code, 0, done.text)
            return self.names(make)
        finally:
            daemon.kill()

    def names(self, make):
        if make == self.reads:
            return self.log.read_text().splitlines()
        return [operation.name for operation in self.disk().operations] if self.log.exists() else []

    def trawlctl_case(self, arguments, make, fault):
        self.restore()
        daemon = self.start()
        try:
            done = self.command(arguments, make(fault))
            self.assertIn(done.code, (0, 75), done.text)
            self.assert_no_copy(fault, done.text)
            self.assert_times(arguments[1], 2 if done.code == 0 else 1, done.text)
            if done.code != 0:
                self.assertIn(str(self.root), done.err)
                self.assertRegex(done.err, "Input/output error|No space left")
                again = self.command(arguments)
                self.assertEqual(again.code, 0, again.text)
                self.assert_times(arguments[1], 2, again.text)
            self.assertEqual(daemon.stop(), 0, daemon.text())
            return done.code != 0
        finally:
            daemon.kill()

    # --- the daemon fails ---

    def test_daemon(self):
        n = told = 0
        for arguments in self.commands():
            for make, how in ((self.reads, ("once", "always")), (self.writes, None)):
                for point in self.points(self.operations_of_daemon(arguments, make)):
                    for fault in how or ("%d %s" % self.dice.choice(WRITES),):
                        with self.subTest(arguments=arguments, kind=make.__name__, point=point, fault=fault):
                            told += self.daemon_case(arguments, make, "%d %s" % (point, fault))
                            n += 1
        print("campaign: replays: %d failures of the daemon, %d of them told" % (n, told), flush=True)

    def operations_of_daemon(self, arguments, make):
        self.restore()
        daemon = self.start(make(after=READY))
        try:
            before = len(self.names(make)) if make == self.writes else 0
            done = self.command(arguments)
            self.assertEqual((done.code, daemon.stop()), (0, 0), done.text)
            return self.names(make)[before:]
        finally:
            daemon.kill()

    def daemon_case(self, arguments, make, fault):
        self.restore()
        daemon = self.start(make(fault, READY))
        process = self.replay(arguments)
        try:
            told = lambda: "Input/output error" in daemon.text() or "No space left" in daemon.text()
            wait_until(lambda: told() or process.poll() is not None, "the end, or what failed", 60)
            self.over()
            text = process.communicate(timeout=60 * harness.PATIENCE)[0] + daemon.text()
            self.assertIn(process.returncode, (0, 75), text)
            if process.returncode != 0:
                self.assertNotIn("replay begins", text)
                again = self.command(arguments)
                self.assertEqual(again.code, 0, again.text + text)
            self.assert_times(arguments[1], 2, text)
            self.assertEqual(daemon.stop(), 0, daemon.text())
            self.start().stop()  # a copy that could not be deleted goes then
            self.assert_no_copy("", daemon.text())
            return told()
        finally:
            daemon.kill()

    def test_restart(self):
        """A replay that was running when trawld was killed is continued, whatever the start meets."""
        (self.folder / "script").write_text("retry " * 1000)
        daemon = self.start()
        process = self.replay(self.commands()[1])
        daemon.wait_log("replay: ")
        daemon.kill()
        process.kill()
        (self.folder / "script").unlink()
        self.keep()
        for point in (0, *self.points(self.restart_case())):
            for how in ("once", "always"):
                with self.subTest(point=point, fault=how):
                    self.restart_case("%d %s" % (point, how))

    def restart_case(self, fault=None):
        self.restore()
        daemon = harness.Daemon(["-c", str(self.conf)], {**self.environment(), **self.reads(fault)})
        try:
            told = lambda: "Input/output error" in daemon.text()
            wait_until(lambda: told() or "replay done" in daemon.text(), "the end, or what failed", 60)
            self.over()
            daemon.wait_log("replay done: 600 records delivered", seconds=60)
            self.assert_times("program", 2, daemon.text())
            self.assertEqual(daemon.stop(), 0, daemon.text())
            return self.names(self.reads)
        finally:
            daemon.kill()

    # --- recordings ---

    def test_recordings(self):
        path, told = self.root / "acme.conversation", 0
        self.assertEqual(self.record(path, self.writes()).code, 0)
        whole, cases = self.lines(path), [(n + 1, how) for n in range(len(self.disk().operations)) for how in WRITES]
        for point, how in cases:
            with self.subTest(point=point, fault=how):
                self.restore()
                done = self.record(path, self.writes("%d %d %s" % (point, *how)))
                if done.code == 0:
                    self.assertEqual(self.lines(path), whole)
                    continue
                self.assertEqual(done.code, 75, done.text)
                self.assertIn("cannot write %s: " % path, done.err)
                self.assertEqual(done.out, b"")
                if path.exists():  # it could not be removed
                    self.assertEqual((how[1], self.lines(path)), ("always", whole))
                    path.unlink()
                self.assertEqual(self.record(path).code, 0)
                self.assertEqual(self.lines(path), whole)
                told += 1
        self.assertGreater(told, len(WRITES))
        print("campaign: recordings: %d failures, %d of them ended the command" % (len(cases), told), flush=True)

    def record(self, path, environment=None):
        return self.command(("definition", "record", "acme", path), environment)

    def lines(self, path):
        return [line for line in path.read_text().splitlines() if not line.startswith("now ")]


if __name__ == "__main__":
    harness.main()
