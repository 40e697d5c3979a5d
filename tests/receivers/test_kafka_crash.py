#!/usr/bin/python3
"""kill -9 at random moments while records flow to a file, a file that is rotated and compressed, a program and a real broker.
All four have each record once, in order and byte for byte; the broker for readers of what was committed."""

import gzip
import os
import random
import shlex
import sys
import time

from brokers import Case, new_topic, shared_cluster  # first: it finds the next ones

import cloudscale
import harness
from harness import wait_until

KILLS = 75
STEP = 40  # new records for each kill


class Crash(Case):
    def setUp(self):
        super().setUp()
        seed = int(os.environ.get("TRAWLD_TEST_SEED", random.SystemRandom().randrange(10**9)))
        print("TRAWLD_TEST_SEED=%d" % seed, flush=True)
        self.dice = random.Random(seed)
        self.expected = cloudscale.expected_lines(1, 0, KILLS * STEP)
        self.cluster = shared_cluster()
        self.topic = new_topic(self.cluster)
        self.cloud = self.cloudscale(KILLS * STEP, "--page-size", "20")
        self.folder, self.rotated = self.dir / "program", self.dir / "rotated.ndjson"
        self.folder.mkdir()
        child = [sys.executable, harness.SOURCE_ROOT / "tests/system/exec_child.py", self.folder]
        self.configure(
            self.source(self.cloud.url, more="interval = 50ms"),
            self.file_sink(),
            self.file_sink("rotated", self.rotated, "max_size = 64KiB\ncompress = gzip\n"),
            "[sink program]\ntype = exec\ncommand = %s\nretry_max = 1s\n" % shlex.join(map(str, child)),
            self.sink(self.cluster, self.topic),
            daemon="log_level = debug",
        )

    def served(self):
        return self.cloud.stats()["served"].get(harness.TOKEN, 0)

    def wait_moment(self, daemon, goal):
        """Somewhere between the start and a job that the broker has acknowledged."""
        kind = self.dice.choice(("start", "read", "job", "acknowledged"))
        of_kafka = lambda text: any("sink bus" in line and text in line for line in list(daemon.log))
        questions = {
            "start": lambda: daemon.mark() > 0,
            "read": lambda: self.served() >= goal - self.dice.randrange(STEP),
            "job": lambda: of_kafka("job: batches"),
            "acknowledged": lambda: of_kafka("acknowledged up to"),
        }
        wait_until(questions[kind], kind, 60)
        time.sleep(self.dice.random() * self.dice.choice((0, 0.02, 0.5)))  # any moment after that is as good

    def test_crash(self):
        for n in range(1, KILLS + 1):
            self.cloud.control(visible=n * STEP)
            daemon = self.daemon()
            self.wait_moment(daemon, n * STEP)
            self.assertIsNone(daemon.process.poll(), daemon.text())
            daemon.kill()
            found = self.out.read_bytes() if self.out.exists() else b""
            self.assertTrue(self.expected.startswith(found), daemon.text())
        log = self.once(seconds=300).err
        self.assert_output(self.expected)
        self.assert_output(self.expected, self.folder / "taken")
        self.assertTrue(self.archived() == self.expected, log)
        self.assert_read(self.cluster, self.topic, self.expected.splitlines())
        print("campaign: %d kills while %d records flowed to two files, a program and Kafka" % (KILLS, KILLS * STEP), flush=True)

    def archived(self):
        """The rotated files, the one that is written last; not what a crash left of a compression."""
        parts = {}
        for path in self.dir.glob("rotated.ndjson.0*"):
            if path.suffix in (".gz", "") or path.suffix[1:].isdigit():
                name = path.name.removesuffix(".gz")
                parts[name] = min(parts.get(name, path), path, key=lambda p: len(p.name))
        return b"".join(
            gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            for path in [parts[name] for name in sorted(parts)] + [self.rotated]
        )


if __name__ == "__main__":
    harness.main()
