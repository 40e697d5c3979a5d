#!/usr/bin/python3
"""What waits for a sink survives every change of the configuration, or the change is refused."""

import re

import harness
from harness import wait_until

import cloudscale

DEAD = "http://127.0.0.1:9/"


class Case(harness.Case):
    def sinks(self, **types):
        """Sections for NAME=TYPE: a file of that name, or a receiver that is not there."""
        sections = []
        for name, kind in types.items():
            if kind == "file":
                sections.append(self.file_sink(name, self.dir / (name + ".ndjson")))
            else:
                sections.append("[sink %s]\ntype = http\nurl = %s\nretry_max = 1s\n" % (name, kind))
        return "\n".join(sections)

    def read(self, records=300):
        """RECORDS of the source acme: `here` has them, they wait for `away`."""
        self.records = records
        self.acme = self.cloudscale(1000, "--page-size", "100")
        self.acme.control(visible=records)
        self.configure(self.source(self.acme.url), self.sinks(here="file", away=DEAD))
        self.once(75)
        self.lines = cloudscale.expected_lines(1, 0, records)
        self.assert_output(self.lines, self.dir / "here.ndjson")

    def assert_refused(self, count, *phrases):
        """trawld does not start, says what waits, and has not touched the state."""
        before = self.state_dump()
        result = self.once(78)
        for phrase in ("sink away: %s wait for it" % count, *phrases):
            self.assertIn(phrase, result.err)
        self.assertIn("trawlctl drop-sink away", result.err)
        self.assertIn("trawlctl rename-sink away", result.err)
        self.assertEqual(self.state_dump(), before)

    def assert_delivered(self):
        """`away` takes everything, to a file, once each and in order."""
        self.configure(self.source(self.acme.url), self.sinks(here="file", away="file"))
        result = self.once()
        self.assert_output(self.lines, self.dir / "away.ndjson")
        self.assert_output(self.lines, self.dir / "here.ndjson")
        return result


class Changes(Case):
    """What start and reload do."""

    def test_renamed_sink(self):
        self.read()
        self.configure(self.source(self.acme.url), self.sinks(here="file", moved=DEAD))
        self.assert_refused("300 records", "[sink away] is not configured")
        self.assert_delivered()

    def test_removed_sink(self):
        self.read(1)
        self.configure(self.source(self.acme.url), self.sinks(here="file"))
        result = self.once(78)
        self.assertIn("sink away: 1 record waits for it", result.err)
        self.assert_delivered()

    def test_unlisted_sink(self):
        self.read()
        for name in ("acme", "other"):
            source = self.source(self.acme.url, name, more="sinks = here")
            both = self.source(self.acme.url) + source if name == "other" else source
            self.configure(both, self.sinks(here="file", away=DEAD))
            if name == "acme":
                self.assert_refused("300 records", "`sinks` of source acme does not list it",
                                    "error: %s:13: sink away: 300" % self.conf)
            else:
                self.once(75)  # another source's list takes nothing away
        self.configure(self.source(self.acme.url), self.sinks(here="file", away="file"))
        self.once()
        self.assert_output(self.lines, self.dir / "away.ndjson")

    def test_removed_source(self):
        self.read()
        other = self.cloudscale(20, seed=2)
        for sinks in (dict(here="file", away=DEAD), dict(here="file", away="file")):
            self.configure(self.source(other.url, "other"), self.sinks(**sinks))
            result = self.once(75 if sinks["away"] == DEAD else 0)
            self.assertIn("1 source has a cursor and is not configured: acme;", result.err)
        lines = self.lines + cloudscale.expected_lines(2, 0, 20)
        self.assert_output(lines, self.dir / "away.ndjson")
        self.assert_output(lines, self.dir / "here.ndjson")
#it comes back and goes on where it was
        self.configure(self.source(self.acme.url), self.sinks(here="file", away="file"))
        self.once()
        self.assert_output(lines, self.dir / "away.ndjson")

    def test_new_type(self):
        self.read()
        result = self.assert_delivered()
        self.assertTrue(
            result.lines(
                "sink away (trawld.conf:20): type is now file, not http: the old type's position"
                " is discarded, 300 unsent records go to the new one"
            ),
            result.err,
        )
