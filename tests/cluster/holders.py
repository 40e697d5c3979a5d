"""What the tests of a shared state have in common: nodes, each a trawld with a folder of its own, and a strict receiver."""

import collections
import os
import urllib.request

from postgres import PASSWORD, Server  # first: it finds the next ones

import cloudscale
import harness
from harness import Daemon, wait_until
from http_sink import got

LEASE = 3
LONG = bool(os.environ.get("TRAWLD_LONG"))  # script/test-cluster --long


class Case(harness.Case):
    """Two nodes by default, one shard. Each node writes a file of its own, and both send to one receiver."""

    cluster = "test"
    more_sinks = ""

    def setUp(self, server=None):
        """SERVER: one that others use, too."""
        super().setUp()
        self.server = server or self.own(Server())
        self.receiver = self.simulator(name="http_receiver")
        self.daemons = {}

    def own(self, thing):
        self.addCleanup(thing.remove)
        return thing

    def begin(self, count, visible=0):
        self.count = count
        self.cloud = self.cloudscale(count, "--page-size", "20")
        self.cloud.control(visible=visible)

    def write(self, node, address=None, shards=1, lease=LEASE, synchronous=False, sources=None):
        """The configuration of NODE."""
        self.state, path = self.dir / ("state-" + node), self.dir / (node + ".conf")
        self.configure(
            *(sources or [self.source(self.cloud.url, more="interval = 100ms")]),
            "[sink files]\ntype = file\npath = %s/out-%%{node}-%%{shard}.ndjson\n" % self.dir,
            "[sink net]\ntype = http\nurl = %s/ndjson\nencoding = ndjson\nretry_max = 1s\nbatch_age = 20ms\n" % self.receiver.url,
            self.more_sinks, "[cluster]\nname = %s\nconnect = %s sslmode=disable\npassword = %s\nnode = %s\nshards = %d\n"
            "lease = %ds\nrequire_synchronous = %s\n" % (
                self.cluster, address or self.server.address(), "${env:PG_PASSWORD}", node, shards, lease, "yes" if synchronous else "no"),
            daemon="state = postgresql\nlog_level = debug", path=path, listen="127.0.0.1:0",
            control=self.dir / (node + ".control"))
        return path

    def environment(self):
        return {**super().environment(), "PG_PASSWORD": PASSWORD}

    def node(self, name, **settings):
        daemon = Daemon(["-c", str(self.write(name, **settings))], self.environment())
        self.addCleanup(daemon.kill)
        self.daemons[name] = daemon
        return daemon

    def wait_holder(self, seconds=60):
        """The name of the node whose process has got the shard."""
        return wait_until(lambda: next((name for name, daemon in self.daemons.items() if "holding shard" in daemon.text()), None),
                          "a holder", seconds)

    def ask(self, daemon, path):
        url = daemon.wait_log("http://127.0.0.1:").split("http://")[1].split("/")[0].split()[0].rstrip(",;")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open("http://" + url + path, timeout=30) as answer:
            return answer.read().decode()

    def requests(self):
        return got(self.receiver, "ndjson")

    def is_acknowledged(self, count):
        """So many records were committed, and every sink has them."""
        if self.n_given() < count:
            return False  # there may be no tables yet
        (n_sinks,), = self.server.rows("SELECT count(*) FROM trawld.sinks WHERE cluster = %s", (self.cluster,))
        (n_waiting,), = self.server.rows("SELECT count(*) FROM trawld.batches WHERE cluster = %s", (self.cluster,))
        return n_waiting == 0 and n_sinks > 0

    def wait_acknowledged(self, count=None, seconds=120):
        count = count or self.count
        wait_until(lambda: self.is_acknowledged(count), "%d records everywhere" % count, seconds)

    def n_given(self):
        """How many records the receiver has."""
        return sum(len(request["records"]) for request in self.requests() if not request["repeat"])

    def recover(self, *nodes):
        """Each node holds the shard once more, alone: what a crash has left in its file is moved aside."""
        for name in nodes:
            daemon = self.node(name)
            daemon.wait_log("holding shard 0", seconds=60)
            daemon.wait_log("up to date", seconds=60)
            self.assertEqual(daemon.stop(), 0, daemon.text())

    def expected(self):
        return cloudscale.expected_lines(1, 0, self.count).decode().splitlines()

    def assert_once(self, jobs=0, unacknowledged=0):
        """The receiver has each record once, but for so many JOBS that it recognises; so have the nodes' files together, but
        for so many records that a holder had written and not acknowledged when it lost the shard."""
        stats = self.receiver.stats()
        self.assertEqual(stats["violations"], [])
        given = collections.Counter(
            record for request in self.requests() if not request["repeat"] for record in request["records"])
        self.assert_each_once(given, "the receiver")
        self.assertLessEqual(stats["repeats"]["ndjson"], jobs)
        written = collections.Counter()
        for path in self.dir.glob("out-*.ndjson"):
            written.update(path.read_text().splitlines())
        self.assert_each_once(written, "the files", unacknowledged)

    def assert_each_once(self, found, where, repeats=0):
        expected = collections.Counter(self.expected())
        lost, more = expected - found, found - expected
        if not lost and sum(more.values()) <= repeats:
            return
        self.fail("%s: %d lost, %d too many\n%s\n%s" % (
            where, sum(lost.values()), sum(more.values()), list(lost)[:2], list(more)[:2]))
