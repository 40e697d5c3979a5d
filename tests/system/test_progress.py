#!/usr/bin/python3
"""What --once shows while it runs: drawn in place on a terminal, plain lines elsewhere."""

import codecs
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

import harness

import cloudscale
import primitives

SEQUENCE = re.compile(r"\033\[(\d*)([A-Za-z])")


class Screen:
    """What a terminal shows that knows the few sequences which trawld uses."""

    def __init__(self):
        self.lines = [""]
        self.row = self.column = 0

    def feed(self, text):
        at = 0
        while at < len(text):
            sequence = SEQUENCE.match(text, at)
            if sequence:
                self.move(sequence.group(2), int(sequence.group(1) or 0))
                at = sequence.end()
                continue
            self.put(text[at])
            at += 1

    def move(self, letter, number):
        if letter == "A":
            self.row -= number
            assert self.row >= 0, "above the first line"
        elif letter == "K":
            self.lines[self.row] = self.lines[self.row][: self.column]
        elif letter == "J":
            self.lines[self.row] = self.lines[self.row][: self.column]
            del self.lines[self.row + 1 :]
        else:
            assert letter == "m", letter

    def put(self, character):
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self.row += 1
            self.column = 0
            if self.row == len(self.lines):
                self.lines.append("")
        else:
            assert character >= " ", repr(character)
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[: self.column] + character + line[self.column + 1 :]
            self.column += 1


class Terminal:
    """A run of trawld on a pseudo terminal of its own."""

    def __init__(self, case, rows=24, columns=120, out=subprocess.DEVNULL, **environment):
        self.master, slave = pty.openpty()
        case.addCleanup(os.close, self.master)
        self.resize(rows, columns)
        self.process = subprocess.Popen(
            [harness.TRAWLD, "-c", str(case.conf), "--once"],
            env={**case.environment(), "TERM": "xterm", **environment},
            stdin=slave,
            stdout=slave if out is None else out,
            stderr=slave,
        )
        case.addCleanup(lambda: (self.process.kill(), self.process.wait()))
        os.close(slave)
        self.text = ""
        self.decoder = codecs.getincrementaldecoder("utf-8")()  # a read may end within a character

    def resize(self, rows, columns):
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, size)

    def read(self, seconds):
        """False: it has ended."""
        ready, _, _ = select.select([self.master], [], [], seconds)
        if not ready:
            raise AssertionError("waited in vain, the terminal got %r" % self.text)
        try:
            self.text += self.decoder.decode(os.read(self.master, 65536))
            return True
        except OSError:
            return False

    def wait_for(self, pattern, seconds=60):
        deadline = time.monotonic() + seconds * harness.PATIENCE
        while not re.search(pattern, self.text):
            if not self.read(max(deadline - time.monotonic(), 0)):
                raise AssertionError("it ended, the terminal got %r" % self.text)

    def end(self, expect=0):
        while self.read(120 * harness.PATIENCE):
            pass
        code = self.process.wait()
        if code != expect:
            raise AssertionError("exit %d: %r" % (code, self.text))
        return self.text

    def screen(self):
        screen = Screen()
        screen.feed(self.text)
        return screen.lines


