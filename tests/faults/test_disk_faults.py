#!/usr/bin/python3
"""A disk that fails: a run in which one operation fails, or all from then on, or a write half-way; then the power, too.

Nothing that trawld reported as done may be missing: a run that ends with 0 has both archives complete, also on a disk
without all that was never synced. After any other end the next run completes them. A sync that failed is not made good
by a later one: what waited for it is gone (write_log.c). A daemon at a reload, which makes files, sinks and seals and writes its state, either ends, or has
all of it once the disk is repaired, without a further reload. Chance selects how an operation fails, and which do;
TRAWLD_FAULTS=all lets each fail. TRAWLD_TEST_SEED repeats a run.
"""

import errno
import os
import shlex
import shutil
import signal
import sys

from disk import strict
from on_disk import RECORDS, OnDisk, harness
from harness import wait_until
from sealed import GOOD, WEAK

POINTS, RELOADS = 24, 6
FIRST = 200  # records of the old configuration
READY = "up to date for the first time"
FAULTS = [
    ("%d once" % errno.EIO, "one error"),
    ("%d once" % -errno.EIO, "one error, and the cache is dropped"),
    ("%d once" % errno.ENOSPC, "full once"),
    ("%d part" % errno.ENOSPC, "full within a write"),
    ("%d always" % errno.ENOSPC, "full"),
    ("%d always" % errno.EDQUOT, "over quota"),
    ("%d always" % errno.EROFS, "read-only"),
    ("%d always" % -errno.EIO, "broken"),
]


