#!/usr/bin/python3
"""kill -9 at random moments, with every kind of sink. A file, a file that is rotated, compressed and sealed, a program and
a collector miss no record, and have none twice or out of order; a program and a collector recognise what is sent again by
its ID or key, as the manual tells them to. The others (receivers.py) miss none, and have none out of order.

Every round kills trawld 25 times and then compares. TRAWLD_FAULTS says how often it is killed in all (all: 1,000 times).
TRAWLD_TALLY, a file: rounds that it lists are not run again, so that a long run can be interrupted.
TRAWLD_TEST_SEED repeats a run as far as the moments of kills can be.
"""

import gzip
import os
import pathlib
import random
import shlex
import sys
import tempfile
import time
import unittest

from on_disk import harness
from harness import wait_until
from http_sink import got
from sealed import GOOD, Sealed

import cloudscale
import receivers

KILLS = 25  # of a round
STEP = 100  # new records for each kill
TALLY = pathlib.Path(os.environ.get("TRAWLD_TALLY") or tempfile.mktemp(prefix="trawld-test-"))


class Crash(Sealed):
    def setUp(self):
        super().setUp()
        seed = int(os.environ.get("TRAWLD_TEST_SEED", random.SystemRandom().randrange(10**9)))
        print("TRAWLD_TEST_SEED=%d" % seed, flush=True)
        self.dice = random.Random(seed)
        self.records = KILLS * STEP
        self.expected = cloudscale.expected_lines(1, 0, self.records)
        self.simulator_ = self.cloudscale(self.records, "--page-size", "20")
        self.receiver = self.simulator(name="http_receiver")
        self.folder, self.rotated = self.dir / "program", self.dir / "rotated.ndjson"
        self.folder.mkdir()
        self.others = receivers.all_of(self.dir)
        for other in self.others:
            self.addCleanup(other.stop)
        child = [sys.executable, harness.SOURCE_ROOT / "tests/system/exec_child.py", self.folder]
        self.configure(
            self.source(self.simulator_.url, more="interval = 20ms"),
            self.file_sink(),
            self.file_sink(
                "rotated", self.rotated, "max_size = 64KiB\ncompress = gzip\nseal = 1s\nseal_key = ${file:%s}\n" % self.key
            ),
            "[sink program]\ntype = exec\ncommand = %s\nretry_max = 1s\n" % shlex.join(map(str, child)),
            "[sink far]\ntype = http\nurl = %s/ndjson\nbatch_records = 50\nbatch_age = 0\nretry_max = 1s\n"
            % self.receiver.url,
            *(other.sink() for other in self.others),
        )

    def served(self):
        return self.simulator_.stats()["served"].get(harness.TOKEN, 0)

    def wait_moment(self, daemon, left):
        """Somewhere between the start and a little after the last record is read."""
        kind = self.dice.choice(("start", "read", "file", "program", "size"))
        goal = self.dice.randrange(STEP) + self.records - (left + 1) * STEP
        size = goal * len(self.expected) // self.records
        questions = {
            "start": lambda: daemon.mark() > 0,
            "read": lambda: self.served() >= goal,
            "file": lambda: self.size(self.out) >= size,
            "program": lambda: self.size(self.folder / "taken") >= size,
            "size": lambda: self.size(self.rotated) >= self.dice.randrange(64 << 10),
        }
        over = lambda: daemon.process.poll() is not None or self.served() >= self.records - left * STEP
        wait_until(lambda: questions[kind]() or over(), kind)
        time.sleep(self.dice.random() * self.dice.choice((0, 0.02, 0.1)))  # any moment after that is as good

    def size(self, path):
        try:
            return path.stat().st_size
        except FileNotFoundError:
            return 0

    def parts(self):
        """The rotated files: compressed, plain, and what a crash left of a compression beside a plain one."""
        found = {}
        for path in self.dir.glob("rotated.ndjson.0*"):
            if path.suffix in (".gz", "") or path.suffix[1:].isdigit():
                name = path.name.removesuffix(".gz")
                found[name] = min(found.get(name, path), path, key=lambda p: len(p.name))
        return [found[name] for name in sorted(found)] + [self.rotated]

    def start(self, *arguments):
        daemon = harness.Daemon(["-c", str(self.conf), *arguments], self.environment(), self.dir / "stdout")
        self.addCleanup(daemon.kill)
        return daemon

    def test_crash(self):
        for left in range(KILLS - 1, -1, -1):
            self.simulator_.control(visible=self.records - left * STEP)
            daemon = self.start()
            self.wait_moment(daemon, left)
            self.assertIsNone(daemon.process.poll(), daemon.text())
            daemon.kill()
            found = self.out.read_bytes() if self.out.exists() else b""
            self.assertTrue(self.expected.startswith(found), daemon.text())
        last = self.start("--once")
        code, log = last.wait(120), last.text()
        self.assertEqual(code, 0, log)
        self.assert_output(self.expected)
        self.assert_output(self.expected, self.folder / "taken")
        whole = b"".join(self.unpacked(part) for part in self.parts())
        self.assertTrue(whole == self.expected, log)
        self.verify(*self.parts(), "--key", self.public, expect=GOOD)
        taken = [text for request in got(self.receiver, "ndjson") if not request["repeat"] for text in request["records"]]
        lines = self.expected.decode().splitlines()
        self.assertEqual(taken, lines)
        for other in self.others:
            with self.subTest(sink=other.kind):
                wait_until(lambda: receivers.is_in_order(other.texts(), lines), "all records in order")
        repeats = sum(request["repeat"] for request in got(self.receiver, "ndjson"))
        with open(TALLY, "a") as file:
            file.write("%d requests of %d sinks\n" % (repeats, 4 + len(self.others)))

    def unpacked(self, path):
        return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def rounds():
    return TALLY.read_text().splitlines() if TALLY.exists() else []


def load_tests(loader, tests, pattern):
    kills = int(os.environ.get("TRAWLD_FAULTS", str(KILLS)).replace("all", "1000"))
    return unittest.TestSuite(Crash("test_crash") for _ in range(len(rounds()), max(1, kills // KILLS)))


def tearDownModule():
    print(
        "campaign: %d kills while %d records flowed; %d requests were repeated"
        % (len(rounds()) * KILLS, len(rounds()) * KILLS * STEP, sum(int(line.split()[0]) for line in rounds())),
        flush=True,
    )
    if "TRAWLD_TALLY" not in os.environ:
        TALLY.unlink(missing_ok=True)


if __name__ == "__main__":
    harness.main()
