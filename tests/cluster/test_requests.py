#!/usr/bin/python3
"""Commands of a person to the holders of shards, from any host: rows of the table requests."""

import http.server
import json
import subprocess
import threading
import time
import uuid

from holders import LEASE, Case  # first: it finds the next ones

import harness
from harness import TOKEN, wait_until
from test_gaps import Capped

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
        self.assertEqual(sorted(shard for shard, event in self.events("pause") if event.get("sink") == "net"), [0, 1])
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

    def gapped(self):
        """Source gapped of shard 1, with gaps; source new of shard 0, which was never polled."""
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Capped)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        settings = {"shards": 2, "sources": [
            "[source gapped]\nprovider = custom\nrequest.url = http://127.0.0.1:%d/log\nrate = off\n"
            "request.query.from = ${window.start:epoch_s}\nrequest.query.to = ${window.end:epoch_s}\n"
            "records.at = /items\nrecords.id = /id\nresume.window = yes\npage.cap = 2\n"
            "page.total = /total\nstart = -2s\ninterval = 1h\nshard = 1\n" % server.server_port,
            self.source("http://127.0.0.1:1/", "new", more="enabled = no\nshard = 0")]}
        self.write("admin", **settings)
        path = self.dir / "admin.conf"
        path.write_text(path.read_text().replace("[sink net]", "[sink other]"))  # not what the nodes have
        self.more_sinks = "[sink gapped]\ntype = file\npath = %s/more-%%{node}-%%{shard}.ndjson\n" % self.dir
        for name in "ab":
            self.node(name, **settings)
        wait_until(lambda: len(self.holders()) == 2, "two holders", 60)
        self.holders()[1].wait_log("up to date", seconds=60)

    def holders(self):
        """{shard: daemon}"""
        return {shard: daemon for daemon in self.daemons.values() for shard in range(2) if "holding shard %d" % shard in daemon.text()}

    def n_open(self):
        return self.server.rows("SELECT count(*) FROM trawld.coverage WHERE state = 'gap' AND acknowledged_time IS NULL"
                                " AND refilled_time IS NULL")[0][0]

    def test_gaps(self):
        """What is acknowledged is listed; nothing is, that no shard has, or that was found after the question."""
        self.gapped()
        n_gaps = self.n_open()
        self.assertGreater(n_gaps, 0)
        self.assertIn("no source `gaped`", self.on("admin", "gaps", "gaped", "--acknowledge", expect=64))
        self.assertEqual(self.events("acknowledge-gaps"), [])
        asked, text = str(uuid.uuid4()), {"command": "acknowledge-gaps", "source": "gapped", "asked_time": time.time_ns() - 10**12}
        self.server.rows("INSERT INTO trawld.requests(id, cluster, shard, expires, asked_by, request)"
                         " VALUES(%s, 'test', 1, clock_timestamp() + interval '1 minute', 'me', %s)", (asked, json.dumps(text)))
        self.server.rows("SELECT pg_notify('trawld_test_1', '')")
        answer = wait_until(lambda: self.server.rows("SELECT answer FROM trawld.requests WHERE id = %s", (asked,))[0][0], "an answer", 60)
        answer = json.loads(answer)
        self.assertEqual((answer["ok"], answer["gaps"]), (True, 0))
        self.assertEqual(self.n_open(), n_gaps)
        lines = self.on("admin", "gaps", "gapped", "--acknowledge").splitlines()
        self.assertRegex(lines[-1], "^%d gaps? acknowledged$" % n_gaps)
        self.assertEqual(len(lines), n_gaps + 1)
        for line in lines[:-1]:
            self.assertRegex(line, r"^source gapped: \S+Z to \S+Z, capped, found \S+Z$")
        self.assertEqual(self.n_open(), 0)

    def test_some(self):
        """A shard that does not answer may have the source, and has every sink; a refusal is one, whoever else answers."""
        self.gapped()
        self.assertIn("cannot be refilled", self.on("admin", "refill", "new", expect=64))
        for name in "net", "gapped":  # sources, as far as this host knows; the second one is both
            self.assertIn("sink %s: paused" % name, self.on("admin", "pause", name))
            self.assertEqual({shard for shard, event in self.events("pause") if event.get("sink") == name}, {0, 1})
        self.holders()[1].kill()
        asking = [self.start("admin", *arguments) for arguments in (("gaps", "gaped", "--acknowledge"), ("resume", "net"))]
        for process in asking:
            said = process.communicate(timeout=120)[0]
            self.assertEqual(process.returncode, 75, said)
            self.assertIn("shard 1: no process holds it", said)
            self.assertNotIn("0 gaps acknowledged", said)
            self.assertNotIn("sink net: resumed", said)

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

    def test_long_poll(self):
        """A poll that takes long ends for the person who asked, and another command need not wait for it."""
        self.node("a").wait_log("up to date", seconds=60)
        self.cloud.control(faults=[{"kind": "hang"}])
        polling = self.start("a", "poll", "acme")
        self.wait_taken()
        self.assertIn("source acme: paused", self.on("a", "pause", "acme"))
        self.assertIn("the poll continues", polling.communicate(timeout=120)[0])
        self.assertEqual(polling.returncode, 75)
        self.assertEqual([n_taken for _, n_taken, _ in self.asked()], [1, 1])

    def test_no_right(self):
        """A holder that cannot read the requests says so once, keeps the shard, and says when it can again."""
        holder = self.node("a")
        holder.wait_log("up to date", seconds=60)
        self.server.rows("REVOKE UPDATE ON trawld.requests FROM trawld")
        holder.wait_log("refused a renewal of the lease", seconds=60)
        self.assertIn("permission denied for table requests", holder.text())
        self.server.rows("GRANT UPDATE ON trawld.requests TO trawld")
        holder.wait_log("accepts renewals of the lease again", seconds=60)
        self.assertEqual(holder.text().count("refused a renewal"), 1)
        self.assertIn("source acme: 0 new records", self.on("a", "poll", "acme"))


if __name__ == "__main__":
    harness.main()
