#!/usr/bin/python3
"""trawld is killed, or loses its state's receiver to another one, while it writes to a real broker."""

import random
import shutil
import signal
import time

from brokers import Case, Gate, new_topic, shared_cluster  # first: it finds the next ones

import cloudscale
import harness
from harness import Daemon, wait_until

KILLS = 50
TIMEOUT = 6  # seconds, of a transaction in test_zombie


class Kill(Case):
    def setUp(self):
        super().setUp()
        self.cluster = shared_cluster()
        self.topic = new_topic(self.cluster)
        for gate in self.cluster.gates.values():
            gate.release()

    def begin(self, count, *more, gate=None, **settings):
        self.cloud = self.cloudscale(count, "--page-size", "50")
        self.cloud.control(visible=0, **settings)
        self.more = more
        self.write(gate=gate)

    def write(self, gate=None, state=None, path=None):
        own = self.state
        self.state = state or own
        self.configure(
            self.source(self.cloud.url, more="interval = 100ms"),
            self.sink(self.cluster, self.topic, *self.more,
                      brokers=self.cluster.gates[gate].address if gate else None),
            daemon="log_level = debug", path=path)
        self.state = own

    def second(self, gate=None):
        """Another trawld with a copy of the state, as on another host, where paths are the same."""
        copy, path = self.dir / "copy", self.dir / "copy.conf"
        shutil.copytree(self.state, copy, ignore=shutil.ignore_patterns("trawld.lock", "trawld.configuration"))
        self.write(gate, copy, path)
        daemon = Daemon(["-c", str(path)], self.environment())
        self.addCleanup(daemon.kill)
        return daemon

    def finish(self, count):
        self.cloud.control(visible=count)
        self.write()
        self.once()
        self.assert_read(self.cluster, self.topic, self.expected(count))

    def expected(self, count):
        return cloudscale.expected_lines(1, 0, count).splitlines()

    def test_kill(self):
        """kafka_kill: 50 times, when a job was begun, at any moment after it, or acknowledged."""
        chance = random.Random(1)
        self.begin(KILLS * 60)
        for n in range(KILLS):
            daemon = self.daemon()
            self.cloud.control(visible=(n + 1) * 60)
            daemon.wait_log("job: batches" if n % 3 else "acknowledged up to batch", seconds=60)
            time.sleep(chance.random() * 1.2 if n % 3 == 1 else chance.random() * 0.01)
            daemon.kill()
        self.finish(KILLS * 60)

    def test_kill_at_the_commit(self):
        """Before the broker has the request to commit, and after it but before trawld has the answer."""
        self.begin(150, gate="FIRST")
        gate = self.cluster.gates["FIRST"]
        for n, answers in enumerate((False, True, False), 1):
            gate.hold(Gate.END_TXN, answers)
            daemon = self.daemon()
            self.cloud.control(visible=n * 50)
            gate.wait_held()
            daemon.kill()
            gate.release()
        self.finish(150)

    def test_predecessor_commits(self):
        """kafka_zombie: the one before commits after the next one has begun to start, and before it is fenced.
        Then it is fenced, and delivers nothing more."""
        self.begin(100, gate="FIRST")
        first, second = self.cluster.gates["FIRST"], self.cluster.gates["SECOND"]
        first.hold(Gate.END_TXN)
        zombie = self.daemon()
        self.cloud.control(visible=50)
        first.wait_held()
        zombie.signal(signal.SIGSTOP)
        second.hold(Gate.INIT_PRODUCER_ID)
        heir = self.second("SECOND")
        second.wait_held()
        first.release()
        zombie.signal(signal.SIGCONT)
        zombie.wait_log("acknowledged up to batch 1", seconds=60)
        second.release()
        heir.wait_log("acknowledged up to batch 1", seconds=60)
        self.assert_read(self.cluster, self.topic, self.expected(50))
        self.cloud.control(visible=100)
        heir.wait_log("acknowledged up to batch 2", seconds=60)
        self.assertEqual(zombie.wait(60), 75)
        self.assertIn("have fenced off transactional.id", zombie.text())
        self.assertEqual(heir.stop(), 0)
        self.assert_read(self.cluster, self.topic, self.expected(100))

    def test_zombie(self):
        """kafka_zombie: stopped in a transaction, for longer than that may take; another takes over."""
        self.begin(200, "option.transaction.timeout.ms = %d" % (TIMEOUT * 1000), gate="FIRST")
        gate = self.cluster.gates["FIRST"]
        gate.hold(Gate.END_TXN)
        zombie = self.daemon()
        self.cloud.control(visible=50)
        gate.wait_held()
        zombie.signal(signal.SIGSTOP)
        stopped = time.monotonic()
        heir = self.second()
        self.cloud.control(visible=150)
        wait_until(lambda: len(self.found()) == 150, "150 records from the second", 60)
        wait_until(lambda: time.monotonic() > stopped + 1.5 * TIMEOUT, "the time-out", 60)
        gate.release()
        zombie.signal(signal.SIGCONT)
        self.assertEqual(zombie.wait(60), 75)
        self.assertIn("have fenced off transactional.id", zombie.text())
        self.cloud.control(visible=200)
        wait_until(lambda: len(self.found()) >= 200, "all records", 60)
        self.assertEqual(heir.stop(), 0)
        self.assert_read(self.cluster, self.topic, self.expected(200))

    def found(self):
        (messages,) = self.cluster.read(self.topic).values()
        return messages


if __name__ == "__main__":
    harness.main()
