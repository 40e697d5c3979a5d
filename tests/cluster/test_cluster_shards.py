#!/usr/bin/python3
"""Four shards and six processes, of which one after another is killed."""

import collections
import random

from holders import Case  # first: it finds the next ones

import cloudscale
import harness
from harness import wait_until

SHARDS = 4
NODES = 6
SOURCES = 8
KILLS = 12
ROUND = 30  # records of each source between two kills


class Shards(Case):
    def setUp(self):
        super().setUp()
        self.tokens = ["token-of-project-%d-xyz" % n for n in range(SOURCES)]
        self.count = KILLS * ROUND
        self.cloud = self.simulator("--page-size", "20", *[
            word for n, token in enumerate(self.tokens) for word in ("--project", "%s=%d:%d" % (token, n + 1, self.count))])
        self.cloud.control(visible=0)
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

    def test_kills(self):
        """cluster_shards: each record of each source reaches the receiver once, but for jobs in hand, which it recognises."""
        chance = random.Random(3)
        for n in range(NODES):
            self.node("node-%d" % n, **self.settings)
        wait_until(lambda: len(self.holders()) == SHARDS, "a holder of each shard", 60)
        self.assertEqual(len(set(self.holders().values())), SHARDS)
        for n in range(KILLS):
            self.cloud.control(visible=(n + 1) * ROUND)
            # a lease outlives its process, and the session of one that has just taken it may be ended by another that looked before
            holder = chance.choice(wait_until(lambda: [
                name for name, process in self.holders().values()
                if process == str(self.daemons[name].pid) and "committed in" in self.daemons[name].text()], "a holder at work", 60))
            self.daemons[holder].kill()
            self.node(holder, **self.settings)
            self.running()
        total = SOURCES * self.count

        def done():
            self.running()
            return self.n_given() >= total
        wait_until(done, "%d records" % total, 120)
        wait_until(lambda: self.server.rows("SELECT count(*) FROM trawld.batches") == [(0,)], "acknowledgements", 60)
        for daemon in self.daemons.values():
            self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertEqual(self.receiver.stats()["violations"], [])
        expected = collections.Counter(
            line for n in range(SOURCES) for line in cloudscale.expected_lines(n + 1, 0, self.count).decode().splitlines())
        found = collections.Counter(
            record for request in self.requests() if not request["repeat"] for record in request["records"])
        self.assertEqual(sum((expected - found).values()), 0, "lost")
        self.assertEqual(sum((found - expected).values()), 0, "repeated")
        self.assertLessEqual(self.receiver.stats()["repeats"]["ndjson"], KILLS)


if __name__ == "__main__":
    harness.main()
