#!/usr/bin/python3
"""kill -9 at random moments while records flow: nothing lost, nothing twice, nothing torn.

A moment is chosen by progress, not by time: the round ends when the file, the write-ahead log or
the simulator has come as far as the dice say. TRAWLD_TEST_SEED repeats a run.
"""

import os
import random

import harness
from harness import TOKEN, wait_until

import cloudscale

ROUNDS = 50
RECORDS = 100_000
DELAYED = 20  # kills while an acknowledgement waits


class Kill(harness.Case):
    def size(self, path):
        try:
            return path.stat().st_size
        except FileNotFoundError:
            return 0

    def time(self, path):
        try:
            return path.stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def moment(self, dice, daemon, simulator, left):
        """Waits for a random moment of this round: one of four kinds of progress."""
        file = self.size(self.out)
        kind = dice.choice(("file", "file", "log", "requests", "start"))
        if kind == "file":
            # in the mean the rounds share evenly what is still to come
            goal = file + dice.uniform(0, 2 * (self.total - file) / (left + 1))
            question = lambda: self.size(self.out) >= goal
        elif kind == "log":
            # the log is written over from its beginning: its time tells of a commit, not its size
            wal = self.state / "trawld.db-wal"
            changes, seen = dice.randrange(1, 5), [self.time(wal)]

            def question():
                now = self.time(wal)
                if now != seen[-1]:
                    seen.append(now)
                return len(seen) > changes
        elif kind == "requests":
            goal = simulator.stats()["requests"] + dice.randrange(0, 12)
            question = lambda: simulator.stats()["requests"] >= goal
        else:
            question = lambda: self.size(self.state / "trawld.lock") > 0
        ended = lambda: daemon.process.poll() is not None
        wait_until(lambda: question() or ended() or self.size(self.out) >= self.total, kind)
        return kind

    def test_kill(self):
        seed = int(os.environ.get("TRAWLD_TEST_SEED", random.SystemRandom().randrange(10**9)))
        print("TRAWLD_TEST_SEED=%d" % seed, flush=True)
        dice = random.Random(seed)
        expected = cloudscale.expected_lines(1, 0, RECORDS)
        self.total = len(expected)
        simulator = self.cloudscale(RECORDS, "--page-size", "100", "--delay", "0.004")
        self.configure(self.source(simulator.url, more="interval = 200ms"), self.file_sink())
        unfinished = 0
        for left in range(ROUNDS - 1, -1, -1):
            daemon = self.daemon()
            kind = self.moment(dice, daemon, simulator, left)
            self.assertIsNone(daemon.process.poll(), "ended by itself:\n" + daemon.text())
            daemon.kill()
            self.assertNotIn(TOKEN, daemon.text())
            found = self.out.read_bytes() if self.out.exists() else b""
            unfinished += len(found) < self.total
            # what a reader of the file may see now: all but a torn tail is right
            self.assertEqual(found, expected[: len(found)], "after a kill by " + kind)
        print("%d of %d kills before the end" % (unfinished, ROUNDS), flush=True)
        self.assertGreater(unfinished, ROUNDS * 3 // 4)
        self.once()
        self.assert_output(expected)
        self.once()
        self.assert_output(expected)

    def test_kill_before_the_acknowledgement_is_stored(self):
        """It waits for the next page: the file has what the state does not know of."""
        expected = cloudscale.expected_lines(1, 0, DELAYED * 10)
        lines = expected.splitlines(keepends=True)
        simulator = self.cloudscale(DELAYED * 10, "--page-size", "4")
        self.configure(self.source(simulator.url, more="interval = 20ms"), self.file_sink())
        unstored = 0
        for number in range(1, DELAYED + 1):
            simulator.control(visible=10 * number)
            daemon = self.daemon()
            self.wait_size(self.out, sum(map(len, lines[: 10 * number])))
            daemon.kill()
            self.assertEqual(self.out.read_bytes(), expected[: self.size(self.out)], daemon.text())
            unstored += bool(self.state_dump()["batches"])
        print("%d of %d kills before the acknowledgement" % (unstored, DELAYED), flush=True)
        self.assertGreater(unstored, 0)
        self.once()
        self.assert_output(expected)


if __name__ == "__main__":
    harness.main()
