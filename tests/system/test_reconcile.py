#!/usr/bin/python3
"""Windows that are requested again some time after their end: late records are delivered once and counted, records that
the API no longer returns are reported, and nothing else."""

import collections
import hashlib
import json
import sqlite3
import time

import harness
import small_api
from harness import wait_until
from small_api import WINDOW, iso, seconds

GRID = 2


class Reconcile(harness.Case):
    """The API has a record each 0.2 s, from before the test until long after it; polls see each when its time comes.
    One window, in the future when a test chooses it, is answered differently when exactly it is requested."""

    def setUp(self):
        super().setUp()
        begin = int(time.time()) - 10
        self.events = [{"id": "r%d" % i, "at": iso(begin + i / 5)} for i in range(3000)]
        self.window, self.again, self.down = None, None, False
        self.n_again = 0
        self.api = small_api.Api(self.answer)
        self.addCleanup(self.api.stop)

    def answer(self, query, number):
        if self.again is None or (seconds(query["from"]), seconds(query["to"])) != self.window:
            return {"rows": small_api.within(query, self.events)}
        self.n_again += 1
        return (503, {}) if self.down else {"rows": self.again}

    def serve(self, *keys, reconcile="%ds" % GRID, overlap="overlap = 1s"):
        self.configure(
            self.api.source(
                *WINDOW, overlap, "lag = 0s", "rate = off", "interval = 100ms", "reconcile = " + reconcile, *keys
            ),
            self.file_sink(),
            control=self.dir / "control",
        )

    def query(self, sql):
        database = sqlite3.connect("file:%s?mode=ro" % (self.state / "trawld.db"), uri=True)
        rows = database.execute(sql).fetchall()
        database.close()
        return rows

    def choose(self, change):
        """The next whole window but one: what it has, and CHANGE of that is what it has when it is requested again."""
        daemon = self.daemon()
        wait_until(lambda: len(self.api.queries) > 1, "the first poll")
        start = (int(time.time()) // GRID + 2) * GRID
        inside = [event for event in self.events if start <= seconds(event["at"]) < start + GRID]
        self.window, self.again = (start, start + GRID), change(inside)
        return daemon, inside

    def reconciled(self, n=1):
        wait_until(lambda: self.n_again >= n, "requests for the window")
        end = int(self.window[1] * 1e9)
        wait_until(
            lambda: all(until >= end for (until,) in self.query("SELECT until_time FROM reconciled")),
            "the end of the reconciliation",
        )

    def lines(self):
        return self.out.read_text().splitlines() if self.out.exists() else []

    def test_by_id(self):
        """3 late, 1 removed, 2 repeated; the second reconciliation has nothing to add."""
        late = []

        def change(inside):
            late.extend({"id": "late%d" % i, "at": event["at"]} for i, event in enumerate(inside[:3]))
            return inside[:5] + inside[6:] + late + inside[:2]

        self.serve(reconcile="%ds, %ds" % (GRID, 2 * GRID))
        daemon, inside = self.choose(change)
        self.reconciled(2)
        self.assertEqual(self.ctl("events").text.count("vanished"), 1)
        self.assertEqual(self.ctl("gaps").text, "no open gaps\n")
        self.assertEqual(daemon.stop(), 0)
        log = daemon.text()
        self.assertEqual(log.count("came late"), 1, log)
        self.assertRegex(log, r"reconciled \S+ to \S+: 3 records came late, up to \d+ s after their time; delivered now")
        self.assertRegex(log, r"`overlap = \d+m` would have read them in time")
        self.assertEqual(log.count("no longer returned"), 1, log)
        digest = hashlib.sha256(inside[5]["id"].encode()).hexdigest()[:32]
        self.assertRegex(log, r"1 record from \S+ to \S+ that was accepted before is no longer returned .*" + digest)
        ids = [json.loads(line)["id"] for line in self.lines()]
        self.assertEqual(len(set(ids)), len(ids))
        self.assertEqual({event["id"] for event in inside + late} - set(ids), set())

    def test_overlap_auto(self):
        """What was learned of lateness makes the polls reach back by more: shown, an event, and after a kill the same."""
        self.serve(overlap="resume.overlap = 1s\noverlap = auto")
        daemon, _ = self.choose(lambda inside: [*inside, {"id": "late", "at": inside[0]["at"]}])
        self.assertRegex(self.ctl("status", "acme").text, r"\n  overlap +1s \(auto\)\n")
        daemon.wait_log("overlap = auto: polls reach back by 1m from now on, before by 1s, since 1 record came late")
        daemon.kill()
        events = [json.loads(line) for line in self.ctl("events", "--json").text.splitlines()]
        (event,) = [event for event in events if event["kind"] == "overlap"]
        self.assertEqual(event["source"], "acme")
        self.assertIn("polls reach back by 1m from now on, before by 1s", event["text"])
        daemon = self.daemon()
        # it grows as time passes: dedupe keys were kept for 1 s
        def reach():
            spans = [seconds(query["to"]) - seconds(query["from"]) for query in self.api.queries[-30:]]
            return sum(4 * GRID < span < 60 for span in spans) > 10

        wait_until(reach, "polls that reach back by more")
        self.assertRegex(self.ctl("status", "acme").text, r"\n  overlap +1m \(auto\); the latest record came up to \d+s late\n")
        self.assertEqual(daemon.stop(), 0)
        ids = [json.loads(line)["id"] for line in self.lines()]
        self.assertEqual(len(set(ids)), len(ids))
        self.assertIn("late", ids)

    def test_healthy(self):
        """Nothing is late and nothing vanished: nothing is said."""
        self.serve()
        daemon, _ = self.choose(lambda inside: inside)
        self.reconciled()
        daemon.stop()
        self.assertNotIn("reconcile", daemon.text())
        self.assertEqual(len(set(self.lines())), len(self.lines()))

    def test_without_id(self):
        """Equal records are counted: one of two that is gone, and a third of two."""
        self.events = [{"at": event["at"]} for event in self.events for _ in range(2)]
        self.serve()
        self.conf.write_text(self.conf.read_text().replace("records.id = /id\n", ""))
        daemon, inside = self.choose(lambda inside: inside[1:] + inside[-1:])
        self.reconciled()
        daemon.wait_log("came late")
        daemon.stop()
        log = daemon.text()
        self.assertEqual((log.count("1 record came late"), log.count("1 record from")), (1, 1), log)
        counts = collections.Counter(json.loads(line)["at"] for line in self.lines())
        self.assertEqual(counts.pop(inside[-1]["at"]), 3)
        self.assertEqual(set(counts.values()), {2})

    def test_failing(self):
        """A window that cannot be read is requested again later, also by the next process."""
        self.serve()
        self.down = True
        daemon, inside = self.choose(lambda inside: [*inside, {"id": "late", "at": inside[0]["at"]}])
        daemon.wait_log("retrying later")
        daemon.kill()
        self.down = False
        daemon = self.daemon()
        daemon.wait_log("1 record came late")
        daemon.stop()
        ids = [json.loads(line)["id"] for line in self.lines()]
        self.assertEqual(len(set(ids)), len(ids))
        self.assertEqual({"late", *(event["id"] for event in inside)} - set(ids), set())

    def test_configuration(self):
        self.serve()
        self.assertIn("reconcile", self.conf.read_text())
        self.check(0)
        for value, words in (
            ("1h, 1h", "longer than the one before"),
            ("soon", "expected durations"),
            ("1h, 2h, 3h, 4h, 5h", "up to 4 delays"),
        ):
            self.serve(reconcile=value)
            self.assertIn(words, self.check(78).err)
        self.serve("resume.retention = 1d", reconcile="2d")
        self.assertIn("longer than the API keeps records", self.check(78).err)
        self.serve("overlap = auto", overlap="")
        self.check(0)
        self.conf.write_text(self.conf.read_text().replace("reconcile = 2s\n", ""))
        self.assertRegex(self.check(78).err, r"trawld.conf:\d+: overlap = auto: requires `reconcile`")
        self.configure(
            self.api.source("resume.cursor = /next", "request.query.c = ${resume.cursor}", "reconcile = 1h"),
            self.file_sink(),
        )
        self.assertIn("windows of time", self.check(78).err)


if __name__ == "__main__":
    harness.main()
