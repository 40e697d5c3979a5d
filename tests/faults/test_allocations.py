#!/usr/bin/python3
"""Memory that cannot be allocated, anywhere in a run: one allocation fails, or all from then on.

trawld never crashes: it ends with an exit status that trawld(8) lists, or nothing is missing. The next run, with memory,
has every record once in the archive, and at the collector, which recognises repeats by their key. Chance selects
those that fail: TRAWLD_FAULTS says how many, or all, or which (1-500: several processes can share them).
TRAWLD_TEST_SEED repeats a run.
"""

import os
import random
import shutil

from on_disk import harness

import cloudscale

RECORDS = 150
POINTS = 40
GOOD_CODES = (0, 70, 73, 75, 78)


class Allocations(harness.Case):
    def setUp(self):
        super().setUp()
        seed = int(os.environ.get("TRAWLD_TEST_SEED", random.SystemRandom().randrange(10**9)))
        print("TRAWLD_TEST_SEED=%d" % seed, flush=True)
        self.dice = random.Random(seed)
        self.expected = cloudscale.expected_lines(1, 0, RECORDS)
        self.api = self.cloudscale(RECORDS, "--page-size", "50", "--gzip")
        self.receiver = self.simulator(name="http_receiver")
        self.configure(
            self.source(self.api.url),
            self.file_sink(more="max_size = 64KiB\ncompress = gzip"),
            "[sink far]\ntype = http\nurl = %s/ndjson\nbatch_age = 0\nretry_max = 1s\n" % self.receiver.url,
        )
        self.count, self.trace = self.dir / "count", self.dir / "trace"

    def run_failing(self, how=None):
        environment = {"LD_PRELOAD": os.environ["TRAWLD_PRELOAD"], "ALLOC_COUNT": str(self.count)}
        if how:
            environment.update({"ALLOC_FAIL": how, "ALLOC_TRACE": str(self.trace)})
        return self.trawld("-c", str(self.conf), "--once", environment=environment)

    def clean(self):
        shutil.rmtree(self.state, ignore_errors=True)
        for path in self.dir.glob("out.ndjson*"):
            path.unlink()

    def archived(self):
        parts = sorted(self.dir.glob("out.ndjson.0*")) + [self.out]
        plain = [part for part in parts if part.suffix != ".gz"]
        self.assertEqual(plain, parts, "not more than max_size")
        return b"".join(part.read_bytes() for part in parts if part.exists())

    def cases(self, count):
        which = os.environ.get("TRAWLD_FAULTS", str(POINTS))
        if which == "all":
            which = "1-%d" % count
        first, _, last = which.partition("-")
        if last:
            points = range(int(first), min(int(last), count) + 1)
        else:
            # most of them belong to the start of the libraries: half of the points are in the last sixth
            firsts = [self.dice.choice((0, count * 5 // 6)) for _ in range(int(which))]
            points = [self.dice.randrange(first, count) + 1 for first in firsts]
        return [(point, self.dice.choice(("once", "always"))) for point in points]

    def test_allocations(self):
        done = self.run_failing()
        self.assertEqual(done.code, 0, done.err)
        count, codes = int(self.count.read_text()), {}
        for point, how in self.cases(count):
            with self.subTest(allocation=point, how=how):
                code = self.run_case("%d %s" % (point, how))
                codes[code] = codes.get(code, 0) + 1
        print("campaign: allocations: %d of %d failed, exit statuses %s" % (sum(codes.values()), count, codes), flush=True)

    def run_case(self, how):
        self.clean()
        self.trace.unlink(missing_ok=True)
        done = self.run_failing(how)
        told = done.err + (self.trace.read_text() if self.trace.exists() else "")
        self.assertIn(done.code, GOOD_CODES, told)
        self.assertTrue(done.code == 0 or done.err, told)
        if done.code == 0:
            self.assertTrue(self.archived() == self.expected, told)
        again = self.once()
        self.assertTrue(self.archived() == self.expected, told + again.err)
        return done.code


if __name__ == "__main__":
    harness.main()
