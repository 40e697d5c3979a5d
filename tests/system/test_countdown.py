#!/usr/bin/python3
"""How long there is before something is lost: said wherever a source is not read, and of a spool that fills up."""

import json
import re
import time

import harness
import quiet_api
from harness import wait_until
from quiet_api import seconds

import cloudscale

LOSS = r"if nothing is read until (\S+Z) \(\d+[a-z]+\d*[a-z]*\), records are lost for good"


class Countdown(quiet_api.Case):
    def begin(self, retention):
        self.serve(
            "resume.retention = %s\n" % retention, listen="127.0.0.1:0", control=self.dir / "control"
        )
        self.server.down = True
        daemon = self.daemon()
        wait_until((self.dir / "control").exists, "the control socket")
        wait_until(lambda: self.server.n_requests > 1, "failed polls")
        return daemon

    def source_status(self):
        return json.loads(self.ctl("status", "--json").text)["sources"][0]

    def test_failing(self):
        """Little is left of what the API keeps: that is told at once, with the time."""
        daemon = self.begin("12m")
        line = daemon.wait_log("records are lost for good")
        source = self.source_status()
        deadline = seconds(source["loss_deadline"])
        self.assertAlmostEqual(deadline, time.time() - 600 + 11 * 60, delta=40)
        self.assertAlmostEqual(source["loss_in"], deadline - time.time(), delta=10)
        for text in (line, source["loss_warning"], self.ctl("status").text, self.ctl("status", "s").text):
            self.assertAlmostEqual(seconds(re.search(LOSS, text).group(1)), deadline, delta=1)
        self.server.down = False
        wait_until(lambda: self.source_status()["loss_warning"] is None, "the source to be read")
        self.assertNotIn("lost for good", self.ctl("status").text)
        self.assertEqual(self.rows("s")[0]["state"], "full")
        daemon.stop()

    def test_too_late(self):
        """The time is over: the same words, and a gap that begins where nothing was read any more."""
        self.serve("resume.retention = 1d\n")
        self.once()
        self.age_cursor(2, "watermark", "started")
        daemon = self.begin("1d")
        line = daemon.wait_log("records are lost for good")
        self.assertRegex(line, r"nothing was read until \S+Z: records are lost for good")
        source = self.source_status()
        self.assertLess(source["loss_in"], 0)
        self.server.down = False
        wait_until(lambda: self.source_status()["loss_warning"] is None, "the source to be read")
        daemon.stop()
        gap = self.rows("s", expect=1)[0]
        self.assertEqual((gap["state"], gap["reason"]), ("gap", "retention"))
        self.assertAlmostEqual(
            seconds(gap["start"]), seconds(source["loss_deadline"]) - 86400 + 60, delta=2
        )

    def test_paused(self):
        """Whoever pauses a source is told how long it may be."""
        daemon = self.begin("1d")
        said = re.search(LOSS, self.ctl("pause", "s").text, re.IGNORECASE)
        line = daemon.wait_log("paused by trawlctl")
        self.assertEqual(re.search(LOSS, line).group(1), said.group(1))
        self.assertIn(said.group(1), self.ctl("status").text)
        self.assertNotIn("lost for good", self.ctl("resume", "s").text)
        daemon.stop()

    def test_unknown(self):
        self.serve(listen="127.0.0.1:0", control=self.dir / "control")
        self.server.down = True
        self.daemon()
        wait_until((self.dir / "control").exists, "the control socket")
        wait_until(lambda: self.source_status()["failing_since"], "a failed poll")
        self.assertIsNone(self.source_status()["loss_warning"])
        self.assertRegex(self.ctl("status", "s").text, "deadline +unknown")


class Spool(harness.Case):
    def test_fills_up(self):
        """A sink that takes nothing fills the spool: in how long it is full is told, with the sink's name."""
        simulator = self.cloudscale(4000)
        blocker = self.dir / "blocked"
        blocker.write_text("")
        self.configure(
            self.source(simulator.url, more="interval = 200ms"),
            self.file_sink("dead", blocker / "dead.ndjson", "retry_max = 1s"),
            control=self.dir / "control",
            daemon="spool_limit = %d" % (len(cloudscale.expected_lines(1, 0, 4000)) // 3),
        )
        daemon = self.daemon()
        line = daemon.wait_log("the spool is full in about", seconds=60)
        self.assertRegex(line, r"the spool is full in about \S+ at the present rate, since sink dead takes no")
        status = json.loads(self.ctl("status", "--json").text)
        self.assertGreater(status["spool"]["full_in"], 0)
        self.assertRegex(self.ctl("status").text, r"(?m)^the spool is full in about \S+ at the present rate$")
        self.assertEqual(len([x for x in daemon.log if "the spool is full in" in x]), 1)
        daemon.stop()


if __name__ == "__main__":
    harness.main()
