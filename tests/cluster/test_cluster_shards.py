#!/usr/bin/python3
"""Shards, and two processes more, of which one after another is killed, or stands still for longer than its lease."""

import collections
import random
import signal
import time

from holders import LEASE, LONG, Case  # first: it finds the next ones

import cloudscale
import harness
from harness import wait_until

SHARDS = 8 if LONG else 4
NODES = SHARDS + 2
SOURCES = 2 * SHARDS
KILLS = 2000 if LONG else 12
MINUTES = 10  # whatever comes first
ROUND = 3 if LONG else 30  # records of each source between two kills
STOPS = 4  # each fourth of them is no kill


class Shards(Case):
    def setUp(self):
        super().setUp()
        self.tokens = ["token-of-project-%d-xyz" % n for n in range(SOURCES)]
        self.count = KILLS * ROUND
        self.cloud = self.simulator("--page-size", "20", "--delay", "0.03", *[
            word for n, token in enumerate(self.tokens) for word in ("--project", "%s=%d:%d" % (token, n + 1, self.count))])
        self.cloud.control(visible=0)
        self.stopped = []  # (when, node)
        self.settings = {
            "shards": SHARDS,
            "sources": [self.source(self.cloud.url, "s%d" % n, token, "interval = 100ms\nshard = %d" % (n % SHARDS))
                        for n, token in enumerate(self.tokens)],
        }

    def write(self, node, *arguments, **settings):
        path = super().write(node, *arguments, **settings)
        # several shards of a node need files of their own; here only what the receiver gets counts
        text = path.read_text()
        head, _, rest = text.partition("[sink files]")
        path.write_text(head + "[sink net]" + rest.partition("[sink net]")[2])
        return path

    def running(self):
        """As systemd does: who has ended with 75 is started again."""
        while self.stopped and time.monotonic() > self.stopped[0][0] + 2 * LEASE:
            self.wake()
        for name, daemon in list(self.daemons.items()):
            if daemon.process.poll() is not None:
                self.assertEqual(daemon.wait(), 75, daemon.text())
                self.node(name, **self.settings)

    def holders(self):
        """{shard: (node, process)} of those that are held."""
        if self.server.rows("SELECT to_regclass('trawld.shards') IS NULL") == [(True,)]:
            return {}
        return {shard: (node, process) for shard, node, process in self.server.rows(
            "SELECT shard, node, process FROM trawld.shards WHERE expires > clock_timestamp()")}

    def at_work(self):
        self.running()
        return [name for name, process in self.holders().values()
                if process == str(self.daemons[name].pid) and name not in [stopped for _, stopped in self.stopped] and "committed in" in self.daemons[name].text()]

    def wake(self):
        """One that has lost its shard meanwhile asks nobody, and delivers nothing."""
        daemon = self.daemons[self.stopped.pop(0)[1]]
        wait_until(lambda: str(daemon.pid) not in [process for _, process in self.holders().values()], "another holder", 60)
        mark = daemon.mark()
        daemon.signal(signal.SIGCONT)
        wait_until(lambda: daemon.process.poll() is not None, "the end of one that has lost its shard", 60)
        self.assertNotIn("job: batches", daemon.text(mark))

    def test_kills(self):
        """cluster_shards: each record of each source reaches the receiver once, but for jobs in hand, which it recognises."""
        chance = random.Random(3)
        for n in range(NODES):
            self.node("node-%d" % n, **self.settings)
        wait_until(lambda: len(self.holders()) == SHARDS, "a holder of each shard", 60)
        self.assertEqual(len(set(self.holders().values())), SHARDS)
        began = time.monotonic()
        n = 0
        while n < KILLS and time.monotonic() < began + MINUTES * 60:
            n += 1
            self.cloud.control(visible=n * ROUND)
            # a lease outlives its process, and the session of one that has just taken it may be ended by another that looked before
            holder = chance.choice(wait_until(self.at_work, "a holder at work", 60))
            if n % STOPS == 0:
                self.daemons[holder].signal(signal.SIGSTOP)
                self.stopped.append((time.monotonic(), holder))
            else:
                self.daemons[holder].kill()
                self.node(holder, **self.settings)
            self.running()
        while self.stopped:
            self.wake()
        self.count = n * ROUND
        total = SOURCES * self.count

        def done():
            self.running()
            return self.n_given() >= total
        wait_until(done, "%d records" % total, 120)
        wait_until(lambda: self.server.rows("SELECT count(*) FROM trawld.batches") == [(0,)], "acknowledgements", 60)
        for daemon in self.daemons.values():
            self.assertIn(daemon.stop(), (0, -signal.SIGTERM), daemon.text())  # it may just have been started
        self.assertEqual(self.receiver.stats()["violations"], [])
        expected = collections.Counter(
            line for n in range(SOURCES) for line in cloudscale.expected_lines(n + 1, 0, self.count).decode().splitlines())
        found = collections.Counter(
            record for request in self.requests() if not request["repeat"] for record in request["records"])
        self.assertEqual(sum((expected - found).values()), 0, "lost")
        self.assertEqual(sum((found - expected).values()), 0, "repeated")
        self.assertLessEqual(self.receiver.stats()["repeats"]["ndjson"], n)
        self.assertEqual(self.cloud.stats()["overlaps"], 0, "two processes polled a source")
        print("%d shards, %d processes: %d kills and stops in %.0f s, %d records, %d jobs given again, %d requests" % (
            SHARDS, NODES, n, time.monotonic() - began, total, self.receiver.stats()["repeats"]["ndjson"],
            self.cloud.stats()["requests"]))


if __name__ == "__main__":
    harness.main()
