#!/usr/bin/python3
"""trawlctl cluster: what it shows, and another number of shards."""

import json
import re

from postgres import Server  # first: it finds the next ones

import nodes

import cloudscale
import harness
from harness import wait_until

N = 6  # sources
COUNT = 60


class Reshard(nodes.Case):
    def setUp(self):
        super().setUp()
        self.server = self.own(Server())
        self.connect = self.server.address()
        self.tokens = ["token-of-project-%d-xyz" % n for n in range(N)]
        self.cloud = self.simulator(*[word for n, token in enumerate(self.tokens)
                                      for word in ("--project", "%s=%d:%d" % (token, n + 1, 3 * COUNT))])
        self.cloud.control(visible=COUNT)
        self.sections = [self.source(self.cloud.url, "s%d" % n, token, "interval = 200ms")
                         for n, token in enumerate(self.tokens)] + [self.node_sink("%{source}.ndjson")]

    def expected(self, n, count):
        return cloudscale.expected_lines(n + 1, 0, count)

    def run_until(self, count, n_nodes):
        """Nodes at work until each source has COUNT records in its file, then stopped in order."""
        self.cloud.control(visible=count)
        running = [self.node("node-%d" % n) for n in range(n_nodes)]
        for n in range(N):
            self.wait_size(self.dir / ("s%d.ndjson" % n), len(self.expected(n, count)))
        wait_until(lambda: self.server.rows("SELECT count(*) FROM trawld.batches") == [(0,)], "acknowledgements", 60)
        self.stop_all(running)
        for n in range(N):
            self.assert_output(self.expected(n, count), self.dir / ("s%d.ndjson" % n))

    def reshard(self, count, expect=0):
        return self.ctl_of("node-0", "cluster", "reshard", str(count), expect=expect)

    def environment(self):
        return {**super().environment(), "CREDENTIALS_DIRECTORY": str(self.dir)}

    def shards_of(self):
        """{source: shard} of those with a cursor."""
        rows = self.server.rows("SELECT convert_from(name, 'UTF8'), shard FROM trawld.sources WHERE cursor IS NOT NULL")
        self.assertEqual(len(rows), len(dict(rows)), "a source is in two shards")
        return dict(rows)

    def test_reshard(self):
        """1, 3, 2 and again 1 shards: every source continues at its cursor, nothing is lost or repeated."""
        self.run_until(COUNT, 1)
        self.assertEqual(set(self.shards_of().values()), {0})
        self.reshard(3)
        three = self.shards_of()
        self.assertEqual(len(three), N)
        self.assertGreater(len(set(three.values())), 1)
        self.shards = 3
        self.run_until(COUNT + 20, 4)
        self.assertEqual(self.shards_of(), three)
        self.reshard(2)
        self.assertEqual(self.server.rows("SELECT count(*), max(shard) FROM trawld.shards"), [(2, 1)])
        self.shards = 2
        self.run_until(COUNT + 40, 2)
        self.reshard(1)
        self.shards = 1
        self.run_until(COUNT + 60, 1)

    def test_dedupe_keys_follow(self):
        """After it, a rewind repeats nothing that was read before it."""
        self.run_until(COUNT, 1)
        keys = self.server.rows("SELECT sum(n_keys) FROM trawld.batch_keys")
        self.reshard(3)
        self.assertEqual(self.server.rows("SELECT sum(n_keys) FROM trawld.batch_keys"), keys)
        self.shards = 3
        running = [self.node("node-%d" % n) for n in range(3)]
        for shard in range(3):
            self.holder(running, shard)
        for n in range(N):
            shard = self.shards_of()["s%d" % n]
            node = self.holder(running, shard)
            node.wait_log("up to date for the first time")
            name = node.name
            self.assertIn("%d records read since then are in the dedupe" % COUNT,
                          self.ctl_of(name, "rewind", "s%d" % n, "--to", "earliest").text)
        self.cloud.control(visible=COUNT + 20)
        for n in range(N):
            self.wait_size(self.dir / ("s%d.ndjson" % n), len(self.expected(n, COUNT + 20)))
        self.stop_all(running)
        for n in range(N):
            self.assert_output(self.expected(n, COUNT + 20), self.dir / ("s%d.ndjson" % n))

    def first_names(self):
        """Source and first name of each kept batch of a source that was renamed, and its number of records."""
        return self.server.rows(
            "SELECT convert_from(s.name, 'UTF8'), convert_from(n.name, 'UTF8'), sum(b.n_records)"
            " FROM trawld.batch_names n JOIN trawld.batches b USING (cluster, shard, number)"
            " JOIN trawld.sources s ON s.cluster = b.cluster AND s.shard = b.shard AND s.id = b.source"
            " GROUP BY 1, 2")

    def test_names_follow(self):
        """Kept records of a source that was renamed keep their name in another shard."""
        self.daemon_keys = "keep = 7d"
        node = self.node("node-0")
        for n in range(N):
            self.wait_size(self.dir / ("s%d.ndjson" % n), len(self.expected(n, COUNT)))
        self.sections[0] = self.sections[0].replace("[source s0]", "[source renamed]")
        self.write("node-0")
        self.ctl_of("node-0", "rename", "s0", "renamed")
        self.stop_all([node])
        self.assertEqual(self.first_names(), [("renamed", "s0", COUNT)])
        for count in (3, 2):
            self.reshard(count)
            self.assertEqual(self.first_names(), [("renamed", "s0", COUNT)])
            self.shards = count

    def test_refused(self):
        """Nothing changes while a process holds a shard, while records wait, or for a number that cannot be."""
        self.write("node-0")
        self.assertIn("no tables of trawld yet", self.reshard(2, expect=78).err)
        node = self.node("node-0")
        self.wait_size(self.dir / "s0.ndjson", len(self.expected(0, COUNT)))
        result = self.reshard(2, expect=75)
        self.assertIn("shard 0 is held by node-0", result.err)
        self.assertIn("nothing was changed", result.err)
        node.kill()
        self.assertIn("shard 0 is held by node-0", self.reshard(2, expect=75).err)
        self.server.execute("UPDATE trawld.shards SET expires = '-infinity'", database="trawld")
        self.server.execute("INSERT INTO trawld.batches(cluster, shard, number, n_records) VALUES('prod', 0, 999999, 7)",
                            database="trawld")
        self.assertIn("7 records wait for sinks", self.reshard(2, expect=75).err)
        self.server.execute("DELETE FROM trawld.batches WHERE number = 999999", database="trawld")
        for text in ("0", "1001", "two", "-1"):
            self.assertIn("from 1 to 1000", self.ctl_of("node-0", "cluster", "reshard", "--", text, expect=64).err)
        self.assertEqual(self.server.rows("SELECT shards FROM trawld.clusters"), [(1,)])
        self.reshard(2)
        self.assertEqual(self.server.rows("SELECT shards FROM trawld.clusters"), [(2,)])
        # the number in the configuration is the old one
        node = self.node("node-0")
        self.assertIn(node.wait(60), (73, 78))
        self.assertIn("has 2 shards", node.text())

    def test_source_of_another_shard(self):
        """A configuration that gives a source to a shard that knows nothing of it is refused, until a reshard moves it."""
        self.reshard_from_one(2)
        found = self.shards_of()
        other = next(n for n in range(N) if found["s%d" % n] == 1)
        name = "s%d" % other
        self.sections[other] = self.source(self.cloud.url, name, self.tokens[other], "interval = 200ms\nshard = 0")
        node = self.node("node-0", shard=0)
        self.assertEqual(node.wait(60), 78)
        self.assertIn("source %s (node-0.conf:" % name, node.text())
        self.assertIn("its state is in shard 1, and the configuration gives it to shard 0", node.text())
        self.write("node-0")
        wait_until(lambda: self.server.rows("SELECT count(*) FROM trawld.shards WHERE expires > clock_timestamp()") == [(0,)],
                   "the lease's return")
        self.reshard(2)
        self.assertEqual(self.shards_of(), {**found, name: 0})
        self.run_until(COUNT + 20, 2)

    def names_in(self, shard):
        """The sources that have a row there, with or without a cursor, and those that have a route."""
        return tuple({name for name, in self.server.rows("SELECT convert_from(s.name, 'UTF8') FROM trawld.sources s" + join +
                                                         " WHERE s.shard = %s", (shard,))}
                     for join in ("", " JOIN trawld.routes r ON r.shard = s.shard AND r.source = s.id"))

    def test_own_sources(self):
        """A shard has rows of its own sources, and of no others, also after a reload that cannot change the number of shards.
        A source is not renamed to one of another shard, nor while the configuration has both."""
        self.reshard_from_one(2)
        for n in range(2):
            self.sections[n] = self.source(self.cloud.url, "s%d" % n, self.tokens[n], "interval = 200ms\nshard = %d" % n)
        self.reshard_to(2)
        running = [self.node("node-%d" % n) for n in range(2)]
        holders = [self.holder(running, shard) for shard in range(2)]
        for holder in holders:
            holder.wait_log("%d sources, 1 sink" % N)
        own = [{name for name, shard in self.shards_of().items() if shard == at} for at in range(2)]
        self.assertEqual([self.names_in(shard) for shard in range(2)], [(names, names) for names in own])
        # what a host knows of is one shard, and it says so
        for command in ("gaps", "coverage"):
            said = self.ctl_of(holders[0].name, command)
            self.assertIn("one shard of 2", said.err)
            self.assertLessEqual(set(re.findall(r"^source (\w+):", said.text, re.M)), own[0])
        report = self.ctl_of(holders[0].name, "report", "--from", "-1h", "--to", "now", "--format", "md")
        self.assertIn("the report of one shard of 2", report.text)
        renamed = [section.replace("[source s0]", "[source t0]") for section in self.sections]
        self.write(holders[0].name, *renamed, shards=5)
        self.ctl_of(holders[0].name, "rename", "s0", "t0")
        own[0] = own[0] - {"s0"} | {"t0"}
        self.assertEqual([self.names_in(shard) for shard in range(2)], [(names, names) for names in own])
        self.write(holders[0].name, *renamed, renamed[0].replace("t0", "u0").replace("shard = 0", "shard = 1"))
        self.assertIn("still has [source t0]", self.ctl_of(holders[0].name, "rename", "t0", "u0", expect=78).err)
        self.write(holders[0].name, *renamed[1:], renamed[0].replace("t0", "u0").replace("shard = 0", "shard = 1"))
        self.assertIn("gives [source u0] to another shard than 0", self.ctl_of(holders[0].name, "rename", "t0", "u0", expect=78).err)
        self.assertEqual([self.names_in(shard) for shard in range(2)], [(names, names) for names in own])
        self.stop_all(running)

    def reshard_to(self, count):
        self.write("node-0")
        self.reshard(count)

    def reshard_from_one(self, count):
        self.run_until(COUNT, 1)
        self.reshard(count)
        self.shards = count

    def test_one_credential_one_shard(self):
        """Sources with one credential are in one shard, and a new secret moves none of them."""
        # not ${file:}: a path of this run would give them other shards each time, some of them the same
        secrets = [self.dir / name for name in ("first", "second", "third")]
        for path, token in zip(secrets, self.tokens):
            path.write_text(token)
        self.sections = [self.source(self.cloud.url, "s%d" % n, "${credential:%s}" % secrets[n % 3].name, "interval = 200ms")
                         for n in range(N)] + [self.node_sink("%{source}.ndjson")]
        self.run_once(COUNT)
        self.reshard(64)
        found = self.shards_of()
        self.assertEqual(len(found), N)
        self.assertEqual([found["s%d" % n] for n in range(3)], [found["s%d" % (n + 3)] for n in range(3)])
        self.assertEqual(len(set(found.values())), 3)
        for path, token in zip(secrets, self.tokens[3:]):
            path.write_text(token)
        self.reshard(64)
        self.assertEqual(self.shards_of(), found)

    def run_once(self, count):
        self.cloud.control(visible=count)
        node = self.node("node-0")
        wait_until(lambda: len(self.shards_of()) == N if self.made() else False, "cursors", 60)
        self.assertEqual(node.stop(), 0)

    def made(self):
        return self.server.rows("SELECT to_regclass('trawld.sources') IS NOT NULL") == [(True,)]

    def test_status(self):
        self.shards = 2
        running = [self.node("node-%d" % n) for n in range(3)]
        first, second = self.holder(running, 0), self.holder(running, 1)
        text = self.ctl_of("node-0", "cluster", "status").text
        self.assertRegex(text, r"^cluster prod: 2 shards, PostgreSQL 15\.\d+ at 127\.0\.0\.1:%d, " % self.server.port)
        self.assertIn("standbys are not visible (GRANT pg_monitor)", text)
        self.assertRegex(text, r"(?m)^ *0  %s " % first.name)
        self.assertRegex(text, r"(?m)^ *1  %s " % second.name)
        for node in running:
            self.assertIn("node %s (process %d, trawld " % (node.name, node.pid), text)
        self.assertEqual(text.count("standby, seen "), 1)
        self.assertNotIn("OTHER CONFIGURATION", text)
        found = json.loads(self.ctl_of("node-0", "cluster", "status", "--json").text)
        self.assertEqual((found["cluster"], found["shards"], found["synchronous_standbys"]), ("prod", 2, None))
        self.assertEqual([(row["shard"], row["node"], row["held"]) for row in found["holders"]],
                         [(0, first.name, True), (1, second.name, True)])
        self.assertEqual(len(found["nodes"]), 3)
        third = next(node for node in running if node not in (first, second))
        self.stop_all([third])
        third = self.node(third.name, *self.sections[1:])
        wait_until(lambda: re.search(r"(?m)^node %s .*standby.*; OTHER CONFIGURATION: [0-9a-f]{8} instead of [0-9a-f]{8}$" % third.name,
                                     self.ctl_of("node-0", "cluster", "status").text), "the other configuration")
        first.kill()
        wait_until(lambda: not re.search("(?m)^ *0  %s " % first.name, self.ctl_of("node-0", "cluster", "status").text),
                   "the end of the lease")

    def test_status_without_a_cluster(self):
        self.write("node-0")
        self.assertIn("no tables of trawld yet", self.ctl_of("node-0", "cluster", "status", expect=78).err)
        self.server.stop()
        self.assertIn("cannot connect to the database of the cluster prod",
                      self.ctl_of("node-0", "cluster", "status", expect=75).err)
        self.ctl_of("node-0", "cluster", "nonsense", expect=64)
        self.ctl_of("node-0", "cluster", "status", "x", expect=64)
        self.configure(self.source(self.cloud.url), self.file_sink())
        self.assertIn("there is no cluster", self.ctl("cluster", "status", expect=78).err)


if __name__ == "__main__":
    harness.main()
