#!/usr/bin/python3
"""kill -9 while collectors fail so often that requests to them are halved, and one takes none as large as they are. Each
collector recognises a request by its key, and has no record twice under another one, and misses none. See trawld.conf(5),
poison.

TRAWLD_FAULTS says how often trawld is killed (all: 500 times); TRAWLD_TEST_SEED repeats the choices.
"""

import collections
import os
import random
import time

from on_disk import harness
from harness import wait_until
from http_sink import got

import cloudscale

KILLS = int(os.environ.get("TRAWLD_FAULTS", "20").replace("all", "500"))
STEP = 40  # new records of each source for each kill
SOURCES = 3
# so seldom that twelve in a row do not happen, after which halves may be repeats
FAILS = {"kind": "status", "status": 500, "probability": 0.4, "path": "/ndjson"}
LOSES = {"kind": "close", "probability": 0.1, "path": "/ndjson"}


class Splits(harness.Case):
    def setUp(self):
        super().setUp()
        seed = int(os.environ.get("TRAWLD_TEST_SEED", random.SystemRandom().randrange(10**9)))
        print("TRAWLD_TEST_SEED=%d" % seed, flush=True)
        self.dice = random.Random(seed)
        self.records = (KILLS + 1) * STEP
        self.expected = {name: cloudscale.expected_lines(n + 1, 0, self.records) for n, name in enumerate(("a", "b", "c"))}
        words = [word for n, name in enumerate(self.expected) for word in ("--project", "token-of-%s=%d:%d" % (name, n + 1, self.records))]
        self.api = self.simulator(*words, "--page-size", "20")
        self.receivers = [self.simulator(name="http_receiver") for _ in range(3)]
        self.receivers[2].control(max_body=6 * len(self.expected["a"]) // self.records)
        sections = [self.source(self.api.url, name, "token-of-" + name, "interval = 20ms") for name in self.expected]
        for n, receiver in enumerate(self.receivers):
            receiver.faults(FAILS, LOSES)
            sections.append("[sink far-%d]\ntype = http\nurl = %s/ndjson\nbatch_records = 20\nbatch_age = 20ms\nretry_max = 1s\nin_flight = %d\n"
                            % (n, receiver.url, n + 1))
        self.configure(*sections)

    def n_new(self, receiver):
        return receiver.stats()["new"]["ndjson"]

    def test_splits(self):
        for n in range(KILLS):
            self.api.control(visible=(n + 1) * STEP)
            daemon = self.daemon()
            receiver = self.dice.choice(self.receivers)
            goal = self.n_new(receiver) + self.dice.randrange(1, STEP)
            enough = lambda: daemon.process.poll() is not None or self.n_new(receiver) >= min(goal, (n + 1) * STEP * SOURCES)
            wait_until(enough, "records at a collector", 60)
            self.assertIsNone(daemon.process.poll(), daemon.text())
            time.sleep(self.dice.random() * self.dice.choice((0, 0.02, 0.1)))  # any moment after that is as good
            daemon.kill()
        self.api.control(visible=self.records)
        for receiver in self.receivers:
            receiver.faults()
        daemon = self.daemon()
        for receiver in self.receivers:
            wait_until(lambda: self.n_new(receiver) >= self.records * SOURCES, "all at a collector", 120)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.compare()

    def compare(self):
        everything = collections.Counter(text for lines in self.expected.values() for text in lines.decode().splitlines())
        for n, receiver in enumerate(self.receivers):
            requests = got(receiver, "ndjson")
            found = collections.Counter(text for request in requests if not request["repeat"] for text in request["records"])
            lost, more = everything - found, found - everything
            print("campaign: %d kills, far-%d: %d requests, of which it recognised %d; %d had one record" % (
                KILLS, n, len(requests), sum(r["repeat"] for r in requests), sum(len(r["records"]) == 1 for r in requests)))
            self.assertEqual((lost.total(), more.total()), (0, 0), "lost, or too many at far-%d" % n)


if __name__ == "__main__":
    harness.main()
