#!/usr/bin/python3
"""A person pauses sources and sinks: it lasts, every surface says so, and nothing is lost."""

import json

import harness
from harness import wait_until

import cloudscale


class Pause(harness.Case):
    def setUp(self):
        super().setUp()
        self.socket = self.dir / "control"
        self.acme = self.cloudscale(400, "--page-size", "100")
        self.acme.control(visible=100)
        self.other = self.dir / "other.ndjson"

    def write(self, more="", sinks=("archive", "other")):
        paths = {"archive": self.out, "other": self.other}
        self.configure(
            self.source(self.acme.url, more="interval = 1h\n" + more),
            *(self.file_sink(name, paths[name]) for name in sinks),
            control=self.socket,
        )

    def begin(self):
        daemon = self.daemon()
        wait_until(self.socket.exists, "the control socket")
        return daemon

    def expect(self, n, *paths):
        for path in paths:
            lines = cloudscale.expected_lines(1, 0, n)
            self.wait_size(path, len(lines))
            self.assert_output(lines, path)

    def states(self):
        status = json.loads(self.ctl("status", "--json").text)
        return [item["state"] for item in status["sources"] + status["sinks"]]

    def test_source(self):
        self.write()
        daemon = self.begin()
        self.expect(100, self.out, self.other)
        self.assertRegex(
            self.ctl("pause", "acme").text,
            r"^source acme: paused\nIf nothing is read until \S+Z \(\S+\), records are lost for good\.\n$",
        )
        self.acme.control(visible=200)
        before = self.acme.stats()["requests"]
        self.assertIn("paused", self.ctl("poll", "acme", expect=75).err)
        self.assertEqual(self.ctl("poll").text, "polling 0 sources now\n")
        daemon.signal(12)
        self.assertEqual(self.states()[0], "paused")
        self.assertIn("paused", self.ctl("status").text)
        # a reload, an end and a start do not resume it
        self.ctl("reload")
        self.write("timeout = 50s")
        self.ctl("reload")
        self.assertEqual(self.states()[0], "paused")
        self.assertEqual(daemon.stop(), 0)
        daemon = self.begin()
        daemon.wait_log("source acme (trawld.conf:7): paused; `trawlctl resume acme` continues")
        self.assertEqual(self.states()[0], "paused")
        self.assertEqual(daemon.stop(), 0)
        result = self.once()
        self.assertEqual(self.acme.stats()["requests"], before)
        self.assertIn("paused", result.err)
        daemon = self.begin()
        self.assertEqual(self.ctl("pause", "acme").text.split("\n")[0], "source acme: already paused")
        self.assertEqual(self.ctl("resume", "acme").text, "source acme: resumed\n")
        self.assertEqual(self.ctl("resume", "acme").text, "source acme: was not paused\n")
        # what changed nothing was not written
        events = self.ctl("events").text
        self.assertEqual((events.count("pause source"), events.count("resume source")), (1, 1), events)
        self.expect(200, self.out, self.other)
        self.assertEqual(daemon.stop(), 0)

    def test_sink(self):
        self.write()
        daemon = self.begin()
        self.expect(100, self.out, self.other)
        self.assertEqual(self.ctl("pause", "other").text, "sink other: paused\n")
        self.acme.control(visible=200)
        self.ctl("poll", "acme")
        self.expect(200, self.out)
        self.expect(100, self.other)
        self.assertEqual(self.states()[2], "paused")
        self.assertRegex(self.ctl("status", "other").text, r"(?m)^  unsent +100 records, the oldest for \S+s$")
        self.assertEqual(daemon.stop(), 0)
        self.acme.control(visible=300)
        result = self.once(75)
        self.assertIn("200 records wait for it, and it is paused", result.err)
        self.expect(300, self.out)
        self.expect(100, self.other)
        # taken out while it is paused: what waits is not forgotten
        self.write(sinks=("archive",))
        self.assertIn("sink other: 200 records wait for it", self.once(78).err)
        self.write()
        daemon = self.begin()
        daemon.wait_log("paused; `trawlctl resume other` continues")
        self.ctl("resume", "other")
        self.expect(300, self.other)
        self.assertEqual(daemon.stop(), 0)

    def test_without_a_daemon(self):
        self.write()
        self.assertIn("there is no state", self.ctl("pause", "acme", expect=73).err)
        self.once()
        self.ctl("pause", "acme")
        self.assertEqual(self.ctl("pause", "other").text, "sink other: paused\n")
        self.assertEqual(self.ctl("pause", "other").text, "sink other: already paused\n")
        self.assertIn("no source or sink `acm`: did you mean `acme`?", self.ctl("pause", "acm", expect=64).err)
        self.assertIn("missing argument `SOURCE|SINK`", self.ctl("resume", expect=64).err)
        self.acme.control(visible=200)
        self.once()
        self.expect(100, self.out, self.other)
        self.ctl("resume", "acme")
        self.once(75)
        self.expect(200, self.out)
        self.ctl("resume", "other")
        self.once()
        self.expect(200, self.other)
        daemon = self.begin()
        self.assertIn("no source or sink `acm`: did you mean `acme`?", self.ctl("pause", "acm", expect=64).err)
        self.assertEqual(daemon.stop(), 0)

    def test_enabled(self):
        self.write("enabled = no")
        self.assertNotIn("place", self.once().err)
        self.assertEqual(self.acme.stats()["requests"], 0)
        self.write()
        self.once()
        self.ctl("pause", "other")
        self.acme.control(visible=200)
        self.once(75)
        self.expect(200, self.out)
        # what was read before it was disabled is delivered
        self.ctl("resume", "other")
        self.write("enabled = no")
        self.acme.control(visible=300)
        daemon = self.begin()
        self.expect(200, self.other)
        self.assertEqual(self.states()[0], "paused")
        self.assertIn("enabled = no", self.ctl("poll", "acme", expect=75).err)
        self.assertIn("enabled = no", self.ctl("resume", "acme").text)
        self.write()
        self.ctl("reload")
        self.expect(300, self.out, self.other)
        self.assertEqual(daemon.stop(), 0)


if __name__ == "__main__":
    harness.main()
