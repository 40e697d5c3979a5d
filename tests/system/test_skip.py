#!/usr/bin/python3
"""trawlctl skip: a source gets past what cannot be read while trawld runs; what is left out is small, a gap, and
shown; everything else is delivered once."""

import json
import threading
import time

import harness
from harness import wait_until, whole_lines

import files
from small_api import OFFSET, WINDOW, Api, iso, seconds, within

EVERY_S = 20


class Skip(harness.Case):
    def begin(self, answer, *keys):
        """A source of events of the last hour, one every 20 s; number 70 of 180 makes its page unreadable."""
        self.base = int(time.time()) - 3600
        self.events = [
            {"id": str(n), "at": iso(self.base + n * EVERY_S)} for n in range(180)
        ]
        self.poison = self.base + 70 * EVERY_S
        api = Api(answer)
        self.addCleanup(api.stop)
        self.start(api.source(*keys, "start = %s" % iso(self.base), "rate = off", "interval = 1h"))

    def start(self, source):
        self.control = self.dir / "control"
        self.configure(source, self.file_sink(), control=self.control)
        self.running = self.daemon()
        wait_until(self.control.exists, "the control socket")

    def rows(self, events):
        return [5 if seconds(event["at"]) == self.poison else event for event in events]

    def skip(self):
        text = self.ctl("skip", "acme").text
        self.assertIn("source acme: skipping what fails: ", text)
        wait_until(self.gaps, "the gap")

    def gaps(self):
        return [json.loads(line) for line in self.ctl("gaps", "--json").text.splitlines()]

    def delivered(self):
        return [json.loads(line)["id"] for line in whole_lines(self.out)]

    def expect_rest(self, longest):
        """All came that is not in the one gap, which is at most so many seconds long."""
        gap, = self.gaps()
        start, end = seconds(gap["start"]), seconds(gap["end"])
        self.assertEqual(gap["reason"], "skipped")
        self.assertLessEqual(end - start, longest)
        self.assertLessEqual(start, self.poison)
        self.assertLess(self.poison, end)
        lost = {e["id"] for e in self.events if start <= seconds(e["at"]) < end}
        kept = [e["id"] for e in self.events if e["id"] not in lost]
        wait_until(lambda: len(self.delivered()) >= len(kept), "the records after the gap")
        found = self.delivered()
        self.assertEqual(len(found), len(set(found)))
        self.assertLessEqual(set(kept), set(found))
        self.assertNotIn("70", found)

    def test_window(self):
        self.begin(lambda query, number: {"rows": self.rows(within(query, self.events))}, *WINDOW)
        self.running.wait_log("retrying in")
        self.skip()
        self.expect_rest(4)
        # a gap is no failure: nothing before it is requested again
        self.ctl("poll", "acme")
        self.assertEqual(len(self.gaps()), 1)
        events = map(json.loads, self.ctl("events", "--json").text.splitlines())
        done, = (event for event in events if event["kind"] == "skip")
        self.assertEqual(done["source"], "acme")
        self.assertEqual(self.running.stop(), 0)

    def test_window_of_pages(self):
        def answer(query, number):
            rows = self.rows(within(query, self.events))
            offset, limit = int(query["offset"]), int(query["limit"])
            return {"rows": rows[offset : offset + limit]}

        self.begin(answer, *OFFSET, "page.size = 7")
        self.running.wait_log("retrying in")
        self.skip()
        self.expect_rest(4)

    def test_cursor(self):
        def answer(query, number):
            at = int(query.get("cursor") or 0)
            if "cursor" not in query:
                start = seconds(query["from"])
                at = sum(seconds(event["at"]) < start for event in self.events)
            return {"rows": self.rows(self.events[at : at + 10]), "next": str(min(at + 10, 180))}

        self.begin(
            answer,
            "request.query.from = ${window.start}",
            "request.query.cursor = ${page.cursor|resume.cursor}",
            "request.query.limit = ${page.size}",
            "page.cursor = /next",
            "resume.cursor = /next",
            "page.end = short",
            "page.size = 10",
        )
        self.running.wait_log("retrying in")
        self.skip()
        self.expect_rest(10 * EVERY_S)

    def test_nothing_to_skip(self):
        self.begin(lambda query, number: {"rows": within(query, self.events[:60])}, *WINDOW)
        wait_until(lambda: len(self.delivered()) == 60, "the records")
        result = self.ctl("skip", "acme", expect=64)
        self.assertIn("the source is not failing: there is nothing to skip", result.err)
        self.assertIn("no source `acne`: did you mean `acme`", self.ctl("skip", "acne", expect=64).err)
        self.assertEqual(self.running.stop(), 0)
        self.ctl("skip", "acme", expect=75)

    def test_while_it_retries(self):
        """What cannot be skipped is requested again, also where a retry was under way."""
        blocked, go_on = threading.Event(), threading.Event()
        self.addCleanup(go_on.set)

        def answer(query, number):
            if number == 2:
                blocked.set()
                go_on.wait()
            return {"rows": self.events[:5] if number > 2 else "none"}

        self.begin(answer, "resume.newest = yes")
        self.assertTrue(blocked.wait(20 * harness.PATIENCE))
        self.assertIn("nothing can be requested after", self.ctl("skip", "acme", expect=64).err)
        go_on.set()
        wait_until(lambda: len(self.delivered()) == 5, "the records")
        self.assertEqual(self.gaps(), [])

    def test_refused_credential(self):
        self.begin(lambda query, number: (401, {"error": "token"}), *WINDOW)
        self.running.wait_log("HTTP 401")
        self.assertIn("would fail again after it", self.ctl("skip", "acme", expect=64).err)
        self.assertEqual(self.gaps(), [])


class SkipDocument(harness.Case):
    """One document of a list is damaged: only that one is left out."""

    def test_document(self):
        sim = self.simulator("--files", "9", "--large", "500", name="files")
        now = files.BASE_S + 9 * files.STEP_S + 60
        sim.control(clock_offset=now - time.time(), damaged={"6": 10})
        self.control = self.dir / "control"
        self.configure(
            "[source files]\nprovider = files\ntoken = %s\nendpoint = %s\nrate = off\nstart = %s\n"
            "allow_origins = http://localhost:%s\ninterval = 1h\nretry_max = 50ms\n"
            % (
                files.TOKEN,
                sim.url,
                files.simlib.iso(files.BASE_S * 10**6),
                sim.url.rpartition(":")[2],
            ),
            self.file_sink(),
            providers=harness.SOURCE_ROOT / "tests" / "definitions",
            control=self.control,
        )
        running = self.daemon()
        wait_until(self.control.exists, "the control socket")
        running.wait_log("retrying in")
        self.ctl("skip", "files")
        running.wait_log("gap: records from ")
        expected = b"".join(
            files.row(n, i)[1].encode() + b"\n"
            for n in range(9)
            if n != 6
            for i in range(files.rows_of(n, 500))
        ).replace(b"\\u00ef", "ï".encode())
        self.wait_size(self.out, len(expected))
        running.stop()
        self.assert_output(expected)


if __name__ == "__main__":
    harness.main()
