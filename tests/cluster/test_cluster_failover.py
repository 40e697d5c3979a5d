#!/usr/bin/python3
"""The database fails over, restarts, or ends sessions; the holder is killed: what it costs."""

import statistics
import time

from holders import LEASE, Case  # first: it finds the next ones
from postgres import Pair

import harness
from harness import Daemon, wait_until

TAKEOVERS = 5


class Failover(Case):
    def keep_running(self):
        """As systemd does: a node that has ended with 75 is started again."""
        for name, daemon in list(self.daemons.items()):
            if daemon.process.poll() is not None:
                self.assertEqual(daemon.wait(), 75, daemon.text())
                self.node(name, **self.settings)

    def reach(self, count):
        """COUNT records are with the receiver, whoever holds the shard, and however often."""
        self.cloud.control(visible=count)

        def done():
            self.keep_running()
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
                self.assertIn(daemon.stop(), (0, 75))

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

    def test_pause(self):
        """A take-over takes at most the lease, a fifth of it, and what the start takes."""
        self.begin(10, visible=10)
        found = self.pauses(LEASE)
        print("take-over with lease = %d s: median %.1f s, longest %.1f s" % (LEASE, statistics.median(found), found[-1]))
        self.assertLess(found[-1], LEASE * 1.2 + 3 * harness.PATIENCE)


if __name__ == "__main__":
    harness.main()
