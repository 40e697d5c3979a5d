#!/usr/bin/python3
"""A state in PostgreSQL, and two processes of which one holds it."""

import random
import signal
import time
import urllib.request

from holders import LEASE, Case  # first: it finds the next ones
from relay import ANSWERS, REQUESTS, Relay

import harness
from harness import wait_until

KILLS = 20
STOPS = 4
HALVES = 6


class Cluster(Case):
    def ask(self, daemon, path):
        url = daemon.wait_log("http://127.0.0.1:").split("http://")[1].split("/")[0].split()[0].rstrip(",;")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open("http://" + url + path, timeout=30) as answer:
            return answer.read().decode()

    def finish(self, *holders):
        """All is delivered; HOLDERS end in order."""
        self.cloud.control(visible=self.count)
        self.wait_acknowledged()
        for daemon in holders:
            self.assertEqual(daemon.stop(), 0, daemon.text())
    def test_one(self):
        """One node: start, stop, start again elsewhere. Nothing is lost, nothing given twice."""
        self.begin(400, visible=100)
        first = self.node("a")
        first.wait_log("holding shard 0", seconds=60)
        self.wait_acknowledged(100)
        second = self.node("b")
        second.wait_log("standing by")
        self.assertEqual(self.ask(second, "/readyz"), "standby\n")
        self.assertIn("trawld_shard_held 0", self.ask(second, "/metrics"))
        self.assertEqual(self.ask(first, "/readyz"), "ready\n")
        self.cloud.control(visible=200)
        self.wait_acknowledged(200)
        self.assertEqual(first.stop(), 0, first.text())
        second.wait_log("holding shard 0", seconds=LEASE)  # given back: at once
        self.cloud.control(visible=400)
        self.wait_acknowledged(400)
        self.assertEqual(second.stop(), 0, second.text())
        self.assert_once()

    def test_kill(self):
        """cluster_kill: the holder is killed at any moment, and comes back as a standby."""
        chance = random.Random(1)
        self.begin(KILLS * 50)
        for name in "ab":
            self.node(name)
        for n in range(KILLS):
            name = self.wait_holder()
            holder = self.daemons[name]
            mark = holder.mark()
            self.cloud.control(visible=(n + 1) * 50)
            if n % 3:
                holder.wait_log("committed in", mark=mark)
                time.sleep(chance.random() * 0.05)
            else:
                time.sleep(chance.random() * 0.3)
            holder.kill()
            self.node(name)
        self.finish(*self.daemons.values())
        self.recover("a", "b")
        self.assert_once(KILLS, KILLS * 50)

    def test_stop(self):
        """cluster_stop: the holder stands still for longer than its lease, wakes up, and ends without a word to anybody."""
        chance = random.Random(2)
        self.begin(STOPS * 100)
        holder = self.node("a")
        holder.wait_log("holding shard 0", seconds=60)
        for n in range(STOPS):
            heir = self.node("b" if n % 2 == 0 else "a")
            heir.wait_log("standing by", seconds=60)
            mark = holder.mark()
            self.cloud.control(visible=n * 100 + 50)
            holder.wait_log("committed in" if n % 2 else "job: batches", mark=mark)
            time.sleep(chance.random() * 0.02)
            holder.signal(signal.SIGSTOP)
            heir.wait_log("holding shard 0", seconds=60)
            self.cloud.control(visible=(n + 1) * 100)
            heir.wait_log("committed in", mark=heir.mark())
            mark = holder.mark()
            holder.signal(signal.SIGCONT)
            self.assertEqual(holder.wait(60), 75, holder.text(mark))
            self.assertNotIn("job: batches", holder.text(mark))
            holder = heir
        self.finish(holder)
        self.recover("a", "b")
        self.assert_once(STOPS, STOPS * 100)

    def test_in_doubt(self):
        """The answer to a commit is lost: the holder connects again, and finds that it is there, or is not."""
        relay = self.own(Relay(self.server.port))
        self.begin(400)
        holder = self.node("a", address=self.server.address(relay), lease=30)
        holder.wait_log("holding shard 0", seconds=60)
        for n in range(8):
            # the commit arrives and its answer does not; or it does not arrive
            relay.drop_after(*((ANSWERS, 0) if n % 2 == 0 else (REQUESTS, 400)))
            mark = holder.mark()
            self.cloud.control(visible=(n + 1) * 50)
            relay.wait_reached(ANSWERS if n % 2 == 0 else REQUESTS)
            if n % 2 == 0:
                before = self.version()
                wait_until(lambda: self.version() >= before, "the commit")
            relay.cut()
            relay.release()
            holder.wait_log("connects again, and asks", mark=mark)
            holder.wait_log("committed in", mark=mark)
            self.wait_acknowledged((n + 1) * 50)
        self.finish(holder)
        self.assert_once()

    def test_refused(self):
        """Another holder, or another history, in the database: not a row of the next commit is there, and the process ends."""
        for what in ("holder = gen_random_uuid()", "version = version - 1"):
            with self.subTest(what):
                self.setUp()
                self.begin(100, visible=50)
                holder = self.node("a", lease=60)
                self.wait_acknowledged(50)
                self.server.rows("UPDATE trawld.shards SET " + what + " RETURNING 1")
                before = self.rows()
                self.cloud.control(visible=100)
                self.assertEqual(holder.wait(60), 75, holder.text())
                self.assertIn("is no longer held by this process", holder.text())
                self.assertEqual(self.rows(), before)
                self.assertEqual(self.n_given(), 50)

    def rows(self):
        return [self.server.rows("SELECT * FROM trawld.%s ORDER BY 3" % table) for table in ("sources", "commits", "batch_keys")]

    def version(self):
        return self.server.rows("SELECT version FROM trawld.shards")[0][0]

    def test_half(self):
        """cluster_half: a commit reaches the server by half, and then nothing comes. The next holder gets the shard in time."""
        self.begin(HALVES * 20)
        first = self.node("b", lease=LEASE)
        first.wait_log("holding shard 0", seconds=60)
        self.assertEqual(first.stop(), 0)
        for n in range(HALVES):
            relay = self.own(Relay(self.server.port))
            holder = self.node("a", address=self.server.address(relay))
            holder.wait_log("holding shard 0", seconds=60)
            holder.wait_log("up to date", seconds=60)
            heir = self.node("b")
            heir.wait_log("standing by", seconds=60)
            relay.stop_after(REQUESTS, 1 + n * 7919 % 3000)
            self.cloud.control(visible=(n + 1) * 20)
            relay.wait_reached(REQUESTS)
            holder.signal(signal.SIGSTOP)
            began = time.monotonic()
            heir.wait_log("holding shard 0", seconds=60)
            self.assertLess(time.monotonic() - began, (LEASE + 3) * harness.PATIENCE)
            self.wait_acknowledged((n + 1) * 20, 30)  # no lock of the first is left
            relay.release()  # the rest comes, to nobody
            holder.signal(signal.SIGCONT)
            self.assertEqual(holder.wait(60), 75, holder.text())
            self.assertEqual(heir.stop(), 0, heir.text())
        self.recover("a", "b")
        self.assert_once(HALVES, HALVES * 20)


if __name__ == "__main__":
    harness.main()
