#!/usr/bin/python3
"""`remove =` cuts members out of what a sink gets, whatever its kind; the rest stays byte for byte."""

import json
import os
import pathlib
import sys

import harness
from http_sink import got
from syslog_peer import Peer

SECRET = "hunter-2!"
REMOVE = "remove = /user/email, /requests/0, /a~1b, /password"
# (as the API writes it, as the sinks must write it, what was cut out)
RECORDS = (
    ('{ "n" : 1.50e+00, "password": "%s", "x": 1e400 }' % SECRET,
        '{"n":1.50e+00,"x":1e400}', ["/password"]),
    ('{"timestamp": "2025-12-11T12:00:00Z", "user": {"name": "\\u00e9\\/", "email": "%s"}}' % SECRET,
        '{"timestamp":"2025-12-11T12:00:00Z","user":{"name":"\\u00e9\\/"}}', ["/user/email"]),
    ('{"requests": ["%s", {"a/b": 1}, [ ]], "k": 1, "k": 2}' % SECRET,
        '{"requests":[{"a/b":1},[]],"k":1,"k":2}', ["/requests/0"]),
    ('{"a/b": "%s", "a\\u002fb": "%s", "\\u0061\\/b": 3, "a": {"b": 4}}' % (SECRET, SECRET),
        '{"a":{"b":4}}', ["/a~1b"]),
    ('{"password": {"password": "%s"}, "user": {"email": 1, "z": [], "email": "%s"}}'
        % (SECRET, SECRET), '{"user":{"z":[]}}', ["/user/email", "/password"]),
    ('{"n": 6, "inner": {"password": "stays"}}', '{"n":6,"inner":{"password":"stays"}}', []),
    ('{"password": "%s", "z": null}' % SECRET, '{"z":null}', ["/password"]),
)
HTTP = {
    "ndjson": "/ndjson",
    "json_array": "/array",
    "elasticsearch": "/audit/_bulk",
    "loki": "/loki/api/v1/push",
    "splunk_hec": "/services/collector/event",
    "otlp": "/v1/logs",
}
CHILD = pathlib.Path(__file__).parent / "exec_child.py"
PROGRAMS = "valgrind" not in os.environ["TRAWLD"]  # that of Debian 12 does not know pidfd_open(2)
LINES = [line for _, line, _ in RECORDS]


class Remove(harness.Case):
    def setUp(self):
        super().setUp()
        self.api = self.cloudscale(0)
        link = "%s/v1/project-logs?cursor=10000" % self.api.url
        body = '{"next": null, "poll_more": "%s", "results": [%s]}' % (
            link, ", ".join(text for text, _, _ in RECORDS))
        self.api.faults({"kind": "body", "body": body, "times": 1})

    def out_file(self, name):
        return (self.dir / name).read_text()

    def test_every_kind(self):
        receiver = self.simulator(name="http_receiver")
        receiver.control(tokens={"splunk": "Splunk 0b1c2d3e"})
        peer = Peer("counted")
        self.addCleanup(peer.stop)
        (self.dir / "exec").mkdir()
        keep = "%s %s %s" % (sys.executable, CHILD, self.dir / "exec")
        sinks = [
            self.file_sink("raw", self.dir / "raw", REMOVE),
            self.file_sink("whole", self.dir / "whole"),
            self.file_sink("wrapped", self.dir / "wrapped", REMOVE + "\nformat = envelope"),
            *["[sink exec]\ntype = exec\ncommand = %s\n%s\n" % (keep, REMOVE)] * PROGRAMS,
            "[sink stdout]\ntype = stdout\n%s\n" % REMOVE,
            "[sink syslog]\ntype = syslog\naddress = %s\n%s\n" % (peer.address(), REMOVE),
        ] + [
            "[sink %s]\ntype = http\nurl = %s%s\nencoding = %s\n"
            "header.Authorization = Splunk 0b1c2d3e\n%s\n"
            % (name, receiver.url, path, name, REMOVE) for name, path in HTTP.items()
        ]
        self.configure(self.source(self.api.url), *sinks)
        result = self.once()
        self.assertEqual(receiver.stats()["violations"], [])
        lines = "".join(line + "\n" for line in LINES)
        self.assertEqual(self.out_file("raw"), lines)
        if PROGRAMS:
            self.assertEqual(self.out_file("exec/taken"), lines)
        self.assertEqual(result.out.decode(), lines)
        self.assertEqual(self.out_file("whole").count(SECRET), 8)
        self.assertEqual([m.decode().split("] ", 1)[1].removeprefix("\ufeff")
            for m in peer.messages], LINES)
        for name in ("ndjson", "array", "bulk", "splunk"):
            self.assertEqual([x for r in got(receiver, name) for x in r["records"]], LINES, name)
        self.assertEqual([x[2] for r in got(receiver, "loki") for x in r["records"]], LINES)
        self.assertEqual([x[0] for r in got(receiver, "otlp") for x in r["records"]], LINES)
        wrapped = self.out_file("wrapped").splitlines()
        for line, (_, record, removed) in zip(wrapped, RECORDS, strict=True):
            self.assertTrue(line.endswith(',"record":%s}' % record), line)
            self.assertEqual(json.loads(line).get("removed", []), removed)

    def test_probe(self):
        self.configure(self.source(self.api.url), self.file_sink(more=REMOVE),
            self.file_sink("whole", self.dir / "whole"))
        text = self.ctl("probe", "acme", "--all").text
        self.assertIn("sinks: archive would get 7, whole would get 7\n", text)
        self.assertEqual(text.split("without what archive removes:\n")[1].splitlines()[:6],
            ["  " + line for _, line, removed in RECORDS if removed])
        self.assertNotIn("without what whole", text)

    def test_dead_letters_hold_the_whole_record(self):
        """As the state does: what was rejected can still be sent whole by somebody who may."""
        receiver = self.simulator(name="http_receiver")
        receiver.control(poison=['"n":1.50e+00'])
        self.configure(self.source(self.api.url),
            "[sink far]\ntype = http\nurl = %s/ndjson\nretry_max = 1s\n%s\n" % (receiver.url, REMOVE))
        self.once(expect=75)
        letters = (self.state / "dead-letters" / "far.ndjson").read_text().splitlines()
        self.assertEqual(len(letters), 1)
        self.assertTrue(letters[0].endswith('"record":{"n":1.50e+00,"password":"%s","x":1e400}}'
            % SECRET), letters[0])
        receiver.control(poison=[])
        self.ctl("dead-letters", "resend", "far")
        self.once()
        self.assertEqual([x for r in got(receiver, "ndjson") for x in r["records"]],
            LINES[1:] + LINES[:1])

    def test_mistakes(self):
        for value, says in (
                ("password", "remove: `password` is not a JSON Pointer to a member"),
                ("/a, /b~2", "remove: `/b~2` is not a JSON Pointer to a member")):
            with self.subTest(value=value):
                self.configure(self.source(self.api.url),
                    self.file_sink(more="remove = " + value))
                self.assertIn(says, self.check(78).err)


if __name__ == "__main__":
    harness.main()