class DiskFaults(OnDisk):
    def cases(self, operations):
        """(operation, fault): every operation, or some, of which every other one is a sync."""
        points = range(1, len(operations) + 1)
        if os.environ.get("TRAWLD_FAULTS") == "all":
            return [(point, self.dice.choice(FAULTS)) for point in points]
        syncs = [point for point in points if operations[point - 1].kind == "S"]
        return [(self.dice.choice(kind), self.dice.choice(FAULTS)) for kind in (points, syncs) * (POINTS // 2)]

    def test_disk_faults(self):
        done = self.run_logged()
        self.assertEqual(done.code, 0, done.err)
        cases, told = self.cases(self.disk().operations), 0
        for point, (fault, what) in cases:
            for power_fails in (False, True):
                with self.subTest(operation=point, fault=what, power_fails=power_fails):
                    told += self.run_case(point, fault, power_fails)
        print("campaign: %d failures, %d of them ended the run" % (2 * len(cases), told), flush=True)

    def run_case(self, point, fault, power_fails):
        self.empty_disk()
        done = self.run_logged("%d %s" % (point, fault))
        self.assertIn(done.code, (0, 73, 75), done.err)
        if done.code != 0:
            self.assertRegex(done.err, "(?m)^(error|warning|notice): ")
        disk = self.disk()
        if power_fails:
            disk.put(*disk.after(len(disk.operations), strict, self.dice))
        if done.code == 0:
            self.assert_archives(done.err)
        again = self.once()
        self.assert_archives(done.err + again.err)
        return done.code != 0

    # --- a reload ---

    def test_reload(self):
        new = self.conf.read_text()
        self.folder = self.dir / "program"
        child = [sys.executable, harness.SOURCE_ROOT / "tests/system/exec_child.py", self.folder]
        program = "[sink program]\ntype = exec\ncommand = %s\nretry_max = 1s\n" % shlex.join(map(str, child))
        self.second = self.root / "new" / "second.ndjson"
        self.old = new.replace("start =", "interval = 1h\nstart =").replace("seal", "#seal") + program
        self.new = new.replace("start =", "interval = 2h\nstart =") + self.file_sink("second", self.second)
        self.new += program.replace("1s", "2s")
        count, _ = self.reload_case(None)
        wanted, points = os.environ.get("TRAWLD_FAULTS", str(RELOADS)), range(1, count + 1)
        if wanted != "all":  # half of them at the reload's first operations
            first = points[self.at_reload : self.at_reload + 12]
            half = int(wanted) // 2
            points = sorted({*self.dice.sample(points, half), *self.dice.sample(first, min(half, len(first)))})
        cases = [(point, self.dice.choice(FAULTS)) for point in points]
        cases.append((1, FAULTS[4]))  # so the reload cannot write the state
        told = 0
        for point, (fault, what) in cases:
            with self.subTest(operation=point, fault=what):
                told += self.reload_case("%d %s" % (point, fault))[1]
        print("campaign: reload: %d failures of %d operations, %d ended trawld" % (len(cases), count, told), flush=True)

    def reload_case(self, fault):
        """How many operations there were, and whether trawld ended."""
        self.empty_disk()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        (self.folder / "script").write_text("ok refuse")
        self.simulator.control(visible=FIRST)
        self.conf.write_text(self.old)
        daemon = harness.Daemon(["-c", str(self.conf)], {**self.environment(), **self.logged(fault, READY)})
        self.addCleanup(daemon.kill)
        try:
            daemon.wait_log(READY, seconds=60)
            before = len(self.disk().operations)
            self.conf.write_text(self.new)
            wait_until(lambda: self.archived(self.out).count(b"\n") == FIRST or fault, "the first records")
            self.at_reload = len(self.disk().operations) - before
            daemon.signal(signal.SIGHUP)
            self.watch(daemon, fault or "")
            ended = daemon.process.poll() is not None
            if ended:
                self.assertIn(daemon.process.returncode, (73, 75), daemon.text())
            else:
                self.assertEqual(daemon.stop(), 0, daemon.text())
            disk = self.disk()
        finally:
            daemon.kill()
        if fault:
            disk.put(*disk.after(len(disk.operations), strict, self.dice))
        if not ended:
            self.assert_all(daemon.text())
        again = self.trawld("-c", str(self.conf), "--once")
        self.assertIn(again.code, (0, 75), again.err)  # 75: records are rejected
        self.assert_all(daemon.text() + again.err)
        self.ctl("dead-letters", "resend", "program")
        told = daemon.text() + self.once().err
        self.assertEqual(set((self.folder / "taken").read_bytes().splitlines()), set(self.expected.splitlines()), told)
        return len(disk.operations) - before, ended

    def watch(self, daemon, fault):
        """Until all is there, or trawld has ended. The disk is repaired once trawld has said what is wrong."""
        try:
            self.wait_reloaded(daemon, fault)
            wait_until(lambda: self.is_over(daemon) or self.has_all(), "all records", 90)
        except AssertionError as error:
            raise AssertionError("%s\n%s" % (error, daemon.text())) from None

    def is_over(self, daemon):
        return daemon.process.poll() is not None

    def repair(self):
        self.log.with_name(self.log.name + ".over").touch()

    def wait_reloaded(self, daemon, fault):
        """The second sink gets what is read from then on: all that the first configuration has not read."""
        stays, done = "the old configuration stays", "reloaded: "
        wait_until(lambda: self.is_over(daemon) or stays in daemon.text() or done in daemon.text(), "the reload", 60)
        if stays in daemon.text():
            self.repair()
        wait_until(lambda: self.is_over(daemon) or done in daemon.text(), "the new configuration", 60)
        self.simulator.control(visible=RECORDS)
        if not self.is_over(daemon):
            daemon.signal(signal.SIGUSR2)
        words = ("input/output error", "no space left", "quota", "read-only", "disk i/o error")
        said = lambda: any(word in daemon.text().lower() for word in words)
        wait_until(lambda: "always" not in fault or self.is_over(daemon) or self.has_all() or said(), "a word of it", 60)
        self.repair()

    def has_all(self):
        try:
            archived = [self.archived(path).count(b"\n") for path in (self.out, self.rotated)]
            return archived == [RECORDS, RECORDS] and self.second.read_bytes().count(b"\n") >= RECORDS - FIRST
        except (OSError, EOFError):  # not made yet; or just now it is rotated or compressed
            return False

    def assert_all(self, told):
        self.assertEqual(self.archived(self.out), self.expected, told)
        self.assertEqual(self.archived(self.rotated), self.expected, told)
        self.assertTrue(self.expected.endswith(self.second.read_bytes()), told)
        self.assertGreaterEqual(self.second.read_bytes().count(b"\n"), RECORDS - FIRST, told)
        report = self.trawld("verify", str(self.out), "--key", str(self.public), program=harness.TRAWLCTL)
        self.assertIn(report.code, (GOOD, WEAK), report.out.decode() + report.err + told)


if __name__ == "__main__":
    harness.main()
