#!/usr/bin/python3
"""The http sink behind a real web server: TLS, client certificates, an upstream that is away, a
limit of the body, a server that is reloaded and restarted while records flow."""

import json
import sys
import unittest

import harness
import nginx
import rsyslog
from harness import wait_until
from http_sink import RECORDS, Http

LARGE = (
    '{"next":null,"poll_more":"%s/v1/project-logs?cursor=%d","results":'
    '[{"timestamp":"2025-12-11T12:00:00Z","n":1},{"timestamp":"2025-12-11T12:00:01Z","n":2,"x":"'
)


class Nginx(Http):
    PROXY = "location / { proxy_pass %s; %s }"

    def server(self, more="", location="", tls=False):
        self.block = more + self.PROXY % (self.receiver.url, location)
        server = nginx.Nginx(self.dir / "nginx", self.block, tls)
        self.addCleanup(server.stop)
        self.nginx = server

    def begin(self, more="", source=""):
        self.configure(
            self.source(self.cloud.url, more="interval = 200ms\n" + source),
            "[sink far]\ntype = http\nurl = %s\nretry_max = 1s\nbatch_age = 100ms\n"
            "batch_records = 300\n%s" % (self.nginx.url("/ndjson"), more),
        )

    def assert_all(self):
        self.assertEqual(self.receiver.stats()["violations"], [])
        self.assert_records(self.once_each("ndjson"))
        self.assertEqual(self.dead_letters(), [])

    def secure(self, more=""):
        self.keys = rsyslog.certificates(self.dir / "keys")
        self.server(
            "ssl_certificate %(cert)s; ssl_certificate_key %(key)s;" % self.keys + more, tls=True
        )
        self.trust = "ca_file = %(ca)s\n" % self.keys

    def test_tls(self):
        self.secure()
        self.begin(self.trust)
        self.once()
        self.assert_all()

    def test_unknown_authority(self):
        self.secure()
        self.begin()
        result = self.once(expect=75)
        self.assertTrue(result.lines("certificate"), result.err)
        self.assertEqual(self.taken("ndjson"), 0)
        self.begin(self.trust)
        self.once()
        self.assert_all()

    def test_client_certificate(self):
        """Without one and with a foreign one: nothing is delivered, nothing is lost, no record is
        blamed (nginx says 400)."""
        for foreign in (False, True):
            with self.subTest(foreign=foreign):
                self.setUp()
                keys = rsyslog.certificates(self.dir / "keys")
                other = rsyslog.certificates(self.dir / "keys", "other")
                self.secure("ssl_verify_client on; ssl_client_certificate %s;" % keys["ca"])
                pair = "client_cert = %(client_cert)s\nclient_key = %(client_key)s\n"
                self.begin(self.trust + (pair % other if foreign else ""))
                result = self.once(expect=75)
                self.assertTrue(result.lines("certificate"), result.err)
                self.assertEqual(self.taken("ndjson"), 0)
                self.assertEqual(self.dead_letters(), [])
                self.begin(self.trust + pair % self.keys)
                self.once()
                self.assert_all()

    def test_upstream_is_away(self):
        """503 while it is away, then all; the server itself is stopped and started, too."""
        self.server("", "if (-f %s/away) { return 503; }" % self.dir)
        self.begin()
        self.cloud.control(visible=1000)
        daemon = self.daemon()
        wait_until(lambda: self.taken("ndjson") >= 1000, "the first records")
        (self.dir / "away").touch()
        self.cloud.control(visible=3000)
        daemon.wait_log("503")
        mark = daemon.mark()
        (self.dir / "away").unlink()
        daemon.wait_log("works again", mark)
        wait_until(lambda: self.taken("ndjson") >= 3000, "the records that waited")
        self.nginx.stop()
        mark = daemon.mark()
        self.cloud.control(visible=RECORDS)
        daemon.wait_log("sink far", mark)
        self.nginx.start(self.block)
        daemon.wait_log("works again", mark)
        wait_until(lambda: self.taken("ndjson") >= RECORDS, "all records")
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assert_all()
        self.assertIn("503", self.nginx.statuses())

    def test_body_size(self):
        """Three records a request; one that is larger than any request is a dead letter, though
        nginx answers before it has read it."""
        self.server("client_max_body_size 1000;")
        self.begin()
        result = self.once()
        self.assertEqual(len(result.lines("(413)")), 1, result.err)
        self.assert_all()
        self.assertIn("413", self.nginx.statuses())

    def test_one_too_large(self):
        self.server("client_max_body_size 1m;")
        self.begin()
        large = "y" * (8 << 20)
        head = LARGE % (self.cloud.url, RECORDS)
        self.cloud.faults(
            {"kind": "body", "repeat": [head, large[:1024], len(large) // 1024, '"}]}'], "times": 1}
        )
        self.once(expect=75)
        letters = self.dead_letters()
        self.assertEqual([letter["record"]["n"] for letter in letters], [2])
        self.assertEqual(len(letters[0]["record"]["x"]), len(large))
        self.assertIn("413", letters[0]["reason"])
        found = self.once_each("ndjson")
        self.assertEqual([json.loads(text)["n"] for text in found], [1])

    def test_stopped_while_records_flow(self):
        """Stopped and started four times: all arrive in order; what was under way comes twice at
        most, and as the same request."""
        self.server()
        self.begin()
        daemon = self.daemon()
        for part in range(1, 5):
            wait_until(lambda: self.taken("ndjson") >= part * RECORDS // 8, "records")
            self.nginx.stop()
            self.nginx.start(self.block)
        wait_until(lambda: len(set(self.flat())) >= len(set(self.expected)), "all records", 60)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.once()
        self.assert_all()
        self.assertLessEqual(self.receiver.stats()["repeats"]["ndjson"], 4)

    def flat(self):
        return [record for request in self.got("ndjson") for record in request["records"]]


if __name__ == "__main__":
    if not nginx.is_there():
        print("nginx is not installed")
        sys.exit(77)
    unittest.main(verbosity=2)
