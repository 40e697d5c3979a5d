#!/usr/bin/python3
"""trawld's http sink and a real OpenSearch: what the index refuses blames no record, what is in the
index is there once and byte for byte, whichever side is killed."""

import json
import subprocess

from receivers import Case, blocks, replaced  # first: it finds the next ones

import cloudscale
import harness
from harness import wait_until
from opensearch import shared_node

RECORDS = 300
ADDRESS = "https://search.example.net:9200"
PAGE = "docs/receivers/opensearch.md"
# every record fits: no member of it is looked at
OPEN = {"settings": {"index.mapping.depth.limit": 128}, "mappings": {"dynamic": False}}


class Search(Case):
    def setUp(self):
        super().setUp()
        self.node = shared_node()
        self.addCleanup(self.node.reset)
        # also an index that is made by the first request takes every record
        template = {"index_patterns": ["audit"], "template": OPEN}
        self.node.must("PUT", "/_index_template/audit", template)

    def records(self, count, *arguments):
        self.cloud = self.cloudscale(count, *arguments)
        self.expected = cloudscale.expected_lines(1, 0, count).decode().splitlines()

    def start(self, index, more=""):
        sink = (
            "[sink far]\ntype = http\nurl = %s/%s/_bulk\nencoding = elasticsearch\n"
            "retry_max = 1s\nbatch_age = 100ms\n%s\n" % (self.node.url, index, more)
        )
        self.configure(self.source(self.cloud.url, more="interval = 200ms"), sink)

    def assert_index(self, index, expected=None):
        self.assert_once_each(self.node.documents(index), expected or self.expected)


class Refusals(Search):
    """A state of the index that lets nothing in: all records wait, and arrive when it is repaired."""

    def refused(self, index, words, repair, repaired=None):
        self.records(RECORDS)
        self.start(index)
        result = self.once(expect=75)
        self.assertTrue(result.lines(words), result.err)
        self.assertTrue(result.lines("records unsent"), result.err)
        self.assertEqual(self.dead_letters(), [])
        repair()
        self.start(repaired or index)
        self.once()
        self.assert_index(repaired or index)
        self.assertEqual(self.dead_letters(), [])

    def test_closed_index(self):
        self.node.must("PUT", "/audit")
        self.node.must("POST", "/audit/_close")
        self.refused("audit", "closed", lambda: self.node.must("POST", "/audit/_open"))

    def test_missing_pipeline(self):
        self.node.must("PUT", "/audit", {"settings": {"index.default_pipeline": "absent"}})
        settings = {"index.default_pipeline": None}
        self.refused("audit", "pipeline with id [absent] does not exist",
            lambda: self.node.must("PUT", "/audit/_settings", settings))

    def test_alias_without_write_index(self):
        for index in ("audit-1", "audit-2"):
            self.node.must("PUT", "/" + index, {**OPEN, "aliases": {"audit": {}}})
        action = {"add": {"index": "audit-2", "alias": "audit", "is_write_index": True}}
        self.refused("audit", "no write index is defined for alias",
            lambda: self.node.must("POST", "/_aliases", {"actions": [action]}))

    def test_shard_limit(self):
        self.node.must("PUT", "/other")
        self.node.settings(cluster__max_shards_per_node=1)
        self.refused("audit", "maximum shards open",
            lambda: self.node.settings(cluster__max_shards_per_node=None))

    def test_bad_index_name(self):
        """Only the configuration can be repaired: what waits goes where it now says."""
        self.refused("Audit", "must be lowercase", lambda: None, "audit")

    def test_write_block(self):
        self.node.must("PUT", "/audit", {"settings": {"index.blocks.write": True}})
        self.refused("audit", "blocked by",
            lambda: self.node.must("PUT", "/audit/_settings", {"index.blocks.write": False}))

    def test_full_disk(self):
        self.node.must("PUT", "/audit")
        name = "index.blocks.read_only_allow_delete"
        self.node.must("PUT", "/audit/_settings", {name: True})
        self.refused("audit", "blocked by",
            lambda: self.node.must("PUT", "/audit/_settings", {name: None}))

    def test_mapping_that_fits_nothing(self):
        self.node.must("PUT", "/audit", {"mappings": {"dynamic": "strict"}})
        self.refused("audit", "refuses every record",
            lambda: self.node.must("PUT", "/audit/_mapping", {"dynamic": False}))

    def test_missing_index(self):
        self.node.settings(action__auto_create_index=False)
        self.refused("audit", "no such index", lambda: self.node.must("PUT", "/audit"))


