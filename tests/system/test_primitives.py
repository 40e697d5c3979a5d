#!/usr/bin/python3
"""What a definition can say, one test for each: the API of tests/simulators/primitives.py that
needs it gives all its records, each once, over a kill -9 and a restart, to the definition as it is
(tests/definitions); without the key in question it does not."""

import shutil
import time

import harness
from harness import wait_until, whole_lines

import primitives

COUNT = 2000


class Primitives(harness.Case):
    def begin(self, name, change=(), **settings):
        """The API NAME and a source for it, its definition with (old text, new text) CHANGEd."""
        shutil.rmtree(self.state, ignore_errors=True)
        self.out.unlink(missing_ok=True)
        # all records are an hour old, or older
        self.first = int(time.time()) // 3600 * 3600 - 25 * 3600
        self.name = name
        self.api = primitives.APIS[name](self.first * 10**6, COUNT)
        self.sim = self.simulator(
            "--api", name, "--first", str(self.first), "--count", str(COUNT), name="primitives"
        )
        self.sim.control(**settings)
        self.configure_changed(change)

    def configure_changed(self, change=()):
        text = (harness.SOURCE_ROOT / "tests" / "definitions" / (self.name + ".conf")).read_text()
        for old, new in change:
            self.assertIn(old, text)
            text = text.replace(old, new)
        folder = self.dir / "providers"
        folder.mkdir(exist_ok=True)
        (folder / (self.name + ".conf")).write_text(text)
        self.configure(
            "[source habit]\nprovider = %s\nendpoint = %s\nrate = off\ninterval = 5ms\n"
            "retry_max = 50ms\nstart = %s\n"
            % (self.name, self.sim.url, primitives.simlib.iso(self.first * 10**6)),
            self.file_sink(),
            providers=folder,
        )

    def half_way(self, **settings):
        """The API's clock stands amid its records, in a busy time and off all round figures."""
        half = self.first + 12 * 3600 + 300
        self.sim.control(clock_offset=half - time.time(), **settings)

    def at_the_end(self):
        self.sim.control(clock_offset=0, clock_step=0)

    def found(self):
        return [line + b"\n" for line in whole_lines(self.out)]

    def kill_at(self, number):
        """Runs the daemon until it waits for the answer to request NUMBER; kill -9."""
        self.sim.control(reset_numbers=True, faults=[{"kind": "hang", "at": [number]}])
        daemon = self.daemon()
        wait_until(lambda: self.sim.stats()["requests"] >= number, "request %d" % number)
        self.assertIsNone(daemon.process.poll(), daemon.text())
        daemon.kill()
        self.sim.faults()
        lines = self.found()
        self.assertEqual(len(set(lines)), len(lines))

    def whole(self, name, ordered=True, kills=(3, 2), **settings):
        """Half of the records, then all, with a kill in the midst of each half."""
        self.begin(name, **settings)
        expected = self.api.lines()
        for begin, kill in zip((self.half_way, self.at_the_end), kills):
            begin()
            self.kill_at(kill)
            self.once()
            found = self.found()
            self.assertGreater(len(found), COUNT // 4)
        self.assert_whole(expected, ordered)
        self.sim.control(reset_numbers=True)
        self.once()
        self.assert_whole(expected, ordered)
        stats = self.sim.stats()
        self.assertEqual(set(stats["statuses"]), {"200"})
        self.assertLess(stats["requests"], 5)

    def assert_whole(self, expected, ordered=True):
        if ordered:
            self.assert_output(expected)
        else:
            self.assertEqual(sorted(self.found()), sorted(expected.splitlines(True)))

    def refused(self, name, phrase, *change, code=75, **settings):
        """So changed, trawld says PHRASE and cannot come to the end."""
        self.begin(name, change, **settings)
        result = self.once(expect=code)
        self.assertTrue(result.lines(phrase), result.err)

    def loses(self, name, *change, **settings):
        """So changed, records are missing though trawld thinks that it has all."""
        self.begin(name, change, **settings)
        self.once()
        found = self.found()
        self.assertLess(set(found), set(self.api.lines().splitlines(True)))

    def test_first_and_next_request(self):
        self.whole("opening")

    def test_first_and_next_request_needed(self):
        one = (
            ("[request.first]", "[request]"),
            ('"${window.end}"}', '"${window.end}", "token": "${page.cursor}"}'),
            ("[request.next]\nurl = https://primitives.example.net/opening/more\n", ""),
            ("query.token = ${page.cursor}\n", ""),
        )
        self.refused("opening", "needed: since, until", *one)

    def test_alternatives(self):
        self.whole("either")

    def test_alternatives_needed(self):
        each = "${page.cursor}\nquery.cursor = ${resume.cursor}\nquery.since = ${window.start}"
        self.refused(
            "either",
            "unknown parameter: since",
            ("${page.cursor|resume.cursor|window.start}", each),
        )

    def test_end_absent_needed(self):
        self.loses("opening", ("end = absent", "end = empty"))

    def test_end_absent_is_not_short(self):
        limit = "[request]\nheader.X-Limit = ${page.size}\n\n[records]"
        self.loses(
            "opening", ("end = absent", "end = short\nsize = 100"), ("[records]", limit)
        )

    def test_end_empty_needed(self):
        self.refused("headers", "loop:", ("end = empty", ""))

    def test_end_short_needed(self):
        self.refused("lines", "loop:", ("end = short", ""))

    def test_end_same_needed(self):
        self.refused("sorted", "loop:", ("end = same", ""))

    def test_end_condition_needed(self):
        self.refused("either", "loop:", ("end = /has_more = false", ""))

    def test_cursor_in_a_header(self):
        self.whole("headers")

    def test_cursor_in_a_header_needed(self):
        self.loses("headers", ("header:X-Next-Mark", "/next_mark"))

    def test_links_in_headers(self):
        self.whole("links")

    def test_links_in_headers_needed(self):
        self.refused("links", "no cursor at `header:X-Poll-At`", ("url = header:link\n", ""))
        self.refused("links", "no cursor at `/poll_at`", ("header:X-Poll-At", "/poll_at"))

    def test_cap(self):
        self.whole("capped", ordered=False)

    def test_cap_needed(self):
        self.loses("capped", ("cap = 300", ""))

    def test_step(self):
        self.whole("buckets")

    def test_step_needed(self):
        self.begin("buckets", [("step = 10m", "")])
        self.half_way()
        self.once()
        self.at_the_end()
        self.once()
        self.assertLess(len(self.found()), COUNT)

    def test_newest(self):
        self.whole("newest", ordered=False)

    def test_newest_needed(self):
        """There is no other way to ask this API."""
        self.refused(
            "newest",
            "unknown parameter: since",
            ("newest = yes", "window = yes"),
            ("[records]", "query.since = ${window.start}\n\n[records]"),
        )

    def newest_through_a_busy_hour(self, *change):
        """Each poll finds some records more, some of them among older ones."""
        self.begin("newest", change)
        self.half_way(clock_step=10)
        daemon = self.daemon()
        wait_until(lambda: self.sim.stats()["requests"] >= 400, "400 requests")
        daemon.stop()
        self.at_the_end()
        self.once()

    def test_newest_with_overlap(self):
        self.newest_through_a_busy_hour()
        self.assert_whole(self.api.lines(), ordered=False)

    def test_newest_with_overlap_needed(self):
        self.newest_through_a_busy_hour(("overlap = 15m", "overlap = 0"))
        self.assertLess(len(self.found()), COUNT)

    def test_missing(self):
        self.whole("missing")

    def test_missing_needed(self):
        self.refused(
            "missing",
            "no array of records at `/events`",
            ("missing = empty\nexpect = /kind = events\n", ""),
        )

    def test_missing_with_expect(self):
        """What is not as expected is no empty page: it is asked again, and nothing is lost."""
        self.begin("missing")
        self.sim.control(busy=3)
        daemon = self.daemon()
        daemon.wait_log("no array of records at `/events`")
        daemon.wait_log("works again")
        wait_until(lambda: len(self.found()) >= COUNT, "all records")
        daemon.stop()
        self.assert_whole(self.api.lines())

    def test_missing_with_expect_needed(self):
        self.loses("missing", ("expect = /kind = events\n", ""), busy=3)

    def test_page_numbers(self):
        self.whole("numbers", ordered=False)

    def test_page_numbers_needed(self):
        # with a size told, a full page alone would be asked again in halves
        self.loses("numbers", ("number = yes", "number = no"), ("size = 100\n", ""))
        self.refused("numbers", "unknown place: 1", ("first = 0\n", ""))

    def test_last_element(self):
        self.whole("last")

    def test_last_element_needed(self):
        self.loses("last", ("[page]\ncursor = last:/seq", "[page]\ncursor = /seq"))
        # all of it is read again by each poll
        self.begin("last", [("[resume]\ncursor = last:/seq", "[resume]\ncursor = /seq")])
        self.once()
        self.sim.control(reset_numbers=True)
        self.once()
        self.assertGreater(self.sim.stats()["requests"], COUNT // 100)

    def test_lines(self):
        self.whole("lines")

    def test_lines_needed(self):
        self.refused("lines", "the response is rejected", ("at = lines", 'at = ""'))

    def test_cursor_as_its_own_text(self):
        self.whole("sorted")

    def test_cursor_as_its_own_text_needed(self):
        self.refused("sorted", "not what was given", ("cursor = /after", "cursor = /after/0"))

    def test_overlapping_pages(self):
        self.whole("offsets", ordered=False, moves=2)

    def test_overlapping_pages_needed(self):
        self.loses("offsets", ("overlap = 10\n", ""), moves=2)

    def test_forms(self):
        self.whole("forms")

    def test_forms_needed(self):
        text = "body = from=${window.start}&to=${window.end}&filter of=a&b=c+d é\n"
        self.refused(
            "forms",
            "HTTP 415",
            ("body_type = form\n", "body_type = text\n" + text),
            ("form.from = ${window.start}\nform.to = ${window.end}\n", ""),
            ("form.filter of = a&b=c+d é\nform.mark = ${page.cursor}\n", ""),
            ("cursor = /mark", ""),
        )


if __name__ == "__main__":
    harness.main()
