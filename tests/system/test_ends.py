#!/usr/bin/python3
"""A chain of pages ends only on proof: APIs that cap their pages, whose totals count something
else, or that refuse what lies beyond a limit. Every record arrives, or a gap says which may not."""

import json
import time

import harness

import small_api


class Ends(harness.Case):
    def begin(self, count, step, answer, *keys):
        """COUNT events, STEP seconds apart, the last one a while ago; ANSWER gets the window's."""
        self.events = [
            {"id": i, "at": small_api.iso(int(time.time()) - 60 - (count - i) * step)}
            for i in range(count)
        ]
        self.api = small_api.Api(
            lambda query, number: answer(small_api.within(query, self.events), query)
        )
        self.addCleanup(self.api.stop)
        self.configure(self.api.source(*keys), self.file_sink())

    def found(self):
        return [json.loads(line)["id"] for line in self.out.read_bytes().splitlines()]

    def assert_all(self):
        self.assertEqual(sorted(self.found()), list(range(len(self.events))))

    def test_a_page_size_that_is_capped(self):
        """Pages of 50 where 1,000 are requested: said once, and every record arrives."""

        def by_offset(found, query):
            first = int(query["offset"])
            return {"rows": found[first : first + min(50, int(query["limit"]))]}

        def by_number(found, query):
            first = (int(query["page"]) - 1) * 50
            return {"rows": found[first : first + 50]}

        def by_cursor(found, query):
            first = int(query.get("cursor", 0))
            return {"rows": found[first : first + 50], "next": first + 50}

        for keys, answer in (
            (small_api.OFFSET, by_offset),
            (small_api.NUMBER, by_number),
            ((*small_api.CURSOR, "page.end = short"), by_cursor),
        ):
            with self.subTest(keys[-1]):
                self.state = self.dir / answer.__name__
                self.out = self.dir / (answer.__name__ + ".out")
                self.begin(230, 10, answer, *keys, "page.size = 1000")
                result = self.once()
                self.assert_all()
                told = result.lines("pages hold 50 elements, requested were 1000")
                self.assertEqual(len(told), 1, result.err)
                # known now: a full page and a short one, which needs no further proof
                before = len(self.api.queries)
                self.assertEqual(self.once().lines("pages hold"), [])
                self.assertEqual(len(self.api.queries) - before, 2)
                self.assert_all()

    def test_a_total_that_saturates(self):
        """The total stops counting at the cap, and what lies beyond is refused: the window is
        halved."""

        def answer(found, query):
            first, size = int(query["offset"]), int(query["limit"])
            if first + size > 100:
                return 400, {"message": "Result window is too large"}
            return {"rows": found[first : first + size], "total": min(len(found), 100)}

        for size in (25, 30):
            self.state = self.dir / ("state-%d" % size)
            self.out = self.dir / ("out-%d" % size)
            self.begin(330, 10, answer, *small_api.OFFSET, "page.cap = 100",
                "page.total = /total", "page.size = %d" % size, "start = -2h")
            result = self.once()
            self.assert_all()
            self.assertEqual(result.lines("gap:"), [])

    def test_a_second_beyond_the_cap(self):
        """What cannot be halved ends at the cap with a gap; the source goes on."""

        def answer(found, query):
            first, size = int(query["offset"]), int(query["limit"])
            if first + size > 100:
                return 400, {"message": "Result window is too large"}
            return {"rows": found[first : first + size], "total": min(len(found), 100)}

        self.begin(300, 10, answer, *small_api.OFFSET, "page.cap = 100", "page.total = /total",
            "page.size = 30", "start = -2h")
        crowded = [dict(self.events[150], id=i) for i in range(300, 450)]
        self.events[150:151] = crowded
        result = self.once()
        self.assertEqual(len(result.lines("gap:")), 1, result.err)
        found = self.found()
        self.assertEqual(len(found), 299 + 100)
        self.assertLess(set(range(300)) - {150}, set(found))

    def test_a_total_of_the_page(self):
        """A total that counts the page, or nothing, is found out and ignored."""
        for total in (len, lambda rows: 0):

            def answer(found, query):
                first, size = int(query["offset"]), int(query["limit"])
                rows = found[first : first + size]
                return {"rows": rows, "total": total(rows)}

            self.state = self.dir / ("state-%d" % total([1]))
            self.out = self.dir / ("out-%d" % total([1]))
            self.begin(330, 10, answer, *small_api.OFFSET, "page.total = /total",
                "page.size = 100", "start = -2h")
            result = self.once()
            self.assert_all()
            self.assertEqual(len(result.lines("the total at `/total`")), 1, result.err)

    def test_a_page_after_the_last_one(self):
        """Where an API has no page after the last one, its 404 is the proof that it was."""

        def answer(found, query):
            first = (int(query["page"]) - 1) * 50
            if first >= len(found) and first:
                return 404, {"message": "Invalid page."}
            return {"rows": found[first : first + 50]}

        self.begin(30, 10, answer, *small_api.NUMBER, "page.size = 50")
        result = self.once()
        self.assert_all()
        self.assertEqual(result.lines("warning"), [])

    def test_a_size_that_is_not_sent(self):
        self.begin(1, 1, lambda found, query: {"rows": []}, *small_api.WINDOW,
            "request.query.offset = ${page.offset}", "page.offset = yes", "page.size = 50")
        self.assertIn("does not send ${page.size}", self.check(78).err)


if __name__ == "__main__":
    harness.main()
