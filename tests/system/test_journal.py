#!/usr/bin/python3
"""The journal sink against a real systemd-journald, read back with journalctl (journald.py)."""

import json
import re

import harness
import journald
from harness import wait_until

import cloudscale


class Journal(harness.Case):
    def sink(self, path, more=""):
        return "[sink log]\ntype = journal\nsocket = %s\nretry_max = 1s\n%s\n" % (path, more)

    def wait_entries(self, receiver, n):
        """The entries once there are N of them, and no more than that."""
        entries = []

        def question():
            entries[:] = receiver.entries()
            return len(entries) >= n

        wait_until(question, "%d entries in the journal" % n)
        self.assertEqual(len(entries), n)
        return entries

    def test_fields(self):
        receiver = journald.started(self)
        simulator = self.cloudscale(1000, "--page-size", "100")
        self.configure(self.source(simulator.url), self.sink(receiver.socket, "severity = notice"))
        self.once()
        entries = self.wait_entries(receiver, 1000)
        for n, entry in enumerate(entries):
            line = cloudscale.record_line(1, n).decode()
            self.assertEqual(entry["MESSAGE"], line)
            self.assertEqual(entry["PRIORITY"], "5")
            self.assertEqual(entry["SYSLOG_IDENTIFIER"], "trawld")
            self.assertEqual(entry["SOURCE"], "acme")
            self.assertEqual(entry["PROVIDER"], "cloudscale")
            self.assertRegex(entry["RECORD_ID"], "^[0-9a-f]{32}$")
            stamp = json.loads(line)["timestamp"]
            self.assertEqual(
                re.sub(r"\.?0*Z$", "", entry["RECORD_TIME"]), re.sub(r"\.?0*Z$", "", stamp)
            )
        # without an ID of the API's, the digest of the text: equal records have equal ones
        texts = {entry["MESSAGE"]: entry["RECORD_ID"] for entry in entries}
        self.assertEqual(len(set(texts.values())), len(texts))
        self.once()
        self.assertEqual(len(receiver.entries()), 1000)

    def test_envelope(self):
        receiver = journald.started(self)
        simulator = self.cloudscale(10)
        self.configure(self.source(simulator.url), self.sink(receiver.socket, "format = envelope"))
        self.once()
        for n, entry in enumerate(self.wait_entries(receiver, 10)):
            envelope = json.loads(entry["MESSAGE"])
            self.assertEqual(envelope["id"], entry["RECORD_ID"])
            self.assertEqual(envelope["record"], json.loads(cloudscale.record_line(1, n)))

    def test_long_records(self):
        """Far longer than a datagram, and with all that JSON text can hold."""
        receiver = journald.started(self)
        simulator = self.cloudscale(4)
        text = '{"n":%d,"text":"%s","é":"\\n\\u0000\\ud83d\\ude80"}'
        texts = [text % (n, "ü" * size) for n, size in enumerate((10, 100_000, 250_000, 6_000_000))]
        before, after = texts[3].replace("ü", "").split('"text":"', 1)
        head = '{"next":null,"poll_more":"%s/v1/project-logs?cursor=10020","results":[' % simulator.url
        simulator.faults(
            {
                "kind": "body",
                "repeat": [
                    head + ",".join(texts[:3]) + "," + before + '"text":"',
                    "ü", 6_000_000, after + "]}",
                ],
                "headers": {"Content-Type": "application/json"},
                "times": 1,
            }
        )
        simulator.control(visible=0)
        self.configure(self.source(simulator.url), self.sink(receiver.socket))
        self.once()
        entries = self.wait_entries(receiver, len(texts))
        for text, entry in zip(texts, entries):
            self.assertTrue(entry["MESSAGE"] == text, len(text))

    def test_absent(self):
        """No journald: nothing counts as delivered; it all comes when it is there."""
        path = self.dir / "socket"
        simulator = self.cloudscale(300)
        self.configure(self.source(simulator.url), self.sink(path))
        result = self.once(75)
        self.assertEqual(len(result.lines("retrying")), 1, result.err)
        self.assertEqual(len(result.lines("no journald listens at")), 2, result.err)
        receiver = journald.started(self)
        path.symlink_to(receiver.socket)
        self.once()
        self.wait_entries(receiver, 300)

    def test_restart(self):
        """journald goes and another comes while trawld runs."""
        first = journald.started(self)
        path = self.dir / "socket"
        path.symlink_to(first.socket)
        simulator = self.cloudscale(100)
        self.configure(
            self.source(simulator.url, more="interval = 50ms"), self.sink(path), self.file_sink()
        )
        daemon = self.daemon()
        self.wait_entries(first, 100)
        first.stop()
        simulator.control(visible=200)
        daemon.wait_log("no journald listens at")
        second = journald.started(self)
        (self.dir / "new").symlink_to(second.socket)
        (self.dir / "new").rename(path)
        entries = self.wait_entries(second, 100)
        daemon.wait_log("works again")
        daemon.stop()
        for n, entry in enumerate(entries, 100):
            self.assertEqual(entry["MESSAGE"], cloudscale.record_line(1, n).decode())

    def test_faults(self):
        for more, phrase in (("severity = loud", "severity"), ("socket = run/x", "absolute")):
            text = "[sink log]\ntype = journal\n%s\n" % more
            self.configure(self.source("http://127.0.0.1:1"), text)
            self.assertEqual(len(self.check(78).lines(phrase)), 1)


if __name__ == "__main__":
    harness.main()
