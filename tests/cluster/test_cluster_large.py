#!/usr/bin/python3
"""A state that takes longer to send than a lease lasts, a commit that is never answered, and what a crash leaves on its host."""

import os
import signal
import socket

from holders import LEASE, Case  # first: it finds the next ones
from relay import ANSWERS, REQUESTS, Relay

import harness
from harness import wait_until

STANDBYS = 5
ROUNDS = 6
ROWS = 32  # of a megabyte
BEGIN = b"BEGIN\0"  # a commit's first statement
RATE = 4 << 20  # bytes a second: ten seconds for the transaction, and 3 s for the lease


class Large(Case):
    def on(self, node, *arguments, expect=0):
        self.conf = self.dir / (node + ".conf")
        result = self.ctl(*arguments, expect=expect)
        return result.text + result.err

    def test_schema_step(self):
        """After a step of the schema all rows are sent in one transaction, of tens of megabytes, over a slow line."""
        self.begin(40, visible=40)
        first = self.node("a")
        self.wait_acknowledged(40)
        self.assertEqual(first.stop(), 0)
        # dedupe keys: of any size, and of no consequence
        for n in range(ROWS):
            with self.server.connect() as connection, connection.cursor() as cursor:
                cursor.execute("INSERT INTO trawld.batch_keys(cluster, shard, number, source, newest_time, n_keys, keys)"
                               " SELECT cluster, shard, %s, source, newest_time, 65536, %s FROM trawld.batch_keys LIMIT 1",
                               (-1 - n, os.urandom(1 << 20)))
        [(format,)] = self.server.rows("UPDATE trawld.shards SET format = format - 1 RETURNING format")
        relay = self.own(Relay(self.server.port))
        relay.rate = RATE
        sent = relay.passed("requests")
        second = self.node("a", address=self.server.address(relay))
        second.wait_log("holding shard 0", seconds=120)
        self.assertGreater(relay.passed("requests") - sent, ROWS << 20)
        self.assertEqual(self.server.rows("SELECT format FROM trawld.shards"), [(format + 1,)])
        self.assertEqual(self.server.rows("SELECT count(*) FROM trawld.batch_keys WHERE number < 0"), [(ROWS,)])
        self.assertEqual(second.stop(), 0, second.text())

    def unanswered(self, direction):
        """From a commit on, nothing passes in its connection, while a new one to the same server works: it renews the lease
        for a time."""
        self.begin(60, visible=40)
        relay = self.own(Relay(self.server.port))
        other = socket.socket()  # a host that refuses at first, and would not answer later
        self.addCleanup(other.close)
        other.bind(("127.0.0.1", 0))
        hosts = "target_session_attrs=read-write host=127.0.0.1,127.0.0.1 port=%d," % other.getsockname()[1]
        holder = self.node("a", address=self.server.address(relay).replace("host=127.0.0.1 port=", hosts))
        self.wait_acknowledged(40)
        other.listen()
        heir = self.node("b")
        heir.wait_log("standing by", seconds=60)
        relay.mute_at(BEGIN, direction)
        self.cloud.control(visible=60)
        holder.wait_log("has not answered a commit for 3 s", seconds=60)
        self.assertEqual(self.server.rows("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '%:lease'"), [(1,)])
        self.assertNotIn("holding shard 0", heir.text())
        self.assertEqual(holder.wait(90), 75, holder.text())
        self.assertIn("could not be renewed in time: the database does not answer a commit", holder.text())
        heir.wait_log("holding shard 0", seconds=60)
        self.wait_acknowledged(60)
        self.assertEqual(heir.stop(), 0, heir.text())
        self.recover("a", "b")
        self.assert_once(1, self.count)

    def test_unanswered(self):
        """The commit was made, and nobody says so."""
        self.unanswered(ANSWERS)

    def test_half(self):
        """The server waits for the rest of the commit."""
        self.unanswered(REQUESTS)

    def test_left_copy(self):
        """After kill -9, the working copy is not taken for the state: neither beside nothing nor beside a standby."""
        self.begin(40, visible=40)
        first = self.node("a")
        self.wait_acknowledged(40)
        self.assertIn("acme", self.on("a", "coverage"))
        first.kill()
        self.assertTrue((self.dir / "state-a" / "shard-0.db").exists())
        self.assertIn("no trawld on this host holds a shard", self.on("a", "coverage", expect=73))
        other = self.node("b")
        other.wait_log("holding shard 0", seconds=60)
        standby = self.node("a")
        standby.wait_log("standing by")
        self.assertIn("no trawld on this host holds a shard", self.on("a", "coverage", expect=73))
        self.assertIn("acme", self.on("b", "coverage"))

    def test_many_standbys(self):
        """All of them are woken when a shard is given back; one takes it, and none ends the session of another."""
        self.begin(40, visible=40)
        for n in range(STANDBYS + 1):
            self.node("n%d" % n)
        for _ in range(ROUNDS):
            name = wait_until(lambda: next((name for name, daemon in self.daemons.items()
                                            if daemon.process.poll() is None and "holding shard" in daemon.text()), None),
                              "a holder", 60)
            for other, daemon in self.daemons.items():
                if other != name:
                    daemon.wait_log("standing by", seconds=60)
            self.assertEqual(self.daemons[name].stop(), 0, self.daemons[name].text())
            for daemon in self.daemons.values():
                self.assertNotIn("terminating connection", daemon.text())
                self.assertNotIn("connection to the database was lost", daemon.text())
            self.node(name)

    def test_listen(self):
        """A standby applies a new `listen` on SIGHUP."""
        self.begin(40, visible=40)
        self.node("a").wait_log("holding shard 0", seconds=60)
        standby = self.node("b")
        standby.wait_log("standing by")
        path = self.dir / "b.conf"
        path.write_text(path.read_text().replace("listen = 127.0.0.1:0", "listen = unix:%s/b.socket" % self.dir))
        standby.signal(signal.SIGHUP)
        wait_until(lambda: (self.dir / "b.socket").exists(), "a socket of the standby")

    def test_codes(self):
        """What may pass ends with 75, what a person has to change with 78."""
        self.begin(40, visible=40)
        self.node("a").wait_log("holding shard 0", seconds=60)
        self.write("b")
        self.assertEqual(self.trawld("-c", str(self.dir / "b.conf"), "--once").code, 75)
        self.write("b", shards=2)
        text = (self.dir / "b.conf").read_text()
        self.assertIn("%{shard}", text)
        for arguments in ((), ("--once",)):
            result = self.trawld("-c", str(self.dir / "b.conf"), *arguments, seconds=60)
            self.assertEqual(result.code, 78, result.err)
            self.assertIn("trawlctl cluster reshard", result.err)


if __name__ == "__main__":
    harness.main()
