#!/usr/bin/python3
"""kill -9 while receivers refuse requests and records at one time and take them at another. No record is lost, none that
had become a dead letter is sent again, and none becomes one twice. What a receiver had taken may be refused when it
comes again after a kill: such records are counted. See RELIABILITY.md, where the promises end.

TRAWLD_FAULTS says how often trawld is killed (all: 500 times); TRAWLD_TEST_SEED repeats the choices.
"""

import collections
import json
import os
import random
import time

from on_disk import harness
from harness import wait_until
from http_sink import got

import cloudscale

KILLS = int(os.environ.get("TRAWLD_FAULTS", "12").replace("all", "500"))
STEP = 40  # new records of each source for each kill
FAULTS = [
    {"kind": "status", "status": 400, "probability": 0.1, "path": "/ndjson"},
    {"kind": "close", "probability": 0.1, "path": "/ndjson"},
]


class Receiver:
    def __init__(self, case, number):
        self.simulator = case.simulator(name="http_receiver")
        self.path = case.state / "dead-letters" / ("far-%d.ndjson" % number)
        self.dead, self.had = set(), set()  # at the last kill
        self.n_dead_first = self.n_had_first = 0

    def letters(self):
        """The dead letters, without those of a job that the kill left incomplete."""
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        jobs = [json.loads(line)["job"] for line in lines if line.endswith("}")]
        nth, count = map(int, jobs[-1].split()[-1].split("/")) if jobs else (0, 0)
        whole = len(jobs) if nth == count else len(jobs) - nth
        return collections.Counter(line.partition(',"record":')[2][:-1] for line in lines[:whole])

    def taken(self):
        return collections.Counter(record for r in got(self.simulator, "ndjson") if not r["repeat"] for record in r["records"])

    def look(self):
        """After each kill: which records became both since the last one, and what they were before."""
        dead, had = set(self.letters()), set(self.taken())
        self.n_dead_first += len((self.dead - self.had) & had)
        self.n_had_first += len((self.had - self.dead) & dead)
        self.dead, self.had = dead, had


class Refusals(harness.Case):
    def setUp(self):
        super().setUp()
        seed = int(os.environ.get("TRAWLD_TEST_SEED", random.SystemRandom().randrange(10**9)))
        print("TRAWLD_TEST_SEED=%d" % seed, flush=True)
        self.dice = random.Random(seed)
        self.n_records = (KILLS + 1) * STEP
        self.lines = [cloudscale.expected_lines(n, 0, self.n_records).decode().splitlines() for n in (1, 2, 3)]
        self.count = collections.Counter(line for lines in self.lines for line in lines)
        words = [word for n in (1, 2, 3) for word in ("--project", "token-of-%d=%d:%d" % (n, n, self.n_records))]
        self.api = self.simulator(*words, "--page-size", "20")
        self.receivers = [Receiver(self, number) for number in range(2)]
        sections = [self.source(self.api.url, "s%d" % n, "token-of-%d" % n, "interval = 20ms") for n in (1, 2, 3)]
        for number, receiver in enumerate(self.receivers):
            sections.append("[sink far-%d]\ntype = http\nurl = %s/ndjson\nbatch_records = 20\nbatch_age = 20ms\nretry_max = 1s\nin_flight = %d\n"
                            % (number, receiver.simulator.url, 2 * number + 1))
        self.configure(*sections)

    def single(self, *steps):
        """Records of these steps that no other is equal to."""
        found = [line for lines in self.lines for step in steps for line in lines[step * STEP : (step + 1) * STEP]]
        return [line for line in found if self.count[line] == 1]

    def run_and_kill(self, step):
        self.api.control(visible=(step + 1) * STEP)
        for receiver in self.receivers:
            receiver.simulator.control(poison=self.dice.sample(self.single(step, max(step - 1, 0)), 12))
            receiver.simulator.faults(*FAULTS)
        daemon, receiver = self.daemon(), self.dice.choice(self.receivers)
        goal = receiver.taken().total() + self.dice.randrange(1, STEP)
        until = time.monotonic() + 1.5  # all may be refused for longer
        enough = lambda: time.monotonic() > until or receiver.taken().total() >= goal
        wait_until(enough, "records at a receiver")
        self.assertIsNone(daemon.process.poll(), daemon.text())
        time.sleep(self.dice.random() * self.dice.choice((0, 0.02, 0.1)))  # any moment after that is as good
        daemon.kill()

    def test_refusals(self):
        for step in range(KILLS):
            self.run_and_kill(step)
            for receiver in self.receivers:
                receiver.look()
        self.api.control(visible=self.n_records)
        for receiver in self.receivers:
            receiver.simulator.control(poison=[])
            receiver.simulator.faults()
        daemon = self.daemon()
        for receiver in self.receivers:
            there = lambda: receiver.taken().keys() | receiver.letters().keys() >= self.count.keys()
            wait_until(there, "all records", 120)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        for number, receiver in enumerate(self.receivers):
            receiver.look()
            letters = receiver.letters()
            twice = [line for line in letters if letters[line] > self.count[line]]
            print("campaign: %d kills, far-%d: %d dead letters; %d records had been taken before" % (
                KILLS, number, letters.total(), receiver.n_had_first), flush=True)
            self.assertEqual((receiver.n_dead_first, twice), (0, []))


if __name__ == "__main__":
    harness.main()
