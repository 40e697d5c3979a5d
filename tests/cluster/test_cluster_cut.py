#!/usr/bin/python3
"""cluster_cut: the network between a node and the database fails, in both directions or in one, or a host is gone."""

import os
import random
import time

from holders import LEASE, LONG, Case  # first: it finds the next ones
from network import Network, own_namespace
from postgres import Server

import harness

ROUNDS = 5 if LONG else 1  # of each kind


class Cut(Case):
    def setUp(self):
        if os.getuid() != 0:
            self.skipTest("network namespaces need root")
        self.enterContext(own_namespace())
        self.network = Network()
        self.addCleanup(self.network.remove)
        with self.network.at_the_server():
            server = Server(listen="*")
        self.addCleanup(server.remove)
        super().setUp(server)
        self.chance = random.Random()
        self.n_visible = 0

    def node(self, name, **settings):
        address = self.server.address().replace("127.0.0.1", self.network.address(name))
        return super().node(name, address=address, **settings)

    def more(self, count=20):
        self.n_visible += count
        self.cloud.control(visible=self.n_visible)

    def all_given(self):
        self.wait_acknowledged(self.n_visible, 60)

    def at_any_moment(self, holder):
        """While records flow: before a commit, within it, or while it is delivered."""
        mark = holder.mark()
        self.more()
        holder.wait_log(self.chance.choice(["batch: ", "committed in", "job: batches"]), mark=mark)
        time.sleep(self.chance.random() * 0.03)

    def hand_over(self, how):
        """One is cut off until another holds the shard. Returns the pause."""
        name = self.wait_holder()
        other = "b" if name == "a" else "a"
        holder, heir = self.daemons[name], self.daemons[other]
        heir.wait_log("standing by", seconds=60)
        self.at_any_moment(holder)
        self.network.cut(name, how)
        began = time.monotonic()
        if how == "silence":
            holder.kill()  # the server does not hear of it
        heir.wait_log("holding shard 0", seconds=60)
        pause = time.monotonic() - began
        self.more()
        self.all_given()
        if how != "silence":
            self.assertEqual(holder.wait(60), 75, holder.text())
        self.network.join(name)
        self.node(name)
        return pause

    def hand_overs(self, how):
        self.begin(ROUNDS * 40)
        self.node("a")
        self.wait_holder()
        self.node("b")
        pauses = [self.hand_over(how) for _ in range(ROUNDS)]
        print("%s cut %d times: the next holder came after %.1f s at most" % (how, ROUNDS, max(pauses)))
        for daemon in self.daemons.values():
            daemon.stop()
        self.recover("a", "b")
        self.assert_once(ROUNDS, self.count)
        self.assertLess(max(pauses), (LEASE * 1.2 + 3) * harness.PATIENCE)

    def test_cable(self):
        """Nothing passes, for longer than the lease: the holder ends, and the other one goes on."""
        self.hand_overs("cable")

    def test_requests(self):
        """What the holder sends is lost."""
        self.hand_overs("requests")

    def test_answers(self):
        """What the server answers is lost, so commits are in doubt."""
        self.hand_overs("answers")

    def test_host_is_gone(self):
        """The holder is killed and says good-bye to nobody: its session in the database is half-open."""
        self.hand_overs("silence")

    def test_in_time(self):
        """The network comes back before the lease is over: the holder finds out what has become of its commit, and stays."""
        self.begin(3 * ROUNDS * 20)
        holder = self.node("a", lease=30)
        holder.wait_log("holding shard 0", seconds=60)
        for how in ("cable", "requests", "answers") * ROUNDS:
            self.at_any_moment(holder)
            self.network.cut("a", how)
            time.sleep(self.chance.random())
            self.network.join("a")
            self.all_given()
        self.assertEqual(holder.stop(), 0, holder.text())
        self.assert_once()


if __name__ == "__main__":
    harness.main()