class Records(Search):
    def test_some_are_rejected(self):
        """A field that some records contradict: they are kept with the reason, all others arrive."""
        properties = {"actor": {"properties": {"admin": {"type": "long"}}}}
        self.node.must("PUT", "/audit", {"mappings": {"dynamic": False, "properties": properties}})
        self.records(RECORDS)
        self.start("audit")
        self.once(expect=75)
        bad = [line for line in self.expected if '"admin":{}' in line]
        self.assertGreater(len(bad), 5)
        letters = [json.loads(line) for line in self.dead_letters()]
        self.assertEqual([letter["record"] for letter in letters], [json.loads(x) for x in bad])
        for letter in letters:
            self.assertIn("actor.admin", letter["reason"])
        self.assert_index("audit", [line for line in self.expected if line not in bad])

    def test_awkward_texts(self):
        """What JSON allows and OpenSearch can store is there byte for byte; the rest is kept."""
        good = (
            '{"timestamp":"2025-12-11T12:00:00.000001Z","load":20481.835938}',
            '{"n":1e400,"m":-1E-400,"o":0.10,"p":-0,"q":0.10000000000000000555}',
            '{"big":12345678901234567890,"bigger":123456789012345678901234567890}',
            '{"text":"\\u00e9\\/ \\t \\u2028"}',
            '{"text":"\u00e9/ \u2028  two  spaces"}',
            '{"emoji":"\U0001f468\u200d\U0001f680","pair":"\\ud83d\\ude80"}',
            '{"quote":"\\"a\\":[1,2]","back":"\\\\"}',
            '{}',
            '{"timestamp":17,"subject":null,"e":[],"o":{},"l":[true,false,null]}',
            '{"nul":"\\u0000"}',
            '{"half":"\\ud800"}',
            '{"z":1,"a":2,"dotted.name.":4}',
            '{"deep":%s}' % ('[' * 100 + ']' * 100),
            '{"long":"%s"}' % ("0123456789\u00e4\u00f6\u00fc \u20ac" * 6000),
        )
        bad = (
            ('{"k":1,"k":2,"a":{"k":3},"k":1}', "Duplicate field 'k'"),
            ('{"a":1,"":2}', "field name cannot be an empty string"),
        )
        self.cloud = self.cloudscale(0)
        self.cloud.faults({"kind": "body", "times": 1, "body": (
            '{"next":null,"poll_more":"%s/v1/project-logs?cursor=10000","results":[%s]}'
            % (self.cloud.url, ",".join([*good, *(text for text, _ in bad)])))})
        self.node.must("PUT", "/audit")
        self.start("audit")
        self.once(expect=75)
        self.assertEqual(len(self.dead_letters()), len(bad))
        for letter, (text, words) in zip(self.dead_letters(), bad):
            self.assertIn('"record":' + text, letter)
            self.assertIn(words, letter)
        self.assert_index("audit", good)

    def test_busy_in_part(self):
        """Eight shards and a queue of three: only the rejected items come again."""
        self.node.must("PUT", "/audit", {"settings": {"number_of_shards": 8}})
        self.records(3000)
        self.start("audit", "batch_records = 1000")
        daemon = self.daemon()
        daemon.wait_log("item status 429")
        wait_until(lambda: self.cloud.stats()["served"][harness.TOKEN] == 3000, "all pages")
        wait_until(lambda: self.node.count("audit") == 3000, "all records", 120)
        self.wait_acknowledged()
        self.assertEqual(daemon.stop(), 0)
        pools = self.node.must("GET", "/_nodes/stats/thread_pool")["nodes"].values()
        self.assertGreater(sum(node["thread_pool"]["write"]["rejected"] for node in pools), 0)
        self.assert_index("audit")
        self.assertEqual(self.dead_letters(), [])

    def test_kills(self):
        """Both sides are killed while records flow, at last both at once."""
        self.node.must("PUT", "/audit")
        self.records(4000, "--page-size", "50")
        self.start("audit", "batch_records = 100\nin_flight = 2")
        for visible, ends in ((1500, "trawld"), (2500, "node"), (3500, "both")):
            self.cloud.control(visible=visible)
            daemon = self.daemon()
            wait_until(lambda: self.node.count("audit") > visible - 1000, "a part", 60)
            if ends != "trawld":
                self.node.kill()
            if ends == "node":
                # all records before may have arrived
                self.cloud.control(visible=visible + 100)
                daemon.wait_log("sink far")
                self.node.start()
                wait_until(lambda: self.node.count("audit") == visible + 100, "the rest", 120)
            daemon.kill()
        self.node.start()
        self.cloud.control(visible=4000)
        self.once()
        self.assert_index("audit")
        self.assertEqual(self.dead_letters(), [])


class Tutorial(Search):
    """docs/receivers/opensearch.md, run as it is printed."""

    def environment(self):
        return {**super().environment(), "CREDENTIALS_DIRECTORY": str(self.dir)}

    def run_part(self, number):
        (self.dir / "search").write_text("s3cret")
        here = [(ADDRESS, self.node.url)]
        parts = blocks(PAGE, "sh")
        self.assertEqual(len(parts), 2)  # each of them is run by a test
        command = replaced(parts[number], here)
        subprocess.run(["sh", "-euc", command], check=True, stdout=subprocess.DEVNULL,
            env={**self.environment(), "no_proxy": "127.0.0.1"})
        self.records(RECORDS)
        self.configure(self.source(self.cloud.url), replaced(blocks(PAGE, "ini")[number], here))
        self.once()
        self.assertEqual(self.dead_letters(), [])

    def test_index(self):
        self.run_part(0)
        self.assert_index("audit")
        query = {"query": {"term": {"action": "server_create"}}}
        found = self.node.must("POST", "/audit/_count", query)["count"]
        self.assertEqual(found, sum('"server_create"' in line for line in self.expected))

    def test_data_stream(self):
        self.run_part(1)
        texts = self.node.documents("audit-stream")
        self.assert_once_each(
            [text.partition('"record":')[2][:-1] for text in texts], self.expected)
        query = {"query": {"bool": {"filter": [
            {"term": {"source": "acme"}}, {"range": {"time": {"lt": "2025-12-11T12:00:00Z"}}}]}}}
        found = self.node.must("POST", "/audit-stream/_count", query)["count"]
        early = [x for x in self.expected if json.loads(x)["timestamp"] < "2025-12-11T12:00:00"]
        self.assertEqual(found, len(early))
        self.assertGreater(found, 5)


if __name__ == "__main__":
    harness.main()
