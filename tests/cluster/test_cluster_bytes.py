#!/usr/bin/python3
"""A commit that ends at any of its bytes: the connection is cut there, or nothing follows and another node takes over.

The long form does this at every byte of a commit, the short one at some of them, others in each run.
"""

import concurrent.futures
import random
import signal
import time

from holders import LEASE, LONG, Case  # first: it finds the next ones
from postgres import Server
from relay import ANSWERS, REQUESTS, Relay

import harness
from harness import wait_until

CUTS = 24  # in the short form, of each direction
HALVES = 12
WORKERS = 12 if LONG else 6
BEGIN = b"BEGIN\0"  # a commit's first statement; a renewal has none


def some(size, number):
    """The bytes at which it ends: all, or NUMBER of them, with the first and the last ones."""
    if LONG:
        return list(range(size + 1))
    return sorted({0, 1, size - 1, size, *random.sample(range(size), number - 4)})


class Bytes(Case):
    def setUp(self, server=None):
        super().setUp(server)
        self.relays = {name: self.own(Relay(self.server.port)) for name in "ab"}

    def node(self, name, **settings):
        return super().node(name, address=self.server.address(self.relays[name]), **settings)

    def reach(self, count, seconds=60):
        self.cloud.control(visible=count)
        self.wait_acknowledged(count, seconds)

    def measure(self, relay):
        """How long the requests and the answers of a commit of one record are."""
        relay.stop_at(BEGIN, REQUESTS, 10**9)
        self.n_visible += 1
        holder = self.daemons["a"]
        mark, before = holder.mark(), relay.passed(ANSWERS)
        self.cloud.control(visible=self.n_visible)
        holder.wait_log("committed in", mark=mark)
        answers = relay.passed(ANSWERS) - before
        relay.release()
        self.wait_acknowledged(self.n_visible)
        return relay.n_marked, answers

    def test_cut(self):
        """The connection is cut within a commit, or within its answer. The same holder finds out what has become of it."""
        self.begin(10000)
        holder, relay = self.node("a", lease=60), self.relays["a"]
        self.n_visible = 1
        self.reach(1)
        requests, answers = self.measure(relay)
        cuts = [(direction, n) for direction, size in ((REQUESTS, requests), (ANSWERS, answers)) for n in some(size, CUTS)]
        for direction, n in cuts:
            relay.stop_at(BEGIN, direction, n)
            self.n_visible += 1
            self.cloud.control(visible=self.n_visible)
            relay.wait_reached(direction)
            relay.cut()
            relay.release()
            self.wait_acknowledged(self.n_visible, 60)
        self.assertEqual(holder.stop(), 0, holder.text())
        print("%d cuts in a commit of %d bytes and its answer of %d" % (len(cuts), requests, answers))
        self.count = self.n_visible
        self.assertIn("checks whether", holder.text())
        self.assert_once()

    def is_running(self, name):
        """As systemd does: who was too slow for its lease starts again."""
        if name not in self.daemons:
            self.node(name)
        elif self.daemons[name].process.poll() is not None:
            self.assertEqual(self.daemons[name].wait(), 75, self.daemons[name].text())
            self.node(name)
        return True

    def pair(self):
        """(name of the holder, of the one that stands by), or None. Whoever is too slow for its lease loses it to the other one."""
        texts = {name: self.daemons[name].text() for name in "ab" if self.is_running(name)}
        holding = [name for name in "ab" if "holding shard 0" in texts[name]]
        waiting = [name for name in "ab" if name not in holding and "standing by" in texts[name]]
        return (*holding, *waiting) if len(holding) == len(waiting) == 1 else None

    def half(self, n):
        """The pause after N bytes of a commit."""
        while (pause := self.try_half(n)) is None:
            pass
        return pause

    def try_half(self, n):
        """Nothing follows after N bytes of a commit, and the holder stands still. Afterwards, the other node holds the shard.
        None: the holder was too slow for its lease before it had sent so much."""
        names = wait_until(self.pair, "a holder and a standby", 60)
        holder, heir = (self.daemons[name] for name in names)
        relay = self.relays[names[0]]
        relay.stop_at(BEGIN, REQUESTS, n)
        self.n_visible += 1
        self.cloud.control(visible=self.n_visible)
        wait_until(lambda: REQUESTS in relay.reached or "holding shard 0" in heir.text(), "the byte", 60)
        if "holding shard 0" in heir.text():
            relay.release()
            self.assertEqual(holder.wait(60), 75, holder.text())
            return None
        holder.signal(signal.SIGSTOP)
        began = time.monotonic()
        heir.wait_log("holding shard 0", seconds=60)
        pause = time.monotonic() - began
        # no lock of the first is left
        wait_until(lambda: self.is_running(names[1]) and self.is_acknowledged(self.n_visible), "the record", 60)
        relay.release()  # the rest comes, to nobody
        holder.signal(signal.SIGCONT)
        self.assertEqual(holder.wait(60), 75, holder.text())
        return pause

    def halves(self, cuts):
        self.n_visible = 1
        self.begin(10000, visible=1)
        self.node("a")
        wait_until(lambda: self.is_running("a") and self.is_acknowledged(1), "the first record", 60)
        pauses = [self.half(n) for n in cuts]
        for name in wait_until(self.pair, "a holder and a standby", 60):
            self.assertEqual(self.daemons[name].stop(), 0)
        self.count = self.n_visible
        self.recover("a", "b")
        self.assert_once(self.count, self.count)
        return pauses

    def test_half(self):
        """cluster_half: a commit reaches the server by half, and then nothing comes. The next holder gets the shard in time."""
        self.begin(2, visible=1)
        first = self.node("a")
        self.wait_acknowledged(1)
        self.n_visible = 1
        size, _ = self.measure(self.relays["a"])
        self.assertEqual(first.stop(), 0, first.text())
        cuts = some(size, HALVES)
        pauses = []
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            for done in [pool.submit(self.work, n, cuts[n::WORKERS]) for n in range(WORKERS)]:
                pauses += done.result()
        print("a commit of %d bytes ended at %d of them: the next holder came after %.1f s at most" % (
            size, len(pauses), max(pauses)))
        self.assertLess(max(pauses), (LEASE * 1.2 + 3) * harness.PATIENCE)

    def work(self, number, cuts):
        """The same in a cluster of its own."""
        worker = Bytes()
        worker.cluster = "test%d" % number
        worker.setUp(self.server)
        try:
            return worker.halves(cuts)
        finally:
            worker.doCleanups()

    def runTest(self):
        """A worker is no test."""


if __name__ == "__main__":
    harness.main()
