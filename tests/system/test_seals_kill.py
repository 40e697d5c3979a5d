#!/usr/bin/python3
"""Seals across kill -9: each is in its file once, one chain holds, and what is sealed verifies after each kill.

TRAWLD_TEST_SEED repeats a run of the kills.
"""

import os
import random

import harness
from harness import TOKEN, wait_until
from sealed import GOOD, Sealed


class Killing(Sealed):
    def kill_often(self, simulator, rounds, records):
        """RECORDS are collected while trawld is killed ROUNDS times."""
        seed = int(os.environ.get("TRAWLD_TEST_SEED", random.SystemRandom().randrange(10**9)))
        print("TRAWLD_TEST_SEED=%d" % seed, flush=True)
        dice = random.Random(seed)
        served = 0
        for left in range(rounds - 1, -1, -1):
            goal = max(served + 100, records * (rounds - left) // rounds)
            simulator.control(visible=min(goal, records))
            daemon = self.daemon()
            size, seals = self.size(self.out), self.size(self.seals)
            wanted = dice.randrange(1, 30000)
            if dice.random() < 0.6:  # a moment while records are written
                question = lambda: abs(self.size(self.out) - size) >= wanted
            else:  # while a seal is
                question = lambda: self.size(self.seals) > seals
            finished = lambda: simulator.stats()["served"].get(TOKEN, 0) >= min(goal, records)
            wait_until(lambda: question() or finished() or daemon.process.poll() is not None, "a moment to kill")
            self.assertIsNone(daemon.process.poll(), daemon.text())
            daemon.kill()
            served = simulator.stats()["served"].get(TOKEN, 0)
            if self.seals.exists() and b"\n" in self.seals.read_bytes():
                self.verify(self.out, "--key", self.public, expect=GOOD)
        simulator.control(visible=records)
        self.once()

    def size(self, path):
        try:
            return path.stat().st_size
        except FileNotFoundError:
            return 0


class Kill(Killing):
    def run_kills(self, rounds, records, more):
        simulator = self.cloudscale(records, "--page-size", "100")
        self.sealed(simulator.url, more, seal="1s")
        self.kill_often(simulator, rounds, records)
        found = self.verify(self.out, "--key", self.public, "--anchor", self.anchor, expect=GOOD)
        self.assertEqual((found["records"], found["sealed"]), (records, records))
        self.assertEqual(len(found["chains"]), 1)
        self.assertEqual(self.anchor.read_bytes(), self.seals.read_bytes())

    def test_rotation(self):
        self.run_kills(35, 20_000, "max_size = 128KiB\ncompress = gzip")

    def test_plain(self):
        self.run_kills(35, 10_000, "")


if __name__ == "__main__":
    harness.main()
