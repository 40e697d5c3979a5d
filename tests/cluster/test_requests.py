#!/usr/bin/python3
"""Commands of a person to the holders of shards, from any host: rows of the table requests."""

import json
import subprocess

from holders import LEASE, Case  # first: it finds the next ones

import harness
from harness import TOKEN, wait_until

PATIENCE = 2 * LEASE + 30  # of trawlctl

# a holder that cannot answer, though it can commit
DEAF = """
CREATE FUNCTION trawld.deaf() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'deaf'; END $$;
CREATE TRIGGER deaf BEFORE UPDATE OF answer ON trawld.requests FOR EACH ROW WHEN (NEW.answer IS NOT NULL)
    EXECUTE FUNCTION trawld.deaf();
"""


class Requests(Case):
    def setUp(self):
        super().setUp()
        self.begin(100)

    def two_shards(self):
        other = TOKEN + "-2"
        self.cloud = self.simulator("--page-size", "20", "--project", "%s=1:100" % TOKEN, "--project", "%s=2:100" % other)
        return {"shards": 2, "sources": [
            self.source(self.cloud.url, "s%d" % n, token, "interval = 1h\nshard = %d" % n) for n, token in enumerate([TOKEN, other])]}

    def on(self, node, *arguments, expect=0):
        """What trawlctl says with the configuration of NODE, whether or not a trawld runs there."""
        self.conf = self.dir / (node + ".conf")
        result = self.ctl(*arguments, expect=expect)
        return result.text + result.err

    def start(self, node, *arguments):
        return subprocess.Popen([harness.TRAWLCTL, "-c", str(self.dir / (node + ".conf")), *arguments],
                                env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def events(self, kind):
        """[(shard, event)] of KIND."""
        found = self.server.rows("SELECT shard, convert_from(line, 'UTF8') FROM trawld.events ORDER BY number")
        return [(shard, event) for shard, event in ((shard, json.loads(line)) for shard, line in found) if event["kind"] == kind]

    def asked(self):
        return self.server.rows("SELECT id::text, n_taken, answer FROM trawld.requests ORDER BY created")

    def wait_taken(self, n=1):
        wait_until(lambda: self.asked() and self.asked()[-1][1] >= n, "a request that was taken %d times" % n, 60)

    def test_anywhere(self):
        """From a host without a trawld, for sources of both shards."""
        settings = self.two_shards()
        self.write("admin", **settings)
        for name in "abc":
            self.node(name, **settings)
        wait_until(lambda: sum("up to date" in daemon.text() for daemon in self.daemons.values()) == 2, "two holders", 60)
        for n in range(2):
            name = "s%d" % n
            self.assertIn("source %s: paused" % name, self.on("admin", "pause", name))
            self.assertEqual([shard for shard, event in self.events("pause") if event["source"] == name], [n])
            self.assertIn("trawlctl resume", self.on("c", "poll", name, expect=75))
            self.assertIn("source %s: resumed" % name, self.on("a", "resume", name))
            self.assertIn("source %s: 0 new records" % name, self.on("b", "poll", name))
            self.assertIn("Nothing was changed", self.on("admin", "rewind", name, "--to", "-1h", "--dry-run"))
            self.assertEqual([event for _, event in self.events("rewind") if event["source"] == name], [])
            self.assertIn("the next poll starts", self.on("admin", "rewind", name, "--to", "-1h"))
            [(shard, event)] = [found for found in self.events("rewind") if found[1]["source"] == name]
            self.assertEqual(shard, n)
            self.assertRegex(event["by"], r"^\S+@\S+ \(request [0-9a-f-]{36}\)$")
            self.assertIn("is not failing", self.on("admin", "skip", name, expect=64))
            self.assertIn("cannot be refilled", self.on("admin", "refill", name, expect=64))
        self.assertIn("polling 2 sources", self.on("admin", "poll"))
        self.assertIn("sink net: paused", self.on("admin", "pause", "net"))
        self.assertEqual([shard for shard, event in self.events("pause") if event.get("sink") == "net"], [0, 1])
        self.assertIn("sink net: resumed", self.on("admin", "resume", "net"))
        self.assertIn("0 gaps acknowledged", self.on("admin", "gaps", "--acknowledge"))
        self.assertIn("sink net: no dead letters", self.on("admin", "dead-letters", "resend", "net"))
        self.assertIn("no source or sink `s2`", self.on("admin", "pause", "s2", expect=64))
        self.assertEqual({n_taken for _, n_taken, _ in self.asked()}, {1})

    def test_status(self):
        """A holder says who holds the other shards; a node without one, and an admin host, show the cluster."""
        settings = self.two_shards()
        self.write("admin", **settings)
        for name in "ab":
            self.node(name, **settings)
        wait_until(lambda: sum("up to date" in daemon.text() for daemon in self.daemons.values()) == 2, "two holders", 60)
        nodes = dict(self.server.rows("SELECT node, shard FROM trawld.shards"))
        for node, shard in nodes.items():
            other = next(name for name in nodes if name != node)
            text = wait_until(lambda: (lambda text: text if "shard %d: %s" % (nodes[other], other) in text else None)(self.on(node, "status")),
                              "the other holder in the status")
            self.assertRegex(text, r"cluster test: node %s holds shard %d since \S+, lease [0-3]s, database \d+\.\dms" % (node, shard))
            cluster = json.loads(self.on(node, "status", "--json"))["cluster"]
            self.assertEqual((cluster["name"], cluster["node"], cluster["shard"], cluster["shards"]), ("test", node, shard, 2))
            self.assertEqual([(holder["shard"], holder["node"]) for holder in cluster["holders"]],
                             sorted((n, name) for name, n in nodes.items()))
            self.assertIn("source s%d is in shard %d, which node %s holds" % (nodes[other], nodes[other], other),
                          self.on(node, "status", "s%d" % nodes[other], expect=64))
        self.assertIn("holds shard", self.on("admin", "status"))

    def test_nobody(self):
        """Nothing is done later that trawlctl has given up."""
        first = self.node("a")
        first.wait_log("up to date", seconds=60)
        self.assertEqual(first.stop(), 0)
        said = self.on("a", "pause", "acme", expect=75)
        self.assertIn("no process holds it", said)
        self.assertIn("nothing was done", said)
        first = self.node("a")
        first.wait_log("up to date", seconds=60)
        self.assertIn("acme: 0 new records", self.on("a", "poll", "acme"))
        self.assertEqual(self.events("pause"), [])

    def test_once(self):
        """A holder that is killed between a command and its answer: the next one finds that it was carried out."""
        self.node("a").wait_log("up to date", seconds=60)
        self.server.rows(DEAF)
        asking = self.start("a", "rewind", "acme", "--to", "-1h")
        wait_until(lambda: self.events("rewind"), "the rewind", 60)
        self.daemons["a"].kill()
        self.node("b")
        self.wait_taken(2)
        self.server.rows("DROP TRIGGER deaf ON trawld.requests")
        self.assertIn("carried out by a process that ended", asking.communicate(timeout=120)[0])
        self.assertEqual(asking.returncode, 0)
        self.assertEqual(len(self.events("rewind")), 1)

    def test_unanswered(self):
        """What is no part of the state is not begun a second time, and trawlctl says so."""
        self.node("a").wait_log("up to date", seconds=60)
        self.server.rows(DEAF)
        asking = self.start("a", "poll", "acme")
        self.wait_taken()
        self.daemons["a"].kill()
        self.server.rows("DROP TRIGGER deaf ON trawld.requests")
        self.node("b")
        self.assertIn("run the command again", asking.communicate(timeout=120)[0])
        self.assertEqual(asking.returncode, 75)


if __name__ == "__main__":
    harness.main()
