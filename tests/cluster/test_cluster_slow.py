#!/usr/bin/python3
"""A start and a reload that take longer than the lease: the process keeps its shard, beside one that waits for it."""

import pathlib
import signal
import subprocess

from holders import LEASE, Case  # first: it finds the next ones
from relay import REQUESTS, Relay

import harness
from harness import wait_until


class Slow(Case):
    def setUp(self):
        super().setUp()
        source = pathlib.Path(__file__).with_name("held.c")
        self.preload = self.dir / "held.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", self.preload, source], check=True)
        self.begin(200, visible=100)

    def environment(self):
        return {**super().environment(), "LD_PRELOAD": str(self.preload)}

    def hold(self, path):
        """Whoever opens PATH waits until what this returns is removed."""
        file = path.with_name(path.name + ".hold")
        file.touch()
        return file

    def is_taken(self):
        return self.server.rows("SELECT to_regclass('trawld.shards') IS NOT NULL") == [(True,)] and self.server.rows(
            "SELECT 1 FROM trawld.shards WHERE holder IS NOT NULL")

    def outlast(self, heir):
        """Waits for three leases, of which the shard's holder renews each, in time."""
        (begin,), = self.server.rows("SELECT clock_timestamp()")
        wait_until(lambda: self.server.rows(
            "SELECT 1 FROM trawld.shards WHERE expires > %s + interval '1 s' * %s", (begin, 3 * LEASE)), "renewals", 60)
        self.assertNotIn("holding shard", heir.text())

    def test_start(self):
        """The state is opened after the lease was taken."""
        self.start_slowly()

    def test_connection(self):
        """The same, and the server does not answer the connection that is to renew the lease: without it, nothing is taken."""
        relay = self.own(Relay(self.server.port))
        relay.mute_at(b":lease\0", REQUESTS)
        self.start_slowly(address=self.server.address(relay))
        self.assertIn("the database does not answer", self.daemons["a"].text())

    def start_slowly(self, **settings):
        (self.dir / "state-a").mkdir(mode=0o700)
        held = self.hold(self.dir / "state-a" / "shard-0.commits")
        holder = self.node("a", **settings)
        wait_until(self.is_taken, "a holder", 60)
        heir = self.node("b")
        heir.wait_log("standing by", seconds=60)
        self.outlast(heir)
        self.assertNotIn("holding shard", holder.text())
        held.unlink()
        holder.wait_log("holding shard 0", seconds=60)
        self.end(holder, heir)

    def test_reload(self):
        """The loop stands still while the configuration is read."""
        holder = self.node("a")
        self.wait_acknowledged(100)
        heir = self.node("b")
        heir.wait_log("standing by", seconds=60)
        held = self.hold(self.dir / "a.conf")
        mark = holder.mark()
        holder.signal(signal.SIGHUP)
        self.outlast(heir)
        self.assertNotIn("reloaded", holder.text(mark))
        held.unlink()
        holder.wait_log("reloaded: 1 source", mark=mark, seconds=60)
        self.end(holder, heir)

    def end(self, holder, heir):
        self.cloud.control(visible=self.count)
        self.wait_acknowledged()
        self.assertNotIn("holding shard", heir.text())
        self.assertEqual(holder.stop(), 0, holder.text())
        self.assertEqual(heir.stop(), 0)
        self.assert_once()


if __name__ == "__main__":
    harness.main()
