#!/usr/bin/python3
"""trawlctl status of one source or sink, for monitoring, and trawlctl tail."""

import json
import re
import subprocess

import harness
from control_client import ControlCase
from harness import wait_until

import cloudscale


class Status(ControlCase):
    def test_status_of_one(self):
        """All that is known of a source or sink, also what it did last."""
        self.begin()
        self.polled()
        wait_until(lambda: self.json()["sinks"][0]["pending_records"] == 0, "the acknowledgement")
        text = self.ctl("status", "acme").text
        self.assertRegex(text, r"\Asource acme \(trawld.conf:\d+\): up to date\n")
        for line in (
            r"provider +cloudscale \(/.*/cloudscale\.conf\)",
            r"state +up to date for \S+",
            r"last success +20\S+Z \(\S+ ago\)",
            r"since start +100 new records, 0 duplicates, 0 excluded; \d+ requests?, 0 errors",
            r"open gaps +none",
            r"sinks +archive",
            r"  20\S+Z  GET http://127.0.0.1:\d+/v1/project-logs.*200.*",
        ):
            self.assertRegex(text, r"(?m)^  %s$" % line)
        self.assertNotIn(harness.TOKEN, text)
        sink = self.ctl("status", "archive").text
        self.assertRegex(sink, r"\Asink archive \(trawld.conf:\d+\): idle\n")
        self.assertRegex(sink, r"(?m)^  since start +100 delivered, 0 dropped by filter, 0 rejected, 0 failed attempts$")
        self.assertRegex(sink, r"(?m)^  sources +acme$")
        one = json.loads(self.ctl("status", "acme", "--json").text)
        self.assertEqual(([s["name"] for s in one["sources"]], one["sinks"]), (["acme"], []))
        self.assertIn("did you mean `acme`?", self.ctl("status", "acne", expect=64).err)
        self.sim.faults({"kind": "status", "status": 503})
        self.ctl("poll", "acme", expect=75)
        failing = r"\Asource acme \(trawld.conf:\d+\): failing for \S+, \d+ attempts?, next in \S+\n"
        # not while an attempt is made
        wait_until(lambda: re.match(failing, self.ctl("status", "acme").text), "the time of the next attempt")

    def test_members(self):
        """The manual names each member of /status, whatever the state of what it is about."""
        self.begin()
        self.polled()
        status = self.json()
        text = (harness.SOURCE_ROOT / "man/trawld.8").read_text().partition(".It Pa /status\n")[2]
        named = set(re.findall(r"[a-z_]+", " ".join(re.findall(r"(?m)^\.(?:Pq )?Li (.*)", text.partition("\n.El\n")[0]))))
        self.assertEqual(set().union(status, status["sources"][0], status["sinks"][0]) - named, set())

    def test_monitoring(self):
        """One line and an exit status: 0 fine, 1 failing, 2 cannot tell."""
        daemon = self.begin()
        self.polled()
        self.assertEqual(self.ctl("status", "--check").text, "ok: 1 source, 1 sink\n")
        self.assertEqual(self.ctl("status", "--failing", "--json").text.count('"name"'), 0)
        self.sim.faults({"kind": "status", "status": 503})
        self.ctl("poll", "acme", expect=75)
        self.assertRegex(
            self.ctl("status", "--check", expect=1).text, r"\Afailing: source acme: HTTP 503.*\n\Z"
        )
        wait_until(
            lambda: re.search(r"(?m)^acme +backing off", self.ctl("status", "--failing").text),
            "the wait between two attempts",
        )
        self.assertNotIn("archive", self.ctl("status", "--failing").text)
        both = json.loads(self.ctl("status", "--check", "--json", expect=1).text)
        self.assertIn("HTTP 503", both["sources"][0]["last_error"])
        daemon.stop()
        self.ctl("status", "--check", expect=2)
        self.ctl("status", "--check", "--json", expect=2)

    def test_tail(self):
        """Records as they are accepted, for as long as wanted."""
        self.begin(visible=0, more="interval = 100ms")
        reader = self.connect()
        self.assertTrue(self.ask({"command": "tail", "source": "acme"}, reader)["ok"])
        self.sim.control(visible=40)
        expected = cloudscale.expected_lines(1, 0, 100).decode().splitlines()
        for n in range(40):
            envelope = self.line(reader)
            self.assertEqual(
                (envelope["source"], envelope["record"]), ("acme", json.loads(expected[n]))
            )
        follower = subprocess.Popen(
            [harness.TRAWLCTL, "-c", self.conf, "tail", "acme", "--limit", "5"],
            stdout=subprocess.PIPE,
        )
        self.addCleanup(follower.stdout.close)
        visible = 40
        while follower.poll() is None and visible < 100:  # it may not have asked yet
            visible += 1
            self.sim.control(visible=visible)
            wait_until(lambda: self.json()["sources"][0]["records"] == visible, "the record")
        lines = follower.stdout.read().decode().splitlines()
        self.assertEqual((follower.wait(), len(lines)), (0, 5))
        for line in lines:
            time, source, record = line.split("  ", 2)
            self.assertEqual(source, "acme")
            self.assertIn(record, expected)
        self.assertIn("no source `beta`", self.ctl("tail", "beta", expect=64).err)


if __name__ == "__main__":
    harness.main()
