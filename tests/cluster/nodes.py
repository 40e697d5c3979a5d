"""Several trawlds with their state in one database: each node has its own configuration, state directory and files."""

import signal
import time

from postgres import PASSWORD  # first: it finds the next ones

import harness
from harness import Daemon, wait_until

LEASE = 3  # seconds, the least


class Case(harness.Case):
    """A test with one database, DATABASE (a Server or a Pair), and simulators that all nodes use."""

    lease = LEASE

    def setUp(self):
        super().setUp()
        self.shards = 1
        self.sections = []
        self.more = "require_synchronous = no"
        self.names = []
        self.daemon_keys = ""

    def own(self, thing):
        self.addCleanup(thing.remove)
        return thing

    def cluster(self, name, /, **changes):
        keys = {"name": "prod", "connect": self.connect, "password": PASSWORD, "node": name, "shards": self.shards,
                "lease": "%ds" % self.lease, **changes}
        return "[cluster]\n%s%s\n" % ("".join("%s = %s\n" % pair for pair in keys.items()), self.more)

    def path(self, name):
        return self.dir / (name + ".conf")

    def write(self, name, /, *sections, **changes):
        """The configuration of a node; SECTIONS in place of the ones that all have."""
        own = self.state
        self.state = self.dir / (name + ".state")
        self.configure(self.cluster(name, **changes), *(sections or self.sections), daemon="state = postgresql\nlog_level = debug\n" + self.daemon_keys,
                       path=self.path(name), control=self.dir / (name + ".control"))
        self.state = own

    def node(self, name, /, *sections, **changes):
        """Starts a trawld."""
        self.write(name, *sections, **changes)
        daemon = Daemon(["-c", str(self.path(name))], self.environment())
        daemon.name = name
        self.addCleanup(daemon.kill)
        if name not in self.names:
            self.names.append(name)
        return daemon

    def ctl_of(self, name, *arguments, expect=0):
        conf, self.conf = self.conf, self.path(name)
        try:
            return self.ctl(*arguments, expect=expect)
        finally:
            self.conf = conf

    def node_sink(self, path="%{node}-%{source}.ndjson", name="archive"):
        return "[sink %s]\ntype = file\npath = %s/%s\n" % (name, self.dir, path)

    def union(self, source="acme"):
        """The lines of SOURCE in the files of all nodes."""
        lines = []
        for path in sorted(self.dir.glob("*%s.ndjson" % source)):
            text = path.read_bytes()
            # what has no line feed yet is being written
            lines += text.split(b"\n")[:-1]
        return lines

    def wait_union(self, count, source="acme", seconds=60):
        wait_until(lambda: len(self.union(source)) >= count, "%d records of %s" % (count, source), seconds)

    def assert_union(self, expected, source="acme"):
        """Each of the lines once, in whatever file."""
        found, expected = sorted(self.union(source)), sorted(expected.splitlines())
        if found == expected:
            return
        lost = [line for line in expected if line not in set(found)]
        self.fail("%d lines of %d; lost: %d %s; too many: %d" % (
            len(found), len(expected), len(lost), lost[:2], len(found) - len(set(found))))

    def holder(self, nodes, shard=0, seconds=60):
        """Of the NODES, the one that holds a shard; waits for it."""
        def find():
            if self.server.rows("SELECT to_regclass('trawld.shards') IS NULL") == [(True,)]:
                return None
            rows = self.server.rows("SELECT node, process FROM trawld.shards WHERE cluster = 'prod' AND shard = %s"
                                    " AND expires > clock_timestamp()", (shard,))
            return next((node for node in nodes if node.process.poll() is None and
                         (node.name, str(node.pid)) in rows), None)
        return wait_until(find, "a holder of shard %d" % shard, seconds)

    def keep_running(self, node):
        """As systemd does: a node that has ended is started again. Returns the one that runs."""
        if node.process.poll() is None:
            return node
        return self.node(node.name)

    def stop_all(self, nodes):
        for node in nodes:
            if node.process.poll() is None:
                node.signal(signal.SIGTERM)
        for node in nodes:
            if node.process.returncode is None or not node.process.stderr.closed:
                node.wait(60)
