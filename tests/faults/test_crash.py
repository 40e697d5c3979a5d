#!/usr/bin/python3
"""kill -9 at random moments, with every kind of sink whose receiver tells what it has: a file, a file that is rotated,
compressed and sealed, a program and a collector. None of them misses a record, has one twice or out of order.

A program and a collector recognise what is sent again by its ID or key, as the manual tells them to. TRAWLD_FAULTS says
how often trawld is killed (all: 1,000 times); TRAWLD_TEST_SEED repeats a run as far as the moments of kills can be.
"""

import gzip
import os
import random
import shlex
import sys
import time

from on_disk import harness
from harness import wait_until
from http_sink import got
from sealed import GOOD, Sealed

import cloudscale

KILLS = 25
STEP = 100  # new records for each kill


class Crash(Sealed):
    def setUp(self):
        super().setUp()
        seed = int(os.environ.get("TRAWLD_TEST_SEED", random.SystemRandom().randrange(10**9)))
        print("TRAWLD_TEST_SEED=%d" % seed, flush=True)
        self.dice = random.Random(seed)
        self.kills = int(os.environ.get("TRAWLD_FAULTS", str(KILLS)).replace("all", "1000"))
        self.records = self.kills * STEP
        self.expected = cloudscale.expected_lines(1, 0, self.records)
        self.simulator_ = self.cloudscale(self.records, "--page-size", "20")
        self.receiver = self.simulator(name="http_receiver")
        self.folder, self.rotated = self.dir / "program", self.dir / "rotated.ndjson"
        self.folder.mkdir()
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

    def test_crash(self):
        for left in range(self.kills - 1, -1, -1):
            self.simulator_.control(visible=self.records - left * STEP)
            daemon = self.daemon()
            self.wait_moment(daemon, left)
            self.assertIsNone(daemon.process.poll(), daemon.text())
            daemon.kill()
            found = self.out.read_bytes() if self.out.exists() else b""
            self.assertTrue(self.expected.startswith(found), daemon.text())
        log = self.once().err
        self.assert_output(self.expected)
        self.assert_output(self.expected, self.folder / "taken")
        whole = b"".join(self.unpacked(part) for part in self.parts())
        self.assertTrue(whole == self.expected, log)
        self.verify(*self.parts(), "--key", self.public, expect=GOOD)
        taken = [text for request in got(self.receiver, "ndjson") if not request["repeat"] for text in request["records"]]
        self.assertEqual(len(taken), self.records)
        self.assertEqual("".join(text + "\n" for text in taken).encode(), self.expected)
        repeats = sum(request["repeat"] for request in got(self.receiver, "ndjson"))
        print("campaign: %d kills over %d records; %d requests were repeated" % (self.kills, self.records, repeats), flush=True)

    def unpacked(self, path):
        return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


if __name__ == "__main__":
    harness.main()
