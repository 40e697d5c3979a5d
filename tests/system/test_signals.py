#!/usr/bin/python3
"""SIGTERM drains, SIGHUP reloads, SIGUSR1 reopens, SIGUSR2 polls; a second daemon is refused."""

import errno
import os
import signal
import subprocess

import harness
from harness import TOKEN, wait_until

import cloudscale


class Signals(harness.Case):
    def begin(self, count=100, *arguments, visible=None, more="interval = 200ms"):
        self.sim = self.cloudscale(count, *arguments)
        self.sim.control(visible=count if visible is None else visible)
        self.configure(self.source(self.sim.url, more=more), self.file_sink())
        return self.daemon()

    def assert_prefix(self, path=None):
        """What was written is whole records from the first on; answers how many bytes."""
        path = path or self.out
        found = path.read_bytes() if path.exists() else b""
        expected = cloudscale.expected_lines(1, 0, found.count(b"\n"))
        self.assertEqual(found, expected)
        return len(found)

    def test_drain(self):
        """In the middle of a long chain: exit 0, all that was accepted is in the file."""
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=number):
                self.setUp()
                daemon = self.begin(50_000, "--page-size", "100", "--delay", "0.002")
                self.wait_size(self.out, 100_000)
                daemon.signal(number)
                self.assertEqual(daemon.wait(), 0, daemon.text())
                self.assertGreater(self.assert_prefix(), 0)
                done = self.out.read_bytes().count(b"\n")
                self.assertLess(done, 50_000)
                # no page was accepted that did not reach the file
                self.sim.control(reset_numbers=True)
                self.sim.control(visible=done, delay=0)
                self.once()
                self.assert_output(cloudscale.expected_lines(1, 0, done))
                self.assertEqual(self.sim.stats()["requests"], 1)

    def test_drain_while_a_server_hangs(self):
        daemon = self.begin()
        self.wait_size(self.out, 1)
        self.sim.faults({"kind": "hang"})
        before = self.sim.stats()["requests"]
        wait_until(lambda: self.sim.stats()["requests"] > before, "the hanging request")
        daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.wait(15), 0, daemon.text())
        self.assert_output(cloudscale.expected_lines(1, 0, 100))

    def test_reload_good(self):
        """A new source starts, a changed one goes on where it was, a removed one stops."""
        daemon = self.begin()
        self.wait_size(self.out, len(cloudscale.expected_lines(1, 0, 100)))
        second = self.simulator("--project", "other=2:60")
        out = self.dir / "second.ndjson"
        self.configure(
            self.source(self.sim.url, more="interval = 2s\nsinks = archive"),
            self.source(second.url, "second", "other", more="interval = 200ms\nsinks = more"),
            self.file_sink(),
            self.file_sink("more", out),
        )
        mark = daemon.mark()
        daemon.signal(signal.SIGHUP)
        daemon.wait_log("reload", mark)
        self.wait_size(out, len(cloudscale.expected_lines(2, 0, 60)))
        self.assert_output(cloudscale.expected_lines(2, 0, 60), out)
        self.assert_output(cloudscale.expected_lines(1, 0, 100))
        self.configure(
            self.source(second.url, "second", "other", more="interval = 200ms"),
            self.file_sink("more", out),
        )
        mark = daemon.mark()
        daemon.signal(signal.SIGHUP)
        daemon.wait_log("reload", mark)
        asked = self.sim.stats()["requests"]
        polls = second.stats()["requests"]
        wait_until(lambda: second.stats()["requests"] >= polls + 4, "polls of the kept source")
        self.assertLessEqual(self.sim.stats()["requests"], asked + 1)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assert_output(cloudscale.expected_lines(2, 0, 60), out)

    def test_reload_without_its_folder(self):
        """conf.d that is there and cannot be listed takes no source away."""
        folder = self.dir / "conf.d"
        folder.mkdir()
        daemon = self.begin()
        daemon.wait_log("up to date for the first time")
        self.assertEqual(daemon.stop(), 0)
        text = self.conf.read_text()
        at, end = text.index("[source "), text.index("[sink ")
        (folder / "acme.conf").write_text(text[at:end])
        self.conf.write_text(text[:at] + text[end:])
        daemon = self.daemon()
        polls = self.sim.stats()["requests"]
        wait_until(lambda: self.sim.stats()["requests"] >= polls + 2, "polls")
        for broken in (lambda: folder.symlink_to(self.dir / "not mounted"), lambda: folder.symlink_to(folder)):
            folder.rename(self.dir / "aside")
            broken()
            mark = daemon.mark()
            daemon.signal(signal.SIGHUP)
            self.assertIn("conf.d: cannot be read: ", daemon.wait_log("error: ", mark))
            daemon.wait_log("the old one stays in use", mark)
            polls = self.sim.stats()["requests"]
            wait_until(lambda: self.sim.stats()["requests"] >= polls + 2, "polls after the reload")
            self.check(78)
            folder.unlink()
            (self.dir / "aside").rename(folder)

    def test_reload_broken(self):
        """The old configuration stays as a whole and the log says why."""
        daemon = self.begin()
        self.wait_size(self.out, len(cloudscale.expected_lines(1, 0, 100)))
        good = self.conf.read_text()
        self.conf.write_text(good.replace("interval = 200ms", "intervall = 1s") + "\n[sink x]\n")
        mark = daemon.mark()
        daemon.signal(signal.SIGHUP)
        line = daemon.wait_log("intervall", mark)
        last = daemon.wait_log("the old one stays in use", mark)
        # errors like any other: the causes first, in the order of the file, then what follows
        told = [line for line in daemon.text(mark).splitlines() if line.startswith("error: ")]
        self.assertRegex(told[0], r"^error: .*/trawld\.conf:%d: .*`intervall`" % (
            1 + good.splitlines().index("interval = 200ms")))
        self.assertRegex(told[1], r"^error: .*/trawld\.conf:%d: .*\bneeds `type`" % (
            2 + len(good.splitlines())))
        self.assertEqual(told[2:], [last])
        self.assertIn("the new configuration has 2 errors", last)
        polls = self.sim.stats()["requests"]
        wait_until(lambda: self.sim.stats()["requests"] >= polls + 2, "polls after the reload")
        self.assertIsNone(daemon.process.poll())
        self.conf.unlink()
        mark = daemon.mark()
        daemon.signal(signal.SIGHUP)
        daemon.wait_log("trawld.conf", mark)
        self.conf.write_text(good)
        mark = daemon.mark()
        daemon.signal(signal.SIGHUP)
        daemon.wait_log("reload", mark)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertNotIn(TOKEN, daemon.text())
        self.assert_output(cloudscale.expected_lines(1, 0, 100))

    def test_reopen(self):
        """As logrotate does: rename, SIGUSR1; nothing lost or twice over both files."""
        daemon = self.begin(900, visible=300)
        self.wait_size(self.out, len(cloudscale.expected_lines(1, 0, 300)))
        old = self.dir / "out.ndjson.1"
        for visible in (600, 900):
            self.out.rename(old.with_suffix(".%d" % visible))
            daemon.signal(signal.SIGUSR1)
            self.sim.control(visible=visible)
            wait_until(self.out.exists, "the new file")
            rest = b"".join(p.read_bytes() for p in sorted(self.dir.glob("out.ndjson.*")))
            self.wait_size(self.out, len(cloudscale.expected_lines(1, 0, visible)) - len(rest))
        self.assertEqual(daemon.stop(), 0, daemon.text())
        parts = [*sorted(self.dir.glob("out.ndjson.*")), self.out]
        whole = self.dir / "whole"
        whole.write_bytes(b"".join(p.read_bytes() for p in parts))
        self.assert_output(cloudscale.expected_lines(1, 0, 900), whole)

    def begin_slowly(self, *numbers):
        """The daemon gets signals NUMBERS while it reads its configuration, from a FIFO."""
        self.fifo = self.dir / "slow.conf"
        os.mkfifo(self.fifo)
        daemon = harness.Daemon(["-c", str(self.fifo)], self.environment())
        self.addCleanup(daemon.kill)
        self.sim = self.cloudscale(10)
        self.configure(self.source(self.sim.url), self.file_sink())
        with self.open_fifo() as file:
            for number in numbers:
                daemon.signal(number)
            file.write(self.conf.read_bytes())
        return daemon

    def open_fifo(self):
        """For writing, once the daemon has it open for reading."""

        def opened():
            try:
                return os.open(self.fifo, os.O_WRONLY | os.O_NONBLOCK)
            except OSError as error:
                self.assertEqual(error.errno, errno.ENXIO)

        return os.fdopen(wait_until(opened, "a reader of the FIFO"), "wb")

    def test_before_the_loop(self):
        """Signals that come before the loop runs are neither lost nor fatal."""
        daemon = self.begin_slowly(signal.SIGUSR1, signal.SIGUSR2)
        daemon.wait_log("reopening files")
        daemon.wait_log("polling every source now")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_reload_before_the_loop(self):
        daemon = self.begin_slowly(signal.SIGHUP)
        daemon.wait_log("state in")
        with self.open_fifo() as file:
            file.write(self.conf.read_bytes())
        daemon.wait_log("reloaded")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_stop_before_the_loop(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=number):
                self.setUp()
                daemon = self.begin_slowly(number)
                self.assertEqual(daemon.wait(), 0, daemon.text())
                self.assertIn("stopping", daemon.text())

    def test_log_that_nobody_reads(self):
        """A full pipe as standard error holds up nothing; what was lost is counted."""
        self.sim = self.cloudscale(200)
        self.sim.control(visible=100)
        self.configure(
            self.source(self.sim.url, more="interval = 10ms"),
            self.file_sink(),
            daemon="log_level = debug",
        )
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        # what it writes at start finds the pipe full already
        os.set_blocking(writer, False)
        with self.assertRaises(BlockingIOError):
            while True:
                os.write(writer, b"." * 4096)
        os.set_blocking(writer, True)
        process = subprocess.Popen(
            [harness.TRAWLD, "-c", self.conf], env=self.environment(), stderr=writer
        )
        os.close(writer)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.wait_size(self.out, len(cloudscale.expected_lines(1, 0, 100)))
        self.sim.control(visible=200)
        self.wait_size(self.out, len(cloudscale.expected_lines(1, 0, 200)))
        shown = b""
        while b"log lines were lost" not in shown:
            shown += os.read(reader, 65536)
        process.send_signal(signal.SIGTERM)
        while os.read(reader, 65536):
            pass
        self.assertEqual(process.wait(30 * harness.PATIENCE), 0)
        self.assert_output(cloudscale.expected_lines(1, 0, 200))

    def test_poll_now(self):
        daemon = self.begin(200, more="interval = 1h")
        first = len(cloudscale.expected_lines(1, 0, 200))
        self.wait_size(self.out, first)
        polls = self.sim.stats()["requests"]
        daemon.signal(signal.SIGUSR2)
        wait_until(lambda: self.sim.stats()["requests"] > polls, "a poll after SIGUSR2")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_second_daemon(self):
        first = self.begin()
        self.wait_size(self.out, 1)
        for mode in ([], ["--once"]):
            result = self.trawld("-c", str(self.conf), *mode)
            self.assertIn(result.code, (73, 75), result.err)
            self.assertIn(str(first.pid), result.err)
        self.check(0)
        self.assertEqual(first.stop(), 0, first.text())
        self.once()
        self.assert_output(cloudscale.expected_lines(1, 0, 100))

    def test_lock_of_a_dead_daemon(self):
        first = self.begin()
        self.wait_size(self.out, 1)
        first.kill()
        self.once()
        self.assert_output(cloudscale.expected_lines(1, 0, 100))


if __name__ == "__main__":
    harness.main()
