#!/usr/bin/python3
"""A reload in a cluster that cannot make one of the sources: its node keeps its shard and its other sources, and retries; the
other node does not stop. Nothing is lost and nothing is read twice."""

import signal

from holders import Case  # first: it finds the next ones
from relay import REQUESTS, Relay

import cloudscale
import harness
from harness import wait_until

COUNT = 300
MISSED = "it is not polled, retrying every 5 s"


class Reload(Case):
    def setUp(self):
        """Two nodes, each with one of two shards, and each shard with one of two sources."""
        super().setUp()
        self.clouds = [self.cloudscale(COUNT, "--page-size", "20", seed=seed) for seed in (1, 2, 3)]
        self.show(100)
        self.relay = self.own(Relay(self.server.port))
        self.addresses = {"a": self.server.address(self.relay), "b": None}
        self.a = self.start("a", 0)
        self.b = self.start("b", 1)
        self.wait_given(100, 100)

    def start(self, name, shard):
        daemon = self.node(name, **self.settings(name, 0, 1))
        daemon.wait_log("holding shard %d" % shard, seconds=60)
        return daemon

    def settings(self, name, *shards):
        """One source for each of SHARDS, which it belongs to."""
        sources = [self.source(self.clouds[n].url, "s%d" % n, more="interval = 100ms\nshard = %d" % shard)
                   for n, shard in enumerate(shards)]
        return {"address": self.addresses[name], "shards": 2, "sources": sources}

    def reload(self, name, daemon, *shards):
        mark = daemon.mark()
        self.write(name, **self.settings(name, *shards))
        daemon.signal(signal.SIGHUP)
        daemon.wait_log("reloaded: %d sources" % len(shards), mark=mark, seconds=60)
        return mark

    def show(self, count):
        for cloud in self.clouds:
            cloud.control(visible=count)

    def given(self):
        return sorted(record for request in self.requests() if not request["repeat"] for record in request["records"])

    def wait_given(self, *counts):
        """Each source's first records are with the receiver, once; so many of each."""
        wait_until(lambda: self.n_given() >= sum(counts), "%s records" % (counts,), 60)
        expected = [line for n, count in enumerate(counts)
                    for line in cloudscale.expected_lines(n + 1, 0, count).decode().splitlines()]
        self.assertEqual(self.given(), sorted(expected))

    def end(self, *counts):
        self.show(COUNT)
        self.wait_given(*counts)
        self.assertEqual((self.a.stop(), self.b.stop()), (0, 0), self.a.text() + self.b.text())
        self.wait_given(*counts)
        for daemon in (self.a, self.b):
            self.assertEqual(daemon.text().count("holding shard"), 1, daemon.text())

    def test_database(self):
        """Where it is not known whether another shard has read the new source, it is not polled before that is known."""
        self.relay.mute_at(b":elsewhere\0", REQUESTS)
        mark = self.reload("a", self.a, 0, 1, 0)
        self.reload("b", self.b, 0, 1, 0)
        self.assertIn("source s2", self.a.wait_log(MISSED, mark=mark))
        self.assertNotIn(MISSED, self.b.text())
        self.show(200)
        self.assertIn("source s2", self.a.wait_log("it is there again", mark=mark, seconds=60))
        self.end(COUNT, COUNT, COUNT)

    def test_elsewhere(self):
        """A source that one node's configuration gives to its shard is the other's for as long as that has its state."""
        mark = self.reload("a", self.a, 0, 0)
        self.assertIn("its state is in shard 1", self.a.wait_log(MISSED, mark=mark))
        self.show(200)
        self.wait_given(200, 200)
        self.assertNotIn("it is there again", self.a.text())
        mark = self.reload("a", self.a, 0, 1)
        self.assertNotIn(MISSED, self.a.text(mark))
        self.end(COUNT, COUNT)


if __name__ == "__main__":
    harness.main()
