#!/usr/bin/python3
"""The shipped definition `ovhcloud` reading a live index of a real OpenSearch: order, ties,
continuation, conditions, late records, kills, and the errors in the server's own words."""

import collections
import json
import time

from receivers import Case  # first: it finds the next ones

import harness
import ovhcloud
from harness import TOKEN, wait_until, whole_lines
from opensearch import shared_node

FIELDS = {"program": "keyword", "region": "keyword", "method": "keyword", "path": "keyword"}


class Live(Case):
    def setUp(self):
        super().setUp()
        self.node = shared_node()
        self.addCleanup(self.node.reset)
        self.stored = {}

    def create(self, kind="keyword"):
        """An index behind an alias, as a stream of the Logs Data Platform."""
        properties = {name: {"type": kind} for name in FIELDS}
        properties["timestamp"] = {"type": "date"}
        self.node.must("PUT", "/graylog-7", {
            "settings": {"number_of_shards": 2},
            "mappings": {"dynamic": False, "properties": properties},
            "aliases": {ovhcloud.ALIAS: {}},
        })

    def store(self, count, first, last, seed=1):
        """COUNT documents whose times are between these seconds; many share a millisecond."""
        self.trail = ovhcloud.make_trail(seed, count, int(first) * 10**6, int(last) * 10**6)
        documents = {
            ovhcloud.document_id(seed, n): ovhcloud.document(self.trail, n) for n in range(count)
        }
        self.node.index("graylog-7", documents)
        self.stored.update(documents)

    def read(self, more="", start="-1h"):
        self.configure(
            "[source acme]\nprovider = ovhcloud\ncluster = gra1\nalias = %s\ntoken = %s\n"
            "endpoint = %s\nstart = %s\nretry_max = 1s\n%s\n"
            % (ovhcloud.ALIAS, TOKEN, self.node.url, start, more),
            self.file_sink(),
        )

    def found(self):
        return [line.decode() for line in whole_lines(self.out)]

    def forget(self):
        """State and output go: another run begins."""
        self.out.unlink(missing_ok=True)
        for file in self.state.glob("*"):
            file.unlink()

    def assert_read(self, chosen=lambda document: True):
        documents = [text for text in self.stored.values() if chosen(json.loads(text))]
        self.assertTrue(documents)
        self.assert_once_each(self.found(), documents)

    def test_order_and_ties(self):
        """Thousands of records within a second, 20 in some milliseconds, in pages of any size."""
        last = int(time.time()) - 3600
        self.create()
        self.store(3000, last, last + 1)
        most = max(collections.Counter(self.trail.times).values())
        self.assertGreater(most, 5)
        for size, tiebreaker in ((7, "_id"), (1000, "_id"), (most + 1, ""), (999, "")):
            with self.subTest(size=size, tiebreaker=tiebreaker):
                self.forget()
                self.read("page_size = %d\ntiebreaker = %s" % (size, tiebreaker), "-2h")
                self.once()
                self.assert_read()
                times = [json.loads(line)["timestamp"] for line in self.found()]
                self.assertEqual(times, sorted(times))

    def test_conditions(self):
        """Conditions find whole values whether or not the field is analysed."""
        now = time.time()
        nova = lambda document: document["program"] == "nova-api"
        cases = (
            ("kind = compute", nova),
            ("region = SBG5", lambda document: document["region"] == "SBG5"),
            ('query = NOT program:"nova-api"', lambda document: not nova(document)),
            ('kind = compute\nquery = NOT region:"GRA11" AND method:(GET OR POST)',
                lambda document: nova(document) and document["region"] != "GRA11"
                and document["method"] != "DELETE"),
        )
        slashes = (
            (r"query = path:\/v2.1\/servers\/1*",
                lambda document: document["path"].startswith("/v2.1/servers/1")),
        )
        for kind in ("keyword", "text"):
            self.create(kind)
            self.store(600, now - 2 * 3600, now - 120)
            # an analysed path is in pieces
            for more, chosen in cases + (slashes if kind == "keyword" else ()):
                with self.subTest(more=more, kind=kind):
                    self.forget()
                    self.read(more, "-3h")
                    self.once()
                    self.assert_read(chosen)
            if kind == "keyword":
                # between two slashes is a regular expression, as the definition warns
                self.forget()
                self.read("query = path:/v2.1/servers", "-3h")
                self.once()
                self.assertEqual(self.found(), [])
                self.read("query = path:/v2.1/servers/1*", "-3h")
                result = self.once(75)
                self.assertTrue(result.lines("Failed to parse query [path:/v2.1/"), result.err)
            else:
                # without quotes each part of the value is enough, as the definition warns
                self.forget()
                self.read("query = NOT program:nova-api", "-3h")
                self.once()
                self.assertEqual(self.found(), [])
            self.node.reset()

    def test_late_records(self):
        """Indexed behind the watermark: found by the overlap; nothing comes twice."""
        self.create()
        self.read("page_size = 50")
        for seed in (1, 2, 3):
            now = time.time()
            self.store(200, now - 13 * 60, now - 35, seed)
            self.once()
            self.assert_read()
        size = self.out.stat().st_size
        self.once()
        self.assertEqual(self.out.stat().st_size, size)

    def test_kills(self):
        """Both are killed while trawld reads."""
        now = time.time()
        self.create()
        self.store(4000, now - 1800, now - 60)
        self.read("page_size = 20\nrate = off")
        total = sum(len(text.encode()) + 1 for text in self.stored.values())
        for part in (0.1, 0.3, 0.6):
            daemon = self.daemon()
            self.wait_size(self.out, int(part * total))
            if part == 0.3:
                self.node.kill()
                daemon.wait_log("source acme")
                self.node.start()
                self.wait_size(self.out, int(0.4 * total))
            daemon.kill()
        self.once()
        self.assert_read()

    def test_another_order(self):
        """After `tiebreaker` changed, the cursor of the old order is not sent: the window is read again."""
        now = time.time()
        self.create()
        self.store(2000, now - 1800, now - 60)
        self.read("page_size = 20\nrate = off")
        daemon = self.daemon()
        wait_until(lambda: len(self.found()) > 100, "some pages")
        daemon.kill()
        self.assertLess(len(self.found()), 2000)
        self.read("page_size = 500\ntiebreaker =")
        result = self.once()
        self.assertFalse(result.lines("search_after"), result.err)
        self.assert_read()

    def test_errors(self):
        """The server's own words, and nothing is passed over."""
        now = time.time()
        self.create()
        self.store(500, now - 1800, now - 60)
        self.read()
        for path, words in (("/_close", "closed"), ("/_open", "")):
            self.node.must("POST", "/graylog-7" + path)
            result = self.once(75 if words else 0)
            self.assertIn(words, result.err)
        self.assert_read()
        self.forget()
        self.node.settings(indices__id_field_data__enabled=False)
        result = self.once(75)
        self.assertTrue(result.lines("Fielddata access on the _id field is disallowed"), result.err)
        self.assertEqual(self.found(), [])
        self.read("tiebreaker =")
        self.once()
        self.assert_read()
        self.node.settings(indices__id_field_data__enabled=None)
        self.read("query = program:(")
        result = self.once(75)
        self.assertTrue(result.lines("Failed to parse query [program:(]"), result.err)
        self.node.must("DELETE", "/graylog-7")
        self.assertTrue(self.once(75).lines("no such index [%s]" % ovhcloud.ALIAS))


if __name__ == "__main__":
    harness.main()