#and back : a position in a file means nothing to a receiver
        receiver = self.simulator(name="http_receiver")
        url = receiver.url + "/ndjson"
        self.configure(self.source(self.acme.url), self.sinks(here="file", away=url))
        self.assertTrue(self.once().lines("type is now http, not file"))
        self.acme.control(visible=301)
        self.once()
        self.assert_output(cloudscale.expected_lines(1, 0, 301), self.dir / "here.ndjson")
        self.assertEqual(receiver.stats()["taken"]["ndjson"], 1)

    def test_notices(self):
        simulator = self.cloudscale(10)
        self.configure(self.source(simulator.url), self.sinks(here="file"))
        result = self.once()
        self.assertEqual(len(result.lines("no state was found in %s" % self.state)), 1)
        self.assertEqual(result.lines("accepted from now on"), [])
        source = self.source(simulator.url).replace("earliest", "-1d")
        self.configure(source, self.sinks(here="file", late="file"))
        result = self.once()
        self.assertEqual(result.lines("no state was found"), [])
        self.assertEqual(len(result.lines("sink late (trawld.conf:20): new: gets the rec")), 1)
        self.assertEqual(
            len(result.lines("source acme (trawld.conf:7): start = -1d (was earliest) has no eff")), 1
        )
        result = self.once()  # said once
        self.assertEqual(result.lines("accepted from now on") + result.lines("no effect"), [])
        self.assertFalse((self.dir / "late.ndjson").exists())

    def test_start_before_what_the_api_keeps(self):
        """One notice, where the source begins, says what is read instead."""
        simulator = self.cloudscale(10)
        words = "reaches back further than the API keeps records (retention = 90d): what it still has is read"

        def source(name, start):
            return self.source(simulator.url, name).replace("earliest", start)

        kept = [source("kept", "-80d"), source("all", "earliest")]
        self.configure(source("early", "-100d"), *kept, self.sinks(here="file"))
        result = self.once()
        (line,) = result.lines("reaches back further")
        self.assertRegex(
            line, r"^notice: source early \(trawld.conf:7\): start = -100d %s, from "
            r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ on$" % re.escape(words))
        polls = simulator.stats()["requests"]
        daemon = self.daemon()
        wait_until(lambda: simulator.stats()["requests"] > polls, "a poll")
        # nothing is said again: the source has a cursor, and `start` no effect any more
        self.configure(source("early", "-100d"), source("later", "2020-01-31"), *kept, self.sinks(here="file"))
        mark = daemon.mark()
        daemon.signal(1)
        daemon.wait_log("reloaded", mark)
        (line,) = [line for line in daemon.text().splitlines() if "reaches back further" in line]
        self.assertIn("source later (trawld.conf:15): start = 2020-01-31 " + words, line)
        self.assertEqual(daemon.stop(), 0)

    def test_reload(self):
        self.acme = self.cloudscale(301, "--page-size", "100")
        self.acme.control(visible=300)
        self.configure(self.source(self.acme.url), self.sinks(here="file", away=DEAD))
        daemon = self.daemon()
        self.lines = cloudscale.expected_lines(1, 0, 300)
        self.wait_size(self.dir / "here.ndjson", len(self.lines))
        for sections in (
            (self.source(self.acme.url), self.sinks(here="file")),
            (self.source(self.acme.url, more="sinks = here"), self.sinks(here="file", away=DEAD)),
        ):
            self.configure(*sections)
            mark = daemon.mark()
            daemon.signal(1)
            daemon.wait_log("the old configuration stays in use", mark)
            self.assertIn("sink away: 300 records wait for it", daemon.text(mark))
#it does : what comes now waits for both, too
        self.acme.control(visible=301)
        daemon.signal(12)
        lines = cloudscale.expected_lines(1, 0, 301)
        self.wait_size(self.dir / "here.ndjson", len(lines))
#a source taken away is read no more, what it left is delivered
        other = self.cloudscale(20, seed=2)
        self.configure(self.source(other.url, "other"), self.sinks(here="file", away="file"))
        mark = daemon.mark()
        daemon.signal(1)
        daemon.wait_log("reloaded", mark)
        lines += cloudscale.expected_lines(2, 0, 20)
        self.wait_size(self.dir / "away.ndjson", len(lines))
        self.assertEqual(daemon.stop(), 0)
        self.assert_output(lines, self.dir / "away.ndjson")


class Commands(Case):
    """The ways out, while trawld is stopped and while it runs."""

    def setUp(self):
        super().setUp()
        self.socket = self.dir / "control"

    def configure(self, *sections, **more):
        super().configure(*sections, control=self.socket, **more)

    def both(self, begin, end):
        """BEGIN, then END with no daemon; and the same with one that runs from between them on."""
        for runs in (False, True):
            with self.subTest(runs=runs):
                self.tearDown()
                self.doCleanups()
                self.setUp()
                begin()
                daemon = self.daemon() if runs else None
                if runs:
                    wait_until(self.socket.exists, "the control socket")
                end(daemon)
                if runs:
                    self.assertEqual(daemon.stop(), 0)

    def deliver(self, daemon, name, lines):
        """All of it is in the file of the sink NAME."""
        if daemon:
            self.wait_size(self.dir / (name + ".ndjson"), len(lines))
        else:
            self.once()
        self.assert_output(lines, self.dir / (name + ".ndjson"))

    def test_drop_sink(self):
        def end(daemon):
            # what is in use is not dropped by a slip
            result = self.ctl("drop-sink", "away", expect=78)
            self.assertIn("nothing is dropped", result.err)
            self.configure(self.source(self.acme.url), self.sinks(here="file"))
            if daemon:
                self.assertIn("300 records wait for it", self.ctl("reload", expect=78).err)
            else:
                self.assert_refused("300 records")
            result = self.ctl("drop-sink", "way", expect=64)
            self.assertIn("no sink `way`: did you mean `away`?", result.err)
            result = self.ctl("drop-sink", "away")
            self.assertIn("sink away: 300 records dropped\n", result.text)
            self.acme.control(visible=301)
            if daemon:
                self.ctl("poll")
            self.deliver(daemon, "here", cloudscale.expected_lines(1, 0, 301))
            if daemon:
                daemon.wait_log("300 unsent records dropped")
                self.assertEqual([x for x in daemon.log if "no sink `way`" in x], [])

        self.both(self.read, end)

    def test_drop_what_a_source_no_longer_lists(self):
        def begin():
            self.read()
            other = self.cloudscale(20, seed=2)
            self.other = self.source(other.url, "other")
            self.configure(
                self.source(self.acme.url), self.other, self.sinks(here="file", away=DEAD)
            )
            self.once(75)

        def end(daemon):
            acme = self.source(self.acme.url, more="sinks = here")
            self.configure(acme, self.other, self.sinks(here="file", away="file"))
            result = self.ctl("drop-sink", "away")
            self.assertIn("sink away: 300 records dropped\n", result.text)
            self.deliver(daemon, "away", cloudscale.expected_lines(2, 0, 20))

        self.both(begin, end)

    def test_rename_sink(self):
        def begin():
            self.read()
            letters = self.state / "dead-letters"
            letters.mkdir()
            (letters / "away.ndjson").write_text("{}\n")

        def end(daemon):
            result = self.ctl("rename-sink", "away", "moved", expect=78)
            self.assertIn("[sink moved]", result.err)
            self.configure(self.source(self.acme.url), self.sinks(here="file", moved="file"))
            result = self.ctl("rename-sink", "away", "moved")
            self.assertIn(
                "sink moved continues sink away; 300 records wait for it\n", result.text
            )
            self.deliver(daemon, "moved", self.lines)
            self.assertEqual(
                [path.name for path in (self.state / "dead-letters").iterdir()], ["moved.ndjson"]
            )
            result = self.ctl("rename-sink", "moved", "here", expect=78)
            self.assertIn("has [sink moved]", result.err)

        self.both(begin, end)

    def test_rename(self):
        def end(daemon):
            self.acme.control(visible=301)
            self.configure(
                self.source(self.acme.url, "acme-2"), self.sinks(here="file", away="file")
            )
            result = self.ctl("rename", "acme", "acme-2")
            self.assertIn("source acme-2 continues source acme at its cursor", result.text)
            self.assertNotIn("has read records itself", result.text)
            lines = cloudscale.expected_lines(1, 0, 301)
            self.deliver(daemon, "away", lines)
            self.deliver(daemon, "here", lines)
            if daemon:
                self.assertNotIn("is not configured", daemon.text())

        self.both(self.read, end)

    def test_rename_after_the_fact(self):
        """The new name has read everything again: the notice is seen too late."""

        def begin():
            self.read()
            self.configure(
                self.source(self.acme.url, "acme-2"), self.sinks(here="file", away=DEAD)
            )
            self.assertTrue(self.once(75).lines("has a cursor and is not configured: acme;"))

        def end(daemon):
            result = self.ctl("rename", "acme", "acme-2")
            self.assertIn("acme-2 has read records itself", result.text)
            self.acme.control(visible=301)
            self.configure(
                self.source(self.acme.url, "acme-2"), self.sinks(here="file", away="file")
            )
            if daemon:
                self.ctl("reload")
                self.ctl("poll")
            last = cloudscale.expected_lines(1, 300, 301)
            self.deliver(daemon, "here", self.lines + self.lines + last)
            self.deliver(daemon, "away", self.lines + self.lines + last)

        self.both(begin, end)

    def test_two_at_once(self):
        """A command does not let the other change of the same configuration slip through."""
        self.acme = self.cloudscale(300)
        self.configure(self.source(self.acme.url), self.sinks(here="file", away=DEAD, far=DEAD))
        self.once(75)
        daemon = self.daemon()
        wait_until(self.socket.exists, "the control socket")
        self.configure(self.source(self.acme.url), self.sinks(here="file"))
        result = self.ctl("drop-sink", "away", expect=78)
        self.assertIn("sink far: 300 records wait for it", result.err)
        self.assertEqual(daemon.stop(), 0)
        self.ctl("drop-sink", "away")
        result = self.once(78)
        self.assertIn("sink far: 300 records wait for it", result.err)
        self.assertNotIn("sink away", result.err)
        self.ctl("drop-sink", "far")
        self.once()

    def test_without_state(self):
        self.configure(self.source("http://127.0.0.1:9/"), self.sinks(here="file"))
        for words in (("drop-sink", "x"), ("rename", "x", "y"), ("rename-sink", "x", "y")):
            self.assertIn("there is no state in", self.ctl(*words, expect=73).err)
            self.assertIn("missing argument", self.ctl(*words[:-1], expect=64).err)


if __name__ == "__main__":
    harness.main()
