#!/usr/bin/python3
"""cluster_skew: the clocks of nodes and of the database are wrong, or are set while they work. Only when a lease is taken may
depend on the database's, and nothing on those of nodes."""

import pathlib
import shutil
import signal
import struct
import subprocess
import tempfile
import time

from holders import LEASE, LONG, Case  # first: it finds the next ones
from postgres import Server

import harness
from harness import wait_until

HOUR = 3600
ROUNDS = 5 if LONG else 1


class Clock:
    """One that a process can be given, and that can be set."""

    def __init__(self, folder, name):
        self.path = folder / name
        self.path.write_bytes(bytes(8))
        self.environment = {"LD_PRELOAD": str(folder / "skew.so"), "TRAWLD_TEST_SKEW": str(self.path)}

    def set(self, ahead):
        with open(self.path, "r+b", buffering=0) as file:
            file.write(struct.pack("@l", ahead))


class Skew(Case):
    def setUp(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="trawld-clocks-"))
        self.addCleanup(shutil.rmtree, folder)
        folder.chmod(0o755)  # the server is another user
        source = pathlib.Path(__file__).with_name("skew.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", folder / "skew.so", source], check=True)
        self.clocks = {name: Clock(folder, name) for name in ("a", "b", "server")}
        server = Server(preload=self.clocks["server"].environment)
        self.addCleanup(server.remove)
        super().setUp(server)
        self.own_clock = {}
        self.n_visible = 0

    def environment(self):
        return {**super().environment(), **self.own_clock}

    def node(self, name, **settings):
        self.own_clock = self.clocks[name].environment
        try:
            return super().node(name, **settings)
        finally:
            self.own_clock = {}

    def more(self, count=20):
        self.n_visible += count
        self.cloud.control(visible=self.n_visible)

    def all_given(self):
        self.wait_acknowledged(self.n_visible, 60)

    def kill(self):
        """The holder, while records flow; waits for the next one. Returns the pause."""
        name = self.wait_holder()
        other = "b" if name == "a" else "a"
        self.daemons[other].wait_log("standing by", seconds=60)
        mark = self.daemons[name].mark()
        self.more()
        self.daemons[name].wait_log("committed in", mark=mark)
        self.daemons[name].kill()
        began = time.monotonic()
        self.daemons[other].wait_log("holding shard 0", seconds=60)
        pause = time.monotonic() - began
        self.all_given()
        self.node(name)
        self.assertLess(pause, (LEASE * 1.2 + 3) * harness.PATIENCE)

    def stays(self, holder):
        """It renews its lease four times, and works."""
        lease = lambda: self.server.rows("SELECT expires FROM trawld.shards")[0][0]
        for _ in range(4):
            before = lease()
            wait_until(lambda: lease() != before, "a renewal")
        self.more()
        self.all_given()
        self.assertIsNone(holder.process.poll(), holder.text())

    def end(self):
        for daemon in self.daemons.values():
            self.assertIn(daemon.stop(), (0, 75, -signal.SIGTERM), daemon.text())  # it may just have been started
        self.count = self.n_visible
        self.recover("a", "b")

    def test_nodes(self):
        """One node is an hour ahead, the other one an hour behind, and then the other way round."""
        self.begin(10000)
        for ahead in (HOUR, -HOUR) * ROUNDS:
            self.clocks["a"].set(ahead)
            self.clocks["b"].set(-ahead)
            if not self.daemons:
                self.node("a")
                self.wait_holder()
                self.node("b")
            holder = self.daemons[self.wait_holder()]
            self.stays(holder)
            self.kill()
            self.kill()
        self.end()
        self.assert_once(4 * ROUNDS, self.count)

    def test_node_is_set(self):
        """The holder's clock is set while it works; so is that of the standby."""
        self.begin(10000)
        holder = self.node("a")
        holder.wait_log("holding shard 0", seconds=60)
        self.node("b").wait_log("standing by", seconds=60)
        for ahead in (HOUR, -HOUR, 0) * ROUNDS:
            for name in "ab":
                self.clocks[name].set(ahead)
                self.stays(holder)
        self.end()
        self.assert_once()

    def test_database_is_set(self):
        """The database's clock is set while a holder works. It may lose the shard by that, to the one that waits, and no record."""
        self.begin(10000)
        for name in "ab":
            self.node(name)
        self.wait_holder()
        n_steps = 0
        for ahead in (HOUR, 0, -HOUR, 0) * ROUNDS:
            self.more()
            self.clocks["server"].set(ahead)
            n_steps += 1
            wait_until(lambda: self.keep_running() and self.held_for_long_enough(), "a holder", 60)
            self.more()
            wait_until(lambda: self.keep_running() and self.n_given() >= self.n_visible, "all records", 60)
            wait_until(lambda: self.keep_running() and len(self.waiting()) == 1, "a standby", 60)
            self.kill()
        self.end()
        self.assert_once(2 * n_steps, self.count)

    def waiting(self):
        return [name for name, daemon in self.daemons.items()
                if "standing by" in daemon.text() and "holding shard" not in daemon.text()]

    def held_for_long_enough(self):
        """Whoever holds the shard has renewed its lease by the clock as it is now."""
        return self.server.rows("SELECT expires > clock_timestamp() AND expires <= clock_timestamp() + interval '%d s'"
                                " FROM trawld.shards" % LEASE) == [(True,)]

    def keep_running(self):
        for name, daemon in list(self.daemons.items()):
            if daemon.process.poll() is not None:
                self.assertEqual(daemon.wait(), 75, daemon.text())
                self.node(name)
        return True


if __name__ == "__main__":
    harness.main()
