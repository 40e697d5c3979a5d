#!/usr/bin/python3
"""The database fails over, restarts, or ends sessions; the holder is killed: what it costs."""

import collections
import re
import signal
import statistics
import time

from holders import LEASE, LONG, Case  # first: it finds the next ones
from postgres import Pair

import harness
from harness import Daemon, wait_until

TAKEOVERS = 25 if LONG else 5
FAILOVERS = 10 if LONG else 2
ASYNCHRONOUS = 5 if LONG else 1


class Failover(Case):
    def setUp(self):
        super().setUp()
        self.ended = collections.defaultdict(str)  # the logs of processes that have ended

    def keep_running(self):
        """As systemd does: a node that has ended with 75 is started again."""
        for name, daemon in list(self.daemons.items()):
            if daemon.process.poll() is not None:
                self.ended[name] += "\n" + daemon.text()
                self.assertEqual(daemon.wait(), 75, daemon.text())
                self.node(name, **self.settings)

    def reach(self, count, repeated=0):
        """COUNT records are with the receiver, whoever holds the shard, and so many came twice, whether it knew them or not."""
        self.cloud.control(visible=count)

        def done():
            self.keep_running()
            if repeated:
                return sum(len(request["records"]) for request in self.requests()) >= count + repeated
            return self.n_given() >= count
        wait_until(done, "%d records" % count, 60)

    def two_nodes(self, **settings):
        self.settings = settings
        for name in "ab":
            self.node(name, **settings)

    def test_failover(self):
        """cluster_failover: the primary is killed and its synchronous standby promoted. Nothing is lost or repeated, and no
        commit is missed."""
        pair = self.own(Pair())
        self.server.remove()
        self.server = pair.primary
        self.begin(200)
        # a server that was just promoted has no standby yet
        self.two_nodes(address=pair.address(), lease=30)
        self.reach(50)
        self.cloud.control(visible=120)
        pair.fail_over()
        self.server = pair.standby
        self.reach(200)
        self.wait_acknowledged()
        self.end()
        self.assert_once(jobs=1)
        self.assertEqual([line for daemon in self.daemons.values() for line in daemon.log if "older state" in line], [])

    def test_again_and_again(self):
        """cluster_failover: each server becomes the primary in turn, while records flow and commits are under way."""
        pair = self.own(Pair())
        self.server.remove()
        self.server = pair.primary
        self.begin(FAILOVERS * 100)
        self.two_nodes(address=pair.address(), lease=60)
        for n in range(FAILOVERS):
            self.reach(n * 100 + 50)
            holder = self.daemons[self.wait_holder()]
            mark = holder.mark()
            self.cloud.control(visible=n * 100 + 80)
            holder.wait_log(("batch: ", "committed in", "job: batches")[n % 3], mark=mark)
            pair.fail_over()
            self.server = pair.standby
            self.reach(n * 100 + 100)
            self.wait_acknowledged(n * 100 + 100)
            pair.rebuild()
        self.end()
        self.assert_once(jobs=FAILOVERS)
        self.assertEqual([line for daemon in self.daemons.values() for line in daemon.log if "older" in line], [])

    def test_asynchronous(self):
        """cluster_failover: the standby was asynchronous, and had not got the last commits. Nothing is lost; what is delivered
        again is no more than what those commits had acknowledged, and the log and the metric say how many they were."""
        for _ in range(ASYNCHRONOUS):
            with self.subTest():
                self.asynchronous()
                for daemon in self.daemons.values():
                    daemon.kill()

    def asynchronous(self):
        pair = self.own(Pair(synchronous=False))
        self.setUp()
        self.server.remove()
        self.server = pair.primary
        self.begin(300)
        self.settings = {"address": pair.address(), "lease": 30}
        self.node("a", **self.settings)
        self.reach(100)
        self.wait_acknowledged(100)
        version = lambda server: server.rows("SELECT version FROM trawld.shards")[0][0]
        wait_until(lambda: version(pair.primary) == version(pair.standby), "the standby", 60)
        pair.detach()
        self.reach(220)
        self.wait_acknowledged(220)
        missing = version(pair.primary) - version(pair.standby)
        pair.fail_over()
        self.server = pair.standby
        self.reach(300, repeated=120)
        self.wait_acknowledged(300)
        node = self.daemons["a"]
        said = re.search(r"older than the one last used there, by (\d+) commit", node.text())
        self.assertTrue(said, node.text())
        self.assertIn('trawld_history_lost_total{cluster="test"} %s\n' % said[1], self.ask(node, "/metrics"))
        self.assertGreater(missing, 0)
        self.assertEqual(int(said[1]), missing)
        self.assertEqual(node.stop(), 0)
        given = collections.Counter(record for request in self.requests() for record in request["records"])
        self.assert_each_once(given, "the receiver", 120)
        repeated = sum(given.values()) - self.count
        print("asynchronous: %d commits lost, %d records given twice" % (missing, repeated))
        self.assertEqual(repeated, 120)

    def test_failover_with_a_short_lease(self):
        """Where the database is away for longer than the lease, the holder ends, and comes back."""
        pair = self.own(Pair())
        self.server.remove()
        self.server = pair.primary
        self.begin(200)
        self.two_nodes(address=pair.address())
        self.reach(50)
        self.cloud.control(visible=120)
        pair.primary.kill()
        wait_until(lambda: any(daemon.process.poll() is not None for daemon in self.daemons.values()), "the end of the holder", 60)
        pair.standby.promote()
        self.server = pair.standby
        self.reach(200)
        self.wait_acknowledged()
        self.end()
        self.assert_once(jobs=1, unacknowledged=70)

    def end(self):
        for daemon in self.daemons.values():
            if daemon.process.poll() is None:
                self.assertIn(daemon.stop(), (0, 75, -signal.SIGTERM))  # it may just have been started

    def test_needs_a_synchronous_standby(self):
        """Without one, no shard is taken, unless that is wanted; the log says what to do."""
        self.begin(10, visible=10)
        path = self.write("a")
        path.write_text(path.read_text().replace("require_synchronous = no", "require_synchronous = yes"))
        node = Daemon(["-c", str(path)], self.environment())
        self.addCleanup(node.kill)
        node.wait_log("synchronous_standby_names is empty")
        self.assertIn("require_synchronous = no", node.text())
        self.assertEqual(node.stop(), 0)

    def test_restart(self):
        """cluster_restart: the server stops as in a crash, or ends the holder's session, again and again."""
        self.begin(600)
        self.two_nodes(lease=LEASE)
        for n in range(6):
            self.reach(n * 100 + 50)
            self.cloud.control(visible=n * 100 + 80)
            if n % 2:
                self.server.stop()
                self.server.start()
            else:
                self.server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'trawld:%'")
            self.reach(n * 100 + 100)
        self.wait_acknowledged()
        self.end()
        self.assert_once(jobs=12, unacknowledged=600)

    def pauses(self, lease):
        """Seconds from kill -9 of the holder to the next one's hold."""
        found = []
        self.two_nodes(lease=lease)
        for n in range(TAKEOVERS):
            name = self.wait_holder()
            other = "b" if name == "a" else "a"
            self.daemons[other].wait_log("standing by", seconds=60)
            self.daemons[name].kill()
            began = time.monotonic()
            self.daemons[other].wait_log("holding shard 0", seconds=60)
            found.append(time.monotonic() - began)
            self.node(name, **self.settings)
        return sorted(found)

    def pause(self, lease):
        self.begin(10, visible=10)
        found = self.pauses(lease)
        print("lease %d s: %d take-overs, median %.1f s, longest %.1f s" % (lease, len(found), statistics.median(found), found[-1]))
        self.assertLess(found[-1], lease * 1.2 + 3 * harness.PATIENCE)

    def test_pause(self):
        """A take-over takes at most the lease, a fifth of it, and what the start takes."""
        self.pause(LEASE)

    def test_pause_with_the_default(self):
        """The same with `lease = 10s`."""
        if LONG:
            self.pause(10)


if __name__ == "__main__":
    harness.main()