class Progress(harness.Case):
    def begin(self, *sources, level="info", **options):
        self.configure(*sources, self.file_sink(), daemon="log_level = " + level)
        return Terminal(self, **options)

    def slow(self, count=2000, seed=1):
        """A simulator that takes a while, until its delay is taken from it."""
        return self.cloudscale(count, "--page-size", "10", "--delay", "0.05", seed=seed)

    def test_drawn(self):
        """A line a source, drawn anew in place; the log stands above it, the result remains."""
        sim, other = self.slow(), self.simulator("--project", "other=2:60")
        run = self.begin(
            self.source(sim.url), self.source(other.url, "second", "other"), level="debug"
        )
        run.wait_for(r"acme +\d{2,} records, \d+/s, read up to 20\d\d-\d\d-\d\dT\S+Z")
        run.wait_for(r"second +60 records, up to date, newest 20\d\d-")
        sim.control(delay=0)
        text = run.end()
        self.assertGreater(text.count("acme "), 3)
        lines = run.screen()
        self.assertEqual(len([line for line in lines if re.match(r"acme  ", line)]), 1, lines)
        self.assertEqual(len([line for line in lines if re.match(r"second  ", line)]), 1, lines)
        at = next(i for i, line in enumerate(lines) if line.startswith("acme  "))
        self.assertRegex(lines[at], r"^acme    2000 records, up to date, newest ")
        self.assertIn("\033[32m", text)
        # the report follows below, nothing of the log was drawn over
        self.assertTrue(any("2000 new records" in line for line in lines[at + 2 :]), lines)
        self.assertTrue(any(line.startswith("info: trawld ") for line in lines[:at]), lines)
        self.assertEqual(self.out.read_bytes().count(b"\n"), 2060)

    def test_log_between(self):
        """A line that is logged while it is drawn stands above the drawing."""
        sim = self.slow()
        run = self.begin(self.source(sim.url))
        run.wait_for(r"acme +\d{2,} records")
        sim.faults({"kind": "status", "status": 503, "times": 1})
        run.wait_for(r"acme +\d+ records[^\n]*, retrying: [^\n]*503")
        self.assertIn("\033[31m", run.text)
        run.wait_for("works again")
        sim.control(delay=0)
        run.end()
        lines = run.screen()
        warning = next(i for i, line in enumerate(lines) if line.startswith("warning: "))
        again = next(i for i, line in enumerate(lines) if "works again" in line)
        at = next(i for i, line in enumerate(lines) if line.startswith("acme  "))
        self.assertLess(warning, again)
        self.assertLess(again, at)

    def test_no_color(self):
        sim = self.cloudscale(100)
        text = self.begin(self.source(sim.url), NO_COLOR="1").end()
        self.assertRegex(text, r"acme  100 records, up to date")
        self.assertNotRegex(text, r"\033\[\d*m")
        self.assertIn("\033[K", text)
        text = self.begin(self.source(sim.url), NO_COLOR="").end()
        self.assertRegex(text, r"\033\[32m")

    def test_narrow(self):
        """Cut, so that no line wraps and the drawing stays in its place."""
        sim = self.slow()
        run = self.begin(self.source(sim.url), level="error", columns=20)
        run.wait_for(r"acme +\d{2,} rec")
        sim.control(delay=0)
        run.end()
        self.assertEqual(run.screen(), ["acme  2000 records,", ""])

    def test_resized(self):
        """The next drawing is for the size that the terminal has then."""
        sims = [self.slow(seed=seed) for seed in range(1, 5)]
        sources = [self.source(sim.url, "s%d" % i) for i, sim in enumerate(sims)]
        run = self.begin(*sources, level="error")
        run.wait_for(r"s3 +\d{2,} records, \d+/s, read up to 20\d\d-\d\d-\d\dT\S+Z")
        run.resize(24, 16)
        run.text = ""
        run.wait_for(r"s3  \d+ rec[ords,]*\033\[K")
        run.resize(3, 120)
        run.text = ""
        run.wait_for(r"\n\d of 4 sources are done")
        for sim in sims:
            sim.control(delay=0)
        text = run.end()
        self.assertTrue(text.endswith("4 of 4 sources are done\033[K\n\033[J".replace("\n", "\r\n")))

    def test_more_sources_than_lines(self):
        sims = [self.simulator("--project", "p=%d:20" % seed) for seed in range(1, 3)]
        slow = self.slow()
        sources = [self.source(slow.url, "slow")]
        sources += [self.source(sims[i % 2].url, "s%02d" % i, "p") for i in range(30)]
        run = self.begin(*sources, level="error", rows=10)
        run.wait_for(r"slow +\d{2,} records[^\n]*\n[^\n]*30 of 31 sources are done")
        slow.control(delay=0)
        run.end()
        self.assertEqual(run.screen(), ["31 of 31 sources are done", ""])

    def test_given_up_among_many(self):
        """What was given up is not told as done."""
        sim = self.simulator("--project=p=1:20", "--project=bad=2:20")
        sim.control(forbidden=["bad"])
        sources = [self.source(sim.url, "s%02d" % i, "bad" if i == 7 else "p") for i in range(30)]
        run = self.begin(*sources, level="error", rows=10)
        run.end(75)
        self.assertEqual(run.screen()[-2:], ["29 of 30 sources are done, 1 gave up", ""])

    def test_dumb(self):
        sim = self.cloudscale(100)
        text = self.begin(self.source(sim.url), TERM="dumb").end()
        self.assertNotIn("\033", text)
        self.assertIn("up to date: 100 new records", text)

    def test_records_on_the_terminal(self):
        """Standard output is the same terminal: nothing is drawn into the records."""
        sim = self.cloudscale(100)
        self.configure(self.source(sim.url), "[sink screen]\ntype = stdout\n")
        text = Terminal(self, out=None).end()
        self.assertNotIn("\033", text)
        self.assertGreaterEqual(text.count('{"'), 100)

    def test_no_terminal(self):
        sim = self.slow(100_000)
        self.configure(self.source(sim.url), self.file_sink())
        run = harness.Daemon(["-c", str(self.conf), "--once"], self.environment())
        self.addCleanup(run.kill)
        line = run.wait_log("so far")
        self.assertRegex(line, r"^info: source acme .*so far \d+ records, \d+/s, read up to 20\d\d-")
        self.assertNotIn("\033", run.text())
        self.assertEqual(run.stop(), 75, run.text())

    def windows(self, name="buckets", count=500):
        """An API that is asked by windows, a day of records behind it, slow."""
        first = int(time.time()) // 3600 * 3600 - 25 * 3600
        sim = self.simulator(
            "--api", name, "--first", str(first), "--count", str(count), "--delay", "0.5",
            name="primitives",
        )
        source = "[source habit]\nprovider = %s\nendpoint = %s\nrate = off\nstart = %s\n" % (
            name, sim.url, primitives.simlib.iso(first * 10**6),
        )
        folder = harness.SOURCE_ROOT / "tests" / "definitions"
        self.configure(source, self.file_sink(), providers=folder)
        return sim

    def test_window(self):
        """Sources that are asked by windows tell how much of the time is left."""
        sim = self.windows()
        run = Terminal(self)
        run.wait_for(r"habit +\d+ records, \d+/s, read up to 20\S+Z of 20\S+Z \([1-9]\d?%\)")
        sim.control(delay=0)
        run.end()
        shares = [int(share) for share in re.findall(r"\((\d+)%\)", run.text)]
        self.assertEqual(shares, sorted(shares))
        self.assertLessEqual(shares[-1], 100)

    def test_ended_from_outside(self):
        """Where it stood remains on the screen."""
        sim = self.slow(100_000)
        run = self.begin(self.source(sim.url))
        run.wait_for(r"acme +\d{2,} records")
        run.process.terminate()
        run.end(75)
        lines = run.screen()
        self.assertEqual(len([line for line in lines if line.startswith("acme  ")]), 1, lines)
        self.assertTrue(any("not finished" in line for line in lines), lines)


if __name__ == "__main__":
    harness.main()
