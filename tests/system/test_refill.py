#!/usr/bin/python3
"""Gaps that are requested again: what was missing is delivered once, the source's own cursor stays where it is."""

import json
import random
import sqlite3
import time

import harness
import small_api
from harness import wait_until, whole_lines
from small_api import WINDOW, iso, seconds

CAP = 5
LONG_AGO = 4 * 3600  # polls have dropped the dedupe keys of that time, but for gaps


class Refill(harness.Case):
    def setUp(self):
        super().setUp()
        self.events = []  # what the API has
        self.cap = None  # of one response, if any
        self.down = False
        self.hold = None  # called for each request
        self.begun = int(time.time())

    def answer(self, query, number):
        if self.hold:
            self.hold(query)
        if self.down:
            return 503, {}
        rows = small_api.within(query, self.events)
        return {"rows": rows[: self.cap], "total": len(rows)}

    def serve(self, *keys):
        if not hasattr(self, "api"):
            self.api = small_api.Api(self.answer)
            self.addCleanup(self.api.stop)
        self.configure(
            self.api.source(*WINDOW, "overlap = 1s", "lag = 0s", "rate = off", "page.total = /total", *keys),
            self.file_sink(),
            control=self.dir / "control",
        )

    def add(self, ago, n=1):
        """N more records of the second that was AGO seconds before the test began."""
        for _ in range(n):
            self.events.append({"id": len(self.events), "at": iso(self.begun - ago)})

    def cursor(self):
        database = sqlite3.connect("file:%s?mode=ro" % (self.state / "trawld.db"), uri=True)
        (text,) = database.execute("SELECT cursor FROM sources").fetchone()
        database.close()
        return text

    def ids(self):
        return [json.loads(line)["id"] for line in whole_lines(self.out)]

    def assert_all_once(self):
        self.assertEqual(sorted(self.ids()), [event["id"] for event in self.events])

    def run_daemon(self):
        """A daemon whose source is up to date, all of it delivered."""
        daemon, queries = self.daemon(), len(self.api.queries)
        wait_until(lambda: len(self.api.queries) > queries, "the first poll")
        self.ctl("poll", "acme")
        self.ctl("dead-letters", "discard", "archive")  # commits what is collected
        self.wait_acknowledged()
        return daemon

    def make_gap(self, *keys):
        """A second with more records than the API returns at once; no poll follows the first one."""
        self.add(LONG_AGO + 100, 3)
        self.add(LONG_AGO, CAP + 7)
        self.add(300, 2)
        self.cap = CAP
        self.serve("start = -6h", "page.cap = %d" % CAP, "interval = 1h", *keys)
        daemon = self.run_daemon()
        self.assertEqual(len(self.ids()), 3 + CAP + 2)
        return daemon

    def test_capped(self):
        """The API returns all of it now: the rest is delivered, nothing twice, and the gap is closed."""
        daemon = self.make_gap()
        self.cap = None
        self.serve("start = -6h", "interval = 1h")  # the API's promise, in the definition, too
        daemon.stop()
        daemon = self.run_daemon()
        cursor, queries = self.cursor(), len(self.api.queries)
        self.assertIn("1 gap will be requested again", self.ctl("refill", "acme").text)
        line = daemon.wait_log("refilled from")
        self.assertIn("7 new records, %d duplicates; the gap is closed" % CAP, line)
        wait_until(lambda: len(self.ids()) == len(self.events), "the missing records")
        self.assert_all_once()
        self.assertEqual(self.cursor(), cursor)
        self.assertEqual(self.ctl("gaps").text, "no open gaps\n")
        (gap,) = [json.loads(line) for line in self.ctl("gaps", "--all", "--json").text.splitlines()]
        self.assertIn("refilled", gap)
        self.assertEqual([json.loads(line)["state"] for line in self.ctl("coverage", "--json").text.splitlines()], ["full"])
        for query in self.api.queries[queries:]:  # no more than the gap
            self.assertGreaterEqual(seconds(query["from"]), self.begun - LONG_AGO - 2)
            self.assertLessEqual(seconds(query["to"]), self.begun - LONG_AGO + 4)
        self.assertIn("no open gap", self.ctl("refill", "acme").text)
        events = self.ctl("events").text
        self.assertRegex(events, r"refill.*1 open gap requested again")
        daemon.stop()
        self.assert_all_once()

    def test_still_capped(self):
        """The API still returns only a part: the gap stays."""
        daemon = self.make_gap()
        self.ctl("refill", "acme")
        daemon.wait_log("again returns only a part")
        self.assertIn("capped", self.ctl("gaps").text)
        self.assertEqual(len(self.ids()), 3 + CAP + 2)
        daemon.stop()

    def test_killed(self):
        """A process that is killed while it refills: the next one does the rest, and nothing comes twice."""
        daemon = self.make_gap()
        daemon.stop()
        self.add(LONG_AGO - 1, 4)
        self.add(LONG_AGO - 2, 4)
        self.cap = None
        self.serve("start = -6h", "interval = 1h", "resume.span_max = 1s")
        self.gap(LONG_AGO + 3, LONG_AGO - 6)
        daemon = self.run_daemon()
        left = [4]

        def hold(query):
            left[0] -= 1
            self.down = left[0] < 0

        self.hold = hold
        self.ctl("refill", "acme")
        wait_until(lambda: left[0] < 0, "a refill that does not get on")
        wait_until(lambda: len(self.ids()) > 3 + CAP + 2, "the first records of the gap")
        daemon.kill()
        self.assertIn("capped", self.ctl("gaps").text)
        self.hold, self.down = None, False
        daemon = self.run_daemon()
        self.ctl("refill", "acme")
        daemon.wait_log("the gap is closed")
        wait_until(lambda: len(self.ids()) == len(self.events), "the missing records")
        self.assert_all_once()
        daemon.stop()

    def gap(self, start, end):
        """The one gap of the state is this long, seconds before the test began."""
        database = sqlite3.connect(self.state / "trawld.db")
        database.execute(
            "UPDATE coverage SET start_time = ?, end_time = ? WHERE state = 'gap'",
            ((self.begun - start) * 10**9, (self.begun - end) * 10**9),
        )
        database.commit()
        database.close()

    def test_failing(self):
        """An errand that fails leaves the gap open, and the source as it is."""
        daemon = self.make_gap()
        cursor = self.cursor()
        self.down = True
        self.ctl("refill", "acme")
        self.assertIn("HTTP 503", daemon.wait_log("stays open"))
        status = json.loads(self.ctl("status", "--json").text)["sources"][0]
        self.assertEqual((status["state"], status["failing_since"]), ("up to date", None))
        self.assertEqual(self.cursor(), cursor)
        self.assertIn("capped", self.ctl("gaps").text)
        daemon.stop()

    def test_source_fails(self):
        """While the source itself fails the refill waits, and trawlctl and the log say so."""
        daemon = self.make_gap()
        self.down = True
        self.ctl("poll", "acme", expect=75)
        text = self.ctl("refill", "acme").text
        self.assertIn("the source fails now, and they wait until it works again (`trawlctl status acme` shows why)", text)
        line = daemon.wait_log("refill waits")
        self.assertIn("refill waits until the requests of the source succeed again", line)
        self.down = False
        self.ctl("poll", "acme")
        daemon.wait_log("again returns only a part")
        daemon.stop()
        self.assertEqual(len([line for line in daemon.log if "refill waits" in line]), 1)

    def test_expired(self):
        """A part that the API no longer keeps stays a gap."""
        daemon = self.make_gap()
        daemon.stop()
        self.gap(LONG_AGO + 100, LONG_AGO - 300)
        self.cap = None
        self.serve("start = -6h", "interval = 1h", "resume.retention = %ds" % (LONG_AGO - 60))
        daemon = self.run_daemon()
        self.ctl("refill", "acme")
        daemon.wait_log("the gap is closed")
        (gap,) = [json.loads(line) for line in self.ctl("gaps", "--json").text.splitlines()]
        self.assertAlmostEqual(seconds(gap["start"]), self.begun - LONG_AGO - 100, delta=1)
        self.assertAlmostEqual(seconds(gap["end"]), time.time() - LONG_AGO + 120, delta=60)
        self.assertEqual(self.ctl("coverage", expect=1).text.count("gap: capped"), 1)
        self.assertIn("older than what the API keeps", self.ctl("refill", "acme").text)
        daemon.stop()

    def test_refused(self):
        daemon = self.make_gap()
        self.ctl("pause", "acme")
        self.assertIn("paused", self.ctl("refill", "acme", expect=75).err)
        self.assertIn("no source `acne`: did you mean `acme`?", self.ctl("refill", "acne", expect=64).err)
        daemon.stop()
        self.assertIn("no trawld is running", self.ctl("refill", "acme", expect=75).err)

    def open_gaps(self):
        return [json.loads(line) for line in self.ctl("gaps", "--json").text.splitlines()]

    def insert_gap(self, ago, length):
        database = sqlite3.connect(self.state / "trawld.db")
        database.execute(
            "INSERT INTO coverage(source, found_time, start_time, end_time, reason, state)"
            " VALUES('acme', 0, ?, ?, 'capped', 'gap')",
            ((self.begun - ago) * 10**9, (self.begun - ago + length) * 10**9),
        )
        database.commit()
        database.close()

    def inside(self, gaps):
        """The IDs of what the API has in GAPS."""
        spans = [(seconds(gap["start"]), seconds(gap["end"])) for gap in gaps]
        return {
            event["id"] for event in self.events if any(start <= seconds(event["at"]) < end for start, end in spans)
        }

    def test_at_random(self):
        """Late records, gaps, refills and kills in any order: what lies in a gap that is closed is delivered, nothing
        else and nothing twice, and no errand moves the cursor."""
        dice = random.Random(15)
        self.add(1000, 3)
        self.serve("start = -20m", "interval = 1h")
        self.run_daemon().stop()
        allowed, n_killed = set(self.ids()), 0
        for _ in range(10):
            for _ in range(dice.randrange(1, 4)):
                self.add(dice.randrange(100, 1100), dice.randrange(1, 9))
            for _ in range(dice.randrange(1, 4)):
                self.insert_gap(dice.randrange(100, 1100), dice.randrange(1, 300))
            daemon = self.run_daemon()
            cursor, queries, gaps = self.cursor(), len(self.api.queries), self.open_gaps()
            allowed |= self.inside(gaps)
            self.ctl("refill", "acme")
            if dice.randrange(3) == 0:
                wait_until(lambda: len(self.api.queries) > queries, "a refill")
                daemon.kill()
                n_killed += 1
            else:
                wait_until(lambda: not self.open_gaps(), "a refill to its end")
                self.wait_acknowledged()
                self.assertEqual(self.inside(gaps) - set(self.ids()), set())
                self.assertEqual(self.cursor(), cursor)
                self.assertEqual(daemon.stop(), 0)
        self.assertEqual(set(self.ids()) - allowed, set())
        self.assertEqual(len(set(self.ids())), len(self.ids()))
        self.assertGreater(n_killed, 0)


if __name__ == "__main__":
    harness.main()
